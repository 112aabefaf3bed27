//! *Waltz*: galaxies that pass through one another. A hundred and thirty thousand points, and one and a half times as many
//! that nobody sees, pull each other until discs have become tails, rings, shells and ribbons: a galaxy torn into calligraphy.

mod galaxies;
mod orbits;
mod stage;
mod world;

use super::{Kind, Scenario, Stage};
use crate::{
    genome::{Genome, ParamSpec, TraitSpec, option},
    stage::PALETTES,
    world::{Device, Plan, SimError, World},
};
use galaxies::Cluster;
use stage::WaltzStage;
use world::PointWorld;

/// Steps in a bar: from one snapshot, and one checkpoint, to the next.
const STRIDE: u32 = 8;

/// The usual value of `bars`.
const BARS: f64 = 72.0;

/// The usual value of `points`.
const POINTS: f64 = 131_072.0;

/// Points of dark matter for each that is seen.
const DARK: f64 = 1.5;

/// Steps of a snapshot's position in one cell.
const SNAPSHOT_UNIT: i32 = 128;

#[derive(Debug)]
pub(super) struct Waltz;

const TRAITS: &[TraitSpec<'_>] = &[
    TraitSpec {
        name: "encounter",
        about: "who meets whom, and how",
        options: &[
            option("embrace", 26),
            option("counterturn", 18),
            option("cartwheel", 18),
            option("trio", 14),
            option("dive", 14),
            option("ribbons", 10),
        ],
    },
    TraitSpec {
        name: "form",
        about: "what the discs look like before they meet",
        options: &[option("spiral", 42), option("veil", 26), option("rings", 20), option("spokes", 12)],
    },
    TraitSpec {
        name: "pigment",
        about: "what a point's colour tells of it",
        options: &[option("origin", 34), option("birth", 26), option("speed", 24), option("exile", 16)],
    },
    TraitSpec {
        name: "dust",
        about: "what dims and reddens the light behind it",
        options: &[option("lanes", 50), option("none", 32), option("smoke", 18)],
    },
    TraitSpec {
        name: "ground",
        about: "what they are seen against; on paper the points are ink, and shine no more",
        options: &[option("night", 46), option("dusk", 30), option("ember", 14), option("paper", 10)],
    },
    TraitSpec { name: "palette", about: "its colours", options: PALETTES },
    TraitSpec {
        name: "camera",
        about: "where it is seen from",
        options: &[option("aloft", 46), option("zenith", 30), option("low", 24)],
    },
];

const PARAMS: &[ParamSpec<'_>] = &[
    ParamSpec {
        name: "reach",
        about: "how near they pass each other",
        unit: "of the usual",
        min: 0.0,
        max: 2.0,
        usual: [0.75, 1.3],
        integer: false,
    },
    ParamSpec {
        name: "lean",
        about: "how far the discs lean from the plane in which they meet",
        unit: "°",
        min: 0.0,
        max: 90.0,
        usual: [5.0, 40.0],
        integer: false,
    },
    ParamSpec {
        name: "pull",
        about: "strength of gravity",
        unit: "of the usual",
        min: 0.2,
        max: 1.4,
        usual: [0.92, 1.08],
        integer: false,
    },
    ParamSpec {
        name: "turn",
        about: "how far the camera travels around them",
        unit: "°",
        min: -180.0,
        max: 180.0,
        usual: [-35.0, 35.0],
        integer: false,
    },
    ParamSpec {
        name: "bars",
        about: "how long they dance",
        unit: "8 steps",
        min: 2.0,
        max: 96.0,
        usual: [BARS, BARS],
        integer: true,
    },
    ParamSpec {
        name: "points",
        about: "number of points that are seen",
        unit: "",
        min: 4096.0,
        max: POINTS,
        usual: [POINTS, POINTS],
        integer: true,
    },
];

/// Steps of the world.
fn steps(genome: &Genome) -> u32 {
    genome.number("bars") as u32 * STRIDE
}

impl Scenario for Waltz {
    fn name(&self) -> &'static str {
        "waltz"
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        Kind::Kernel
    }

    fn about(&self) -> &'static str {
        "Galaxies that waltz, and tear each other into calligraphy"
    }

    fn traits(&self) -> Vec<TraitSpec<'_>> {
        TRAITS.to_vec()
    }

    fn params(&self) -> Vec<ParamSpec<'_>> {
        PARAMS.to_vec()
    }

    fn poster_time(&self) -> f64 {
        0.27
    }

    fn plan(&self, genome: &Genome) -> Plan {
        Plan {
            steps: steps(genome),
            snapshot_every: STRIDE,
            checkpoint_every: STRIDE,
            elements: genome.number("points") as usize,
            channels: 3,
        }
    }

    fn world_on(&self, genome: &Genome, device: &Device) -> Result<Box<dyn World>, SimError> {
        Ok(Box::new(PointWorld::open(&Cluster::new(genome), steps(genome), device)?))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(WaltzStage::new(genome))
    }
}
