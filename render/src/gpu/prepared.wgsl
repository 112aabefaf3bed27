// See `bvh.rs`, `triangles.rs` and `prepared.rs`.

// ---- The hierarchies.

// Most children that wait, those of both levels together: what is packed never needs more.
const STACK: u32 = 96u;
const GROWN: f32 = 1.0 + 2.0 * EPSILON;

struct Entry {
    t: f32,
    node: u32,
}

var<private> stack: array<Entry, STACK>;
var<private> waiting: u32;

struct Met {
    enter: vec4<f32>,
    mask: vec4<bool>,
}

fn meets(node: u32, origin: vec3<f32>, inverse: vec3<f32>, limit: f32) -> Met {
    let at = node * 7u;
    var enter = vec4(0.0);
    var leave = vec4(3e38);
    for (var axis = 0u; axis < 3u; axis++) {
        let low = (nodes[at + axis] - origin[axis]) * inverse[axis];
        let high = (nodes[at + 3u + axis] - origin[axis]) * inverse[axis];
        let backward = inverse[axis] < 0.0;
        enter = max(enter, select(low, high, backward));
        leave = min(leave, select(high, low, backward));
    }
    return Met(enter, enter <= min(leave * GROWN, vec4(limit)));
}

// The child to go to next; `NONE` where the ray meets none. The others wait, the farthest at the bottom.
fn descend(node: u32, origin: vec3<f32>, inverse: vec3<f32>, limit: f32) -> u32 {
    let met = meets(node, origin, inverse, limit);
    if !any(met.mask) {
        return NONE;
    }
    let children = bitcast<vec4<u32>>(nodes[node * 7u + 6u]);
    let bottom = waiting;
    var best = Entry(0.0, NONE);
    for (var slot = 0u; slot < 4u; slot++) {
        if !met.mask[slot] {
            continue;
        }
        var entry = Entry(met.enter[slot], children[slot]);
        if best.node == NONE {
            best = entry;
            continue;
        }
        if entry.t < best.t {
            let other = best;
            best = entry;
            entry = other;
        }
        var i = waiting;
        waiting += 1u;
        while i > bottom && stack[i - 1u].t < entry.t {
            stack[i] = stack[i - 1u];
            i -= 1u;
        }
        stack[i] = entry;
    }
    return best.node;
}

// The next child that waits above `bottom` and is not beyond `limit`; `NONE` where none does.
fn next_waiting(bottom: u32, limit: f32) -> u32 {
    while waiting > bottom {
        waiting -= 1u;
        if stack[waiting].t <= limit {
            return stack[waiting].node;
        }
    }
    return NONE;
}

fn inverse_of(direction: vec3<f32>) -> vec3<f32> {
    return vec3(finite_inverse(direction.x), finite_inverse(direction.y), finite_inverse(direction.z));
}

// ---- Triangles.

struct Shear {
    axes: vec3<u32>,
    x: f32,
    y: f32,
    z: f32,
}

fn shear_of(direction: vec3<f32>) -> Shear {
    let d = abs(direction);
    var depth = 2u;
    if d.x >= d.y && d.x >= d.z {
        depth = 0u;
    } else if d.y >= d.z {
        depth = 1u;
    }
    let axes = vec3((depth + 1u) % 3u, (depth + 2u) % 3u, depth);
    let z = 1.0 / direction[depth];
    return Shear(axes, direction[axes.x] * z, direction[axes.y] * z, z);
}

struct TriangleHit {
    t: f32,
    triangle: u32,
}

// The nearest triangle of a pack that is nearer than `found`, or at equal distance of a lower number.
fn meet_pack(pack: u32, shear: Shear, origin: vec3<f32>, found: TriangleHit) -> TriangleHit {
    let at = pack * 10u;
    var x: array<vec4<f32>, 3>;
    var y: array<vec4<f32>, 3>;
    var z: array<vec4<f32>, 3>;
    for (var corner = 0u; corner < 3u; corner++) {
        let base = at + corner * 3u;
        z[corner] = packs[base + shear.axes.z] - origin[shear.axes.z];
        x[corner] = packs[base + shear.axes.x] - origin[shear.axes.x] - shear.x * z[corner];
        y[corner] = packs[base + shear.axes.y] - origin[shear.axes.y] - shear.y * z[corner];
    }
    let u = x[2] * y[1] - y[2] * x[1];
    let v = x[0] * y[2] - y[0] * x[2];
    let w = x[1] * y[0] - y[1] * x[0];
    let least = min(min(u, v), w);
    let most = max(max(u, v), w);
    let inside = (least >= vec4(0.0)) | (most <= vec4(0.0));
    var nearest = found;
    if !any(inside) {
        return nearest;
    }
    let sum = u + v + w;
    let flat = sum == vec4(0.0);
    let t = (u * z[0] + v * z[1] + w * z[2]) / select(sum, vec4(1.0), flat) * shear.z;
    let ids = bitcast<vec4<u32>>(packs[at + 9u]);
    for (var lane = 0u; lane < 4u; lane++) {
        let hit = inside[lane] && !flat[lane] && t[lane] > 0.0 && ids[lane] != NONE;
        if hit && (t[lane] < nearest.t || (t[lane] == nearest.t && ids[lane] < nearest.triangle)) {
            nearest = TriangleHit(t[lane], ids[lane]);
        }
    }
    return nearest;
}

// The nearest triangle of the mesh whose hierarchy begins at `root`, nearer than `limit`; any of them where `first_of_all`.
fn meet_mesh(root: u32, ray: Ray, limit: f32, first_of_all: bool) -> TriangleHit {
    var found = TriangleHit(limit, NONE);
    if root == NONE {
        return found;
    }
    let shear = shear_of(ray.direction);
    let inverse = inverse_of(ray.direction);
    let bottom = waiting;
    var current = root;
    loop {
        if current == NONE {
            break;
        }
        if (current & LEAF) == 0u {
            current = descend(current, ray.origin, inverse, found.t);
        } else {
            found = meet_pack(current & ~LEAF, shear, ray.origin, found);
            current = NONE;
            if first_of_all && found.triangle != NONE {
                break;
            }
        }
        if current == NONE {
            current = next_waiting(bottom, found.t);
        }
    }
    waiting = bottom;
    return found;
}

// ---- Instances: 7 each. Center and kind; the rows of the rotation to local space with material, mesh, and 1 where it is a
// pane plus twice the number of its motion, from 1 on; half extents, or radius, half height and scale, with the size of its
// coordinates; tint, and 1 + which ball it is; emission, and where its mesh's hierarchy begins.

fn word(instance: u32, row: u32) -> u32 {
    return bitcast<u32>(instances[instance * 7u + row].w);
}

// Where an instance is at this moment: the rows of its rotation to local space, and its center.
struct Pose {
    rows: mat3x3<f32>,
    center: vec3<f32>,
}

// See `moving.rs`. Motions are 3 each: how far the center goes, and the rotation at either end.
fn pose_of(instance: u32) -> Pose {
    let at = instance * 7u;
    let moving = word(instance, 3u) >> 1u;
    let center = instances[at].xyz;
    if moving == 0u {
        return Pose(mat3x3(instances[at + 1u].xyz, instances[at + 2u].xyz, instances[at + 3u].xyz), center);
    }
    let motion = params.motion.y + (moving - 1u) * 3u;
    let q = normalize(mix(looks[motion + 1u], looks[motion + 2u], moment));
    let rows = mat3x3(
        1.0 - 2.0 * (q.y * q.y + q.z * q.z), 2.0 * (q.x * q.y + q.z * q.w), 2.0 * (q.x * q.z - q.y * q.w),
        2.0 * (q.x * q.y - q.z * q.w), 1.0 - 2.0 * (q.x * q.x + q.z * q.z), 2.0 * (q.y * q.z + q.x * q.w),
        2.0 * (q.x * q.z + q.y * q.w), 2.0 * (q.y * q.z - q.x * q.w), 1.0 - 2.0 * (q.x * q.x + q.y * q.y),
    );
    return Pose(rows, center + looks[motion].xyz * moment);
}

fn turned_in(pose: Pose, v: vec3<f32>) -> vec3<f32> {
    return vec3(dot(pose.rows[0], v), dot(pose.rows[1], v), dot(pose.rows[2], v));
}

fn turned_out(pose: Pose, v: vec3<f32>) -> vec3<f32> {
    return pose.rows[0] * v.x + pose.rows[1] * v.y + pose.rows[2] * v.z;
}

fn local_ray(instance: u32, pose: Pose, ray: Ray) -> Ray {
    let inverse = 1.0 / instances[instance * 7u + 4u].z;
    let origin = turned_in(pose, ray.origin - pose.center) * inverse;
    return Ray(origin, turned_in(pose, ray.direction) * inverse);
}

fn crossings(instance: u32, kind: u32, pose: Pose, ray: Ray) -> vec3<f32> {
    let extent = instances[instance * 7u + 4u].xyz;
    if kind == SPHERE {
        return sphere(ray, pose.center, extent.x);
    }
    if kind == CAPSULE {
        return capsule(ray, pose.center, pose.rows[1], extent.y, extent.x);
    }
    return aligned_box(Ray(turned_in(pose, ray.origin - pose.center), turned_in(pose, ray.direction)), extent);
}

struct Hit {
    t: f32,
    instance: u32,
    triangle: u32,
}

// The nearest of a leaf's instances, or what was found before; any where `first_of_all`, which panes and the clear liquid
// do not count for.
fn meet_leaf(instances_of: vec4<u32>, ray: Ray, before: Hit, first_of_all: bool) -> Hit {
    var hit = before;
    for (var slot = 0u; slot < 4u; slot++) {
        let instance = instances_of[slot];
        if instance == NONE || (first_of_all && hit.instance != NONE) {
            break;
        }
        let kind = bitcast<u32>(instances[instance * 7u].w);
        var found = TriangleHit(0.0, NONE);
        if first_of_all && ((word(instance, 3u) & 1u) != 0u || instance == params.motion.z) {
            found.t = -1.0;
        } else if kind >= MESH {
            var local = ray;
            if kind == MESH {
                local = local_ray(instance, pose_of(instance), ray);
            }
            found = meet_mesh(word(instance, 6u), local, hit.t, first_of_all);
            if found.triangle == NONE {
                found.t = -1.0;
            }
        } else {
            let ends = crossings(instance, kind, pose_of(instance), ray);
            found.t = select(-1.0, ahead(ends), ends.z != 0.0);
        }
        if found.t > 0.0 && (found.t < hit.t || (found.t == hit.t && instance < hit.instance)) {
            hit = Hit(found.t, instance, found.triangle);
        }
    }
    return hit;
}

// The nearest primitive in (0, `limit`), or any where `first_of_all`, which panes do not count for.
fn meet(ray: Ray, limit: f32, first_of_all: bool) -> Hit {
    var hit = Hit(limit, NONE, NONE);
    let inverse = inverse_of(ray.direction);
    waiting = 0u;
    var current = params.more.z;
    loop {
        if current == NONE {
            break;
        }
        if (current & LEAF) == 0u {
            current = descend(current, ray.origin, inverse, hit.t);
        } else {
            hit = meet_leaf(bitcast<vec4<u32>>(nodes[current & ~LEAF]), ray, hit, first_of_all);
            if first_of_all && hit.instance != NONE {
                break;
            }
            current = NONE;
        }
        if current == NONE {
            current = next_waiting(0u, hit.t);
        }
    }
    return hit;
}

// ---- Surfaces.

struct Surface {
    position: vec3<f32>,
    facet_normal: vec3<f32>,
    normal: vec3<f32>,
    tint: vec3<f32>,
    emission: vec3<f32>,
    material: u32,
    clearance: f32,
}

fn origin_toward(surface: Surface, direction: vec3<f32>) -> vec3<f32> {
    let side = select(-surface.clearance, surface.clearance, dot(direction, surface.facet_normal) >= 0.0);
    return surface.position + surface.facet_normal * side;
}

fn vector_at(place: u32, index: u32) -> vec3<f32> {
    let at = place + index * 3u;
    return vec3(vertices[at], vertices[at + 1u], vertices[at + 2u]);
}

struct TrianglePoint {
    position: vec3<f32>,
    middle: vec3<f32>,
    facet_normal: vec3<f32>,
    normal: vec3<f32>,
    color: vec3<f32>,
}

fn triangle_point(mesh: u32, ray: Ray, triangle: u32) -> TrianglePoint {
    // Where the mesh's positions, normals, colours and triangles begin.
    let parts = bitcast<vec4<u32>>(looks[params.more.y + mesh]);
    var corners: array<u32, 3>;
    for (var i = 0u; i < 3u; i++) {
        corners[i] = bitcast<u32>(vertices[parts.w + triangle * 3u + i]);
    }
    let a = vector_at(parts.x, corners[0]);
    let b = vector_at(parts.x, corners[1]);
    let c = vector_at(parts.x, corners[2]);
    let shear = shear_of(ray.direction);
    var x: vec3<f32>;
    var y: vec3<f32>;
    for (var i = 0u; i < 3u; i++) {
        let p = vector_at(parts.x, corners[i]) - ray.origin;
        x[i] = p[shear.axes.x] - shear.x * p[shear.axes.z];
        y[i] = p[shear.axes.y] - shear.y * p[shear.axes.z];
    }
    var weights = vec3(x.z * y.y - y.z * x.y, x.x * y.z - y.x * x.z, x.y * y.x - y.y * x.x);
    let sum = weights.x + weights.y + weights.z;
    weights = select(vec3(1.0 / 3.0), weights / select(sum, 1.0, sum == 0.0), sum != 0.0);
    let across = cross(b - a, c - a);
    let length2 = square(across);
    var point: TrianglePoint;
    point.position = a * weights.x + b * weights.y + c * weights.z;
    point.middle = (a + b + c) * (1.0 / 3.0);
    if length2 > 1e-36 {
        point.facet_normal = across * (1.0 / sqrt(length2));
    } else {
        point.facet_normal = -normalize(ray.direction);
    }
    point.normal = point.facet_normal;
    if parts.y != NONE {
        let smoothed = vector_at(parts.y, corners[0]) * weights.x + vector_at(parts.y, corners[1]) * weights.y
            + vector_at(parts.y, corners[2]) * weights.z;
        if square(smoothed) > 1e-12 {
            point.normal = normalize(smoothed);
        }
    }
    point.color = vec3(1.0);
    if parts.z != NONE {
        point.color = vector_at(parts.z, corners[0]) * weights.x + vector_at(parts.z, corners[1]) * weights.y
            + vector_at(parts.z, corners[2]) * weights.z;
    }
    return point;
}

fn surface_at(ray: Ray, hit: Hit) -> Surface {
    let at = hit.instance * 7u;
    let kind = bitcast<u32>(instances[at].w);
    let pose = pose_of(hit.instance);
    let center = pose.center;
    let extent = instances[at + 4u];
    var surface: Surface;
    surface.tint = instances[at + 5u].xyz;
    surface.emission = instances[at + 6u].xyz;
    surface.material = word(hit.instance, 1u);
    surface.clearance = (extent.w + largest(abs(ray.origin))) * (24.0 * EPSILON);
    let met = ray.origin + ray.direction * hit.t;
    var middle: vec3<f32>;
    if kind == SPHERE {
        let n = normalize(met - center);
        surface.facet_normal = n;
        surface.normal = n;
        surface.position = center + n * extent.x;
        return surface;
    }
    if kind == CAPSULE {
        let axis = pose.rows[1];
        let p = met - center;
        let nearest = axis * clamp(dot(p, axis), -extent.y, extent.y);
        let n = normalize(p - nearest);
        surface.facet_normal = n;
        surface.normal = n;
        surface.position = center + nearest + n * extent.x;
        return surface;
    }
    if kind == BOX {
        let p = turned_in(pose, met - center);
        let near = abs(abs(p) - extent.xyz);
        var axis = 2u;
        if near.x <= near.y && near.x <= near.z {
            axis = 0u;
        } else if near.y <= near.z {
            axis = 1u;
        }
        let side = copysign(1.0, p[axis]);
        let n = pose.rows[axis] * side;
        var on_face = p;
        on_face[axis] = side * extent[axis];
        surface.facet_normal = n;
        surface.normal = n;
        surface.position = center + turned_out(pose, on_face);
        middle = center + pose.rows[axis] * (side * extent[axis]);
    } else {
        var local = ray;
        if kind == MESH {
            local = local_ray(hit.instance, pose, ray);
        }
        let point = triangle_point(word(hit.instance, 2u), local, hit.triangle);
        surface.tint *= point.color;
        if kind == MESH {
            surface.facet_normal = turned_out(pose, point.facet_normal);
            surface.normal = turned_out(pose, point.normal);
            surface.position = center + turned_out(pose, point.position) * extent.z;
            middle = center + turned_out(pose, point.middle) * extent.z;
        } else {
            surface.facet_normal = point.facet_normal;
            surface.normal = point.normal;
            surface.position = point.position;
            middle = point.middle;
        }
    }
    let toward = middle - surface.position;
    surface.position += toward * min(1.0, 2.0 * surface.clearance / max(length(toward), 1e-30));
    return surface;
}

// ---- Visibility.

const MOST_CROSSINGS: u32 = 12u;

fn visibility(ray: Ray, limit: f32) -> vec3<f32> {
    if occluded_by_lights(ray, limit) || meet(ray, limit, true).instance != NONE {
        return vec3(0.0);
    }
    var share = vec3(fog_through(ray, limit));
    for (var i = 0u; i < params.counts.z; i++) {
        share *= through_one_pane(params.panes[i / 4u][i % 4u], ray, limit);
    }
    if params.motion.z != NONE {
        share *= through_liquid(ray, limit);
    }
    return share;
}

fn through_liquid(ray: Ray, limit: f32) -> vec3<f32> {
    let material = material_of(params.motion.w);
    var share = vec3(1.0);
    var leg = ray;
    var left = limit;
    for (var i = 0u; i < MOST_CROSSINGS; i++) {
        let found = meet_mesh(word(params.motion.z, 6u), leg, left, false);
        if found.triangle == NONE {
            return share;
        }
        let surface = surface_at(leg, Hit(found.t, params.motion.z, found.triangle));
        let inside = dot(leg.direction, surface.facet_normal) > 0.0;
        if inside {
            share *= absorbed(material, found.t);
        }
        share *= through_pane(material, surface.tint, abs(dot(leg.direction, surface.normal)), inside);
        left -= found.t;
        leg.origin = origin_toward(surface, leg.direction);
    }
    return vec3(0.0);
}

fn through_one_pane(pane: u32, ray: Ray, limit: f32) -> vec3<f32> {
    let ends = crossings(pane, bitcast<u32>(instances[pane * 7u].w), pose_of(pane), ray);
    let inner = min(ends.y, limit) - max(ends.x, 0.0);
    if ends.z == 0.0 || inner <= 0.0 {
        return vec3(1.0);
    }
    let material = material_of(word(pane, 1u));
    var share = absorbed(material, inner);
    for (var i = 0; i < 2; i++) {
        if ends[i] > 0.0 && ends[i] < limit {
            let surface = surface_at(ray, Hit(ends[i], pane, 0u));
            share *= through_pane(material, surface.tint, abs(dot(ray.direction, surface.normal)), i == 1);
        }
    }
    return share;
}
