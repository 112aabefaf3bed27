// The gravity of gravity/mod.rs, which is its specification. `mul30` comes from ../gpu/product_*.wgsl.

const ONE: i32 = 16777216;
const ONE30: i32 = 1073741824;
const CELLS: i32 = 64;
const PADDED: i32 = 128;
const MAX_SPEED: i32 = ONE / 2;
const NEAR: i32 = 715827883; // 2/3, Q30
const FAR: i32 = 89478485; // 1/12, Q30

struct Law {
    count: u32,
    mass: i32,
    strength: i32,
}

@group(0) @binding(0) var<storage, read> law: Law;
@group(0) @binding(1) var<storage, read_write> points: array<array<i32, 6>>;
@group(0) @binding(2) var<storage, read_write> masses: array<atomic<i32>>;
// [x][y][z]
@group(0) @binding(3) var<storage, read_write> field: array<vec2<i32>>;
@group(0) @binding(4) var<storage, read> modes: array<i32>;
@group(0) @binding(5) var<storage, read> twiddles: array<vec2<i32>>;
@group(0) @binding(6) var<storage, read_write> gradient: array<vec4<i32>>;

fn on_grid(p: vec3<i32>) -> bool {
    return all(p >= vec3<i32>(4 * ONE)) && all(p <= vec3<i32>((CELLS - 4) * ONE));
}

fn weights(x: i32) -> vec3<i32> {
    let f = ((x & (ONE - 1)) - ONE / 2) << 6u;
    let low = ONE30 / 2 - f;
    let high = ONE30 / 2 + f;
    let first = mul30(low, low) >> 1u;
    let last = mul30(high, high) >> 1u;
    return vec3<i32>(first, ONE30 - first - last, last);
}

fn place_of(index: u32) -> vec3<i32> {
    return vec3<i32>(points[index][0], points[index][1], points[index][2]);
}

@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicStore(&masses[id.x], 0);
}

@compute @workgroup_size(64)
fn deposit(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= law.count) {
        return;
    }
    let p = place_of(id.x);
    if (!on_grid(p)) {
        return;
    }
    let base = (p >> vec3<u32>(24u)) - 1;
    let wx = weights(p.x);
    let wy = weights(p.y);
    let wz = weights(p.z);
    for (var x = 0; x < 3; x++) {
        for (var y = 0; y < 3; y++) {
            let weight = mul30(wx[x], wy[y]);
            let start = ((base.x + x) * CELLS + base.y + y) * CELLS + base.z;
            for (var z = 0; z < 3; z++) {
                atomicAdd(&masses[start + z], mul30(law.mass, mul30(weight, wz[z])));
            }
        }
    }
}

fn times(a: vec2<i32>, w: vec2<i32>) -> vec2<i32> {
    return vec2<i32>(mul30(a.x, w.x) - mul30(a.y, w.y), mul30(a.x, w.y) + mul30(a.y, w.x));
}

var<workgroup> line: array<vec2<i32>, 128>;

// One of the 64 butterflies of a stage whose halves are `half` apart.
fn low_index(thread: i32, half: i32) -> i32 {
    return (thread / half) * 2 * half + thread % half;
}

fn forwards(thread: i32) {
    var half = PADDED / 2;
    while (half > 0) {
        workgroupBarrier();
        let low = low_index(thread, half);
        let a = line[low];
        let b = line[low + half];
        line[low] = a + b;
        line[low + half] = times(a - b, twiddles[(thread % half) * (PADDED / 2 / half)]);
        half = half / 2;
    }
    workgroupBarrier();
}

fn backwards(thread: i32) {
    var half = 1;
    while (half < PADDED) {
        workgroupBarrier();
        let low = low_index(thread, half);
        let w = twiddles[(thread % half) * (PADDED / 2 / half)];
        let a = line[low];
        let t = times(line[low + half], vec2<i32>(w.x, -w.y));
        line[low + half] = a - t;
        line[low] = a + t;
        half = half * 2;
    }
    workgroupBarrier();
}

fn at(x: i32, y: i32, z: i32) -> i32 {
    return (x * PADDED + y) * PADDED + z;
}

// A workgroup a line along z: x and y in the half that holds mass.
@compute @workgroup_size(64)
fn forwards_z(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = i32(local);
    let x = i32(group.x);
    let y = i32(group.y);
    line[thread] = vec2<i32>(atomicLoad(&masses[(x * CELLS + y) * CELLS + thread]), 0);
    line[thread + 64] = vec2<i32>(0);
    forwards(thread);
    field[at(x, y, thread)] = line[thread];
    field[at(x, y, thread + 64)] = line[thread + 64];
}

// Along y: x in the half that holds mass, every z.
@compute @workgroup_size(64)
fn forwards_y(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = i32(local);
    let x = i32(group.x);
    let z = i32(group.y);
    line[thread] = field[at(x, thread, z)];
    line[thread + 64] = vec2<i32>(0);
    forwards(thread);
    field[at(x, thread, z)] = line[thread];
    field[at(x, thread + 64, z)] = line[thread + 64];
}

// Along x, there and back, through Green's function: every y and z.
@compute @workgroup_size(64)
fn through_x(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = i32(local);
    let y = i32(group.x);
    let z = i32(group.y);
    line[thread] = field[at(thread, y, z)];
    line[thread + 64] = vec2<i32>(0);
    forwards(thread);
    for (var x = thread; x < PADDED; x += 64) {
        let mode = modes[at(x, y, z)];
        line[x] = vec2<i32>(mul30(line[x].x, mode), mul30(line[x].y, mode));
    }
    backwards(thread);
    field[at(thread, y, z)] = line[thread];
}

@compute @workgroup_size(64)
fn backwards_y(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = i32(local);
    let x = i32(group.x);
    let z = i32(group.y);
    line[thread] = field[at(x, thread, z)];
    line[thread + 64] = field[at(x, thread + 64, z)];
    backwards(thread);
    field[at(x, thread, z)] = line[thread];
    field[at(x, thread + 64, z)] = line[thread + 64];
}

@compute @workgroup_size(64)
fn backwards_z(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = i32(local);
    let x = i32(group.x);
    let y = i32(group.y);
    line[thread] = field[at(x, y, thread)];
    line[thread + 64] = field[at(x, y, thread + 64)];
    backwards(thread);
    field[at(x, y, thread)] = line[thread];
}

fn along(node: i32, stride: i32) -> i32 {
    let near = field[node + stride].x - field[node - stride].x;
    let far = field[node + 2 * stride].x - field[node - 2 * stride].x;
    return mul30(near, NEAR) - mul30(far, FAR);
}

@compute @workgroup_size(64)
fn differentiate(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = i32(id.x);
    let x = index / (CELLS * CELLS);
    let y = index / CELLS % CELLS;
    let z = index % CELLS;
    if (min(x, min(y, z)) < 2 || max(x, max(y, z)) >= CELLS - 2) {
        return;
    }
    let node = at(x, y, z);
    gradient[index] = vec4<i32>(along(node, PADDED * PADDED), along(node, PADDED), along(node, 1), 0);
}

@compute @workgroup_size(64)
fn kick_and_drift(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= law.count) {
        return;
    }
    let p = place_of(id.x);
    if (on_grid(p)) {
        let base = (p >> vec3<u32>(24u)) - 1;
        let wx = weights(p.x);
        let wy = weights(p.y);
        let wz = weights(p.z);
        var sum = vec3<i32>(0);
        for (var x = 0; x < 3; x++) {
            for (var y = 0; y < 3; y++) {
                let weight = mul30(wx[x], wy[y]);
                let start = ((base.x + x) * CELLS + base.y + y) * CELLS + base.z;
                for (var z = 0; z < 3; z++) {
                    let w = mul30(weight, wz[z]);
                    let d = gradient[start + z];
                    sum += vec3<i32>(mul30(d.x, w), mul30(d.y, w), mul30(d.z, w));
                }
            }
        }
        for (var axis = 0; axis < 3; axis++) {
            let v = points[id.x][3 + axis] + mul30(sum[axis], law.strength);
            points[id.x][3 + axis] = clamp(v, -MAX_SPEED, MAX_SPEED);
        }
    }
    for (var axis = 0; axis < 3; axis++) {
        let moved = points[id.x][axis] + points[id.x][3 + axis];
        points[id.x][axis] = clamp(moved, -64 * ONE, 127 * ONE);
    }
}
