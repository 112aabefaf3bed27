//! The bounds that the kernels' pages derive hold: their twins assert them, where assertions are compiled in.
//!
//! ```text
//! cargo test -p seedstorm-sim --no-default-features --test bounds
//! ```
//!
//! runs 16 random worlds for 2,000 steps; `SEEDSTORM_BOUNDS=100x10000` sets how many, and for how long.

#![cfg(debug_assertions)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use rapier3d::prelude::{
    ColliderBuilder, PhysicsWorld, Pose, RigidBodyBuilder, RigidBodyHandle, Rotation, SharedShape, Vector,
};
use seedstorm_sim::{
    Backend, Seed, SimError,
    coupled::{Scale, Setup, Tank},
    fixed::{ONE, q24},
    gravity::{CELLS, Gravity, twin::TwinGravity},
    matter::{Force, Kind, Material, Matter, Particles, Vessel},
    random::Stream,
    world::KernelError,
};

/// Seeds and steps.
fn size() -> (u64, usize) {
    let text = std::env::var("SEEDSTORM_BOUNDS").unwrap_or_else(|_| "16x2000".into());
    let (seeds, steps) = text.split_once('x').expect("SEEDSTORM_BOUNDS is SEEDSxSTEPS");
    (seeds.parse().unwrap(), steps.parse().unwrap())
}

/// Draws of one seed, one after the other.
struct Draw(Stream, u64);

impl Draw {
    fn new(seed: u64, name: &str) -> Self {
        Self(Stream::new(&Seed::from(seed), name), 0)
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.1 += 1;
        self.0.between(self.1, 0, low, high)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.1 += 1;
        self.0.below(self.1, 0, end)
    }

    fn vector(&mut self, most: f64) -> [f64; 3] {
        std::array::from_fn(|_| self.between(-most, most))
    }
}

const TICK: f32 = 1.0 / 240.0;

/// Cells along each axis, and how far its walls are from the grid's rim.
const GRID: u32 = 32;
const RIM: u32 = 4;

/// A material of any kind, anywhere in the ranges that their constructors name.
fn material(draw: &mut Draw) -> Material {
    let (stiffness, viscosity) = (draw.between(0.03, 0.15), draw.between(0.0, 0.05));
    let cohesion = draw.between(0.0, 0.02);
    match draw.below(4) {
        0 => Material::liquid(stiffness, cohesion, 2.0 * viscosity).remembering(draw.between(0.0, 1.0)),
        1 => Material::jelly(draw.between(0.01, 0.1), draw.between(0.02, 0.1)),
        2 => Material::grains(stiffness, draw.between(0.002, 0.1), draw.between(0.0, 60.0)),
        _ => Material::paste(stiffness, cohesion, viscosity, draw.between(0.002, 0.1), draw.between(0.0, 0.05)),
    }
}

/// Three blocks of three materials that meet, in a vessel that is shaken.
fn setup(draw: &mut Draw, steps: usize) -> Setup {
    let materials: Vec<Material> = (0..3).map(|_| material(draw)).collect();
    let (mut states, mut kinds) = (Vec::new(), Vec::new());
    for (material, low) in (0u32..).zip([[6.0, 5.0, 8.0], [17.0, 5.0, 9.0], [11.0, 15.0, 12.0]]) {
        let (velocity, spacing) = (draw.vector(0.3), draw.between(0.5, 0.6));
        for x in 0..10 {
            for y in 0..12 {
                for z in 0..10 {
                    let place = [(x, low[0]), (y, low[1]), (z, low[2])];
                    states.push(Matter::particle(place.map(|(i, low)| low + spacing * (f64::from(i) + 0.5)), velocity));
                    kinds.push(Kind { material, birth: draw.below(3) * 50 });
                }
            }
        }
    }
    let ball = draw.below(3) == 0;
    let vessel = if ball { Vessel::Ball(q24(12.0)) } else { Vessel::Box([RIM; 3], [GRID - RIM; 3]) };
    let mut forces = Vec::with_capacity(steps);
    let (mut force, violence) = (Force::default(), draw.between(0.5, 2.5));
    for step in 0..steps {
        if step % 40 == 0 {
            // Every fifth one is a blow.
            let most = if draw.below(5) == 0 { 0.01 * violence } else { 0.001 };
            let linear = [draw.vector(0.0001), draw.vector(0.0001), draw.vector(0.0001)];
            force = Force::new(draw.vector(most), linear, draw.between(0.0, 0.01));
        }
        forces.push(force);
    }
    let wall_friction = q24(draw.between(0.0, 1.0));
    Setup {
        matter: Matter { cells: GRID, rest_density: 8 * ONE, materials, wall_friction, vessel },
        particles: Particles::of(states, kinds),
        forces,
    }
}

/// Bodies of each shape in a closed room, which fly, spin and collide.
fn rigid(draw: &mut Draw) -> (PhysicsWorld, Vec<RigidBodyHandle>) {
    let mut physics = PhysicsWorld::new();
    physics.gravity = Vector::new(0.0, -0.0005 / TICK / TICK, 0.0);
    physics.integration_parameters.dt = TICK;
    physics.integration_parameters.length_unit = 4.0;
    let room = physics.insert_body(RigidBodyBuilder::fixed());
    for axis in 0..3 {
        for (side, inward) in [(RIM, 1.0), (GRID - RIM, -1.0)] {
            let (mut place, mut normal) = ([16.0f32; 3], [0.0f32; 3]);
            (place[axis], normal[axis]) = (side as f32, inward);
            let wall = ColliderBuilder::new(SharedShape::halfspace(Vector::from(normal))).restitution(0.8);
            physics.insert_collider(wall.translation(Vector::from(place)), Some(room));
        }
    }
    let point = |x: f32, y: f32, z: f32| Vector::new(x, y, z);
    let wedge = [point(-2.0, -1.5, -2.0), point(2.5, -1.5, -2.0), point(0.0, -1.5, 3.0), point(0.0, 2.5, 0.0)];
    let shapes = [
        SharedShape::ball(2.5),
        SharedShape::cuboid(2.0, 1.0, 2.5),
        SharedShape::capsule_y(2.5, 1.2),
        SharedShape::convex_hull(&wedge).unwrap(),
    ];
    let places = [[9.0, 23.0, 9.0], [22.0, 22.0, 10.0], [9.0, 22.0, 22.0], [22.0, 23.0, 22.0]];
    let insert = |(shape, place): (SharedShape, [f32; 3])| {
        let per_second = |v: [f64; 3]| Vector::from(v.map(|c| c as f32)) / TICK;
        let [x, y, z] = draw.vector(1.0).map(|c| c as f32);
        let pose = Pose::from_parts(Vector::from(place), Rotation::from_xyzw(x, y, z, 1.0).normalize());
        let builder = RigidBodyBuilder::dynamic().pose(pose);
        let handle =
            physics.insert_body(builder.linvel(per_second(draw.vector(0.3))).angvel(per_second(draw.vector(0.2))));
        let density = draw.between(0.05, 20.0) as f32;
        physics.insert_collider(ColliderBuilder::new(shape).density(density).restitution(0.5), Some(handle));
        handle
    };
    let bodies = shapes.into_iter().zip(places).map(insert).collect();
    (physics, bodies)
}

/// Shakes worlds of one seed for `steps` steps in all: where one is squeezed too much to go on, another one follows. Gives
/// how many there were.
fn shaken(seed: u64, steps: usize) -> usize {
    let (mut made, mut worlds) = (0, 0);
    while made < steps {
        let mut draw = Draw::new(seed, &format!("bounds/{worlds}"));
        worlds += 1;
        // One that ends at once shows nothing.
        assert!(worlds <= 20 * steps.div_ceil(2_000), "seed {seed}: {made} steps in {worlds} worlds");
        let left = steps - made;
        let setup = setup(&mut draw, left);
        let (mut physics, bodies) = rigid(&mut draw);
        let matter = setup.matter.clone();
        let scale = Scale { cell: 1.0, corner: [0.0; 3], density: 1.0, drag: 0.1 };
        let mut tank = Tank::open(setup, Some((&physics, bodies, scale)), Backend::Cpu).unwrap();
        for step in 0..left {
            match tank.step(&mut physics) {
                Ok(()) => physics.step(),
                Err(SimError::Kernel(KernelError::Overfull { .. })) => break,
                Err(error) => panic!("seed {seed}, world {worlds}, step {step}: {error}"),
            }
            let within = matter.are_within_limits(&tank.particles().unwrap());
            assert!(within, "seed {seed}, world {worlds}, step {step}");
            made += 1;
        }
    }
    worlds
}

#[test]
fn matter_and_bodies_stay_within_their_bounds() {
    let (seeds, steps) = size();
    // Each world in a pool of its own: rapier waits for what it spawned, and two of them in one pool can wait for each other.
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let run = |first: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        (first..seeds).step_by(threads as usize).map(|seed| pool.install(|| shaken(seed, steps))).sum::<usize>()
    };
    let worlds: usize = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("measured: {seeds} seeds of {steps} steps each, in {worlds} worlds of 3,600 particles");
    assert!(2 * worlds as u64 <= 3 * seeds * steps.div_ceil(2_000) as u64, "{worlds} worlds");
}

/// The transforms' bounds are reached where all mass is in one place; that of any other world lies below.
#[test]
fn potentials_stay_within_their_bounds() {
    for seed in 0..16 {
        let mut draw = Draw::new(seed, "bounds/gravity");
        let count = [1, 2, 64, 4096][seed as usize % 4];
        let spread = [0.0, 0.4, 8.0, 27.0][seed as usize / 4];
        let middle = CELLS as f64 / 2.0;
        let points = (0..count).map(|_| {
            let (place, velocity) = (draw.vector(spread), draw.vector(0.5));
            let place = place.map(|c| q24(middle + c));
            let velocity = velocity.map(q24);
            [place[0], place[1], place[2], velocity[0], velocity[1], velocity[2]]
        });
        let points = points.collect();
        let mut world = TwinGravity::new(&Gravity { softening: 2.0, pull: 0.5, count }, points);
        for _ in 0..4 {
            world.step();
        }
    }
}
