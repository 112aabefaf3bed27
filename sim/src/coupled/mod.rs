//! Matter by itself, or among rapier's bodies, which it moves and which move it.
//!
//! In each step the matter sees the bodies as they are at its beginning, quantised once (`bodies.rs`), and moves among
//! them; what its nodes lost to each body, exact sums of integers, is then given to rapier as impulses. So momentum passes
//! from one to the other up to the rounding of one `f32` a step and body.

mod bodies;

use rapier3d::prelude::{PhysicsWorld, RigidBodyHandle};

use crate::{
    fixed::ONE,
    matter::{Force, Impulse, Matter, Particle, Particles, STRAIN_WORDS, Strain, WORDS, twin::TwinMatter},
    trajectory::Snapshot,
    world::{Device, SimError, World},
};
pub use bodies::Scale;
use bodies::Seen;

/// Steps of a snapshot's position in one cell.
pub const SNAPSHOT_UNIT: i32 = 32;

/// Channels of a snapshot: the particles' positions.
pub const CHANNELS: usize = 3;

/// Matter at its first step.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its constants, and what holds it.
    pub matter: Matter,
    /// Its particles.
    pub particles: Particles,
    /// The force on it in each step.
    pub forces: Vec<Force>,
}

enum Engine {
    Twin(TwinMatter),
    #[cfg(feature = "gpu")]
    Gpu(crate::matter::gpu::GpuMatter),
}

/// Matter that can be stepped, among bodies or not.
pub struct Tank {
    engine: Engine,
    bodies: Option<Seen>,
    matter: Matter,
    /// The particles before the first step.
    first: Particles,
    forces: Vec<Force>,
    step: u32,
    name: String,
    impulses: Vec<Impulse>,
}

impl std::fmt::Debug for Tank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tank at step {} on {}", self.step, self.name)
    }
}

/// A rigid world whose bodies stand in matter: the world, those bodies, and how it is to scale. A body's colliders are
/// convex, and stand at its origin.
pub type Rigid<'a> = (&'a PhysicsWorld, Vec<RigidBodyHandle>, Scale);

impl Tank {
    /// Matter at its first step, on `device`.
    ///
    /// # Errors
    /// The device that was asked for is not there; a body is too large.
    pub fn open(setup: Setup, bodies: Option<Rigid<'_>>, device: impl Into<Device>) -> Result<Self, SimError> {
        let device = device.into();
        #[cfg(feature = "gpu")]
        if let Some(gpu) = device.gpu()? {
            match Self::on(setup.clone(), bodies.clone(), gpu) {
                Err(SimError::Kernel(_)) if !device.is_insisted_on() => {}
                opened => return opened,
            }
        }
        #[cfg(not(feature = "gpu"))]
        if device.is_insisted_on() {
            return Err(crate::world::KernelError::Device("this build has no kernels for it".into()).into());
        }
        let bodies = see(&setup, bodies)?;
        let engine = Engine::Twin(TwinMatter::new(setup.matter.clone(), setup.particles.clone(), 0));
        Ok(Self::of(setup, bodies, engine, "cpu".into()))
    }

    /// Matter at its first step, on this device.
    ///
    /// # Errors
    /// The device lacks memory or refuses the kernel; a body is too large.
    #[cfg(feature = "gpu")]
    pub fn on(setup: Setup, bodies: Option<Rigid<'_>>, gpu: crate::gpu::Gpu) -> Result<Self, SimError> {
        let bodies = see(&setup, bodies)?;
        let name = format!("wgpu: {}", gpu.name());
        let colliders = bodies.as_ref().map(|seen| &seen.colliders);
        let matter =
            crate::matter::gpu::GpuMatter::new(gpu, &setup.matter, &setup.particles, &setup.forces, colliders)?;
        Ok(Self::of(setup, bodies, Engine::Gpu(matter), name))
    }

    fn of(setup: Setup, bodies: Option<Seen>, engine: Engine, name: String) -> Self {
        let Setup { matter, particles, forces } = setup;
        Self { engine, bodies, matter, first: particles, forces, step: 0, name, impulses: Vec::new() }
    }

    /// Advances the matter one step among the bodies of `physics`, and lets it push them; they move when `physics` is
    /// stepped.
    ///
    /// # Errors
    /// The state left the range in which it is exact, or a device failed.
    ///
    /// # Panics
    /// Where the tank was opened without bodies.
    pub fn step(&mut self, physics: &mut PhysicsWorld) -> Result<(), SimError> {
        let bodies = self.bodies.as_mut().expect("a tank with bodies");
        let force = self.forces.get(self.step as usize).ok_or(SimError::Saved("its state is of another step"))?;
        bodies.look_again(physics);
        bodies.colliders.list(self.matter.cells);
        self.impulses = match &mut self.engine {
            Engine::Twin(twin) => twin.step(force, Some(&bodies.colliders))?,
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.step(&bodies.colliders)?,
        };
        bodies.push(physics, &self.impulses);
        self.step += 1;
        Ok(())
    }

    /// Advances matter that is by itself.
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        let range = self.step as usize..(self.step + steps) as usize;
        let forces = self.forces.get(range).ok_or(SimError::Saved("its state is of another step"))?;
        match &mut self.engine {
            Engine::Twin(twin) => {
                for force in forces {
                    twin.step(force, None)?;
                }
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.advance(steps)?,
        }
        self.step += steps;
        Ok(())
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

    /// The particles where a graphics device has them.
    #[cfg(feature = "gpu")]
    #[must_use]
    pub fn on_device(&self) -> Option<crate::gpu::OnDevice> {
        match &self.engine {
            Engine::Twin(_) => None,
            Engine::Gpu(gpu) => Some(gpu.on_device()),
        }
    }

    /// What the matter gave to each of the bodies' colliders in the last step.
    #[must_use]
    pub fn impulses(&self) -> &[Impulse] {
        &self.impulses
    }

    /// How many steps it has made.
    #[must_use]
    pub fn present_step(&self) -> u32 {
        self.step
    }

    /// What it runs on.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes all that the next steps depend on: the step, the number of particles, their states and strains,
    /// little-endian.
    ///
    /// # Errors
    /// A device failed.
    pub fn write(&self) -> Result<Vec<u8>, SimError> {
        let particles = self.particles()?;
        let size = size_of_val(particles.states.as_slice()) + size_of_val(particles.strains.as_slice());
        let mut bytes = Vec::with_capacity(size + 8);
        bytes.extend(self.step.to_le_bytes());
        bytes.extend((particles.states.len() as u32).to_le_bytes());
        for word in particles.states.iter().flatten().chain(particles.strains.iter().flatten()) {
            bytes.extend(word.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Goes on from what [`Tank::write`] wrote; gives the bytes that follow it.
    ///
    /// # Errors
    /// [`SimError::Saved`] where the bytes are no such state.
    pub fn restore<'a>(&mut self, state: &'a [u8]) -> Result<&'a [u8], SimError> {
        let short = || SimError::Saved("it is cut short");
        let (step, rest) = state.split_first_chunk::<4>().ok_or_else(short)?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (step, count) = (u32::from_le_bytes(*step), u32::from_le_bytes(*count) as usize);
        let wrong = || SimError::Saved("it is no state of this matter");
        if step as usize > self.forces.len() || count != self.first.states.len() {
            return Err(wrong());
        }
        let size = count * size_of::<Particle>() + self.first.strains.len() * size_of::<Strain>();
        let (own, rest) = rest.split_at_checked(size).ok_or_else(short)?;
        let words: Vec<i32> = own.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        let (states, strains) = words.split_at(count * WORDS);
        let particles = Particles {
            states: states.as_chunks::<WORDS>().0.to_vec(),
            strains: strains.as_chunks::<STRAIN_WORDS>().0.to_vec(),
            kinds: self.first.kinds.clone(),
        };
        if !self.matter.are_within_limits(&particles) {
            return Err(wrong());
        }
        match &mut self.engine {
            Engine::Twin(twin) => twin.restore(particles, step),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.restore(&particles, step),
        }
        self.step = step;
        Ok(rest)
    }
}

fn see(setup: &Setup, bodies: Option<Rigid<'_>>) -> Result<Option<Seen>, SimError> {
    let cell_mass = f64::from(setup.matter.cell_mass()) / f64::from(ONE);
    bodies.map(|(physics, handles, scale)| Seen::new(physics, handles, scale, cell_mass)).transpose()
}

/// A world of matter by itself.
#[derive(Debug)]
pub struct MatterWorld(Tank);

impl MatterWorld {
    /// Matter at its first step, on `device`.
    ///
    /// # Errors
    /// The device that was asked for is not there.
    pub fn open(setup: Setup, device: &Device) -> Result<Self, SimError> {
        Tank::open(setup, None, device.clone()).map(Self)
    }
}

impl World for MatterWorld {
    fn advance(&mut self, steps: u32) -> Result<(), SimError> {
        self.0.advance(steps)
    }

    fn checkpoint(&mut self) -> Result<Vec<u8>, SimError> {
        self.0.write()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), SimError> {
        let rest = self.0.restore(state)?;
        if rest.is_empty() { Ok(()) } else { Err(SimError::Saved("it goes on after its end")) }
    }

    fn snapshot(&mut self) -> Result<Snapshot, SimError> {
        let particles = self.0.particles()?;
        // Rounded to nearest; positions are positive.
        let unit = ONE / SNAPSHOT_UNIT;
        let channel = |axis: usize| particles.states.iter().map(move |p| (p[axis] + unit / 2) / unit);
        Ok((0..CHANNELS).flat_map(channel).collect())
    }

    fn step(&self) -> u32 {
        self.0.step
    }

    fn backend(&self) -> String {
        self.0.name.clone()
    }

    #[cfg(feature = "gpu")]
    fn on_device(&self) -> Option<crate::gpu::OnDevice> {
        self.0.on_device()
    }
}
