//! Self-gravity against direct summation, against itself on threads, and against the laws of motion.
use seedstorm_sim::{
    Seed,
    fixed::{ONE, q24},
    gravity::{CELLS, Gravity, Green, Point, momentum_bound, twin::TwinGravity},
    random::Stream,
};

const LAW: Gravity = Gravity { softening: 3.0, pull: 0.9, count: 4_000 };

/// Two balls of points that fall towards each other.
fn two_balls(count: usize) -> Vec<Point> {
    let stream = Stream::new(&Seed::from(5), "gravity");
    let middle = CELLS as f64 / 2.0;
    let mut points = Vec::with_capacity(count);
    let mut element = 0;
    while points.len() < count {
        let place = [0, 1, 2].map(|draw| stream.between(element, draw, -9.0, 9.0));
        element += 1;
        if place.iter().map(|c| c * c).sum::<f64>() < 81.0 {
            let side = if points.len() % 2 == 0 { -10.0 } else { 10.0 };
            let mut point = [0; 6];
            for (axis, shift) in [side, side * 0.3, 0.0].into_iter().enumerate() {
                point[axis] = q24(middle + place[axis] + shift);
                point[3 + axis] = q24(stream.between(element, 8 + axis as u32, -0.01, 0.01));
            }
            points.push(point);
        }
    }
    points
}

/// What each point's velocity changes by in a step, by direct summation, cells a step².
fn direct(law: &Gravity, points: &[Point]) -> Vec<[f64; 3]> {
    let place = |point: &Point| [0, 1, 2].map(|axis| f64::from(point[axis]) / f64::from(ONE));
    let places: Vec<[f64; 3]> = points.iter().map(place).collect();
    let share = law.pull / law.count as f64;
    let pull = |here: &[f64; 3]| {
        let mut sum = [0.0; 3];
        for there in &places {
            let d = [0, 1, 2].map(|axis| there[axis] - here[axis]);
            let squared = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + law.softening * law.softening;
            let factor = share / (squared * squared.sqrt());
            for axis in 0..3 {
                sum[axis] += d[axis] * factor;
            }
        }
        sum
    };
    places.iter().map(pull).collect()
}

fn square(v: [f64; 3]) -> f64 {
    v.iter().map(|c| c * c).sum()
}

#[test]
fn forces_are_those_of_direct_summation() {
    for softening in [2.0, 3.0, 4.0] {
        let law = Gravity { softening, ..LAW };
        let points = two_balls(law.count);
        let mut twin = TwinGravity::new(&law, points.clone());
        twin.step();
        let (mut off, mut whole) = (0.0, 0.0);
        for ((before, after), wanted) in points.iter().zip(twin.points()).zip(direct(&law, &points)) {
            let found = [3, 4, 5].map(|word| f64::from(after[word] - before[word]) / f64::from(ONE));
            off += square([0, 1, 2].map(|axis| found[axis] - wanted[axis]));
            whole += square(wanted);
        }
        let error = (off / whole).sqrt();
        println!("measured: at softening {softening}, the RMS error of the force is {:.3} %", error * 100.0);
        assert!(error < 0.01, "softening {softening}: {error}");
    }
}

#[test]
fn momentum_is_kept_within_the_stated_bound() {
    let points = two_balls(LAW.count);
    let momentum = |points: &[Point]| [3, 4, 5].map(|word| points.iter().map(|p| f64::from(p[word])).sum::<f64>());
    let before = momentum(&points);
    let mut twin = TwinGravity::new(&LAW, points);
    let steps = 60;
    for _ in 0..steps {
        twin.step();
    }
    let after = momentum(twin.points());
    let bound = momentum_bound(&LAW, &Green::new(&LAW)) * f64::from(steps);
    let speed: f64 = twin.points().iter().map(|p| f64::from(p[3].abs())).sum();
    for axis in 0..3 {
        let change = (after[axis] - before[axis]).abs();
        println!(
            "measured: along axis {axis}, momentum changed by {change:.0}, the bound is {bound:.0}, the speeds add to {speed:.0}"
        );
        assert!(change < bound, "axis {axis}: {change} of {bound}");
        assert!(change < 1e-3 * speed, "axis {axis}: {change} of {speed}");
    }
}

#[test]
fn energy_drifts_little() {
    let points = two_balls(LAW.count);
    let mut twin = TwinGravity::new(&LAW, points);
    // Velocities lag half a step behind positions: their mean before and after a step is the one at the step.
    let energy = |before: &[Point], after: &[Point]| {
        let mut kinetic = 0.0;
        for (a, b) in before.iter().zip(after) {
            kinetic += square([3, 4, 5].map(|word| f64::from(a[word] + b[word]) / 2.0 / f64::from(ONE))) / 2.0;
        }
        let place = |point: &Point| [0, 1, 2].map(|axis| f64::from(point[axis]) / f64::from(ONE));
        let mut potential = 0.0;
        for (at, a) in before.iter().enumerate() {
            for b in &before[..at] {
                let (a, b) = (place(a), place(b));
                let d = square([0, 1, 2].map(|axis| a[axis] - b[axis]));
                potential -= LAW.pull / LAW.count as f64 / (d + LAW.softening * LAW.softening).sqrt();
            }
        }
        (kinetic, potential)
    };
    let measure = |twin: &mut TwinGravity| {
        let before = twin.points().to_vec();
        twin.step();
        let (kinetic, potential) = energy(&before, twin.points());
        (kinetic + potential, potential)
    };
    let (first, depth) = measure(&mut twin);
    for _ in 0..150 {
        twin.step();
    }
    let (last, deeper) = measure(&mut twin);
    let drift = (last - first).abs() / depth.abs();
    println!(
        "measured: energy drifts by {:.3} % of the potential energy, which went from {depth:.4} to {deeper:.4}",
        drift * 100.0
    );
    assert!((deeper / depth - 1.0).abs() > 0.02, "the balls moved");
    assert!(drift < 0.01, "{drift}");
}

#[test]
fn threads_change_nothing() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut twin = TwinGravity::new(&LAW, two_balls(LAW.count));
            (0..5).for_each(|_| twin.step());
            twin.points().to_vec()
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

/// Points that left the grid fly on straight, and stop where numbers would end.
#[test]
fn points_beyond_the_grid_do_no_harm() {
    let mut points = two_balls(100);
    points[0] = [ONE, ONE, ONE, -ONE / 4, 0, ONE / 8];
    points[1] = [127 * ONE, -64 * ONE, 0, ONE / 2, -ONE / 2, 0];
    let mut twin = TwinGravity::new(&Gravity { count: 100, ..LAW }, points);
    twin.step();
    assert_eq!(twin.points()[0], [ONE - ONE / 4, ONE, ONE + ONE / 8, -ONE / 4, 0, ONE / 8]);
    assert_eq!(twin.points()[1][..2], [127 * ONE, -64 * ONE]);
}
