//! The liquid kernel on a graphics device, through wgpu.

use super::{FluidError, Force, Liquid, MAX_NODE_MASS, Particle};
use crate::gpu::{Contents, Gpu, Kernel, Role, WORKGROUP};

/// Numbers of the buffers that are read back.
const PARTICLES: usize = 1;
const STATUS: usize = 5;

/// A liquid stepped on a graphics device.
#[derive(Debug)]
pub struct GpuLiquid {
    kernel: Kernel,
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
        let constants = Constants {
            cells: liquid.cells as i32,
            particles: particles.len() as u32,
            stiffness: liquid.stiffness,
            cohesion: liquid.cohesion,
            viscosity: liquid.viscosity,
            wall_friction: liquid.wall_friction,
            inverse_density: liquid.inverse_density(),
        };
        let wall = liquid.wall();
        let buffers = [
            ("liquid", Role::Constant, Contents::Bytes(bytemuck::bytes_of(&constants))),
            ("particles", Role::State, Contents::Bytes(bytemuck::cast_slice(particles))),
            ("grid", Role::Scratch, Contents::Zeros(liquid.nodes() * 16)),
            ("wall", Role::Constant, Contents::Bytes(bytemuck::cast_slice(&wall))),
            ("forces", Role::Constant, Contents::Bytes(bytemuck::cast_slice(forces))),
            ("status", Role::State, Contents::Zeros(8)),
        ];
        let over_nodes = [(liquid.nodes() as u32).div_ceil(WORKGROUP), 1];
        let over_particles = [(particles.len() as u32).div_ceil(WORKGROUP), 1];
        let passes = [
            ("clear", over_nodes),
            ("scatter", over_particles),
            ("update_grid", over_nodes),
            ("gather", over_particles),
            ("advance", [1, 1]),
        ];
        let kernel = Kernel::new(gpu, "liquid", include_str!("kernel.wgsl"), &buffers, &passes)?;
        Ok(Self { kernel, steps: 0 })
    }

    /// Advances `steps` steps, each under its own force.
    ///
    /// # Errors
    /// [`FluidError::Overfull`] where a node holds more particles than its sums have room for;
    /// [`FluidError::Device`] where the device is lost.
    pub fn advance(&mut self, steps: u32) -> Result<(), FluidError> {
        self.kernel.advance(steps);
        self.steps += steps;
        let heaviest = self.kernel.read::<u32>(STATUS)?[1];
        if heaviest >= MAX_NODE_MASS as u32 {
            return Err(FluidError::Overfull { step: self.steps });
        }
        Ok(())
    }

    /// Goes on from `particles`, as many as before, at the step `step`.
    pub fn restore(&mut self, particles: &[Particle], step: u32) {
        self.kernel.write(PARTICLES, particles);
        self.kernel.write(STATUS, &[step, 0]);
        self.steps = step;
    }

    /// The particles in the order of their ids.
    ///
    /// # Errors
    /// [`FluidError::Device`] where the device is lost.
    pub fn particles(&self) -> Result<Vec<Particle>, FluidError> {
        self.kernel.read(PARTICLES)
    }
}
