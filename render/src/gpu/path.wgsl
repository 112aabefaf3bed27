// See `path.rs` and `frame.rs`.

const PAIR_FILTER: u32 = 0u;
const PAIR_LENS: u32 = 1u;
const PAIRS_OF_CAMERA: u32 = 2u;
const PAIRS_OF_BOUNCE: u32 = 4u;
const PAIR_TIME: u32 = 32768u;
const PAIRS_OF_FOG: u32 = PAIR_TIME + 1u;
const PAIR_SPECTRUM: u32 = 65536u;
const PAIRS_OF_EXITS: u32 = PAIR_SPECTRUM + 1u;

fn power_heuristic(own: f32, other: f32) -> f32 {
    let own2 = own * own;
    return own2 / (own2 + other * other);
}

fn share_of(density: f32, by_light: f32) -> f32 {
    if density > 0.0 {
        return power_heuristic(density, by_light);
    }
    return 1.0;
}

fn clamped(contribution: vec3<f32>, indirect: bool) -> vec3<f32> {
    let brightness = luminance(contribution);
    if indirect && brightness > params.limits.y {
        return contribution * (params.limits.y / brightness);
    }
    return contribution;
}

struct PathSample {
    radiance: vec3<f32>,
    albedo: vec3<f32>,
    normal: vec3<f32>,
    // −1 where the path met no surface
    depth: f32,
}

fn trace(first: Ray, sequence: Sampler) -> PathSample {
    var found = PathSample(vec3(0.0), vec3(0.0), vec3(0.0), -1.0);
    var ray = first;
    var throughput = vec3(1.0);
    var density = 0.0;
    var receiver = Receiver(ray.origin, ray.direction, FRONT);
    var sees_backdrop = true;
    var softened = false;
    var indirect = false;
    var layers_open = true;
    var layers_factor = vec3(1.0);
    var travelled = 0.0;
    let spectrum = pair(sequence, PAIR_SPECTRUM).x;
    var parted = false;
    var bounce = 0u;
    let most_bounces = params.counts.w;
    for (var event = 0u; event <= most_bounces + MOST_PASSES; event++) {
        let hit = meet(ray, ENDLESS, false);
        let light = nearest_rectangle(ray, hit.t, bounce == 0u);
        var surface: Surface;
        var inside = false;
        if light == NONE && hit.instance != NONE {
            surface = surface_at(ray, hit);
            inside = dot(ray.direction, surface.facet_normal) > 0.0
                && material_of(surface.material).transmission > 0.0;
        }
        if has_fog() && !inside {
            let pairs = PAIRS_OF_FOG + PAIRS_OF_BOUNCE * event;
            let first_pair = pair(sequence, pairs);
            var reach = hit.t;
            if light != NONE {
                reach = meets_rectangle(light, ray, hit.t);
            }
            let t = meets_fog(ray, reach, first_pair.x);
            if t >= 0.0 {
                if layers_open && light == NONE && hit.instance != NONE {
                    let side = select(1.0, -1.0, dot(ray.direction, surface.facet_normal) > 0.0);
                    let facing = Facing(surface.normal * side, surface.facet_normal * side, -ray.direction, inside);
                    let material = material_of(surface.material);
                    let look = bsdf_of(material, surface.tint, facing, Drawn(0.0, 0.0, spectrum));
                    found.albedo = layers_factor * look.albedo;
                    found.normal = surface.normal * side;
                    found.depth = travelled + hit.t;
                }
                layers_open = false;
                if bounce == most_bounces {
                    break;
                }
                travelled += t;
                throughput *= params.fog_albedo.xyz;
                let here = Receiver(ray.origin + ray.direction * t, ray.direction, ALL);
                let lit = sample_light(here, pair(sequence, pairs + 2u).x, pair(sequence, pairs + 3u));
                if lit.density > 0.0 {
                    let value = phase(ray.direction, lit.direction);
                    let visible = visibility(Ray(here.position, lit.direction), lit.distance * (1.0 - 1e-4));
                    let weight = power_heuristic(lit.density, value);
                    let contribution = throughput * visible * lit.radiance * (value * weight / lit.density);
                    found.radiance += clamped(contribution, softened || indirect);
                }
                let turned = turn_in_fog(ray.direction, pair(sequence, pairs + 1u));
                density = phase(ray.direction, turned);
                receiver = here;
                sees_backdrop = false;
                bounce += 1u;
                indirect = softened || bounce > SHARP_SCATTERINGS;
                softened = true;
                throughput = spared(throughput, bounce, first_pair.y);
                if is_zero(throughput) {
                    break;
                }
                ray = Ray(here.position, turned);
                continue;
            }
        }
        if light != NONE {
            var by_light = 0.0;
            if density > 0.0 {
                by_light = rectangle_density(light, receiver, ray.direction);
            }
            let radiance = rectangle(light, 6u).xyz;
            found.radiance += clamped(throughput * radiance * share_of(density, by_light), indirect);
            break;
        }
        if hit.instance == NONE {
            var behind = sky(ray.direction);
            if sees_backdrop && params.forward.w != 0.0 {
                behind = backdrop(ray.direction);
            }
            var by_light = 0.0;
            if density > 0.0 {
                by_light = sky_density(receiver, ray.direction);
            }
            found.radiance += clamped(throughput * behind * share_of(density, by_light), indirect);
            if !(sees_backdrop && params.forward.w != 0.0) && meets_sun(ray.direction) {
                by_light = 0.0;
                if density > 0.0 {
                    by_light = sun_density(receiver);
                }
                let radiance = params.sun_radiance.xyz;
                found.radiance += clamped(throughput * radiance * share_of(density, by_light), indirect);
            }
            break;
        }
        travelled += hit.t;
        let unbent = softened && hit.instance == params.motion.z;
        if unbent {
            surface.material = params.motion.w;
        }
        let material = material_of(surface.material);
        let away = -ray.direction;
        let from_back = dot(away, surface.facet_normal) < 0.0;
        if inside {
            throughput *= absorbed(material, hit.t);
        } else {
            let emission = material.emission + surface.emission;
            if !is_zero(emission) {
                let number_of_ball = word(hit.instance, 5u);
                if density > 0.0 && number_of_ball == 0u {
                    found.radiance += clamped(throughput * emission, softened || indirect);
                } else {
                    var by_light = 0.0;
                    if density > 0.0 {
                        by_light = ball_density(number_of_ball - 1u, receiver);
                    }
                    found.radiance += clamped(throughput * emission * share_of(density, by_light), indirect);
                }
            }
        }
        let side = select(1.0, -1.0, from_back);
        let facing = Facing(surface.normal * side, surface.facet_normal * side, away, inside);
        let pane = unbent || (word(hit.instance, 3u) & 1u) != 0u;
        let drawn = Drawn(
            select(0.0, params.limits.z, softened && !pane), select(0.0, FIRST_REFLECTED, bounce == 0u), spectrum,
        );
        let parts = material.dispersion > 0.0 && !parted;
        let crossing = select(vec3(1.0), spectral(spectrum), parts);
        var b = bsdf_of(material, surface.tint, facing, drawn);
        var surface_normal = facing.facet_normal;
        if layers_open {
            found.albedo = layers_factor * b.albedo;
            found.normal = facing.normal;
            found.depth = travelled;
            layers_open = b.shows_others && event < LAYERS_FOLLOW;
        }
        if bounce == most_bounces {
            break;
        }

        var pairs = PAIRS_OF_CAMERA + PAIRS_OF_BOUNCE * event;
        var here: Receiver;
        var scatter: Scatter;
        var roulette = 0.0;
        loop {
            here = Receiver(origin_toward(surface, surface_normal), b.basis.z, select(FRONT, BOTH, translucent(b)));
            if !b.clear || b.glass < 1.0 || b.coat_strength > 0.0 || !is_zero(b.fuzz) {
                let lit = sample_light(here, pair(sequence, pairs + 2u).x, pair(sequence, pairs + 3u));
                if lit.density > 0.0 {
                    let scattered = evaluate(b, lit.direction);
                    if !is_zero(scattered.xyz) {
                        let weight = power_heuristic(lit.density, scattered.w);
                        let shadow = Ray(origin_toward(surface, lit.direction), lit.direction);
                        let visible = visibility(shadow, lit.distance * (1.0 - 1e-4));
                        let crosses = dot(lit.direction, surface_normal) < 0.0;
                        let value = select(scattered.xyz, scattered.xyz * crossing, crosses);
                        let contribution = throughput * value * lit.radiance * visible * (weight / lit.density);
                        found.radiance += clamped(contribution, softened || indirect);
                    }
                }
            }

            let lobe = pair(sequence, pairs);
            roulette = lobe.y;
            scatter = sample_bsdf(b, lobe.x, pair(sequence, pairs + 1u));
            if !scatter.goes_on {
                break;
            }
            throughput *= scatter.weight;
            if !scatter.enters {
                break;
            }
            let walked = walk(surface, hit.instance, scatter.direction, sequence, event);
            if !walked.leaves {
                scatter.goes_on = false;
                break;
            }
            throughput *= walked.kept;
            surface = walked.exit;
            surface_normal = surface.facet_normal;
            b = bsdf_leaving(surface.normal, surface_normal);
            pairs = PAIRS_OF_EXITS + PAIRS_OF_BOUNCE * event;
        }
        if !scatter.goes_on {
            break;
        }
        if scatter.transmitted {
            throughput *= crossing;
            parted = parted || parts;
        }
        if layers_open {
            layers_factor *= min(scatter.weight, vec3(1.0));
        }
        ray = Ray(origin_toward(surface, scatter.direction), scatter.direction);
        if pane && scatter.straight {
            continue;
        }
        sees_backdrop = sees_backdrop && (scatter.transmitted || inside);
        density = scatter.density;
        receiver = here;
        bounce += 1u;
        indirect = softened || bounce > SHARP_SCATTERINGS;
        softened = softened || !scatter.narrow;
        throughput = spared(throughput, bounce, roulette);
        if is_zero(throughput) {
            break;
        }
    }
    return found;
}

// Nothing where the path ends.
fn spared(throughput: vec3<f32>, bounce: u32, roulette: f32) -> vec3<f32> {
    let most = largest(throughput);
    if most <= 0.0 {
        return vec3(0.0);
    }
    if bounce < ROULETTE_FROM {
        return throughput;
    }
    let survive = min(ROULETTE_KEEPS * most, 1.0);
    return select(vec3(0.0), throughput * (1.0 / survive), roulette < survive);
}

fn effort(normals: vec3<f32>, met: f32, taken: f32, nearest: f32, farthest: f32) -> u32 {
    if met == 0.0 {
        return 1u;
    }
    if met < taken || farthest > FAR_BEHIND * nearest {
        return RIM;
    }
    return select(1u, OUTLINE, length(normals) < ALIKE * met);
}

fn is_finite(v: vec3<f32>) -> bool {
    return abs(v.x) < 3e38 && abs(v.y) < 3e38 && abs(v.z) < 3e38;
}

// Takes up to `block.z` more paths for each of a block's pixels.
@compute @workgroup_size(64)
fn render(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let turn = id.x + id.y * groups.x * 64u;
    if turn >= params.block.y {
        return;
    }
    var at = params.block.x + turn;
    if params.block.w != 0u {
        at = list[at];
    }
    let place = params.part.xy + vec2(at % params.part.z, at / params.part.z);
    var pixel = pixels[at];
    let samples = params.frame.w;
    for (var i = 0u; i < params.block.z; i++) {
        let taken = u32(pixel.normal.w);
        if taken >= select(samples, samples * pixel.effort, pixel.effort != 0u) {
            break;
        }
        let sequence = sampler_of(place.x, place.y, taken, params.frame.z, params.part.w);
        moment = 0.0;
        if params.more.w != 0u {
            moment = pair(sequence, PAIR_TIME).x;
        }
        let path = trace(camera_ray(place, sequence), sequence);
        let light = select(vec3(0.0), path.radiance, is_finite(path.radiance));
        pixel.radiance += vec4(light, 0.0);
        pixel.albedo += vec4(path.albedo, 0.0);
        pixel.normal += vec4(path.normal, 1.0);
        if path.depth >= 0.0 {
            pixel.radiance.w += path.depth;
            pixel.moments.x = select(min(pixel.moments.x, path.depth), path.depth, pixel.albedo.w == 0.0);
            pixel.moments.y = max(pixel.moments.y, path.depth);
            pixel.albedo.w += 1.0;
        }
        let brightness = luminance(light);
        let delta = brightness - pixel.moments.z;
        pixel.moments.z += delta / pixel.normal.w;
        pixel.moments.w += delta * (brightness - pixel.moments.z);
        if taken + 1u == samples && params.limits.w != 0.0 {
            pixel.effort = effort(pixel.normal.xyz, pixel.albedo.w, pixel.normal.w, pixel.moments.x, pixel.moments.y);
        }
    }
    pixels[at] = pixel;
}
