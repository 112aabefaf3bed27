//! From a scene file and the meshes beside it to the document that a recipe carries.
//!
//! Meshes are taken apart here, once, before there is a recipe: what comes out is what every machine then has.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rapier3d::{
    parry::transformation::{
        try_convex_hull,
        vhacd::{VHACD, VHACDParameters},
        voxelization::FillMode,
    },
    prelude::Vector,
};

use super::{
    Document, SceneError,
    document::{MAX_SCENE_BYTES, Node, Value},
    gltf::{self, Soup},
    mesh::{MAX_COORDINATE, MAX_CORNERS, MAX_PIECES, MIN_WIDTH, Triangles, extent},
    reader::{Field, bounds},
};

/// Voxels along the longest side of a mesh that is taken apart.
const RESOLUTION: u32 = 64;

/// Where an import reads the files that a scene names.
pub trait Folder {
    /// The bytes of the file at `path`, relative to the folder, which it may not leave; at most `most`.
    ///
    /// # Errors
    /// Why it cannot be read, in words that go on after the path.
    fn read(&mut self, path: &str, most: usize) -> Result<Vec<u8>, String>;
}

/// The document of a scene file, with its meshes in it: what [`super::Blueprint::read`] takes and a recipe carries.
///
/// # Errors
/// What is wrong with the text or with a mesh, with its line and field. Whether its fields make sense is for
/// [`super::Blueprint::read`] to say.
pub fn import(text: &str, folder: &mut dyn Folder) -> Result<Document, SceneError> {
    let mut root = Document::from_toml(text)?.into_root();
    if let Value::Table(fields) = &mut root.value
        && let Some(meshes) = fields.get_mut("meshes")
    {
        let field = Field { node: meshes, path: "meshes".into() };
        let embedded = field.table()?.named(super::MAX_MESHES)?.into_iter().map(|(name, field)| {
            let place = field.node.place;
            Ok((name.to_owned(), Node { value: embed(&field, folder)?, place }))
        });
        let embedded = embedded.collect::<Result<_, SceneError>>()?;
        meshes.value = Value::Table(embedded);
    }
    let document = Document::new(root);
    let length = document.canonical().len();
    if length > MAX_SCENE_BYTES {
        return Err(SceneError::file(
            format!("and its meshes come to {length} bytes, and a recipe carries at most {MAX_SCENE_BYTES}"),
            "simplify the meshes",
        ));
    }
    Ok(document)
}

fn embed(field: &Field<'_>, folder: &mut dyn Folder) -> Result<Value, SceneError> {
    let mut table = field.table()?;
    let file = table.need("file")?;
    let path = file.text()?;
    let scale = table.get("scale").map_or(Ok(1.0), |field| field.number(bounds(1e-4, 1e4, "")))?;
    let most = table.get("pieces").map_or(Ok(1), |field| field.whole(1, MAX_PIECES as u32))?;
    let smooth = table.get("smooth").map_or(Ok(true), |field| field.truth())?;
    table.finish()?;
    relative(path).map_err(|reason| file.wrong(reason, RELATIVE))?;
    let help = "a mesh is a glTF file (.glb or .gltf) of triangles, in metres";
    let bytes = folder.read(path, gltf::MAX_MESH_BYTES).map_err(|reason| file.wrong(reason, help))?;
    let mut beside = |uri: &str| {
        // What a mesh names lies beside it.
        let uri = path.rsplit_once('/').map_or_else(|| uri.to_owned(), |(parent, _)| format!("{parent}/{uri}"));
        relative(&uri)?;
        folder.read(&uri, gltf::MAX_MESH_BYTES)
    };
    let soup = gltf::read(&bytes, &mut beside).map_err(|reason| file.wrong(reason, help))?;
    let (surface, pieces) = taken_apart(soup, scale as f32, most).map_err(|reason| file.wrong(reason, help))?;
    let pieces = pieces.iter().map(Triangles::to_node).collect();
    Ok(Value::Table(
        [
            ("pieces".to_owned(), Node::new(Value::List(pieces))),
            ("smooth".to_owned(), Node::new(Value::Bool(smooth))),
            ("surface".to_owned(), surface.to_node()),
        ]
        .into(),
    ))
}

const RELATIVE: &str = "name a file in the scene's folder or below it, with / between folders";

/// Whether a path stays within its folder by its own words; links are for [`Folder`] to refuse.
fn relative(path: &str) -> Result<(), String> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    if path.len() <= 200 && path.split('/').all(plain) {
        return Ok(());
    }
    Err(format!("is {:?}, which does not stay in the scene's folder", super::reader::shortened(path)))
}

/// The surface, and the convex pieces that collide in its place, both around the middle of their box.
fn taken_apart((points, faces): Soup, scale: f32, most: u32) -> Result<(Triangles, Vec<Triangles>), String> {
    let (low, high) = extent(points.iter());
    let middle: [f32; 3] = std::array::from_fn(|i| (low[i] + high[i]) * 0.5);
    let place = |point: &[f32; 3]| -> [f32; 3] { std::array::from_fn(|i| (point[i] - middle[i]) * scale) };
    let points: Vec<[f32; 3]> = points.iter().map(place).collect();
    if !points.iter().flatten().all(|x| x.abs() <= MAX_COORDINATE) {
        return Err(format!("is larger than {MAX_COORDINATE} m: set its `scale`"));
    }
    if (0..3).any(|i| (high[i] - low[i]) * scale < MIN_WIDTH) {
        return Err(format!("is thinner than {MIN_WIDTH} m: give it a volume, or set its `scale`"));
    }
    let has_area = |face: &[u32; 3]| {
        let [a, b, c] = face.map(|index| Vector::from(points[index as usize]));
        (b - a).cross(c - a).length_squared() > 1e-16
    };
    let faces: Vec<[u32; 3]> = faces.into_iter().filter(has_area).collect();
    let corners: Vec<Vector> = points.iter().map(|point| Vector::from(*point)).collect();
    // Both are meant for whole meshes, and panic over some that are not.
    let hulls = catch_unwind(AssertUnwindSafe(|| {
        if most == 1 {
            return vec![corners.clone()];
        }
        let parameters = VHACDParameters {
            resolution: RESOLUTION,
            max_convex_hulls: most,
            concavity: 0.002,
            fill_mode: FillMode::FloodFill { detect_cavities: false },
            ..VHACDParameters::default()
        };
        let parts = VHACD::decompose(&parameters, &corners, &faces, false).compute_convex_hulls(1);
        parts.into_iter().map(|(points, _)| points).collect()
    }));
    let hulls = hulls.map_err(|_| "cannot be taken apart: it is not a closed surface")?;
    let mut pieces = Vec::new();
    for hull in hulls.iter().take(most as usize) {
        // Slivers of the grid have no volume, and carry nothing.
        let hull = catch_unwind(|| convex(hull)).ok().flatten();
        pieces.extend(hull.filter(|hull| hull.convex_flaw().is_none()));
    }
    if pieces.is_empty() {
        return Err("has no volume".into());
    }
    let small = |face: [u32; 3]| face.map(|index| index as u16);
    Ok((Triangles { points, faces: faces.into_iter().map(small).collect() }, pieces))
}

/// The hull of points, with at most [`MAX_CORNERS`] corners: of more, those farthest out in directions all around.
fn convex(points: &[Vector]) -> Option<Triangles> {
    let hull = |points: &[Vector]| try_convex_hull(points).ok();
    let (mut corners, mut faces) = hull(points)?;
    let mut directions = MAX_CORNERS;
    while corners.len() > MAX_CORNERS && directions > 4 {
        let mut farthest: Vec<Vector> = Vec::new();
        for at in 0..directions {
            // A spiral of equal areas around the sphere.
            let height = 1.0 - (2 * at + 1) as f32 / directions as f32;
            let (sin, cos) = libm::sincosf(2.399_963_1 * at as f32);
            let run = (1.0 - height * height).sqrt();
            let direction = Vector::new(run * cos, height, run * sin);
            let best = corners.iter().max_by(|a, b| a.dot(direction).total_cmp(&b.dot(direction)))?;
            if !farthest.contains(best) {
                farthest.push(*best);
            }
        }
        (corners, faces) = hull(&farthest)?;
        directions -= 4;
    }
    // The hull's corners that its faces use, in their order.
    let mut place = vec![None; corners.len()];
    let mut out = Triangles::default();
    for face in faces {
        let face = face.map(|index| {
            *place[index as usize].get_or_insert_with(|| {
                out.points.push(corners[index as usize].into());
                (out.points.len() - 1) as u16
            })
        });
        out.faces.push(face);
    }
    Some(out)
}
