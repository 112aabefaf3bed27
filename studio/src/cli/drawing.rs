//! Commands that draw, and that look after renderers.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use seedstorm_mint::files::{self, Access};
use seedstorm_render::{
    image_file::encode_png,
    plugin::{self, Plugin, Sandbox},
};
use seedstorm_sim::Backend;
use seedstorm_studio::{
    Home, StudioError, export,
    render::{self, Denoiser, FileWishes, Frames, Renderer, render, render_file},
    renderers,
};

use super::{Failure, Source, seed_range};
use crate::{
    bars::{self, Bars},
    output,
};

#[derive(Debug, Args)]
#[command(mut_arg("what", |what| what
    .value_name("SCENARIO|SCENE.toml|RECIPE.json|FILE.blend")
    .help("A scenario (`bloom`, or `bloom@1` to be exact), a scene file ending in .toml, a recipe file ending in .json, or \
           another program's file")))]
pub(super) struct RenderArguments {
    #[command(flatten)]
    source: Source,
    /// The frames, as A..B; B is excluded. A piece's begin with 0, a file's with its own first. Or `poster`: the one that
    /// the poster shows. All where it is left out.
    #[arg(long, value_name = "A..B", value_parser = frames, allow_hyphen_values = true)]
    frames: Option<Frames>,
    /// What draws: cpu, whose pixels are the same everywhere, gpu, cycles, or a plug-in that was added. Where it is left out,
    /// what the recipe says, cpu as a rule; files of other programs (.blend) are drawn by the first renderer that reads them.
    #[arg(long, value_name = "NAME")]
    renderer: Option<String>,
    /// Samples a pixel, in place of what the quality or the file says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    samples: Option<u32>,
    /// Draw each frame of a file in so many tiles, each by itself, as nodes of a network would; the renderer starts anew for
    /// each.
    #[arg(long, value_name = "COLUMNSxROWS", value_parser = tiles)]
    tiles: Option<[u32; 2]>,
    /// Let a renderer that is a program of its own do whatever you may do, where there is no bubblewrap.
    #[arg(long)]
    unconfined: bool,
    /// What takes the noise out of a piece's frames: own, which leaves those of other renderers as they are, or oidn, Intel's
    /// Open Image Denoise, where it was built in; own where it is left out.
    #[arg(long, value_name = "NAME")]
    denoiser: Option<Denoiser>,
    /// Keep the raw light of each frame of a piece too: linear, undenoised, as OpenEXR.
    #[arg(long)]
    exr: bool,
    /// Make a film of the frames too: film.mp4, an animated preview.webp of less than 8 MB, and poster.png.
    #[arg(long)]
    film: bool,
    /// Where the simulation of a piece runs: auto, cpu, gpu, or gpu-split (without 64-bit integers); auto where it is left
    /// out. The bits are the same.
    #[arg(long)]
    backend: Option<Backend>,
    /// The folder; `<recipe CID>-<renderer>` here where it is left out.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    #[command(flatten)]
    source: Source,
    /// Where the simulation runs: auto, cpu, gpu, or gpu-split (without 64-bit integers). The bits are the same.
    #[arg(long, default_value = "auto")]
    backend: Backend,
    /// The file; `<recipe CID>.glb` here where it is left out.
    #[arg(long, short)]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RendererCommand {
    /// Go through what a plug-in has to do, as its author does before anybody else.
    Check {
        /// The plug-in's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Write the digest of its files into its manifest first.
        #[arg(long)]
        seal: bool,
        /// A file that it reads, to be drawn in whole and in part: for plug-ins that read files.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Write a PNG of our picture beside its own; or of its own, where it reads files alone.
        #[arg(long, value_name = "PNG")]
        picture: Option<PathBuf>,
        /// Let it do whatever you may do, where there is no bubblewrap.
        #[arg(long)]
        unconfined: bool,
    },
    /// Take a plug-in's folder into the home, under the name in its manifest, in place of an earlier version.
    Add {
        /// The plug-in's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Remove a plug-in that was added.
    Remove {
        /// Its name.
        name: String,
    },
}

pub(super) fn render_frames(arguments: &RenderArguments, json: bool) -> Result<(), Failure> {
    let home = Home::default_place()?;
    let file = arguments.source.of_another_program()?;
    let plugin = match (arguments.renderer.as_deref(), &file) {
        (Some(name), _) if name.parse::<Renderer>().is_err() => Some(renderers::find(&home, name)?),
        (Some(name), Some(path)) => {
            return Err(Failure::Use(format!("{name} draws pieces: {} takes another renderer", path.display())));
        }
        (None, Some(path)) => {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let found = renderers::that_reads(&home, &ending)?;
            Some(found.ok_or_else(|| StudioError::NobodyReads(path.clone()))?)
        }
        _ => None,
    };
    let plugin = match plugin {
        Some(plugin) => {
            plugin.installed().map_err(StudioError::from)?;
            let sandbox = renderers::sandbox(&plugin, arguments.unconfined)?;
            Some((plugin, sandbox))
        }
        None => None,
    };
    match (file, plugin) {
        (Some(file), Some(by)) => render_a_file(&file, by, arguments, json),
        (_, plugin) => render_a_piece(&home, plugin, arguments, json),
    }
}

fn render_a_file(file: &Path, by: (Plugin, Sandbox), arguments: &RenderArguments, json: bool) -> Result<(), Failure> {
    let source = &arguments.source;
    let of_pieces = [
        ("--exr", arguments.exr),
        ("--denoiser", arguments.denoiser.is_some()),
        ("--seed", source.seed.is_some()),
        ("--param", !source.params.is_empty()),
        ("--quality", source.quality.is_some()),
        ("--backend", arguments.backend.is_some()),
    ];
    if let Some((option, _)) = of_pieces.iter().find(|(_, given)| *given) {
        return Err(Failure::Use(format!("{option} is for pieces: {} says for itself what it shows", file.display())));
    }
    let wishes = FileWishes {
        frames: arguments.frames.clone().unwrap_or(Frames::All),
        by,
        samples: arguments.samples,
        tiles: arguments.tiles.unwrap_or([1, 1]),
        film: arguments.film,
        out: arguments.out.clone(),
    };
    bars::heeds_interrupts();
    let (rendered, found) = render_file(file, &wishes, &Bars::default(), &mut |film| {
        if let Some(note) = &film.note {
            output::aside(note);
        }
    })?;
    let made = arguments.film.then(|| export::compile(&rendered, found.fps, &Bars::default())).transpose()?;
    output::rendered(&rendered, found.note.as_deref(), made.as_ref(), json);
    Ok(())
}

fn render_a_piece(
    home: &Home,
    plugin: Option<(Plugin, Sandbox)>,
    arguments: &RenderArguments,
    json: bool,
) -> Result<(), Failure> {
    if arguments.tiles.is_some() {
        return Err(Failure::Use("--tiles is for files of other programs".into()));
    }
    let mut recipe = arguments.source.recipe()?;
    let by = match plugin {
        Some((plugin, sandbox)) => render::By::Plugin(plugin.into(), sandbox),
        None => {
            let name = arguments.renderer.as_deref().unwrap_or(&recipe.film.renderer);
            render::By::Own(name.parse().map_err(Failure::Use)?)
        }
    };
    if let Some(samples) = arguments.samples {
        recipe.film.samples = samples;
    }
    output::announce(&recipe)?;
    let wishes = render::Wishes {
        frames: arguments.frames.clone().unwrap_or(Frames::All),
        by,
        denoiser: arguments.denoiser.unwrap_or_default(),
        exr: arguments.exr,
        backend: arguments.backend.unwrap_or_default(),
        out: arguments.out.clone(),
    };
    let rendered = render(home, &recipe, &wishes, &Bars::default())?;
    let made = arguments.film.then(|| export::compile(&rendered, recipe.film.fps, &Bars::default())).transpose()?;
    output::rendered(&rendered, None, made.as_ref(), json);
    Ok(())
}

pub(super) fn write_model(arguments: &ModelArguments, json: bool) -> Result<(), Failure> {
    let recipe = arguments.source.recipe()?;
    output::announce(&recipe)?;
    let home = Home::default_place()?;
    let made = export::model(&home, &recipe, arguments.backend, arguments.out.as_deref(), &Bars::default())?;
    output::modelled(&made, json);
    Ok(())
}

pub(super) fn renderer(command: &RendererCommand, json: bool) -> Result<ExitCode, Failure> {
    match command {
        RendererCommand::Check { folder, seal, file, picture, unconfined } => {
            if *seal {
                renderers::seal(folder)?;
            }
            let plugin = Plugin::unsealed(folder).map_err(StudioError::from)?;
            let sandbox = renderers::sandbox(&plugin, *unconfined)?;
            let told = &mut |finding: &plugin::check::Finding| output::finding(finding, json);
            bars::heeds_interrupts();
            let found = plugin::check::check(&plugin, &sandbox, file.as_deref(), told, bars::interrupted);
            if bars::interrupted() {
                return Err(StudioError::Stopped.into());
            }
            if json {
                output::findings(&plugin, &found.findings);
            }
            if let (Some(path), Some(drawn)) = (picture, &found.picture) {
                let png = encode_png(drawn).map_err(StudioError::from)?;
                files::write_atomically(path, &png, Access::Shared)
                    .map_err(|error| Failure::Use(format!("{}: {error}", path.display())))?;
            }
            if found.findings.iter().any(|finding| finding.problem.is_some()) {
                return Ok(ExitCode::FAILURE);
            }
        }
        RendererCommand::Add { folder } => {
            let (plugin, replaced) = renderers::add(&Home::default_place()?, folder)?;
            output::renderer_added(&plugin, replaced.as_deref(), json);
        }
        RendererCommand::Remove { name } => {
            if renderers::is_embedded(name) {
                return Err(Failure::Use(format!("{name} is a part of this program")));
            }
            if !renderers::remove(&Home::default_place()?, name)? {
                return Err(Failure::Use(format!("no renderer called `{name}` was added")));
            }
            output::renderer_removed(name, json);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Source {
    /// The file, where this is another program's: what ends as neither recipes nor scenes do.
    fn of_another_program(&self) -> Result<Option<PathBuf>, Failure> {
        let path = Path::new(&self.what);
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let folders = path.components().count() > 1;
        match ending.as_deref() {
            Some("toml" | "json") => return Ok(None),
            None if !folders => return Ok(None),
            _ => {}
        }
        match path.metadata() {
            Ok(found) if found.is_file() && ending.is_some() => Ok(Some(path.to_owned())),
            Ok(found) if found.is_file() => {
                Err(Failure::Use(format!("{} has no ending that says what it is", path.display())))
            }
            Ok(_) => Err(Failure::Use(format!("{} is not a regular file", path.display()))),
            Err(error) => Err(Failure::Use(format!("{}: {error}", path.display()))),
        }
    }
}

fn frames(text: &str) -> Result<Frames, String> {
    if text == "poster" {
        return Ok(Frames::Poster);
    }
    let range = seed_range(text)?;
    let end = |end: u64| u32::try_from(end).map_err(|_| format!("no film has {end} frames"));
    Ok(Frames::Some(end(range.start)?..end(range.end)?))
}

fn tiles(text: &str) -> Result<[u32; 2], String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|count| (1..=64).contains(count));
    let parts = text.split_once('x').and_then(|(columns, rows)| Some([number(columns)?, number(rows)?]));
    parts.ok_or_else(|| format!("`{text}` is no COLUMNSxROWS, each 1 to 64"))
}
