// See `walk.rs`.

const MOST_STEPS: u32 = 128u;
const WALK_ROULETTE_FROM: u32 = 4u;
const PAIR_WALK: u32 = 131072u;
const PAIRS_OF_WALK: u32 = 1024u;

struct Walk {
    exit: Surface,
    kept: vec3<f32>,
    // Whether it leaves the body.
    leaves: bool,
}

fn walk(surface: Surface, body: u32, direction: vec3<f32>, sequence: Sampler, event: u32) -> Walk {
    let material = material_of(surface.material);
    let color = clamp(material.base_color * surface.tint, vec3(0.0), vec3(1.0));
    let albedo = 1.0 - exp(color * (-5.09406 + color * (2.61188 - color * 4.31805)));
    let extinction = 1.0 / max(material.subsurface_radius, vec3(1e-6));
    var found = Walk(surface, vec3(1.0), false);
    var ray = Ray(origin_toward(surface, direction), direction);
    let first = PAIR_WALK + event * PAIRS_OF_WALK;
    for (var step = 0u; step < MOST_STEPS; step++) {
        let drawn = pair(sequence, first + 2u * step);
        let hit = meet(ray, ENDLESS, false);
        if hit.instance == NONE {
            break;
        }
        let shares = found.kept * (1.0 / (found.kept.x + found.kept.y + found.kept.z));
        var rate = extinction.z;
        if drawn.x < shares.x {
            rate = extinction.x;
        } else if drawn.x < shares.x + shares.y {
            rate = extinction.y;
        }
        let reach = -log(1.0 - drawn.y) / rate;
        if reach >= hit.t {
            let through = exp(extinction * -hit.t);
            found.kept = found.kept * through * (1.0 / max(dot(shares, through), 1e-30));
            found.exit = surface_at(ray, hit);
            found.leaves = hit.instance == body && dot(found.exit.facet_normal, ray.direction) > 0.0;
            break;
        }
        let met = extinction * exp(extinction * -reach);
        found.kept = found.kept * albedo * met * (1.0 / max(dot(shares, met), 1e-30));
        let most = largest(found.kept);
        if most <= 0.0 {
            break;
        }
        let u = pair(sequence, first + 2u * step + 1u);
        if step >= WALK_ROULETTE_FROM {
            let survive = min(most, 0.98);
            if pair(sequence, first + 2u * (MOST_STEPS + step)).x >= survive {
                break;
            }
            found.kept = found.kept * (1.0 / survive);
        }
        let z = 1.0 - 2.0 * u.x;
        let r = sqrt(max(1.0 - z * z, 0.0));
        ray = Ray(ray.origin + ray.direction * reach, vec3(r * cos(u.y * TAU), r * sin(u.y * TAU), z));
    }
    return found;
}
