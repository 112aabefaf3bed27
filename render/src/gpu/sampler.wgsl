// See `sampler.rs`.

fn scramble_low_first(value: u32, seed: u32) -> u32 {
    var x = value;
    x ^= x * 0x3d20adeau;
    x += seed;
    x *= (seed >> 16u) | 1u;
    x ^= x * 0x05526c56u;
    return x ^ (x * 0x53a22864u);
}

fn hash(value: u32) -> u32 {
    var x = value;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn sobol_second_reversed(index: u32) -> u32 {
    var x = index;
    x ^= (x >> 1u) & 0x55555555u;
    x ^= (x >> 2u) & 0x33333333u;
    x ^= (x >> 4u) & 0x0f0f0f0fu;
    x ^= (x >> 8u) & 0x00ff00ffu;
    return x ^ ((x >> 16u) & 0x0000ffffu);
}

fn unit(bits: u32) -> f32 {
    return f32(bits >> 8u) * (1.0 / 16777216.0);
}

struct Sampler {
    index_reversed: u32,
    pixel: u32,
}

fn sampler_of(x: u32, y: u32, index: u32, seed: u32, frame: u32) -> Sampler {
    let place = hash(x ^ hash(y ^ hash(seed ^ 0x5eed5707u)));
    return Sampler(reverseBits(index), select(place, hash(place ^ frame), place % 8u < 3u));
}

fn pair(sampler_: Sampler, number: u32) -> vec2<f32> {
    let seed = hash(sampler_.pixel ^ (number * 0x9e3779b9u));
    let index = reverseBits(scramble_low_first(sampler_.index_reversed, seed));
    let first = scramble_low_first(index, hash(seed ^ 0x68bc21ebu));
    let second = scramble_low_first(sobol_second_reversed(index), hash(seed ^ 0x02e5be93u));
    return vec2(unit(reverseBits(first)), unit(reverseBits(second)));
}
