//! The force on a liquid in one step: linear in position, so that gravity, swirl, pull and strain are one formula, and
//! a drag that calms it.

use crate::fixed::{q24, q30};

/// Acceleration `g + M·(x − centre)`, and a share of the speed that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Force {
    /// Uniform part, Q24 cells a step².
    pub uniform: [i32; 3],
    /// Linear part, row by row, Q30 per step².
    pub linear: [i32; 9],
    /// Share of the speed that is lost, Q24 per step, 0 to 1.
    pub drag: i32,
}

impl Force {
    /// From real numbers: `uniform` in cells a step², `linear` per step², row by row,
    /// `drag` per step.
    #[must_use]
    pub fn new(uniform: [f64; 3], linear: [[f64; 3]; 3], drag: f64) -> Self {
        let mut rows = [0; 9];
        for (to, from) in rows.iter_mut().zip(linear.iter().flatten()) {
            *to = q30(*from);
        }
        Self { uniform: uniform.map(q24), linear: rows, drag: q24(drag) }
    }
}
