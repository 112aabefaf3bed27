//! Triangles of a glTF 2.0 file, binary or not: positions and faces alone, of the default scene, in world coordinates.
//!
//! Only what a shape needs is read, and strictly: triangles, plain accessors, buffers within the file, as `data:` URIs or
//! beside it. Every offset and length is checked against the bytes that are there before they are looked at.
//! Source: Khronos, *glTF 2.0 Specification*, sections 3.6, 3.7 and 4.4.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nalgebra::{Matrix4, Point3, Quaternion, Translation3, UnitQuaternion, Vector3};
use serde::Deserialize;

use super::mesh::{MAX_TRIANGLES, MAX_VERTICES};

/// The largest file that is read, in bytes; each of its buffers may be as large.
pub const MAX_MESH_BYTES: usize = 16 << 20;

/// The most of anything that a file lists.
const MAX_ENTRIES: usize = 4096;

/// How deep nodes lie within nodes at most.
const MAX_DEPTH: u32 = 32;

const MAGIC: &[u8; 4] = b"glTF";
const JSON_CHUNK: u32 = 0x4E4F_534A;
const BIN_CHUNK: u32 = 0x004E_4942;

/// Points and triangles.
pub(super) type Soup = (Vec<[f32; 3]>, Vec<[u32; 3]>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Root {
    asset: Asset,
    #[serde(default)]
    extensions_required: Vec<String>,
    scene: Option<usize>,
    #[serde(default)]
    scenes: Vec<Scene>,
    #[serde(default)]
    nodes: Vec<Node>,
    #[serde(default)]
    meshes: Vec<Mesh>,
    #[serde(default)]
    accessors: Vec<Accessor>,
    #[serde(default)]
    buffer_views: Vec<View>,
    #[serde(default)]
    buffers: Vec<Buffer>,
}

#[derive(Deserialize)]
struct Asset {
    version: String,
}

#[derive(Deserialize)]
struct Scene {
    #[serde(default)]
    nodes: Vec<usize>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    children: Vec<usize>,
    mesh: Option<usize>,
    matrix: Option<[f32; 16]>,
    translation: Option<[f32; 3]>,
    rotation: Option<[f32; 4]>,
    scale: Option<[f32; 3]>,
}

#[derive(Deserialize)]
struct Mesh {
    primitives: Vec<Primitive>,
}

#[derive(Deserialize)]
struct Primitive {
    attributes: Attributes,
    indices: Option<usize>,
    mode: Option<u32>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(rename = "POSITION")]
    position: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessor {
    buffer_view: Option<usize>,
    #[serde(default)]
    byte_offset: usize,
    component_type: u32,
    count: usize,
    #[serde(rename = "type")]
    kind: String,
    sparse: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    buffer: usize,
    #[serde(default)]
    byte_offset: usize,
    byte_length: usize,
    byte_stride: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Buffer {
    uri: Option<String>,
    byte_length: usize,
}

/// The triangles of a file. `beside` gives the bytes of a file that this one names.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(bytes: &[u8], beside: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) -> Result<Soup, String> {
    if bytes.len() > MAX_MESH_BYTES {
        return Err(format!("is larger than {MAX_MESH_BYTES} bytes"));
    }
    let (json, bin) = if bytes.starts_with(MAGIC) { chunks(bytes)? } else { (bytes, None) };
    let root: Root = serde_json::from_slice(json).map_err(|error| format!("is no glTF: {error}"))?;
    if !root.asset.version.starts_with("2.") {
        return Err("is of another version than glTF 2".into());
    }
    if let Some(extension) = root.extensions_required.first() {
        return Err(format!(
            "needs the extension {:?}: export it without compression",
            super::reader::shortened(extension)
        ));
    }
    let counts =
        [root.scenes.len(), root.nodes.len(), root.meshes.len(), root.accessors.len(), root.buffer_views.len()];
    if counts.iter().any(|count| *count > MAX_ENTRIES) || root.buffers.len() > 16 {
        return Err(format!("lists more than {MAX_ENTRIES} of something, or more than 16 buffers"));
    }
    let mut buffers = Vec::new();
    for (at, buffer) in root.buffers.iter().enumerate() {
        buffers.push(buffer_bytes(at, buffer, bin, beside)?);
    }
    let mut reader = Reader { root: &root, buffers, soup: (Vec::new(), Vec::new()), visited: 0 };
    let scene = root.scenes.get(root.scene.unwrap_or(0)).ok_or("has no scene")?;
    for node in &scene.nodes {
        reader.node(*node, &Matrix4::identity(), 0)?;
    }
    if reader.soup.1.is_empty() {
        return Err("holds no triangles".into());
    }
    Ok(reader.soup)
}

/// The JSON and the binary chunk of a .glb.
fn chunks(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), String> {
    const CUT: &str = "is cut short";
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().expect("four bytes")));
    if word(4) != Some(2) {
        return Err("is of another version than glTF 2".into());
    }
    if word(8).map(|length| length as usize) != Some(bytes.len()) {
        return Err("is not as long as it says".into());
    }
    let mut found = [None, None];
    let mut at = 12;
    while at < bytes.len() {
        let (length, kind) = (word(at).ok_or(CUT)? as usize, word(at + 4).ok_or(CUT)?);
        let chunk = bytes[at + 8..].get(..length).ok_or(CUT)?;
        match kind {
            JSON_CHUNK if at == 12 => found[0] = Some(chunk),
            BIN_CHUNK if found[1].is_none() => found[1] = Some(chunk),
            _ => {}
        }
        at += 8 + length;
    }
    Ok((found[0].ok_or("does not begin with JSON")?, found[1]))
}

fn buffer_bytes(
    at: usize,
    buffer: &Buffer,
    bin: Option<&[u8]>,
    beside: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    if buffer.byte_length > MAX_MESH_BYTES {
        return Err(format!("has a buffer of {} bytes, and at most {MAX_MESH_BYTES} are read", buffer.byte_length));
    }
    let mut bytes = match &buffer.uri {
        None if at == 0 => bin.ok_or("names bytes that it does not hold")?.to_vec(),
        None => return Err("names bytes that it does not hold".into()),
        Some(uri) => match uri.strip_prefix("data:").and_then(|data| data.split_once(";base64,")) {
            Some((_, text)) => STANDARD.decode(text).map_err(|_| "has a data URI that is not base64")?,
            None if uri.contains(':') => return Err("names bytes that are not in its folder".into()),
            None => beside(uri)?,
        },
    };
    if bytes.len() < buffer.byte_length {
        return Err("has a buffer that is shorter than it says".into());
    }
    bytes.truncate(buffer.byte_length);
    Ok(bytes)
}

struct Reader<'a> {
    root: &'a Root,
    buffers: Vec<Vec<u8>>,
    soup: Soup,
    visited: usize,
}

impl Reader<'_> {
    fn node(&mut self, index: usize, outer: &Matrix4<f32>, depth: u32) -> Result<(), String> {
        self.visited += 1;
        // A node has one parent, so none is met twice, and a loop of nodes ends here.
        if self.visited > self.root.nodes.len() || depth > MAX_DEPTH {
            return Err("has nodes within themselves, or too deep".into());
        }
        let node = self.root.nodes.get(index).ok_or("names a node that is not there")?;
        let pose = outer * local(node);
        if let Some(mesh) = node.mesh {
            let mesh = self.root.meshes.get(mesh).ok_or("names a mesh that is not there")?;
            for primitive in &mesh.primitives {
                self.primitive(primitive, &pose)?;
            }
        }
        for child in &node.children {
            self.node(*child, &pose, depth + 1)?;
        }
        Ok(())
    }

    fn primitive(&mut self, primitive: &Primitive, pose: &Matrix4<f32>) -> Result<(), String> {
        if primitive.mode.unwrap_or(4) != 4 {
            return Err("holds other things than triangles: export it as triangles".into());
        }
        let position = primitive.attributes.position.ok_or("has a mesh without positions")?;
        let first = self.soup.0.len();
        let points = self.elements(position, "VEC3", &[5126], MAX_VERTICES.saturating_sub(first))?;
        let points: Vec<[f32; 3]> = points
            .iter()
            .map(|b| std::array::from_fn(|i| f32::from_le_bytes(b[4 * i..4 * i + 4].try_into().expect("four bytes"))))
            .collect();
        if points.iter().flatten().any(|x| !x.is_finite()) {
            return Err("holds a coordinate that is not finite".into());
        }
        let indices: Vec<u32> = match primitive.indices {
            None => (0..points.len() as u32).collect(),
            Some(accessor) => {
                let most = 3 * MAX_TRIANGLES.saturating_sub(self.soup.1.len());
                let whole = |b: &[u8]| b.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
                self.elements(accessor, "SCALAR", &[5121, 5123, 5125], most)?.into_iter().map(whole).collect()
            }
        };
        if !indices.len().is_multiple_of(3) || indices.iter().any(|index| *index as usize >= points.len()) {
            return Err("has triangles of points that are not there".into());
        }
        // A mirror turns its triangles inside out.
        let mirrored = pose.fixed_view::<3, 3>(0, 0).determinant() < 0.0;
        let placed = points.iter().map(|point| <[f32; 3]>::from(pose.transform_point(&Point3::from(*point)).coords));
        self.soup.0.extend(placed);
        let faces = indices.chunks_exact(3).map(|t| {
            let face = [t[0], t[1], t[2]].map(|index| index + first as u32);
            if mirrored { [face[0], face[2], face[1]] } else { face }
        });
        self.soup.1.extend(faces);
        if self.soup.1.len() > MAX_TRIANGLES {
            return Err(format!("has more than {MAX_TRIANGLES} triangles: simplify it"));
        }
        Ok(())
    }

    /// The bytes of each element of an accessor.
    fn elements(&self, index: usize, kind: &str, types: &[u32], most: usize) -> Result<Vec<&[u8]>, String> {
        const OUTSIDE: &str = "names bytes outside of its buffers";
        let accessor = self.root.accessors.get(index).ok_or("names an accessor that is not there")?;
        if accessor.kind != kind || !types.contains(&accessor.component_type) || accessor.sparse.is_some() {
            return Err("stores its numbers in a form that is not read here: export it without compression".into());
        }
        if accessor.count > most {
            return Err(format!("has more than {MAX_VERTICES} vertices or {MAX_TRIANGLES} triangles: simplify it"));
        }
        let component = match accessor.component_type {
            5121 => 1,
            5123 => 2,
            _ => 4,
        };
        let size = component * if kind == "VEC3" { 3 } else { 1 };
        let view = accessor.buffer_view.ok_or("has positions without bytes")?;
        let view = self.root.buffer_views.get(view).ok_or(OUTSIDE)?;
        let stride = view.byte_stride.unwrap_or(size);
        if !(size..=252).contains(&stride) {
            return Err("has elements that overlap".into());
        }
        let buffer = self.buffers.get(view.buffer).ok_or(OUTSIDE)?;
        let bytes = buffer.get(view.byte_offset..).and_then(|rest| rest.get(..view.byte_length)).ok_or(OUTSIDE)?;
        let bytes = bytes.get(accessor.byte_offset..).ok_or(OUTSIDE)?;
        (0..accessor.count).map(|at| bytes.get(at * stride..at * stride + size).ok_or(OUTSIDE.into())).collect()
    }
}

fn local(node: &Node) -> Matrix4<f32> {
    if let Some(matrix) = &node.matrix {
        return Matrix4::from_column_slice(matrix);
    }
    let [x, y, z, w] = node.rotation.unwrap_or([0.0, 0.0, 0.0, 1.0]);
    let turn = UnitQuaternion::try_new(Quaternion::new(w, x, y, z), 1e-6).unwrap_or_default();
    let scale = Vector3::from(node.scale.unwrap_or([1.0; 3]));
    Translation3::from(node.translation.unwrap_or_default()).to_homogeneous()
        * turn.to_homogeneous()
        * Matrix4::new_nonuniform_scaling(&scale)
}
