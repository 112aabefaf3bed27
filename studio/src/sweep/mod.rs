//! Many seeds of one scenario, looked at quickly, ranked, and the best looked at in full.
//!
//! A *quick look* is the same world with all of its elements, run for the first quarter of its steps and drawn small.
//! Its measures go to a table on the disk with one record a piece, so that a sweep that was killed repeats none that
//! was finished, and memory does not grow with the number of seeds. The best are then run to their end, measured
//! again, and ranked by that; only their surprise stays that of the quick look, which all have in common.

mod measures;
mod sheet;
mod table;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fs,
    io::{BufWriter, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use seedstorm_mint::files::{self, Access};
use seedstorm_render::image_file::{Rgb8Image, decode_png, encode_png};
use seedstorm_sim::{
    Backend, Film, Recipe, Seed, Simulation,
    recipe::{ParamValue, raw_cid},
    resolve,
    scenario::authored::Document,
};
use serde::Serialize;

pub use measures::{Measures, Metric};

use crate::{Home, Observer, Stage, StudioError, film::Shoot};
use table::Table;

/// The most pieces of one sweep.
pub const MAX_PIECES: u64 = 10_000_000;

/// The share of its steps that a quick look runs.
const QUICK_SHARE: u32 = 4;

/// How a quick look is drawn, and how a finalist is.
const QUICK: Film = Film { frames: 1, fps: 12, width: 96, height: 96, samples: 4, renderer: String::new() };
const FINAL: Film = Film { frames: 1, fps: 12, width: 256, height: 256, samples: 12, renderer: String::new() };

/// What is swept.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The scenario, with its version.
    pub scenario: String,
    /// The scene, where the scenario is one.
    pub scene: Option<Document>,
    /// The seeds; the end is excluded.
    pub seeds: Range<u64>,
    /// Traits and parameters that are the same for all.
    pub fixed: BTreeMap<String, ParamValue>,
    /// Parameters that run over several values, each with each.
    pub grid: Vec<(String, Vec<f64>)>,
    /// What the pieces are ranked by.
    pub rank: Metric,
    /// How many of the best are wanted.
    pub top: usize,
    /// How many pieces are worked on at once, each on one core.
    pub jobs: usize,
    /// Where the simulations run.
    pub backend: Backend,
}

/// What a sweep found.
#[derive(Debug, Serialize)]
pub struct Swept {
    /// The scenario, with its version.
    pub scenario: String,
    /// What the pieces were ranked by.
    pub metric: Metric,
    /// How many pieces there are.
    pub pieces: u64,
    /// How many of them an earlier run had finished.
    pub resumed: u64,
    /// Seconds that the quick looks of this run took.
    pub seconds: f64,
    /// The best, best first.
    pub top: Vec<Ranked>,
    /// Where the quick looks are kept.
    pub folder: PathBuf,
}

/// A finalist.
#[derive(Debug, Serialize)]
pub struct Ranked {
    /// Its seed.
    pub seed: u64,
    /// Its place in the grid.
    pub params: BTreeMap<String, ParamValue>,
    /// Its traits, as words.
    pub traits: Vec<String>,
    /// Its measures over its whole length.
    pub measures: Measures,
    /// Distance of its quick look from the mean of all quick looks, in standard deviations: of how many are looked at in
    /// full it knows nothing.
    pub surprise: f64,
    /// What it was ranked by.
    pub score: f64,
    /// The token, if it was minted.
    pub token: Option<u64>,
    /// The recipe of its draft.
    #[serde(skip)]
    pub recipe: Recipe,
    #[serde(skip)]
    image: Rgb8Image,
}

impl Sweep {
    fn combinations(&self) -> u64 {
        self.grid.iter().map(|(_, values)| values.len() as u64).product()
    }

    /// How many pieces there are: seeds times places in the grid.
    ///
    /// # Errors
    /// None, or more than [`MAX_PIECES`].
    pub fn pieces(&self) -> Result<u64, StudioError> {
        let seeds = self.seeds.end.saturating_sub(self.seeds.start);
        match seeds.checked_mul(self.combinations()) {
            Some(0) => Err(StudioError::Sweep("there is no seed in that range: the end is excluded".into())),
            Some(pieces) if pieces <= MAX_PIECES => Ok(pieces),
            _ => Err(StudioError::Sweep(format!("a sweep has at most {MAX_PIECES} pieces"))),
        }
    }

    /// The seed of piece number `index`, and the values of its parameters: seeds in order, for each the whole grid.
    fn piece(&self, index: u64) -> (u64, BTreeMap<String, ParamValue>) {
        let mut rest = index % self.combinations();
        let mut params = BTreeMap::new();
        for (name, values) in self.grid.iter().rev() {
            let count = values.len() as u64;
            params.insert(name.clone(), ParamValue::Number(values[(rest % count) as usize]));
            rest /= count;
        }
        (self.seeds.start + index / self.combinations(), params)
    }

    fn recipe(&self, index: u64) -> Result<Recipe, StudioError> {
        let (seed, params) = self.piece(index);
        let mut recipe = Recipe::new(&self.scenario, Seed::from(seed), Film::DRAFT)?;
        recipe.scene = self.scene.clone();
        recipe.params = self.fixed.clone();
        recipe.params.extend(params);
        Ok(recipe)
    }

    /// Names what the measures of this sweep depend on.
    fn identity(&self) -> String {
        let mut parts = serde_json::json!([
            seedstorm_sim::recipe::ENGINE,
            self.scenario,
            self.seeds.start,
            self.seeds.end,
            self.fixed,
            self.grid,
            QUICK_SHARE
        ]);
        if let (Some(scene), Some(list)) = (&self.scene, parts.as_array_mut()) {
            list.push(serde_json::Value::String(raw_cid(&scene.canonical()).to_string()));
        }
        let mut name = raw_cid(parts.to_string().as_bytes()).to_string();
        name.drain(..7);
        name.truncate(24);
        name
    }

    /// Looks at every piece that was not looked at before, and then at the best in full.
    ///
    /// # Errors
    /// A range or a grid that cannot be used, a simulation that fails, a disk that refuses, or a stop.
    pub fn run(&self, home: &Home, observer: &dyn Observer) -> Result<Swept, StudioError> {
        let pieces = self.pieces()?;
        // Every place in the grid, before the work rather than in the middle of it.
        for index in 0..self.combinations() {
            resolve(&self.recipe(index)?)?;
        }
        let folder = home.root().join("sweeps").join(self.identity());
        fs::create_dir_all(&folder).map_err(StudioError::io(&folder))?;
        let table = Table::open(&folder.join("looks.bin"), pieces)?;
        let start = Instant::now();
        observer.begin(Stage::Sweep, pieces);
        let (resumed, done) = (AtomicU64::new(0), AtomicU64::new(0));
        self.each(pieces, observer, &|index| {
            if table.get(index)?.is_some() {
                resumed.fetch_add(1, Ordering::Relaxed);
            } else {
                table.set(index, &self.quick_look(index)?)?;
            }
            observer.reached(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(())
        })?;
        observer.end(Stage::Sweep);
        let seconds = start.elapsed().as_secs_f64();
        let top = self.finals(&folder, &table, observer)?;
        let resumed = resumed.into_inner();
        Ok(Swept { scenario: self.scenario.clone(), metric: self.rank, pieces, resumed, seconds, top, folder })
    }

    /// Calls `work` with every number below `count`, on [`Sweep::jobs`] threads, until one fails or the user stops it.
    /// What `work` does in parallel stays on its own thread.
    fn each(
        &self,
        count: u64,
        observer: &dyn Observer,
        work: &(dyn Fn(u64) -> Result<(), StudioError> + Sync),
    ) -> Result<(), StudioError> {
        let next = AtomicU64::new(0);
        let failure = Mutex::new(None);
        let job = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return;
                }
                let done = if observer.stopped() { Err(StudioError::Stopped) } else { work(index) };
                if let Err(error) = done {
                    // The others end after their present piece.
                    next.store(count, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return;
                }
            }
        };
        let pools: Result<Vec<_>, _> =
            (0..self.jobs.max(1)).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build()).collect();
        let pools = pools.map_err(|error| StudioError::Sweep(format!("cannot start a thread: {error}")))?;
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| pool.install(job));
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn quick_look(&self, index: u64) -> Result<Measures, StudioError> {
        let recipe = self.recipe(index)?;
        Ok(look(&recipe, self.backend, QUICK_SHARE, &QUICK)?.0)
    }

    /// The best by their quick looks, twice as many as are wanted, looked at in full and ranked by that.
    fn finals(&self, folder: &Path, table: &Table, observer: &dyn Observer) -> Result<Vec<Ranked>, StudioError> {
        let all = table.spread()?;
        let wanted = (self.top * 2).max(self.top + 4).min(table.len() as usize);
        if self.top == 0 {
            return Ok(vec![]);
        }
        // A heap whose least stands on top; of two alike the later goes first.
        let mut best = BinaryHeap::with_capacity(wanted + 1);
        for index in 0..table.len() {
            let measures = table.get(index)?.ok_or_else(|| StudioError::Sweep("the table changed".into()))?;
            let score = self.rank.score(&measures, all.surprise(&measures));
            best.push(Reverse((Ordered(score), Reverse(index))));
            if best.len() > wanted {
                best.pop();
            }
        }
        let finalists: Vec<u64> = best.into_iter().map(|Reverse((_, Reverse(index)))| index).collect();
        observer.begin(Stage::Finals, finalists.len() as u64);
        let (looks, done) = (Mutex::new(Vec::with_capacity(finalists.len())), AtomicU64::new(0));
        self.each(finalists.len() as u64, observer, &|at| {
            let index = finalists[at as usize];
            let full = self.full_look(folder, index)?;
            looks.lock().unwrap_or_else(PoisonError::into_inner).push((index, full));
            observer.reached(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(())
        })?;
        observer.end(Stage::Finals);
        let mut looks = looks.into_inner().unwrap_or_else(PoisonError::into_inner);
        looks.sort_by_key(|(index, _)| *index);
        let ranked = looks.into_iter().map(|(index, (measures, image))| {
            let recipe = self.recipe(index)?;
            let (_, genome) = resolve(&recipe)?;
            let (seed, params) = self.piece(index);
            let quick = table.get(index)?.ok_or_else(|| StudioError::Sweep("the table changed".into()))?;
            let surprise = all.surprise(&quick);
            let score = self.rank.score(&measures, surprise);
            let traits = genome.traits.iter().map(|t| t.value.clone()).collect();
            Ok(Ranked { seed, params, traits, measures, surprise, score, token: None, recipe, image })
        });
        let mut ranked = ranked.collect::<Result<Vec<Ranked>, StudioError>>()?;
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.seed.cmp(&b.seed)));
        ranked.truncate(self.top);
        Ok(ranked)
    }

    /// A piece over its whole length, and its poster; kept, so that an interrupted final repeats none.
    fn full_look(&self, folder: &Path, index: u64) -> Result<(Measures, Rgb8Image), StudioError> {
        let path = folder.join(format!("final-{index}.bin"));
        if let Some(kept) = files::read_bounded(&path, 4 << 20).ok().and_then(|bytes| unpacked(&bytes)) {
            return Ok(kept);
        }
        let (measures, image) = look(&self.recipe(index)?, self.backend, 1, &FINAL)?;
        files::write_atomically(&path, &packed(&measures, &encode_png(&image)?), Access::Shared)
            .map_err(StudioError::io(&path))?;
        Ok((measures, image))
    }

    /// Writes one line a piece, in the order of the seeds: seed, parameters of the grid, traits, measures, surprise.
    ///
    /// # Errors
    /// A sweep that was not run to its end, or a disk that refuses.
    pub fn write_csv(&self, home: &Home, path: &Path) -> Result<(), StudioError> {
        let table = Table::open(&home.root().join("sweeps").join(self.identity()).join("looks.bin"), self.pieces()?)?;
        let all = table.spread()?;
        let error = |source| StudioError::Io { path: path.to_owned(), source: files::unnamed(source) };
        let mut file = files::begin(path, Access::Shared).map_err(error)?;
        {
            let mut out = BufWriter::new(file.as_file_mut());
            let (scenario, _) = resolve(&self.recipe(0)?)?;
            let grid = self.grid.iter().map(|(name, _)| name.as_str());
            let specs = scenario.traits();
            let traits = specs.iter().map(|spec| spec.name);
            let header: Vec<&str> =
                ["seed"].into_iter().chain(grid).chain(traits).chain(Measures::NAMES).chain(["surprise"]).collect();
            writeln!(out, "{}", header.join(",")).map_err(error)?;
            for index in 0..table.len() {
                let measures = table.get(index)?.ok_or_else(|| StudioError::Sweep("it is not complete".into()))?;
                let recipe = self.recipe(index)?;
                let (_, genome) = resolve(&recipe)?;
                let (seed, params) = self.piece(index);
                let mut fields = vec![seed.to_string()];
                for (name, _) in &self.grid {
                    if let Some(ParamValue::Number(number)) = params.get(name) {
                        fields.push(number.to_string());
                    }
                }
                // Traits are words without commas or quotes.
                fields.extend(genome.traits.iter().map(|t| t.value.clone()));
                fields.extend(measures.numbers().map(|number| format!("{number:.9}")));
                fields.push(format!("{:.9}", all.surprise(&measures)));
                writeln!(out, "{}", fields.join(",")).map_err(error)?;
            }
            out.flush().map_err(error)?;
        }
        file.persist(path).map_err(|failed| error(failed.error))?;
        Ok(())
    }
}

impl Swept {
    /// Writes the best as a contact sheet, each labelled with its seed, traits and score.
    ///
    /// # Errors
    /// Nothing to show, or a disk that refuses.
    pub fn write_sheet(&self, path: &Path) -> Result<(), StudioError> {
        if self.top.is_empty() {
            return Err(StudioError::Sweep("a sheet shows the best: ask for some with --top".into()));
        }
        let png = encode_png(&sheet::draw(self))?;
        files::write_atomically(path, &png, Access::Shared).map_err(StudioError::io(path))
    }
}

/// Runs the first `1/share` of a world's steps, measures them and draws the end; a whole run is drawn at its poster's
/// moment.
fn look(recipe: &Recipe, backend: Backend, share: u32, film: &Film) -> Result<(Measures, Rgb8Image), StudioError> {
    let (scenario, genome) = resolve(recipe)?;
    let mut simulation = Simulation::new(recipe, backend)?;
    let last = simulation.steps() / share;
    while simulation.step() < last && simulation.advance()? {}
    let trajectory = simulation.so_far()?;
    let time = if share == 1 { scenario.poster_time() } else { 1.0 };
    let image = Shoot::new(&*scenario, &genome, film, &trajectory).moment(time, 1.0 / f64::from(share))?;
    Ok((Measures::of(&trajectory, &image)?, image))
}

/// A finalist's measures and picture as a file: the BLAKE3 digest of the rest, the measures as `f64`, the PNG.
fn packed(measures: &Measures, png: &[u8]) -> Vec<u8> {
    let body = [measures.numbers().map(f64::to_le_bytes).as_flattened(), png].concat();
    [blake3::hash(&body).as_bytes().as_slice(), &body].concat()
}

fn unpacked(bytes: &[u8]) -> Option<(Measures, Rgb8Image)> {
    let (digest, body) = bytes.split_first_chunk::<32>()?;
    let (numbers, png) = body.split_first_chunk::<{ Measures::NAMES.len() * 8 }>()?;
    if blake3::hash(body).as_bytes() != digest {
        return None;
    }
    let words = numbers.as_chunks::<8>().0;
    Some((Measures::from_numbers(std::array::from_fn(|at| f64::from_le_bytes(words[at]))), decode_png(png).ok()?))
}

/// A number with a total order.
#[derive(Clone, Copy, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
