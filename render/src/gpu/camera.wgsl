// See `camera.rs`.

const FILTER_STEPS: u32 = 256u;

fn filter_offset(u: f32) -> f32 {
    let x = u * f32(FILTER_STEPS);
    let i = min(u32(x), FILTER_STEPS - 1u);
    let f = x - f32(i);
    return number(params.places.z, i) * (1.0 - f) + number(params.places.z, i + 1u) * f;
}

fn camera_ray(pixel: vec2<u32>, sequence: Sampler) -> Ray {
    let by_filter = pair(sequence, PAIR_FILTER);
    let size = vec2<f32>(params.frame.xy);
    let x = f32(pixel.x) + 0.5 + filter_offset(by_filter.x);
    let y = f32(pixel.y) + 0.5 + filter_offset(by_filter.y);
    let scale = params.eye.w * 2.0 / size.y;
    let through = params.forward.xyz + params.right.xyz * ((x - size.x * 0.5) * scale)
        + params.up.xyz * ((size.y * 0.5 - y) * scale);
    let lens_radius = params.right.w;
    if lens_radius > 0.0 {
        let by_lens = pair(sequence, PAIR_LENS);
        let r = sqrt(by_lens.x) * lens_radius;
        let angle = by_lens.y * TAU;
        let origin = params.eye.xyz + params.right.xyz * (r * cos(angle)) + params.up.xyz * (r * sin(angle));
        let focus = params.eye.xyz + through * params.up.w;
        return Ray(origin, normalize(focus - origin));
    }
    return Ray(params.eye.xyz, normalize(through));
}

// Only where there is a backdrop.
fn backdrop(direction: vec3<f32>) -> vec3<f32> {
    let along = dot(direction, params.forward.xyz);
    if along <= 1e-4 {
        return params.backdrop_edge.xyz;
    }
    let x = dot(direction, params.right.xyz) / (along * params.eye.w) - params.backdrop_center.w;
    let y = dot(direction, params.up.xyz) / (along * params.eye.w) - params.backdrop_edge.w;
    let r = clamp(sqrt(x * x + y * y) / params.limits.x, 0.0, 1.0);
    return mix(params.backdrop_center.xyz, params.backdrop_edge.xyz, r * r * (3.0 - 2.0 * r));
}
