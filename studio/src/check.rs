//! Checks of parts of a piece: single segments and tiles of frames, drawn by chance, or segments that are named; and where
//! two runs of one world part.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use seedstorm_mint::{Bundle, files};
use seedstorm_render::{
    Rect,
    judge::{Verdict, judge},
};
use seedstorm_sim::{
    Backend, Digest, Recipe, Seed, SimError, Trajectory,
    random::Stream,
    resolve,
    segment::{History, Parting, Replayer, Right, bisect, draw, first_parting, odds},
};
use serde::{Deserialize, Serialize};

use crate::{
    Home, Observer, Stage, StudioError,
    checkpoints::Checkpoints,
    film::{Shoot, crop, frame_image},
    light,
    located::{Located, locate},
    random_bytes,
};

/// For how long checkpoints are kept by default.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The largest journal that is read, in bytes.
const MAX_JOURNAL_BYTES: u64 = 1 << 20;

/// A run as its bundle claims it.
struct Claim {
    recipe: Recipe,
    trajectory: Trajectory,
    /// The bundle's folder.
    folder: PathBuf,
    /// The roots of its frames' light that were signed.
    light_roots: Vec<Digest>,
    _located: Located,
}

impl Claim {
    fn read(home: &Home, piece: &str) -> Result<Self, StudioError> {
        let located = locate(home, piece)?;
        let bundle = Bundle::open(located.path())?;
        let recipe = Recipe::from_json(&bundle.recipe()?)?;
        let trajectory = Trajectory::from_bytes(bundle.trajectory()?)?;
        // Without metadata nothing was claimed yet.
        let mut light_roots = vec![];
        if bundle.has_metadata() {
            let content = bundle.content_cids()?;
            let claimed = Digest(bundle.metadata(&content)?.0.sim_root);
            if claimed != trajectory.sim_root() {
                return Err(StudioError::OtherRoot { claimed, found: trajectory.sim_root() });
            }
            let roots = bundle.attestations(&content)?.into_iter().map(|(signed, _)| Digest(signed.claim().light_root));
            light_roots = roots.filter(|root| root.0 != [0; 32]).collect();
        }
        let folder = located.path().to_owned();
        Ok(Self { recipe, trajectory, folder, light_roots, _located: located })
    }
}

/// What became of a segment or a tile that was to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It leads to the next checkpoint, and to the trajectory's pictures.
    Holds,
    /// It does not.
    Forged,
    /// The bytes of the checkpoint that it begins with, or of the frame's raw light, are not kept here, or no longer whole.
    Gone,
    /// Of a tile that a device drew: it looks right, but has too little noise to tell by whom and how it was drawn.
    Quiet,
}

impl Outcome {
    /// Whether it was looked at, and nothing is wrong with it.
    #[must_use]
    pub fn is_well(self) -> bool {
        matches!(self, Self::Holds | Self::Quiet)
    }
}

/// A tile of a frame that was drawn again.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TileCheck {
    /// The frame.
    pub frame: u32,
    /// The tile's first column and row.
    pub place: [u32; 2],
    /// What was found. Of a device's frame: whether its light is that of the canonical tracer (see
    /// [`seedstorm_render::judge`]) and leads to the picture.
    pub outcome: Outcome,
}

/// What a spot check found.
#[derive(Debug, Clone, Serialize)]
pub struct SpotCheck {
    /// Whether every drawn segment and tile was looked at, and holds.
    pub ok: bool,
    /// Segments of the whole run.
    pub segments: u32,
    /// Whether the run begins as the recipe says.
    pub beginning: Outcome,
    /// The segments that were drawn.
    pub drawn: Vec<(u32, Outcome)>,
    /// What they were run on.
    pub backend: String,
    /// What drew the frames, as the recipe has it.
    pub renderer: String,
    /// The tiles that were drawn.
    pub tiles: Vec<TileCheck>,
    /// The root that all this is about.
    pub sim_root: Digest,
    /// The chance that a run with this share of its segments forged would have been found, for some shares.
    pub odds: Vec<Odds>,
}

/// What a spot check is worth.
#[derive(Debug, Clone, Serialize)]
pub struct Odds {
    /// So many forged segments ...
    pub forged: u32,
    /// ... would have been found with this probability.
    pub found: f64,
}

/// Runs `count` segments of a piece again and draws `tiles` tiles of its frames again, both chosen by a chance that nobody can
/// foresee, and holds the beginning against the recipe.
///
/// # Errors
/// Nothing is known by that name; files that cannot be read; a device that fails; a stop.
pub fn check(
    home: &Home,
    piece: &str,
    count: u32,
    tiles: u32,
    backend: Backend,
    observer: &dyn Observer,
) -> Result<SpotCheck, StudioError> {
    let claim = Claim::read(home, piece)?;
    let kept = Checkpoints::open(home)?;
    let mut replayer = Replayer::new(&claim.recipe, backend)?;
    replayer.fits(&claim.trajectory)?;
    let holds = |holds: bool| if holds { Outcome::Holds } else { Outcome::Forged };
    let beginning = holds(begins(&replayer, &claim.trajectory)?);
    let segments = replayer.segments();
    let chosen = draw(segments, count, &Stream::new(&Seed(random_bytes()?), "spot check"));
    observer.begin(Stage::Simulate, chosen.len() as u64);
    let mut drawn = Vec::with_capacity(chosen.len());
    for (at, segment) in chosen.into_iter().enumerate() {
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
        let from = segment * replayer.plan().checkpoint_every;
        let state = match segment {
            0 => Some(replayer.first().to_vec()),
            _ => kept.get(from, &claim.trajectory.checkpoints()[segment as usize])?,
        };
        let outcome = match state {
            None => Outcome::Gone,
            Some(state) => holds(leads_on(&mut replayer, segment, &state, &claim.trajectory)?),
        };
        drawn.push((segment, outcome));
        observer.reached(at as u64 + 1);
    }
    observer.end(Stage::Simulate);
    let tiles = check_tiles(&claim, tiles, &kept, observer)?;
    let run = drawn.iter().filter(|(_, outcome)| *outcome != Outcome::Gone).count() as u32;
    let mut outcomes = drawn.iter().map(|(_, outcome)| *outcome).chain(tiles.iter().map(|tile| tile.outcome));
    let ok = beginning == Outcome::Holds && outcomes.all(Outcome::is_well);
    let shares = [1, segments.div_ceil(10), segments.div_ceil(2)];
    let odds = shares.map(|forged| Odds { forged, found: odds(segments, forged, run) }).to_vec();
    let (backend, sim_root) = (replayer.backend(), claim.trajectory.sim_root());
    let renderer = claim.recipe.film.renderer;
    Ok(SpotCheck { ok, segments, beginning, drawn, backend, renderer, tiles, sim_root, odds })
}

/// Edge of a tile, in pixels.
const TILE: u32 = 16;

/// How far a channel of a picture may be from what its light gives: the canonical tracer's own layers stand for those that
/// the device's denoiser was given.
const LEVELS: u8 = 4;

fn check_tiles(
    claim: &Claim,
    count: u32,
    kept: &Checkpoints,
    observer: &dyn Observer,
) -> Result<Vec<TileCheck>, StudioError> {
    let (scenario, genome) = resolve(&claim.recipe)?;
    let film = &claim.recipe.film;
    let mut shoot = Shoot::new(&*scenario, &genome, film, &claim.trajectory);
    let mut lights = None;
    for root in &claim.light_roots {
        if lights.is_none() {
            lights = kept.lights(root, film.frames)?;
        }
    }
    let across = film.width.div_ceil(TILE);
    let all = film.frames * across * film.height.div_ceil(TILE);
    let chosen = draw(all, count, &Stream::new(&Seed(random_bytes()?), "tile check"));
    observer.begin(Stage::Render, chosen.len() as u64);
    let mut checked = Vec::with_capacity(chosen.len());
    for (done, number) in chosen.into_iter().enumerate() {
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
        let (frame, tile) = (number % film.frames, number / film.frames);
        let (x, y) = (tile % across * TILE, tile / across * TILE);
        let place = Rect { x, y, width: TILE.min(film.width - x), height: TILE.min(film.height - y) };
        let image = frame_image(&claim.folder, frame)?;
        let fits = (image.width, image.height) == (film.width as usize, film.height as usize);
        let shown = if fits { crop(&image, place) } else { vec![] };
        let holds = |holds: bool| if holds { Outcome::Holds } else { Outcome::Forged };
        let outcome = if film.renderer == "cpu" {
            holds(shown == shoot.tile(frame, place)?)
        } else {
            let most = light::length(film.width, film.height);
            let bytes = match lights.as_ref().and_then(|lights| lights.get(frame as usize)) {
                Some(digest) => kept.light(frame, digest, most)?.filter(|bytes| bytes.len() as u64 == most),
                None => None,
            };
            match bytes {
                None => Outcome::Gone,
                Some(bytes) => {
                    let claimed = light::from_bytes(&bytes);
                    let (ours, picture) = shoot.judged(frame, place, &claimed)?;
                    let rows = (y..y + place.height).map(|y| (y * film.width + x) as usize);
                    let cut: Vec<[f32; 3]> =
                        rows.flat_map(|from| claimed[from..from + place.width as usize].iter().copied()).collect();
                    match judge(&cut, &ours) {
                        Verdict::Differs => Outcome::Forged,
                        _ if !alike(&shown, &picture) => Outcome::Forged,
                        Verdict::Silent => Outcome::Quiet,
                        Verdict::Agrees => Outcome::Holds,
                    }
                }
            }
        };
        checked.push(TileCheck { frame, place: [x, y], outcome });
        observer.reached(done as u64 + 1);
    }
    observer.end(Stage::Render);
    Ok(checked)
}

/// Of how many pixels one may be further than [`LEVELS`]: a path that rounding sent elsewhere changes a pixel now and then.
const ONE_IN: usize = 16;

/// Whether all pixels of two pictures but one in [`ONE_IN`] are within [`LEVELS`].
pub(crate) fn alike(one: &[u8], other: &[u8]) -> bool {
    let pixels = one.as_chunks::<3>().0.iter().zip(other.as_chunks::<3>().0);
    let far = pixels.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > LEVELS)).count();
    one.len() == other.len() && far * ONE_IN * 3 <= one.len()
}

/// Whether a trajectory begins, its first picture included, as the recipe says.
fn begins(replayer: &Replayer, trajectory: &Trajectory) -> Result<bool, StudioError> {
    let shown = trajectory.snapshot(0)? == *replayer.first_snapshot();
    Ok(shown && replayer.first_digest() == trajectory.checkpoints()[0])
}

/// Whether a segment leads to the checkpoint and the snapshots that the trajectory has.
fn leads_on(replayer: &mut Replayer, segment: u32, state: &[u8], trajectory: &Trajectory) -> Result<bool, StudioError> {
    let replayed = match replayer.replay(segment, state) {
        Ok(replayed) => replayed,
        // What no honest run can be in.
        Err(SimError::Saved(_) | SimError::NotFinite { .. } | SimError::Kernel(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let shown = replayer.plan().checkpoint_every / replayer.plan().snapshot_every;
    for (snapshot, at) in replayed.snapshots.iter().zip(segment * shown + 1..) {
        if trajectory.snapshot(at as usize)? != *snapshot {
            return Ok(false);
        }
    }
    Ok(replayed.digest == trajectory.checkpoints()[segment as usize + 1])
}

/// One segment that was run again.
#[derive(Debug, Clone, Serialize)]
pub struct Replay {
    /// Which.
    pub segment: u32,
    /// Segments of the whole run.
    pub segments: u32,
    /// The steps that it leads from and to.
    pub steps: [u32; 2],
    /// The checkpoint that it leads to.
    pub leads_to: Digest,
    /// The one that the piece claims.
    pub claimed: Digest,
    /// Whether the two are one, and the trajectory's pictures are the segment's.
    pub ok: bool,
    /// What it was run on.
    pub backend: String,
}

/// The digest of the state after each step of one segment: what a party to a dispute shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The world.
    pub world_id: String,
    /// The segment.
    pub segment: u32,
    /// A digest a step.
    pub digests: Vec<String>,
}

/// Runs one segment of a piece again: from the bytes of its checkpoint if they are kept, else from the last one before it
/// that is, or from the recipe. With `journal`, writes the digest of every step there.
///
/// # Errors
/// As [`check`]; [`SimError::NoSegment`]; [`StudioError::Parted`] where the way to the segment is wrong already.
pub fn replay(
    home: &Home,
    piece: &str,
    segment: u32,
    journal: Option<&Path>,
    backend: Backend,
    observer: &dyn Observer,
) -> Result<Replay, StudioError> {
    let claim = Claim::read(home, piece)?;
    let mut replayer = Replayer::new(&claim.recipe, backend)?;
    replayer.fits(&claim.trajectory)?;
    let (segments, every) = (replayer.segments(), replayer.plan().checkpoint_every);
    if segment >= segments {
        return Err(SimError::NoSegment { segment, segments }.into());
    }
    let state = Checkpoints::open(home)?.reach(segment, &claim.trajectory, &mut replayer, observer)?;
    let replayed = replayer.replay(segment, &state)?;
    if let Some(path) = journal {
        let digests = replayer.journal(segment, &state)?.iter().map(ToString::to_string).collect();
        let journal = Journal { world_id: claim.recipe.world_id().to_string(), segment, digests };
        let text = serde_json::to_vec_pretty(&journal).expect("plain numbers and texts");
        files::write_atomically(path, &text, files::Access::Shared).map_err(StudioError::io(path))?;
    }
    Ok(Replay {
        segment,
        segments,
        steps: [segment * every, (segment + 1) * every],
        leads_to: replayed.digest,
        claimed: claim.trajectory.checkpoints()[segment as usize + 1],
        ok: leads_on(&mut replayer, segment, &state, &claim.trajectory)?
            && (segment > 0 || begins(&replayer, &claim.trajectory)?),
        backend: replayer.backend(),
    })
}

/// Where two pieces of one world part.
#[derive(Debug, Clone, Serialize)]
pub struct Dispute {
    /// The first checkpoint that differs.
    pub checkpoint: u32,
    /// The segment that leads there.
    pub segment: Option<u32>,
    /// The first step that differs, where both journals were given.
    pub step: Option<u32>,
    /// Whose is right.
    pub right: Right,
}

/// Finds the first checkpoint in which two pieces of one world part, and whose is right; with the journals of both for
/// the segment before it, the first step. `None` where they are one.
///
/// # Errors
/// As [`replay`]; pieces of two worlds; a journal that is none, or does not lead to what its piece claims.
pub fn dispute(
    home: &Home,
    pieces: [&str; 2],
    journals: Option<[&Path; 2]>,
    backend: Backend,
    observer: &dyn Observer,
) -> Result<Option<Dispute>, StudioError> {
    let claims = [Claim::read(home, pieces[0])?, Claim::read(home, pieces[1])?];
    if claims[0].recipe.world_id() != claims[1].recipe.world_id() {
        return Err(StudioError::OtherWorld);
    }
    let mut replayer = Replayer::new(&claims[0].recipe, backend)?;
    for claim in &claims {
        replayer.fits(&claim.trajectory)?;
    }
    let every = replayer.plan().checkpoint_every;
    let Some(checkpoint) = first_parting(claims[0].trajectory.checkpoints(), claims[1].trajectory.checkpoints()) else {
        return Ok(None);
    };
    let segment = checkpoint.checked_sub(1);
    let mut histories = Vec::with_capacity(2);
    for (side, claim) in claims.iter().enumerate() {
        let digests = match (journals, segment) {
            (Some(paths), Some(segment)) => Some(read_journal(paths[side], claim, segment, every)?),
            _ => None,
        };
        histories.push(Told { claim, from: segment.unwrap_or(0) * every, digests });
    }
    let kept = Checkpoints::open(home)?;
    if journals.is_some() {
        let mut state = None;
        if let Some(segment) = segment {
            state = Some(kept.reach(segment, &claims[0].trajectory, &mut replayer, observer)?);
        }
        let [first, second] = &mut histories[..] else { unreachable!("there are two") };
        let mut state = |_| Ok(state.clone().unwrap_or_default());
        let found = bisect(&mut replayer, first, second, &mut state)?;
        return Ok(found.map(|Parting { checkpoint, step, right }| Dispute {
            checkpoint,
            segment,
            step: Some(step),
            right,
        }));
    }
    let right = match segment {
        None => replayer.first_digest(),
        Some(segment) => {
            let state = kept.reach(segment, &claims[0].trajectory, &mut replayer, observer)?;
            replayer.replay(segment, &state)?.digest
        }
    };
    let claims = [0, 1].map(|side: usize| claims[side].trajectory.checkpoints()[checkpoint as usize]);
    Ok(Some(Dispute { checkpoint, segment, step: None, right: Right::of(right, claims) }))
}

/// A history as a bundle and a journal tell it.
struct Told<'a> {
    claim: &'a Claim,
    /// The step that the journal begins after.
    from: u32,
    digests: Option<Vec<Digest>>,
}

impl History for Told<'_> {
    fn checkpoints(&self) -> &[Digest] {
        self.claim.trajectory.checkpoints()
    }

    fn step(&mut self, step: u32) -> Result<Digest, SimError> {
        let at = step.checked_sub(self.from + 1);
        let told = at.and_then(|at| self.digests.as_ref()?.get(at as usize));
        told.copied().ok_or_else(|| SimError::History(format!("its journal has no step {step}")))
    }
}

/// A journal of `segment` that leads to the checkpoint which the piece claims.
fn read_journal(path: &Path, claim: &Claim, segment: u32, every: u32) -> Result<Vec<Digest>, StudioError> {
    let bytes = files::read_bounded(path, MAX_JOURNAL_BYTES).map_err(StudioError::io(path))?;
    let wrong = |problem: String| StudioError::Journal { path: path.to_owned(), problem };
    let journal: Journal = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if journal.world_id != claim.recipe.world_id().to_string() || journal.segment != segment {
        return Err(wrong(format!("it is not of segment {segment} of this world")));
    }
    let digests: Result<Vec<Digest>, _> = journal.digests.iter().map(|text| text.parse()).collect();
    let digests = digests.map_err(|error: seedstorm_sim::merkle::DigestError| wrong(error.to_string()))?;
    if digests.len() != every as usize || digests.last() != claim.trajectory.checkpoints().get(segment as usize + 1) {
        return Err(wrong("it does not lead to the checkpoint that its piece claims".into()));
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use seedstorm_sim::{Film, recipe::ParamValue};

    use super::*;
    use crate::{make, make::Options, observer::Quiet};

    fn outcomes(home: &Home, piece: &Path) -> Vec<Outcome> {
        let found = check(home, piece.to_str().expect("a plain path"), 1, 8, Backend::Cpu, &Quiet).expect("a check");
        assert_eq!(found.ok, found.tiles.iter().all(|tile| tile.outcome.is_well()));
        found.tiles.iter().map(|tile| tile.outcome).collect()
    }

    /// Whoever is paid for light and signs for another is found out, and so is who has none to show.
    #[test]
    fn light_that_a_device_was_not_paid_for_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::open(folder.path()).expect("a home");
        let film = Film { frames: 2, fps: 12, width: 64, height: 48, samples: 8, renderer: "gpu".into() };
        let mut recipe = Recipe::new("bloom@1", Seed::from(3), film).expect("a recipe");
        for (name, value) in [("arms", 5.0), ("rings", 3.0)] {
            recipe.params.insert(name.to_owned(), ParamValue::Number(value));
        }
        let week = Some(KEPT);
        let options = Options { backend: Backend::Cpu, mint: false, keep_checkpoints: week, ..Options::default() };
        let made = make(&home, &recipe, &options, &Quiet).expect("a piece");
        let honest = outcomes(&home, &made.bundle);
        assert!(honest.iter().all(|outcome| outcome.is_well()), "{honest:?}");
        assert!(honest.contains(&Outcome::Holds), "{honest:?}");

        let kept = Checkpoints::open(&home).expect("what is kept");
        let (scenario, genome) = resolve(&recipe).expect("a world");
        let cheap = Film { samples: 6, ..recipe.film.clone() };
        let claim = Claim::read(&home, made.bundle.to_str().expect("a plain path")).expect("a claim");
        let mut shoot = Shoot::new(&*scenario, &genome, &cheap, &claim.trajectory);
        let digests = [0, 1].map(|frame| {
            let (_, layers) = shoot.drawn(frame, &|_| false).expect("a frame");
            kept.keep_light(frame, &light::to_bytes(&layers), crate::making::now(), KEPT).expect("light")
        });
        let root = kept.keep_lights(&digests, crate::making::now(), KEPT).expect("light");
        sign_for(&home, &made.bundle, root);
        assert_eq!(outcomes(&home, &made.bundle), [Outcome::Forged; 8]);
        sign_for(&home, &made.bundle, Digest([7; 32]));
        assert_eq!(outcomes(&home, &made.bundle), [Outcome::Gone; 8]);
    }

    /// A square of so little of a tile that is something else is seen, and a pixel in sixteen is not.
    #[test]
    fn pictures_are_alike_but_for_few_pixels() {
        let tile = vec![90; 16 * 16 * 3];
        let changed = |pixels: usize, by: u8| {
            let mut other = tile.clone();
            other[..pixels * 3].iter_mut().for_each(|channel| *channel += by);
            other
        };
        assert!(alike(&tile, &changed(256, 4)) && alike(&tile, &changed(16, 100)));
        assert!(!alike(&tile, &changed(17, 5)));
        assert!(!alike(&tile, &tile[3..]));
    }

    /// Puts a statement about another light in the place of the one that is there.
    fn sign_for(home: &Home, piece: &Path, root: Digest) {
        let mut bundle = Bundle::open(piece).expect("a bundle");
        let content = bundle.content_cids().expect("content");
        let (signed, _) = bundle.attestations(&content).expect("attestations").remove(0);
        std::fs::remove_dir_all(piece.join("attestations")).expect("its attestations");
        let claim = seedstorm_mint::Claim { light_root: root.0, ..signed.claim().clone() };
        let signed = claim.sign(&crate::ledger::unlock(home).expect("the key")).expect("a signature");
        bundle.write_attestation(&signed).expect("an attestation");
    }
}
