//! The kernel on a graphics device, through wgpu.

use super::{
    Colliders, Force, Impulse, Kind, MAX_MATERIALS, Material, Matter, Particle, Particles, Strain, Vessel, WORDS,
    collider,
};
use crate::{
    fixed::ONE,
    gpu::{Contents, Gpu, Kernel, OnDevice, Role, WORKGROUP},
    world::KernelError,
};

/// Numbers of the buffers that are written and read back.
const PARTICLES: usize = 1;
const STATUS: usize = 5;
const INNER: usize = 6;
const BODIES: usize = 7;

/// Words of the status before the bodies' sums.
const STATUS_HEAD: usize = 2;

/// Matter stepped on a graphics device.
#[derive(Debug)]
pub struct GpuMatter {
    kernel: Kernel,
    kinds: Vec<Kind>,
    cells: u32,
    most: i32,
    steps: u32,
}

#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Constants {
    cells: i32,
    particles: u32,
    wall_friction: i32,
    inverse_density: i32,
    cell_mass: i32,
    vessel: u32,
    kinds: u32,
    bodies: u32,
    range: [[i32; 2]; 3],
    materials: [Material; MAX_MATERIALS],
}

/// What a particle has in a world of more than one liquid.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Inner {
    strain: Strain,
    kind: Kind,
}

fn inner(particles: &Particles) -> Vec<Inner> {
    particles
        .strains
        .iter()
        .zip(&particles.kinds)
        .map(|(strain, kind)| Inner { strain: *strain, kind: *kind })
        .collect()
}

impl GpuMatter {
    /// `particles` that all lie at least two cells inside the grid; `forces` holds one entry a step. There will be as many
    /// `bodies` in each step, of the same shapes.
    ///
    /// # Errors
    /// [`KernelError::Device`] where the device lacks memory or refuses the kernel.
    pub fn new(
        gpu: Gpu,
        matter: &Matter,
        particles: &Particles,
        forces: &[Force],
        bodies: Option<&Colliders>,
    ) -> Result<Self, KernelError> {
        let none = Colliders::default();
        let bodies = bodies.unwrap_or(&none);
        let count = particles.states.len();
        let mut materials = [Material::liquid(0.0, 0.0, 0.0); MAX_MATERIALS];
        materials[..matter.materials.len()].copy_from_slice(&matter.materials);
        let constants = Constants {
            cells: matter.cells as i32,
            particles: count as u32,
            wall_friction: matter.wall_friction,
            inverse_density: matter.inverse_density(),
            cell_mass: matter.cell_mass(),
            vessel: u32::from(matches!(matter.vessel, Vessel::Box(..))),
            kinds: u32::from(!particles.kinds.is_empty()),
            bodies: bodies.bodies.len() as u32,
            range: matter.vessel.range(matter.cells),
            materials,
        };
        // A binding is never empty.
        let planes: &[[i32; 4]] = if bodies.planes.is_empty() { &[[0; 4]] } else { &bodies.planes };
        let constants = [bytemuck::bytes_of(&constants), bytemuck::cast_slice(planes)].concat();
        let wall = matter.wall();
        let mut inner = inner(particles);
        if inner.is_empty() {
            inner.push(bytemuck::Zeroable::zeroed());
        }
        let blocks = matter.cells.div_ceil(collider::BLOCK).pow(3) as usize;
        let body_words = bodies.bodies.len() * size_of::<collider::Collider>() / 4 + blocks + 1;
        let buffers = [
            ("matter", Role::Constant, Contents::Bytes(&constants)),
            ("particles", Role::State, Contents::Bytes(bytemuck::cast_slice(&particles.states))),
            ("grid", Role::Scratch, Contents::Zeros(matter.nodes() * 20)),
            ("wall", Role::Constant, Contents::Bytes(bytemuck::cast_slice(&wall))),
            ("forces", Role::Constant, Contents::Bytes(bytemuck::cast_slice(forces))),
            ("status", Role::State, Contents::Zeros((STATUS_HEAD + bodies.bodies.len() * 12) * 4)),
            ("inner", Role::State, Contents::Bytes(bytemuck::cast_slice(&inner))),
            ("bodies", Role::Constant, Contents::Zeros((body_words + bodies.most_listed(matter.cells)) * 4)),
        ];
        let over_nodes = [(matter.nodes() as u32).div_ceil(WORKGROUP), 1];
        let over_particles = [(count as u32).div_ceil(WORKGROUP), 1];
        let passes = [
            ("clear", over_nodes),
            ("scatter", over_particles),
            ("update_grid", over_nodes),
            ("gather", over_particles),
            ("advance", [1, 1]),
        ];
        let kernel = Kernel::new(gpu, "matter", include_str!("kernel.wgsl"), &buffers, &passes)?;
        let most = matter.max_node_mass();
        Ok(Self { kernel, kinds: particles.kinds.clone(), cells: matter.cells, most, steps: 0 })
    }

    /// Advances `steps` steps, each under its own force, without bodies.
    ///
    /// # Errors
    /// [`KernelError::Overfull`] where a node holds more particles than its sums have room for;
    /// [`KernelError::Device`] where the device is lost.
    pub fn advance(&mut self, steps: u32) -> Result<(), KernelError> {
        self.kernel.advance(steps);
        self.steps += steps;
        self.status().map(|_| ())
    }

    /// Advances one step among `bodies`; gives the impulse on each of them.
    ///
    /// # Errors
    /// As [`GpuMatter::advance`].
    pub fn step(&mut self, bodies: &Colliders) -> Result<Vec<Impulse>, KernelError> {
        debug_assert!(bodies.listed().len() <= bodies.most_listed(self.cells));
        let words = [bytemuck::cast_slice::<_, u32>(&bodies.bodies), bodies.starts(), bodies.listed()];
        self.kernel.write(BODIES, &words.concat());
        let mut status = vec![0; STATUS_HEAD + bodies.bodies.len() * 12];
        status[0] = self.steps;
        self.kernel.write(STATUS, &status);
        self.kernel.advance(1);
        self.steps += 1;
        let status = self.status()?;
        let sum = |words: &[u32; 2]| (i64::from(words[1] as i32) << 32) | i64::from(words[0]);
        let sums: Vec<i64> = status[STATUS_HEAD..].as_chunks::<2>().0.iter().map(sum).collect();
        Ok(sums.as_chunks::<6>().0.to_vec())
    }

    fn status(&self) -> Result<Vec<u32>, KernelError> {
        let status = self.kernel.read::<u32>(STATUS)?;
        if status[1] >= self.most as u32 {
            return Err(KernelError::Overfull { step: self.steps, most: self.most / ONE * 2 });
        }
        Ok(status)
    }

    /// Goes on from `particles`, as many and of the same kinds as before, at the step `step`.
    pub fn restore(&mut self, particles: &Particles, step: u32) {
        self.kernel.write(PARTICLES, &particles.states);
        if !self.kinds.is_empty() {
            self.kernel.write(INNER, &inner(particles));
        }
        self.kernel.write(STATUS, &[step, 0]);
        self.steps = step;
    }

    /// The particles where they are, in the order of their ids.
    #[must_use]
    pub fn on_device(&self) -> OnDevice {
        OnDevice { buffer: self.kernel.buffer(PARTICLES).clone(), stride: WORDS as u32 }
    }

    /// The particles in the order of their ids.
    ///
    /// # Errors
    /// [`KernelError::Device`] where the device is lost.
    pub fn particles(&self) -> Result<Particles, KernelError> {
        let states = self.kernel.read::<Particle>(PARTICLES)?;
        if self.kinds.is_empty() {
            return Ok(Particles::liquid(states));
        }
        let inner = self.kernel.read::<Inner>(INNER)?;
        Ok(Particles { states, strains: inner.iter().map(|own| own.strain).collect(), kinds: self.kinds.clone() })
    }
}
