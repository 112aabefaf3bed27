//! Worlds of matter, of rigid bodies, or of both, acting on each other.
//!
//! In each step the matter sees the bodies as they are at its beginning, quantised once (`rigid.rs`), and moves among
//! them; what its nodes lost to each body, exact sums of integers, is then given to rapier as impulses, and the bodies
//! move. So momentum passes from one to the other up to the rounding of one `f32` a step and body.

mod rigid;
pub mod setup;

use rapier3d::prelude::PhysicsWorld;

use crate::{
    fixed::ONE,
    matter::{Force, Impulse, Matter, Particle, Particles, STRAIN_WORDS, Strain, WORDS, twin::TwinMatter},
    trajectory::Snapshot,
    world::{Backend, SimError, World},
};
use rigid::Rigid;
pub use rigid::TICK;
pub use setup::{Body, Joint, JointKind, Setup, Shape};

/// Steps of a snapshot's position in one cell.
pub const SNAPSHOT_UNIT: i32 = 32;

/// Steps of a snapshot's quaternion in one.
pub const ROTATION_UNIT: f32 = 8192.0;

/// Steps of a body's position in one cell: bodies are few, and a jump of theirs is seen.
pub const BODY_UNIT: f32 = 1024.0;

/// Channels of a snapshot.
pub const CHANNELS: usize = 3;

/// Elements of a snapshot that a body takes: its place, three parts of its quaternion, the fourth.
const ELEMENTS_A_BODY: usize = 3;

enum Engine {
    Twin(TwinMatter),
    #[cfg(feature = "gpu")]
    Gpu(crate::matter::gpu::GpuMatter),
}

/// A world of matter and bodies that can be stepped.
pub struct CoupledWorld {
    engine: Engine,
    rigid: Option<Rigid>,
    matter: Matter,
    /// The particles before the first step.
    first: Particles,
    forces: Vec<Force>,
    step: u32,
    name: String,
    /// What the matter gave to the bodies in the last step.
    impulses: Vec<Impulse>,
}

/// Elements of a snapshot of so many particles and bodies.
#[must_use]
pub fn elements(particles: usize, bodies: usize) -> usize {
    particles + ELEMENTS_A_BODY * bodies
}

/// Where a body is in a snapshot's values: its place in cells, and its quaternion, x, y, z, w, of length 1.
#[must_use]
pub fn pose(values: &[f32], particles: usize, body: usize) -> ([f32; 3], [f32; 4]) {
    let count = values.len() / CHANNELS;
    let at = |element: usize, channel: usize| values[channel * count + particles + ELEMENTS_A_BODY * body + element];
    let place = [0, 1, 2].map(|axis| at(0, axis) / BODY_UNIT);
    let turn = [at(1, 0), at(1, 1), at(1, 2), at(2, 0)];
    let length = turn.iter().map(|c| c * c).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    (place, turn.map(|c| c / length))
}

impl CoupledWorld {
    /// The world of `setup` at its first step, on `backend`.
    ///
    /// # Errors
    /// The backend that was asked for is not there; a body has no volume or is too large.
    pub fn open(setup: Setup, backend: Backend) -> Result<Self, SimError> {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = crate::gpu::Gpu::wanted(backend)? {
            match Self::on(setup.clone(), gpu) {
                Err(SimError::Kernel(_)) if backend != Backend::Gpu => {}
                opened => return opened,
            }
        }
        #[cfg(not(feature = "gpu"))]
        if backend == Backend::Gpu {
            return Err(crate::world::KernelError::Device("this build has no kernels for it".into()).into());
        }
        let rigid = Rigid::of(&setup)?;
        let engine = Engine::Twin(TwinMatter::new(setup.matter.clone(), setup.particles.clone(), 0));
        Ok(Self::of(setup, rigid, engine, "cpu".into()))
    }

    /// The world of `setup` at its first step, its matter on this device.
    ///
    /// # Errors
    /// The device lacks memory or refuses the kernel; a body has no volume or is too large.
    #[cfg(feature = "gpu")]
    pub fn on(setup: Setup, gpu: crate::gpu::Gpu) -> Result<Self, SimError> {
        let rigid = Rigid::of(&setup)?;
        let name = format!("wgpu: {}", gpu.name());
        let bodies = rigid.as_ref().map(|rigid| &rigid.colliders);
        let matter = crate::matter::gpu::GpuMatter::new(gpu, &setup.matter, &setup.particles, &setup.forces, bodies)?;
        Ok(Self::of(setup, rigid, Engine::Gpu(matter), name))
    }

    fn of(setup: Setup, rigid: Option<Rigid>, engine: Engine, name: String) -> Self {
        let Setup { matter, particles, forces, .. } = setup;
        Self { engine, rigid, matter, first: particles, forces, step: 0, name, impulses: Vec::new() }
    }

    /// The particles as they are.
    ///
    /// # Errors
    /// A device failed.
    pub fn particles(&self) -> Result<Particles, SimError> {
        match &self.engine {
            Engine::Twin(twin) => Ok(twin.particles()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => Ok(gpu.particles()?),
        }
    }

    /// Places (cells) and velocities (cells a step) of the bodies' centres of mass, and their masses, in those of particles.
    #[must_use]
    pub fn bodies(&self) -> Vec<([f64; 3], [f64; 3], f64)> {
        let wide = |v: rapier3d::prelude::Vector| [f64::from(v.x), f64::from(v.y), f64::from(v.z)];
        let tick = f64::from(TICK);
        let bodies = self.rigid.iter().flat_map(Rigid::bodies);
        bodies
            .map(|body| {
                (wide(body.center_of_mass()), wide(body.linvel()).map(|v| v * tick), f64::from(body.mass()) * 2.0)
            })
            .collect()
    }

    /// What the matter gave to each collider in the last step.
    #[must_use]
    pub fn impulses(&self) -> &[Impulse] {
        &self.impulses
    }

    fn couple(&mut self, step: u32) -> Result<(), SimError> {
        let rigid = self.rigid.as_mut().expect("a world with bodies");
        rigid.see();
        rigid.colliders.list(self.matter.cells);
        self.impulses = match &mut self.engine {
            Engine::Twin(twin) => twin.step(&self.forces[step as usize], Some(&rigid.colliders))?,
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.step(&rigid.colliders)?,
        };
        rigid.step(&self.impulses);
        Ok(())
    }
}

impl std::fmt::Debug for CoupledWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CoupledWorld at step {} on {}", self.step, self.name)
    }
}

impl World for CoupledWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        let range = self.step as usize..(self.step + steps) as usize;
        let forces = self.forces.get(range).ok_or(SimError::Saved("its state is of another step"))?;
        if self.rigid.is_some() {
            for step in self.step..self.step + steps {
                self.couple(step)?;
            }
        } else {
            match &mut self.engine {
                Engine::Twin(twin) => {
                    for force in forces {
                        twin.step(force, None)?;
                    }
                }
                #[cfg(feature = "gpu")]
                Engine::Gpu(gpu) => gpu.advance(steps)?,
            }
        }
        self.step += steps;
        match self.rigid.as_ref().and_then(Rigid::lost) {
            Some(body) => Err(SimError::NotFinite { body, step: self.step }),
            None => Ok(()),
        }
    }

    /// The step, the number of particles, their states and strains, all little-endian; then all of rapier.
    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        let particles = self.particles()?;
        let size = size_of_val(particles.states.as_slice()) + size_of_val(particles.strains.as_slice());
        let mut bytes = Vec::with_capacity(size + 8);
        bytes.extend(self.step.to_le_bytes());
        bytes.extend((particles.states.len() as u32).to_le_bytes());
        for word in particles.states.iter().flatten().chain(particles.strains.iter().flatten()) {
            bytes.extend(word.to_le_bytes());
        }
        match &self.rigid {
            None => Ok(bytes),
            Some(rigid) => {
                postcard::to_extend(&rigid.physics, bytes).map_err(|error| SimError::Rigid(error.to_string()))
            }
        }
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let wrong = SimError::Saved("it is no state of this world");
        let (step, rest) = state.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(SimError::Saved("it is cut short"))?;
        let (step, count) = (u32::from_le_bytes(*step), u32::from_le_bytes(*count) as usize);
        if step as usize > self.forces.len() || count != self.first.states.len() {
            return Err(wrong);
        }
        let (states_size, strains_size) =
            (count * size_of::<Particle>(), self.first.strains.len() * size_of::<Strain>());
        let (Some((matter, rigid)), true) = (
            rest.split_at_checked(states_size + strains_size),
            self.rigid.is_some() || rest.len() == states_size + strains_size,
        ) else {
            return Err(wrong);
        };
        let words: Vec<i32> = matter.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        let (states, strains) = words.split_at(count * WORDS);
        let particles = Particles {
            states: states.as_chunks::<WORDS>().0.to_vec(),
            strains: strains.as_chunks::<STRAIN_WORDS>().0.to_vec(),
            kinds: self.first.kinds.clone(),
        };
        if !self.matter.are_within_limits(&particles) {
            return Err(wrong);
        }
        if let Some(own) = &mut self.rigid {
            let (physics, rest): (PhysicsWorld, _) = postcard::take_from_bytes(rigid).map_err(|_| wrong)?;
            if !rest.is_empty() || !own.restore(physics) {
                return Err(SimError::Saved("it is no state of this world"));
            }
        }
        match &mut self.engine {
            Engine::Twin(twin) => *twin = TwinMatter::new(self.matter.clone(), particles, step),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.restore(&particles, step),
        }
        self.step = step;
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let particles = self.particles()?;
        let bodies: Vec<_> = self.rigid.iter().flat_map(Rigid::bodies).collect();
        // Rounded to nearest; positions are positive.
        let unit = ONE / SNAPSHOT_UNIT;
        let mut snapshot = Vec::with_capacity(CHANNELS * elements(particles.states.len(), bodies.len()));
        for axis in 0..CHANNELS {
            snapshot.extend(particles.states.iter().map(|p| (p[axis] + unit / 2) / unit));
            for body in &bodies {
                let turn = body.rotation();
                let numbers = [
                    body.translation()[axis] * BODY_UNIT,
                    [turn.x, turn.y, turn.z][axis] * ROTATION_UNIT,
                    [turn.w, 0.0, 0.0][axis] * ROTATION_UNIT,
                ];
                snapshot.extend(numbers.map(|number| number.round() as i32));
            }
        }
        Ok(snapshot)
    }

    fn step(&self) -> u32 {
        self.step
    }

    fn backend(&self) -> String {
        self.name.clone()
    }
}
