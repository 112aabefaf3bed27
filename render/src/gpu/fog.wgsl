// See `fog.rs`.

fn has_fog() -> bool {
    return params.fog_low.w > 0.0;
}

fn within_fog(ray: Ray, limit: f32) -> vec2<f32> {
    let inverse = inverse_of(ray.direction);
    let a = (params.fog_low.xyz - ray.origin) * inverse;
    let b = (params.fog_high.xyz - ray.origin) * inverse;
    let near = min(a, b);
    let far = max(a, b);
    return vec2(max(0.0, largest(near)), min(limit, min(min(far.x, far.y), far.z)));
}

fn fog_through(ray: Ray, limit: f32) -> f32 {
    if !has_fog() {
        return 1.0;
    }
    let ends = within_fog(ray, limit);
    return select(1.0, exp(-params.fog_low.w * (ends.y - ends.x)), ends.x < ends.y);
}

// How far away the ray meets a droplet; −1 where it does not before `limit`.
fn meets_fog(ray: Ray, limit: f32, u: f32) -> f32 {
    let ends = within_fog(ray, limit);
    let t = ends.x - log(1.0 - u) / params.fog_low.w;
    return select(-1.0, t, t < ends.y);
}

fn phase(direction: vec3<f32>, other: vec3<f32>) -> f32 {
    let g = params.fog_high.w;
    let spread = 1.0 + g * g - 2.0 * g * dot(direction, other);
    return (1.0 - g * g) / (4.0 * PI * spread * sqrt(spread));
}

fn turn_in_fog(direction: vec3<f32>, u: vec2<f32>) -> vec3<f32> {
    let g = params.fog_high.w;
    var cosine = 1.0 - 2.0 * u.x;
    if abs(g) >= 1e-3 {
        let part = (1.0 - g * g) / (1.0 + g - 2.0 * g * u.x);
        cosine = clamp((1.0 + g * g - part * part) / (2.0 * g), -1.0, 1.0);
    }
    let sine = sqrt(max(1.0 - cosine * cosine, 0.0));
    let phi = u.y * TAU;
    return normalize(to_world(basis_around(direction), vec3(sine * cos(phi), sine * sin(phi), cosine)));
}
