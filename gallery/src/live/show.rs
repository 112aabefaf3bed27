//! Worlds on the screen: each is stepped by itself, baked at the moment that is wanted, and drawn by Bevy into a texture
//! that a page puts where it likes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bevy::{
    asset::RenderAssetUsages,
    camera::{
        Exposure, Hdr, RenderTarget,
        visibility::{NoFrustumCulling, RenderLayers},
    },
    core_pipeline::tonemapping::Tonemapping,
    ecs::system::SystemParam,
    light::{CascadeShadowConfigBuilder, DirectionalLightShadowMap, EnvironmentMapLight},
    mesh::{Indices, PrimitiveTopology},
    prelude::*,
    render::{
        render_resource::{TextureFormat, TextureUsages},
        renderer::{RenderAdapterInfo, RenderDevice, RenderQueue},
    },
};
use bevy_egui::{EguiTextureHandle, EguiUserTextures, egui};
use seedstorm_render::image_file::Rgb8Image;
use seedstorm_sim::{Backend, Recipe, SimError, gpu::Gpu, scene::Scene, world::Device};
use seedstorm_studio::picture;

use super::{
    bake::{Baked, bake},
    look,
    orbit::Orbit,
    particles::{Balls, Buffers, Cloud, Drawn, Puffs},
    world::LiveWorld,
};
use crate::{widgets::Screen, work::Awaited};

use wgpu::DeviceType;

/// Most worlds that are looked at at once.
pub const MOST: usize = 6;

/// Edge of the map that shadows are looked up in, pixels.
const SHADOW_EDGE: usize = 2048;

/// By how much views are drawn smaller while they move where the device is a processor, and larger where they rest: that
/// smooths their edges.
const SLOW_SCALE: [f32; 2] = [0.75, 1.5];

/// The same for particles by themselves, of which many lie in front of each other.
const SLOW_APART: f32 = 0.4;

/// The longest edge of what a processor draws of shining points while they move, pixels.
const SKETCH_EDGE: u32 = 540;

/// The worlds on the screen.
#[derive(Resource, Default)]
pub struct Views {
    pub views: Vec<View>,
    /// Shared, so that two seeds are seen from one side at one moment.
    pub orbit: Orbit,
    /// The moment, in [0, 1] of the duration; and whether it goes on by itself.
    pub time: f64,
    pub playing: bool,
    /// How many were opened: what was drawn of those that are closed is no longer shown.
    opened: u64,
    /// Whose turn it is to be baked.
    turn: usize,
    /// Textures that nothing is drawn into any more, which the interface still has.
    retired: Vec<Handle<Image>>,
    /// Whether the device is a processor in truth.
    pub slow: bool,
    /// The device that draws, for worlds to be stepped on.
    lent: Option<Gpu>,
}

/// For how many frames a view is drawn after it has changed: what it shows comes to the device a frame later, and what
/// draws it may have to be made first.
const DRAWN: u32 = 4;

/// How long a moment is looked at before a processor makes a surface of its particles.
const REST: Duration = Duration::from_millis(300);

/// One world on the screen.
pub struct View {
    pub recipe: Recipe,
    pub world: Arc<LiveWorld>,
    /// No other has this number.
    generation: u64,
    /// How large it is drawn, physical pixels; not at all while it is hidden.
    pub wanted: Option<UVec2>,
    baking: Option<Awaited<Present>>,
    shown: Option<Shown>,
    /// How it was seen when it was drawn last, and for how many frames more it is drawn.
    drawn: Option<(Orbit, UVec2)>,
    left: u32,
    target: Option<(Handle<Image>, egui::TextureId, UVec2)>,
    sketch: Option<Screen>,
    buffers: Option<Buffers>,
    /// Whether it has its backdrop and what it reflects.
    dressed: bool,
}

/// A moment, ready to be drawn.
struct Present {
    time: f64,
    orbit: Orbit,
    scene: Scene,
    baked: Vec<Baked>,
    /// Its particles by themselves, and whether they were asked for, where the device steps them or where they were.
    cloud: Option<Cloud>,
    apart: Option<bool>,
    sketch: Option<Rgb8Image>,
}

/// What is drawn.
struct Shown {
    time: f64,
    orbit: Orbit,
    size: UVec2,
    scene: Scene,
    /// Whether its particles are drawn by themselves, and whether they are where the device steps them.
    apart: Option<bool>,
    /// Since when.
    since: Instant,
}

impl Views {
    /// Whether worlds may be as fine as they are made: the device that draws them steps them too, and is fast.
    pub fn are_fine(&self, backend: Backend) -> bool {
        !self.slow && self.lent.is_some() && backend != Backend::Cpu
    }

    /// Looks at these worlds in place of those before; one that was there in the same place goes on.
    ///
    /// # Errors
    /// A recipe cannot be used.
    pub fn open(&mut self, recipes: &[Recipe], backend: Backend) -> Result<(), SimError> {
        let mut before: Vec<Option<View>> = self.views.drain(..).map(Some).collect();
        let mut open = |(slot, recipe): (usize, &Recipe)| {
            if let Some(there) = before.get_mut(slot)
                && there.as_ref().is_some_and(|view| view.recipe == *recipe)
                && let Some(view) = there.take()
            {
                return Ok(view);
            }
            let device = match &self.lent {
                Some(gpu) => Device::lent(backend, gpu.clone()),
                None => backend.into(),
            };
            let world = LiveWorld::start(recipe, device)?;
            let recipe = recipe.clone();
            self.opened += 1;
            Ok(View {
                recipe,
                world: Arc::new(world),
                generation: self.opened,
                wanted: None,
                baking: None,
                shown: None,
                drawn: None,
                left: 0,
                target: None,
                sketch: None,
                buffers: None,
                dressed: false,
            })
        };
        let opened = recipes.iter().take(MOST).enumerate().map(&mut open).collect::<Result<_, SimError>>();
        let closed = before.into_iter().flatten().filter_map(|view| view.target);
        self.retired.extend(closed.map(|(target, ..)| target));
        self.views = opened?;
        (self.time, self.playing) = (0.0, true);
        Ok(())
    }

    /// Whether what is on the screen is not yet what is wanted.
    pub fn is_changing(&self) -> bool {
        let changing = |view: &View| view.baking.is_some() || view.left > 0 || view.shown.is_none();
        self.views.iter().any(|view| view.wanted.is_some() && changing(view))
    }

    /// Looks at none.
    pub fn close(&mut self) {
        let targets = self.views.drain(..).filter_map(|view| view.target);
        self.retired.extend(targets.map(|(target, ..)| target));
    }
}

impl View {
    /// The scene of the moment that is on the screen.
    pub fn scene(&self) -> Option<Scene> {
        let shown = self.shown.as_ref()?;
        if shown.apart.is_some() { self.world.scene(shown.time) } else { Some(shown.scene.clone()) }
    }

    /// The picture of it, and its size in pixels; `None` before there is one.
    pub fn texture(&mut self, context: &egui::Context) -> Option<(egui::TextureId, egui::Vec2)> {
        self.shown.as_ref()?;
        if let Some(sketch) = &mut self.sketch {
            return sketch.texture(context).map(|texture| (texture.id(), texture.size_vec2()));
        }
        self.target.as_ref().map(|(_, id, size)| (*id, egui::Vec2::new(size.x as f32, size.y as f32)))
    }
}

/// Which view a thing belongs to.
#[derive(Component, Clone, Copy)]
struct Of {
    slot: usize,
    generation: u64,
}

/// A camera of a view.
#[derive(Component, Clone, Copy)]
struct Eye(usize);

/// Draws [`Views`].
pub struct ShowPlugin;

impl Plugin for ShowPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(GlobalAmbientLight::NONE)
            .init_resource::<Views>()
            .add_systems(Startup, set_up)
            .add_systems(Update, (make_targets, bake_views, draw_views, aim).chain());
    }
}

fn set_up(
    mut commands: Commands,
    mut views: ResMut<Views>,
    adapter: Option<Res<RenderAdapterInfo>>,
    device: Option<Res<RenderDevice>>,
    queue: Option<Res<RenderQueue>>,
) {
    let slow = adapter.as_ref().is_some_and(|adapter| adapter.device_type == DeviceType::Cpu);
    views.slow = slow;
    if let (Some(adapter), Some(device), Some(queue)) = (adapter, device, queue) {
        views.lent = Some(Gpu::lent(device.wgpu_device().clone(), (**queue.0).clone(), &adapter));
    }
    commands.insert_resource(DirectionalLightShadowMap { size: if slow { SHADOW_EDGE / 4 } else { SHADOW_EDGE } });
    for slot in 0..MOST {
        commands.spawn((
            Camera3d::default(),
            Camera { is_active: false, order: slot as isize - 100, ..default() },
            Tonemapping::KhronosPbrNeutral,
            Exposure { ev100: 0.0 },
            RenderLayers::layer(slot + 1),
            if slow { Msaa::Off } else { Msaa::Sample4 },
            Eye(slot),
        ));
    }
}

/// Gives each view a texture of the size that it is shown in.
fn make_targets(
    mut commands: Commands,
    mut views: ResMut<Views>,
    mut images: ResMut<Assets<Image>>,
    mut textures: ResMut<EguiUserTextures>,
    eyes: Query<(Entity, &Eye)>,
) {
    for old in std::mem::take(&mut views.retired) {
        textures.remove_image(&old);
    }
    let (slow, playing) = (views.slow, views.playing);
    for (slot, view) in views.views.iter_mut().enumerate() {
        let Some(wanted) = view.wanted else { continue };
        let scale = match (slow, playing) {
            (false, _) => 1.0,
            (true, true) if view.world.on_device().is_some() => SLOW_APART,
            (true, playing) => SLOW_SCALE[usize::from(!playing)],
        };
        let wanted = (wanted.as_vec2() * scale).as_uvec2().max(UVec2::ONE);
        if view.target.as_ref().is_some_and(|(_, _, size)| *size == wanted) {
            continue;
        }
        let mut image = Image::new_target_texture(wanted.x, wanted.y, TextureFormat::Rgba8UnormSrgb, None);
        image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
        let handle = images.add(image);
        if let Some((old, ..)) = &view.target {
            textures.remove_image(old);
        }
        let id = textures.add_image(EguiTextureHandle::Strong(handle.clone()));
        for (eye, _) in eyes.iter().filter(|(_, eye)| eye.0 == slot) {
            commands.entity(eye).insert(RenderTarget::Image(handle.clone().into()));
        }
        view.target = Some((handle, id, wanted));
    }
}

/// Asks for the moments that are wanted, one at a time for each view.
fn bake_views(mut views: ResMut<Views>) {
    let (time, orbit, playing) = (views.time, views.orbit, views.playing);
    let mut under_way = views.views.iter().filter(|view| view.baking.is_some()).count();
    // Each in its turn, where there are more of them than the processor has cores for.
    let most = (std::thread::available_parallelism().map_or(1, std::num::NonZero::get) / 2).max(1);
    views.turn += 1;
    let (turn, count) = (views.turn, views.views.len());
    for at in 0..count {
        let view = &mut views.views[(turn + at) % count];
        let Some(size) = view.wanted else { continue };
        // As far as it was simulated.
        let time = time.min(view.world.simulated());
        // What moves is drawn as particles where the device has them; what rests has a surface, once it has rested.
        let there = view.world.on_device().is_some();
        let rests = |shown: &Shown| {
            shown.time == time && shown.apart != Some(true) && (shown.apart.is_none() || shown.since.elapsed() > REST)
        };
        let apart = match there {
            false => None,
            true if playing => Some(view.world.is_under_way_at(time)),
            true => (!view.shown.as_ref().is_some_and(rests)).then_some(false),
        };
        let is_shown = view.shown.as_ref().is_some_and(|shown| {
            let as_seen = shown.scene.haze.is_none() || (shown.orbit == orbit && shown.size == size);
            shown.time == time && shown.apart == apart && as_seen
        });
        if is_shown || view.baking.is_some() || under_way >= most || !view.world.has_begun() {
            continue;
        }
        let world = Arc::clone(&view.world);
        let (hear, tell) = Awaited::new();
        view.baking = Some(hear);
        under_way += 1;
        bevy::tasks::AsyncComputeTaskPool::get()
            .spawn(async move {
                let by_themselves = apart.and_then(|there| {
                    let (scene, particles) = world.apart(time)?;
                    Some((scene, Some(Cloud::new(&particles, !there))))
                });
                let Some((scene, cloud)) = by_themselves.or_else(|| Some((world.scene(time)?, None))) else { return };
                let sketch = scene.haze.is_some().then(|| sketch(&scene, orbit, size)).flatten();
                let baked = if sketch.is_some() { vec![] } else { bake(&scene) };
                tell.tell(Present { time, orbit, scene, baked, cloud, apart, sketch });
            })
            .detach();
    }
}

/// What shines by itself, drawn by the processor: a graphics device has no way of drawing it that looks the same.
fn sketch(scene: &Scene, orbit: Orbit, size: UVec2) -> Option<Rgb8Image> {
    let scale = (SKETCH_EDGE as f32 / size.max_element() as f32).min(1.0);
    let size = (size.as_vec2() * scale).as_uvec2().max(UVec2::ONE);
    picture::sketched(&look::seen_from(scene, orbit, size), size.into()).ok()
}

/// What pictures are put together from.
#[derive(SystemParam)]
struct Kit<'w> {
    meshes: ResMut<'w, Assets<Mesh>>,
    materials: ResMut<'w, Assets<StandardMaterial>>,
    balls: ResMut<'w, Assets<Balls>>,
    puffs: ResMut<'w, Assets<Puffs>>,
    images: ResMut<'w, Assets<Image>>,
    device: Option<Res<'w, RenderDevice>>,
    queue: Option<Res<'w, RenderQueue>>,
}

/// Puts what was baked on the screen.
fn draw_views(
    mut commands: Commands,
    mut views: ResMut<Views>,
    mut kit: Kit,
    mut contexts: bevy_egui::EguiContexts,
    there: Query<(Entity, &Of)>,
    eyes: Query<(Entity, &Eye)>,
) {
    let open: Vec<u64> = views.views.iter().map(|view| view.generation).collect();
    for (entity, of) in &there {
        if !open.contains(&of.generation) {
            commands.entity(entity).despawn();
        }
    }
    for (slot, view) in views.views.iter_mut().enumerate() {
        // What was sketched last has yet to come to the screen.
        if view.sketch.as_ref().is_some_and(|sketch| !sketch.is_ready()) {
            continue;
        }
        let Some(baking) = &view.baking else { continue };
        let lost = baking.is_lost();
        let Some(present) = baking.take() else {
            if lost {
                view.baking = None;
            }
            continue;
        };
        view.baking = None;
        let generation = view.generation;
        for (entity, _) in there.iter().filter(|(_, of)| of.slot == slot && of.generation == generation) {
            commands.entity(entity).despawn();
        }
        let Present { time, orbit, scene, baked, cloud, apart, sketch } = present;
        let since = Instant::now();
        let shining = cloud.as_ref().and_then(Cloud::shining);
        let size = view.wanted.unwrap_or_default();
        if let (Some(image), Ok(context)) = (&sketch, contexts.ctx_mut()) {
            view.sketch.get_or_insert_default().set(context, image);
            view.shown = Some(Shown { time, orbit, size, scene, apart, since });
            continue;
        }
        let layer = RenderLayers::layer(slot + 1);
        let of = Of { slot, generation };
        for part in baked {
            let material = kit.materials.add(look::material(&scene.materials[part.material]));
            commands.spawn((Mesh3d(kit.meshes.add(mesh(part))), MeshMaterial3d(material), layer.clone(), of));
        }
        if let (Some(cloud), Some(device), Some(queue)) = (cloud, &kit.device, &kit.queue) {
            let buffers = view.buffers.get_or_insert_with(|| Buffers::new(&cloud, device, &mut kit.meshes));
            let on_device = view.world.on_device().filter(|_| apart == Some(true));
            for (mesh, drawn) in buffers.show(cloud, &scene.materials, on_device, queue) {
                let mut drawing = commands.spawn((mesh, NoFrustumCulling, layer.clone(), of));
                match drawn {
                    Drawn::Balls(balls) => drawing.insert(MeshMaterial3d(kit.balls.add(balls))),
                    Drawn::Puffs(puffs) => drawing.insert(MeshMaterial3d(kit.puffs.add(puffs))),
                };
            }
        }
        view.sketch = None;
        if let Some(key) = look::key(&scene) {
            let target = look::point(scene.camera.target);
            let [r, g, b] = key.color;
            let most = r.max(g).max(b).max(1e-6);
            commands.spawn((
                DirectionalLight {
                    color: Color::linear_rgb(r / most, g / most, b / most),
                    illuminance: most * look::WHITE,
                    shadow_maps_enabled: true,
                    ..default()
                },
                CascadeShadowConfigBuilder {
                    num_cascades: 1,
                    maximum_distance: 3.0 * (look::point(scene.camera.eye) - target).length(),
                    ..default()
                }
                .build(),
                Transform::from_translation(target + key.from).looking_at(target, Vec3::Y),
                layer,
                of,
            ));
        }
        for (eye, _) in eyes.iter().filter(|(_, eye)| eye.0 == slot) {
            if !view.dressed {
                if let Some(backdrop) = &scene.sky.backdrop {
                    let stops = scene.exposure_stops.exp2();
                    let material = StandardMaterial { unlit: true, cull_mode: None, fog_enabled: false, ..default() };
                    commands.spawn((
                        Mesh3d(kit.meshes.add(cloth(backdrop, stops))),
                        MeshMaterial3d(kit.materials.add(material)),
                        NoFrustumCulling,
                        bevy::light::NotShadowCaster,
                        RenderLayers::layer(slot + 1),
                        Cloth(slot),
                        Of { slot: MOST, generation },
                    ));
                }
                let around = look::surroundings(&scene);
                commands.entity(eye).insert(EnvironmentMapLight {
                    diffuse_map: kit.images.add(around.diffuse),
                    specular_map: kit.images.add(around.specular),
                    intensity: look::WHITE,
                    ..default()
                });
            }
            let mut eye = commands.entity(eye);
            eye.insert(look::exposure(&scene));
            // Light that adds up is to be seen as it is on film: `seedstorm_studio::picture`.
            match shining {
                Some(shining) => {
                    let curve = if shining { Tonemapping::AgX } else { Tonemapping::KhronosPbrNeutral };
                    eye.insert((Hdr, curve, look::punch(shining)));
                }
                None => {
                    eye.remove::<Hdr>().insert((Tonemapping::KhronosPbrNeutral, look::punch(false)));
                }
            }
        }
        view.dressed = true;
        view.left = DRAWN;
        view.shown = Some(Shown { time, orbit, size, scene, apart, since });
    }
}

/// The cloth behind a view.
#[derive(Component)]
struct Cloth(usize);

/// How far a cloth reaches, in halves of the film's height, and into how many strips it is cut.
const REACH: f32 = 4.0;
const STRIPS: u32 = 64;

/// A backdrop as a square in front of the camera; radiance is in its vertices, as the exposure takes it.
fn cloth(backdrop: &seedstorm_sim::scene::Backdrop, exposure: f32) -> Mesh {
    let side = STRIPS + 1;
    let place = |i: u32| (i as f32 / STRIPS as f32 * 2.0 - 1.0) * REACH;
    let places = (0..side * side).map(|i| [place(i % side), place(i / side)]);
    let colors = places.clone().map(|at| {
        let [r, g, b] = look::backdrop_at(backdrop, at).map(|c| c * exposure);
        [r, g, b, 1.0]
    });
    let corners = (0..STRIPS * STRIPS).flat_map(|i| {
        let at = i / STRIPS * side + i % STRIPS;
        [at, at + 1, at + side + 1, at, at + side + 1, at + side]
    });
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colors.collect::<Vec<_>>())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, places.map(|[x, y]| [x, y, 0.0]).collect::<Vec<_>>())
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, vec![[0.0, 0.0, 1.0]; (side * side) as usize])
        .with_inserted_indices(Indices::U32(corners.collect()))
}

fn mesh(part: Baked) -> Mesh {
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, part.positions)
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, part.normals)
        .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, part.colors)
        .with_inserted_indices(Indices::U32(part.indices))
}

/// Aims the cameras; those whose picture would be the same rest.
fn aim(
    mut views: ResMut<Views>,
    mut eyes: Query<(&Eye, &mut Camera, &mut Transform, &mut Projection), Without<Cloth>>,
    mut cloths: Query<(&Cloth, &mut Transform), Without<Eye>>,
) {
    for (Eye(slot), mut camera, mut transform, mut projection) in &mut eyes {
        camera.is_active = false;
        let orbit = views.orbit;
        let Some(view) = views.views.get_mut(*slot).filter(|view| view.sketch.is_none()) else { continue };
        let (Some(shown), Some((_, _, size))) = (&view.shown, &view.target) else { continue };
        let size = *size;
        // The device moves on what it has.
        if view.drawn != Some((orbit, size)) || shown.apart == Some(true) {
            (view.drawn, view.left) = (Some((orbit, size)), DRAWN);
        }
        if view.wanted.is_none() || view.left == 0 {
            continue;
        }
        view.left -= 1;
        camera.is_active = true;
        let [red, green, blue] = look::backdrop(&shown.scene);
        camera.clear_color = ClearColorConfig::Custom(Color::linear_rgb(red, green, blue));
        let [eye, target, up] = orbit.place(&shown.scene.camera);
        *transform = Transform::from_translation(eye).looking_at(target, up);
        let distance = (eye - target).length();
        for (_, mut place) in cloths.iter_mut().filter(|(cloth, _)| cloth.0 == *slot) {
            let far = 60.0 * distance;
            let half = far * (0.5 * shown.scene.camera.vertical_fov).tan();
            *place = transform.mul_transform(Transform::from_xyz(0.0, 0.0, -far).with_scale(Vec3::splat(half)));
        }
        *projection = Projection::Perspective(PerspectiveProjection {
            fov: look::vertical_fov(&shown.scene, size),
            aspect_ratio: size.x as f32 / size.y.max(1) as f32,
            near: 0.01 * distance,
            far: 100.0 * distance,
            ..default()
        });
    }
}
