// Particles as balls, each a triangle that faces the camera.

#import bevy_pbr::{
    mesh_bindings::mesh,
    mesh_view_bindings::view,
    view_transformations::position_world_to_clip,
}
#import seedstorm::places::{Vertex, around_circle, place_of}
#ifndef PREPASS_PIPELINE
#import bevy_pbr::{pbr_functions, pbr_types}
#endif

struct Look {
    base_color: vec4<f32>,
    emissive: vec4<f32>,
    radius: f32,
    metallic: f32,
    perceptual_roughness: f32,
    reflectance: f32,
    clearcoat: f32,
    clearcoat_perceptual_roughness: f32,
    // Which particles are made of this: what they have in place of an alpha.
    material: f32,
}

@group(#{MATERIAL_BIND_GROUP}) @binding(2) var<uniform> look: Look;
@group(#{MATERIAL_BIND_GROUP}) @binding(3) var<storage, read> tints: array<vec4<f32>>;

struct Ball {
    @builtin(position) position: vec4<f32>,
    @location(0) across: vec2<f32>,
    @location(1) @interpolate(flat) center: vec3<f32>,
    @location(2) @interpolate(flat) tint: vec3<f32>,
    @location(3) @interpolate(flat) instance: u32,
}

@vertex
fn vertex(in: Vertex) -> Ball {
    var out: Ball;
    let number = in.corner / 3u;
    let tint = tints[number];
    out.instance = in.instance;
    out.tint = tint.rgb;
    out.center = place_of(number);
    out.across = around_circle(in.corner);
    let right = view.world_from_view[0].xyz;
    let up = view.world_from_view[1].xyz;
    out.position = position_world_to_clip(out.center + (right * out.across.x + up * out.across.y) * look.radius);
    if tint.a != look.material {
        // Another's, or not there: all of it lies outside of what is seen.
        out.position = vec4(2.0, 2.0, 0.0, 1.0);
    }
    return out;
}

#ifdef PREPASS_PIPELINE
@fragment
fn fragment(in: Ball) {
    if dot(in.across, in.across) > 1.0 {
        discard;
    }
}
#else
struct Seen {
    @location(0) color: vec4<f32>,
    @builtin(frag_depth) depth: f32,
}

@fragment
fn fragment(in: Ball) -> Seen {
    let square = dot(in.across, in.across);
    if square > 1.0 {
        discard;
    }
    let out_of_it = vec3(in.across, sqrt(1.0 - square));
    let normal = normalize((view.world_from_view * vec4(out_of_it, 0.0)).xyz);
    let place = in.center + normal * look.radius;
    let clip = position_world_to_clip(place);

    var input = pbr_types::pbr_input_new();
    input.flags = mesh[in.instance].flags;
    input.is_orthographic = view.clip_from_view[3].w == 1.0;
    input.frag_coord = vec4(in.position.xy, clip.z / clip.w, in.position.w);
    input.world_position = vec4(place, 1.0);
    input.world_normal = normal;
    input.N = normal;
    input.clearcoat_N = normal;
    input.V = pbr_functions::calculate_view(input.world_position, input.is_orthographic);
    input.material.base_color = vec4(look.base_color.rgb * in.tint, 1.0);
    input.material.emissive = look.emissive;
    input.material.metallic = look.metallic;
    input.material.perceptual_roughness = look.perceptual_roughness;
    input.material.reflectance = vec3(look.reflectance);
    input.material.clearcoat = look.clearcoat;
    input.material.clearcoat_perceptual_roughness = look.clearcoat_perceptual_roughness;

    var out: Seen;
    out.color = pbr_functions::apply_pbr_lighting(input);
    out.color = pbr_functions::main_pass_post_lighting_processing(input, out.color);
    out.depth = clip.z / clip.w;
    return out;
}
#endif
