//! The liquid world of a tempest, on a graphics device or on the twin.

use super::{SNAPSHOT_UNIT, storm::Storm};
use crate::{
    fixed::ONE,
    fluid::{Force, Liquid, Particle, WORDS, twin::TwinLiquid},
    trajectory::Snapshot,
    world::{Backend, SimError, World},
};

enum Engine {
    Twin(TwinLiquid),
    #[cfg(feature = "gpu")]
    Gpu(crate::fluid::gpu::GpuLiquid),
}

/// A tempest that can be stepped.
pub(super) struct LiquidWorld {
    engine: Engine,
    liquid: Liquid,
    count: usize,
    forces: Vec<Force>,
    step: u32,
    name: String,
}

impl LiquidWorld {
    /// The storm at its first step, on `backend`.
    pub(super) fn open(storm: &Storm, backend: Backend) -> Result<Self, SimError> {
        let (particles, forces) = (storm.particles(), storm.forces());
        let (liquid, count) = (storm.liquid.clone(), particles.len());
        #[cfg(feature = "gpu")]
        if let Some(gpu) = crate::gpu::Gpu::wanted(backend)? {
            let name = format!("wgpu: {}", gpu.name());
            match crate::fluid::gpu::GpuLiquid::new(gpu, &storm.liquid, &particles, &forces) {
                Ok(gpu) => return Ok(Self { engine: Engine::Gpu(gpu), liquid, count, forces, step: 0, name }),
                Err(error) if backend == Backend::Gpu => return Err(error.into()),
                Err(_) => {}
            }
        }
        #[cfg(not(feature = "gpu"))]
        if backend == Backend::Gpu {
            return Err(crate::fluid::FluidError::Device("this build has no kernels for it".into()).into());
        }
        let engine = Engine::Twin(TwinLiquid::new(storm.liquid.clone(), particles));
        Ok(Self { engine, liquid, count, forces, step: 0, name: "cpu".into() })
    }

    fn particles(&self) -> Result<Vec<Particle>, SimError> {
        match &self.engine {
            Engine::Twin(twin) => Ok(twin.particles()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => Ok(gpu.particles()?),
        }
    }
}

impl World for LiquidWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        match &mut self.engine {
            Engine::Twin(twin) => {
                let forces = self.forces.get(self.step as usize..(self.step + steps) as usize);
                for force in forces.ok_or(SimError::Saved("its state is of another step"))? {
                    twin.step(force)?;
                }
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.advance(steps)?,
        }
        self.step += steps;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        let particles = self.particles()?;
        let mut bytes = Vec::with_capacity(size_of_val(particles.as_slice()) + 8);
        bytes.extend(self.step.to_le_bytes());
        bytes.extend((particles.len() as u32).to_le_bytes());
        for word in particles.iter().flatten() {
            bytes.extend(word.to_le_bytes());
        }
        Ok(bytes)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let wrong = SimError::Saved("it is no state of this liquid");
        let (step, rest) = state.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (step, count) = (u32::from_le_bytes(*step), u32::from_le_bytes(*count) as usize);
        if step as usize > self.forces.len() || count != self.count || rest.len() != count * size_of::<Particle>() {
            return Err(wrong);
        }
        let words: Vec<i32> = rest.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        let (particles, _) = words.as_chunks::<WORDS>();
        if !particles.iter().all(|particle| self.liquid.is_within_limits(particle)) {
            return Err(wrong);
        }
        match &mut self.engine {
            Engine::Twin(twin) => *twin = TwinLiquid::new(self.liquid.clone(), particles.to_vec()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.restore(particles, step),
        }
        self.step = step;
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let particles = self.particles()?;
        // Rounded to nearest; positions are positive.
        let unit = ONE / SNAPSHOT_UNIT;
        let channel = |axis: usize| particles.iter().map(move |p| (p[axis] + unit / 2) / unit);
        Ok(channel(0).chain(channel(1)).chain(channel(2)).collect())
    }

    fn step(&self) -> u32 {
        self.step
    }

    fn backend(&self) -> String {
        self.name.clone()
    }
}
