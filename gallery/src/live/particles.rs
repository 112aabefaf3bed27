//! Particles as balls, drawn where they are: on the device that steps them they never leave it.
//!
//! A liquid's surface takes a processor longer than a frame, of many particles far longer. While a world moves its particles
//! are drawn by themselves; where it rests, the surface follows (`bake.rs`).

use bevy::{
    asset::{RenderAssetUsages, embedded_asset},
    mesh::{Indices, MeshVertexAttribute, MeshVertexBufferLayoutRef, PrimitiveTopology, VertexFormat},
    pbr::{MaterialPipeline, MaterialPipelineKey, StandardMaterial},
    prelude::*,
    render::{
        render_resource::{
            AsBindGroup, Buffer, BufferInitDescriptor, BufferUsages, RenderPipelineDescriptor, ShaderType,
            SpecializedMeshPipelineError,
        },
        renderer::{RenderDevice, RenderQueue},
    },
    shader::ShaderRef,
};
use bytemuck::cast_slice;
use seedstorm_sim::{gpu::OnDevice, scene};

use super::look;

/// Teaches Bevy to draw particles.
pub struct ParticlesPlugin;

impl Plugin for ParticlesPlugin {
    fn build(&self, app: &mut App) {
        embedded_asset!(app, "particles.wgsl");
        app.add_plugins(MaterialPlugin::<Balls>::default());
    }
}

const SHADER: &str = "embedded://seedstorm_gallery/live/particles.wgsl";

/// The particle's number times three, and which corner of its triangle a vertex is.
const CORNER: MeshVertexAttribute = MeshVertexAttribute::new("Corner", 0x5eed_5707, VertexFormat::Uint32);

/// Balls of one material.
#[derive(Asset, TypePath, AsBindGroup, Clone)]
pub struct Balls {
    #[uniform(0)]
    look: Look,
    #[storage(1, read_only, buffer)]
    places: Buffer,
    #[storage(2, read_only, buffer)]
    tints: Buffer,
}

/// What the shader is told of them: `particles.wgsl` says what each means.
#[derive(ShaderType, Clone)]
struct Look {
    base_color: Vec4,
    emissive: Vec4,
    corner: Vec4,
    radius: f32,
    metallic: f32,
    perceptual_roughness: f32,
    reflectance: f32,
    clearcoat: f32,
    clearcoat_perceptual_roughness: f32,
    material: f32,
    stride: u32,
    in_cells: u32,
}

impl Material for Balls {
    fn vertex_shader() -> ShaderRef {
        SHADER.into()
    }

    fn fragment_shader() -> ShaderRef {
        SHADER.into()
    }

    fn prepass_vertex_shader() -> ShaderRef {
        SHADER.into()
    }

    fn prepass_fragment_shader() -> ShaderRef {
        SHADER.into()
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
        descriptor.vertex.buffers = vec![layout.0.get_layout(&[CORNER.at_shader_location(0)])?];
        descriptor.vertex.shader_defs.push("STANDARD_MATERIAL_CLEARCOAT".into());
        if let Some(fragment) = &mut descriptor.fragment {
            fragment.shader_defs.push("STANDARD_MATERIAL_CLEARCOAT".into());
        }
        descriptor.primitive.cull_mode = None;
        Ok(())
    }
}

/// A moment's particles, ready to be drawn.
#[derive(Clone, PartialEq)]
pub struct Cloud {
    /// Their places in the world; none where the device has them.
    places: Vec<[f32; 3]>,
    /// Their colours, and in place of an alpha the number of their material, from 1 on.
    tints: Vec<[f32; 4]>,
    /// The materials that occur.
    materials: Vec<usize>,
    radius: f32,
    corner: Vec4,
}

impl Cloud {
    /// Particles with their places, or without.
    pub fn new(of: &scene::Particles, with_places: bool) -> Self {
        let tint = |particle: &scene::Particle| {
            let [r, g, b] = particle.tint;
            [r, g, b, particle.material.map_or(0.0, |material| material as f32 + 1.0)]
        };
        let mut materials: Vec<usize> = of.particles.iter().filter_map(|particle| particle.material).collect();
        materials.sort_unstable();
        materials.dedup();
        Self {
            places: if with_places {
                of.particles.iter().map(|particle| particle.place.into()).collect()
            } else {
                vec![]
            },
            tints: of.particles.iter().map(tint).collect(),
            materials,
            radius: of.radius,
            corner: look::point(of.corner).extend(of.cell),
        }
    }

    fn look(&self, material: usize, of: &scene::Material, stride: u32, in_cells: bool) -> Look {
        let standard = look::material(of);
        let color = |color: LinearRgba| Vec4::new(color.red, color.green, color.blue, 1.0);
        let StandardMaterial { metallic, perceptual_roughness, reflectance, clearcoat, .. } = standard;
        Look {
            base_color: color(standard.base_color.to_linear()),
            emissive: color(standard.emissive),
            corner: self.corner,
            radius: self.radius,
            metallic,
            // A mirror of many balls shows nothing but glints.
            perceptual_roughness: perceptual_roughness.max(0.35),
            reflectance,
            clearcoat,
            clearcoat_perceptual_roughness: standard.clearcoat_perceptual_roughness.max(0.25),
            material: material as f32 + 1.0,
            stride,
            in_cells: u32::from(in_cells),
        }
    }
}

/// A view's buffers on the device.
pub struct Buffers {
    mesh: Handle<Mesh>,
    places: Buffer,
    tints: Buffer,
    /// What `tints` holds.
    written: Vec<[f32; 4]>,
}

impl Buffers {
    /// Room for the particles of a world.
    pub fn new(cloud: &Cloud, device: &RenderDevice, meshes: &mut Assets<Mesh>) -> Self {
        let create = |label, contents: &[u8]| {
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            device.create_buffer_with_data(&BufferInitDescriptor { label: Some(label), contents, usage })
        };
        let count = cloud.tints.len();
        Self {
            mesh: meshes.add(triangles(count as u32)),
            places: create("places", cast_slice(&vec![[0.0_f32; 3]; count])),
            tints: create("tints", cast_slice(&cloud.tints)),
            written: cloud.tints.clone(),
        }
    }

    /// The balls of each material at this moment: where `on_device` has them, or where `cloud` says.
    pub fn show(
        &mut self,
        cloud: &Cloud,
        materials: &[scene::Material],
        on_device: Option<&OnDevice>,
        queue: &RenderQueue,
    ) -> Vec<(Mesh3d, Balls)> {
        if cloud.tints != self.written {
            queue.write_buffer(&self.tints, 0, cast_slice(&cloud.tints));
            self.written.clone_from(&cloud.tints);
        }
        let (places, stride) = match on_device {
            Some(there) => (Buffer::from(there.buffer.clone()), there.stride),
            None => {
                queue.write_buffer(&self.places, 0, cast_slice(&cloud.places));
                (self.places.clone(), 3)
            }
        };
        let balls = |material: usize| Balls {
            look: cloud.look(material, &materials[material], stride, on_device.is_some()),
            places: places.clone(),
            tints: self.tints.clone(),
        };
        cloud.materials.iter().map(|material| (Mesh3d(self.mesh.clone()), balls(*material))).collect()
    }
}

/// A triangle for each of `count` particles; where it lies is for the shader to say.
fn triangles(count: u32) -> Mesh {
    let corners: Vec<u32> = (0..3 * count).collect();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(CORNER, corners.clone())
        .with_inserted_indices(Indices::U32(corners))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bevy::{
        camera::{RenderTarget, visibility::NoFrustumCulling},
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
    fn seen(particles: &[[f32; 3]], by_device: bool) -> Vec<u8> {
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
        let particle = |(number, place): (usize, &[f32; 3])| scene::Particle {
            place: Point3::from(*place),
            tint: [1.0, 0.5, 0.25],
            // The last one is of another material.
            material: Some(usize::from(number + 1 == particles.len())),
        };
        let of = scene::Particles {
            particles: particles.iter().enumerate().map(particle).collect(),
            radius: 0.5,
            cell,
            corner,
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
        let there = OnDevice { buffer, stride: 4, count: particles.len() as u32 };
        for (mesh, balls) in buffers.show(&cloud, &materials, by_device.then_some(&there), &queue) {
            let material = MeshMaterial3d(world.resource_mut::<Assets<Balls>>().add(balls));
            world.spawn((mesh, material, NoFrustumCulling));
        }
        world.spawn((DirectionalLight::default(), Transform::from_xyz(1.0, 1.0, 2.0).looking_at(Vec3::ZERO, Vec3::Y)));
        world.spawn((
            Camera3d::default(),
            RenderTarget::Image(image.clone().into()),
            Projection::Perspective(PerspectiveProjection { fov: 1.0, ..default() }),
            Transform::from_xyz(0.0, 0.0, 3.0).looking_at(Vec3::ZERO, Vec3::Y),
        ));
        let latest = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&latest);
        world.spawn(Readback::texture(image)).observe(move |complete: On<ReadbackComplete>| {
            told.lock().unwrap().clone_from(&complete.data);
        });
        // The pipelines are made meanwhile.
        for _ in 0..600 {
            app.update();
            let picture = latest.lock().unwrap();
            if picture.as_chunks::<4>().0.iter().any(|[r, g, b, _]| (*r, *g, *b) != (0, 0, 0)) {
                return picture.clone();
            }
            drop(picture);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("nothing came to the screen");
    }

    /// Needs an adapter; a software one will do.
    #[test]
    fn balls_are_round_and_where_the_device_has_them() {
        if seedstorm_sim::gpu::adapters().is_empty() && std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none() {
            eprintln!("not drawn: no adapter");
            return;
        }
        // One in the middle, one behind it, and a black one, which the first half hides.
        let particles = [[0.0, 0.0, 0.0], [0.1, 0.0, -1.5], [0.4, 0.0, -0.25]];
        let picture = seen(&particles, false);
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
        assert_eq!(seen(&particles, true), picture);
    }
}
