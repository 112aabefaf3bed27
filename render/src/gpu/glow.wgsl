// See `glow.rs`. Balls are 3 each: center and radius, radiance and power, how far it goes. Clusters are 2 each: center and
// radius; power, count and place.

fn ball(number: u32, row: u32) -> vec4<f32> {
    return looks[params.places.y + number * 3u + row];
}

fn ball_center(number: u32) -> vec3<f32> {
    return ball(number, 0u).xyz + ball(number, 2u).xyz * moment;
}

fn cluster(number: u32, row: u32) -> vec4<f32> {
    return looks[params.motion.x + number * 2u + row];
}

// How many balls a leaf has, 0 where it is halved; and where they, or the second half, are.
fn cluster_link(number: u32) -> vec2<u32> {
    return bitcast<vec2<u32>>(cluster(number, 1u).yz);
}

fn ball_worth(number: u32, receiver: Receiver) -> f32 {
    let radius = ball(number, 0u).w;
    let toward = ball_center(number) - receiver.position;
    let distance2 = square(toward);
    if distance2 <= radius * radius * 1.00001 {
        return 0.0;
    }
    let top = top_of(receiver, toward, radius);
    if top <= 0.0 {
        return 0.0;
    }
    return ball(number, 1u).w * min(top / sqrt(distance2), 1.0) / distance2;
}

fn cluster_worth(number: u32, receiver: Receiver) -> f32 {
    let link = cluster_link(number);
    if link.x > 0u {
        var sum = 0.0;
        for (var i = 0u; i < link.x; i++) {
            sum += ball_worth(link.y + i, receiver);
        }
        return sum;
    }
    let around = cluster(number, 0u);
    let toward = around.xyz - receiver.position;
    let top = top_of(receiver, toward, around.w);
    if top <= 0.0 {
        return 0.0;
    }
    let near = max(square(toward), around.w * around.w);
    return cluster(number, 1u).x * min(top / sqrt(near), 1.0) / near;
}

fn glows_worth(receiver: Receiver) -> f32 {
    if params.counts.y == 0u {
        return 0.0;
    }
    return cluster_worth(0u, receiver);
}

// The chance of going to the first half of a cluster.
fn first_half(number: u32, second: u32, receiver: Receiver) -> f32 {
    let first = cluster_worth(number + 1u, receiver);
    let total = first + cluster_worth(second, receiver);
    return select(0.5, first / total, total > 0.0);
}

fn sample_glows(receiver: Receiver, choice: f32, v: vec2<f32>, share: f32) -> LightSample {
    var at = 0u;
    var u = choice;
    var chosen = share;
    var link = cluster_link(at);
    while link.x == 0u {
        let chance = first_half(at, link.y, receiver);
        if u < chance {
            at += 1u;
            u /= chance;
            chosen *= chance;
        } else {
            at = link.y;
            u = (u - chance) / (1.0 - chance);
            chosen *= 1.0 - chance;
        }
        link = cluster_link(at);
    }
    let total = cluster_worth(at, receiver);
    var left = u * total;
    var drawn = NONE;
    var own = 0.0;
    for (var i = 0u; i < link.x; i++) {
        let worth = ball_worth(link.y + i, receiver);
        if worth > 0.0 {
            drawn = link.y + i;
            own = worth;
            left -= worth;
            if left < 0.0 {
                break;
            }
        }
    }
    if drawn == NONE {
        return no_light();
    }
    return sample_ball(drawn, receiver, v, chosen * (own / total));
}

fn glow_density(receiver: Receiver, number: u32) -> f32 {
    let own = ball_worth(number, receiver);
    if own <= 0.0 {
        return 0.0;
    }
    var chance = 1.0;
    var at = 0u;
    var link = cluster_link(at);
    while link.x == 0u {
        let first = first_half(at, link.y, receiver);
        var leaf = link.y;
        while cluster_link(leaf).x == 0u {
            leaf += 1u;
        }
        if number < cluster_link(leaf).y {
            at += 1u;
            chance *= first;
        } else {
            at = link.y;
            chance *= 1.0 - first;
        }
        link = cluster_link(at);
    }
    return chance * own / cluster_worth(at, receiver) / (TAU * sagitta_of(number, receiver));
}

// 1 − cos of the angle from a ball's middle to its rim.
fn sagitta_of(number: u32, receiver: Receiver) -> f32 {
    let radius = ball(number, 0u).w;
    let sin2 = min(radius * radius / square(ball_center(number) - receiver.position), 1.0);
    return max(sin2 / (1.0 + sqrt(1.0 - sin2)), 1e-12);
}

fn sample_ball(number: u32, receiver: Receiver, u: vec2<f32>, chosen: f32) -> LightSample {
    let center = ball_center(number);
    let sagitta = sagitta_of(number, receiver);
    var distance = length(center - receiver.position);
    let below = u.x * sagitta;
    let r = sqrt(below * (2.0 - below));
    let phi = u.y * TAU;
    let toward = (center - receiver.position) * (1.0 / distance);
    let direction = normalize(to_world(basis_around(toward), vec3(r * cos(phi), r * sin(phi), 1.0 - below)));
    let ends = sphere(Ray(receiver.position, direction), center, ball(number, 0u).w);
    if ends.z != 0.0 {
        distance = ends.x;
    }
    if distance <= 0.0 {
        return no_light();
    }
    return LightSample(direction, distance, ball(number, 1u).xyz, chosen / (TAU * sagitta));
}
