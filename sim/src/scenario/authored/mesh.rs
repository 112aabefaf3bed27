//! Meshes as a recipe carries them: convex pieces for the bodies, a surface for the picture.
//!
//! Points are base64 of little-endian `f32` triples, faces of little-endian `u16` triples. Every count is bounded by the
//! length of the text before anything is allocated.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nalgebra::{Point3, Vector3};
use rapier3d::prelude::{SharedShape, Vector};

use super::{
    SceneError,
    document::{Node, Value},
    reader::Field,
};
use crate::scene;

/// The most convex pieces of a mesh.
pub(super) const MAX_PIECES: usize = 32;

/// The most corners of a convex piece.
pub(super) const MAX_CORNERS: usize = 64;

/// The most vertices and triangles of a surface.
pub(super) const MAX_VERTICES: usize = 16_384;
pub(super) const MAX_TRIANGLES: usize = 32_768;

/// No coordinate of a mesh is larger, in metres.
pub(super) const MAX_COORDINATE: f32 = 100.0;

/// A mesh is at least so wide, in metres.
pub(super) const MIN_WIDTH: f32 = 0.005;

/// Points and counter-clockwise triangles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Triangles {
    pub(super) points: Vec<[f32; 3]>,
    pub(super) faces: Vec<[u16; 3]>,
}

/// A mesh of a scene.
#[derive(Debug, Clone)]
pub(super) struct EmbeddedMesh {
    pub(super) pieces: Vec<Triangles>,
    pub(super) surface: Arc<scene::Mesh>,
    /// The least and the greatest coordinates of the pieces.
    pub(super) low: [f32; 3],
    pub(super) high: [f32; 3],
}

impl EmbeddedMesh {
    pub(super) fn read(field: &Field<'_>) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let pieces = table.need("pieces")?;
        let list = pieces.list(MAX_PIECES)?;
        let read = |piece: &Field<'_>| {
            let triangles = Triangles::read(piece, MAX_CORNERS, 2 * MAX_CORNERS)?;
            let flaw = triangles.convex_flaw().or_else(|| triangles.engine_flaw());
            match flaw {
                None => Ok(triangles),
                Some(flaw) => Err(piece.wrong(format!("is not a closed convex body: {flaw}"), REMAKE)),
            }
        };
        let pieces_read = list.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let surface = table.need("surface")?;
        let triangles = Triangles::read(&surface, MAX_VERTICES, MAX_TRIANGLES)?;
        let smooth = table.get("smooth").map_or(Ok(true), |field| field.truth())?;
        table.finish()?;
        let (low, high) = extent(pieces_read.iter().flat_map(|piece| &piece.points));
        if pieces_read.is_empty() || (0..3).any(|axis| high[axis] - low[axis] < MIN_WIDTH) {
            return Err(pieces.wrong("has no extent", REMAKE));
        }
        Ok(Self { pieces: pieces_read, surface: Arc::new(triangles.into_surface(smooth)), low, high })
    }
}

const REMAKE: &str = "a mesh in a recipe is what `seedstorm` made of a glTF file: make it again from the scene file";

pub(super) fn extent<'a>(points: impl Iterator<Item = &'a [f32; 3]>) -> ([f32; 3], [f32; 3]) {
    points.fold(([f32::MAX; 3], [f32::MIN; 3]), |(low, high), point| {
        (std::array::from_fn(|i| low[i].min(point[i])), std::array::from_fn(|i| high[i].max(point[i])))
    })
}

impl Triangles {
    /// As a document has them.
    pub(super) fn to_node(&self) -> Node {
        let points: Vec<u8> = self.points.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
        let faces: Vec<u8> = self.faces.iter().flatten().flat_map(|i| i.to_le_bytes()).collect();
        let text = |bytes: Vec<u8>| Node::new(Value::Text(STANDARD.encode(bytes)));
        Node::new(Value::Table([("points".to_owned(), text(points)), ("faces".to_owned(), text(faces))].into()))
    }

    fn read(field: &Field<'_>, most_points: usize, most_faces: usize) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let points_field = table.need("points")?;
        let points: Vec<[f32; 3]> = decoded(&points_field, 12, most_points)?.chunks_exact(12).map(floats).collect();
        if points.iter().flatten().any(|x| !x.is_finite() || x.abs() > MAX_COORDINATE) {
            return Err(points_field.wrong(format!("holds a coordinate beyond {MAX_COORDINATE} m"), REMAKE));
        }
        let faces_field = table.need("faces")?;
        let faces: Vec<[u16; 3]> = decoded(&faces_field, 6, most_faces)?
            .chunks_exact(6)
            .map(|b| std::array::from_fn(|i| u16::from_le_bytes([b[2 * i], b[2 * i + 1]])))
            .collect();
        if faces.iter().flatten().any(|index| usize::from(*index) >= points.len()) {
            return Err(faces_field.wrong("names a point that is not there", REMAKE));
        }
        table.finish()?;
        Ok(Self { points, faces })
    }

    pub(super) fn face(&self, face: [u16; 3]) -> [Vector3<f64>; 3] {
        face.map(|index| Vector3::from(self.points[usize::from(index)].map(f64::from)))
    }

    /// Why this is no closed convex body with a volume, if it is none.
    pub(super) fn convex_flaw(&self) -> Option<&'static str> {
        let (low, high) = extent(self.points.iter());
        let width = (0..3).map(|i| f64::from(high[i]) - f64::from(low[i])).fold(0.0, f64::max);
        let mut edges = BTreeSet::new();
        let mut used = BTreeSet::new();
        let mut volume = 0.0;
        for face in &self.faces {
            let [a, b, c] = self.face(*face);
            let normal = (b - a).cross(&(c - a));
            let length = normal.norm();
            if length <= width * width * 1e-9 {
                return Some("a face has no area");
            }
            for side in 0..3 {
                if !edges.insert((face[side], face[(side + 1) % 3])) {
                    return Some("an edge has more than two faces");
                }
            }
            used.extend(*face);
            if (0..self.points.len()).any(|i| {
                let point = Vector3::from(self.points[i].map(f64::from));
                (point - a).dot(&normal) > length * width * 2e-3
            }) {
                return Some("a corner lies outside of a face");
            }
            let middle = Vector3::from(self.points[0].map(f64::from));
            volume += (a - middle).dot(&(b - middle).cross(&(c - middle))) / 6.0;
        }
        if edges.iter().any(|(a, b)| !edges.contains(&(*b, *a))) {
            return Some("an edge has only one face");
        }
        if used.len() != self.points.len() || self.points.len() + self.faces.len() != edges.len() / 2 + 2 {
            return Some("its corners are not those of one body");
        }
        (volume <= width * width * width * 1e-6).then_some("it is flat")
    }

    /// Whether the engine takes it, which it says only by trying.
    fn engine_flaw(&self) -> Option<&'static str> {
        let points = self.points.iter().map(|point| Vector::from(*point)).collect();
        let faces: Vec<[u32; 3]> = self.faces.iter().map(|face| face.map(u32::from)).collect();
        SharedShape::convex_mesh(points, &faces).is_none().then_some("its faces do not fit together")
    }

    /// As a renderer draws it.
    pub(super) fn into_surface(self, smooth: bool) -> scene::Mesh {
        let mut normals = vec![Vector3::zeros(); self.points.len()];
        for face in &self.faces {
            let [a, b, c] = self.face(*face);
            let normal = (b - a).cross(&(c - a));
            face.iter().for_each(|index| normals[usize::from(*index)] += normal);
        }
        // Where faces cancel out, any direction is as good as another.
        let unit = |normal: Vector3<f64>| normal.try_normalize(1e-30).unwrap_or_else(Vector3::y).cast::<f32>();
        scene::Mesh {
            positions: self.points.into_iter().map(Point3::from).collect(),
            normals: if smooth { normals.into_iter().map(unit).collect() } else { Vec::new() },
            colors: Vec::new(),
            triangles: self.faces.into_iter().map(|face| face.map(u32::from)).collect(),
        }
    }
}

fn floats(bytes: &[u8]) -> [f32; 3] {
    std::array::from_fn(|i| f32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four bytes")))
}

/// The bytes of a base64 text: a whole number of records, at least one and at most `most`.
fn decoded(field: &Field<'_>, record: usize, most: usize) -> Result<Vec<u8>, SceneError> {
    let text = field.text()?;
    if text.len() > (record * most).div_ceil(3) * 4 {
        return Err(field.wrong("is too long", format!("at most {most} records of {record} bytes, as base64")));
    }
    let bytes = STANDARD.decode(text).map_err(|_| field.wrong("is not base64", REMAKE))?;
    let whole = !bytes.is_empty() && bytes.len().is_multiple_of(record) && bytes.len() / record <= most;
    if whole { Ok(bytes) } else { Err(field.wrong(format!("is no whole number of {record}-byte records"), REMAKE)) }
}
