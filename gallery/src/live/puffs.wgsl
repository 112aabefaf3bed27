// Clouds of light and dust around particles: what `seedstorm_render::haze` lays over a picture, but for the order of their
// depth, which thin clouds do without, and for what the lens makes of them.

#import bevy_pbr::{
    mesh_view_bindings::view,
    view_transformations::{position_world_to_clip, position_world_to_view},
}
#import seedstorm::places::{Vertex, around_circle, place_of}

struct Puff {
    radiance: vec3<f32>,
    radius: f32,
    depth: vec3<f32>,
    around: u32,
}

@group(#{MATERIAL_BIND_GROUP}) @binding(2) var<storage, read> puffs: array<Puff>;

// How far a cloud reaches, in standard deviations; the least of which, in pixels.
const REACH = 3.5;
const LEAST_SIGMA = 0.55;
// What radiance is multiplied by, so that the exposure shows 1 as white: `look::WHITE`.
const WHITE = 1.2;

struct Seen {
    @builtin(position) position: vec4<f32>,
    // From the middle, in standard deviations.
    @location(0) across: vec2<f32>,
    @location(1) @interpolate(flat) depth: vec3<f32>,
    @location(2) @interpolate(flat) radiance: vec3<f32>,
}

@vertex
fn vertex(in: Vertex) -> Seen {
    var out: Seen;
    let puff = puffs[in.corner / 3u];
    let center = place_of(puff.around);
    let distance = -position_world_to_view(center).z;
    // Pixels of a world unit there.
    let scale = 0.5 * view.viewport.w * view.clip_from_view[1][1] / distance;
    let own = puff.radius * scale;
    let sigma = sqrt(own * own + LEAST_SIGMA * LEAST_SIGMA);
    let corner = around_circle(in.corner) * REACH;
    let right = view.world_from_view[0].xyz;
    let up = view.world_from_view[1].xyz;
    out.across = corner;
    out.depth = puff.depth * own * own / (sigma * sigma);
    out.radiance = puff.radiance * WHITE * view.exposure;
    out.position = position_world_to_clip(center + (right * corner.x + up * corner.y) * (sigma / scale));
    if distance <= puff.radius {
        // The lens is inside of it: it lies outside of what is seen.
        out.position = vec4(2.0, 2.0, 0.0, 1.0);
    }
    return out;
}

@fragment
fn fragment(in: Seen) -> @location(0) vec4<f32> {
    let square = dot(in.across, in.across);
    if square > REACH * REACH {
        discard;
    }
    let kept = exp(-in.depth * exp(-0.5 * square));
    return vec4((1.0 - kept) * in.radiance, 1.0 - (kept.r + kept.g + kept.b) / 3.0);
}
