//! The gravity kernel on a graphics device, through wgpu.

use super::{CELLS, Gravity, Green, PADDED, Point, WORDS, twiddles};
use crate::{
    gpu::{Contents, Gpu, Kernel, OnDevice, Role, WORKGROUP},
    world::KernelError,
};

/// Number of the buffer that is read back.
const POINTS: usize = 1;

/// Points under their own gravity, stepped on a graphics device.
#[derive(Debug)]
pub struct GpuGravity {
    kernel: Kernel,
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
    /// [`KernelError::Device`] where the device lacks memory or refuses the kernel.
    pub fn new(gpu: Gpu, gravity: &Gravity, points: &[Point]) -> Result<Self, KernelError> {
        let (nodes, padded) = (CELLS * CELLS * CELLS, PADDED * PADDED * PADDED);
        let green = Green::new(gravity);
        let law = Law { count: points.len() as u32, mass: gravity.mass(), strength: green.strength };
        let twiddles = twiddles();
        let buffers = [
            ("law", Role::Constant, Contents::Bytes(bytemuck::bytes_of(&law))),
            ("points", Role::State, Contents::Bytes(bytemuck::cast_slice(points))),
            ("masses", Role::Scratch, Contents::Zeros(nodes * 4)),
            ("field", Role::Scratch, Contents::Zeros(padded * 8)),
            ("modes", Role::Constant, Contents::Bytes(bytemuck::cast_slice(&green.modes))),
            ("twiddles", Role::Constant, Contents::Bytes(bytemuck::cast_slice(&twiddles))),
            ("gradient", Role::Scratch, Contents::Zeros(nodes * 16)),
        ];
        let (cells, padded) = (CELLS as u32, PADDED as u32);
        let over_nodes = [nodes as u32 / WORKGROUP, 1];
        let over_points = [(points.len() as u32).div_ceil(WORKGROUP), 1];
        let passes = [
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
        let kernel = Kernel::new(gpu, "gravity", include_str!("kernel.wgsl"), &buffers, &passes)?;
        Ok(Self { kernel })
    }

    /// Advances `steps` steps.
    pub fn advance(&mut self, steps: u32) {
        self.kernel.advance(steps);
    }

    /// Goes on from `points`, as many as before.
    pub fn restore(&mut self, points: &[Point]) {
        self.kernel.write(POINTS, points);
    }

    /// The points where they are, in the order in which they were given.
    #[must_use]
    pub fn on_device(&self) -> OnDevice {
        OnDevice { buffer: self.kernel.buffer(POINTS).clone(), stride: WORDS as u32 }
    }

    /// The points, in the order in which they were given.
    ///
    /// # Errors
    /// [`KernelError::Device`] where the device is lost.
    pub fn points(&self) -> Result<Vec<Point>, KernelError> {
        self.kernel.read(POINTS)
    }
}
