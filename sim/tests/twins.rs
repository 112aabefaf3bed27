//! The WGSL kernel and its Rust twin are one function: every word of every particle agrees.
//!
//! Needs an adapter; a software one will do (Mesa's lavapipe). Without any, the tests say so and pass, unless
//! `SEEDSTORM_REQUIRE_GPU=1`, which is how the checks run them.
#![cfg(feature = "gpu")]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use seedstorm_sim::{
    Seed,
    fixed::{ONE, q24},
    gpu::{Gpu, Products},
    matter::{Force, Material, Matter, Particles, Vessel, gpu::GpuMatter, twin::TwinMatter},
    random::Stream,
    world::KernelError,
};

fn gpu(products: Products) -> Option<Gpu> {
    match Gpu::open(products) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var_os("SEEDSTORM_REQUIRE_GPU").is_none() => {
            eprintln!("not compared: {error}");
            None
        }
        Err(error) => panic!("no adapter: {error}"),
    }
}

/// A ball of liquid that is thrown about by a changing force.
fn world(cells: u32, count: usize, steps: u32) -> (Matter, Particles, Vec<Force>) {
    let radius = f64::from(cells) * 0.4375;
    let stream = Stream::new(&Seed::from(99), "twins");
    let mut particles = Vec::with_capacity(count);
    let mut element = 0;
    while particles.len() < count {
        let place = [0, 1, 2].map(|draw| stream.between(element, draw, -0.7, 0.7));
        element += 1;
        if place.iter().map(|c| c * c).sum::<f64>() < 0.49 {
            let velocity = [3, 4, 5].map(|draw| stream.between(element, draw, -0.2, 0.2));
            particles.push(Matter::particle(place.map(|c| c * radius + f64::from(cells) / 2.0), velocity));
        }
    }
    let volume = 4.0 / 3.0 * std::f64::consts::PI * (0.7 * radius) * (0.7 * radius) * (0.7 * radius);
    let matter = Matter {
        cells,
        rest_density: q24(count as f64 / volume),
        materials: vec![Material::liquid(0.1, 0.002, 0.01)],
        wall_friction: ONE / 128,
        vessel: Vessel::Ball(q24(radius)),
    };
    let force = |step: u32| {
        let down = if (step / 150).is_multiple_of(2) { -0.002 } else { 0.002 };
        let spin = 0.0001;
        Force::new([0.0005, down, -0.0003], [[0.0, -spin, 0.0], [spin, -0.00002, 0.0], [0.0, 0.0, 0.00001]], 0.001)
    };
    (matter, Particles::liquid(particles), (0..steps).map(force).collect())
}

fn hold_equal(gpu: Gpu, cells: u32, count: usize, steps: u32, every: u32) {
    let (matter, particles, forces) = world(cells, count, steps);
    let wide = gpu.is_wide();
    let name = gpu.name().to_owned();
    let mut kernel = GpuMatter::new(gpu, &matter, &particles, &forces, None).unwrap();
    let mut twin = TwinMatter::new(matter, particles.clone(), 0);
    for reached in (every..=steps).step_by(every as usize) {
        kernel.advance(every).unwrap();
        for force in &forces[(reached - every) as usize..reached as usize] {
            twin.step(force, None).unwrap();
        }
        let (a, b) = (kernel.particles().unwrap().states, twin.particles().states);
        if let Some(first) = (0..a.len()).find(|i| a[*i] != b[*i]) {
            panic!(
                "{name}, wide {wide}: by step {reached} particle {first} is {:?}, its twin {:?}",
                a[first], b[first]
            );
        }
    }
    assert_ne!(twin.particles(), particles, "nothing moved");
    eprintln!("{name}, wide {wide}: {count} particles equal over {steps} steps");
}

#[test]
fn a_small_world_for_2000_steps() {
    for products in [Products::Auto, Products::Split] {
        if let Some(gpu) = gpu(products) {
            hold_equal(gpu, 16, 2_000, 2_000, 250);
        }
    }
}

#[test]
fn a_full_world_for_50_steps() {
    for products in [Products::Auto, Products::Split] {
        if let Some(gpu) = gpu(products) {
            hold_equal(gpu, 96, 262_144, 50, 25);
        }
    }
}

/// 2¹⁸ particles in the middle of one cell make each node's mass a multiple of 256, which is none at all in the sums.
#[test]
fn a_pile_whose_sums_wrap_round_is_refused_by_both() {
    let (matter, _, forces) = world(16, 2_000, 1);
    let pile = Particles::liquid(vec![Matter::particle([8.5; 3], [0.0; 3]); 1 << 18]);
    let refused = TwinMatter::new(matter.clone(), pile.clone(), 0).step(&forces[0], None).unwrap_err();
    assert!(matches!(refused, KernelError::Overfull { .. }), "{refused}");
    if let Some(gpu) = gpu(Products::Auto) {
        assert_eq!(GpuMatter::new(gpu, &matter, &pile, &forces, None).unwrap().advance(1).unwrap_err(), refused);
    }
}

/// Gravity, where 131,072 points of two balls pull each other.
#[test]
fn gravity_and_its_twin_agree() {
    use seedstorm_sim::gravity::{Gravity, Point, gpu::GpuGravity, twin::TwinGravity};
    let stream = Stream::new(&Seed::from(7), "twins/gravity");
    let point = |element: u64| -> Point {
        let between = |draw, size: f64| q24(stream.between(element, draw, -size, size));
        let side = if element.is_multiple_of(2) { 22 * ONE } else { 42 * ONE };
        // A few lie beyond the grid.
        let [x, y, z] = [0, 1, 2].map(|draw| between(draw, if element.is_multiple_of(500) { 60.0 } else { 9.0 }));
        [x + side, y + side, z + 32 * ONE, between(3, 0.05), between(4, 0.05), between(5, 0.05)]
    };
    for (products, count, steps) in [(Products::Auto, 131_072, 12), (Products::Split, 131_072, 4)] {
        let Some(gpu) = gpu(products) else { return };
        let points: Vec<Point> = (0..count as u64).map(point).collect();
        let law = Gravity { softening: 2.5, pull: 1.0, count };
        let mut kernel = GpuGravity::new(gpu, &law, &points).unwrap();
        let mut twin = TwinGravity::new(&law, points.clone());
        kernel.advance(steps);
        (0..steps).for_each(|_| twin.step());
        let found = kernel.points().unwrap();
        let first = (0..count).find(|at| found[*at] != twin.points()[*at]);
        assert_eq!(first.map(|at| (at, found[at], twin.points()[at])), None);
        assert_ne!(twin.points(), points, "nothing moved");
    }
}
