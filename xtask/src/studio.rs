//! `seedstorm` as its users' scripts see it: the binary, and the documents that it prints with `--json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::workspace::{Workspace, write_atomically};
use crate::{images, process, setup};

/// The built binary with a home of its own.
#[derive(Debug)]
pub(crate) struct Studio {
    program: PathBuf,
    home: PathBuf,
}

/// An entry of `seedstorm scenarios --json`, as far as the chores need it.
#[derive(Debug, Deserialize)]
pub(crate) struct Scenario {
    /// Its name on the command line.
    pub(crate) name: String,
    version: u32,
    kind: Kind,
    params: serde_json::Value,
    traits: serde_json::Value,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Rigid,
    Kernel,
    Coupled,
}

/// What `seedstorm make --json` prints. Every field is part of the interface for scripts, so a missing one is an error.
#[derive(Debug, Deserialize)]
pub(crate) struct Made {
    /// CID of the canonical recipe.
    pub(crate) recipe_cid: String,
    /// The seed, in hexadecimal.
    pub(crate) seed: String,
    /// CID of the recipe without its film.
    pub(crate) world_id: String,
    /// Merkle root over the checkpoints.
    pub(crate) sim_root: String,
    /// The bundle's folder.
    pub(crate) bundle: PathBuf,
    /// CID of the bundle.
    pub(crate) bundle_cid: String,
    metadata_cid: String,
    /// The film's file.
    pub(crate) film: PathBuf,
    token: serde_json::Value,
    contract: String,
    chain: serde_json::Value,
    owner: String,
    /// Whether the bundle was there already.
    pub(crate) reused: bool,
    /// Seconds by name of the stage.
    pub(crate) stages: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
struct Verified {
    ok: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
}

impl Studio {
    /// Builds the binary and gives it a home.
    ///
    /// # Errors
    ///
    /// If it does not compile.
    pub(crate) fn build(workspace: &Workspace, home: &Path) -> Result<Self> {
        Ok(Self { program: workspace.build()?, home: home.to_owned() })
    }

    fn ask<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--json").env("SEEDSTORM_HOME", &self.home);
        let text = process::capture(setup::demand_software_gpu(&mut command)?)?;
        serde_json::from_str(&text)
            .into_diagnostic()
            .wrap_err_with(|| format!("`{}` printed other than its one document:\n{text}", process::line(&command)))
    }

    /// Every scenario.
    ///
    /// # Errors
    ///
    /// If there is none, or an entry lacks something.
    pub(crate) fn scenarios(&self) -> Result<Vec<Scenario>> {
        let scenarios: Vec<Scenario> = self.ask(&["scenarios"])?;
        if scenarios.is_empty() {
            bail!("seedstorm has no scenario");
        }
        for Scenario { name, version, kind, params, traits } in &scenarios {
            let holds_something = |value: &serde_json::Value| match value {
                serde_json::Value::Array(entries) => !entries.is_empty(),
                serde_json::Value::Object(entries) => !entries.is_empty(),
                _ => false,
            };
            if name.is_empty() || *version == 0 || !holds_something(params) || !holds_something(traits) {
                bail!("`seedstorm scenarios --json` says too little of {name}@{version} ({kind:?})");
            }
        }
        Ok(scenarios)
    }

    /// Makes, pins and mints a piece, by the arguments that say which.
    ///
    /// # Errors
    ///
    /// If it fails, or the document that it prints names something that is not there.
    pub(crate) fn make(&self, piece: &[&str]) -> Result<Made> {
        let made: Made = self.ask(&[&["make"], piece].concat())?;
        let what = piece[0];
        let Made { recipe_cid, seed, world_id, sim_root, bundle_cid, metadata_cid, contract, owner, .. } = &made;
        let names = [recipe_cid, seed, world_id, sim_root, bundle_cid, metadata_cid, contract, owner];
        if names.iter().any(|name| name.is_empty()) || made.token.is_null() || made.chain.is_null() {
            bail!("`seedstorm make {what} --json` left something empty: {made:#?}");
        }
        if made.stages.is_empty() {
            bail!("`seedstorm make {what} --json` names no stage");
        }
        for file in [&made.film, &made.bundle.join("recipe.json")] {
            let length =
                std::fs::metadata(file).into_diagnostic().wrap_err_with(|| format!("{}", file.display()))?.len();
            if length == 0 {
                bail!("{} is empty", file.display());
            }
        }
        Ok(made)
    }

    /// How many frames a piece has.
    ///
    /// # Errors
    ///
    /// If there is no such recipe.
    pub(crate) fn frames(&self, scenario: &str, seed: &str, quality: &str) -> Result<usize> {
        #[derive(Deserialize)]
        struct Film {
            frames: usize,
        }
        #[derive(Deserialize)]
        struct Recipe {
            film: Film,
        }
        let recipe: Recipe = self.ask(&["recipe", scenario, "--seed", seed, "--quality", quality])?;
        Ok(recipe.film.frames)
    }

    /// Renders frames of a piece into a folder, with more arguments; returns the number of the first.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub(crate) fn render(&self, piece: [&str; 3], frames: &str, out: &Path, more: &[&str]) -> Result<u32> {
        let [scenario, seed, quality] = piece;
        #[derive(Deserialize)]
        struct Rendered {
            frames: [u32; 2],
        }
        let out = out.to_string_lossy();
        let wanted = ["render", scenario, "--seed", seed, "--quality", quality, "--frames", frames, "--out", &out];
        Ok(self.ask::<Rendered>(&[&wanted, more].concat())?.frames[0])
    }

    /// Adds a renderer.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub(crate) fn add_renderer(&self, folder: &Path) -> Result<()> {
        self.ask::<serde_json::Value>(&["renderer", "add", &folder.to_string_lossy()]).map(drop)
    }

    /// Verifies a bundle and returns the number of checks that it passed.
    ///
    /// # Errors
    ///
    /// If a check fails, or there was none.
    pub(crate) fn verify(&self, bundle: &Path) -> Result<usize> {
        let Verified { ok, checks } = self.ask(&["verify", &bundle.to_string_lossy()])?;
        for Check { name, ok, detail } in &checks {
            eprintln!("{} {name}: {detail}", if *ok { "ok  " } else { "FAIL" });
        }
        if !ok || checks.is_empty() || checks.iter().any(|check| !check.ok) {
            bail!("{} does not verify", bundle.display());
        }
        Ok(checks.len())
    }
}

/// Frames of the drafts that are made: of clear water, one of them takes ten seconds and more.
const FRAMES: u32 = 6;

/// Makes a short draft of the piece that the README shows of each scenario, in a home of its own, mints it, and verifies
/// it against the chain.
///
/// # Errors
///
/// If one cannot be made or does not verify.
pub(crate) fn make_and_verify_drafts(workspace: &Workspace) -> Result<String> {
    let home = tempfile::tempdir().into_diagnostic().wrap_err("cannot make a temporary folder")?;
    let studio = Studio::build(workspace, home.path())?;
    let (scenarios, seeds) = (studio.scenarios()?, images::pieces(workspace)?);
    let mut notes = Vec::new();
    for Scenario { name, params, .. } in &scenarios {
        let seed = seeds.get(name).ok_or_else(|| miette!("docs/images/pieces.json has no seed for {name}"))?;
        // Worlds that can be coarse are simulated twice as coarsely.
        let coarse = params.as_array().is_some_and(|params| params.iter().any(|param| param["name"] == "coarse"));
        let more: &[&str] = if coarse { &["--param", "coarse=2"] } else { &[] };
        let mut recipe: serde_json::Value = studio.ask(&[&["recipe", name, "--seed", seed], more].concat())?;
        recipe["film"]["frames"] = FRAMES.into();
        let file = home.path().join(format!("{name}.json"));
        write_atomically(&file, recipe.to_string().as_bytes())?;
        let made = studio.make(&[&file.to_string_lossy()])?;
        let checks = studio.verify(&made.bundle)?;
        let seconds: f64 = made.stages.values().sum();
        notes.push(format!("{name}: {FRAMES} frames in {seconds:.0} s, {checks} checks"));
    }
    let tokens: Vec<serde_json::Value> = studio.ask(&["tokens"])?;
    if tokens.len() != scenarios.len() {
        bail!("{} drafts were minted, but `seedstorm tokens --json` lists {}", scenarios.len(), tokens.len());
    }
    Ok(notes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_of_an_unknown_kind_is_refused() {
        let entry = r#"{"name": "a", "version": 1, "kind": "KIND", "params": [1], "traits": [1]}"#;
        let parse = |kind: &str| serde_json::from_str::<Scenario>(&entry.replace("KIND", kind));
        assert_eq!(parse("coupled").expect("a scenario").kind, Kind::Coupled);
        assert!(parse("Coupled").is_err());
        assert!(parse("soft").is_err());
    }
}
