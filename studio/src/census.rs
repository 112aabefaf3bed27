//! How rare traits are among real seeds, beside how rare the scenario says they are.

use serde::Serialize;

use seedstorm_sim::{Genome, RecipeError, Seed, scenario::Scenario};

/// How often each option of each trait came up.
#[derive(Debug, Clone, Serialize)]
pub struct Census {
    /// The scenario, with its version.
    pub scenario: String,
    /// How many seeds were drawn: 0, 1, 2, ….
    pub seeds: u64,
    /// The traits, in the scenario's order.
    pub traits: Vec<Counted>,
}

/// One trait's options.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// The trait.
    pub name: String,
    /// Its options, in the scenario's order.
    pub options: Vec<Share>,
}

/// How often one option came up.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// The option.
    pub value: String,
    /// The share of seeds that the scenario states, in [0, 1].
    pub stated: f64,
    /// The share that was found.
    pub found: f64,
    /// How many seeds that is.
    pub count: u64,
    /// How far `found` lies from `stated`, in standard deviations of a count of fair draws.
    pub deviation: f64,
}

impl Census {
    /// The largest deviation of all options, in standard deviations.
    #[must_use]
    pub fn largest_deviation(&self) -> f64 {
        let all = self.traits.iter().flat_map(|counted| &counted.options);
        all.map(|share| share.deviation.abs()).fold(0.0, f64::max)
    }
}

/// Counts the traits of the seeds `0..seeds`.
///
/// # Errors
/// A scenario whose own traits cannot be drawn.
pub fn census(scenario: &dyn Scenario, seeds: u64) -> Result<Census, RecipeError> {
    let (traits, params) = (scenario.traits(), scenario.params());
    let mut counts: Vec<Vec<u64>> = traits.iter().map(|spec| vec![0; spec.options.len()]).collect();
    let none = std::collections::BTreeMap::new();
    for seed in 0..seeds {
        let genome = Genome::resolve(&Seed::from(seed), &none, &traits, &params)?;
        for ((spec, counts), drawn) in traits.iter().zip(&mut counts).zip(&genome.traits) {
            if let Some(option) = spec.options.iter().position(|option| option.value == drawn.value) {
                counts[option] += 1;
            }
        }
    }
    let share = |spec: &seedstorm_sim::genome::TraitSpec<'_>, option: usize, count: u64| {
        let (stated, draws) = (spec.rarity(option), seeds as f64);
        let deviation = (count as f64 - stated * draws) / (draws * stated * (1.0 - stated)).sqrt();
        let found = count as f64 / draws;
        // A trait with one option has no deviation.
        let deviation = if deviation.is_finite() { deviation } else { 0.0 };
        Share { value: spec.options[option].value.to_string(), stated, found, count, deviation }
    };
    let traits = traits.iter().zip(&counts).map(|(spec, counts)| Counted {
        name: spec.name.to_owned(),
        options: counts.iter().enumerate().map(|(option, count)| share(spec, option, *count)).collect(),
    });
    let scenario_id = format!("{}@{}", scenario.name(), scenario.version());
    Ok(Census { scenario: scenario_id, seeds, traits: traits.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand seeds: five standard deviations are one false alarm in two million options.
    #[test]
    fn stated_rarities_are_true() {
        for scenario in seedstorm_sim::scenario::all() {
            let census = census(*scenario, 10_000).expect("its own traits");
            assert!(census.largest_deviation() < 5.0, "{census:?}");
            for counted in &census.traits {
                assert_eq!(counted.options.iter().map(|share| share.count).sum::<u64>(), 10_000);
            }
        }
    }
}
