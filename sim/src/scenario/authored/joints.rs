//! Joints between named bodies: they form trees, since two ways from one body to another work against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Declared, SceneError,
    bodies::{Group, PLACE},
    quantity::Quantity,
    reader::{Field, bounds},
};

/// The most joints that a file writes down one by one.
pub(super) const MAX_JOINTS: usize = 512;

/// What a joint leaves free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JointKind {
    /// Nothing.
    Fixed,
    /// Every turn.
    Ball,
    /// Turns about the axis.
    Hinge,
    /// Moves along the axis.
    Slider,
}

/// One joint, or the joints of a chain.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    pub(super) kind: JointKind,
    pub(super) of: Joined,
    pub(super) axis: [f64; 3],
    /// Radians, or metres.
    pub(super) limits: Option<[f64; 2]>,
    pub(super) contacts: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Joined {
    /// Two bodies; the ground is `None`. `at` is where they are joined at the start, else halfway between them.
    Two { ends: [Option<(usize, u32)>; 2], at: Option<Box<[Quantity; 3]>> },
    /// Each body of a group with the one before it along an axis; `hang` joins the first ones to the ground too.
    Chain { group: usize, axis: usize, hang: bool },
}

impl Joint {
    fn read(field: &Field<'_>, declared: &Declared, groups: &[Group]) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let kinds = [JointKind::Fixed, JointKind::Ball, JointKind::Hinge, JointKind::Slider];
        let kind = kinds[table.need("kind")?.one_of(&["fixed", "ball", "hinge", "slider"])?];
        let (form, value) = table.choice(&["between", "chain"])?;
        let of = if form == "between" {
            let ends = value.array::<2>()?;
            let at = table.get("at").map(|field| field.quantities(declared, PLACE).map(Box::new)).transpose()?;
            Joined::Two { ends: [body(&ends[0], groups)?, body(&ends[1], groups)?], at }
        } else {
            let group = named(&value, value.text()?, groups)?;
            let along = table.get("along");
            let axis = along.as_ref().map_or(Ok(0), |field| field.one_of(&["x", "y", "z"]))?;
            if !groups[group].arrange.runs_along(axis) {
                let help = "a chain runs along a row, a ring or a spiral, or along x, y or z of a grid";
                return Err(along.unwrap_or(value).wrong("is no way along these bodies", help));
            }
            Joined::Chain { group, axis, hang: super::bodies::truth(&mut table, "hang")? }
        };
        let turns = kind == JointKind::Hinge;
        let guided = turns || kind == JointKind::Slider;
        let axis = table.get("axis").map(|field| {
            let axis = field.numbers(bounds(-1.0, 1.0, ""))?;
            let length = axis.iter().map(|x| x * x).sum::<f64>();
            if guided && length > 1e-6 {
                return Ok(axis.map(|x| x / length.sqrt()));
            }
            Err(field
                .wrong("has no direction here", "a hinge or a slider has an axis that is not zero; others have none"))
        });
        let limits = table.get("limits").map(|field| {
            let unit = if turns { bounds(-180.0, 180.0, "°") } else { bounds(-100.0, 100.0, "m") };
            let [low, high] = field.numbers(unit)?;
            if !guided || low > high {
                return Err(
                    field.wrong("leaves no room", "a hinge or a slider has limits [low, high]; others have none")
                );
            }
            Ok([low, high].map(|x| if turns { x * (std::f64::consts::PI / 180.0) } else { x }))
        });
        let (axis, limits) = (axis.transpose()?.unwrap_or([0.0, 0.0, 1.0]), limits.transpose()?);
        let contacts = super::bodies::truth(&mut table, "contacts")?;
        table.finish()?;
        Ok(Self { kind, of, axis, limits, contacts })
    }
}

fn named(field: &Field<'_>, name: &str, groups: &[Group]) -> Result<usize, SceneError> {
    let found = groups.iter().position(|group| group.name.as_deref() == Some(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = groups.iter().filter_map(|group| group.name.as_deref()).collect();
        field.unknown(name, &names)
    })
}

/// The body that `"ground"`, `"name"` or `"name[3]"` stands for.
fn body(field: &Field<'_>, groups: &[Group]) -> Result<Option<(usize, u32)>, SceneError> {
    let text = field.text()?;
    if text == "ground" {
        return Ok(None);
    }
    let (name, index) = match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, index)) => (name, index.parse::<u32>().ok().filter(|number| number.to_string() == index)),
        None => (text, Some(0)),
    };
    let group = named(field, name, groups)?;
    let fewest = groups[group].counts[0];
    match index {
        Some(index) if index < fewest && (fewest == 1 || text.ends_with(']')) => Ok(Some((group, index))),
        _ => {
            let help = match fewest.checked_sub(1) {
                Some(last) => format!("write \"{name}[0]\" to \"{name}[{last}]\": so many there are for every seed"),
                None => format!("for some seeds there is no \"{name}\" at all: join such bodies by a `chain`"),
            };
            Err(field.wrong("names no body", help))
        }
    }
}

/// Reads all joints of a scene, and refuses those that close a loop.
pub(super) fn read(field: &Field<'_>, declared: &Declared, groups: &[Group]) -> Result<Vec<Joint>, SceneError> {
    let mut joints = Vec::new();
    let mut forest = Forest::default();
    for field in field.list(MAX_JOINTS)? {
        let joint = Joint::read(&field, declared, groups)?;
        let looped = |what: &str| {
            field
                .wrong(what, "joints form trees: leave out one of the loop, or fix a body in place with `fixed = true`")
        };
        match &joint.of {
            Joined::Two { ends: [a, b], .. } if a == b => {
                return Err(looped("joins a body to itself"));
            }
            Joined::Two { ends, .. } => {
                // The ground and fixed bodies hold as many as one likes.
                let moving = |end: &Option<(usize, u32)>| end.filter(|(group, _)| !groups[*group].fixed);
                match [moving(&ends[0]), moving(&ends[1])] {
                    [None, None] => return Err(looped("joins two bodies that never move")),
                    [Some(a), Some(b)] if !forest.join(a, b) => return Err(looped("closes a loop of joints")),
                    _ => {}
                }
            }
            Joined::Chain { group, .. } => {
                if groups[*group].fixed {
                    return Err(looped("joins bodies that never move"));
                }
                // Which bodies a chain joins depends on the seed: all of them count as joined.
                let all = 1..groups[*group].counts[1];
                if !forest.chained.insert(*group) || !all.into_iter().all(|at| forest.join((*group, 0), (*group, at))) {
                    return Err(looped("closes a loop of joints"));
                }
            }
        }
        joints.push(joint);
    }
    Ok(joints)
}

/// Trees of bodies, by their groups and places in them.
#[derive(Default)]
struct Forest {
    parents: BTreeMap<(usize, u32), (usize, u32)>,
    chained: BTreeSet<usize>,
}

impl Forest {
    fn root(&mut self, mut at: (usize, u32)) -> (usize, u32) {
        while let Some(parent) = self.parents.get(&at).copied() {
            // Halves the path on the way.
            if let Some(above) = self.parents.get(&parent).copied() {
                self.parents.insert(at, above);
            }
            at = parent;
        }
        at
    }

    /// Whether they were apart before.
    fn join(&mut self, a: (usize, u32), b: (usize, u32)) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return false;
        }
        self.parents.insert(a, b);
        true
    }
}
