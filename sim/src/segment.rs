//! Segments: the steps from one checkpoint to the next, each of which can be run by itself.
//!
//! Whoever has the bytes of a checkpoint runs the segment after it and compares what comes out with what was claimed, for
//! a part of the cost of the whole. Two claims that differ are taken apart down to the one step that cannot be right in
//! both, by [`bisect`].

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    merkle::{self, Digest},
    random::Stream,
    recipe::Recipe,
    trajectory::{Snapshot, Trajectory},
    world::{Backend, Plan, SimError, World, resolve},
};

/// Runs segments of one world.
pub struct Replayer {
    world: Box<dyn World>,
    plan: Plan,
    first: Vec<u8>,
    first_snapshot: Snapshot,
}

/// What a segment leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The next checkpoint's bytes.
    pub checkpoint: Vec<u8>,
    /// The digest of that checkpoint.
    pub digest: Digest,
    /// The snapshots after the segment's first step, the last one of which is at its end where the plan has one there.
    pub snapshots: Vec<Snapshot>,
}

impl Replayer {
    /// The world of `recipe`.
    ///
    /// # Errors
    /// The recipe names no scenario or is out of range, or a device failed.
    pub fn new(recipe: &Recipe, backend: Backend) -> Result<Self, SimError> {
        let (scenario, genome) = resolve(recipe)?;
        Self::of(scenario.world(&genome, backend)?, scenario.plan(&genome))
    }

    /// Any world, fresh from its first state, and how it is run.
    ///
    /// # Errors
    /// A device failed.
    pub fn of(mut world: Box<dyn World>, plan: Plan) -> Result<Self, SimError> {
        let (first, first_snapshot) = (world.checkpoint()?, world.snapshot()?);
        Ok(Self { world, plan, first, first_snapshot })
    }

    /// How the world is run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many segments there are: one fewer than checkpoints.
    #[must_use]
    pub fn segments(&self) -> u32 {
        self.plan.steps / self.plan.checkpoint_every
    }

    /// Whether as many checkpoints are claimed as a run of this world has.
    ///
    /// # Errors
    /// [`SimError::OtherPlan`].
    pub fn expects(&self, checkpoints: &[Digest]) -> Result<(), SimError> {
        counted("checkpoints", self.segments() as usize + 1, checkpoints.len())
    }

    /// Whether a trajectory has all that one of this world has, and no more.
    ///
    /// # Errors
    /// [`SimError::OtherPlan`].
    pub fn fits(&self, trajectory: &Trajectory) -> Result<(), SimError> {
        self.expects(trajectory.checkpoints())?;
        let plan = &self.plan;
        counted("snapshots", (plan.steps / plan.snapshot_every) as usize + 1, trajectory.snapshots())?;
        counted("elements", plan.elements, trajectory.elements())?;
        counted("numbers to an element", plan.channels, trajectory.channels())
    }

    /// What the first snapshot shows: what the recipe itself says.
    #[must_use]
    pub fn first_snapshot(&self) -> &Snapshot {
        &self.first_snapshot
    }

    /// The first checkpoint's bytes: what the recipe itself says.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        &self.first
    }

    /// The digest of the first checkpoint.
    #[must_use]
    pub fn first_digest(&self) -> Digest {
        merkle::leaf(0, &self.first)
    }

    /// What the world runs on.
    #[must_use]
    pub fn backend(&self) -> String {
        self.world.backend()
    }

    /// Runs segment number `segment` from the bytes of the checkpoint that it begins with.
    ///
    /// The bytes may be anybody's: whether their digest is the one that was claimed is the caller's to check. Bytes that
    /// are no state of this world end in an error; another form of one leads where it leads, though no honest history
    /// claims its digest.
    ///
    /// # Errors
    /// [`SimError::NoSegment`]; [`SimError::Saved`] where the bytes are no state of this world or cannot be stepped; the
    /// state left the range in which it is exact; a device failed.
    pub fn replay(&mut self, segment: u32, state: &[u8]) -> Result<Replayed, SimError> {
        let mut snapshots = Vec::new();
        let (from, to) = self.bounds(segment)?;
        let every = self.plan.snapshot_every;
        let checkpoint = self.run(from, state, |world| {
            let mut step = from;
            while step < to {
                let stride = (every - step % every).min(to - step);
                world.advance(stride)?;
                step += stride;
                if step.is_multiple_of(every) {
                    snapshots.push(world.snapshot()?);
                }
            }
            world.checkpoint()
        })?;
        Ok(Replayed { digest: merkle::leaf(to, &checkpoint), checkpoint, snapshots })
    }

    /// The digest of the state after each step of segment number `segment`, run from the bytes of the checkpoint that it
    /// begins with.
    ///
    /// # Errors
    /// As [`Replayer::replay`].
    pub fn journal(&mut self, segment: u32, state: &[u8]) -> Result<Vec<Digest>, SimError> {
        let (from, to) = self.bounds(segment)?;
        self.run(from, state, |world| {
            let each = (from + 1..=to).map(|step| {
                world.advance(1)?;
                Ok(merkle::leaf(step, &world.checkpoint()?))
            });
            each.collect()
        })
    }

    /// The state after each of two steps of one segment: `step - 1` and `step`.
    fn around(&mut self, step: u32, segment: u32, state: &[u8]) -> Result<[Digest; 2], SimError> {
        let (from, _) = self.bounds(segment)?;
        self.run(from, state, |world| {
            world.advance(step - 1 - from)?;
            let before = merkle::leaf(step - 1, &world.checkpoint()?);
            world.advance(1)?;
            Ok([before, merkle::leaf(step, &world.checkpoint()?)])
        })
    }

    /// The steps that a segment begins and ends with.
    fn bounds(&self, segment: u32) -> Result<(u32, u32), SimError> {
        let segments = self.segments();
        if segment >= segments {
            return Err(SimError::NoSegment { segment, segments });
        }
        let every = self.plan.checkpoint_every;
        Ok((segment * every, (segment + 1) * every))
    }

    fn run<T>(
        &mut self,
        from: u32,
        state: &[u8],
        work: impl FnOnce(&mut dyn World) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let world = &mut *self.world;
        // A rigid engine's state is mostly its own indices, which it trusts: where they are wrong it panics, which must
        // not be the end of whoever checks. Every run begins by replacing the state, so a broken one is not used again.
        let run = catch_unwind(AssertUnwindSafe(|| {
            world.restore(state)?;
            if world.step() != from {
                return Err(SimError::Saved("it is of another step"));
            }
            work(world)
        }));
        run.unwrap_or(Err(SimError::Saved("it contradicts itself, and cannot be stepped")))
    }
}

impl std::fmt::Debug for Replayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replayer({} segments on {})", self.segments(), self.backend())
    }
}

fn counted(what: &'static str, expected: usize, found: usize) -> Result<(), SimError> {
    if found == expected { Ok(()) } else { Err(SimError::OtherPlan { what, expected, found }) }
}

/// `count` different segments of `segments`, in rising order, each as likely as any other; all of them where there are no
/// more than that. `stream` has to be one that whoever made the history could not foresee.
#[must_use]
pub fn draw(segments: u32, count: u32, stream: &Stream) -> Vec<u32> {
    let count = count.min(segments);
    // The first places of a shuffle (Fisher and Yates), which only holds what was moved.
    let mut moved = BTreeMap::new();
    let mut drawn: Vec<u32> = (0..count)
        .map(|place| {
            let from = place + stream.below(u64::from(place), 0, segments - place);
            let here = moved.get(&place).copied().unwrap_or(place);
            moved.insert(from, here).unwrap_or(from)
        })
        .collect();
    drawn.sort_unstable();
    drawn
}

/// The chance that `drawn` of `segments` hold at least one of `forged`: what a spot check is worth.
#[must_use]
pub fn odds(segments: u32, forged: u32, drawn: u32) -> f64 {
    let (forged, drawn) = (forged.min(segments), drawn.min(segments));
    // Each drawn one in turn misses.
    let missed = (0..drawn).map(|before| {
        let left = segments - before;
        f64::from(left.saturating_sub(forged)) / f64::from(left)
    });
    1.0 - missed.product::<f64>()
}

/// What somebody claims of a run.
pub trait History {
    /// The digests of its checkpoints, from the first.
    fn checkpoints(&self) -> &[Digest];

    /// The digest of the state after `step`; asked only within a segment that is in dispute.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn step(&mut self, step: u32) -> Result<Digest, SimError>;
}

/// Which of two claims is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// The first one.
    First,
    /// The second one.
    Second,
    /// Neither.
    Neither,
}

impl Right {
    /// Which of two `claims` is the `right` digest.
    #[must_use]
    pub fn of(right: Digest, claims: [Digest; 2]) -> Self {
        match claims.map(|claim| claim == right) {
            [true, _] => Self::First,
            [_, true] => Self::Second,
            _ => Self::Neither,
        }
    }
}

/// Where two histories part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// The first checkpoint that differs.
    pub checkpoint: u32,
    /// The first step after which their states differ: they agree on the state before it.
    pub step: u32,
    /// Whose state after that step follows from the one before it.
    pub right: Right,
}

/// The number of the first checkpoint in which two histories differ.
#[must_use]
pub fn first_parting(first: &[Digest], second: &[Digest]) -> Option<u32> {
    first.iter().zip(second).position(|(a, b)| a != b).map(|at| at as u32)
}

/// Finds the first step in which two histories part, and whose is right: `None` where they are one.
///
/// Each is asked for as many digests as the binary logarithm of a segment's steps, rounded up, and one segment is run at
/// most. `state` gives the bytes of a checkpoint that both agree on; those of the first are never asked for.
///
/// # Errors
/// [`SimError::OtherPlan`]; what the histories say; [`SimError::Saved`] where `state` gives other bytes than those that
/// both agree on; what running a segment says.
pub fn bisect(
    replayer: &mut Replayer,
    first: &mut dyn History,
    second: &mut dyn History,
    state: &mut dyn FnMut(u32) -> Result<Vec<u8>, SimError>,
) -> Result<Option<Parting>, SimError> {
    replayer.expects(first.checkpoints())?;
    replayer.expects(second.checkpoints())?;
    let Some(checkpoint) = first_parting(first.checkpoints(), second.checkpoints()) else { return Ok(None) };
    let claims = [first.checkpoints()[checkpoint as usize], second.checkpoints()[checkpoint as usize]];
    if checkpoint == 0 {
        let right = Right::of(replayer.first_digest(), claims);
        return Ok(Some(Parting { checkpoint, step: 0, right }));
    }
    let segment = checkpoint - 1;
    let agreed = first.checkpoints()[segment as usize];
    let (from, to) = replayer.bounds(segment)?;
    let state = if segment == 0 { replayer.first.clone() } else { state(segment)? };
    if merkle::leaf(from, &state) != agreed {
        return match segment {
            // They agree on a beginning that is not the recipe's.
            0 => Ok(Some(Parting { checkpoint, step: 0, right: Right::Neither })),
            _ => Err(SimError::Saved("it is not the checkpoint that both histories have")),
        };
    }
    // After `same` they agree, after `other` they do not.
    let (mut same, mut other) = ((from, [agreed; 2]), (to, claims));
    while other.0 - same.0 > 1 {
        let step = same.0.midpoint(other.0);
        let claims = [first.step(step)?, second.step(step)?];
        if claims[0] == claims[1] {
            same = (step, claims);
        } else {
            other = (step, claims);
        }
    }
    let [before, after] = replayer.around(other.0, segment, &state)?;
    // What follows from a state that is wrong already is nobody's merit.
    let right = if before == same.1[0] { Right::of(after, other.1) } else { Right::Neither };
    Ok(Some(Parting { checkpoint, step: other.0, right }))
}
