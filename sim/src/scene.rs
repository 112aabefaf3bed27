//! What a renderer draws: one frame's camera, lights, materials and shapes.
//!
//! A scenario turns the state of a trajectory at one instant into a [`Scene`]; a renderer turns a [`Scene`] into an
//! image. Units are the scenario's own world units; `y` is up; the frame is right-handed. Colours are linear Rec. 709.

use std::sync::Arc;

use nalgebra::{Point3, Similarity3, Vector3};

/// A linear Rec. 709 colour or radiance, unbounded above.
pub type Rgb = [f32; 3];

/// Everything that a renderer needs to draw one frame.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Where the picture is taken from.
    pub camera: Camera,
    /// Light from everywhere that no shape covers.
    pub sky: Sky,
    /// A map of light from everywhere, in place of the sky's gradient.
    pub environment: Option<Arc<Environment>>,
    /// A far disc of light.
    pub sun: Option<Sun>,
    /// Rectangular lights.
    pub lights: Vec<AreaLight>,
    /// Materials, indexed by [`Instance::material`] and [`Fluid::material`].
    pub materials: Vec<Material>,
    /// Meshes in their local space, indexed by [`Shape::Mesh`].
    pub meshes: Vec<Arc<Mesh>>,
    /// Shapes placed in the world.
    pub instances: Vec<Instance>,
    /// A liquid to be drawn as one smooth surface around its particles.
    pub fluid: Option<Fluid>,
    /// Points that shine and dust that dims, drawn over everything else.
    pub haze: Option<Haze>,
    /// Air that light scatters in.
    pub fog: Option<Fog>,
    /// Where each instance is when the shutter closes; empty where none moves.
    pub moved: Vec<Similarity3<f32>>,
    /// Factor on radiance before tone mapping, in stops (powers of two).
    pub exposure_stops: f32,
}

impl Scene {
    /// The same, as it moves to `later` while the shutter is open: the shapes that both have in the same place of their
    /// lists. Everything else, the camera too, stays as it is.
    #[must_use]
    pub fn exposed_until(mut self, later: &Self) -> Self {
        let alike = |(a, b): (&Instance, &Instance)| a.shape == b.shape && a.material == b.material;
        let same = self.instances.len() == later.instances.len();
        if same && self.instances.iter().zip(&later.instances).all(alike) {
            self.moved = later.instances.iter().map(|instance| instance.pose).collect();
        }
        self
    }
}

/// A thin-lens camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Centre of the lens.
    pub eye: Point3<f32>,
    /// The point in the middle of the picture.
    pub target: Point3<f32>,
    /// Roughly up; not parallel to the view.
    pub up: Vector3<f32>,
    /// Full vertical angle of view, radians, in (0, π).
    pub vertical_fov: f32,
    /// Radius of the lens in world units; 0 is a pinhole.
    pub lens_radius: f32,
    /// Distance from the eye to the plane in focus, along the view, in world units; above 0.
    pub focus_distance: f32,
}

/// A sky: a smooth vertical gradient for lighting, and what the camera itself sees behind everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sky {
    /// Radiance straight up.
    pub zenith: Rgb,
    /// Radiance at the horizon.
    pub horizon: Rgb,
    /// Radiance straight down.
    pub nadir: Rgb,
    /// What camera rays see instead of the gradient, where they hit nothing.
    pub backdrop: Option<Backdrop>,
}

/// Light from all around, by latitude and longitude.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Columns, at least 2; longitude is atan2(z, x), from −π in the first one on.
    pub width: usize,
    /// Rows from straight up to straight down, at least 2.
    pub height: usize,
    /// Radiance of each texel, row by row.
    pub radiance: Vec<Rgb>,
}

/// A disc of light that is endlessly far away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sun {
    /// Direction to it, of any length but zero.
    pub toward: Vector3<f32>,
    /// Its radius as an angle, radians, in (0, 0.5].
    pub angular_radius: f32,
    /// Radiance.
    pub radiance: Rgb,
}

/// A photographer's paper backdrop: a soft pool of light around the middle of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backdrop {
    /// Radiance in the middle of the pool.
    pub center: Rgb,
    /// Radiance in the far corners.
    pub edge: Rgb,
    /// Middle of the pool in the picture: x to the right and y up, in units of half the picture's height.
    pub middle: [f32; 2],
    /// Radius at which the pool has faded to `edge`, in the same unit; above 0.
    pub radius: f32,
}

/// A rectangle that emits light from its front, the side of `u × v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaLight {
    /// Middle of the rectangle.
    pub center: Point3<f32>,
    /// From the middle to the middle of one edge.
    pub u: Vector3<f32>,
    /// From the middle to the middle of a neighbouring edge; perpendicular to `u`.
    pub v: Vector3<f32>,
    /// Radiance of the front.
    pub radiance: Rgb,
    /// Whether the camera sees it; reflections always do.
    pub visible: bool,
}

/// A surface's response to light: a metal or a dielectric base under an optional clear coat and fuzz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Material {
    /// Diffuse albedo of a dielectric, reflectance at normal incidence of a metal, tint of glass; each in [0, 1].
    pub base_color: Rgb,
    /// 0 is a dielectric, 1 a metal.
    pub metallic: f32,
    /// GGX roughness of the base, perceptual (α = roughness²), in [0, 1].
    pub roughness: f32,
    /// Share of the dielectric base that is clear (refracting) rather than diffuse, in [0, 1].
    pub transmission: f32,
    /// Share of the dielectric body that light goes through, rather than coming back where it fell, in [0, 1]; for closed
    /// bodies.
    pub subsurface: f32,
    /// How far light goes in there between two scatterings, world units, each above 0.
    pub subsurface_radius: Rgb,
    /// Index of refraction, in [1, 3].
    pub ior: f32,
    /// How much larger the index is for blue than for red light, in [0, 0.5]: of crown glass 0.008, of diamond 0.025.
    pub dispersion: f32,
    /// Absorption inside a transmissive body, per world unit (Beer–Lambert).
    pub absorption: Rgb,
    /// Strength of a clear coat of index 1.5 over the base, in [0, 1].
    pub coat: f32,
    /// GGX roughness of the coat, perceptual, in [0, 1].
    pub coat_roughness: f32,
    /// Thickness of a film over metal or glass, below the coat, nanometres; 0 is none.
    pub film: f32,
    /// Index of that film, in [1, 3].
    pub film_ior: f32,
    /// Reflectance of fuzz over all of it, each in [0, 1]; black is none.
    pub sheen: Rgb,
    /// Roughness of that fuzz, perceptual, in [0, 1].
    pub sheen_roughness: f32,
    /// Radiance given off.
    pub emission: Rgb,
}

impl Default for Material {
    fn default() -> Self {
        Self {
            base_color: [0.8; 3],
            metallic: 0.0,
            roughness: 0.5,
            transmission: 0.0,
            subsurface: 0.0,
            subsurface_radius: [0.1; 3],
            ior: 1.5,
            dispersion: 0.0,
            absorption: [0.0; 3],
            coat: 0.0,
            coat_roughness: 0.05,
            film: 0.0,
            film_ior: 1.4,
            sheen: [0.0; 3],
            sheen_roughness: 0.5,
            emission: [0.0; 3],
        }
    }
}

/// A shape in its local space, centred on the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A sphere of this radius.
    Sphere(f32),
    /// A capsule along `y`.
    Capsule {
        /// From the centre to the centre of either cap.
        half_height: f32,
        /// Radius of the caps and of the cylinder.
        radius: f32,
    },
    /// A box of these half extents.
    Box(Vector3<f32>),
    /// A triangle mesh: an index into [`Scene::meshes`].
    Mesh(usize),
}

/// A shape placed in the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instance {
    /// What is placed.
    pub shape: Shape,
    /// Local space to world space.
    pub pose: Similarity3<f32>,
    /// Index into [`Scene::materials`].
    pub material: usize,
    /// Factor on the material's base colour.
    pub tint: Rgb,
    /// Radiance given off on top of the material's.
    pub emission: Rgb,
}

/// An indexed triangle mesh.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// Vertices.
    pub positions: Vec<Point3<f32>>,
    /// A unit normal per vertex for smooth shading, or empty for flat facets.
    pub normals: Vec<Vector3<f32>>,
    /// A factor on the base colour per vertex, interpolated, or empty.
    pub colors: Vec<Rgb>,
    /// Counter-clockwise vertex indices.
    pub triangles: Vec<[u32; 3]>,
}

/// A liquid, as particles.
#[derive(Debug, Clone, PartialEq)]
pub struct Fluid {
    /// Centres of the particles.
    pub positions: Vec<Point3<f32>>,
    /// Factor on the material's base colour, one per particle.
    pub colors: Vec<Rgb>,
    /// The surface's measure, world units: it shows shapes of a few of these.
    pub spacing: f32,
    /// The volume of liquid that each particle stands for, in cubic spacings: 1 where particles at rest lie a spacing
    /// apart. The smaller it is, the smoother is the surface that the particles agree on.
    pub share: f32,
    /// Index into [`Scene::materials`].
    pub material: usize,
}

impl Default for Fluid {
    fn default() -> Self {
        Self { positions: Vec::new(), colors: Vec::new(), spacing: 0.0, share: 1.0, material: 0 }
    }
}

/// Air that scatters light alike everywhere in a box, and that shapes stand in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fog {
    /// The box's corner of the least coordinates.
    pub low: Point3<f32>,
    /// The opposite corner.
    pub high: Point3<f32>,
    /// Meetings of light with a droplet, a world unit; 0 is none.
    pub density: f32,
    /// Share of light that a meeting leaves, each in [0, 1].
    pub albedo: Rgb,
    /// Mean cosine of the angle by which it turns the light, in [−0.95, 0.95]: above 0, light goes on forward.
    pub anisotropy: f32,
}

/// What a world is made of, one by one, in the order in which it is stepped.
#[derive(Debug, Clone, PartialEq)]
pub struct Particles {
    /// Their centres.
    pub places: Vec<Point3<f32>>,
    /// Edge of a cell of the grid that they move in, world units.
    pub cell: f32,
    /// That grid's corner.
    pub corner: Point3<f32>,
    /// What is seen of them.
    pub seen: Seen,
}

/// What is seen of particles.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Each as a ball.
    Balls {
        /// The radius of those of each of [`Scene::materials`], world units: where they are at rest they overlap.
        radii: Vec<f32>,
        /// Each one's factor on its material's base colour, and the index of that in [`Scene::materials`]; `None` where it is
        /// not seen.
        looks: Vec<(Rgb, Option<usize>)>,
    },
    /// Clouds of light and dust around them.
    Clouds {
        /// The clouds, in any order.
        puffs: Vec<Puff>,
        /// Whether they shine, rather than dim.
        shining: bool,
    },
}

/// A [`Cloud`] around a particle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Puff {
    /// Which particle's place is its own.
    pub around: u32,
    /// As of a [`Cloud`].
    pub radius: f32,
    /// As of a [`Cloud`].
    pub depth: Rgb,
    /// As of a [`Cloud`].
    pub radiance: Rgb,
}

impl Puff {
    /// The cloud that it is at `position`.
    #[must_use]
    pub fn at(self, position: Point3<f32>) -> Cloud {
        Cloud { position, radius: self.radius, depth: self.depth, radiance: self.radiance }
    }
}

/// Many small clouds, drawn from back to front over the picture of everything else, which they neither light nor hide
/// behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Haze {
    /// The clouds, in any order.
    pub clouds: Vec<Cloud>,
    /// The share of the clouds' light that a lens scatters softly around where it comes from, in [0, 1].
    pub bloom: f32,
}

/// A round cloud that fades like a Gaussian, shines, and dims what is behind it.
///
/// A line that passes at distance b from its centre goes through an optical depth of `depth · exp(−b² / 2 radius²)`. A
/// cloud too deep to look through shows `radiance`, a thin one as much of it as it takes away from behind: so however
/// many clouds stand behind each other, none is brighter than the brightest of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cloud {
    /// Its centre.
    pub position: Point3<f32>,
    /// Standard deviation of the Gaussian, world units, above 0.
    pub radius: f32,
    /// Optical depth through the centre; what is lost of red, green and blue may differ.
    pub depth: Rgb,
    /// What it shows where it is deep; black for dust.
    pub radiance: Rgb,
}
