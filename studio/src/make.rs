//! From a recipe to a token.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use seedstorm_mint::{Bundle, Cid, Claim, DisplayType, Metadata, Mint, Rarity, Store, Token, Trait, TraitValue};
use seedstorm_render::film::FilmEncoder;
use seedstorm_sim::{Backend, Digest, Genome, Recipe, resolve, scenario::Scenario};

use crate::{
    Home, Observer, Stage, StudioError,
    film::Shoot,
    ledger::Ledger,
    making::{Making, Notes, now},
};

/// What [`make`] is to do beside the recipe.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the simulation runs.
    pub backend: Backend,
    /// Whether to mint a token.
    pub mint: bool,
    /// The piece's name in the metadata; one is made from the scenario and the seed where it is `None`.
    pub name: Option<String>,
    /// The piece's description; one is made from its traits where it is `None`.
    pub description: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { backend: Backend::Auto, mint: true, name: None, description: None }
    }
}

/// A piece that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The Merkle root over the simulation's checkpoints.
    pub sim_root: Digest,
    /// What the seed decided.
    pub genome: Genome,
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// CID of the bundle's content.
    pub bundle_cid: Cid,
    /// CID of the metadata.
    pub metadata_cid: Cid,
    /// The film.
    pub film: PathBuf,
    /// The token, its contract and its chain, if it was minted.
    pub minted: Option<Minted>,
    /// Whether the bundle was there already, so that nothing was simulated or rendered.
    pub reused: bool,
    /// Seconds by stage.
    pub stages: BTreeMap<&'static str, f64>,
}

/// Where a token is.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token.
    pub token: Token,
    /// The collection's contract.
    pub contract: String,
    /// The chain's id.
    pub chain: u64,
}

/// Makes the piece of `recipe`: simulates, renders, encodes, stores and, unless told otherwise, mints. A finished
/// bundle of the same recipe in this home is used again, and a token that commits to its metadata is found rather
/// than minted twice.
///
/// # Errors
/// A recipe that cannot be used, a disk or a chain that refuses, or a stop.
pub fn make(home: &Home, recipe: &Recipe, options: &Options, observer: &dyn Observer) -> Result<Made, StudioError> {
    let (scenario, genome) = resolve(recipe)?;
    let mut clock = Clock { observer, stages: BTreeMap::new() };
    // Fail before the work rather than after it: on a name that is too long, a wrong password, a damaged chain.
    let some_folder = Cid::new_v1(seedstorm_mint::block::DAG_PB, *recipe.cid().hash());
    metadata(scenario, &genome, recipe, Digest([0; 32]), some_folder, options).to_json()?;
    let ledger = if options.mint { Some(Ledger::write(home)?) } else { None };
    let folder = home.bundles().join(recipe.cid().to_string());
    let reused = folder.exists();
    if !reused {
        fill(&folder, home, scenario, &genome, recipe, options, &mut clock)?;
    }
    let spoiled = |problem: String| StudioError::Spoiled { folder: folder.clone(), problem };
    let bundle = Bundle::open(&folder).map_err(|error| spoiled(error.to_string()))?;
    let content = bundle.content_cids()?;
    let (metadata, _) = bundle.metadata(&content).map_err(|error| spoiled(error.to_string()))?;
    if content.recipe != recipe.cid() {
        return Err(spoiled(format!("it is of recipe {}", content.recipe)));
    }
    let other = |wanted: &Option<String>, given: &str| wanted.as_deref().is_some_and(|wanted| wanted != given);
    if other(&options.name, &metadata.name) || other(&options.description, &metadata.description) {
        return Err(StudioError::Named(metadata.name));
    }
    let store = Store::open(home.store())?;
    store.clear_up()?;
    let added = clock.time(Stage::Pin, 1, |_| Ok(bundle.add_to(&store)?))?;
    let metadata_cid = added.metadata.expect("its metadata was read just now");
    let minted = match &ledger {
        Some(ledger) => Some(clock.time(Stage::Mint, 1, |_| {
            let to = ledger.key().address();
            let mint = Mint { to, metadata: metadata_cid, recipe: added.content.recipe, sim_root: metadata.sim_root };
            let token = ledger.mint(&mint)?;
            let deployment = ledger.deployment().expect("a ledger opened for writing has a collection");
            Ok(Minted { token, contract: deployment.address.to_string(), chain: deployment.chain_id })
        })?),
        None => None,
    };
    Ok(Made {
        sim_root: Digest(metadata.sim_root),
        genome,
        film: folder.join("film.mp4"),
        bundle: folder,
        bundle_cid: added.content.bundle,
        metadata_cid,
        minted,
        reused,
        stages: clock.stages,
    })
}

/// Makes the bundle `folder`: its content, its metadata and an attestation. Goes on where a killed run stopped.
fn fill(
    folder: &Path,
    home: &Home,
    scenario: &'static dyn Scenario,
    genome: &Genome,
    recipe: &Recipe,
    options: &Options,
    clock: &mut Clock<'_>,
) -> Result<(), StudioError> {
    let mut making = Making::open(home, recipe)?;
    if folder.exists() {
        // Another process finished the same piece while this one waited: its bundle holds the same content.
        return making.forget();
    }
    let plan = scenario.plan(genome);
    let trajectory = clock.time(Stage::Simulate, u64::from(plan.steps), |observer| {
        making.trajectory(recipe, options.backend, observer)
    })?;
    making.write("recipe.json", &recipe.canonical())?;

    let film = &recipe.film;
    let mut encoder = FilmEncoder::new(film.width as usize, film.height as usize, film.fps)?;
    let poster = (scenario.poster_time() * f64::from(film.frames - 1)).round() as u32;
    let mut shoot = Shoot::new(scenario, genome, film, &trajectory);
    clock.time(Stage::Render, u64::from(film.frames) * FRAME_UNITS, |observer| {
        for frame in 0..film.frames {
            let progress = |share: f32| {
                observer.reached(u64::from(frame) * FRAME_UNITS + (share * FRAME_UNITS as f32) as u64);
                observer.stopped()
            };
            if progress(0.0) {
                return Err(StudioError::Stopped);
            }
            let (image, png) = making.frame(frame, [film.width, film.height], || shoot.frame(frame, &progress))?;
            if frame == poster {
                making.write("poster.png", &png)?;
            }
            encoder.push(&image)?;
        }
        Ok(())
    })?;
    clock.time(Stage::Encode, 1, |_| making.write("film.mp4", &encoder.finish()?))?;

    let mut bundle = Bundle::open(making.piece())?;
    let content = bundle.content_cids()?;
    let sim_root = trajectory.sim_root();
    bundle.write_metadata(&metadata(scenario, genome, recipe, sim_root, content.bundle, options))?;
    let Notes { started_at, backend } = making.notes().clone();
    let claim =
        Claim { bundle: content.bundle, sim_root: sim_root.0, backend, started_at, finished_at: now().max(started_at) };
    // One that a killed run signed says the same of another hour.
    let signed = bundle.attestations(&content).is_ok_and(|signed| !signed.is_empty());
    if !signed {
        bundle.write_attestation(&claim.sign(&crate::ledger::unlock(home)?)?)?;
    }
    making.finish(folder)
}

/// Progress that a frame counts for.
const FRAME_UNITS: u64 = 1000;

/// The metadata of a piece: a function of its recipe and content, and of the name and description that it is given.
pub(crate) fn metadata(
    scenario: &dyn Scenario,
    genome: &Genome,
    recipe: &Recipe,
    sim_root: Digest,
    bundle: Cid,
    options: &Options,
) -> Metadata {
    let title = capitalised(scenario.name());
    let seed = genome.seed.to_string();
    let short = seed.trim_start_matches('0');
    let short = if short.is_empty() { "0" } else { &short[..short.len().min(8)] };
    let words: Vec<&str> = genome.traits.iter().map(|t| t.value.as_str()).collect();
    let description =
        format!("{}. {}. Every particle of it can be checked.", scenario.about(), capitalised(&words.join(", ")));
    let rarity = |overridden: bool, share: f64| if overridden { Rarity::Overridden } else { Rarity::Drawn(share) };
    let traits = genome.traits.iter().map(|t| Trait {
        name: capitalised(&t.name),
        value: TraitValue::Text(t.value.clone()),
        display: None,
        rarity: rarity(t.overridden, t.rarity),
    });
    // Every seed draws a number from the same range: the share that it has in common with others says nothing.
    let params = genome.params.iter().map(|p| Trait {
        name: capitalised(&p.name),
        value: TraitValue::Number(p.value),
        display: Some(DisplayType::Number),
        rarity: rarity(p.overridden, 1.0),
    });
    Metadata {
        name: options.name.clone().unwrap_or_else(|| format!("{title} {short}")),
        description: options.description.clone().unwrap_or(description),
        external_url: None,
        traits: traits.chain(params).collect(),
        engine: recipe.engine.clone(),
        recipe: recipe.cid(),
        world_id: recipe.world_id(),
        sim_root: sim_root.0,
        renderer: recipe.film.renderer.clone(),
        bundle,
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

struct Clock<'a> {
    observer: &'a dyn Observer,
    stages: BTreeMap<&'static str, f64>,
}

impl Clock<'_> {
    fn time<T>(
        &mut self,
        stage: Stage,
        total: u64,
        work: impl FnOnce(&dyn Observer) -> Result<T, StudioError>,
    ) -> Result<T, StudioError> {
        let start = Instant::now();
        self.observer.begin(stage, total);
        let result = work(self.observer)?;
        self.observer.end(stage);
        self.stages.insert(stage.name(), (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0);
        Ok(result)
    }
}
