// What a dispatch is given, and small helpers. The files of this folder follow the Rust file of the same name function by
// function: the same paths from the same samples, in this machine's own floats. What is said there is not said again.

struct Params {
    // eye and tangent of half the angle of view; right and lens radius; up and focus distance; forward and 1 with a backdrop
    eye: vec4<f32>,
    right: vec4<f32>,
    up: vec4<f32>,
    forward: vec4<f32>,
    // backdrop: center and middle x; edge and middle y; its radius, the clamp of indirect light, the least roughness after
    // a soft scattering, 1 where outlines take more paths
    backdrop_center: vec4<f32>,
    backdrop_edge: vec4<f32>,
    limits: vec4<f32>,
    zenith: vec4<f32>,
    horizon: vec4<f32>,
    nadir: vec4<f32>,
    // rectangles, whether there are balls, panes, most bounces
    counts: vec4<u32>,
    // where in `looks`: rectangles, balls, filter, reflectance
    places: vec4<u32>,
    // where in `looks`: materials, meshes; where the hierarchy of the instances begins; 1 where anything moves
    more: vec4<u32>,
    // where in `looks`: reflectance of fuzz, what rough glass keeps, the map's texels, its rows
    tables: vec4<u32>,
    // where in `looks`: the clusters of balls, the motions; the instance of a clear liquid that light goes straight
    // through, and its material
    motion: vec4<u32>,
    // the fog's corners, its density, 0 where there is none, and its anisotropy; its albedo
    fog_low: vec4<f32>,
    fog_high: vec4<f32>,
    fog_albedo: vec4<f32>,
    // the map's width and height, 0 where there is none; its lean, and its mean luminance
    map: vec4<u32>,
    map_light: vec4<f32>,
    // toward the sun, and 1 − cos of its radius; its radiance and its power, 0 where there is none
    sun: vec4<f32>,
    sun_radiance: vec4<f32>,
    // width, height, seed, samples a pixel
    frame: vec4<u32>,
    // this dispatch: the first of its pixels and how many, most paths for each, 1 where they are numbers in `list`
    block: vec4<u32>,
    // the part of the frame that is rendered: its first column and row, and its width; the frame's number
    part: vec4<u32>,
    panes: array<vec4<u32>, 2>,
}

// What a pixel has gathered.
struct Pixel {
    // w: depth
    radiance: vec4<f32>,
    // w: how many paths met a surface
    albedo: vec4<f32>,
    // w: paths taken
    normal: vec4<f32>,
    // least and greatest depth, mean and squares of the luminance
    moments: vec4<f32>,
    // how many times as many paths it takes, known once it has taken the first
    effort: u32,
    // room to the next one
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

// Nodes: 7 each, the minima and maxima of four boxes by axis, and the children; behind those of the instances, the numbers
// of up to four of them for each leaf.
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> nodes: array<vec4<f32>>;
// Packs of four triangles: 10 each, corners by axis, and their numbers.
@group(0) @binding(2) var<storage, read> packs: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> instances: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> vertices: array<f32>;
@group(0) @binding(5) var<storage, read> looks: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> list: array<u32>;
@group(0) @binding(7) var<storage, read_write> pixels: array<Pixel>;

const PI: f32 = 3.14159265358979;
const TAU: f32 = 6.28318530717959;
const INV_PI: f32 = 0.318309886183791;
const EPSILON: f32 = 1.1920929e-7;
const ENDLESS: f32 = 1e30;
const NONE: u32 = 0xffffffffu;
const LEAF: u32 = 0x80000000u;

const FIRST_REFLECTED: f32 = 0.25;
const ROULETTE_FROM: u32 = 3u;
const ROULETTE_KEEPS: f32 = 3.0;
const SHARP_SCATTERINGS: u32 = 2u;
const MOST_PASSES: u32 = 8u;
const LAYERS_FOLLOW: u32 = 2u;
const CLEAR_ROUGHNESS: f32 = 0.04;
const NARROW_ROUGHNESS: f32 = 0.2;
const UNBENT_IOR: f32 = 1.0005;
const COAT_IOR: f32 = 1.5;
const LEAST_ALPHA: f32 = 1.5e-3;
const STEPS: u32 = 32u;
const SHEEN_STEPS: u32 = 32u;
const LEAST_SHEEN: f32 = 0.25;
const GLASS_STEPS: u32 = 16u;
const DENSEST: f32 = 3.25;
const OUTLINE: u32 = 4u;
const RIM: u32 = 16u;
const FAR_BEHIND: f32 = 1.1;
const ALIKE: f32 = 0.9;

const SPHERE: u32 = 0u;
const CAPSULE: u32 = 1u;
const BOX: u32 = 2u;
const MESH: u32 = 3u;
const WORLD: u32 = 4u;

// The moment that the path takes place, of the time that the shutter is open.
var<private> moment: f32;

struct Ray {
    origin: vec3<f32>,
    direction: vec3<f32>,
}

fn luminance(c: vec3<f32>) -> f32 {
    return 0.2126 * c.x + 0.7152 * c.y + 0.0722 * c.z;
}

fn largest(v: vec3<f32>) -> f32 {
    return max(max(v.x, v.y), v.z);
}

fn is_zero(v: vec3<f32>) -> bool {
    return v.x == 0.0 && v.y == 0.0 && v.z == 0.0;
}

fn square(v: vec3<f32>) -> f32 {
    return dot(v, v);
}

fn copysign(size: f32, sign: f32) -> f32 {
    return select(size, -size, sign < 0.0);
}

// Number `index` of a table that begins at `place` of `looks`, four numbers to an entry.
fn number(place: u32, index: u32) -> f32 {
    return looks[place + index / 4u][index % 4u];
}

struct Basis {
    x: vec3<f32>,
    y: vec3<f32>,
    z: vec3<f32>,
}

fn basis_around(z: vec3<f32>) -> Basis {
    let side = copysign(1.0, z.z);
    let a = -1.0 / (side + z.z);
    let b = z.x * z.y * a;
    return Basis(vec3(1.0 + side * z.x * z.x * a, side * b, -side * z.x), vec3(b, side + z.y * z.y * a, -z.y), z);
}

fn to_local(basis: Basis, v: vec3<f32>) -> vec3<f32> {
    return vec3(dot(v, basis.x), dot(v, basis.y), dot(v, basis.z));
}

fn to_world(basis: Basis, v: vec3<f32>) -> vec3<f32> {
    return basis.x * v.x + basis.y * v.y + basis.z * v.z;
}
