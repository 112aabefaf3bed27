//! Commands and what they do.

mod drawing;

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use seedstorm_mint::files::{self, Access};
use seedstorm_sim::{
    Backend, Film, Recipe, RecipeError, Seed,
    recipe::{MAX_SCENE_RECIPE_BYTES, ParamValue},
    resolve,
    scenario::{
        self,
        authored::{self, Authored, Document},
    },
    text::is_plain,
};
use seedstorm_studio::{
    Home, StudioError,
    census::census,
    check,
    doctor::diagnose,
    export,
    import::import_car,
    ledger::Ledger,
    make, random_bytes,
    render::Renderer,
    renderers, scene_file,
    sweep::{self, Sweep},
    verify,
};

use crate::{
    bars::{self, Bars},
    output,
};

/// Turn a seed into a physics simulation, a path-traced film and a token that anyone can check.
///
/// Everything is kept in SEEDSTORM_HOME (else in the user's data folder). The key's password is SEEDSTORM_PASSWORD;
/// without one, a random password is kept beside the key, which is good enough for test ether alone.
#[derive(Debug, Parser)]
#[command(name = "seedstorm", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Write one JSON document to standard output; progress still goes to standard error.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a piece: simulate, render, store and mint it.
    Make {
        #[command(flatten)]
        source: Source,
        /// Where the simulation runs: auto, cpu, gpu, or gpu-split (without 64-bit integers). The bits are the same.
        #[arg(long, default_value = "auto")]
        backend: Backend,
        /// Stop before the token.
        #[arg(long)]
        no_mint: bool,
        /// The piece's name.
        #[arg(long)]
        name: Option<String>,
        /// A description in place of the one that the traits give.
        #[arg(long)]
        description: Option<String>,
        /// Which tracer draws: cpu, whose pixels are the same everywhere, or gpu, whose frames `check` judges by their raw
        /// light. It is a part of the recipe.
        #[arg(long)]
        renderer: Option<Renderer>,
        /// Keep the checkpoints' bytes for so many days, so that `check` can run single segments again; and the raw light of
        /// frames that a gpu draws, which is kept for 7 days anyway.
        #[arg(long, value_name = "DAYS", num_args = 0..=1, require_equals = true, default_missing_value = "7", value_parser = clap::value_parser!(u16).range(1..))]
        keep_checkpoints: Option<u16>,
        /// What you get of each resale, in per cent: it is set where a collection is made for its first token.
        #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = royalty)]
        royalty: u16,
    },
    /// Render frames of a recipe, or of another program's file, into a folder, without making a piece.
    Render(drawing::RenderArguments),
    /// Write a piece as a model that plays in three dimensions (binary glTF), as browsers and marketplaces show it.
    Model(drawing::ModelArguments),
    /// List what can draw: our tracers, Cycles, plug-ins.
    Renderers,
    /// Check, add and remove renderers that are programs of their own.
    #[command(subcommand)]
    Renderer(drawing::RendererCommand),
    /// Print the canonical recipe of a piece without making it.
    Recipe {
        #[command(flatten)]
        source: Source,
    },
    /// List the scenarios with their parameters and traits.
    Scenarios,
    /// Work on scene files.
    #[command(subcommand)]
    Scene(SceneCommand),
    /// Show what a seed decides.
    Traits {
        #[command(flatten)]
        source: Source,
    },
    /// Check a piece: hashes, simulation, pixels, token.
    Verify {
        /// A token's number or a bundle's folder.
        piece: String,
        /// Where the simulation runs again: auto, cpu, gpu or gpu-split.
        #[arg(long, default_value = "auto")]
        backend: Backend,
        /// Let a piece pass that was never minted.
        #[arg(long)]
        unminted: bool,
    },
    /// Check a part of a piece, drawn by chance: a few segments of its simulation and tiles of its frames, for that part of
    /// its cost.
    Check {
        /// A token's number or a bundle's folder.
        piece: String,
        /// How many segments to run again.
        #[arg(long, value_name = "COUNT", default_value_t = 5)]
        segments: u32,
        /// How many tiles of 16 × 16 pixels to draw again.
        #[arg(long, value_name = "COUNT", default_value_t = 4)]
        tiles: u32,
        /// Where segments run: auto, cpu, gpu or gpu-split.
        #[arg(long, default_value = "auto")]
        backend: Backend,
    },
    /// Run one segment of the simulation again.
    Replay {
        /// A token's number or a bundle's folder.
        piece: String,
        /// Which segment, from 0.
        #[arg(long, value_name = "NUMBER")]
        segment: u32,
        /// Write the digest of the state after each of its steps here, for `bisect`.
        #[arg(long, value_name = "OUT.json")]
        journal: Option<PathBuf>,
        /// Where it runs: auto, cpu, gpu or gpu-split.
        #[arg(long, default_value = "auto")]
        backend: Backend,
    },
    /// Find where two runs of one world part, and which of them is right.
    Bisect {
        /// A token's number or a bundle's folder.
        first: String,
        /// Another one of the same world.
        second: String,
        /// The journals of both, first and second, of the segment that is in dispute: with them the step is found.
        #[arg(long, value_name = "JOURNAL.json", num_args = 2)]
        journals: Vec<PathBuf>,
        /// Where the segment runs: auto, cpu, gpu or gpu-split.
        #[arg(long, default_value = "auto")]
        backend: Backend,
    },
    /// Show a token.
    Show {
        /// The token's number.
        token: u64,
    },
    /// List the tokens.
    Tokens,
    /// Look at many seeds quickly, rank them, and look at the best in full.
    Sweep(SweepArguments),
    /// Count how rare each trait really is.
    Census {
        /// A scenario, or a scene file ending in .toml.
        #[arg(value_name = "SCENARIO|SCENE.toml")]
        scenario: String,
        /// How many seeds to draw, from 0 on.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        seeds: u64,
    },
    /// Say what this machine has, what will be used, and what would make it faster.
    Doctor,
    /// Print a script that completes commands in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual's pages into a folder.
    Man {
        /// The folder; made where it is missing.
        folder: PathBuf,
    },
    /// Write a piece's content, metadata and attestations as a CAR archive.
    ExportCar {
        /// A token's number or a bundle's folder.
        piece: String,
        /// The archive; `<bundle CID>.car` here where it is left out.
        #[arg(long, short)]
        out: Option<PathBuf>,
    },
    /// Read a bundle out of a CAR archive into the store, all of it or nothing.
    ImportCar {
        /// The archive.
        archive: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum SceneCommand {
    /// Say whether a scene file is right, and what it holds; what is wrong is named with its line and field.
    Check {
        /// The scene file.
        #[arg(value_name = "SCENE.toml")]
        file: PathBuf,
    },
}

/// A scenario with a seed, or a recipe in a file.
#[derive(Debug, Args)]
struct Source {
    /// A scenario (`bloom`, or `bloom@1` to be exact), a scene file ending in .toml, or a recipe file ending in .json.
    #[arg(value_name = "SCENARIO|SCENE.toml|RECIPE.json")]
    what: String,
    /// 64 hexadecimal digits or a whole number; a random one where it is left out.
    #[arg(long)]
    seed: Option<Seed>,
    /// Override a trait or a parameter; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// How the world is filmed; the world itself does not change.
    #[arg(long)]
    quality: Option<Quality>,
}

#[derive(Debug, Args)]
struct SweepArguments {
    /// A scenario (`bloom`, or `bloom@1` to be exact), or a scene file ending in .toml.
    #[arg(value_name = "SCENARIO|SCENE.toml")]
    scenario: String,
    /// The seeds, as A..B; B is excluded.
    #[arg(long, value_name = "A..B", value_parser = seed_range)]
    seeds: std::ops::Range<u64>,
    /// A value for all, or a range LOW..HIGH:COUNT of a parameter, each with each; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE|NAME=LOW..HIGH:COUNT")]
    params: Vec<String>,
    /// What to rank by.
    #[arg(long, value_name = "METRIC", default_value = "surprise")]
    rank: sweep::Metric,
    /// How many of the best to look at in full.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(0..=400))]
    top: u16,
    /// A contact sheet of the best, as a PNG.
    #[arg(long, value_name = "OUT.png")]
    sheet: Option<PathBuf>,
    /// A table of every piece.
    #[arg(long, value_name = "OUT.csv")]
    csv: Option<PathBuf>,
    /// Make and mint drafts of the best.
    #[arg(long, value_name = "K", default_value_t = 0)]
    mint_top: u16,
    /// Pieces at once, each on one core; all cores where it is left out.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Where the simulations run: auto, cpu, gpu or gpu-split.
    #[arg(long, default_value = "cpu")]
    backend: Backend,
}

fn seed_range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("a range is written A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no whole number below 2⁶⁴"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(format!("`{text}` holds nothing: the end is excluded")) } else { Ok(range) }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Quality {
    /// 256 × 256 pixels, 48 frames.
    Draft,
    /// 540 × 540 pixels, 96 frames.
    Film,
    /// 1080 × 1080 pixels, 192 frames.
    Master,
}

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    Studio(StudioError),
    /// The command was wrong, in words.
    Use(String),
    /// The command could not be understood.
    Arguments {
        cause: String,
        help: String,
    },
}

impl<E: Into<StudioError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Studio(error.into())
    }
}

impl Failure {
    /// clap's first line is the cause; what it advises, and how the command is written, is the help.
    fn of_arguments(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut parts = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        let cause = parts.next().unwrap_or_default();
        let help = parts.find_map(|part| {
            let part = part.trim_start_matches("tip: ");
            (!part.is_empty() && !part.starts_with("For more")).then(|| part.to_owned())
        });
        Self::Arguments {
            cause: cause.trim_start_matches("error: ").to_owned(),
            help: help.unwrap_or_else(|| "`seedstorm help COMMAND` describes a command".into()),
        }
    }

    /// One line with the cause and one with the help; 2 for wrong use, 1 for failure.
    pub(crate) fn report(self) -> ExitCode {
        let (cause, help, wrong_use) = match &self {
            Self::Studio(error) => (error.to_string(), error.help(), error.is_wrong_use()),
            Self::Use(cause) => (cause.clone(), Some("`seedstorm help` describes the commands".into()), true),
            Self::Arguments { cause, help } => (cause.clone(), Some(help.clone()), true),
        };
        let mut report = miette::MietteDiagnostic::new(printable(&cause));
        report.help = help;
        output::aside(format!("{:?}", miette::Report::new(report)).trim_end());
        ExitCode::from(match &self {
            Self::Studio(StudioError::Stopped) => bars::INTERRUPTED,
            _ if wrong_use => 2,
            _ => 1,
        })
    }
}

/// A message for a terminal: what came from a file may hold control characters and direction marks, and be long.
fn printable(text: &str) -> String {
    const MOST: usize = 600;
    let shown: String =
        text.chars().map(|c| if !is_plain(c) && c != '\n' { '\u{fffd}' } else { c }).take(MOST).collect();
    if text.chars().count() > MOST { shown + " …" } else { shown }
}

impl Source {
    fn recipe(&self) -> Result<Recipe, Failure> {
        if self.what.to_lowercase().ends_with(".json") {
            if self.seed.is_some() || !self.params.is_empty() || self.quality.is_some() {
                return Err(Failure::Use(
                    "a recipe file says everything: leave out --seed, --param and --quality".into(),
                ));
            }
            let recipe = Recipe::from_json(&read_bounded(Path::new(&self.what))?)?;
            resolve(&recipe)?;
            return Ok(recipe);
        }
        let wanted = Wanted::of(&self.what)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => Seed(random_bytes()?),
        };
        let film = match self.quality {
            None | Some(Quality::Draft) => Film::DRAFT,
            Some(Quality::Film) => Film::FILM,
            Some(Quality::Master) => Film::MASTER,
        };
        let mut recipe = wanted.recipe(seed, film)?;
        recipe.params = params(&self.params)?;
        resolve(&recipe)?;
        Ok(recipe)
    }
}

/// What a piece is to be of.
enum Wanted {
    Scenario(String),
    Scene(Document),
}

impl Wanted {
    /// A scenario by its name, the newest where no version is given; or a scene by its file.
    fn of(what: &str) -> Result<Self, Failure> {
        if what.to_lowercase().ends_with(".toml") {
            return Ok(Self::Scene(checked_scene(Path::new(what))?.0));
        }
        scenario_id(what).map(Self::Scenario)
    }

    fn recipe(self, seed: Seed, film: Film) -> Result<Recipe, RecipeError> {
        match self {
            Self::Scenario(id) => Recipe::new(&id, seed, film),
            Self::Scene(document) => Recipe::of_scene(document, seed, film),
        }
    }
}

/// A scene file that makes sense.
fn checked_scene(path: &Path) -> Result<(Document, Authored), StudioError> {
    let document = scene_file::read(path)?;
    match Authored::new(&document) {
        Ok(scene) => Ok((document, scene)),
        Err(error) => Err(StudioError::Scene { path: path.to_owned(), error: Box::new(error) }),
    }
}

fn params(given: &[String]) -> Result<BTreeMap<String, ParamValue>, Failure> {
    let mut params = BTreeMap::new();
    for text in given {
        let (name, value) =
            text.split_once('=').ok_or_else(|| Failure::Use(format!("`{text}` is not of the form NAME=VALUE")))?;
        let value = match value.parse::<f64>() {
            Ok(number) if number.is_finite() => ParamValue::Number(number),
            Ok(_) => {
                return Err(RecipeError::OutOfRange {
                    name: format!("params.{name}"),
                    range: "a finite number".into(),
                }
                .into());
            }
            Err(_) => ParamValue::Text(value.into()),
        };
        if params.insert(name.to_owned(), value).is_some() {
            return Err(Failure::Use(format!("`{name}` is given twice")));
        }
    }
    Ok(params)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Failure> {
    let error = |source| StudioError::Io { path: path.into(), source };
    let mut bytes = Vec::new();
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        // A pipe could be read, but never ends where nobody writes.
        Ok(_) => return Err(Failure::Use(format!("{} is not a regular file", path.display()))),
        Err(_) => return Err(Failure::Use(format!("there is no recipe at {}", path.display()))),
    }
    let file = File::open(path).map_err(error)?;
    file.take(MAX_SCENE_RECIPE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

/// Runs the command that this process was started with.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let arguments = &match Arguments::try_parse() {
        // What was asked for: the help or the version.
        Err(asked) if !asked.use_stderr() => asked.exit(),
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        parsed => parsed.map_err(|error| Failure::of_arguments(&error))?,
    };
    let json = arguments.json;
    match &arguments.command {
        Command::Make { source, backend, no_mint, name, description, renderer, keep_checkpoints, royalty } => {
            for text in [name, description].into_iter().flatten() {
                if text.chars().any(|c| !is_plain(c) && c != '\n') {
                    return Err(Failure::Use(
                        "a name or description holds no control characters and no direction marks".into(),
                    ));
                }
            }
            let mut recipe = source.recipe()?;
            if let Some(renderer) = renderer {
                recipe.film.renderer = renderer.to_string();
            }
            let home = Home::default_place()?;
            if !json {
                output::announce(&recipe)?;
            }
            let options = make::Options {
                backend: *backend,
                mint: !no_mint,
                name: name.clone(),
                description: description.clone(),
                keep_checkpoints: keep_checkpoints.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600)),
                royalty_bps: *royalty,
            };
            let made = make(&home, &recipe, &options, &Bars::default())?;
            output::made(&recipe, &made, json);
        }
        Command::Render(arguments) => drawing::render_frames(arguments, json)?,
        Command::Model(arguments) => drawing::write_model(arguments, json)?,
        Command::Renderers => output::renderers(&renderers::list(&Home::default_place()?)?, json),
        Command::Renderer(command) => return drawing::renderer(command, json),
        Command::Recipe { source } => output::raw(&source.recipe()?.canonical()),
        Command::Scenarios => output::scenarios(json),
        Command::Scene(SceneCommand::Check { file }) => {
            let (document, scene) = checked_scene(file)?;
            let recipe = Recipe::of_scene(document, 0.into(), Film::DRAFT)?;
            output::scene(file, &recipe, &scene, json);
        }
        Command::Traits { source } => {
            let recipe = source.recipe()?;
            output::traits(&recipe, &resolve(&recipe)?.1, json);
        }
        Command::Verify { piece, backend, unminted } => {
            let wishes = verify::Wishes { backend: *backend, unminted: *unminted };
            let report = verify(&Home::default_place()?, piece, wishes, &Bars::default())?;
            output::report(&report, json);
            if !report.ok {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Check { piece, segments, tiles, backend } => {
            let found = check::check(&Home::default_place()?, piece, *segments, *tiles, *backend, &Bars::default())?;
            output::spot_check(&found, piece, json);
            if !found.ok {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Replay { piece, segment, journal, backend } => {
            let found = check::replay(
                &Home::default_place()?,
                piece,
                *segment,
                journal.as_deref(),
                *backend,
                &Bars::default(),
            )?;
            output::replay(&found, journal.as_deref(), json);
            if !found.ok {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Bisect { first, second, journals, backend } => {
            let journals = match &journals[..] {
                [a, b] => Some([a.as_path(), b.as_path()]),
                _ => None,
            };
            let found = check::dispute(&Home::default_place()?, [first, second], journals, *backend, &Bars::default())?;
            output::dispute(found.as_ref(), [first, second], json);
            if found.is_some() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Show { token } => {
            let home = Home::default_place()?;
            let ledger = Ledger::read(&home)?;
            let token = ledger.token(*token)?;
            let folder = home.bundles().join(token.recipe.to_string());
            output::token(&token, &ledger, folder.exists().then_some(folder.as_path()), json);
        }
        Command::Tokens => {
            let ledger = Ledger::read(&Home::default_place()?)?;
            output::tokens(&ledger.tokens()?, json);
        }
        Command::Sweep(arguments) => run_sweep(arguments, json)?,
        Command::Census { scenario, seeds } => {
            let scenario = scenario::of(&Wanted::of(scenario)?.recipe(0.into(), Film::DRAFT)?)?;
            output::census(&census(&*scenario, *seeds)?, json);
        }
        Command::Doctor => output::diagnosis(&diagnose(&Home::default_place()?), json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "seedstorm", &mut script);
            output::raw(script.trim_ascii_end());
        }
        Command::Man { folder } => {
            let error = |source| StudioError::Io { path: folder.clone(), source };
            std::fs::create_dir_all(folder).map_err(error)?;
            clap_mangen::generate_to(Arguments::command(), folder).map_err(error)?;
        }
        Command::ExportCar { piece, out } => export_car(piece, out.as_deref(), json)?,
        Command::ImportCar { archive } => output::imported(&import_car(&Home::default_place()?, archive)?, json),
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of a scenario, the newest where no version is given.
fn scenario_id(name: &str) -> Result<String, Failure> {
    if name.contains('@') {
        return Ok(name.to_owned());
    }
    let newest = scenario::newest(name)?;
    Ok(format!("{}@{}", newest.name(), newest.version()))
}

/// A share of 0 to 10 per cent, in basis points.
fn royalty(text: &str) -> Result<u16, String> {
    let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=10.0).contains(percent));
    let basis_points = percent.map(|percent| (percent * 100.0).round() as u16);
    basis_points.ok_or_else(|| format!("`{text}` is no share of 0 to 10 per cent"))
}

/// A parameter of a sweep that runs over values: LOW..HIGH:COUNT, both ends included.
fn grid(text: &str) -> Option<Vec<f64>> {
    let (range, count) = text.rsplit_once(':')?;
    let (low, high) = range.split_once("..")?;
    let (low, high, count) = (low.parse::<f64>().ok()?, high.parse::<f64>().ok()?, count.parse::<u16>().ok()?);
    let whole = low.is_finite() && high.is_finite() && low <= high && count > 0;
    let step = (high - low) / f64::from(count.max(2) - 1);
    // Rounded to nine digits, so that a value is what a person would write.
    let value = |at: u16| ((low + step * f64::from(at)) * 1e9).round() / 1e9;
    whole.then(|| (0..count).map(value).collect())
}

fn run_sweep(arguments: &SweepArguments, json: bool) -> Result<(), Failure> {
    let (ranges, fixed): (Vec<_>, Vec<_>) =
        arguments.params.iter().cloned().partition(|text| text.split_once('=').is_some_and(|(_, v)| grid(v).is_some()));
    if let Some(text) = fixed.iter().find(|text| text.contains("..") && text.contains(':')) {
        return Err(Failure::Use(format!(
            "`{text}` is no range: write NAME=LOW..HIGH:COUNT, with a COUNT of 1 to 65535"
        )));
    }
    let (scenario, scene) = match Wanted::of(&arguments.scenario)? {
        Wanted::Scenario(id) => (id, None),
        Wanted::Scene(document) => (authored::SCENARIO.to_owned(), Some(document)),
    };
    let mut sweep = Sweep {
        scenario,
        scene,
        seeds: arguments.seeds.clone(),
        fixed: params(&fixed)?,
        grid: Vec::new(),
        rank: arguments.rank,
        top: usize::from(arguments.top.max(arguments.mint_top)),
        jobs: match arguments.jobs {
            Some(jobs) => usize::from(jobs),
            None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        },
        backend: arguments.backend,
    };
    for text in ranges {
        let (name, values) = text.split_once('=').and_then(|(n, v)| Some((n, grid(v)?))).unwrap_or_default();
        if sweep.fixed.contains_key(name) || sweep.grid.iter().any(|(there, _)| there == name) {
            return Err(Failure::Use(format!("`{name}` is given twice")));
        }
        sweep.grid.push((name.to_owned(), values));
    }
    if arguments.sheet.is_some() && sweep.top == 0 {
        return Err(Failure::Use("a sheet shows the best: ask for some with --top".into()));
    }
    if arguments.sheet.as_ref().is_some_and(|path| path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png"))) {
        return Err(Failure::Use("a sheet is a PNG: let its name end in .png".into()));
    }
    // Places that cannot be written are said before the work.
    for path in [&arguments.sheet, &arguments.csv].into_iter().flatten() {
        files::begin(path, Access::Shared).map_err(|source| unwritable(path, source))?;
    }
    let home = Home::default_place()?;
    let mut swept = sweep.run(&home, &Bars::default())?;
    if let Some(path) = &arguments.csv {
        sweep.write_csv(&home, path)?;
    }
    if let Some(path) = &arguments.sheet {
        swept.write_sheet(path)?;
    }
    for ranked in swept.top.iter_mut().take(usize::from(arguments.mint_top)) {
        let options = make::Options { backend: arguments.backend, ..make::Options::default() };
        let made = make(&home, &ranked.recipe, &options, &Bars::default())?;
        ranked.token = made.minted.map(|minted| minted.token.id);
    }
    output::swept(&swept, arguments.sheet.as_deref(), arguments.csv.as_deref(), json);
    Ok(())
}

fn unwritable(path: &Path, source: std::io::Error) -> StudioError {
    StudioError::Io { path: path.to_owned(), source: files::unnamed(source) }
}

fn export_car(piece: &str, out: Option<&Path>, json: bool) -> Result<(), Failure> {
    let (path, car) = export::car(&Home::default_place()?, piece, out)?;
    output::exported(&path, &car, json);
    Ok(())
}
