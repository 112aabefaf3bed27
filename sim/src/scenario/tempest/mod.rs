//! *Tempest*: a storm where nothing weighs anything. Bodies of coloured liquid, a quarter of a million particles, are
//! thrown at each other, burst into sheets and threads, and gather into one.

mod stage;
mod storm;

use super::{Kind, Scenario, Stage};
use crate::{
    coupled::{CHANNELS, MatterWorld},
    genome::{Genome, ParamSpec, TraitSpec, option},
    stage::{LIGHTS, PALETTES},
    world::{Device, Plan, SimError, World},
};
use stage::TempestStage;
use storm::Storm;

/// Steps of the world.
const STEPS: u32 = 768;

/// Steps from one snapshot, and one checkpoint, to the next.
const STRIDE: u32 = 8;

/// The usual value of `detail`.
const DETAIL: f64 = 16.0;

#[derive(Debug)]
pub(super) struct Tempest;

const TRAITS: &[TraitSpec<'_>] = &[
    TraitSpec {
        name: "motion",
        about: "what happens to the liquid",
        options: &[
            option("duel", 26),
            option("crown", 22),
            option("chorus", 20),
            option("wreath", 16),
            option("urchin", 12),
            option("twist", 8),
        ],
    },
    TraitSpec {
        name: "pigment",
        about: "how the colours lie in each body at first",
        options: &[option("strata", 28), option("onion", 28), option("marble", 24), option("pure", 20)],
    },
    TraitSpec {
        name: "material",
        about: "what the liquid is made of",
        options: &[option("lacquer", 44), option("pearl", 26), option("mercury", 18), option("wax", 12)],
    },
    TraitSpec { name: "palette", about: "its colours", options: PALETTES },
    TraitSpec { name: "light", about: "how it is lit", options: LIGHTS },
    TraitSpec {
        name: "camera",
        about: "where it is seen from",
        options: &[option("level", 45), option("above", 35), option("below", 20)],
    },
];

const PARAMS: &[ParamSpec<'_>] = &[
    ParamSpec {
        name: "energy",
        about: "strength of the motion",
        unit: "",
        min: 0.0,
        max: 1.6,
        usual: [0.85, 1.15],
        integer: false,
    },
    ParamSpec {
        name: "viscosity",
        about: "thickness of the liquid",
        unit: "cells²/step",
        min: 0.0,
        max: 0.1,
        usual: [0.028, 0.055],
        integer: false,
    },
    ParamSpec {
        name: "turn",
        about: "how far the camera travels around the liquid",
        unit: "°",
        min: -180.0,
        max: 180.0,
        usual: [-28.0, 28.0],
        integer: false,
    },
    ParamSpec {
        name: "detail",
        about: "fineness: the grid has six times as many cells along each axis",
        unit: "",
        min: 4.0,
        max: 16.0,
        usual: [DETAIL, DETAIL],
        integer: true,
    },
];

impl Scenario for Tempest {
    fn name(&self) -> &'static str {
        "tempest"
    }

    fn version(&self) -> u32 {
        1
    }

    fn kind(&self) -> Kind {
        Kind::Kernel
    }

    fn about(&self) -> &'static str {
        "Bodies of coloured liquid are thrown at each other, and gather into one"
    }

    fn traits(&self) -> Vec<TraitSpec<'_>> {
        TRAITS.to_vec()
    }

    fn params(&self) -> Vec<ParamSpec<'_>> {
        PARAMS.to_vec()
    }

    fn poster_time(&self) -> f64 {
        0.28
    }

    fn plan(&self, genome: &Genome) -> Plan {
        Plan {
            steps: STEPS,
            snapshot_every: STRIDE,
            checkpoint_every: STRIDE,
            elements: Storm::new(genome).start.len(),
            channels: CHANNELS,
        }
    }

    fn world_on(&self, genome: &Genome, device: &Device) -> Result<Box<dyn World>, SimError> {
        Ok(Box::new(MatterWorld::open(Storm::new(genome).setup(), device)?))
    }

    fn stage(&self, genome: &Genome) -> Box<dyn Stage> {
        Box::new(TempestStage::new(genome))
    }
}
