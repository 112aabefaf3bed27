//! Particles by themselves, drawn where they are: on the device that steps them they never leave it.
//!
//! A liquid's surface takes a processor longer than a frame, of many particles far longer, and so do many points of light.
//! While a world moves its particles are drawn one by one, as balls or as clouds; where it rests, the surface follows
//! (`bake.rs`), or the points as the film will have them.

use bevy::{
    asset::{RenderAssetUsages, embedded_asset},
    mesh::{MeshVertexAttribute, MeshVertexBufferLayoutRef, PrimitiveTopology, VertexFormat},
    pbr::{MaterialPipeline, MaterialPipelineKey, StandardMaterial},
    prelude::*,
    render::{
        render_resource::{
            AsBindGroup, Buffer, BufferInitDescriptor, BufferUsages, RenderPipelineDescriptor, ShaderType,
            SpecializedMeshPipelineError,
        },
        renderer::{RenderDevice, RenderQueue},
    },
    shader::{ShaderRef, load_shader_library},
};
use bytemuck::cast_slice;
use seedstorm_sim::{
    gpu::OnDevice,
    scene::{self, Particles, Puff, Seen},
};

use super::look;

/// Teaches Bevy to draw particles.
pub struct ParticlesPlugin;

impl Plugin for ParticlesPlugin {
    fn build(&self, app: &mut App) {
        load_shader_library!(app, "places.wgsl");
        embedded_asset!(app, "balls.wgsl");
        embedded_asset!(app, "puffs.wgsl");
        app.add_plugins((MaterialPlugin::<Balls>::default(), MaterialPlugin::<Puffs>::default()));
    }
}

const BALLS: &str = "embedded://seedstorm_gallery/live/balls.wgsl";
const PUFFS: &str = "embedded://seedstorm_gallery/live/puffs.wgsl";

/// A triangle's number times three, and which of its corners a vertex is.
const CORNER: MeshVertexAttribute = MeshVertexAttribute::new("Corner", 0x5eed_5707, VertexFormat::Uint32);

/// Where particles are: `places.wgsl` says what each means.
#[derive(ShaderType, Clone)]
struct Grid {
    corner: Vec4,
    stride: u32,
    in_cells: u32,
}

/// Balls of one material.
#[derive(Asset, TypePath, AsBindGroup, Clone)]
pub struct Balls {
    #[uniform(0)]
    grid: Grid,
    #[storage(1, read_only, buffer)]
    places: Buffer,
    #[uniform(2)]
    look: Look,
    #[storage(3, read_only, buffer)]
    tints: Buffer,
}

/// What balls look like: `balls.wgsl` says what each means.
#[derive(ShaderType, Clone)]
struct Look {
    base_color: Vec4,
    emissive: Vec4,
    radius: f32,
    metallic: f32,
    perceptual_roughness: f32,
    reflectance: f32,
    clearcoat: f32,
    clearcoat_perceptual_roughness: f32,
    material: f32,
}

impl Look {
    /// Number `material`, seen as balls.
    fn new(material: usize, of: &scene::Material, radius: f32) -> Self {
        let standard = look::material(of);
        // In place of an alpha: how much the exposure is told to do to it, which is nothing of what a material gives off.
        let color = |color: LinearRgba| Vec4::new(color.red, color.green, color.blue, 0.0);
        let StandardMaterial { metallic, perceptual_roughness, reflectance, clearcoat, .. } = standard;
        Self {
            base_color: color(standard.base_color.to_linear()),
            emissive: color(standard.emissive),
            radius,
            metallic,
            // A mirror of many balls shows nothing but glints.
            perceptual_roughness: perceptual_roughness.max(0.35),
            reflectance,
            clearcoat,
            clearcoat_perceptual_roughness: standard.clearcoat_perceptual_roughness.max(0.25),
            material: material as f32 + 1.0,
        }
    }
}

impl Material for Balls {
    fn vertex_shader() -> ShaderRef {
        BALLS.into()
    }

    fn fragment_shader() -> ShaderRef {
        BALLS.into()
    }

    fn prepass_vertex_shader() -> ShaderRef {
        BALLS.into()
    }

    fn prepass_fragment_shader() -> ShaderRef {
        BALLS.into()
    }

    /// A ball's triangle is larger than the ball.
    fn alpha_mode(&self) -> AlphaMode {
        AlphaMode::Mask(0.5)
    }

    fn specialize(
        _: &MaterialPipeline,
        descriptor: &mut RenderPipelineDescriptor,
        layout: &MeshVertexBufferLayoutRef,
        _: MaterialPipelineKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        descriptor.vertex.shader_defs.push("STANDARD_MATERIAL_CLEARCOAT".into());
        if let Some(fragment) = &mut descriptor.fragment {
            fragment.shader_defs.push("STANDARD_MATERIAL_CLEARCOAT".into());
        }
        of_triangles(descriptor, layout)
    }
}

/// Clouds of light and dust.
#[derive(Asset, TypePath, AsBindGroup, Clone)]
pub struct Puffs {
    #[uniform(0)]
    grid: Grid,
    #[storage(1, read_only, buffer)]
    places: Buffer,
    #[storage(2, read_only, buffer)]
    puffs: Buffer,
}

impl Material for Puffs {
    fn vertex_shader() -> ShaderRef {
        PUFFS.into()
    }

    fn fragment_shader() -> ShaderRef {
        PUFFS.into()
    }

    fn alpha_mode(&self) -> AlphaMode {
        AlphaMode::Premultiplied
    }

    fn enable_prepass() -> bool {
        false
    }

    fn enable_shadows() -> bool {
        false
    }

    fn specialize(
        _: &MaterialPipeline,
        descriptor: &mut RenderPipelineDescriptor,
        layout: &MeshVertexBufferLayoutRef,
        _: MaterialPipelineKey<Self>,
    ) -> Result<(), SpecializedMeshPipelineError> {
        of_triangles(descriptor, layout)
    }
}

/// A pipeline whose vertices are numbers, and whose triangles have no back.
fn of_triangles(
    descriptor: &mut RenderPipelineDescriptor,
    layout: &MeshVertexBufferLayoutRef,
) -> Result<(), SpecializedMeshPipelineError> {
    descriptor.vertex.buffers = vec![layout.0.get_layout(&[CORNER.at_shader_location(0)])?];
    descriptor.primitive.cull_mode = None;
    Ok(())
}

/// A moment's particles, ready to be drawn.
pub struct Cloud {
    /// Their places in the world; none where the device has them.
    places: Vec<[f32; 3]>,
    count: usize,
    corner: Vec4,
    /// What the device is told of each: a triangle is drawn for so many bytes.
    looks: Vec<u8>,
    kind: Kind,
}

enum Kind {
    /// The materials that occur, and the radius of each.
    Balls(Vec<(usize, f32)>),
    /// Whether they shine.
    Puffs(bool),
}

/// Bytes that the device is told of a ball, and of a cloud.
const BALL: usize = 16;
const PUFF: usize = 32;

impl Cloud {
    /// Particles with their places, or without.
    pub fn new(of: &Particles, with_places: bool) -> Self {
        let (looks, kind) = match &of.seen {
            Seen::Balls { radii, looks } => {
                let mut materials: Vec<usize> = looks.iter().filter_map(|(_, material)| *material).collect();
                materials.sort_unstable();
                materials.dedup();
                let tint = |([r, g, b], material): &([f32; 3], Option<usize>)| {
                    [*r, *g, *b, material.map_or(0.0, |material| material as f32 + 1.0)]
                };
                let tints: Vec<[f32; 4]> = looks.iter().map(tint).collect();
                let used = materials.into_iter().map(|material| (material, radii[material])).collect();
                (cast_slice(&tints).to_vec(), Kind::Balls(used))
            }
            Seen::Clouds { puffs, shining } => {
                let words = |Puff { around, radius, depth, radiance }: &Puff| {
                    let ([r, g, b], [x, y, z]) = (radiance.map(f32::to_bits), depth.map(f32::to_bits));
                    [r, g, b, radius.to_bits(), x, y, z, *around]
                };
                let words: Vec<[u32; 8]> = puffs.iter().map(words).collect();
                (cast_slice(&words).to_vec(), Kind::Puffs(*shining))
            }
        };
        Self {
            places: if with_places { of.places.iter().map(|place| (*place).into()).collect() } else { vec![] },
            count: of.places.len(),
            corner: look::point(of.corner).extend(of.cell),
            looks,
            kind,
        }
    }

    /// Whether it shines; `None` where it is of what light falls on.
    pub fn shining(&self) -> Option<bool> {
        if let Kind::Puffs(shining) = self.kind { Some(shining) } else { None }
    }
}

/// What is drawn of particles.
pub enum Drawn {
    Balls(Balls),
    Puffs(Puffs),
}

/// A view's buffers on the device.
pub struct Buffers {
    mesh: Handle<Mesh>,
    places: Buffer,
    looks: Buffer,
    /// What `looks` holds.
    written: Vec<u8>,
}

impl Buffers {
    /// Room for the particles of a world.
    pub fn new(cloud: &Cloud, device: &RenderDevice, meshes: &mut Assets<Mesh>) -> Self {
        let create = |label, contents: &[u8]| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            device.create_buffer_with_data(&BufferInitDescriptor { label: Some(label), contents, usage })
        };
        let bytes = if let Kind::Puffs(_) = cloud.kind { PUFF } else { BALL };
        Self {
            mesh: meshes.add(triangles((cloud.looks.len() / bytes) as u32)),
            places: create("places", cast_slice(&vec![[0.0_f32; 3]; cloud.count])),
            looks: create("looks", &cloud.looks),
            written: cloud.looks.clone(),
        }
    }

    /// What is drawn at this moment: where `on_device` has the particles, or where `cloud` says.
    pub fn show(
        &mut self,
        cloud: Cloud,
        materials: &[scene::Material],
        on_device: Option<&OnDevice>,
        queue: &RenderQueue,
    ) -> Vec<(Mesh3d, Drawn)> {
        if cloud.looks != self.written {
            queue.write_buffer(&self.looks, 0, &cloud.looks);
            self.written = cloud.looks;
        }
        let (places, stride) = match on_device {
            Some(there) => (Buffer::from(there.buffer.clone()), there.stride),
            None => {
                queue.write_buffer(&self.places, 0, cast_slice(&cloud.places));
                (self.places.clone(), 3)
            }
        };
        let grid = Grid { corner: cloud.corner, stride, in_cells: u32::from(on_device.is_some()) };
        let mesh = Mesh3d(self.mesh.clone());
        let looks = &self.looks;
        match cloud.kind {
            Kind::Puffs(_) => vec![(mesh, Drawn::Puffs(Puffs { grid, places, puffs: looks.clone() }))],
            Kind::Balls(used) => {
                let balls = |(material, radius): (usize, f32)| {
                    let look = Look::new(material, &materials[material], radius);
                    let (grid, places, tints) = (grid.clone(), places.clone(), looks.clone());
                    (mesh.clone(), Drawn::Balls(Balls { grid, places, look, tints }))
                };
                used.into_iter().map(balls).collect()
            }
        }
    }
}

/// So many triangles; where they lie is for the shader to say.
fn triangles(count: u32) -> Mesh {
    let corners: Vec<u32> = (0..3 * count).collect();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD).with_inserted_attribute(CORNER, corners)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bevy::{
        camera::{Exposure, RenderTarget, visibility::NoFrustumCulling},
        render::{
            gpu_readback::{Readback, ReadbackComplete},
            render_resource::{TextureFormat, TextureUsages},
        },
        window::ExitCondition,
        winit::WinitPlugin,
    };
    use nalgebra::Point3;

    use super::*;

    const EDGE: u32 = 64;

    /// What a camera at (0, 0, 3) sees of these particles, of which those that the device has are in cells.
    fn drawn(particles: &[[f32; 3]], balls: bool, by_device: bool) -> Vec<u8> {
        let window = WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
        let mut app = App::new();
        app.add_plugins(DefaultPlugins.build().set(window).disable::<WinitPlugin>().disable::<bevy::log::LogPlugin>())
            .add_plugins(ParticlesPlugin)
            .insert_resource(ClearColor(Color::BLACK));
        app.finish();
        app.cleanup();
        let world = app.world_mut();
        let mut image = Image::new_target_texture(EDGE, EDGE, TextureFormat::Rgba8UnormSrgb, None);
        image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
        let image = world.resource_mut::<Assets<Image>>().add(image);
        let (cell, corner) = (0.125, Point3::new(-4.0, -4.0, -4.0));
        let count = particles.len();
        // The last one is of another material, or shines in another colour.
        let looks = (0..count).map(|number| ([1.0, 0.5, 0.25], Some(usize::from(number + 1 == count)))).collect();
        let puff = |around: u32| Puff {
            around,
            radius: 0.25,
            depth: [0.5; 3],
            radiance: if around + 1 == count as u32 { [0.0, 0.0, 1.0] } else { [1.0, 0.5, 0.25] },
        };
        let puffs = (0..count as u32).map(puff).collect();
        let of = Particles {
            places: particles.iter().map(|place| Point3::from(*place)).collect(),
            cell,
            corner,
            seen: if balls {
                Seen::Balls { radii: vec![0.5; 2], looks }
            } else {
                Seen::Clouds { puffs, shining: false }
            },
        };
        let cloud = Cloud::new(&of, !by_device);
        let materials = [scene::Material::default(), scene::Material { base_color: [0.0; 3], ..default() }];
        let device = world.resource::<RenderDevice>().clone();
        let queue = world.resource::<RenderQueue>().clone();
        let mut buffers = Buffers::new(&cloud, &device, &mut world.resource_mut::<Assets<Mesh>>());
        let words = particles.iter().flat_map(|place| {
            let in_cells = |axis: usize| ((place[axis] - corner[axis]) / cell * 16_777_216.0) as i32;
            [in_cells(0), in_cells(1), in_cells(2), -1]
        });
        let buffer = device.wgpu_device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: particles.len() as u64 * 16,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        queue.0.write_buffer(&buffer, 0, cast_slice(&words.collect::<Vec<i32>>()));
        let there = OnDevice { buffer, stride: 4 };
        for (mesh, drawn) in buffers.show(cloud, &materials, by_device.then_some(&there), &queue) {
            let mut drawing = world.spawn((mesh, NoFrustumCulling));
            match drawn {
                Drawn::Balls(balls) => {
                    let balls = drawing.world_scope(|world| world.resource_mut::<Assets<Balls>>().add(balls));
                    drawing.insert(MeshMaterial3d(balls));
                }
                Drawn::Puffs(puffs) => {
                    let puffs = drawing.world_scope(|world| world.resource_mut::<Assets<Puffs>>().add(puffs));
                    drawing.insert(MeshMaterial3d(puffs));
                }
            }
        }
        world.spawn((DirectionalLight::default(), Transform::from_xyz(1.0, 1.0, 2.0).looking_at(Vec3::ZERO, Vec3::Y)));
        world.spawn((
            Camera3d::default(),
            RenderTarget::Image(image.clone().into()),
            // The light is a sun's; clouds shine by themselves.
            if balls { Exposure::default() } else { Exposure { ev100: 0.0 } },
            Projection::Perspective(PerspectiveProjection { fov: 1.0, ..default() }),
            Transform::from_xyz(0.0, 0.0, 3.0).looking_at(Vec3::ZERO, Vec3::Y),
        ));
        let latest = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&latest);
        world.spawn(Readback::texture(image)).observe(move |complete: On<ReadbackComplete>| {
            told.lock().unwrap().clone_from(&complete.data);
        });
        // The pipelines are made meanwhile.
        let mut before = vec![];
        for _ in 0..600 {
            app.update();
            let picture = latest.lock().unwrap().clone();
            let lit = picture.as_chunks::<4>().0.iter().any(|[r, g, b, _]| (*r, *g, *b) != (0, 0, 0));
            if lit && picture == before {
                return picture;
            }
            before = picture;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("nothing came to the screen");
    }

    /// A software one will do.
    fn there_is_an_adapter() -> bool {
        let there = !seedstorm_sim::gpu::adapters().is_empty();
        if !there && std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none() {
            eprintln!("not drawn: no adapter");
            return false;
        }
        true
    }

    #[test]
    fn balls_are_round_and_where_the_device_has_them() {
        if !there_is_an_adapter() {
            return;
        }
        // One in the middle, one behind it, and a black one, which the first half hides.
        let particles = [[0.0, 0.0, 0.0], [0.125, 0.0, -1.5], [0.375, 0.0, -0.25]];
        let picture = drawn(&particles, true, false);
        let lit = |x: u32, y: u32| picture[4 * (y * EDGE + x) as usize] > 40;
        let middle = EDGE / 2;
        assert!(lit(middle, middle), "the ball in the middle is lit");
        assert!(!lit(2, 2) && !lit(EDGE - 3, EDGE - 3), "nothing is in the corners");
        // Half an angle of 0.5 shows 1.64 to each side at this distance: 0.5 are 9.8 pixels, and a little more by perspective.
        let column = (0..EDGE).filter(|y| lit(middle - 4, *y)).count();
        assert!((15..=20).contains(&column), "{column} pixels high");
        let [red, green, blue] = [0, 1, 2].map(|c| picture[4 * (middle * EDGE + middle - 4) as usize + c]);
        assert!(red > green && green > blue, "its tint is orange: {red} {green} {blue}");
        // What the device has of the same particles looks the same.
        assert_eq!(drawn(&particles, true, true), picture);
    }

    #[test]
    fn clouds_are_round_and_where_the_device_has_them() {
        if !there_is_an_adapter() {
            return;
        }
        let particles = [[-0.75, 0.0, 0.0], [0.75, 0.0, 0.0]];
        let picture = drawn(&particles, false, false);
        let at = |x: u32, y: u32| [0, 1, 2].map(|c| picture[4 * (y * EDGE + x) as usize + c]);
        // 0.75 at this distance are 14.6 pixels.
        let (left, right, middle) = (at(17, 32), at(46, 32), at(32, 32));
        assert!(left[0] > left[1] && left[1] > left[2], "orange: {left:?}");
        assert!(right[2] > 60 && right[0] < 30, "blue: {right:?}");
        assert!(middle[2] < right[2] / 2 && middle[0] < left[0] / 2, "they fade: {middle:?}");
        assert_eq!(at(17, 4), [0; 3]);
        assert_eq!(drawn(&particles, false, true), picture);
    }
}
