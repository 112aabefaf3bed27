//! The gravity kernel on a graphics device, through wgpu.

use wgpu::util::DeviceExt as _;

use super::{CELLS, Gravity, Green, PADDED, Point, twiddles};
use crate::fluid::{
    FluidError,
    gpu::{Gpu, read_buffer},
};

/// Steps handed to the device at a time: short enough that no driver's watchdog takes them for a hang.
const STEPS_A_SUBMISSION: u32 = 4;

/// Invocations in a workgroup, as in the kernel.
const WORKGROUP: u32 = 64;

/// Points under their own gravity, stepped on a graphics device.
#[derive(Debug)]
pub struct GpuGravity {
    gpu: Gpu,
    pipelines: Vec<(wgpu::ComputePipeline, [u32; 2])>,
    bindings: wgpu::BindGroup,
    points: wgpu::Buffer,
    staging: wgpu::Buffer,
}

#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Law {
    count: u32,
    mass: i32,
    strength: i32,
}

impl GpuGravity {
    /// `points` under the law of `gravity`.
    ///
    /// # Errors
    /// [`FluidError::Device`] where the device lacks memory or refuses the kernel.
    pub fn new(gpu: Gpu, gravity: &Gravity, points: &[Point]) -> Result<Self, FluidError> {
        let device = &gpu.device;
        let (nodes, padded) = (CELLS * CELLS * CELLS, PADDED * PADDED * PADDED);
        let largest = device.limits().max_storage_buffer_binding_size;
        let bytes = (padded * 8).max(size_of_val(points)) as u64;
        if bytes > largest {
            let name = gpu.name();
            return Err(FluidError::Device(format!("{name} binds at most {largest} bytes, {bytes} are needed")));
        }
        let green = Green::new(gravity);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let filled = |label, contents: &[u8]| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
        };
        // A new buffer holds zeros.
        let empty = |label, size: usize| {
            let size = size as u64;
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let law = Law { count: points.len() as u32, mass: gravity.mass(), strength: green.strength };
        let point_buffer = filled("points", bytemuck::cast_slice(points));
        let buffers = [
            &filled("law", bytemuck::bytes_of(&law)),
            &point_buffer,
            &empty("masses", nodes * 4),
            &empty("field", padded * 8),
            &filled("modes", bytemuck::cast_slice(&green.modes)),
            &filled("twiddles", bytemuck::cast_slice(&twiddles())),
            &empty("gradient", nodes * 16),
        ];
        let read_only = [true, false, false, false, true, true, false];
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("gravity"),
            entries: &std::array::from_fn::<_, 7, _>(|binding| wgpu::BindGroupLayoutEntry {
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
            label: Some("gravity"),
            layout: &layout,
            entries: &std::array::from_fn::<_, 7, _>(|binding| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: buffers[binding].as_entire_binding(),
            }),
        });
        let source = format!("{}\n{}", gpu.products(), include_str!("kernel.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("gravity"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("gravity"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let (cells, padded) = (CELLS as u32, PADDED as u32);
        let over_nodes = [nodes as u32 / WORKGROUP, 1];
        let over_points = [(points.len() as u32).div_ceil(WORKGROUP), 1];
        let kernels = [
            ("clear", over_nodes),
            ("deposit", over_points),
            ("forwards_z", [cells, cells]),
            ("forwards_y", [cells, padded]),
            ("through_x", [padded, padded]),
            ("backwards_y", [cells, padded]),
            ("backwards_z", [cells, cells]),
            ("differentiate", over_nodes),
            ("kick_and_drift", over_points),
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
            size: point_buffer.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self { pipelines: pipelines.into(), bindings, points: point_buffer, staging, gpu })
    }

    /// Advances `steps` steps.
    pub fn advance(&mut self, steps: u32) {
        let mut left = steps;
        while left > 0 {
            let now = left.min(STEPS_A_SUBMISSION);
            let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_bind_group(0, &self.bindings, &[]);
                for _ in 0..now {
                    for (pipeline, [x, y]) in &self.pipelines {
                        pass.set_pipeline(pipeline);
                        pass.dispatch_workgroups(*x, *y, 1);
                    }
                }
            }
            self.gpu.queue.submit([encoder.finish()]);
            left -= now;
        }
    }

    /// Goes on from `points`, as many as before.
    pub fn restore(&mut self, points: &[Point]) {
        self.gpu.queue.write_buffer(&self.points, 0, bytemuck::cast_slice(points));
    }

    /// The points, in the order in which they were given.
    ///
    /// # Errors
    /// [`FluidError::Device`] where the device is lost.
    pub fn points(&self) -> Result<Vec<Point>, FluidError> {
        read_buffer(&self.gpu, &self.points, &self.staging)
    }
}
