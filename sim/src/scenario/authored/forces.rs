//! Forces of a scene over time.

use super::{
    Declared, SceneError, Time,
    bodies::PLACE,
    quantity::{Quantity, values},
    reader::{Field, bounds},
};
use crate::genome::Genome;

/// The most force fields of a scene, and the most moments that one is given at.
pub(super) const MAX_FIELDS: usize = 16;
const MAX_KEYS: usize = 32;

/// A field as the file has it.
#[derive(Debug, Clone)]
pub(super) struct ForceField {
    center: [Quantity; 3],
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    at: f64,
    push: [Quantity; 3],
    pull: [Quantity; 3],
    swirl: [Quantity; 3],
    drag: Quantity,
}

/// A field of force of one seed: an acceleration `push + pull ∘ (x − center) + swirl × (x − center) − drag · v`, whose
/// numbers run straight from one moment to the next, and hold before the first and after the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Force {
    /// Where `pull` and `swirl` are nothing, metres.
    pub center: [f64; 3],
    /// At least one moment, in rising order.
    pub keys: Vec<ForceKey>,
}

/// The numbers of a field at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForceKey {
    /// Steps from the beginning, not always a whole number.
    pub step: f64,
    /// m/s².
    pub push: [f64; 3],
    /// 1/s², by axis; below 0 towards the centre.
    pub pull: [f64; 3],
    /// 1/s², about an axis.
    pub swirl: [f64; 3],
    /// 1/s.
    pub drag: f64,
}

impl ForceField {
    pub(super) fn read(field: &Field<'_>, declared: &Declared, time: &Time) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let center = super::bodies::vector(&mut table, "center", declared, PLACE)?;
        let list = table.need("keys")?;
        let mut keys: Vec<Key> = Vec::new();
        for field in list.list(MAX_KEYS)? {
            let mut key = field.table()?;
            let moment = key.need("at")?;
            let at = moment.number(bounds(0.0, time.seconds(), "s"))?;
            if keys.last().is_some_and(|last| last.at >= at) {
                return Err(moment.wrong("is not after the one before", "give the keys in rising order of time"));
            }
            let mut vector =
                |name, most: f64, unit| super::bodies::vector(&mut key, name, declared, bounds(-most, most, unit));
            let (push, pull) = (vector("push", 1000.0, "m/s²")?, vector("pull", 1000.0, "1/s²")?);
            let swirl = vector("swirl", 1000.0, "1/s²")?;
            let drag = super::bodies::number(&mut key, "drag", declared, bounds(0.0, 100.0, "1/s"), 0.0)?;
            key.finish()?;
            keys.push(Key { at, push, pull, swirl, drag });
        }
        if keys.is_empty() {
            return Err(list.wrong("is empty", "a force has at least one key"));
        }
        table.finish()?;
        Ok(Self { center, keys })
    }

    /// The most that it accelerates by along each axis, m/s², in a box around the origin of these half edges, without drag.
    pub(super) fn largest(&self, half: [f64; 3], declared: &Declared) -> [f64; 3] {
        let far: [f64; 3] = std::array::from_fn(|i| half[i] + self.center[i].largest(declared));
        let mut most = [0.0; 3];
        for key in &self.keys {
            let size = |of: &[Quantity; 3], axis: usize| of[axis].largest(declared);
            for (axis, most) in most.iter_mut().enumerate() {
                let (j, k) = ((axis + 1) % 3, (axis + 2) % 3);
                let turn = size(&key.swirl, j) * far[k] + size(&key.swirl, k) * far[j];
                *most = f64::max(*most, size(&key.push, axis) + size(&key.pull, axis) * far[axis] + turn);
            }
        }
        most
    }

    pub(super) fn fix(&self, genome: &Genome, time: &Time) -> Force {
        let key = |key: &Key| ForceKey {
            step: key.at * f64::from(time.rate),
            push: values(&key.push, genome),
            pull: values(&key.pull, genome),
            swirl: values(&key.swirl, genome),
            drag: key.drag.value(genome),
        };
        Force { center: values(&self.center, genome), keys: self.keys.iter().map(key).collect() }
    }
}

impl Force {
    /// The numbers at `step`.
    #[must_use]
    pub fn at(&self, step: u32) -> ForceKey {
        let step = f64::from(step);
        let after = self.keys.partition_point(|key| key.step <= step);
        match (self.keys.get(after.wrapping_sub(1)), self.keys.get(after)) {
            (Some(a), Some(b)) => {
                let t = (step - a.step) / (b.step - a.step);
                let mix = |a: f64, b: f64| a + (b - a) * t;
                let mixed = |a: [f64; 3], b: [f64; 3]| std::array::from_fn(|i| mix(a[i], b[i]));
                ForceKey {
                    step,
                    push: mixed(a.push, b.push),
                    pull: mixed(a.pull, b.pull),
                    swirl: mixed(a.swirl, b.swirl),
                    drag: mix(a.drag, b.drag),
                }
            }
            (Some(key), None) | (None, Some(key)) => ForceKey { step, ..*key },
            (None, None) => ForceKey { step, push: [0.0; 3], pull: [0.0; 3], swirl: [0.0; 3], drag: 0.0 },
        }
    }
}

impl ForceKey {
    /// The acceleration at `place` without drag, m/s².
    #[must_use]
    pub fn acceleration(&self, center: [f64; 3], place: [f64; 3]) -> [f64; 3] {
        let from: [f64; 3] = std::array::from_fn(|i| place[i] - center[i]);
        std::array::from_fn(|i| {
            let (j, k) = ((i + 1) % 3, (i + 2) % 3);
            self.push[i] + self.pull[i] * from[i] + (self.swirl[j] * from[k] - self.swirl[k] * from[j])
        })
    }
}
