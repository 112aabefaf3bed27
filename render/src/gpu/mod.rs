//! The tracer on a graphics device.
//!
//! The WGSL files beside this one follow the Rust files of the same names function by function and draw the same samples,
//! so that a pixel differs from the canonical one by rounding alone, and by a path here and there that rounding sends
//! another way. The frames are *not* bit for bit those of the CPU: a check of them is a statistical one.

mod pack;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seedstorm_sim::{
    gpu::{Contents, Gpu, Kernel, Products, Program, Role},
    world::KernelError,
};

use crate::error::RenderError;
use crate::frame::{FrameSettings, Rect};
use crate::layers::Layers;
use crate::prepared::{NO_INSTANCE, PreparedScene};
use pack::Packed;

/// The shader: one file after the other.
const SOURCE: &str = concat!(
    include_str!("common.wgsl"),
    include_str!("sampler.wgsl"),
    include_str!("camera.wgsl"),
    include_str!("shape.wgsl"),
    include_str!("bsdf.wgsl"),
    include_str!("light.wgsl"),
    include_str!("glow.wgsl"),
    include_str!("fog.wgsl"),
    include_str!("prepared.wgsl"),
    include_str!("walk.wgsl"),
    include_str!("path.wgsl"),
);

/// Threads of a workgroup, as in `path.wgsl`.
const GROUP: u32 = 64;

/// Pixels that are handed to a device at a time; so many are in flight on a large one.
const BLOCK: u32 = 1 << 18;
/// The same where the device is a program on the CPU.
const SMALL_BLOCK: u32 = 1 << 12;

/// How long a dispatch should take: long enough to keep the device busy, short enough that no driver's watchdog takes it
/// for a hang, that a desktop stays alive, and that cancelling works.
const AIM: Duration = Duration::from_millis(60);

/// Most paths of a pixel in a dispatch.
const MOST_PATHS: u32 = 256;
/// Most scatterings of all paths of a pixel in a dispatch, where the device is a program on the CPU: Mesa's ends a shader's
/// loops after 65,535 turns in all (`LP_MAX_TGSI_LOOP_ITERATIONS`), and with them paths, without a word.
const SMALL_MOST_BOUNCES: u32 = 24;

/// Places in the order of the shader's bindings.
const PARAMS: usize = 0;
const LIST: usize = 6;
const PIXELS: usize = 7;

/// See `common.wgsl`.
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    eye: [f32; 4],
    right: [f32; 4],
    up: [f32; 4],
    forward: [f32; 4],
    backdrop_center: [f32; 4],
    backdrop_edge: [f32; 4],
    limits: [f32; 4],
    zenith: [f32; 4],
    horizon: [f32; 4],
    nadir: [f32; 4],
    counts: [u32; 4],
    places: [u32; 4],
    more: [u32; 4],
    tables: [u32; 4],
    motion: [u32; 4],
    fog_low: [f32; 4],
    fog_high: [f32; 4],
    fog_albedo: [f32; 4],
    map: [u32; 4],
    map_light: [f32; 4],
    sun: [f32; 4],
    sun_radiance: [f32; 4],
    frame: [u32; 4],
    block: [u32; 4],
    part: [u32; 4],
    panes: [[u32; 4]; 2],
}

/// See `common.wgsl`.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Pixel {
    radiance: [f32; 3],
    depth: f32,
    albedo: [f32; 3],
    deep: f32,
    normal: [f32; 3],
    taken: f32,
    reach: [f32; 2],
    mean: f32,
    squares: f32,
    effort: u32,
    unused: [u32; 3],
}

/// The shader's bindings, in their order.
const ROLES: [(&str, Role); 8] = [
    ("params", Role::Constant),
    ("nodes", Role::Constant),
    ("packs", Role::Constant),
    ("instances", Role::Constant),
    ("vertices", Role::Constant),
    ("looks", Role::Constant),
    ("list", Role::Constant),
    ("pixels", Role::State),
];

/// The tracer, compiled for a device.
#[derive(Debug)]
pub struct GpuTracer {
    program: Program,
}

/// A scene laid out for a tracer's device.
#[derive(Debug)]
pub struct GpuScene<'a> {
    scene: &'a PreparedScene,
    packed: Packed,
    program: &'a Program,
}

fn device(error: KernelError) -> RenderError {
    match error {
        KernelError::Device(problem) => RenderError::Device(problem),
        other => RenderError::Device(other.to_string()),
    }
}

impl GpuTracer {
    /// The tracer on the first adapter that there is.
    ///
    /// # Errors
    /// [`RenderError::Device`] where there is none, or it refuses to open.
    pub fn open() -> Result<Self, RenderError> {
        Gpu::open(Products::Auto).map(Self::new).map_err(device)
    }

    /// Compiles the tracer.
    #[must_use]
    pub fn new(gpu: Gpu) -> Self {
        let roles = ROLES.iter().map(|(_, role)| *role);
        Self { program: Program::new(gpu, "tracer", SOURCE, roles, ["render"].into_iter()) }
    }

    /// The device's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.program.gpu().name()
    }

    /// Lays a scene out for the device.
    ///
    /// # Errors
    /// [`RenderError::Device`] where its hierarchy is deeper than the device's traversal.
    pub fn scene<'a>(&'a self, scene: &'a PreparedScene) -> Result<GpuScene<'a>, RenderError> {
        Ok(GpuScene { packed: Packed::new(scene)?, scene, program: &self.program })
    }
}

impl GpuScene<'_> {
    /// Renders a part of the frame that `settings` describe, as [`PreparedScene::render_tile`] does, but for rounding.
    ///
    /// `progress` is told the share that is done, in (0, 1]; setting `cancel` ends the work within a dispatch. A frame
    /// of more pixels than the device binds at once is drawn in bands.
    ///
    /// # Errors
    /// [`RenderError::Settings`] where a setting is out of its range; [`RenderError::Device`] where the device cannot hold
    /// the scene, or is lost; [`RenderError::Cancelled`] after `cancel`.
    pub fn render(
        &self,
        settings: &FrameSettings,
        rect: Rect,
        progress: &dyn Fn(f32),
        cancel: &AtomicBool,
    ) -> Result<Layers, RenderError> {
        settings.check(rect)?;
        let pixels = self.program.gpu().largest_binding() / size_of::<Pixel>() as u64;
        let rows = (pixels / u64::from(rect.width)).clamp(1, u64::from(rect.height)) as u32;
        let mut layers = Layers::new(rect.width as usize, rect.height as usize);
        for y in (0..rect.height).step_by(rows as usize) {
            let band = Rect { y: rect.y + y, height: rows.min(rect.height - y), ..rect };
            let report = |share: f32| progress((y as f32 + share * band.height as f32) / rect.height as f32);
            layers.put(&self.band(settings, band, &report, cancel)?, 0, y);
        }
        Ok(layers)
    }

    /// [`GpuScene::render`] of what the device binds at once.
    fn band(
        &self,
        settings: &FrameSettings,
        rect: Rect,
        progress: &dyn Fn(f32),
        cancel: &AtomicBool,
    ) -> Result<Layers, RenderError> {
        let count = rect.width * rect.height;
        let (block, most) = match self.program.gpu().is_software() {
            true => (SMALL_BLOCK, (SMALL_MOST_BOUNCES / settings.max_bounces).max(1)),
            false => (BLOCK, MOST_PATHS),
        };
        let mut params = self.params(settings, rect);
        let kernel = self.kernel(&params, count, block)?;
        let run = |params: &mut Params, listed: bool, count: u32, samples: u32, done: &dyn Fn(f32)| {
            for first in (0..count).step_by(block as usize) {
                // What the last block's paths took says nothing of this one's.
                let (mut left, mut paths) = (samples, 1);
                while left > 0 {
                    if cancel.load(Ordering::Relaxed) {
                        return Err(RenderError::Cancelled);
                    }
                    let now = left.min(paths);
                    params.block = [first, block.min(count - first), now, u32::from(listed)];
                    kernel.write(PARAMS, &[*params]);
                    let start = Instant::now();
                    kernel.advance(1);
                    kernel.wait().map_err(device)?;
                    let took = start.elapsed();
                    left -= now;
                    let fit = now as f32 * AIM.as_secs_f32() / took.as_secs_f32().max(1e-6);
                    paths = (fit as u32).clamp(1, (4 * now).min(most));
                    let share = 1.0 - left as f32 / samples as f32;
                    done((first as f32 + share * params.block[1] as f32) / count as f32);
                }
            }
            Ok(())
        };
        // All pixels take the first paths; then those at outlines theirs, by how many they want.
        run(&mut params, false, count, settings.samples, &|share| progress(share * 0.5))?;
        let pixels: Vec<Pixel> = kernel.read(PIXELS).map_err(device)?;
        let mut lists: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (at, pixel) in (0u32..).zip(&pixels).filter(|(_, pixel)| pixel.effort > 1) {
            lists.entry(pixel.effort).or_default().push(at);
        }
        let weight = |effort: u32, list: &[u32]| (effort - 1) as f32 * list.len() as f32;
        let all: f32 = lists.iter().map(|(effort, list)| weight(*effort, list)).sum();
        let mut done = 0.0;
        for (effort, list) in lists {
            kernel.write(LIST, &list);
            let (samples, now) = (settings.samples.saturating_mul(effort - 1), weight(effort, &list));
            let report = |share: f32| progress(0.5 + 0.49 * (done + share * now) / all);
            run(&mut params, true, list.len() as u32, samples, &report)?;
            done += now;
        }
        let pixels: Vec<Pixel> = kernel.read(PIXELS).map_err(device)?;
        progress(1.0);
        Ok(layers(&pixels, rect))
    }

    fn kernel(&self, params: &Params, count: u32, block: u32) -> Result<Kernel, RenderError> {
        fn bytes<T: bytemuck::Pod>(values: &[T]) -> Contents<'_> {
            // No binding may be empty.
            if values.is_empty() { Contents::Zeros(16) } else { Contents::Bytes(bytemuck::cast_slice(values)) }
        }
        let packed = &self.packed;
        let params = [*params];
        let contents = [
            bytes(&params),
            bytes(&packed.nodes),
            bytes(&packed.packs),
            bytes(&packed.instances),
            bytes(&packed.vertices),
            bytes(&packed.looks),
            Contents::Zeros(count as usize * size_of::<u32>()),
            Contents::Zeros(count as usize * size_of::<Pixel>()),
        ];
        let buffers: Vec<_> = ROLES.into_iter().zip(contents).map(|((name, role), what)| (name, role, what)).collect();
        self.program.kernel(&buffers, &[[block.div_ceil(GROUP), 1]]).map_err(device)
    }

    fn params(&self, settings: &FrameSettings, rect: Rect) -> Params {
        let (scene, packed) = (self.scene, &self.packed);
        let (lens, lights) = (&scene.lens, &scene.lights);
        let row = |v: crate::vector::Vec3, w: f32| [v.x, v.y, v.z, w];
        let rgb = |[r, g, b]: [f32; 3], w: f32| [r, g, b, w];
        let liquid = scene.liquid.filter(|_| settings.roughness_floor() > 0.0);
        let liquid = liquid.map_or([NO_INSTANCE, 0], |liquid| [liquid.instance, liquid.material]);
        let mut params = Params {
            eye: row(lens.eye, lens.tan_half),
            right: row(lens.right, lens.lens_radius),
            up: row(lens.up, lens.focus_distance),
            forward: row(lens.forward, f32::from(lens.backdrop.is_some())),
            limits: [
                1.0,
                settings.indirect_clamp.min(f32::MAX) / scene.exposure,
                settings.roughness_floor(),
                f32::from(settings.outlines),
            ],
            zenith: row(lights.zenith, 0.0),
            horizon: row(lights.horizon, 0.0),
            nadir: row(lights.nadir, 0.0),
            counts: [
                lights.rectangles.len() as u32,
                u32::from(!lights.glows.balls.is_empty()),
                scene.panes.len() as u32,
                settings.max_bounces,
            ],
            places: [packed.places[0], packed.places[1], packed.places[2], packed.places[3]],
            more: [packed.places[4], packed.places[5], packed.root, u32::from(!scene.moving.is_empty())],
            tables: [packed.places[6], packed.places[7], packed.places[8], packed.places[9]],
            motion: [packed.places[10], packed.places[11], liquid[0], liquid[1]],
            frame: [settings.width, settings.height, settings.seed, settings.samples],
            part: [rect.x, rect.y, rect.width, settings.frame],
            ..Params::default()
        };
        if let Some(backdrop) = &lens.backdrop {
            params.backdrop_center = rgb(backdrop.center, backdrop.middle[0]);
            params.backdrop_edge = rgb(backdrop.edge, backdrop.middle[1]);
            params.limits[0] = backdrop.radius;
        }
        if let Some(map) = &lights.environment {
            params.map = [map.width as u32, map.height as u32, 0, 0];
            params.map_light = row(map.lean, map.mean);
        }
        if let Some(sun) = &lights.sun {
            params.sun = row(sun.toward, sun.sagitta);
            params.sun_radiance = row(sun.radiance, sun.power);
        }
        if let Some(fog) = &scene.fog {
            params.fog_low = row(fog.low, fog.density);
            params.fog_high = row(fog.high, fog.anisotropy);
            params.fog_albedo = row(fog.albedo, 0.0);
        }
        for (i, pane) in scene.panes.iter().enumerate() {
            params.panes[i / 4][i % 4] = *pane;
        }
        params
    }
}

fn layers(pixels: &[Pixel], rect: Rect) -> Layers {
    let mut layers = Layers::new(rect.width as usize, rect.height as usize);
    for (at, pixel) in pixels.iter().enumerate() {
        let share = 1.0 / pixel.taken.max(1.0);
        layers.radiance[at] = pixel.radiance.map(|c| c * share);
        layers.albedo[at] = pixel.albedo.map(|c| c * share);
        layers.normal[at] = pixel.normal.map(|c| c * share);
        layers.depth[at] = if pixel.deep > 0.0 { pixel.depth / pixel.deep } else { 0.0 };
        let n = pixel.taken;
        layers.variance[at] = if n > 1.0 { pixel.squares / (n * (n - 1.0)) } else { 0.0 };
    }
    layers
}
