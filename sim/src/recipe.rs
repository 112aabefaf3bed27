//! Recipes: the small JSON document that a piece is a pure function of.

use std::{collections::BTreeMap, fmt, str::FromStr};

use cid::Cid;
use multihash::Multihash;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use sha2::{Digest, Sha256};

use crate::{
    scenario::authored::{self, Document, MAX_SCENE_BYTES, SceneError},
    seed::Seed,
};

/// The engine that this build is. A recipe of another engine is refused: its bits would differ.
pub const ENGINE: &str = "seedstorm/12";

/// The longest recipe without a scene that is read, in bytes.
pub const MAX_RECIPE_BYTES: usize = 64 * 1024;

/// The longest recipe with a scene that is read, in bytes.
///
/// A file of this length is still one block, so that the file's CID is the recipe's id.
pub const MAX_SCENE_RECIPE_BYTES: usize = MAX_RECIPE_BYTES + MAX_SCENE_BYTES;

/// A piece, as a document: engine, scenario, seed, overrides and film.
///
/// ```
/// use seedstorm_sim::{Film, Recipe};
/// let recipe = Recipe::new("tempest@1", 7.into(), Film::DRAFT)?;
/// let same = Recipe::from_json(&recipe.canonical())?;
/// assert_eq!(recipe.cid(), same.cid());
/// assert_eq!(recipe.world_id(), Recipe::new("tempest@1", 7.into(), Film::MASTER)?.world_id());
/// # Ok::<(), seedstorm_sim::RecipeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The engine's name and version.
    pub engine: String,
    /// Which scenario.
    pub scenario: ScenarioId,
    /// The seed.
    pub seed: Seed,
    /// Overrides of traits and parameters.
    #[serde(deserialize_with = "unique_params")]
    pub params: BTreeMap<String, ParamValue>,
    /// How the world is filmed; the world does not depend on it.
    #[serde(deserialize_with = "film_object")]
    pub film: Film,
    /// The scene, where the scenario is [`authored::SCENARIO`], and only there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "scene_object")]
    pub scene: Option<Document>,
}

/// A scenario's name and version, written `name@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioId {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// From 1 up.
    pub version: u32,
}

/// An override in a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number or a text")]
pub enum ParamValue {
    /// The value of a parameter.
    Number(f64),
    /// The value of a trait.
    Text(String),
}

/// Frames, size, samples and renderer of a film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Film {
    /// Number of frames, spread evenly over the world's duration; 1 to 2,400.
    pub frames: u32,
    /// Frames a second of the encoded film, 1 to 60.
    pub fps: u32,
    /// Pixels, even, 16 to 2,160: as far as the film's encoder goes.
    pub width: u32,
    /// Pixels, even, 16 to 2,160.
    pub height: u32,
    /// Paths a pixel, 1 to 65,536.
    pub samples: u32,
    /// Which renderer: `cpu` is the canonical one, whose frames are the same everywhere; those of `gpu` are judged by
    /// their raw light.
    pub renderer: String,
}

/// Why a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The document is longer than [`MAX_RECIPE_BYTES`], or with a scene than [`MAX_SCENE_RECIPE_BYTES`].
    #[error("the recipe is larger than {MAX_RECIPE_BYTES} bytes, or {MAX_SCENE_RECIPE_BYTES} with a scene")]
    TooLarge,
    /// The scene that it carries makes no sense.
    #[error("the recipe's scene: {0}")]
    Scene(Box<SceneError>),
    /// The document is not JSON of the recipe's form.
    #[error("the recipe's field `{field}` is wrong: {reason}")]
    Field {
        /// Path of the field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The recipe is for another engine.
    #[error("the recipe is for engine `{engine}`, this is `{ENGINE}`: use the release that made it")]
    Engine {
        /// The recipe's engine.
        engine: String,
    },
    /// No scenario of that name and version.
    #[error("there is no scenario `{name}`: choose one of {known}")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An override names nothing.
    #[error("the scenario has no parameter or trait `{name}`: choose one of {known}")]
    UnknownParam {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A trait is given a value that it does not have.
    #[error("`params.{name}` must be one of: {known}")]
    BadTrait {
        /// The trait.
        name: String,
        /// Its values.
        known: String,
    },
    /// A parameter is given a text.
    #[error("`params.{name}` must be a number")]
    NotANumber {
        /// The parameter.
        name: String,
    },
    /// A number lies outside of its range.
    #[error("`{name}` must be {range}")]
    OutOfRange {
        /// The field.
        name: String,
        /// What is allowed.
        range: String,
    },
}

impl From<SceneError> for RecipeError {
    fn from(error: SceneError) -> Self {
        Self::Scene(Box::new(error))
    }
}

impl Film {
    /// Small and quick.
    pub const DRAFT: Film = Film::square(48, 12, 256, 16);
    /// For sharing.
    pub const FILM: Film = Film::square(96, 24, 540, 16);
    /// For a wall.
    pub const MASTER: Film = Film::square(192, 48, 1080, 64);

    const fn square(frames: u32, fps: u32, size: u32, samples: u32) -> Self {
        Self { frames, fps, width: size, height: size, samples, renderer: String::new() }
    }

    /// The renderer's name, `cpu` where none is set.
    fn normalised(mut self) -> Self {
        if self.renderer.is_empty() {
            self.renderer = "cpu".into();
        }
        self
    }

    fn check(&self) -> Result<(), RecipeError> {
        let within = |name: &str, value: u32, low: u32, high: u32, even: bool| {
            let wrong = !(low..=high).contains(&value) || (even && !value.is_multiple_of(2));
            let range = format!("{} from {low} to {high}", if even { "an even number" } else { "a whole number" });
            if wrong { Err(RecipeError::OutOfRange { name: format!("film.{name}"), range }) } else { Ok(()) }
        };
        within("frames", self.frames, 1, 2400, false)?;
        within("fps", self.fps, 1, 60, false)?;
        within("width", self.width, 16, 2160, true)?;
        within("height", self.height, 16, 2160, true)?;
        within("samples", self.samples, 1, 65_536, false)?;
        if !matches!(&*self.renderer, "cpu" | "gpu") {
            let reason = "must be `cpu` or `gpu`".into();
            return Err(RecipeError::Field { field: "film.renderer".into(), reason });
        }
        Ok(())
    }
}

impl Recipe {
    /// A recipe of this engine without overrides.
    ///
    /// # Errors
    /// `scenario` is not of the form `name@version`, or the film is out of range. Whether the scenario exists is
    /// found by [`crate::scenario::find`].
    pub fn new(scenario: &str, seed: Seed, film: Film) -> Result<Self, RecipeError> {
        let scenario =
            scenario.parse().map_err(|reason: String| RecipeError::Field { field: "scenario".into(), reason })?;
        let film = film.normalised();
        film.check()?;
        Ok(Self { engine: ENGINE.into(), scenario, seed, params: BTreeMap::new(), film, scene: None })
    }

    /// A recipe of a scene without overrides.
    ///
    /// # Errors
    /// The film is out of range. Whether the scene makes sense is found by [`crate::resolve`].
    pub fn of_scene(scene: Document, seed: Seed, film: Film) -> Result<Self, RecipeError> {
        Ok(Self { scene: Some(scene), ..Self::new(authored::SCENARIO, seed, film)? })
    }

    /// Whether it carries a scene exactly if its scenario reads one.
    pub(crate) fn check_scene(&self) -> Result<(), RecipeError> {
        let wrong = |reason: String| Err(RecipeError::Field { field: "scene".into(), reason });
        match (&self.scene, authored::is_scene(&self.scenario)) {
            (Some(_), false) => wrong(format!("only a recipe of `{}` carries one", authored::SCENARIO)),
            (None, true) => wrong(format!("a recipe of `{}` carries one", authored::SCENARIO)),
            _ => Ok(()),
        }
    }

    /// Reads a recipe from JSON, however it is laid out.
    ///
    /// # Errors
    /// Oversize documents, wrong types, unknown, missing or doubled fields, values out of range, other engines.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecipeError> {
        if bytes.len() > MAX_SCENE_RECIPE_BYTES {
            return Err(RecipeError::TooLarge);
        }
        // serde would take an array of the fields' values for a struct as well.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(RecipeError::Field { field: ".".into(), reason: "a recipe is a JSON object".into() });
        }
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let recipe: Self = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| RecipeError::Field {
            field: error.path().to_string(),
            // serde's word for it is Rust's.
            reason: error.into_inner().to_string().replace("expected u32", "expected a whole number below 4294967296"),
        })?;
        deserializer.end().map_err(|error| RecipeError::Field { field: ".".into(), reason: error.to_string() })?;
        if recipe.engine != ENGINE {
            return Err(RecipeError::Engine { engine: recipe.engine });
        }
        recipe.film.check()?;
        if recipe.scene.is_none() && bytes.len() > MAX_RECIPE_BYTES {
            return Err(RecipeError::TooLarge);
        }
        recipe.check_scene()?;
        Ok(recipe)
    }

    /// The canonical bytes (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// The recipe's id: the CID (version 1, raw, sha2-256) of its canonical bytes.
    #[must_use]
    pub fn cid(&self) -> Cid {
        raw_cid(&self.canonical())
    }

    /// The world's id: the CID of the canonical recipe without its film.
    #[must_use]
    pub fn world_id(&self) -> Cid {
        #[derive(Serialize)]
        struct World<'a> {
            engine: &'a str,
            scenario: &'a ScenarioId,
            seed: &'a Seed,
            params: &'a BTreeMap<String, ParamValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            scene: &'a Option<Document>,
        }
        let Self { engine, scenario, seed, params, film: _, scene } = self;
        raw_cid(&canonical_json(&World { engine, scenario, seed, params, scene }))
    }
}

/// The CID (version 1, raw, sha2-256) of a block of bytes.
#[must_use]
pub fn raw_cid(bytes: &[u8]) -> Cid {
    const RAW: u64 = 0x55;
    const SHA2_256: u64 = 0x12;
    let digest = Multihash::wrap(SHA2_256, &Sha256::digest(bytes)).expect("32 bytes fit a 64-byte multihash");
    Cid::new_v1(RAW, digest)
}

fn canonical_json(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("recipes hold only text, finite numbers and text keys")
}

/// Reads `film` from an object, and from nothing else.
fn film_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Film, D::Error> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Film;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Film, A::Error> {
            Film::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object)
}

/// Reads `scene` where it stands: there, `null` is no scene.
fn scene_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Document>, D::Error> {
    Document::deserialize(deserializer).map(Some)
}

/// Reads `params`, refusing a name that stands twice.
fn unique_params<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ParamValue>, D::Error> {
    struct Unique;
    impl<'de> Visitor<'de> for Unique {
        type Value = BTreeMap<String, ParamValue>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of numbers and texts")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut params = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, ParamValue>()? {
                let value = match value {
                    // The canonical form knows one zero only, and so does the id.
                    ParamValue::Number(number) => ParamValue::Number(number + 0.0),
                    text => text,
                };
                if params.insert(name.clone(), value).is_some() {
                    return Err(A::Error::custom(format!("`{name}` stands twice")));
                }
            }
            Ok(params)
        }
    }
    deserializer.deserialize_map(Unique)
}

impl FromStr for ScenarioId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not of the form name@version");
        let (name, version) = text.split_once('@').ok_or_else(wrong)?;
        let name_ok = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let number: u32 = version.parse().map_err(|_| wrong())?;
        if !name_ok || number == 0 || number.to_string() != version {
            return Err(wrong());
        }
        Ok(Self { name: name.into(), version: number })
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl Serialize for ScenarioId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScenarioId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        let mut recipe = Recipe::new("tempest@1", Seed::from(7), Film::DRAFT).unwrap();
        recipe.params.insert("gravity".into(), ParamValue::Number(0.5));
        recipe.params.insert("light".into(), ParamValue::Text("noir".into()));
        recipe
    }

    #[test]
    fn canonical_form_is_sorted_and_tight() {
        let text = String::from_utf8(recipe().canonical()).unwrap();
        insta::assert_snapshot!(text, @r#"{"engine":"seedstorm/12","film":{"fps":12,"frames":48,"height":256,"renderer":"cpu","samples":16,"width":256},"params":{"gravity":0.5,"light":"noir"},"scenario":"tempest@1","seed":"0000000000000000000000000000000000000000000000000000000000000007"}"#);
    }

    #[test]
    fn layout_does_not_change_the_id() {
        let pretty = serde_json::to_vec_pretty(&recipe()).unwrap();
        assert_eq!(Recipe::from_json(&pretty).unwrap().cid(), recipe().cid());
    }

    #[test]
    fn the_world_does_not_depend_on_the_film() {
        let mut other = recipe();
        other.film = Film::MASTER.normalised();
        assert_eq!(other.world_id(), recipe().world_id());
        assert_ne!(other.cid(), recipe().cid());
    }

    /// JCS writes −0 as 0: a recipe that kept the sign would have the id of another.
    #[test]
    fn minus_zero_is_zero() {
        let text = String::from_utf8(recipe().canonical()).unwrap().replace("0.5", "-0.0");
        let read = Recipe::from_json(text.as_bytes()).unwrap();
        let ParamValue::Number(gravity) = read.params["gravity"] else { panic!("a number") };
        assert!(gravity.is_sign_positive());
        let mut set = recipe();
        set.params = [("turn".to_owned(), ParamValue::Number(-0.0))].into();
        let (_, genome) = crate::resolve(&set).unwrap();
        assert!(genome.number("turn").is_sign_positive());
    }

    #[test]
    fn wrong_recipes_name_the_field() {
        let good = String::from_utf8(recipe().canonical()).unwrap();
        let cases = [
            (r#""fps":12"#, r#""fps":"12""#, "film.fps"),
            (r#""fps":12"#, r#""fps":0"#, "film.fps"),
            (r#""fps":12"#, r#""fps":12,"fps":12"#, "film"),
            (r#""width":256"#, r#""width":257"#, "film.width"),
            (r#""engine""#, r#""extra":1,"engine""#, "extra"),
            (
                r#"{"fps":12,"frames":48,"height":256,"renderer":"cpu","samples":16,"width":256}"#,
                r#"[48,12,256,256,16,"cpu"]"#,
                "film",
            ),
            (r#""gravity":0.5"#, r#""gravity":1e999"#, "params"),
            (r#""gravity":0.5"#, r#""gravity":null"#, "`params.gravity` is wrong: expected a number or a text"),
            (r#""gravity":0.5"#, r#""gravity":0.5,"gravity":0.6"#, "params"),
            (r#"tempest@1"#, r#"../tempest@1"#, "scenario"),
            (r#"tempest@1"#, r#"tempest@01"#, "scenario"),
            (r#"0007"#, r#"007"#, "seed"),
            (r#""cpu""#, r#""abacus""#, "film.renderer"),
            (r#"seedstorm/12"#, r#"seedstorm/1"#, "engine"),
            (r#""scenario""#, r#""scene":{},"scenario""#, "`scene`"),
            (r#""scenario""#, r#""scene":null,"scenario""#, "scene"),
            (r#"tempest@1"#, r#"scene@1"#, "`scene`"),
        ];
        for (from, to, field) in cases {
            let bad = good.replace(from, to);
            assert_ne!(bad, good, "{from}");
            let error = Recipe::from_json(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(field), "{bad}: {error}");
        }
        let long = |most: usize| good.clone() + &" ".repeat(most - good.len());
        assert!(Recipe::from_json(long(MAX_RECIPE_BYTES).as_bytes()).is_ok());
        assert_eq!(Recipe::from_json(long(MAX_RECIPE_BYTES + 1).as_bytes()), Err(RecipeError::TooLarge));
        assert_eq!(Recipe::from_json(long(MAX_SCENE_RECIPE_BYTES + 1).as_bytes()), Err(RecipeError::TooLarge));
        assert!(Recipe::from_json(format!("{good} x").as_bytes()).is_err());
    }
}
