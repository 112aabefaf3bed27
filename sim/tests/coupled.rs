//! Matter and rigid bodies act on each other as physics says they do.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Backend, Seed,
    coupled::{Body, CoupledWorld, Setup, Shape},
    fixed::{ONE, q24},
    matter::{Force, Kind, Material, Matter, Particles, Vessel},
    random::Stream,
    world::World,
};

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
        gravity: [0.0, -gravity, 0.0],
        bodies: Vec::new(),
        joints: Vec::new(),
        unit: 8.0,
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

fn middle(world: &CoupledWorld) -> [f64; 3] {
    let states = world.particles().unwrap().states;
    [0, 1, 2].map(|axis| states.iter().map(|p| f64::from(p[axis])).sum::<f64>() / Q / states.len() as f64)
}

#[test]
fn a_liquid_at_rest_stays_at_rest() {
    let mut setup = basin(24, [4; 3], [20; 3], 20, 0.0, 8_000, water());
    settle(&mut setup.forces[..3_000]);
    let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
    world.advance(3_000).unwrap();
    let start = world.particles().unwrap();
    world.advance(5_000).unwrap();
    let end = world.particles().unwrap();
    let moved = |axis: usize| start.states.iter().zip(&end.states).map(move |(a, b)| f64::from(b[axis] - a[axis]) / Q);
    let count = start.states.len() as f64;
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
    let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
    world.advance(3_000).unwrap();
    let before = middle(&world);
    world.advance(5_000).unwrap();
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
    // The level that they will have around it, half submerged.
    let cells = setup.particles.states.len() as f64 / 8.0;
    let level = 4.0 + (cells + HALF * 2.0 * HALF * 2.0 * HALF) / 1600.0;
    setup.bodies.push(Body { drag: 0.0, ..Body::new(Shape::Cuboid([HALF; 3]), start, 0.5) });
    let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
    world.advance(300).unwrap();
    let mut depth = 0.0;
    for _ in 0..40 {
        world.advance(10).unwrap();
        depth += (level - (world.bodies()[0].0[1] - HALF)) / (2.0 * HALF) / 40.0;
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
    let turned = Body {
        rotation: [0.0, 0.0, 0.382_683_43, 0.923_879_53],
        ..Body::new(Shape::Cuboid([4.0; 3]), [28.0, 18.0, 19.0], 1.5)
    };
    let ball = Body { velocity: [-0.05, 0.0, 0.0], ..Body::new(Shape::Ball(3.0), [28.0, 27.0, 17.0], 3.0) };
    let pill = Body {
        spin: [0.0, 0.02, 0.0],
        ..Body::new(Shape::Capsule { half: 3.0, radius: 2.0 }, [17.0, 17.0, 28.0], 0.5)
    };
    setup.bodies.extend([turned, ball, pill]);
    let count = setup.particles.states.len();
    let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
    let momentum = |world: &CoupledWorld| {
        let (states, bodies) = (world.particles().unwrap().states, world.bodies());
        [0, 1, 2].map(|axis| {
            let liquid = states.iter().map(|p| f64::from(p[3 + axis]) / Q).sum::<f64>();
            (liquid + bodies.iter().map(|(_, v, mass)| v[axis] * mass).sum::<f64>(), liquid)
        })
    };
    let before = momentum(&world);
    world.advance(100).unwrap();
    let after = momentum(&world);
    // Beside it, one rounding of each body's speed and impulse to an f32 a step.
    let bodies = world.bodies().iter().map(|(_, _, mass)| mass * 0.2 / f64::from(1 << 22)).sum::<f64>();
    let bound = 100.0 * (momentum_bound(count) + bodies);
    for axis in 0..3 {
        let change = after[axis].0 - before[axis].0;
        println!(
            "measured: {:.1} pass over, {change:.1e} are lost, of {bound:.1e} that may be",
            before[axis].1 - after[axis].1
        );
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
fn extent(world: &CoupledWorld, axis: usize) -> f64 {
    let mut places: Vec<i32> = world.particles().unwrap().states.iter().map(|p| p[axis]).collect();
    places.sort_unstable();
    f64::from(places[places.len() * 99 / 100] - places[places.len() / 100]) / Q
}

#[test]
fn a_jelly_goes_back_to_its_shape() {
    let mut setup = block([8, 8, 8], [16, 10, 16], 0.0006, 3_000, Material::jelly(0.01, 0.03));
    // In the end nothing weighs on it.
    setup.forces[1_500..].fill(Force::new([0.0; 3], [[0.0; 3]; 3], 0.02));
    let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
    let before = [0, 1, 2].map(|axis| extent(&world, axis));
    let mut least = before[1];
    for _ in 0..60 {
        world.advance(50).unwrap();
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
        let mut world = CoupledWorld::open(setup, Backend::Cpu).unwrap();
        world.advance(1_500).unwrap();
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
    let point = |x: f64, y: f64, z: f64| [x, y, z];
    let wedge = vec![point(-2.0, -1.5, -2.0), point(2.5, -1.5, -2.0), point(0.0, -1.5, 3.0), point(0.0, 2.5, 0.0)];
    let fast = |body: Body, velocity: [f64; 3]| Body { velocity, spin: [0.01, -0.02, 0.015], ..body };
    setup.bodies = vec![
        fast(Body::new(Shape::Ball(3.0), [13.0, 22.0, 13.0], 4.0), [0.02, -0.1, 0.0]),
        fast(Body::new(Shape::Cuboid([2.0, 3.0, 1.5]), [21.0, 21.0, 14.0], 0.4), [-0.01, -0.08, 0.02]),
        fast(Body::new(Shape::Capsule { half: 2.0, radius: 1.5 }, [14.0, 21.0, 21.0], 1.5), [0.0, -0.09, -0.01]),
        fast(Body::new(Shape::Hulls(vec![wedge]), [21.0, 22.0, 21.0], 2.0), [-0.02, -0.1, -0.02]),
        Body { fixed: true, ..Body::new(Shape::Cuboid([2.0, 4.0, 2.0]), [16.0, 8.0, 30.0], 1.0) },
    ];
    setup
}

#[test]
fn a_state_goes_on_as_it_would_have() {
    let mut whole = CoupledWorld::open(medley(120), Backend::Cpu).unwrap();
    whole.advance(50).unwrap();
    let state = whole.checkpoint().unwrap();
    whole.advance(70).unwrap();
    let mut later = CoupledWorld::open(medley(120), Backend::Cpu).unwrap();
    later.restore(&state).unwrap();
    assert!(later.checkpoint().unwrap() == state, "what was restored is what was kept");
    later.advance(70).unwrap();
    assert!(later.checkpoint().unwrap() == whole.checkpoint().unwrap());
    assert!(later.restore(&state[..state.len() - 1]).is_err());
    let mut strained = state.clone();
    strained[8 + medley(1).particles.states.len() * 64 + 3] = 0x7f;
    assert!(later.restore(&strained).is_err(), "a strain beyond its range");
}

#[test]
fn threads_change_nothing() {
    let run = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut world = CoupledWorld::open(medley(80), Backend::Cpu).unwrap();
            world.advance(80).unwrap();
            world.checkpoint().unwrap()
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
        let mut twin = CoupledWorld::open(medley(120), Backend::Cpu).unwrap();
        let mut kernel = CoupledWorld::on(medley(120), gpu).unwrap();
        for step in 1..=120 {
            twin.advance(1).unwrap();
            kernel.advance(1).unwrap();
            assert_eq!(twin.impulses(), kernel.impulses(), "step {step}");
            if step % 20 == 0 {
                assert!(twin.checkpoint().unwrap() == kernel.checkpoint().unwrap(), "step {step}");
            }
        }
        assert!(twin.impulses().iter().any(|impulse| *impulse != [0; 6]), "nothing touched");
    }
}
