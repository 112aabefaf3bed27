// See `light.rs`. Rectangles are 7 each: center and area, u and power, v and whether the camera sees it, the duals of
// both, the normal, the radiance.

struct Receiver {
    position: vec3<f32>,
    normal: vec3<f32>,
    // `FRONT`, `BOTH` or `ALL`
    side: u32,
}

const FRONT: u32 = 0u;
const BOTH: u32 = 1u;
const ALL: u32 = 2u;

fn top_of(receiver: Receiver, toward: vec3<f32>, reach: f32) -> f32 {
    if receiver.side == ALL {
        return length(toward) + reach;
    }
    let along = dot(toward, receiver.normal);
    return select(along, abs(along), receiver.side == BOTH) + reach;
}

// ---- A map of directions; see `environment.rs`.

fn has_map() -> bool {
    return params.map.x > 0u;
}

fn map_texel(x: i32, y: i32) -> vec4<f32> {
    let size = vec2<i32>(params.map.xy);
    let column = (x + size.x) % size.x;
    return looks[params.tables.z + u32(min(y, size.y - 1) * size.x + column)];
}

fn map_direction(x: f32, y: f32) -> vec3<f32> {
    let azimuth = (x / f32(params.map.x) * 2.0 - 1.0) * PI;
    let polar = y / f32(params.map.y) * PI;
    return vec3(sin(polar) * cos(azimuth), cos(polar), sin(polar) * sin(azimuth));
}

fn map_place(direction: vec3<f32>) -> vec2<f32> {
    let azimuth = atan2(direction.z, direction.x) * INV_PI;
    let polar = acos(clamp(direction.y, -1.0, 1.0)) * INV_PI;
    return vec2((azimuth + 1.0) * 0.5 * f32(params.map.x), polar * f32(params.map.y));
}

fn map_radiance(direction: vec3<f32>) -> vec3<f32> {
    let place = map_place(direction);
    let x = place.x - 0.5;
    let y = max(place.y - 0.5, 0.0);
    let left = i32(floor(x));
    let top = i32(floor(y));
    let upper = mix(map_texel(left, top).xyz, map_texel(left + 1, top).xyz, x - floor(x));
    let lower = mix(map_texel(left, top + 1).xyz, map_texel(left + 1, top + 1).xyz, x - floor(x));
    return mix(upper, lower, y - floor(y));
}

// Share of all light that the rows before this one have.
fn rows_before(y: u32) -> f32 {
    if y == 0u {
        return 0.0;
    }
    return number(params.tables.w, y - 1u);
}

// Share of its row's light that the texels before this one have.
fn texels_before(x: u32, y: u32) -> f32 {
    if x == 0u {
        return 0.0;
    }
    return looks[params.tables.z + y * params.map.x + x - 1u].w;
}

fn map_sample(u: vec2<f32>) -> vec3<f32> {
    var low = 0u;
    var high = params.map.y;
    while low < high {
        let middle = (low + high) / 2u;
        if number(params.tables.w, middle) <= u.x {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    let y = min(low, params.map.y - 1u);
    low = 0u;
    high = params.map.x;
    while low < high {
        let middle = (low + high) / 2u;
        if looks[params.tables.z + y * params.map.x + middle].w <= u.y {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    let x = min(low, params.map.x - 1u);
    let above = rows_before(y);
    let left = texels_before(x, y);
    let down = clamp((u.x - above) / max(rows_before(y + 1u) - above, 1e-12), 0.0, 1.0);
    let along = clamp((u.y - left) / max(texels_before(x + 1u, y) - left, 1e-12), 0.0, 1.0);
    return map_direction(f32(x) + along, f32(y) + down);
}

fn map_density(direction: vec3<f32>) -> f32 {
    let place = map_place(direction);
    let x = min(u32(place.x), params.map.x - 1u);
    let y = min(u32(place.y), params.map.y - 1u);
    let sine = sqrt(max(1.0 - direction.y * direction.y, 1e-8));
    let share = (rows_before(y + 1u) - rows_before(y)) * (texels_before(x + 1u, y) - texels_before(x, y));
    return share * f32(params.map.x * params.map.y) / (2.0 * PI * PI * sine);
}

fn sky(direction: vec3<f32>) -> vec3<f32> {
    if has_map() {
        return map_radiance(direction);
    }
    let y = min(abs(direction.y), 1.0);
    let pole = select(params.zenith.xyz, params.nadir.xyz, direction.y < 0.0);
    return mix(params.horizon.xyz, pole, y * y * (3.0 - 2.0 * y));
}

fn map_worth(receiver: Receiver) -> f32 {
    if !has_map() {
        return 0.0;
    }
    let mean = params.map_light.w;
    if receiver.side == ALL {
        return 4.0 * PI * mean;
    }
    return PI * max(mean + 2.0 * dot(params.map_light.xyz, receiver.normal), 0.1 * mean);
}

fn rectangle(light: u32, row: u32) -> vec4<f32> {
    return looks[params.places.x + light * 7u + row];
}

fn rectangle_worth(light: u32, receiver: Receiver) -> f32 {
    let center = rectangle(light, 0u);
    let u = rectangle(light, 1u);
    let to_light = center.xyz - receiver.position;
    let height = -dot(to_light, rectangle(light, 5u).xyz);
    if height <= 0.0 {
        return 0.0;
    }
    let reach = abs(dot(u.xyz, receiver.normal)) + abs(dot(rectangle(light, 2u).xyz, receiver.normal));
    let top = top_of(receiver, to_light, reach);
    if top <= 0.0 {
        return 0.0;
    }
    let distance2 = square(to_light);
    let distance = sqrt(distance2);
    return u.w * min(height / distance, 1.0) * min(top / distance, 1.0) / (distance2 + 0.25 * center.w);
}

// A sun of no power is none.
fn sun_worth(receiver: Receiver) -> f32 {
    if params.sun_radiance.w <= 0.0 {
        return 0.0;
    }
    let top = top_of(receiver, params.sun.xyz, sqrt(2.0 * params.sun.w));
    return params.sun_radiance.w * clamp(top, 0.0, 1.0);
}

fn sample_sun(u: vec2<f32>, chosen: f32) -> LightSample {
    let below = u.x * params.sun.w;
    let r = sqrt(below * (2.0 - below));
    let phi = u.y * TAU;
    let direction = normalize(to_world(basis_around(params.sun.xyz), vec3(r * cos(phi), r * sin(phi), 1.0 - below)));
    return LightSample(direction, ENDLESS, params.sun_radiance.xyz, chosen / (TAU * params.sun.w));
}

fn meets_sun(direction: vec3<f32>) -> bool {
    return params.sun_radiance.w > 0.0 && square(direction - params.sun.xyz) <= 2.0 * params.sun.w;
}

fn sun_density(receiver: Receiver) -> f32 {
    let total = total_worth(receiver);
    if total <= 0.0 {
        return 0.0;
    }
    return sun_worth(receiver) / total / (TAU * params.sun.w);
}

fn total_worth(receiver: Receiver) -> f32 {
    var total = map_worth(receiver);
    for (var light = 0u; light < params.counts.x; light++) {
        total += rectangle_worth(light, receiver);
    }
    return total + glows_worth(receiver) + sun_worth(receiver);
}

struct LightSample {
    direction: vec3<f32>,
    distance: f32,
    radiance: vec3<f32>,
    // 0 where no light reaches
    density: f32,
}

fn no_light() -> LightSample {
    return LightSample(vec3(0.0), 0.0, vec3(0.0), 0.0);
}

fn sample_light(receiver: Receiver, choice: f32, u: vec2<f32>) -> LightSample {
    let from_map = map_worth(receiver);
    let total = total_worth(receiver);
    if total <= 0.0 {
        return no_light();
    }
    var left = choice * total - from_map;
    if left < 0.0 {
        return sample_map(u, from_map / total);
    }
    var chosen = NONE;
    var share = 0.0;
    for (var light = 0u; light < params.counts.x; light++) {
        let worth = rectangle_worth(light, receiver);
        if worth > 0.0 {
            chosen = light;
            share = worth / total;
            left -= worth;
            if left < 0.0 {
                return sample_rectangle(light, receiver, u, share);
            }
        }
    }
    let glows = glows_worth(receiver);
    if glows > 0.0 && left < glows {
        return sample_glows(receiver, left / glows, u, glows / total);
    }
    let from_sun = sun_worth(receiver);
    if from_sun > 0.0 {
        return sample_sun(u, from_sun / total);
    }
    if glows > 0.0 {
        return sample_glows(receiver, 0.999999, u, glows / total);
    }
    if chosen != NONE {
        return sample_rectangle(chosen, receiver, u, share);
    }
    return sample_map(u, from_map / total);
}

fn sample_map(u: vec2<f32>, chosen: f32) -> LightSample {
    let direction = map_sample(u);
    return LightSample(direction, ENDLESS, sky(direction), map_density(direction) * chosen);
}

fn sample_rectangle(light: u32, receiver: Receiver, u: vec2<f32>, chosen: f32) -> LightSample {
    let center = rectangle(light, 0u);
    let place = center.xyz + rectangle(light, 1u).xyz * (2.0 * u.x - 1.0) + rectangle(light, 2u).xyz * (2.0 * u.y - 1.0);
    let to_light = place - receiver.position;
    let distance2 = square(to_light);
    let distance = sqrt(distance2);
    let direction = to_light * (1.0 / distance);
    let cosine = -dot(direction, rectangle(light, 5u).xyz);
    if cosine <= 1e-6 || distance2 <= 0.0 {
        return no_light();
    }
    return LightSample(direction, distance, rectangle(light, 6u).xyz, distance2 / (cosine * center.w) * chosen);
}

fn sky_density(receiver: Receiver, direction: vec3<f32>) -> f32 {
    let worth = map_worth(receiver);
    if worth <= 0.0 {
        return 0.0;
    }
    return map_density(direction) * (worth / total_worth(receiver));
}

fn rectangle_density(light: u32, receiver: Receiver, direction: vec3<f32>) -> f32 {
    let total = total_worth(receiver);
    let own = rectangle_worth(light, receiver);
    let center = rectangle(light, 0u);
    let normal = rectangle(light, 5u).xyz;
    let cosine = -dot(direction, normal);
    if own <= 0.0 || cosine <= 1e-6 {
        return 0.0;
    }
    let distance = dot(center.xyz - receiver.position, normal) / -cosine;
    return distance * distance / (cosine * center.w) * (own / total);
}

fn ball_density(number: u32, receiver: Receiver) -> f32 {
    let own = glows_worth(receiver);
    if own <= 0.0 {
        return 0.0;
    }
    return own / total_worth(receiver) * glow_density(receiver, number);
}

// The distance at which the ray meets a rectangle's front before `limit`; −1 where it does not.
fn meets_rectangle(light: u32, ray: Ray, limit: f32) -> f32 {
    let normal = rectangle(light, 5u).xyz;
    let slope = dot(ray.direction, normal);
    if slope >= -1e-6 {
        return -1.0;
    }
    let center = rectangle(light, 0u).xyz;
    let t = dot(center - ray.origin, normal) / slope;
    if !(t > 0.0 && t < limit) {
        return -1.0;
    }
    let p = ray.origin + ray.direction * t - center;
    let within = abs(dot(p, rectangle(light, 3u).xyz)) <= 1.0 && abs(dot(p, rectangle(light, 4u).xyz)) <= 1.0;
    return select(-1.0, t, within);
}

// The nearest rectangle that the ray meets before `limit`; `NONE` where it meets none.
fn nearest_rectangle(ray: Ray, limit: f32, from_camera: bool) -> u32 {
    var nearest = NONE;
    var reach = limit;
    for (var light = 0u; light < params.counts.x; light++) {
        if from_camera && rectangle(light, 2u).w == 0.0 {
            continue;
        }
        let t = meets_rectangle(light, ray, reach);
        if t > 0.0 {
            reach = t;
            nearest = light;
        }
    }
    return nearest;
}

fn occluded_by_lights(ray: Ray, limit: f32) -> bool {
    for (var light = 0u; light < params.counts.x; light++) {
        if meets_rectangle(light, ray, limit) > 0.0 {
            return true;
        }
    }
    return false;
}
