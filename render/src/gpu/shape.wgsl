// See `shape.rs`. Crossings are (enter, leave, 1), or (0, 0, 0) where there are none.

fn finite_inverse(x: f32) -> f32 {
    return select(1.0 / x, copysign(1e18, x), abs(x) < 1e-18);
}

fn sphere(ray: Ray, center: vec3<f32>, radius: f32) -> vec3<f32> {
    let from_center = ray.origin - center;
    let along = -dot(from_center, ray.direction);
    let beside = from_center + ray.direction * along;
    let rest = radius * radius - square(beside);
    if rest < 0.0 {
        return vec3(0.0);
    }
    let half = sqrt(rest);
    let product = square(from_center) - radius * radius;
    if along >= 0.0 {
        let leave = along + half;
        return vec3(select(leave, product / leave, leave > 0.0), leave, 1.0);
    }
    let enter = along - half;
    return vec3(enter, product / enter, 1.0);
}

fn capsule(ray: Ray, center: vec3<f32>, axis: vec3<f32>, half_height: f32, radius: f32) -> vec3<f32> {
    let shift = dot(center - ray.origin, ray.direction);
    let o = ray.origin + ray.direction * shift - center;
    let d = ray.direction;
    let o_along = dot(o, axis);
    let d_along = dot(d, axis);
    let o_across = o - axis * o_along;
    let d_across = d - axis * d_along;
    let a = square(d_across);
    let b = dot(o_across, d_across);
    let c = square(o_across) - radius * radius;
    let along_axis = a < 1e-12;
    var ends = vec2(-1e30, 1e30);
    if along_axis {
        if c > 0.0 {
            return vec3(0.0);
        }
    } else {
        let rest = b * b - a * c;
        if rest < 0.0 {
            return vec3(0.0);
        }
        let root = sqrt(rest);
        ends = vec2((-b - root) / a, (-b + root) / a);
    }
    for (var i = 0; i < 2; i++) {
        var y = o_along + ends[i] * d_along;
        if along_axis {
            y = d_along * ends[i];
        }
        if abs(y) > half_height || along_axis {
            let through = sphere(Ray(o, d), axis * copysign(half_height, y), radius);
            if through.z == 0.0 {
                return vec3(0.0);
            }
            ends[i] = through[i];
        }
    }
    return vec3(ends + shift, 1.0);
}

fn aligned_box(ray: Ray, half: vec3<f32>) -> vec3<f32> {
    var enter = -1e30;
    var leave = 1e30;
    for (var axis = 0; axis < 3; axis++) {
        let inverse = finite_inverse(ray.direction[axis]);
        let a = (-half[axis] - ray.origin[axis]) * inverse;
        let b = (half[axis] - ray.origin[axis]) * inverse;
        enter = max(enter, min(a, b));
        leave = min(leave, max(a, b));
    }
    return select(vec3(0.0), vec3(enter, leave, 1.0), enter <= leave);
}

fn ahead(crossings: vec3<f32>) -> f32 {
    return select(crossings.y, crossings.x, crossings.x > 0.0);
}
