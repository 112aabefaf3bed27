//! What every kernel needs of a device: buffers and their bindings, pipelines, submissions, and reading back.

use super::Gpu;
use crate::world::KernelError;

/// Steps handed to the device at a time: short enough that no driver's watchdog takes them for a hang.
const STEPS_A_SUBMISSION: u32 = 4;

/// Invocations in a workgroup, as in the kernels.
pub(crate) const WORKGROUP: u32 = 64;

/// What a buffer of a kernel holds at first.
#[derive(Debug)]
pub enum Contents<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// That many bytes of 0.
    Zeros(usize),
}

impl Contents<'_> {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(count) => *count as u64,
        }
    }
}

/// What a buffer of a kernel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The kernel only reads it.
    Constant,
    /// The kernel writes it, for itself.
    Scratch,
    /// The kernel writes it, and it can be read back.
    State,
}

/// A buffer of a kernel: its name, what it is for and what it holds at first.
pub type KernelBuffer<'a> = (&'static str, Role, Contents<'a>);

/// Shaders that were compiled for a device, for any number of kernels of one form.
#[derive(Debug, Clone)]
pub struct Program {
    gpu: Gpu,
    label: &'static str,
    layout: wgpu::BindGroupLayout,
    pipelines: Vec<wgpu::ComputePipeline>,
}

impl Program {
    /// Compiles `source`, which follows the products of fixed-point numbers, for buffers of these roles, bound in their
    /// order; each of `entries` is an entry point.
    pub fn new(
        gpu: Gpu,
        label: &'static str,
        source: &str,
        roles: impl Iterator<Item = Role>,
        entries: impl Iterator<Item = &'static str>,
    ) -> Self {
        let device = &gpu.device;
        let layout_entry = |(binding, role): (u32, Role)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: role == Role::Constant },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries: &(0..).zip(roles).map(layout_entry).collect::<Vec<_>>(),
        });
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(format!("{}\n{source}", gpu.products()).into()),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = |entry| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let pipelines = entries.map(pipeline).collect();
        Self { gpu, label, layout, pipelines }
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// A kernel over these buffers; `groups` are the workgroups of each entry point along x and y.
    ///
    /// # Errors
    /// [`KernelError::Device`] where a buffer is larger than the device binds, it has too little memory, or is lost.
    pub fn kernel(&self, buffers: &[KernelBuffer<'_>], groups: &[[u32; 2]]) -> Result<Kernel, KernelError> {
        let (gpu, device) = (&self.gpu, &self.gpu.device);
        let largest = gpu.largest_binding();
        let bytes = buffers.iter().map(|(_, _, contents)| contents.size()).max().unwrap_or(0);
        if bytes > largest {
            return Err(KernelError::Device(format!("{} binds at most {largest} bytes, {bytes} are needed", gpu.name)));
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let create = |(label, _, contents): &KernelBuffer<'_>| {
            let (label, size) = (Some(*label), contents.size());
            // It holds zeros.
            let buffer =
                device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false });
            if let Contents::Bytes(contents) = contents {
                gpu.queue.write_buffer(&buffer, 0, contents);
            }
            buffer
        };
        let state = buffers.iter().filter(|(_, role, _)| *role == Role::State);
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: state.map(|(_, _, contents)| contents.size()).max().unwrap_or(0),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let buffers: Vec<wgpu::Buffer> = buffers.iter().map(create).collect();
        let entries: Vec<_> = (0..)
            .zip(&buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.label),
            layout: &self.layout,
            entries: &entries,
        });
        let passes = self.pipelines.iter().cloned().zip(groups.iter().copied()).collect();
        gpu.check()?;
        Ok(Kernel { passes, buffers, bind_group, staging, gpu: gpu.clone() })
    }
}

/// A kernel on a device: its buffers, and the passes over them that make a step.
#[derive(Debug)]
pub struct Kernel {
    gpu: Gpu,
    /// Each pass's pipeline and its workgroups along x and y.
    passes: Vec<(wgpu::ComputePipeline, [u32; 2])>,
    buffers: Vec<wgpu::Buffer>,
    bind_group: wgpu::BindGroup,
    staging: wgpu::Buffer,
}

impl Kernel {
    /// The kernel of a program of its own; a pass is an entry point and its workgroups along x and y.
    ///
    /// # Errors
    /// As [`Program::kernel`].
    pub(crate) fn new(
        gpu: Gpu,
        label: &'static str,
        source: &str,
        buffers: &[KernelBuffer<'_>],
        passes: &[(&'static str, [u32; 2])],
    ) -> Result<Self, KernelError> {
        let roles = buffers.iter().map(|(_, role, _)| *role);
        let groups: Vec<[u32; 2]> = passes.iter().map(|(_, groups)| *groups).collect();
        let entries = passes.iter().map(|(entry, _)| *entry);
        let build = || Program::new(gpu.clone(), label, source, roles, entries).kernel(buffers, &groups);
        gpu.guarded(build)?
    }

    /// Runs all passes, `steps` times.
    pub fn advance(&self, steps: u32) {
        let mut left = steps;
        while left > 0 {
            let now = left.min(STEPS_A_SUBMISSION);
            let mut encoder = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_bind_group(0, &self.bind_group, &[]);
                for _ in 0..now {
                    for (pipeline, [x, y]) in &self.passes {
                        pass.set_pipeline(pipeline);
                        pass.dispatch_workgroups(*x, *y, 1);
                    }
                }
            }
            self.gpu.queue.submit([encoder.finish()]);
            left -= now;
        }
    }

    /// Waits until everything that was submitted is done.
    ///
    /// # Errors
    /// [`KernelError::Device`] where the device is lost.
    pub fn wait(&self) -> Result<(), KernelError> {
        self.gpu.wait()?;
        self.gpu.check()
    }

    /// A buffer, for others that use the same device.
    pub(crate) fn buffer(&self, buffer: usize) -> &wgpu::Buffer {
        &self.buffers[buffer]
    }

    /// Replaces the first values of a buffer.
    pub fn write<T: bytemuck::Pod>(&self, buffer: usize, values: &[T]) {
        self.gpu.queue.write_buffer(&self.buffers[buffer], 0, bytemuck::cast_slice(values));
    }

    /// The contents of a buffer of [`Role::State`].
    ///
    /// # Errors
    /// [`KernelError::Device`] where the device is lost.
    pub fn read<T: bytemuck::Pod>(&self, buffer: usize) -> Result<Vec<T>, KernelError> {
        let (gpu, staging, buffer) = (&self.gpu, &self.staging, &self.buffers[buffer]);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, 0, staging, 0, buffer.size());
        gpu.queue.submit([encoder.finish()]);
        let slice = staging.slice(..buffer.size());
        let (sender, receiver) = std::sync::mpsc::channel();
        slice.map_async(wgpu::MapMode::Read, move |result| {
            // The receiver lives to the end of this function; if it is gone, nobody wants the answer.
            let _ = sender.send(result);
        });
        gpu.wait_for(&receiver)?.map_err(|error| KernelError::Device(error.to_string()))?;
        let mapped = slice.get_mapped_range();
        let values = bytemuck::pod_collect_to_vec(&mapped);
        drop(mapped);
        staging.unmap();
        gpu.check()?;
        Ok(values)
    }
}
