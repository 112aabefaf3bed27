//! What `cargo xtask bench sim` measures of this crate; prints one line of JSON.
//!
//! `bench rigid ROUNDS`: one pile of bodies as a scene, stepped and with its checkpoints and its trajectory, and the same
//! pile in rapier alone, in turns; all have to end in the same places. `bench matter STEPS`: a column of liquid that
//! collapses. `bench segments SCENARIO SEED`: a whole run, and all its segments one by one, each from the bytes of its
//! checkpoint.
#![expect(clippy::unwrap_used, reason = "a failed measurement has nobody to report to")]

use std::{collections::BTreeMap, hint::black_box, time::Instant};

use rapier3d::prelude::{ColliderBuilder, PhysicsWorld, Pose, RigidBodyBuilder, Rotation, SharedShape, Vector};
use seedstorm_sim::{
    Backend, Film, Recipe, Seed,
    fixed::ONE,
    matter::{Force, Material, Matter, Particles, Vessel, twin::TwinMatter},
    merkle, resolve, scenario,
    scenario::authored::{Blueprint, BodyShape, Document, Layout},
    segment::Replayer,
    simulate,
};

/// Bodies of two kinds that fall on a floor; nothing else that a scene could have.
const PILE: &str = r#"
scene = 1
title = "A pile"
about = "Boxes and balls fall"
time = { duration = 4.0 }
ground = {}

[[bodies]]
shape = { box = [0.1, 0.1, 0.1] }
arrange = { grid = [7, 14, 7], step = [0.13, 0.16, 0.13] }
position = [0, 0.2, 0]
look = "plain"

[[bodies]]
shape = { ball = 0.06 }
arrange = { grid = [6, 8, 6], step = [0.15, 0.15, 0.15] }
position = [0.03, 2.6, 0.02]
look = "plain"

[looks.plain]
material = "lacquer"
color = 0

[look]
palette = "ember"
light = "softbox"
subject = [0, 1, 0]
radius = 2
camera = { keys = [{ at = 0, eye = [0, 1, 5], target = [0, 1, 0] }] }
"#;

/// What the `seedstorm` program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rigid", rounds] => rigid(rounds.parse().unwrap()),
        ["matter", steps] => matter(steps.parse().unwrap()),
        ["segments", scenario, seed] => segments(scenario, seed.parse().unwrap()),
        _ => panic!("bench rigid ROUNDS | bench matter STEPS | bench segments SCENARIO SEED"),
    }
}

fn rigid(rounds: usize) {
    let document = Document::from_toml(PILE).unwrap();
    let scene = Blueprint::read(&document).unwrap();
    let layout = Layout::new(&scene, &scene.genome(&Seed::from(1), &BTreeMap::new()).unwrap());
    let mut recipe = Recipe::new("scene@1", 1.into(), Film::DRAFT).unwrap();
    recipe.scene = Some(document);
    let (scenario, genome) = resolve(&recipe).unwrap();
    let plan = scenario.plan(&genome);
    let (mut ours, mut stepped, mut states, mut alone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let timed = |seconds: &mut f64, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        *seconds += start.elapsed().as_secs_f64();
    };
    for _ in 0..rounds {
        let start = Instant::now();
        let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        ours.push(start.elapsed().as_secs_f64());
        let mut world = scenario.world(&genome, Backend::Cpu).unwrap();
        let (mut stepping, mut writing) = (0.0, 0.0);
        while world.step() < plan.steps {
            timed(&mut stepping, &mut || world.advance(plan.checkpoint_every).unwrap());
            timed(&mut writing, &mut || {
                black_box(merkle::leaf(world.step(), &world.checkpoint().unwrap()));
            });
        }
        stepped.push(stepping);
        states.push(writing);
        let mut physics = pile(&layout);
        let start = Instant::now();
        for _ in 0..plan.steps {
            physics.step();
        }
        alone.push(start.elapsed().as_secs_f64());
        let trajectory = run.trajectory;
        let last = trajectory.snapshot(trajectory.snapshots() - 1).unwrap();
        let count = layout.bodies.len();
        // The first body is the ground.
        for (index, (_, body)) in physics.bodies.iter().skip(1).enumerate() {
            let place = <[f32; 3]>::from(body.translation()).map(|x| (x * 16384.0).round() as i32);
            assert_eq!(place, [0, 1, 2].map(|axis| last[axis * count + index]), "the two piles are not one");
        }
    }
    let bodies = layout.bodies.len();
    let rounds = serde_json::json!({
        "bodies": bodies, "seconds": ours, "stepping": stepped, "checkpoints": states, "alone": alone,
    });
    println!("{rounds}");
}

/// The bodies of a layout in rapier, as a user of rapier would put them there.
fn pile(layout: &Layout) -> PhysicsWorld {
    let mut physics = PhysicsWorld::new();
    physics.gravity = Vector::from(layout.gravity);
    physics.integration_parameters.dt = 1.0 / layout.rate as f32;
    // The size of the boxes, corner to corner.
    physics.integration_parameters.length_unit = 2.0 * (3.0f32 * 0.05 * 0.05).sqrt();
    let ground = physics.insert_body(RigidBodyBuilder::fixed());
    let [friction, restitution] = layout.ground.unwrap();
    let floor = ColliderBuilder::new(SharedShape::halfspace(Vector::Y)).friction(friction).restitution(restitution);
    physics.insert_collider(floor, Some(ground));
    for body in &layout.bodies {
        let [x, y, z, w] = body.rotation;
        let pose = Pose::from_parts(Vector::from(body.position), Rotation::from_xyzw(x, y, z, w));
        let collider = match body.shape {
            BodyShape::Ball(radius) => ColliderBuilder::ball(radius),
            BodyShape::Box([x, y, z]) => ColliderBuilder::cuboid(x, y, z),
            _ => unreachable!("balls and boxes"),
        };
        let handle = physics.insert_body(RigidBodyBuilder::dynamic().pose(pose));
        let collider = collider.density(body.density).friction(body.friction).restitution(body.restitution);
        physics.insert_collider(collider, Some(handle));
    }
    physics
}

/// As `xtask/peers/taichi_mpm.py` has it: 66 × 64 × 64 particles half a cell apart in a box of 64³ cells.
fn matter(steps: u32) {
    let place = |x: usize, y: usize, z: usize| {
        let [x, y, z] = [x, y, z].map(|i| i as f64 / 2.0 + 0.25);
        Matter::particle([3.0 + x, 3.0 + y, 16.0 + z], [0.0; 3])
    };
    let column = |x: usize| (0..64).flat_map(move |y| (0..64).map(move |z| place(x, y, z)));
    let states: Vec<_> = (0..66).flat_map(column).collect();
    let particles = states.len();
    let matter = Matter {
        cells: 64,
        rest_density: 8 * ONE,
        materials: vec![Material::liquid(0.02, 0.0, 0.01)],
        wall_friction: 0,
        vessel: Vessel::Box([3; 3], [61; 3]),
    };
    let mut twin = TwinMatter::new(matter, Particles::liquid(states), 0);
    let force = Force::new([0.0, -2e-4, 0.0], [[0.0; 3]; 3], 0.0);
    let mut seconds = Vec::new();
    for _ in 0..steps {
        let start = Instant::now();
        twin.step(&force, None).unwrap();
        seconds.push(start.elapsed().as_secs_f64());
    }
    println!("{}", serde_json::json!({ "particles": particles, "seconds": seconds }));
}

/// In turns, so that what else the machine does falls on both.
fn segments(name: &str, seed: u64) {
    let scenario = scenario::newest(name).unwrap();
    let recipe = Recipe::new(&format!("{name}@{}", scenario.version()), seed.into(), Film::DRAFT).unwrap();
    let mut replayer = Replayer::new(&recipe, Backend::Cpu).unwrap();
    let (mut whole, mut apart) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let start = Instant::now();
        let run = simulate(&recipe, Backend::Cpu, &mut |_, _| true).unwrap();
        whole.push(start.elapsed().as_secs_f64());
        let mut state = replayer.first().to_vec();
        let mut seconds = 0.0;
        for (segment, expected) in (0..replayer.segments()).zip(&run.trajectory.checkpoints()[1..]) {
            let start = Instant::now();
            black_box(merkle::leaf(segment * replayer.plan().checkpoint_every, &state));
            let replayed = replayer.replay(segment, &state).unwrap();
            seconds += start.elapsed().as_secs_f64();
            assert_eq!(replayed.digest, *expected);
            state = replayed.checkpoint;
        }
        apart.push(seconds);
    }
    println!("{}", serde_json::json!({ "segments": replayer.segments(), "seconds": apart, "alone": whole }));
}
