//! A liquid's surface must be closed, smooth, where the liquid is, and the same on every machine.

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};
use seedstorm_render::surface::mesh_fluid;
use seedstorm_sim::scene::{Fluid, Mesh};

const RADIUS: f32 = 16.0;

/// Uneven numbers in [-1, 1], of a xorshift generator.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }
}

/// Particles one spacing apart, shaken, wherever `inside` says.
fn fill(half: i32, inside: impl Fn(Vector3<f32>) -> bool) -> Fluid {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut fluid = Fluid { spacing: 1.0, ..Fluid::default() };
    for z in -half..half {
        for y in -half..half {
            for x in -half..half {
                let corner = Vector3::new(x as f32, y as f32, z as f32);
                let p = corner + Vector3::repeat(0.5) + Vector3::from_fn(|_, _| 0.3 * noise.next());
                if inside(p) {
                    fluid.positions.push(p.into());
                    fluid.colors.push(if p.x > 0.0 { [0.9, 0.2, 0.1] } else { [0.1, 0.3, 0.8] });
                }
            }
        }
    }
    fluid
}

/// A ball half full of a liquid that sloshes, with drops above it.
fn slosh() -> Fluid {
    let mut fluid = fill(RADIUS as i32, |p| {
        let level = 3.0 * libm::sinf(0.25 * p.x) + 2.0 * libm::cosf(0.3 * p.z);
        p.norm() < RADIUS - 0.4 && (p.y < level || (p - Vector3::new(2.0, 9.0, 1.0)).norm() < 2.2)
    });
    let mut noise = Noise(7);
    for _ in 0..60 {
        let p = Vector3::new(8.0 * noise.next(), 8.0 + 4.0 * noise.next(), 8.0 * noise.next());
        fluid.positions.push(p.into());
        fluid.colors.push([1.0; 3]);
    }
    fluid
}

fn volume(mesh: &Mesh) -> f64 {
    mesh.triangles
        .iter()
        .map(|triangle| {
            let [a, b, c] = triangle.map(|v| mesh.positions[v as usize].coords.cast::<f64>());
            a.dot(&b.cross(&c)) / 6.0
        })
        .sum()
}

/// Every edge must be a side of two triangles, once in either direction.
fn assert_closed(mesh: &Mesh) {
    let mut sides: BTreeMap<(u32, u32), i32> = BTreeMap::new();
    for triangle in &mesh.triangles {
        for side in 0..3 {
            *sides.entry((triangle[side], triangle[(side + 1) % 3])).or_default() += 1;
        }
    }
    for ((from, to), count) in &sides {
        assert_eq!(*count, 1, "a side from {from} to {to} belongs to {count} triangles");
        assert!(sides.contains_key(&(*to, *from)), "the side from {from} to {to} has no partner");
    }
}

fn assert_sound(mesh: &Mesh) {
    assert!(!mesh.triangles.is_empty());
    assert_closed(mesh);
    assert_eq!(mesh.normals.len(), mesh.positions.len());
    for normal in &mesh.normals {
        assert!((normal.norm() - 1.0).abs() < 1e-4, "{normal:?} is no unit vector");
    }
}

#[test]
fn sloshing_liquid_with_drops_is_closed_and_keeps_its_volume() {
    let fluid = slosh();
    let mesh = mesh_fluid(&fluid);
    assert_sound(&mesh);
    let (found, expected) = (volume(&mesh), fluid.positions.len() as f64);
    assert!((found / expected - 1.0).abs() < 0.06, "{found} cubic spacings for {expected} particles");
}

#[test]
fn a_ball_of_particles_has_the_volume_of_its_particles() {
    let fluid = fill(14, |p| p.norm() < 12.0);
    let mesh = mesh_fluid(&fluid);
    assert_sound(&mesh);
    let (found, expected) = (volume(&mesh), fluid.positions.len() as f64);
    assert!((found / expected - 1.0).abs() < 0.06, "{found} cubic spacings for {expected} particles");
    // Round, and smooth: the normals of a ball point away from its middle.
    let tilt = mesh.positions.iter().zip(&mesh.normals).map(|(p, n)| 1.0 - p.coords.normalize().dot(n));
    let mean = tilt.sum::<f32>() / mesh.normals.len() as f32;
    assert!(mean < 0.01, "normals lean by {} radians in the mean", (2.0 * mean).sqrt());
}

#[test]
fn many_particles_of_small_shares_are_as_much_liquid_and_smoother() {
    let ball = |per_spacing: f32| {
        let mut fluid = fill((per_spacing * 8.0) as i32, |p| p.norm() < 7.0 * per_spacing);
        fluid.positions.iter_mut().for_each(|p| *p /= per_spacing);
        fluid.share = 1.0 / (per_spacing * per_spacing * per_spacing);
        mesh_fluid(&fluid)
    };
    let unevenness = |mesh: &Mesh| {
        let distances: Vec<f32> = mesh.positions.iter().map(|p| p.coords.norm()).collect();
        let mean = distances.iter().sum::<f32>() / distances.len() as f32;
        (distances.iter().map(|d| (d - mean) * (d - mean)).sum::<f32>() / distances.len() as f32).sqrt()
    };
    let (whole, shared) = (ball(1.0), ball(1.7));
    assert_sound(&shared);
    let ratio = volume(&shared) / volume(&whole);
    assert!((ratio - 1.0).abs() < 0.05, "{ratio} of the volume");
    assert!(unevenness(&shared) < 0.8 * unevenness(&whole), "{} after {}", unevenness(&shared), unevenness(&whole));
}

#[test]
fn a_sheet_one_particle_thick_has_no_holes() {
    let (sin, cos) = libm::sincosf(0.5);
    let tilted = |p: Vector3<f32>| p.y * cos + p.x * sin;
    let fluid = fill(16, |p| tilted(p).abs() < 0.8 && p.norm() < 14.0);
    let mesh = mesh_fluid(&fluid);
    assert_sound(&mesh);
    // Lines through the sheet must meet it.
    for index in 0..400 {
        let angle = index as f32 * 2.399_963;
        let radius = 11.0 * (index as f32 / 400.0).sqrt();
        let (z, u) = (radius * libm::sinf(angle), radius * libm::cosf(angle));
        let (x, y) = (u * cos, -u * sin);
        let crossings = crossings(&mesh, [x, y, z], [sin, cos, 0.0]);
        assert!(crossings >= 2 && crossings.is_multiple_of(2), "{crossings} crossings near ({x}, {y}, {z})");
    }
}

/// How many triangles a line through a point meets (Möller and Trumbore 1997).
fn crossings(mesh: &Mesh, through: [f32; 3], along: [f32; 3]) -> usize {
    let (origin, direction) = (Vector3::from(through), Vector3::from(along));
    mesh.triangles
        .iter()
        .filter(|triangle| {
            let [a, b, c] = triangle.map(|v| mesh.positions[v as usize].coords);
            let (ab, ac, ao) = (b - a, c - a, origin - a);
            let p = direction.cross(&ac);
            let determinant = ab.dot(&p);
            let (u, v) = (ao.dot(&p) / determinant, direction.dot(&ao.cross(&ab)) / determinant);
            determinant != 0.0 && u >= 0.0 && v >= 0.0 && u + v <= 1.0
        })
        .count()
}

#[test]
fn a_lone_particle_is_a_round_drop_of_its_own_volume() {
    for place in [[0.0, 0.0, 0.0], [0.13, -3.71, 9.35]] {
        let fluid =
            Fluid { positions: vec![place.into()], colors: vec![[0.2, 0.4, 0.6]], spacing: 1.0, ..Fluid::default() };
        let mesh = mesh_fluid(&fluid);
        assert_sound(&mesh);
        let found = volume(&mesh);
        assert!((0.6..1.4).contains(&found), "{found}");
        let radii = mesh.positions.iter().map(|p| (p - Point3::from(place)).norm());
        let (least, most) = radii.fold((f32::MAX, 0.0_f32), |(least, most), r| (least.min(r), most.max(r)));
        assert!(most < 1.25 * least, "radii from {least} to {most}");
        assert!(mesh.colors.iter().flatten().zip([0.2, 0.4, 0.6].iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

#[test]
fn the_mesh_is_the_same_for_any_number_of_threads() {
    let fluid = slosh();
    let digest = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mesh = pool.install(|| mesh_fluid(&fluid));
        let mut hash = blake3::Hasher::new();
        for value in mesh.positions.iter().flat_map(|p| p.coords.iter()).chain(mesh.normals.iter().flatten()) {
            hash.update(&value.to_bits().to_le_bytes());
        }
        for value in mesh.colors.iter().flatten() {
            hash.update(&value.to_bits().to_le_bytes());
        }
        for index in mesh.triangles.iter().flatten() {
            hash.update(&index.to_le_bytes());
        }
        hash.finalize().to_hex().to_string()
    };
    let alone = digest(1);
    assert_eq!(alone, digest(2));
    assert_eq!(alone, digest(3));
    assert_eq!(
        alone, "c8cd24bedb121e87d611c8a8a775b1fae682c4624fa5d380b6389f45aa4424a9",
        "the surface changed: so does every picture of a liquid, and this is a new engine version"
    );
}

#[test]
fn the_grid_is_fixed_in_the_world() {
    // A drop far away widens the bounds of the particles, and must not move the surface elsewhere.
    let fluid = fill(8, |p| p.norm() < 6.0);
    let mut with_drop = fluid.clone();
    with_drop.positions.push(Point3::new(-31.7, 22.3, -17.1));
    with_drop.colors.push([1.0; 3]);
    let place = |p: &Point3<f32>| [p.x.to_bits(), p.y.to_bits(), p.z.to_bits()];
    let alone: Vec<_> = mesh_fluid(&fluid).positions.iter().map(place).collect();
    let near = |p: &&Point3<f32>| p.coords.norm() < 15.0;
    let beside: Vec<_> = mesh_fluid(&with_drop).positions.iter().filter(near).map(place).collect();
    assert!(alone == beside, "the drop moved a surface that it does not touch");
}

#[test]
fn colours_are_those_of_the_particles_around() {
    let mesh = mesh_fluid(&fill(10, |p| p.norm() < 8.0));
    for (position, color) in mesh.positions.iter().zip(&mesh.colors) {
        if position.x.abs() > 3.5 {
            let expected = if position.x > 0.0 { [0.9, 0.2, 0.1] } else { [0.1, 0.3, 0.8] };
            assert!(color.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{color:?} at {position:?}");
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_left_out() {
    assert!(mesh_fluid(&Fluid { spacing: 1.0, ..Fluid::default() }).triangles.is_empty());
    let ball = fill(6, |p| p.norm() < 4.0);
    for spacing in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(mesh_fluid(&Fluid { spacing, ..ball.clone() }), Mesh::default());
    }
    let mut damaged = ball.clone();
    for place in [[f32::NAN, 0.0, 0.0], [0.0, f32::INFINITY, 0.0], [0.0, 0.0, -3.0e38], [900.0, 0.0, 0.0]] {
        damaged.positions.push(place.into());
        damaged.colors.push([0.0; 3]);
    }
    assert_eq!(mesh_fluid(&damaged), mesh_fluid(&ball));
    // Particles in one place have no shape; they make a drop, not a number that is none.
    let heap = Fluid { positions: vec![Point3::new(1.0, 2.0, 3.0); 500], spacing: 1.0, ..Fluid::default() };
    let mesh = mesh_fluid(&heap);
    assert_sound(&mesh);
    assert!(mesh.colors.is_empty());
}

#[test]
fn gaps_between_particles_are_filled_and_bubbles_are_not() {
    let gaps = mesh_fluid(&fill(12, |p| p.norm() < 10.0 && (p - Vector3::new(1.0, 2.0, 0.0)).norm() > 2.0));
    assert!(gaps.positions.iter().all(|p| p.coords.norm() > 8.0));
    let bubble = mesh_fluid(&fill(12, |p| p.norm() < 11.0 && p.norm() > 5.0));
    assert_sound(&bubble);
    let radii = bubble.positions.iter().map(|p| p.coords.norm()).filter(|r| *r < 8.0);
    let (sum, count) = radii.fold((0.0, 0), |(sum, count), r| (sum + r, count + 1));
    assert!((sum / count as f32 - 5.0).abs() < 0.4, "{count} vertices around the bubble, {sum} from its middle");
}

#[test]
fn units_are_the_scenes() {
    let coarse = fill(8, |p| p.norm() < 6.0);
    let center = Vector3::new(0.5, -2.0, 4.0);
    let fine = Fluid {
        positions: coarse.positions.iter().map(|p| Point3::from(p.coords * 0.125 + center)).collect(),
        spacing: 0.125,
        ..coarse.clone()
    };
    let ratio = volume(&mesh_fluid(&fine)) / volume(&mesh_fluid(&coarse));
    assert!((ratio * 512.0 - 1.0).abs() < 1e-3, "{ratio}");
}
