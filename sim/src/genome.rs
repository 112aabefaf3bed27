//! Traits and parameters: what a seed decides, how rare it is, and what a recipe overrides.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use crate::{
    random::Stream,
    recipe::{ParamValue, RecipeError},
    seed::Seed,
};

/// A property that a seed picks from a short list.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TraitSpec<'a> {
    /// Its name, unique within the scenario.
    pub name: &'a str,
    /// What it changes, for people.
    pub about: &'a str,
    /// The values it can take.
    pub options: &'a [TraitOption],
}

/// One value of a trait. Its rarity is its weight over the sum of the trait's weights.
#[derive(Debug, Clone, Serialize)]
pub struct TraitOption {
    /// The value's name.
    pub value: Cow<'static, str>,
    /// How often it is picked, relative to its neighbours.
    pub weight: u32,
}

/// Shorthand for a list of trait options.
pub(crate) const fn option(value: &'static str, weight: u32) -> TraitOption {
    TraitOption { value: Cow::Borrowed(value), weight }
}

impl TraitSpec<'_> {
    /// The share of seeds that show option `index`, in (0, 1].
    #[must_use]
    pub fn rarity(&self, index: usize) -> f64 {
        let total: u32 = self.options.iter().map(|o| o.weight).sum();
        f64::from(self.options[index].weight) / f64::from(total)
    }
}

/// A number that a seed draws uniformly from a usual range, and that a recipe may set within wider bounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ParamSpec<'a> {
    /// Its name, unique within the scenario.
    pub name: &'a str,
    /// What it changes, for people.
    pub about: &'a str,
    /// Its unit, or the empty text.
    pub unit: &'a str,
    /// The least value that a recipe may set.
    pub min: f64,
    /// The greatest value that a recipe may set.
    pub max: f64,
    /// The range `[low, high]` that seeds draw from.
    pub usual: [f64; 2],
    /// Whether only whole numbers are meant.
    pub integer: bool,
}

/// A trait of one piece.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trait {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The share of seeds that show this value, in (0, 1].
    pub rarity: f64,
    /// Whether the recipe set it, so that its rarity means nothing.
    pub overridden: bool,
}

/// A parameter of one piece.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit, or the empty text.
    pub unit: String,
    /// Whether the recipe set it.
    pub overridden: bool,
}

/// Everything that a seed and its overrides decide about a piece.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Genome {
    /// The seed.
    pub seed: Seed,
    /// Traits, in the scenario's order.
    pub traits: Vec<Trait>,
    /// Parameters, in the scenario's order.
    pub params: Vec<Param>,
}

impl Genome {
    /// Reads `seed` and `overrides` against what a scenario declares.
    ///
    /// # Errors
    /// An override that names no trait or parameter, is of the wrong type or lies out of range.
    pub fn resolve(
        seed: &Seed,
        overrides: &BTreeMap<String, ParamValue>,
        trait_specs: &[TraitSpec<'_>],
        param_specs: &[ParamSpec<'_>],
    ) -> Result<Self, RecipeError> {
        for name in overrides.keys() {
            if !trait_specs.iter().any(|t| t.name == name) && !param_specs.iter().any(|p| p.name == name) {
                let known =
                    trait_specs.iter().map(|t| t.name).chain(param_specs.iter().map(|p| p.name)).collect::<Vec<_>>();
                return Err(RecipeError::UnknownParam { name: name.clone(), known: known.join(", ") });
            }
        }
        let traits = trait_specs.iter().map(|spec| resolve_trait(seed, overrides.get(spec.name), spec));
        let params = param_specs.iter().map(|spec| resolve_param(seed, overrides.get(spec.name), spec));
        Ok(Self { seed: *seed, traits: traits.collect::<Result<_, _>>()?, params: params.collect::<Result<_, _>>()? })
    }

    /// Whether the trait `name` has this value.
    ///
    /// # Panics
    /// If the scenario declares no such trait; names are constants of the scenario's own code.
    #[must_use]
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.text(name) == value
    }

    /// The value of the trait `name`.
    ///
    /// # Panics
    /// If the scenario declares no such trait; names are constants of the scenario's own code.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        &self.traits.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("no trait {name}")).value
    }

    /// The value of the parameter `name`.
    ///
    /// # Panics
    /// If the scenario declares no such parameter; names are constants of the scenario's own code.
    #[must_use]
    pub fn number(&self, name: &str) -> f64 {
        self.params.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("no parameter {name}")).value
    }

    /// A stream of randomness of this piece.
    #[must_use]
    pub fn stream(&self, name: &str) -> Stream {
        Stream::new(&self.seed, name)
    }
}

fn resolve_trait(seed: &Seed, given: Option<&ParamValue>, spec: &TraitSpec<'_>) -> Result<Trait, RecipeError> {
    let index = match given {
        Some(ParamValue::Text(text)) => spec.options.iter().position(|o| o.value == *text),
        Some(ParamValue::Number(_)) => None,
        None => {
            let total: u32 = spec.options.iter().map(|o| o.weight).sum();
            let mut drawn = Stream::new(seed, &format!("trait/{}", spec.name)).below(0, 0, total);
            spec.options.iter().position(|o| {
                let here = drawn < o.weight;
                drawn = drawn.wrapping_sub(o.weight);
                here
            })
        }
    };
    let index = index.ok_or_else(|| RecipeError::BadTrait {
        name: spec.name.into(),
        known: spec.options.iter().map(|o| &*o.value).collect::<Vec<_>>().join(", "),
    })?;
    Ok(Trait {
        name: spec.name.into(),
        value: spec.options[index].value.to_string(),
        rarity: spec.rarity(index),
        overridden: given.is_some(),
    })
}

fn resolve_param(seed: &Seed, given: Option<&ParamValue>, spec: &ParamSpec<'_>) -> Result<Param, RecipeError> {
    let value = match given {
        // A recipe's id does not tell −0 from 0, so neither may its world.
        Some(ParamValue::Number(value)) => *value + 0.0,
        Some(ParamValue::Text(_)) => return Err(RecipeError::NotANumber { name: spec.name.into() }),
        None => {
            let [low, high] = spec.usual;
            let drawn = Stream::new(seed, &format!("param/{}", spec.name)).between(0, 0, low, high);
            // Three decimals are enough for a person to read back and for a recipe to repeat.
            if spec.integer { drawn.round() } else { (drawn * 1000.0).round() / 1000.0 }
        }
    };
    if !(spec.min..=spec.max).contains(&value) || (spec.integer && value.fract() != 0.0) {
        return Err(RecipeError::OutOfRange {
            name: format!("params.{}", spec.name),
            range: format!("{}{} to {}", if spec.integer { "a whole number from " } else { "" }, spec.min, spec.max),
        });
    }
    Ok(Param { name: spec.name.into(), value, unit: spec.unit.into(), overridden: given.is_some() })
}
