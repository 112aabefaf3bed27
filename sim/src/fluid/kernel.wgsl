// The liquid of fluid/mod.rs, which is its specification. `mul30`, `mul24` and `mul_shift` come from product_*.wgsl.

const ONE: i32 = 16777216;
const ONE30: i32 = 1073741824;
const MAX_SPEED: i32 = ONE / 10 * 9;
const MAX_RATE: i32 = ONE / 2;
const MAX_PRESSURE: i32 = ONE / 20 * 3;

struct Liquid {
    cells: i32,
    particles: u32,
    stiffness: i32,
    cohesion: i32,
    viscosity: i32,
    wall_friction: i32,
    inverse_density: i32,
}

struct Force {
    uniform_part: array<i32, 3>,
    linear_part: array<i32, 9>,
    drag: i32,
}

@group(0) @binding(0) var<storage, read> liquid: Liquid;
@group(0) @binding(1) var<storage, read_write> particles: array<array<i32, 16>>;
@group(0) @binding(2) var<storage, read_write> sums: array<atomic<i32>>;
@group(0) @binding(3) var<storage, read> wall: array<vec4<i32>>;
@group(0) @binding(4) var<storage, read> forces: array<Force>;
// [0]: this step's index into `forces`; [1]: the largest mass of a node so far.
@group(0) @binding(5) var<storage, read_write> status: array<atomic<u32>, 2>;

// a / b in Q24 for b > 0: long division, rounded to nearest, ties away from zero.
fn div24(a: i32, b: i32) -> i32 {
    let divisor = u32(b);
    let magnitude = u32(abs(a));
    var quotient = magnitude / divisor;
    var rest = magnitude % divisor;
    for (var bit = 0; bit < 24; bit++) {
        rest = rest << 1u;
        quotient = quotient << 1u;
        if (rest >= divisor) {
            rest -= divisor;
            quotient += 1u;
        }
    }
    if (rest * 2u >= divisor) {
        quotient += 1u;
    }
    return select(i32(quotient), -i32(quotient), a < 0);
}

fn weights(offset: i32) -> vec3<i32> {
    let f = offset << 6u;
    let low = ONE30 / 2 - f;
    let high = ONE30 / 2 + f;
    let first = mul30(low, low) >> 1u;
    let last = mul30(high, high) >> 1u;
    return vec3<i32>(first, ONE30 - first - last, last);
}

fn scale30(a: vec3<i32>, b: i32) -> vec3<i32> {
    return vec3<i32>(mul30(a.x, b), mul30(a.y, b), mul30(a.z, b));
}

fn scale24(a: vec3<i32>, b: i32) -> vec3<i32> {
    return vec3<i32>(mul24(a.x, b), mul24(a.y, b), mul24(a.z, b));
}

fn pressure(density: i32) -> i32 {
    let r = clamp(density, 0, 2 * ONE);
    let squared = mul24(r, r);
    let sixth = mul24(mul24(squared, squared), squared);
    return clamp(mul24(liquid.stiffness, sixth - ONE), -liquid.cohesion, MAX_PRESSURE);
}

@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) id: vec3<u32>) {
    let node = id.x;
    if (node >= arrayLength(&wall)) {
        return;
    }
    for (var lane = 0u; lane < 4u; lane++) {
        atomicStore(&sums[node * 4u + lane], 0);
    }
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= liquid.particles) {
        return;
    }
    let p = &particles[index];
    let x = vec3<i32>((*p)[0], (*p)[1], (*p)[2]);
    let base = (x >> vec3<u32>(24u)) - 1;
    let offset = (x & vec3<i32>(ONE - 1)) - ONE / 2;
    let wx = weights(offset.x);
    let wy = weights(offset.y);
    let wz = weights(offset.z);

    // Columns of the affine matrix.
    let bulk = 4 * pressure((*p)[15]);
    var a: array<vec3<i32>, 3>;
    for (var column = 0; column < 3; column++) {
        for (var row = 0; row < 3; row++) {
            let shear = (*p)[6 + row * 3 + column] + (*p)[6 + column * 3 + row];
            a[column][row] = (*p)[6 + row * 3 + column] - 4 * mul24(liquid.viscosity, shear);
        }
        a[column][column] += bulk;
    }
    var corner = vec3<i32>((*p)[3], (*p)[4], (*p)[5])
        + scale24(a[0], -ONE - offset.x) + scale24(a[1], -ONE - offset.y) + scale24(a[2], -ONE - offset.z);

    for (var i = 0; i < 3; i++) {
        var row_q = corner;
        for (var j = 0; j < 3; j++) {
            let wij = mul30(wx[i], wy[j]);
            var q = row_q;
            for (var k = 0; k < 3; k++) {
                let weight = mul30(wij, wz[k]) >> 1u;
                let node = u32(((base.x + i) * liquid.cells + base.y + j) * liquid.cells + base.z + k) * 4u;
                let momentum = scale30(q, weight);
                atomicAdd(&sums[node], mul30(ONE, weight));
                atomicAdd(&sums[node + 1u], momentum.x);
                atomicAdd(&sums[node + 2u], momentum.y);
                atomicAdd(&sums[node + 3u], momentum.z);
                q += a[2];
            }
            row_q += a[1];
        }
        corner += a[0];
    }
}

@compute @workgroup_size(64)
fn update_grid(@builtin(global_invocation_id) id: vec3<u32>) {
    let node = id.x;
    if (node >= arrayLength(&wall)) {
        return;
    }
    let mass = atomicLoad(&sums[node * 4u]);
    // A sum that wrapped is negative, and so the largest of all as an unsigned number.
    atomicMax(&status[1], u32(mass));
    atomicStore(&sums[node * 4u], mass + wall[node].w);
    if (mass <= 0) {
        return;
    }
    let cells = u32(liquid.cells);
    let cell = vec3<i32>(vec3<u32>(node / (cells * cells), node / cells % cells, node % cells));
    let place = cell * ONE + ONE / 2 - liquid.cells * ONE / 2;
    let force = atomicLoad(&status[0]);
    var u: vec3<i32>;
    for (var axis = 0u; axis < 3u; axis++) {
        let velocity = div24(atomicLoad(&sums[node * 4u + 1u + axis]), mass);
        u[axis] = clamp(velocity, -MAX_SPEED, MAX_SPEED) + forces[force].uniform_part[axis];
        for (var column = 0u; column < 3u; column++) {
            u[axis] += mul30(place[column], forces[force].linear_part[axis * 3u + column]);
        }
    }
    u -= scale24(u, forces[force].drag);
    let normal = wall[node].xyz;
    let outward = mul30(u.x, normal.x) + mul30(u.y, normal.y) + mul30(u.z, normal.z);
    if (outward > 0) {
        u -= scale30(normal, outward);
        u -= scale24(u, liquid.wall_friction);
    }
    u = clamp(u, vec3<i32>(-MAX_SPEED), vec3<i32>(MAX_SPEED));
    for (var axis = 0u; axis < 3u; axis++) {
        atomicStore(&sums[node * 4u + 1u + axis], u[axis]);
    }
}

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= liquid.particles) {
        return;
    }
    let p = &particles[index];
    let x = vec3<i32>((*p)[0], (*p)[1], (*p)[2]);
    let base = (x >> vec3<u32>(24u)) - 1;
    let offset = (x & vec3<i32>(ONE - 1)) - ONE / 2;
    let wx = weights(offset.x);
    let wy = weights(offset.y);
    let wz = weights(offset.z);
    var v = vec3<i32>(0);
    var mass = 0;
    // Moments about the middle node, by axis of the node's place.
    var moment: array<vec3<i32>, 3>;
    for (var i = 0; i < 3; i++) {
        for (var j = 0; j < 3; j++) {
            let wij = mul30(wx[i], wy[j]);
            for (var k = 0; k < 3; k++) {
                let weight = mul30(wij, wz[k]);
                let node = u32(((base.x + i) * liquid.cells + base.y + j) * liquid.cells + base.z + k) * 4u;
                let u = scale30(
                    vec3<i32>(atomicLoad(&sums[node + 1u]), atomicLoad(&sums[node + 2u]), atomicLoad(&sums[node + 3u])),
                    weight,
                );
                mass += mul30(atomicLoad(&sums[node]), weight);
                v += u;
                moment[0] += u * (i - 1);
                moment[1] += u * (j - 1);
                moment[2] += u * (k - 1);
            }
        }
    }
    var divergence = 0;
    for (var row = 0; row < 3; row++) {
        for (var column = 0; column < 3; column++) {
            let rate = 4 * (moment[column][row] - mul24(v[row], offset[column]));
            (*p)[6 + row * 3 + column] = clamp(rate, -MAX_RATE, MAX_RATE);
        }
        divergence += (*p)[6 + row * 4];
        (*p)[3 + row] = v[row];
        (*p)[row] = clamp(x[row] + v[row], 2 * ONE, (liquid.cells - 2) * ONE - 1);
    }
    let density = mul24(mass, liquid.inverse_density);
    (*p)[15] = clamp(density - mul24(density, divergence), 0, 2 * ONE);
}

// Moves on to the next step's force.
@compute @workgroup_size(1)
fn advance() {
    atomicAdd(&status[0], 1u);
}
