//! Matter and rigid bodies act on each other as physics says they do.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use rapier3d::prelude::{
    ColliderBuilder, PhysicsWorld, RigidBodyBuilder, RigidBodyHandle, Rotation, SharedShape, Vector,
};
use seedstorm_sim::{
    Backend, Seed, SimError,
    coupled::{Scale, Setup, Tank},
    fixed::{ONE, q24},
    matter::{Force, Kind, Material, Matter, Particles, Vessel},
    random::Stream,
};

/// Rapier's seconds in a step; its lengths are cells here, and its masses those of cells of matter at rest.
const TICK: f32 = 1.0 / 240.0;

/// Matter and bodies, stepped together.
struct World {
    tank: Tank,
    physics: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
}

/// A body: its shape, place, density, velocity in cells a step and spin.
struct Body {
    shape: SharedShape,
    place: [f32; 3],
    density: f32,
    velocity: [f32; 3],
    spin: [f32; 3],
    turn: Rotation,
    fixed: bool,
}

impl Body {
    fn new(shape: SharedShape, place: [f32; 3], density: f32) -> Self {
        let (velocity, spin, turn) = ([0.0; 3], [0.0; 3], Rotation::from_xyzw(0.0, 0.0, 0.0, 1.0));
        Self { shape, place, density, velocity, spin, turn, fixed: false }
    }
}

impl World {
    fn open(setup: Setup, bodies: Vec<Body>, gravity: f32) -> Self {
        Self::with(bodies, gravity, |rigid| Tank::open(setup, Some(rigid), Backend::Cpu))
    }

    fn with(
        bodies: Vec<Body>,
        gravity: f32,
        tank: impl FnOnce((&PhysicsWorld, Vec<RigidBodyHandle>, Scale)) -> Result<Tank, SimError>,
    ) -> Self {
        let mut physics = PhysicsWorld::new();
        physics.gravity = Vector::new(0.0, -gravity / TICK / TICK, 0.0);
        physics.integration_parameters.dt = TICK;
        physics.integration_parameters.length_unit = 8.0;
        let floor = physics.insert_body(RigidBodyBuilder::fixed().translation(Vector::new(0.0, 4.0, 0.0)));
        physics.insert_collider(ColliderBuilder::new(SharedShape::halfspace(Vector::Y)), Some(floor));
        let insert = |body: Body| {
            let builder = if body.fixed { RigidBodyBuilder::fixed() } else { RigidBodyBuilder::dynamic() };
            let per_second = |v: [f32; 3]| Vector::from(v) / TICK;
            let builder = builder.pose(rapier3d::prelude::Pose::from_parts(Vector::from(body.place), body.turn));
            let handle = physics.insert_body(builder.linvel(per_second(body.velocity)).angvel(per_second(body.spin)));
            physics.insert_collider(ColliderBuilder::new(body.shape).density(body.density), Some(handle));
            handle
        };
        let bodies: Vec<RigidBodyHandle> = bodies.into_iter().map(insert).collect();
        let scale = Scale { cell: 1.0, corner: [0.0; 3], density: 1.0, drag: 0.0 };
        let tank = tank((&physics, bodies.clone(), scale)).unwrap();
        Self { tank, physics, bodies }
    }

    fn advance(&mut self, steps: u32) {
        for _ in 0..steps {
            self.tank.step(&mut self.physics).unwrap();
            self.physics.step();
        }
    }

    /// A body's place, and its velocity in cells a step.
    fn body(&self, index: usize) -> ([f64; 3], [f64; 3]) {
        let body = &self.physics.bodies[self.bodies[index]];
        let wide = |v: Vector| [f64::from(v.x), f64::from(v.y), f64::from(v.z)];
        (wide(body.center_of_mass()), wide(body.linvel() * TICK))
    }

    fn states(&self) -> Vec<[i32; 16]> {
        self.tank.particles().unwrap().states
    }

    fn state(&self) -> Vec<u8> {
        postcard::to_extend(&self.physics, self.tank.write().unwrap()).unwrap()
    }
}

const Q: f64 = ONE as f64;

/// A box of a material, filled up to `level`, with eight particles a cell.
fn basin(
    cells: u32,
    low: [u32; 3],
    high: [u32; 3],
    level: u32,
    gravity: f64,
    steps: usize,
    material: Material,
) -> Setup {
    let mut particles = Vec::new();
    for x in low[0] * 2..high[0] * 2 {
        for y in low[1] * 2..level * 2 {
            for z in low[2] * 2..high[2] * 2 {
                particles.push(Matter::particle([x, y, z].map(|c| (f64::from(c) + 0.5) / 2.0), [0.0; 3]));
            }
        }
    }
    Setup {
        matter: Matter {
            cells,
            rest_density: q24(8.0),
            materials: vec![material],
            wall_friction: 0,
            vessel: Vessel::Box(low, high),
        },
        particles: Particles::liquid(particles),
        forces: vec![Force::new([0.0, -gravity, 0.0], [[0.0; 3]; 3], 0.0); steps],
    }
}

fn water() -> Material {
    Material::liquid(0.03, 0.0, 0.05).remembering(0.95)
}

/// Calms what moves.
fn settle(forces: &mut [Force]) {
    for force in forces {
        force.drag = q24(0.05);
    }
}

fn middle(world: &World) -> [f64; 3] {
    let states = world.states();
    [0, 1, 2].map(|axis| states.iter().map(|p| f64::from(p[axis])).sum::<f64>() / Q / states.len() as f64)
}

#[test]
fn a_liquid_at_rest_stays_at_rest() {
    let mut setup = basin(24, [4; 3], [20; 3], 20, 0.0, 8_000, water());
    settle(&mut setup.forces[..3_000]);
    let mut world = World::open(setup, Vec::new(), 0.0);
    world.advance(3_000);
    let start = world.states();
    world.advance(5_000);
    let end = world.states();
    let moved = |axis: usize| start.iter().zip(&end).map(move |(a, b)| f64::from(b[axis] - a[axis]) / Q);
    let count = start.len() as f64;
    let drift = [0, 1, 2].map(|axis| moved(axis).sum::<f64>() / count);
    let square = (0..3).flat_map(moved).map(|d| d * d).sum::<f64>() / count;
    println!("measured: drift {:.1e}, {:.1e}, {:.1e} cells, rms {:.1e}", drift[0], drift[1], drift[2], square.sqrt());
    assert!(drift.iter().all(|c| c.abs() < 1e-6), "{drift:?}");
    assert!(square.sqrt() < 5e-3, "{square}");
}

#[test]
fn a_liquid_under_its_weight_feels_no_wind() {
    let mut setup = basin(24, [4; 3], [20; 3], 14, 0.0003, 8_000, water());
    settle(&mut setup.forces[..3_000]);
    let mut world = World::open(setup, Vec::new(), 0.0);
    world.advance(3_000);
    let before = middle(&world);
    world.advance(5_000);
    let after = middle(&world);
    let drift = [0, 1, 2].map(|axis| after[axis] - before[axis]);
    println!("measured: its middle drifts by {:.1e}, {:.1e}, {:.1e} cells", drift[0], drift[1], drift[2]);
    // It settles a little still, but goes nowhere.
    assert!(drift[0].abs() < 1e-5 && drift[2].abs() < 1e-5 && drift[1].abs() < 5e-3, "{drift:?}");
}

#[test]
fn half_the_density_floats_half_submerged() {
    const HALF: f64 = 12.0;
    let mut setup = basin(48, [4; 3], [44; 3], 30, 0.0003, 700, water());
    let start = [24.0, 29.0, 24.0];
    setup.particles.states.retain(|p| (0..3).any(|axis| (f64::from(p[axis]) / Q - start[axis]).abs() > HALF));
    let half = HALF as f32;
    let body = Body::new(SharedShape::cuboid(half, half, half), start.map(|c| c as f32), 0.5);
    let mut world = World::open(setup, vec![body], 0.0003);
    world.advance(300);
    let mut depth = 0.0;
    for _ in 0..40 {
        world.advance(10);
        // What the liquid, squeezed by its own weight, fills around a body that stands at `bottom`.
        let volume = world.states().iter().map(|p| 0.125 / (f64::from(p[15]) / Q).max(1.0)).sum::<f64>();
        let (tank, bottom) = (40.0 * 40.0, world.body(0).0[1] - HALF);
        let base = 4.0 * HALF * HALF;
        let level = (4.0 * tank + volume - base * bottom) / (tank - base);
        depth += (level - bottom) / (2.0 * HALF) / 40.0;
    }
    println!("measured: {:.1} % of it are submerged", depth * 100.0);
    assert!((depth - 0.5).abs() < 0.025, "{depth}");
}

/// The most that rounding changes the momentum of `particles` by along an axis in a step, in those of one particle.
///
/// A particle's momentum is dealt out in 27 products and gathered in as many, each off by half a last place, beside half
/// of one for each node's quotient, of which there are at most 27 a particle; the weights' sum is short of one by 27 of
/// their own last places, of a speed of less than one.
fn momentum_bound(particles: usize) -> f64 {
    particles as f64 * (27.0 * 1.5 + 27.0 / 32.0) / Q
}

#[test]
fn momentum_passes_from_one_to_the_other() {
    let mut setup = basin(48, [4; 3], [44; 3], 24, 0.0, 200, Material::liquid(0.05, 0.01, 0.02));
    setup.particles.states.retain(|p| (0..3).all(|axis| (f64::from(p[axis]) / Q - 17.0).abs() < 6.0));
    for particle in &mut setup.particles.states {
        (particle[3], particle[4]) = (q24(0.1), q24(0.02));
    }
    let quarter = Rotation::from_xyzw(0.0, 0.0, 0.382_683_43, 0.923_879_5);
    let turned = Body { turn: quarter, ..Body::new(SharedShape::cuboid(4.0, 4.0, 4.0), [28.0, 18.0, 19.0], 1.5) };
    let ball = Body { velocity: [-0.05, 0.0, 0.0], ..Body::new(SharedShape::ball(3.0), [28.0, 27.0, 17.0], 3.0) };
    let pill = Body { spin: [0.0, 0.02, 0.0], ..Body::new(SharedShape::capsule_y(3.0, 2.0), [17.0, 17.0, 28.0], 0.5) };
    let count = setup.particles.states.len();
    let mut world = World::open(setup, vec![turned, ball, pill], 0.0);
    // Eight particles have a cell's mass.
    let masses = [0, 1, 2].map(|index| f64::from(world.physics.bodies[world.bodies[index]].mass()) * 8.0);
    let momentum = |world: &World| {
        let states = world.states();
        [0, 1, 2].map(|axis| {
            let liquid = states.iter().map(|p| f64::from(p[3 + axis]) / Q).sum::<f64>();
            let bodies = (0..3).map(|index| world.body(index).1[axis] * masses[index]).sum::<f64>();
            (liquid + bodies, liquid)
        })
    };
    let before = momentum(&world);
    world.advance(100);
    let after = momentum(&world);
    // Beside it, the rounding of each body's speed and impulse to an f32 a step.
    let bodies = masses.iter().map(|mass| mass * 0.2 / f64::from(1 << 22)).sum::<f64>();
    let bound = 100.0 * (momentum_bound(count) + bodies);
    for axis in 0..3 {
        let change = after[axis].0 - before[axis].0;
        let passed = before[axis].1 - after[axis].1;
        println!("measured: {passed:.1} pass over, {change:.1e} are lost, of {bound:.1e} that may be");
        assert!(change.abs() < bound, "{axis}: {change} {bound}");
    }
    assert!(before[0].1 - after[0].1 > 50.0, "nothing passed over");
}

/// A block of solid matter above the floor, of this many cells along each axis.
fn block(size: [u32; 3], at: [u32; 3], gravity: f64, steps: usize, material: Material) -> Setup {
    let mut setup = basin(40, [4; 3], [36; 3], 0, gravity, steps, material);
    let stream = Stream::new(&Seed::from(5), "block");
    let mut states = Vec::new();
    for x in 0..size[0] * 2 {
        for y in 0..size[1] * 2 {
            for z in 0..size[2] * 2 {
                let id = states.len() as u64;
                let place = [(x, at[0]), (y, at[1]), (z, at[2])];
                let place = [0, 1, 2].map(|axis| {
                    let jitter = stream.between(id, axis as u32, -0.1, 0.1);
                    (f64::from(place[axis].0) + 0.5 + jitter) / 2.0 + f64::from(place[axis].1)
                });
                states.push(Matter::particle(place, [0.0; 3]));
            }
        }
    }
    let kinds = vec![Kind { material: 0, birth: 0 }; states.len()];
    setup.particles = Particles::of(states, kinds);
    setup.matter.wall_friction = q24(0.3);
    setup
}

/// How far the particles reach along an axis, the outermost hundredth left out.
fn extent(world: &World, axis: usize) -> f64 {
    let mut places: Vec<i32> = world.states().iter().map(|p| p[axis]).collect();
    places.sort_unstable();
    f64::from(places[places.len() * 99 / 100] - places[places.len() / 100]) / Q
}

#[test]
fn a_jelly_goes_back_to_its_shape() {
    let mut setup = block([8, 8, 8], [16, 10, 16], 0.0006, 3_000, Material::jelly(0.01, 0.03));
    // In the end nothing weighs on it.
    setup.forces[1_500..].fill(Force::new([0.0; 3], [[0.0; 3]; 3], 0.02));
    let mut world = World::open(setup, Vec::new(), 0.0);
    let before = [0, 1, 2].map(|axis| extent(&world, axis));
    let mut least = before[1];
    for _ in 0..60 {
        world.advance(50);
        least = least.min(extent(&world, 1));
    }
    let after = [0, 1, 2].map(|axis| extent(&world, axis));
    println!("measured: {before:.2?} cells, squeezed to {least:.2} in its fall, {after:.2?} in the end");
    assert!(least < before[1] * 0.85, "it was not squeezed: {least}");
    for axis in 0..3 {
        assert!((after[axis] / before[axis] - 1.0).abs() < 0.06, "{before:?} {after:?}");
    }
}

#[test]
fn grains_make_a_heap_and_a_liquid_a_puddle() {
    let slump = |material| {
        let setup = block([10, 14, 10], [15, 4, 15], 0.0006, 1_500, material);
        let mut world = World::open(setup, Vec::new(), 0.0);
        world.advance(1_500);
        [extent(&world, 0), extent(&world, 1)]
    };
    let liquid = slump(Material::liquid(0.03, 0.0, 0.02));
    let loose = slump(Material::grains(0.05, 0.1, 20.0));
    let rough = slump(Material::grains(0.05, 0.1, 45.0));
    let paste = slump(Material::paste(0.03, 0.0, 0.02, 0.03, 0.012));
    println!(
        "measured: liquid {liquid:.1?}, grains of 20° {loose:.1?}, of 45° {rough:.1?}, paste {paste:.1?} cells wide and high"
    );
    assert!(liquid[1] < loose[1] && loose[1] < rough[1], "the rougher, the higher");
    assert!(liquid[0] > loose[0] && loose[0] > rough[0], "the rougher, the narrower");
    assert!(paste[1] > 0.9 * 13.0, "a paste below its yield stress stands: {paste:?}");
}

/// All materials, particles that come later, and bodies of each shape, thrown about.
fn medley(steps: usize) -> Setup {
    let mut setup =
        block([12, 10, 12], [10, 6, 10], 0.0008, steps, Material::liquid(0.05, 0.005, 0.03).remembering(0.9));
    setup.matter.materials.extend([
        Material::jelly(0.02, 0.05),
        Material::grains(0.03, 0.03, 35.0),
        Material::paste(0.03, 0.002, 0.02, 0.03, 0.002),
    ]);
    for (kind, index) in setup.particles.kinds.iter_mut().zip(0u32..) {
        *kind = Kind { material: index / 500 % 4, birth: index % 3 * 20 };
    }
    setup
}

/// Bodies of each shape, on their way down.
fn bodies() -> Vec<Body> {
    let point = |x: f32, y: f32, z: f32| Vector::new(x, y, z);
    let wedge = [point(-2.0, -1.5, -2.0), point(2.5, -1.5, -2.0), point(0.0, -1.5, 3.0), point(0.0, 2.5, 0.0)];
    let fast = |shape: SharedShape, place: [f32; 3], density: f32, velocity: [f32; 3]| Body {
        velocity,
        spin: [0.01, -0.02, 0.015],
        ..Body::new(shape, place, density)
    };
    vec![
        fast(SharedShape::ball(3.0), [13.0, 22.0, 13.0], 4.0, [0.02, -0.1, 0.0]),
        fast(SharedShape::cuboid(2.0, 3.0, 1.5), [21.0, 21.0, 14.0], 0.4, [-0.01, -0.08, 0.02]),
        fast(SharedShape::capsule_y(2.0, 1.5), [14.0, 21.0, 21.0], 1.5, [0.0, -0.09, -0.01]),
        fast(SharedShape::convex_hull(&wedge).unwrap(), [21.0, 22.0, 21.0], 2.0, [-0.02, -0.1, -0.02]),
        Body { fixed: true, ..Body::new(SharedShape::cuboid(2.0, 4.0, 2.0), [16.0, 8.0, 30.0], 1.0) },
    ]
}

#[test]
fn a_state_goes_on_as_it_would_have() {
    let mut whole = World::open(medley(120), bodies(), 0.0008);
    whole.advance(50);
    let state = whole.tank.write().unwrap();
    let physics = postcard::to_allocvec(&whole.physics).unwrap();
    whole.advance(70);
    let mut later = World::open(medley(120), bodies(), 0.0008);
    assert!(later.tank.restore(&state).unwrap().is_empty());
    later.physics = postcard::from_bytes(&physics).unwrap();
    assert!(later.tank.write().unwrap() == state, "what was restored is what was kept");
    later.advance(70);
    assert!(later.state() == whole.state());
    assert!(later.tank.restore(&state[..state.len() - 1]).is_err());
    let mut strained = state.clone();
    strained[8 + medley(1).particles.states.len() * 64 + 3] = 0x7f;
    assert!(later.tank.restore(&strained).is_err(), "a strain beyond its range");
}

#[test]
fn threads_change_nothing() {
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut world = World::open(medley(80), bodies(), 0.0008);
            world.advance(80);
            world.state()
        })
    };
    let one = run(1);
    assert!([2, 8].into_iter().all(|threads| run(threads) == one));
}

/// The kernel and its twin agree among bodies, materials and births, bit for bit.
#[cfg(feature = "gpu")]
#[test]
fn the_kernel_and_its_twin_agree() {
    use seedstorm_sim::gpu::{Gpu, Products};
    for products in [Products::Auto, Products::Split] {
        let gpu = match Gpu::open(products) {
            Ok(gpu) => gpu,
            Err(error) if std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none() => {
                eprintln!("not compared: {error}");
                return;
            }
            Err(error) => panic!("no adapter: {error}"),
        };
        let mut twin = World::open(medley(120), bodies(), 0.0008);
        let mut kernel = World::with(bodies(), 0.0008, |rigid| Tank::on(medley(120), Some(rigid), gpu));
        for step in 1..=120 {
            twin.advance(1);
            kernel.advance(1);
            assert_eq!(twin.tank.impulses(), kernel.tank.impulses(), "step {step}");
            if step % 20 == 0 {
                assert!(twin.state() == kernel.state(), "step {step}");
            }
        }
        assert!(twin.tank.impulses().iter().any(|impulse| *impulse != [0; 6]), "nothing touched");
    }
}
