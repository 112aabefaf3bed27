//! *Bloom*: thousands of standing tiles, each a little larger than the one before, fall outward from a seed. A ball
//! drops among hinged stamens; they open, and the smallest tiles carry the fall to the largest.

mod flower;
mod stage;
mod world;

use super::{Kind, Scenario, Stage};
use crate::{
    genome::{Genome, ParamSpec, TraitSpec, option},
    stage::{LIGHTS, PALETTES},
    world::{Device, Plan, SimError, World},
};
use flower::Flower;
use stage::BloomStage;
use world::BloomWorld;

/// Steps of the world.
const STEPS: u32 = 768;

/// Steps a second.
const RATE: f32 = 192.0;

/// Steps from one snapshot to the next.
const SNAPSHOT_STRIDE: u32 = 4;

/// Steps from one checkpoint to the next: enough that reading one takes a small part of the steps that follow.
const CHECKPOINT_STRIDE: u32 = 24;

/// A snapshot's positions are in units of 1/8192.
const POSITION_UNIT: f32 = 8192.0;

/// A snapshot's quaternions are in units of 1/32767.
const ROTATION_UNIT: f32 = 32767.0;

/// Numbers of an element in a snapshot: position (3), rotation (x, y, z, w), the step in which it fell or −1.
const CHANNELS: usize = 8;

#[derive(Debug)]
pub(super) struct Bloom;

const TRAITS: &[TraitSpec<'_>] = &[
    TraitSpec {
        name: "form",
        about: "how the arms run outward",
        options: &[option("sunburst", 24), option("spiral", 34), option("galaxy", 22), option("ripple", 20)],
    },
    TraitSpec {
        name: "tile",
        about: "the shape of a tile",
        options: &[option("petal", 36), option("slab", 28), option("kite", 22), option("fan", 14)],
    },
    TraitSpec {
        name: "footing",
        about: "whether tiles stand free or turn on a hinge",
        options: &[option("free", 64), option("hinged", 36)],
    },
    TraitSpec {
        name: "finish",
        about: "what the tiles are made of",
        options: &[option("lacquer", 40), option("porcelain", 28), option("brushed", 22), option("gilded", 10)],
    },
    TraitSpec { name: "palette", about: "its colours", options: PALETTES },
    TraitSpec { name: "light", about: "how it is lit", options: LIGHTS },
    TraitSpec {
        name: "camera",
        about: "where it is seen from",
        options: &[option("oblique", 50), option("zenith", 30), option("low", 20)],
    },
];

const PARAMS: &[ParamSpec<'_>] = &[
    ParamSpec {
        name: "arms",
        about: "number of arms",
        unit: "",
        min: 5.0,
        max: 96.0,
        usual: [55.0, 76.0],
        integer: true,
    },
    ParamSpec {
        name: "rings",
        about: "tiles along an arm",
        unit: "",
        min: 2.0,
        max: 80.0,
        usual: [56.0, 66.0],
        integer: true,
    },
    ParamSpec {
        name: "gravity",
        about: "how fast everything falls",
        unit: "units/s²",
        min: 2.0,
        max: 90.0,
        usual: [48.0, 56.0],
        integer: false,
    },
    ParamSpec {
        name: "turn",
        about: "how far the camera travels around the flower",
        unit: "°",
        min: -180.0,
        max: 180.0,
        usual: [-22.0, 22.0],
        integer: false,
    },
];

impl Scenario for Bloom {
    fn name(&self) -> &'static str {
        "bloom"
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        Kind::Rigid
    }

    fn about(&self) -> &'static str {
        "A ball drops on a flower of standing tiles, and the smallest fells the largest"
    }

    fn traits(&self) -> Vec<TraitSpec<'_>> {
        TRAITS.to_vec()
    }

    fn params(&self) -> Vec<ParamSpec<'_>> {
        PARAMS.to_vec()
    }

    fn poster_time(&self) -> f64 {
        0.62
    }

    fn plan(&self, genome: &Genome) -> Plan {
        Plan {
            steps: STEPS,
            snapshot_every: SNAPSHOT_STRIDE,
            checkpoint_every: CHECKPOINT_STRIDE,
            elements: Flower::new(genome).elements(),
            channels: CHANNELS,
        }
    }

    fn world_on(&self, genome: &Genome, _: &Device) -> Result<Box<dyn World>, SimError> {
        Ok(Box::new(BloomWorld::new(&Flower::new(genome))?))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(BloomStage::new(genome))
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::{flower::TILE, stage::bevelled, *};
    use crate::{Seed, world};

    fn flower() -> Flower {
        let genome = Genome::resolve(&Seed::from(3), &Default::default(), TRAITS, PARAMS).unwrap();
        Flower::new(&genome)
    }

    /// Every triangle of a closed convex mesh looks away from the middle.
    fn faces_outward(positions: &[Point3<f32>], triangles: &[[u32; 3]], middle: Point3<f32>) {
        for triangle in triangles {
            let [a, b, c] = triangle.map(|i| positions[i as usize]);
            let normal = (b - a).cross(&(c - a));
            assert!(normal.dot(&(a - middle)) > 0.0, "{triangle:?}");
        }
    }

    #[test]
    fn tiles_face_outward() {
        let flower = flower();
        let middle = Point3::new(0.0, 0.5, 0.0);
        let corners: Vec<_> = flower.corners(1.0).into_iter().map(Point3::from).collect();
        faces_outward(&corners, &TILE, middle);
        let mesh = bevelled(&flower, 1.0);
        faces_outward(&mesh.positions, &mesh.triangles, middle);
    }

    #[test]
    fn tiles_do_not_overlap_at_the_start() {
        let flower = flower();
        let mut world = BloomWorld::new(&flower).unwrap();
        world.physics.step();
        for pair in world.physics.contact_pairs() {
            for manifold in pair.manifolds() {
                for point in &manifold.points {
                    assert!(point.dist > -0.02, "{} deep", point.dist);
                }
            }
        }
    }

    #[test]
    fn most_tiles_of_any_seed_fall() {
        for seed in 0..2 {
            let mut recipe = crate::Recipe::new("bloom@1", Seed::from(seed), crate::Film::DRAFT).unwrap();
            recipe.params.insert("arms".into(), crate::recipe::ParamValue::Number(20.0));
            recipe.params.insert("rings".into(), crate::recipe::ParamValue::Number(12.0));
            let run = world::simulate(&recipe, crate::Backend::Cpu, &mut |_, _| true).unwrap();
            let last = run.trajectory.snapshot(run.trajectory.snapshots() - 1).unwrap();
            let count = run.trajectory.elements();
            let fallen = last[7 * count..7 * count + 240].iter().filter(|step| **step >= 0).count();
            assert!(fallen > 225, "seed {seed}: {fallen} of 240");
        }
    }
}
