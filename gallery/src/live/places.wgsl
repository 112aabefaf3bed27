// Where particles are, and the triangles that they are drawn as. Where the world is stepped by the device that draws, their
// places come from the very buffer that it is stepped in.
#define_import_path seedstorm::places

struct Grid {
    // Its corner, and the edge of a cell.
    corner: vec4<f32>,
    // Words from one particle to the next, and whether they are cells in Q24 in place of world units in floats.
    stride: u32,
    in_cells: u32,
}

@group(#{MATERIAL_BIND_GROUP}) @binding(0) var<uniform> grid: Grid;
@group(#{MATERIAL_BIND_GROUP}) @binding(1) var<storage, read> places: array<u32>;

struct Vertex {
    @builtin(instance_index) instance: u32,
    // A triangle's number times three, and which of its corners this is.
    @location(0) corner: u32,
}

fn word(index: u32) -> f32 {
    let bits = places[index];
    return select(bitcast<f32>(bits), f32(bitcast<i32>(bits)) / 16777216.0, grid.in_cells != 0u);
}

fn place_of(number: u32) -> vec3<f32> {
    let first = number * grid.stride;
    let place = vec3(word(first), word(first + 1u), word(first + 2u));
    return select(place, grid.corner.xyz + place * grid.corner.w, grid.in_cells != 0u);
}

// The corners of the smallest triangle around a circle.
fn around_circle(corner: u32) -> vec2<f32> {
    var corners = array(vec2(-1.7320508, -1.0), vec2(1.7320508, -1.0), vec2(0.0, 2.0));
    return corners[corner % 3u];
}
