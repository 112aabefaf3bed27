//! The liquid kernel on a graphics device, through wgpu.

use std::fmt;

use wgpu::util::DeviceExt as _;

use super::{FluidError, Force, Liquid, MAX_NODE_MASS, Particle};
use crate::world::Backend;

/// Steps handed to the device at a time: short enough that no driver's watchdog takes them for a hang.
const STEPS_A_SUBMISSION: u32 = 4;

/// Invocations in a workgroup, as in the kernel.
const WORKGROUP: u32 = 64;

/// A graphics device that can run the kernels.
#[derive(Debug, Clone)]
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    name: String,
    wide: bool,
    software: bool,
}

/// Which products a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// 64-bit integers where the adapter has them, split products elsewhere.
    Auto,
    /// Split products even where the adapter has 64-bit integers.
    Split,
}

/// What is known of a graphics adapter.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// The interface that it is reached through.
    pub interface: String,
    /// Whether it is a program on the CPU.
    pub software: bool,
    /// Whether shaders have 64-bit integers.
    pub wide: bool,
    /// The largest buffer that a kernel can use, bytes.
    pub largest_binding: u64,
}

/// Every graphics adapter, hardware first.
#[must_use]
pub fn adapters() -> Vec<Adapter> {
    let instance = wgpu::Instance::default();
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let describe = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        Adapter {
            name: info.name,
            interface: info.backend.to_string(),
            software: info.device_type == wgpu::DeviceType::Cpu,
            wide: adapter.features().contains(wgpu::Features::SHADER_INT64),
            largest_binding: adapter.limits().max_storage_buffer_binding_size,
        }
    };
    let mut adapters: Vec<Adapter> = found.iter().map(describe).collect();
    adapters.sort_by_key(|adapter| adapter.software);
    adapters
}

impl Gpu {
    /// The first adapter that wgpu offers.
    ///
    /// # Errors
    /// [`FluidError::Device`] where there is none, or it refuses to open.
    pub fn open(products: Products) -> Result<Self, FluidError> {
        let device_error = |error: &dyn fmt::Display| FluidError::Device(error.to_string());
        let instance = wgpu::Instance::default();
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = pollster::block_on(instance.request_adapter(&options)).map_err(|e| device_error(&e))?;
        let wide = products == Products::Auto && adapter.features().contains(wgpu::Features::SHADER_INT64);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("seedstorm"),
            required_features: if wide { wgpu::Features::SHADER_INT64 } else { wgpu::Features::empty() },
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| device_error(&e))?;
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        Ok(Self { device, queue, name: info.name, wide, software })
    }

    /// The adapter that `backend` asks for, if it asks for one. A software adapter runs the kernels on the CPU, slower
    /// than the twins do, and is used only where a device is insisted on.
    ///
    /// # Errors
    /// [`FluidError::Device`] where a device is insisted on and there is none.
    pub(crate) fn wanted(backend: Backend) -> Result<Option<Self>, FluidError> {
        match backend {
            Backend::Cpu => Ok(None),
            Backend::Gpu => Self::open(Products::Auto).map(Some),
            Backend::Auto => Ok(Self::open(Products::Auto).ok().filter(|gpu| !gpu.is_software())),
        }
    }

    /// The adapter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The products of fixed-point numbers, in WGSL.
    pub(crate) fn products(&self) -> &'static str {
        if self.wide { include_str!("product_wide.wgsl") } else { include_str!("product_split.wgsl") }
    }

    /// Whether the adapter is a program on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Whether kernels use 64-bit integers.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.wide
    }
}

/// A liquid stepped on a graphics device.
#[derive(Debug)]
pub struct GpuLiquid {
    gpu: Gpu,
    pipelines: Vec<(wgpu::ComputePipeline, u32)>,
    bindings: wgpu::BindGroup,
    particles: wgpu::Buffer,
    status: wgpu::Buffer,
    staging: wgpu::Buffer,
    steps: u32,
}

#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Constants {
    cells: i32,
    particles: u32,
    stiffness: i32,
    cohesion: i32,
    viscosity: i32,
    wall_friction: i32,
    inverse_density: i32,
}

impl GpuLiquid {
    /// A liquid of `particles`, which all lie at least two cells inside the grid; `forces` holds one entry a step.
    ///
    /// # Errors
    /// [`FluidError::Device`] where the device lacks memory or refuses the kernel.
    pub fn new(gpu: Gpu, liquid: &Liquid, particles: &[Particle], forces: &[Force]) -> Result<Self, FluidError> {
        let device = &gpu.device;
        let largest = gpu.device.limits().max_storage_buffer_binding_size;
        let bytes = size_of_val(particles).max(liquid.nodes() * 16) as u64;
        if bytes > largest {
            return Err(FluidError::Device(format!("{} binds at most {largest} bytes, {bytes} are needed", gpu.name)));
        }
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = |label, contents: &[u8]| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some(label),
                contents,
                usage: storage,
            })
        };
        let constants = Constants {
            cells: liquid.cells as i32,
            particles: particles.len() as u32,
            stiffness: liquid.stiffness,
            cohesion: liquid.cohesion,
            viscosity: liquid.viscosity,
            wall_friction: liquid.wall_friction,
            inverse_density: liquid.inverse_density(),
        };
        let particle_buffer = buffer("particles", bytemuck::cast_slice(particles));
        let status = buffer("status", bytemuck::bytes_of(&[0u32; 2]));
        let buffers = [
            &buffer("liquid", bytemuck::bytes_of(&constants)),
            &particle_buffer,
            &buffer("grid", bytemuck::cast_slice(&vec![0i32; liquid.nodes() * 4])),
            &buffer("wall", bytemuck::cast_slice(&liquid.wall())),
            &buffer("forces", bytemuck::cast_slice(forces)),
            &status,
        ];
        let read_only = [true, false, false, true, true, false];
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("liquid"),
            entries: &std::array::from_fn::<_, 6, _>(|binding| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: read_only[binding] },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }),
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("liquid"),
            layout: &layout,
            entries: &std::array::from_fn::<_, 6, _>(|binding| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffers[binding].as_entire_binding(),
            }),
        });
        let source = format!("{}\n{}", gpu.products(), include_str!("kernel.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("liquid"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("liquid"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let (over_nodes, over_particles) =
            ((liquid.nodes() as u32).div_ceil(WORKGROUP), (particles.len() as u32).div_ceil(WORKGROUP));
        let kernels = [
            ("clear", over_nodes),
            ("scatter", over_particles),
            ("update_grid", over_nodes),
            ("gather", over_particles),
            ("advance", 1),
        ];
        let pipelines = kernels.map(|(entry, groups)| {
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
            (pipeline, groups)
        });
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: particle_buffer.size().max(status.size()),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self { pipelines: pipelines.into(), bindings, particles: particle_buffer, status, staging, steps: 0, gpu })
    }

    /// Advances `steps` steps, each under its own force.
    ///
    /// # Errors
    /// [`FluidError::Overfull`] where a node holds more particles than its sums have room for;
    /// [`FluidError::Device`] where the device is lost.
    pub fn advance(&mut self, steps: u32) -> Result<(), FluidError> {
        let mut left = steps;
        while left > 0 {
            let now = left.min(STEPS_A_SUBMISSION);
            let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_bind_group(0, &self.bindings, &[]);
                for _ in 0..now {
                    for (pipeline, groups) in &self.pipelines {
                        pass.set_pipeline(pipeline);
                        pass.dispatch_workgroups(*groups, 1, 1);
                    }
                }
            }
            self.gpu.queue.submit([encoder.finish()]);
            left -= now;
        }
        self.steps += steps;
        let heaviest = read_buffer::<u32>(&self.gpu, &self.status, &self.staging)?[1];
        if heaviest >= MAX_NODE_MASS as u32 {
            return Err(FluidError::Overfull { step: self.steps });
        }
        Ok(())
    }

    /// Goes on from `particles`, as many as before, at the step `step`.
    pub fn restore(&mut self, particles: &[Particle], step: u32) {
        self.gpu.queue.write_buffer(&self.particles, 0, bytemuck::cast_slice(particles));
        self.gpu.queue.write_buffer(&self.status, 0, bytemuck::bytes_of(&[step, 0u32]));
        self.steps = step;
    }

    /// The particles in the order of their ids.
    ///
    /// # Errors
    /// [`FluidError::Device`] where the device is lost.
    pub fn particles(&self) -> Result<Vec<Particle>, FluidError> {
        read_buffer(&self.gpu, &self.particles, &self.staging)
    }
}

/// The contents of a buffer, by way of `staging`, which is at least as large.
pub(crate) fn read_buffer<T: bytemuck::Pod>(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    staging: &wgpu::Buffer,
) -> Result<Vec<T>, FluidError> {
    let lost = |error: &dyn fmt::Display| FluidError::Device(error.to_string());
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(buffer, 0, staging, 0, buffer.size());
    gpu.queue.submit([encoder.finish()]);
    let slice = staging.slice(..buffer.size());
    let (sender, receiver) = std::sync::mpsc::channel();
    slice.map_async(wgpu::MapMode::Read, move |result| {
        // The receiver lives to the end of this function; if it is gone, nobody wants the answer.
        let _ = sender.send(result);
    });
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| lost(&e))?;
    receiver.recv().map_err(|e| lost(&e))?.map_err(|e| lost(&e))?;
    let mapped = slice.get_mapped_range();
    let values = bytemuck::pod_collect_to_vec(&mapped);
    drop(mapped);
    staging.unmap();
    Ok(values)
}
