//! What a token says: ERC-721 metadata that links everything by content.
//!
//! The document's bytes are its RFC 8785 form, so that one piece has one metadata, and the sha-256 digest of those
//! bytes, the digest in their raw CID, is the word that the token keeps. There is no token id in it, no owner and no
//! time: it can be made, pinned and checked before anything is minted.
//!
//! Fields are those of ERC-721 and of what marketplaces read (`animation_url`, `external_url`, `attributes` with
//! `trait_type`, `value` and `display_type`); `rarity` and `overridden` are ours, and so is the object `seedstorm`.

use cid::Cid;
use serde::{Deserialize, Serialize};

use crate::block::{DAG_PB, RAW};

/// The most bytes of one metadata document: far below a chunk, so that it is one raw block.
pub const MAX_METADATA_BYTES: usize = 256 << 10;
/// The most traits.
pub const MAX_TRAITS: usize = 64;
/// The longest name, trait or other short text, in bytes.
pub const MAX_TEXT_BYTES: usize = 256;
/// The longest description or web address, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 8 << 10;

/// The metadata of one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The piece's name; not empty.
    pub name: String,
    /// A few sentences, Markdown as marketplaces read it; may be empty.
    pub description: String,
    /// A page about the piece, `https://…` or `ipfs://…`.
    pub external_url: Option<String>,
    /// The traits, in the order in which they are to be shown.
    pub traits: Vec<Trait>,
    /// The engine version that the recipe names, e.g. `seedstorm/1`.
    pub engine: String,
    /// The recipe: the CID of its canonical bytes.
    pub recipe: Cid,
    /// The world: the CID of the recipe without its film.
    pub world_id: Cid,
    /// Root over all checkpoints of the simulation.
    pub sim_root: [u8; 32],
    /// The renderer that drew the film, as the recipe names it.
    pub renderer: String,
    /// The folder of the content; poster and film are in it as `poster.png` and `film.mp4`.
    pub bundle: Cid,
}

/// One trait of a piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Trait {
    /// What it is about, e.g. `Palette`; not empty.
    pub name: String,
    /// What it is.
    pub value: TraitValue,
    /// How marketplaces are asked to show a number; plain where it is `None`. Texts have none.
    pub display: Option<DisplayType>,
    /// How often seeds have it, or that the seed did not decide it.
    pub rarity: Rarity,
}

/// The value of a trait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a trait's `value` has to be a number or a text")]
pub enum TraitValue {
    /// A number; finite.
    Number(f64),
    /// A text; not empty.
    Text(String),
}

/// How often a trait's value occurs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rarity {
    /// The share of all seeds that have it, in (0, 1], for a recipe without overrides.
    Drawn(f64),
    /// A parameter of the recipe decided it, not the seed.
    Overridden,
}

/// How a number is shown. (Marketplaces also know dates; a piece has none.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisplayType {
    /// As a number among numbers.
    Number,
    /// As a bonus.
    BoostNumber,
    /// As a bonus in per cent.
    BoostPercentage,
}

/// Why a document is not metadata, or a piece's metadata cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Above [`MAX_METADATA_BYTES`].
    #[error("metadata has {0} bytes; {MAX_METADATA_BYTES} is the most")]
    TooLarge(usize),
    /// Not JSON, or a field that is missing, unknown, twice or of the wrong type.
    #[error("metadata: {0}")]
    Json(#[from] serde_json::Error),
    /// A field's value is out of bounds.
    #[error("metadata: {field} {problem}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The same document, written otherwise: another digest than the piece's.
    #[error("metadata is not in canonical form (RFC 8785), so its digest is not that of the piece")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    description: String,
    image: String,
    animation_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_url: Option<String>,
    attributes: Vec<Attribute>,
    seedstorm: Origin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    trait_type: String,
    value: TraitValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_type: Option<DisplayType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rarity: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overridden: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    bundle: String,
    engine: String,
    recipe: String,
    renderer: String,
    sim_root: String,
    world_id: String,
}

impl Metadata {
    /// The canonical bytes.
    ///
    /// # Errors
    ///
    /// A field out of bounds.
    pub fn to_json(&self) -> Result<Vec<u8>, MetadataError> {
        self.check()?;
        let document = Document {
            name: self.name.clone(),
            description: self.description.clone(),
            image: self.image(),
            animation_url: self.animation_url(),
            external_url: self.external_url.clone(),
            attributes: self.traits.iter().map(Trait::to_attribute).collect(),
            seedstorm: Origin {
                bundle: self.bundle.to_string(),
                engine: self.engine.clone(),
                recipe: self.recipe.to_string(),
                renderer: self.renderer.clone(),
                sim_root: hex::encode(self.sim_root),
                world_id: self.world_id.to_string(),
            },
        };
        let bytes = serde_json_canonicalizer::to_vec(&document)?;
        if bytes.len() > MAX_METADATA_BYTES { Err(MetadataError::TooLarge(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads a document: exactly the bytes that [`Metadata::to_json`] writes.
    ///
    /// # Errors
    ///
    /// Any [`MetadataError`]; foreign bytes are bounded before they are parsed.
    pub fn from_json(bytes: &[u8]) -> Result<Self, MetadataError> {
        if bytes.len() > MAX_METADATA_BYTES {
            return Err(MetadataError::TooLarge(bytes.len()));
        }
        let document: Document = serde_json::from_slice(bytes)?;
        let origin = document.seedstorm;
        let metadata = Self {
            name: document.name,
            description: document.description,
            external_url: document.external_url,
            traits: document.attributes.into_iter().map(Trait::from_attribute).collect::<Result<_, _>>()?,
            engine: origin.engine,
            recipe: cid("recipe", &origin.recipe)?,
            world_id: cid("world_id", &origin.world_id)?,
            sim_root: digest("sim_root", &origin.sim_root)?,
            renderer: origin.renderer,
            bundle: cid("bundle", &origin.bundle)?,
        };
        // This covers `image` and `animation_url` too, which follow from the bundle.
        if metadata.to_json()? == bytes { Ok(metadata) } else { Err(MetadataError::NotCanonical) }
    }

    /// Where the poster is.
    pub fn image(&self) -> String {
        format!("ipfs://{}/poster.png", self.bundle)
    }

    /// Where the film is.
    pub fn animation_url(&self) -> String {
        format!("ipfs://{}/film.mp4", self.bundle)
    }

    fn check(&self) -> Result<(), MetadataError> {
        check_text("name", &self.name, 1, MAX_TEXT_BYTES)?;
        check_text("description", &self.description, 0, MAX_DESCRIPTION_BYTES)?;
        check_text("engine", &self.engine, 1, MAX_TEXT_BYTES)?;
        check_text("renderer", &self.renderer, 1, MAX_TEXT_BYTES)?;
        if let Some(url) = &self.external_url {
            check_text("external_url", url, 1, MAX_DESCRIPTION_BYTES)?;
            if !url.starts_with("https://") && !url.starts_with("ipfs://") {
                return Err(field("external_url", "starts with neither https:// nor ipfs://"));
            }
        }
        for (name, cid) in [("recipe", &self.recipe), ("world_id", &self.world_id)] {
            if cid.codec() != RAW || cid.version() != cid::Version::V1 {
                return Err(field(name, "is not the CID of a raw block"));
            }
        }
        if self.bundle.codec() != DAG_PB || self.bundle.version() != cid::Version::V1 {
            return Err(field("bundle", "is not the CID of a folder"));
        }
        if self.traits.len() > MAX_TRAITS {
            return Err(field("attributes", format!("has {} traits; {MAX_TRAITS} is the most", self.traits.len())));
        }
        for (index, one) in self.traits.iter().enumerate() {
            one.check()?;
            if self.traits[..index].iter().any(|other| other.name == one.name) {
                return Err(field("attributes", format!("names {:?} twice", one.name)));
            }
        }
        Ok(())
    }
}

impl Trait {
    fn to_attribute(&self) -> Attribute {
        let (rarity, overridden) = match self.rarity {
            Rarity::Drawn(share) => (Some(share), None),
            Rarity::Overridden => (None, Some(true)),
        };
        let value = self.value.clone();
        Attribute { trait_type: self.name.clone(), value, display_type: self.display, rarity, overridden }
    }

    fn from_attribute(attribute: Attribute) -> Result<Self, MetadataError> {
        let rarity = match (attribute.rarity, attribute.overridden) {
            (Some(share), None) => Rarity::Drawn(share),
            (None, Some(true)) => Rarity::Overridden,
            _ => return Err(field("attributes", "needs either a rarity or overridden: true in each trait")),
        };
        let (name, value) = (attribute.trait_type, attribute.value);
        Ok(Self { name, value, display: attribute.display_type, rarity })
    }

    fn check(&self) -> Result<(), MetadataError> {
        check_text("trait_type", &self.name, 1, MAX_TEXT_BYTES)?;
        match &self.value {
            TraitValue::Text(text) => {
                check_text("value", text, 1, MAX_TEXT_BYTES)?;
                if self.display.is_some() {
                    return Err(field("display_type", format!("is for numbers, and {:?} is a text", self.name)));
                }
            }
            TraitValue::Number(number) if !number.is_finite() => return Err(field("value", "is not a finite number")),
            TraitValue::Number(_) => {}
        }
        match self.rarity {
            Rarity::Drawn(share) if !(share > 0.0 && share <= 1.0) => {
                Err(field("rarity", format!("is {share}, which is not in (0, 1]")))
            }
            _ => Ok(()),
        }
    }
}

fn field(field: &'static str, problem: impl Into<String>) -> MetadataError {
    MetadataError::Field { field, problem: problem.into() }
}

fn check_text(name: &'static str, text: &str, least: usize, most: usize) -> Result<(), MetadataError> {
    if text.len() < least {
        Err(field(name, "is empty"))
    } else if text.len() > most {
        Err(field(name, format!("has {} bytes; {most} is the most", text.len())))
    } else {
        Ok(())
    }
}

fn cid(name: &'static str, text: &str) -> Result<Cid, MetadataError> {
    Cid::try_from(text).map_err(|error| field(name, format!("is not a CID: {error}")))
}

pub(crate) fn digest(name: &'static str, text: &str) -> Result<[u8; 32], MetadataError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|error| field(name, format!("is not 32 bytes in hex: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{cid_of, raw_cid};

    fn metadata() -> Metadata {
        Metadata {
            name: "Storm".to_owned(),
            description: String::new(),
            external_url: None,
            traits: Vec::new(),
            engine: "seedstorm/1".to_owned(),
            recipe: raw_cid(b"recipe"),
            world_id: raw_cid(b"world"),
            sim_root: [7; 32],
            renderer: "cpu".to_owned(),
            bundle: cid_of(DAG_PB, b"bundle"),
        }
    }

    fn traits(rarity: f64, value: f64) -> Vec<Trait> {
        vec![Trait {
            name: "Wind".to_owned(),
            value: TraitValue::Number(value),
            display: Some(DisplayType::Number),
            rarity: Rarity::Drawn(rarity),
        }]
    }

    #[test]
    fn fields_out_of_bounds_are_named() {
        let wrong = |change: fn(&mut Metadata)| {
            let mut wrong = metadata();
            change(&mut wrong);
            wrong.to_json().unwrap_err().to_string()
        };
        assert!(wrong(|m| m.name.clear()).contains("name is empty"));
        assert!(wrong(|m| m.description = "x".repeat(9000)).contains("description has 9000 bytes"));
        assert!(wrong(|m| m.external_url = Some("javascript:alert()".to_owned())).contains("external_url"));
        assert!(wrong(|m| m.recipe = m.bundle).contains("recipe"));
        assert!(wrong(|m| m.bundle = m.recipe).contains("bundle"));
        assert!(wrong(|m| m.traits = traits(0.0, 1.0)).contains("rarity is 0"));
        assert!(wrong(|m| m.traits = traits(1.5, 1.0)).contains("rarity is 1.5"));
        assert!(wrong(|m| m.traits = traits(f64::NAN, 1.0)).contains("rarity"));
        assert!(wrong(|m| m.traits = traits(0.5, f64::INFINITY)).contains("value"));
        assert!(wrong(|m| m.traits = [traits(0.5, 1.0), traits(0.5, 2.0)].concat()).contains("twice"));
    }

    #[test]
    fn only_the_canonical_bytes_are_read() {
        let bytes = metadata().to_json().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(Metadata::from_json(&bytes).unwrap(), metadata());
        let wrong = |text: String| Metadata::from_json(text.as_bytes()).unwrap_err();
        assert!(matches!(wrong(format!("{text}\n")), MetadataError::NotCanonical));
        assert!(matches!(wrong(text.replace("poster.png", "other.png")), MetadataError::NotCanonical));
        let upper = hex::encode_upper([0xab; 32]);
        assert!(matches!(wrong(text.replace(&hex::encode([7; 32]), &upper)), MetadataError::NotCanonical));
        assert!(matches!(wrong(text.replace("\"name\"", "\"owner\":\"me\",\"name\"")), MetadataError::Json(_)));
        assert!(matches!(wrong(text.replace("\"engine\"", "\"time\":1,\"engine\"")), MetadataError::Json(_)));
        assert!(matches!(wrong(" ".repeat(MAX_METADATA_BYTES + 1)), MetadataError::TooLarge(_)));
    }

    proptest! {
        #[test]
        fn metadata_survives_its_bytes(
            name in "\\PC{1,40}",
            description in "(?s).{0,200}",
            rarity in 1e-9_f64..=1.0,
            value in prop::num::f64::NORMAL,
            overridden in any::<bool>(),
            text in "\\PC{1,40}",
        ) {
            let mut original = metadata();
            original.name = name;
            original.description = description;
            original.traits = traits(rarity, value);
            let rarity = if overridden { Rarity::Overridden } else { Rarity::Drawn(rarity) };
            original.traits.push(Trait { name: "Sky".to_owned(), value: TraitValue::Text(text), display: None, rarity });
            let bytes = original.to_json().unwrap();
            prop_assert_eq!(Metadata::from_json(&bytes).unwrap(), original);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Metadata::from_json(&bytes).is_err());
        }
    }
}
