//! Going over a piece once more: hashes, the simulation, pixels, the token.

use seedstorm_mint::{Attestation, Bundle, Cid, ContentCids, Metadata, Store, bundle::BundleError};
use seedstorm_render::{Rect, film::FilmEncoder};
use seedstorm_sim::{Backend, Digest, Recipe, Simulation, Trajectory, resolve, scenario::Scenario};
use serde::Serialize;

use crate::{
    Home, Observer, Stage, StudioError,
    check::alike,
    film::{Shoot, crop, frame_image, poster_frame},
    ledger::Ledger,
    located::{Located, locate, pinned_attestations},
    make::wrong_metadata,
    making::run_through,
    random_bytes,
};

/// Edge of the tile that is rendered again, in pixels.
const TILE: u32 = 32;

/// The outcome of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether every check passed.
    pub ok: bool,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// What was found, in words.
    pub detail: String,
}

/// What [`verify`] is to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// Where the simulation runs again. `Auto` takes another backend than the one that made the piece, where there is
    /// one.
    pub backend: Backend,
    /// Whether a piece without a token passes.
    pub unminted: bool,
}

/// Checks a token, by its number, or a bundle, by its folder.
///
/// A report with failed checks is not an error; an error means that the checks could not be made.
///
/// # Errors
/// Nothing is known by that name, or the token's content is not in the store.
pub fn verify(home: &Home, piece: &str, wishes: Wishes, observer: &dyn Observer) -> Result<Report, StudioError> {
    let mut report = Report { ok: true, checks: vec![] };
    let located = match locate(home, piece) {
        Ok(located) => located,
        Err(error @ (StudioError::Mint(_) | StudioError::NotStored { .. })) => {
            return Ok(Report { ok: false, checks: vec![failed("store", error)] });
        }
        Err(error) => return Err(error),
    };
    if let Some(problem) = check_all(home, &located, wishes, observer, &mut report)? {
        report.checks.push(problem);
    }
    report.ok = report.checks.iter().all(|check| check.ok);
    Ok(report)
}

/// Whether the store still has, whole, what it was given of this piece; `None` where it never had it.
fn check_store(home: &Home, bundle: &Cid, here: &[Attestation]) -> Result<Option<(bool, String)>, StudioError> {
    let store = Store::open(home.store())?;
    if !store.pins()?.iter().any(|pin| pin.cid == *bundle) {
        return Ok(None);
    }
    let blocks = store.reachable(bundle)?.len();
    let pinned = pinned_attestations(&store, bundle)?;
    let gone = pinned.iter().filter(|pinned| !here.iter().any(|a| a.to_json() == pinned.to_json())).count();
    if gone > 0 {
        return Ok(Some((
            false,
            format!("{gone} of {} attestations that were pinned are gone from the folder", pinned.len()),
        )));
    }
    Ok(Some((true, format!("{blocks} blocks, each with the digest that it is named for"))))
}

/// Makes the checks. What keeps the rest from being checked is returned as a last, failed check.
fn check_all(
    home: &Home,
    located: &Located,
    wishes: Wishes,
    observer: &dyn Observer,
    report: &mut Report,
) -> Result<Option<Check>, StudioError> {
    /// Takes a value out of a result, or ends the checks with the failed one.
    macro_rules! need {
        ($name:literal, $result:expr) => {
            match $result {
                Ok(value) => value,
                Err(error) => return Ok(Some(failed($name, error))),
            }
        };
    }
    let mut pass = |name, ok, detail: String| report.checks.push(Check { name, ok, detail });

    let bundle = need!("bundle", Bundle::open(located.path()));
    let content = need!("bundle", bundle.content_cids());
    pass("bundle", true, format!("{} with {} frames", content.bundle, bundle.frame_count()));

    let recipe_bytes = need!("recipe", bundle.recipe());
    let recipe = need!("recipe", Recipe::from_json(&recipe_bytes));
    let (scenario, genome) = need!("recipe", resolve(&recipe));
    let canonical = recipe.canonical() == recipe_bytes && recipe.cid() == content.recipe;
    pass(
        "recipe",
        canonical,
        if canonical { content.recipe.to_string() } else { "it is not in its canonical form".into() },
    );

    let (metadata, metadata_bytes) = match bundle.metadata(&content) {
        Ok(read) => read,
        Err(error @ BundleError::OtherContent { .. }) => {
            // The store knows which file was another.
            let changed = Store::open(home.store()).ok().and_then(|store| bundle.changed_files(&store).ok());
            let names = changed.filter(|names| !names.is_empty()).map(|names| names.join(", "));
            let named = names.map_or_else(|| error.to_string(), |names| format!("{error}; changed: {names}"));
            return Ok(Some(failed("metadata", named)));
        }
        Err(error) => return Ok(Some(failed("metadata", error))),
    };
    let wrong = wrong_metadata(&*scenario, &genome, &recipe, &content, &metadata);
    let metadata_cid = seedstorm_mint::block::raw_cid(&metadata_bytes);
    pass("metadata", wrong.is_none(), wrong.unwrap_or_else(|| metadata_cid.to_string()));

    let attestations = need!("attestations", bundle.attestations(&content));
    let mut backends = Vec::new();
    for (attestation, _) in &attestations {
        let claim = attestation.claim();
        backends.push(claim.backend.clone());
        let same = claim.sim_root == metadata.sim_root;
        let detail =
            format!("{} on {}{}", attestation.signer(), claim.backend, if same { "" } else { ", of another sim_root" });
        pass("attestation", same, detail);
    }

    let here: Vec<Attestation> = attestations.iter().map(|(attestation, _)| attestation.clone()).collect();
    match check_store(home, &content.bundle, &here) {
        Ok(Some((ok, detail))) => pass("store", ok, detail),
        Ok(None) => {}
        // The folder's own content is checked all the same.
        Err(error) => pass("store", false, error.to_string()),
    }

    let (film_ok, film) = need!("film", check_film(&recipe, &*scenario, &bundle));
    pass("film", film_ok, film);

    let trajectory = need!("trajectory", Trajectory::from_bytes(need!("trajectory", bundle.trajectory())));
    let root = trajectory.sim_root();
    let plan = scenario.plan(&genome);
    let (count, expected) = (trajectory.checkpoints().len(), (plan.steps / plan.checkpoint_every + 1) as usize);
    let agrees = root.0 == metadata.sim_root && count == expected;
    pass(
        "trajectory",
        agrees,
        if agrees {
            format!("{count} checkpoints lead to {root}")
        } else if count != expected {
            format!("it has {count} checkpoints, and the recipe gives {expected}")
        } else {
            format!("its checkpoints lead to {root}, the metadata names {}", Digest(metadata.sim_root))
        },
    );

    let backend = other_backend(wishes.backend, &backends);
    observer.begin(Stage::Simulate, u64::from(plan.steps));
    let mut simulation = Simulation::new(&recipe, backend)?;
    run_through(&mut simulation, observer, &mut |simulation| {
        // The claimed checkpoints one by one; whether all of them lead to the root was looked at above.
        if let Some((at, digest)) = simulation.latest_checkpoint() {
            let claimed = trajectory.checkpoints();
            observer.compared(at as u32, expected as u32, claimed.get(at) == Some(&digest));
        }
        Ok(())
    })?;
    let run = simulation.finish()?;
    observer.end(Stage::Simulate);
    let same = run.sim_root.0 == metadata.sim_root;
    pass(
        "simulation",
        same,
        if same {
            format!("run again on {}: {}", run.backend, run.sim_root)
        } else {
            format!("run again on {} it gives {}", run.backend, run.sim_root)
        },
    );
    let same = run.trajectory.as_bytes() == trajectory.as_bytes();
    pass(
        "motion",
        same,
        if same {
            "the trajectory is that of the simulation, byte for byte".into()
        } else {
            "the trajectory is not that of the simulation".into()
        },
    );

    let frame = random_below(recipe.film.frames)?;
    let tile = Rect {
        x: random_below(recipe.film.width - TILE.min(recipe.film.width) + 1)?,
        y: random_below(recipe.film.height - TILE.min(recipe.film.height) + 1)?,
        width: TILE.min(recipe.film.width),
        height: TILE.min(recipe.film.height),
    };
    let stored = crop(&need!("pixels", frame_image(located.path(), frame)), tile);
    let again = Shoot::new(&*scenario, &genome, &recipe.film, &run.trajectory).tile(frame, tile)?;
    let place = format!("frame {frame}, {} × {} pixels at {}, {}", tile.width, tile.height, tile.x, tile.y);
    // A device rounds as it likes; its light is what `check` judges.
    let (same, word) = match &*recipe.film.renderer {
        "cpu" => (stored == again, "equal"),
        _ => (alike(&stored, &again), "alike"),
    };
    pass("pixels", same, format!("{place}: rendered again, {}", if same { word } else { "different" }));

    let (ok, detail) = check_token(home, located, wishes, &metadata_cid, &content, &metadata)?;
    pass("token", ok, detail);
    Ok(None)
}

fn failed(name: &'static str, error: impl std::fmt::Display) -> Check {
    Check { name, ok: false, detail: error.to_string() }
}

/// Encodes the frames again: one encoder, one film.
fn check_film(recipe: &Recipe, scenario: &dyn Scenario, bundle: &Bundle) -> Result<(bool, String), StudioError> {
    let film = &recipe.film;
    if bundle.frame_count() != film.frames as usize {
        return Ok((false, format!("{} frames, the recipe asks for {}", bundle.frame_count(), film.frames)));
    }
    let mut encoder = FilmEncoder::new(film.width as usize, film.height as usize, film.fps)?;
    for frame in 0..film.frames {
        encoder.push(&frame_image(bundle.folder(), frame)?)?;
    }
    let read = |name: &str| {
        let path = bundle.folder().join(name);
        std::fs::read(&path).map_err(StudioError::io(&path))
    };
    if encoder.finish()? != read("film.mp4")? {
        return Ok((false, "the film is not that of the frames".into()));
    }
    let poster = poster_frame(scenario, film);
    if read("poster.png")? != read(&format!("frames/{poster:04}.png"))? {
        return Ok((false, format!("the poster is not frame {poster}")));
    }
    Ok((true, format!("{} frames encoded again, equal; the poster is frame {poster}", film.frames)))
}

fn check_token(
    home: &Home,
    located: &Located,
    wishes: Wishes,
    metadata_cid: &Cid,
    content: &ContentCids,
    metadata: &Metadata,
) -> Result<(bool, String), StudioError> {
    let ledger = Ledger::read(home)?;
    let token = match located.token {
        Some(id) => Some(ledger.token(id)?),
        None => ledger.find(metadata_cid)?,
    };
    let Some(token) = token else {
        let detail = "no token on the chain commits to this metadata";
        return Ok((wishes.unminted, format!("{detail}{}", if wishes.unminted { ", as allowed" } else { "" })));
    };
    let wrong = [
        ("metadata", token.metadata != *metadata_cid),
        ("recipe", token.recipe != content.recipe),
        ("sim_root", token.sim_root != metadata.sim_root),
    ];
    let names: Vec<&str> = wrong.iter().filter(|(_, wrong)| *wrong).map(|(name, _)| *name).collect();
    if names.is_empty() {
        return Ok((true, format!("token {} of {}, whose word and event agree", token.id, token.owner)));
    }
    Ok((false, format!("token {} says another {}", token.id, names.join(", "))))
}

/// Another backend than those that made the piece, where the choice is left to us.
fn other_backend(wish: Backend, made_on: &[String]) -> Backend {
    let only_gpu = !made_on.is_empty() && made_on.iter().all(|backend| backend.starts_with("wgpu"));
    if wish == Backend::Auto && only_gpu { Backend::Cpu } else { wish }
}

/// A number that nobody can foresee, in `0..bound`.
fn random_below(bound: u32) -> Result<u32, StudioError> {
    let word = u64::from_le_bytes(random_bytes()?);
    Ok((word % u64::from(bound)) as u32)
}
