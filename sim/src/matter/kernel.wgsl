// The kernel of matter/mod.rs, which is its specification. `mul30` and `mul24` come from gpu/product_*.wgsl.

const ONE: i32 = 16777216;
const ONE30: i32 = 1073741824;
const MAX_SPEED: i32 = ONE / 10 * 9;
const MAX_RATE: i32 = ONE / 2;
const MAX_PRESSURE: i32 = ONE / 20 * 3;
const MAX_IN_CELL: i32 = 95;
const MAX_STRESS: i32 = MAX_PRESSURE;
const MIN_STRAIN: i32 = -ONE / 16 * 15;
const MAX_STRAIN: i32 = 3 * ONE;
const MAX_SHEAR: i32 = 2 * ONE;

// Words of a collider in `bodies`, and cells along a block.
const COLLIDER: u32 = 25u;
const BLOCK: u32 = 8u;

struct Material {
    // 0 a liquid's, 1 a jelly's, 2 a plastic's.
    law: i32,
    stiffness: i32,
    cohesion: i32,
    viscosity: i32,
    shear: i32,
    half_bulk: i32,
    yields: i32,
    friction: i32,
    memory: i32,
}

struct Matter {
    cells: i32,
    particles: u32,
    wall_friction: i32,
    inverse_density: i32,
    cell_mass: i32,
    // 0 a ball's, 1 a box's.
    vessel: u32,
    // Whether `inner` says what each particle is.
    kinds: u32,
    bodies: u32,
    // Where particles may be along each axis: from here, to below there.
    range: array<i32, 6>,
    materials: array<Material, 8>,
    planes: array<array<i32, 4>>,
}

struct Force {
    uniform_part: array<i32, 3>,
    linear_part: array<i32, 9>,
    drag: i32,
}

// What a particle has in a world of more than one matter.
struct Inner {
    strain: array<i32, 6>,
    material: u32,
    birth: u32,
}

@group(0) @binding(0) var<storage, read> matter: Matter;
@group(0) @binding(1) var<storage, read_write> particles: array<array<i32, 16>>;
// Four numbers a node; then how many particles are in each cell.
@group(0) @binding(2) var<storage, read_write> sums: array<atomic<i32>>;
@group(0) @binding(3) var<storage, read> wall: array<vec4<i32>>;
@group(0) @binding(4) var<storage, read> forces: array<Force>;
// [0]: this step's index into `forces`; [1]: the largest mass of a node so far; then six sums a body, two words each.
@group(0) @binding(5) var<storage, read_write> status: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> inner: array<Inner>;
// The colliders' words; then where each block's begin in the list that follows, and that list.
@group(0) @binding(7) var<storage, read> bodies: array<i32>;

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

// The 27 nodes around a place.
struct Stencil {
    // The first one's cell, and the place within its own cell minus one half.
    base: vec3<i32>,
    offset: vec3<i32>,
    // Weights by axis.
    wx: vec3<i32>,
    wy: vec3<i32>,
    wz: vec3<i32>,
}

fn stencil(x: vec3<i32>) -> Stencil {
    let offset = (x & vec3<i32>(ONE - 1)) - ONE / 2;
    return Stencil((x >> vec3<u32>(24u)) - 1, offset, weights(offset.x), weights(offset.y), weights(offset.z));
}

fn scale30(a: vec3<i32>, b: i32) -> vec3<i32> {
    return vec3<i32>(mul30(a.x, b), mul30(a.y, b), mul30(a.z, b));
}

fn scale24(a: vec3<i32>, b: i32) -> vec3<i32> {
    return vec3<i32>(mul24(a.x, b), mul24(a.y, b), mul24(a.z, b));
}

fn dot30(a: vec3<i32>, b: vec3<i32>) -> i32 {
    return mul30(a.x, b.x) + mul30(a.y, b.y) + mul30(a.z, b.z);
}

fn dot24(a: vec3<i32>, b: vec3<i32>) -> i32 {
    return mul24(a.x, b.x) + mul24(a.y, b.y) + mul24(a.z, b.z);
}

// √(s · 2²⁴), rounded down, digit by digit.
fn root(s: u32) -> u32 {
    var rest = 0u;
    var found = 0u;
    for (var digit = 0u; digit < 28u; digit++) {
        rest = rest << 2u;
        if (digit < 16u) {
            rest |= (s >> (30u - 2u * digit)) & 3u;
        }
        let trial = (found << 2u) | 1u;
        found = found << 1u;
        if (rest >= trial) {
            rest -= trial;
            found |= 1u;
        }
    }
    return found;
}

// Whether a particle takes no part yet.
fn unborn(index: u32) -> bool {
    return matter.kinds != 0u && inner[index].birth > atomicLoad(&status[0]);
}

fn material_of(index: u32) -> Material {
    if (matter.kinds == 0u) {
        return matter.materials[0];
    }
    return matter.materials[inner[index].material];
}

fn pressure(own: Material, density: i32) -> i32 {
    let r = clamp(density, 0, 2 * ONE);
    let squared = mul24(r, r);
    let sixth = mul24(mul24(squared, squared), squared);
    return clamp(mul24(own.stiffness, sixth - ONE), -own.cohesion, MAX_PRESSURE);
}

fn stress(own: Material, strain: array<i32, 6>) -> array<i32, 6> {
    var volume = 0;
    if (own.law == 1) {
        let xx = strain[0] + ONE;
        let yy = strain[1] + ONE;
        let zz = strain[2] + ONE;
        let xy = strain[3];
        let xz = strain[4];
        let yz = strain[5];
        let first = mul24(yy, zz) - mul24(yz, yz);
        let second = mul24(xy, zz) - mul24(yz, xz);
        let third = mul24(xy, yz) - mul24(yy, xz);
        let determinant = mul24(xx, first) - mul24(xy, second) + mul24(xz, third);
        volume = mul24(own.half_bulk, determinant - ONE);
    }
    var result: array<i32, 6>;
    for (var word = 0; word < 6; word++) {
        let more = select(0, volume, word < 3);
        result[word] = clamp(mul24(own.shear, strain[word]) + more, -MAX_STRESS, MAX_STRESS);
    }
    return result;
}

fn strained(own: Material, strain: array<i32, 6>, c: array<i32, 9>, density: i32) -> array<i32, 6> {
    let b = array<vec3<i32>, 3>(
        vec3<i32>(strain[0] + ONE, strain[3], strain[4]),
        vec3<i32>(strain[3], strain[1] + ONE, strain[5]),
        vec3<i32>(strain[4], strain[5], strain[2] + ONE),
    );
    // Rows of I + C, and of (I + C)·b; b is symmetric, so its rows are its columns.
    var m: array<vec3<i32>, 3>;
    var carried: array<vec3<i32>, 3>;
    for (var row = 0; row < 3; row++) {
        m[row] = vec3<i32>(c[row * 3], c[row * 3 + 1], c[row * 3 + 2]);
        m[row][row] += ONE;
        carried[row] = scale24(b[0], m[row].x) + scale24(b[1], m[row].y) + scale24(b[2], m[row].z);
    }
    var result: array<i32, 6>;
    for (var row = 0; row < 3; row++) {
        result[row] = clamp(dot24(carried[row], m[row]) - ONE, MIN_STRAIN, MAX_STRAIN);
    }
    result[3] = clamp(dot24(carried[0], m[1]), -MAX_SHEAR, MAX_SHEAR);
    result[4] = clamp(dot24(carried[0], m[2]), -MAX_SHEAR, MAX_SHEAR);
    result[5] = clamp(dot24(carried[1], m[2]), -MAX_SHEAR, MAX_SHEAR);
    if (own.law != 2) {
        return result;
    }
    let mean = mul24(result[0] + result[1] + result[2], ONE / 3);
    var squares = 0u;
    for (var word = 0; word < 6; word++) {
        result[word] = clamp(result[word] - select(0, mean, word < 3), -ONE / 2, ONE / 2);
        let square = u32(mul24(result[word] << 3u, result[word] << 3u));
        squares += square * select(2u, 1u, word < 3);
    }
    let norm = i32(root(squares) >> 3u);
    let limit = own.yields + mul24(max(pressure(own, density), 0), own.friction);
    if (norm > limit) {
        let kept = div24(limit, norm);
        for (var word = 0; word < 6; word++) {
            result[word] = mul24(result[word], kept);
        }
    }
    return result;
}

// The share of a node's surroundings that lies within a plane at this distance.
fn spread(distance: i32) -> i32 {
    let a = min(abs(distance), ONE / 2 * 3);
    var beyond: i32;
    if (a < ONE / 2) {
        beyond = ONE / 2 - mul24(a, ONE / 4 * 3) + mul24(mul24(mul24(a, a), a), ONE / 3);
    } else {
        let rest = ONE / 2 * 3 - a;
        beyond = mul24(mul24(mul24(rest, rest), rest), ONE / 6);
    }
    return select(beyond, ONE - beyond, distance < 0);
}

fn vector(at: u32) -> vec3<i32> {
    return vec3<i32>(bodies[at], bodies[at + 1u], bodies[at + 2u]);
}

// How far a surface is felt on either side.
const FELT: i32 = ONE / 2 * 3;

// How far from a surface nodes are held by it.
const HELD: i32 = ONE;

// The body whose words begin at `at`, as a place sees it.
struct Contact {
    at: u32,
    distance: i32,
    // The place relative to the centre, in the grid's frame and in the body's.
    d: vec3<i32>,
    l: vec3<i32>,
}

// A direction of the body's frame.
fn turned(at: u32, n: vec3<i32>) -> vec3<i32> {
    return vec3<i32>(dot30(n, vector(at + 3u)), dot30(n, vector(at + 6u)), dot30(n, vector(at + 9u)));
}

fn normal_of(plane: u32) -> vec3<i32> {
    return vec3<i32>(matter.planes[plane][0], matter.planes[plane][1], matter.planes[plane][2]);
}

// How far a place in a body's frame lies beyond a plane.
fn beyond(plane: u32, l: vec3<i32>) -> i32 {
    return dot30(l, normal_of(plane)) - matter.planes[plane][3];
}

// Where a place in the body's frame is from the nearest one of the segment, and how far.
fn off_segment(at: u32, place: vec3<i32>) -> vec4<i32> {
    let half = bodies[at + 21u];
    let l = vec3<i32>(place.x, place.y - clamp(place.y, -half, half), place.z);
    let squares = u32(mul30(l.x, l.x)) + u32(mul30(l.y, l.y)) + u32(mul30(l.z, l.z));
    return vec4<i32>(l, i32(root(squares) << 3u));
}

// Distance of a place in the body's frame to its surface, negative inside.
fn distance_to(at: u32, l: vec3<i32>) -> i32 {
    let first = u32(bodies[at + 18u]);
    let count = u32(bodies[at + 19u]);
    var farthest = -2147483647 - 1;
    if (count == 0u) {
        farthest = off_segment(at, l).w;
    }
    for (var plane = first; plane < first + count; plane++) {
        farthest = max(farthest, beyond(plane, l));
    }
    return farthest - bodies[at + 20u];
}

// The normal, in the body's frame, at the surface nearest to a place there.
fn normal_at(at: u32, l: vec3<i32>) -> vec3<i32> {
    let first = u32(bodies[at + 18u]);
    let count = u32(bodies[at + 19u]);
    if (count == 0u) {
        let away = off_segment(at, l);
        let normal = vec3<i32>(div24(away.x, away.w), div24(away.y, away.w), div24(away.z, away.w)) << vec3<u32>(6u);
        return select(vec3<i32>(0, ONE30, 0), normal, away.w > 0);
    }
    var nearest = first;
    for (var plane = first + 1u; plane < first + count; plane++) {
        if (beyond(plane, l) > beyond(nearest, l)) {
            nearest = plane;
        }
    }
    return normal_of(nearest);
}

// The nearest body of a place in the cell `cell`; its distance is FELT where none is near.
fn contact(cell: vec3<i32>, place: vec3<i32>) -> Contact {
    let blocks = (u32(matter.cells) + BLOCK - 1u) / BLOCK;
    let block = vec3<u32>(cell) / BLOCK;
    let starts = matter.bodies * COLLIDER;
    let lists = starts + blocks * blocks * blocks + 1u;
    let entry = starts + (block.x * blocks + block.y) * blocks + block.z;
    var nearest: Contact;
    nearest.distance = FELT;
    for (var listed = u32(bodies[entry]); listed < u32(bodies[entry + 1u]); listed++) {
        let at = u32(bodies[lists + listed]) * COLLIDER;
        let d = place - vector(at);
        let reach = bodies[at + 22u] + FELT;
        if (any(d < vec3<i32>(-reach)) || any(d > vec3<i32>(reach))) {
            continue;
        }
        let l = scale30(vector(at + 3u), d.x) + scale30(vector(at + 6u), d.y) + scale30(vector(at + 9u), d.z);
        let distance = distance_to(at, l);
        if (distance < nearest.distance) {
            nearest = Contact(at, distance, d, l);
        }
    }
    return nearest;
}

// Adds to a sum of two words, the low one first.
fn add_wide(at: u32, value: i32) {
    let low = bitcast<u32>(value);
    let old = atomicAdd(&status[at], low);
    let carry = select(0u, 1u, old + low < old);
    atomicAdd(&status[at + 1u], bitcast<u32>(value >> 31u) + carry);
}

// What of a relative velocity does not go inwards past a surface with this normal; w is 1 where any did.
fn held_by(n: vec3<i32>, e: vec4<i32>) -> vec4<i32> {
    let inward = dot30(e.xyz, n);
    if (inward >= 0) {
        return e;
    }
    return vec4<i32>(e.xyz - scale30(n, inward), 1);
}

// Lets the nearest body act on the velocity of a node of mass `mass` at `cell`: xyz is the new velocity, w the mass that
// the body stands for.
fn act(cell: vec3<i32>, mass: i32, velocity: vec3<i32>) -> vec4<i32> {
    let found = contact(cell, cell * ONE + ONE / 2);
    if (found.distance == FELT) {
        return vec4<i32>(velocity, 0);
    }
    let share = mul24(matter.cell_mass, spread(found.distance));
    if (found.distance >= HELD || mass <= 0) {
        return vec4<i32>(velocity, share);
    }
    let at = found.at;
    let d = found.d;
    let spin = vector(at + 15u);
    let swept = vec3<i32>(
        mul24(d.z, spin.y) - mul24(d.y, spin.z),
        mul24(d.x, spin.z) - mul24(d.z, spin.x),
        mul24(d.y, spin.x) - mul24(d.x, spin.y),
    );
    let first = velocity - clamp(vector(at + 12u) + swept, vec3<i32>(-MAX_SPEED), vec3<i32>(MAX_SPEED));
    var e = vec4<i32>(first, 0);
    let planes = u32(bodies[at + 18u]);
    let count = u32(bodies[at + 19u]);
    let behind = select(0, -FELT, found.distance < 0);
    if (count == 0u) {
        e = held_by(turned(at, normal_at(at, found.l)), e);
    }
    for (var plane = planes; plane < planes + count; plane++) {
        let distance = beyond(plane, found.l) - bodies[at + 20u];
        if (distance == found.distance || distance > behind) {
            e = held_by(turned(at, normal_of(plane)), e);
        }
    }
    if (e.w == 0) {
        return vec4<i32>(velocity, share);
    }
    let kept = e.xyz - scale24(e.xyz, bodies[at + 24u]);
    let change = scale24(kept - first, bodies[at + 23u]);
    let j = -scale24(change, mass);
    let sum = 2u + at / COLLIDER * 12u;
    add_wide(sum, j.x);
    add_wide(sum + 2u, j.y);
    add_wide(sum + 4u, j.z);
    add_wide(sum + 6u, mul30(d.y, j.z) - mul30(d.z, j.y));
    add_wide(sum + 8u, mul30(d.z, j.x) - mul30(d.x, j.z));
    add_wide(sum + 10u, mul30(d.x, j.y) - mul30(d.y, j.x));
    return vec4<i32>(velocity + change, share);
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
    atomicStore(&sums[arrayLength(&wall) * 4u + node], 0);
}

@compute @workgroup_size(64)
fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= matter.particles) {
        return;
    }
    let p = &particles[index];
    let x = vec3<i32>((*p)[0], (*p)[1], (*p)[2]);
    let around = stencil(x);
    let base = around.base;
    let offset = around.offset;

    if (unborn(index)) {
        return;
    }
    let own = material_of(index);
    let cell = u32(((base.x + 1) * matter.cells + base.y + 1) * matter.cells + base.z + 1);
    if (atomicAdd(&sums[arrayLength(&wall) * 4u + cell], 1) >= MAX_IN_CELL) {
        // As heavy as no node is: the sums may wrap.
        atomicMax(&status[1], 4294967295u);
    }

    // Columns of the affine matrix.
    let bulk = select(4 * pressure(own, (*p)[15]), 0, own.law == 1);
    var a: array<vec3<i32>, 3>;
    for (var column = 0; column < 3; column++) {
        for (var row = 0; row < 3; row++) {
            let shear = (*p)[6 + row * 3 + column] + (*p)[6 + column * 3 + row];
            a[column][row] = (*p)[6 + row * 3 + column] - 4 * mul24(own.viscosity, shear);
        }
        a[column][column] += bulk;
    }
    if (own.law != 0) {
        let t = stress(own, inner[index].strain);
        a[0] -= 4 * vec3<i32>(t[0], t[3], t[4]);
        a[1] -= 4 * vec3<i32>(t[3], t[1], t[5]);
        a[2] -= 4 * vec3<i32>(t[4], t[5], t[2]);
    }
    var corner = vec3<i32>((*p)[3], (*p)[4], (*p)[5])
        + scale24(a[0], -ONE - offset.x) + scale24(a[1], -ONE - offset.y) + scale24(a[2], -ONE - offset.z);

    for (var i = 0; i < 3; i++) {
        var row_q = corner;
        for (var j = 0; j < 3; j++) {
            let wij = mul30(around.wx[i], around.wy[j]);
            var q = row_q;
            for (var k = 0; k < 3; k++) {
                let weight = mul30(wij, around.wz[k]) >> 1u;
                let node = u32(((base.x + i) * matter.cells + base.y + j) * matter.cells + base.z + k) * 4u;
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
    let cells = u32(matter.cells);
    let cell = vec3<i32>(vec3<u32>(node / (cells * cells), node / cells % cells, node % cells));
    var u = vec3<i32>(0);
    if (mass > 0) {
        u = accelerated(node, mass, cell * ONE + ONE / 2 - matter.cells * ONE / 2);
    }
    var more = wall[node].w;
    if (matter.bodies > 0u) {
        let acted = act(cell, mass, u);
        u = acted.xyz;
        more += acted.w;
    }
    atomicStore(&sums[node * 4u], mass + more);
    if (mass <= 0) {
        return;
    }
    u = held(u, wall[node].xyz);
    for (var axis = 0u; axis < 3u; axis++) {
        atomicStore(&sums[node * 4u + 1u + axis], u[axis]);
    }
}

fn accelerated(node: u32, mass: i32, place: vec3<i32>) -> vec3<i32> {
    let force = atomicLoad(&status[0]);
    var u: vec3<i32>;
    for (var axis = 0u; axis < 3u; axis++) {
        let velocity = div24(atomicLoad(&sums[node * 4u + 1u + axis]), mass);
        u[axis] = clamp(velocity, -MAX_SPEED, MAX_SPEED) + forces[force].uniform_part[axis];
        for (var column = 0u; column < 3u; column++) {
            u[axis] += mul30(place[column], forces[force].linear_part[axis * 3u + column]);
        }
    }
    return u - scale24(u, forces[force].drag);
}

fn held(velocity: vec3<i32>, normal: vec3<i32>) -> vec3<i32> {
    var u = velocity;
    if (matter.vessel == 0u) {
        let outward = dot30(u, normal);
        if (outward > 0) {
            u -= scale30(normal, outward);
            u -= scale24(u, matter.wall_friction);
        }
    } else {
        let stopped = u * normal > vec3<i32>(0);
        if (any(stopped)) {
            u = select(u - scale24(u, matter.wall_friction), vec3<i32>(0), stopped);
        }
    }
    return clamp(u, vec3<i32>(-MAX_SPEED), vec3<i32>(MAX_SPEED));
}

// A place where a particle may be.
fn kept_in(x: vec3<i32>) -> vec3<i32> {
    let low = vec3<i32>(matter.range[0], matter.range[2], matter.range[4]);
    let high = vec3<i32>(matter.range[1], matter.range[3], matter.range[5]);
    return clamp(x, low, high - 1);
}

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.x;
    if (index >= matter.particles) {
        return;
    }
    if (unborn(index)) {
        return;
    }
    let p = &particles[index];
    let x = vec3<i32>((*p)[0], (*p)[1], (*p)[2]);
    let around = stencil(x);
    let base = around.base;
    let offset = around.offset;
    var v = vec3<i32>(0);
    var mass = 0;
    // Moments about the middle node, by axis of the node's place.
    var moment: array<vec3<i32>, 3>;
    for (var i = 0; i < 3; i++) {
        for (var j = 0; j < 3; j++) {
            let wij = mul30(around.wx[i], around.wy[j]);
            for (var k = 0; k < 3; k++) {
                let weight = mul30(wij, around.wz[k]);
                let node = u32(((base.x + i) * matter.cells + base.y + j) * matter.cells + base.z + k) * 4u;
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
    }
    var place = kept_in(x + v);
    if (matter.bodies > 0u) {
        let found = contact(place >> vec3<u32>(24u), place);
        if (found.distance < 0) {
            place = kept_in(place + scale30(turned(found.at, normal_at(found.at, found.l)), -found.distance));
        }
    }
    (*p)[0] = place.x;
    (*p)[1] = place.y;
    (*p)[2] = place.z;
    let own = material_of(index);
    let here = mul24(mass, matter.inverse_density);
    let density = here + mul24((*p)[15] - here, own.memory);
    (*p)[15] = clamp(density - mul24(density, divergence), 0, 2 * ONE);
    if (own.law != 0) {
        var c: array<i32, 9>;
        for (var word = 0; word < 9; word++) {
            c[word] = (*p)[6 + word];
        }
        inner[index].strain = strained(own, inner[index].strain, c, (*p)[15]);
    }
}

// Moves on to the next step's force.
@compute @workgroup_size(1)
fn advance() {
    atomicAdd(&status[0], 1u);
}
