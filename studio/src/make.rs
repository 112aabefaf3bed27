//! From a recipe to a token.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use seedstorm_mint::{
    Bundle, Cid, Claim, ContentCids, DisplayType, Metadata, Mint, PrivateKeySigner, Rarity, Store, Token, Trait,
    TraitValue, block::raw_cid, files,
};
use seedstorm_render::{
    film::FilmEncoder,
    gpu::GpuTracer,
    image_file::{Rgb8Image, decode_png},
};
use seedstorm_sim::{Backend, Digest, Genome, Recipe, Trajectory, resolve, scenario::Scenario, text::capitalised};

use crate::{
    Home, Observer, Stage, StudioError,
    check::KEPT,
    checkpoints::Checkpoints,
    film::{Shoot, Tracer, poster_frame},
    ledger::{self, Ledger, ROYALTY_BPS},
    light, located,
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
    /// For how long the checkpoints' bytes are kept, if at all: what [`crate::check`] runs segments from. The raw light of
    /// frames that a device draws is kept as long, or for [`KEPT`].
    pub keep_checkpoints: Option<Duration>,
    /// What a creator gets of each resale, in basis points, where a collection is made for the first token.
    pub royalty_bps: u16,
}

impl Options {
    /// For a piece that has its metadata: with its name and description.
    fn as_given(&self, given: &Metadata) -> Result<Self, StudioError> {
        let other = |wanted: &Option<String>, given: &str| wanted.as_deref().is_some_and(|wanted| wanted != given);
        if other(&self.name, &given.name) || other(&self.description, &given.description) {
            return Err(StudioError::Named(given.name.clone()));
        }
        Ok(Self { name: Some(given.name.clone()), description: Some(given.description.clone()), ..self.clone() })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            mint: true,
            name: None,
            description: None,
            keep_checkpoints: None,
            royalty_bps: ROYALTY_BPS,
        }
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
    metadata(&*scenario, &genome, recipe, Digest([0; 32]), some_folder, options).to_json()?;
    let ledger = if options.mint { Some(Ledger::write(home, options.royalty_bps)?) } else { None };
    let store = Store::open(home.store())?;
    store.clear_up()?;
    let before = match &ledger {
        Some(ledger) => ledger.find_recipe(&recipe.cid())?,
        // Without a token to mint, a chain that cannot be read is no hindrance.
        None => Ledger::read(home).and_then(|ledger| ledger.find_recipe(&recipe.cid())).unwrap_or_default(),
    };
    // A recipe is minted once, and its metadata does not change afterwards.
    let given = before.as_ref().and_then(|token| located::stored_metadata(&store, token).ok());
    let options = &match given {
        Some(given) => options.as_given(&given)?,
        None => options.clone(),
    };
    let folder = home.bundles().join(recipe.cid().to_string());
    let mut reused = folder.exists();
    if !reused || Making::is_begun(home, recipe) {
        let key = ledger.as_ref().map(Ledger::key);
        let piece = Piece { home, scenario: &*scenario, genome: &genome, recipe, options, key };
        reused |= !piece.fill(&folder, &store, before.as_ref(), &mut clock)?;
    }
    let spoiled = |problem: String| StudioError::Spoiled { folder: folder.clone(), problem };
    let bundle = Bundle::open(&folder).map_err(|error| spoiled(error.to_string()))?;
    let content = bundle.content_cids()?;
    let (metadata, bytes) = bundle.metadata(&content).map_err(|error| spoiled(error.to_string()))?;
    if content.recipe != recipe.cid() {
        return Err(spoiled(format!("it is of recipe {}", content.recipe)));
    }
    let checked = raw_cid(&bytes);
    // What is minted cannot be taken back.
    if let Some(wrong) = wrong_metadata(&*scenario, &genome, recipe, &content, &metadata) {
        return Err(spoiled(format!("{}: {wrong}", folder.join("metadata.json").display())));
    }
    let trajectory =
        bundle.trajectory().map_err(StudioError::from).and_then(|bytes| Ok(Trajectory::from_bytes(bytes)?));
    let trajectory = trajectory.map_err(|error| spoiled(error.to_string()))?;
    if trajectory.sim_root().0 != metadata.sim_root {
        return Err(spoiled("its checkpoints lead to another sim_root than its metadata names".into()));
    }
    options.as_given(&metadata)?;
    if let Some(token) = &before
        && token.metadata != checked
    {
        return Err(StudioError::MintedOtherwise { token: token.id, folder });
    }
    if let Some(time) = options.keep_checkpoints {
        // Of a piece that was made before, or simulated before its making was broken off, none may be there.
        Checkpoints::open(home)?.keep_all(recipe, &trajectory, options.backend, time, observer)?;
    }
    let added = clock.time(Stage::Pin, 1, |_| Ok(bundle.add_to(&store)?))?;
    let metadata_cid = added.metadata.expect("its metadata was read just now");
    let minted = match &ledger {
        Some(ledger) => Some(clock.time(Stage::Mint, 1, |_| {
            let to = ledger.key().address();
            let mint = Mint { to, metadata: metadata_cid, recipe: added.content.recipe, sim_root: metadata.sim_root };
            let token = ledger.mint(&mint, || {
                // Another program may have named it otherwise since it was looked at.
                let (now, bytes) = Bundle::open(&folder)?.metadata(&content)?;
                let same = raw_cid(&bytes) == checked && metadata_cid == checked;
                if same { Ok(()) } else { Err(StudioError::Named(now.name)) }
            })?;
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

/// What is made.
struct Piece<'a> {
    home: &'a Home,
    scenario: &'a dyn Scenario,
    genome: &'a Genome,
    recipe: &'a Recipe,
    options: &'a Options,
    /// The home's key, where it is unlocked already.
    key: Option<&'a PrivateKeySigner>,
}

impl Piece<'_> {
    /// Makes the bundle `folder`: its content, its metadata and an attestation. Goes on where a killed run stopped.
    /// Where there is a token of it, what the store has of it is used. Says whether anything was simulated or rendered.
    fn fill(
        &self,
        folder: &Path,
        store: &Store,
        token: Option<&Token>,
        clock: &mut Clock<'_>,
    ) -> Result<bool, StudioError> {
        let Self { scenario, genome, recipe, .. } = *self;
        let mut making = Making::open(self.home, recipe)?;
        if folder.exists() {
            // Another process finished the same piece while this one waited, or was killed before it cleared up.
            making.forget()?;
            return Ok(false);
        }
        if let Some(token) = token {
            let scratch = store.scratch()?;
            let restored = scratch.folder().join("bundle");
            // Content that is not whole there is made again.
            if located::extract(store, token, &restored).is_ok() && fs::rename(&restored, folder).is_ok() {
                making.forget()?;
                return Ok(false);
            }
        }
        // What is made is signed in the end: what cannot be signed is not begun.
        let unlocked = if self.key.is_none() { Some(ledger::unlock(self.home)?) } else { None };
        let key = self.key.or(unlocked.as_ref()).expect("one or the other is there");
        let plan = scenario.plan(genome);
        let trajectory = clock.time(Stage::Simulate, u64::from(plan.steps), |observer| {
            making.trajectory(recipe, self.home, self.options, observer)
        })?;
        making.write("recipe.json", &recipe.canonical())?;

        let film = &recipe.film;
        let mut encoder = FilmEncoder::new(film.width as usize, film.height as usize, film.fps)?;
        let poster = poster_frame(scenario, film);
        let mut shoot = Shoot::new(scenario, genome, film, &trajectory);
        let light = if film.renderer == "gpu" {
            shoot = shoot.by(Tracer::Gpu(GpuTracer::open()?));
            Some((Checkpoints::open(self.home)?, self.options.keep_checkpoints.unwrap_or(KEPT)))
        } else {
            None
        };
        let started_at = making.notes().started_at;
        clock.time(Stage::Render, u64::from(film.frames) * Stage::FRAME, |observer| {
            for frame in 0..film.frames {
                let progress = |share: f32| {
                    observer.reached(u64::from(frame) * Stage::FRAME + (share * Stage::FRAME as f32) as u64);
                    observer.stopped()
                };
                if progress(0.0) {
                    return Err(StudioError::Stopped);
                }
                let size = [film.width, film.height];
                let (image, png) = match &light {
                    None => making.frame(frame, size, || shoot.frame(frame, &progress))?,
                    // A frame whose light nobody can show is as good as none.
                    Some((kept, time)) => making.lit_frame(frame, size, || {
                        let (image, layers) = shoot.drawn(frame, &progress)?;
                        Ok((image, kept.keep_light(frame, &light::to_bytes(&layers), started_at, *time)?))
                    })?,
                };
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
        bundle.write_metadata(&metadata(scenario, genome, recipe, sim_root, content.bundle, self.options))?;
        // Of content that was made before, what was attested then holds (where it can be read: the rest is for `verify`
        // to tell); else a killed run may have signed already.
        let _ = located::write_pinned_attestations(store, &content.bundle, &mut bundle);
        if bundle.attestations(&content)?.is_empty() {
            let Notes { started_at, backend } = making.notes().clone();
            let finished_at = now().max(started_at);
            let mut light_root = [0; 32];
            if let Some((kept, time)) = &light {
                let digests = (0..film.frames).map_while(|frame| making.light(frame)).collect::<Vec<_>>();
                light_root = kept.keep_lights(&digests, started_at, *time)?.0;
            }
            let claim =
                Claim { bundle: content.bundle, sim_root: sim_root.0, light_root, backend, started_at, finished_at };
            bundle.write_attestation(&claim.sign(key)?)?;
        }
        making.finish(folder)?;
        Ok(true)
    }
}

/// The recipes of pieces that were begun in this home and are not finished, by whatever program, and that nobody works on.
#[must_use]
pub fn unfinished(home: &Home) -> Vec<Recipe> {
    Making::all(home)
}

/// Throws away what there is of a piece that is not finished.
///
/// # Errors
/// [`StudioError::Busy`] while another process makes it; a disk that refuses.
pub fn discard(home: &Home, recipe: &Recipe) -> Result<(), StudioError> {
    Making::open_alone(home, recipe)?.forget()
}

/// A frame of a piece that is finished, or in the making and has come so far.
#[must_use]
pub fn frame_so_far(home: &Home, recipe: &Recipe, frame: u32) -> Option<Rgb8Image> {
    let name = format!("frames/{frame:04}.png");
    let finished = home.bundles().join(recipe.cid().to_string()).join(&name);
    let most = seedstorm_mint::bundle::MAX_IMAGE_BYTES;
    let bytes = files::read_bounded(&finished, most)
        .or_else(|_| files::read_bounded(&Making::piece_of(home, recipe).join(&name), most));
    decode_png(&bytes.ok()?).ok()
}

/// Gives a finished piece another name and description. What is minted keeps its own.
///
/// # Errors
/// [`StudioError::Named`] where there is a token of it; a piece that is not there or is not whole; a name that is too long.
pub fn describe(home: &Home, recipe: &Recipe, name: &str, description: &str) -> Result<Metadata, StudioError> {
    let (scenario, genome) = resolve(recipe)?;
    let _lock = ledger::alone(home)?;
    let folder = home.bundles().join(recipe.cid().to_string());
    let mut bundle = Bundle::open(&folder)?;
    let content = bundle.content_cids()?;
    let (given, _) = bundle.metadata(&content)?;
    let options = Options { name: Some(name.into()), description: Some(description.into()), ..Options::default() };
    if Ledger::read(home)?.find_recipe(&recipe.cid())?.is_some() {
        options.as_given(&given)?;
        return Ok(given);
    }
    let metadata = metadata(&*scenario, &genome, recipe, Digest(given.sim_root), content.bundle, &options);
    if metadata != given {
        bundle.write_metadata(&metadata)?;
        // The store keeps what it is given of a piece; of what it was called before, no longer.
        Store::open(home.store())?.unpin(&raw_cid(&given.to_json()?))?;
    }
    Ok(metadata)
}

/// The metadata of a piece: a function of its recipe and content, and of the name and description that it is given.
pub(crate) fn metadata(
    scenario: &dyn Scenario,
    genome: &Genome,
    recipe: &Recipe,
    sim_root: Digest,
    bundle: Cid,
    options: &Options,
) -> Metadata {
    let title = capitalised(scenario.title());
    let seed = genome.seed.written();
    // A number whole, of hexadecimal digits the first eight.
    let short = if seed.len() == 64 { &seed[..8] } else { &seed };
    let words: Vec<&str> = genome.traits.iter().map(|t| t.value.as_str()).collect();
    let words = if words.is_empty() { String::new() } else { format!(" {}.", capitalised(&words.join(", "))) };
    let description = format!("{}.{words} Every particle of it can be checked.", scenario.about());
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

/// What the metadata says that the recipe does not bear out.
pub(crate) fn wrong_metadata(
    scenario: &dyn Scenario,
    genome: &Genome,
    recipe: &Recipe,
    content: &ContentCids,
    given: &Metadata,
) -> Option<String> {
    let options =
        Options { name: Some(given.name.clone()), description: Some(given.description.clone()), ..Options::default() };
    let expected = metadata(scenario, genome, recipe, Digest(given.sim_root), content.bundle, &options);
    let differs = [
        ("engine", expected.engine != given.engine),
        ("recipe", expected.recipe != given.recipe),
        ("world_id", expected.world_id != given.world_id),
        ("renderer", expected.renderer != given.renderer),
        ("external_url", expected.external_url != given.external_url),
        ("attributes", expected.traits != given.traits),
        ("bundle", expected.bundle != given.bundle),
    ];
    let names: Vec<&str> = differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    (!names.is_empty()).then(|| format!("what it says of {} is not what the recipe gives", names.join(", ")))
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
