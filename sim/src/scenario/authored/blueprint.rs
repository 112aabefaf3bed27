//! A document that was read and found to make sense, for every seed.

use std::collections::BTreeMap;

use super::{
    SceneError,
    bodies::{FRICTION, Group, MAX_BODIES, RESTITUTION, number},
    document::Document,
    forces::{ForceField, MAX_FIELDS},
    joints::{self, Joint},
    look::{Finish, Look},
    matter::{Basin, Block, Emitter, MAX_PARTICLES, Material, MaterialKind, Tank},
    mesh::EmbeddedMesh,
    quantity::{Quantity, Tally},
    reader::{Field, Table, bounds},
    tank::MAX_ACCELERATION,
};
use crate::{
    genome::{Genome, ParamSpec, TraitOption, TraitSpec},
    recipe::{ParamValue, RecipeError},
    seed::Seed,
};

/// The version of the format.
const FORMAT: u32 = 1;

/// The most groups of bodies, materials, blocks and emitters, traits, options of a trait, and parameters.
const MAX_GROUPS: usize = 256;
const MAX_MATERIALS: usize = 8;
const MAX_BLOCKS: usize = 64;
const MAX_TRAITS: usize = 16;
const MAX_OPTIONS: usize = 32;
const MAX_PARAMS: usize = 32;

/// The most meshes.
pub(super) const MAX_MESHES: usize = 16;

/// Snapshots a second.
pub(super) const SNAPSHOTS: u32 = 48;

/// Things with names, in the order of these.
pub(super) type Named<T> = Vec<(String, T)>;

/// A scene, checked: whatever the seed and the overrides, it can be laid out.
#[derive(Debug, Clone)]
pub struct Blueprint {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) declared: Declared,
    pub(super) time: Time,
    pub(super) tank: Option<Basin>,
    pub(super) gravity: [Quantity; 3],
    pub(super) forces: Vec<ForceField>,
    pub(super) ground: Option<Ground>,
    pub(super) materials: Named<Material>,
    pub(super) matter: Vec<Block>,
    pub(super) emitters: Vec<Emitter>,
    pub(super) meshes: Named<EmbeddedMesh>,
    pub(super) bodies: Vec<Group>,
    pub(super) joints: Vec<Joint>,
    pub(super) finishes: Named<Finish>,
    pub(super) look: Look,
    /// The most bodies and particles, over all seeds.
    most_bodies: usize,
    pub(super) most_particles: usize,
}

/// The traits and parameters that a scene declares.
#[derive(Debug, Clone, Default)]
pub(super) struct Declared {
    pub(super) traits: Vec<DeclaredTrait>,
    pub(super) params: Vec<DeclaredParam>,
}

#[derive(Debug, Clone)]
pub(super) struct DeclaredTrait {
    pub(super) name: String,
    about: String,
    pub(super) options: Vec<TraitOption>,
}

#[derive(Debug, Clone)]
pub(super) struct DeclaredParam {
    pub(super) name: String,
    about: String,
    unit: String,
    pub(super) min: f64,
    pub(super) max: f64,
    usual: [f64; 2],
    pub(super) integer: bool,
}

/// How long a scene runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Time {
    /// Steps a second: a multiple of [`SNAPSHOTS`].
    pub(super) rate: u32,
    /// Snapshots from the first state to the last, without the first: a multiple of 4.
    pub(super) snapshots: u32,
    /// The poster's moment, in [0, 1].
    pub(super) poster: f64,
}

/// A floor without end at y = 0 that bodies cannot pass.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) friction: Quantity,
    pub(super) restitution: Quantity,
}

impl Time {
    pub(super) fn seconds(&self) -> f64 {
        f64::from(self.snapshots) / f64::from(SNAPSHOTS)
    }

    pub(super) fn stride(&self) -> u32 {
        self.rate / SNAPSHOTS
    }

    pub(super) fn steps(&self) -> u32 {
        self.snapshots * self.stride()
    }

    fn read(field: &Field<'_>) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let duration = table.need("duration")?.number(bounds(0.5, 20.0, "s"))?;
        let rate_field = table.get("rate");
        let rate = rate_field.as_ref().map_or(Ok(240), |field| field.whole(2 * SNAPSHOTS, 10 * SNAPSHOTS))?;
        if let Some(field) = rate_field.filter(|_| !rate.is_multiple_of(SNAPSHOTS)) {
            return Err(
                field.wrong(format!("is {rate}"), format!("it must be a multiple of {SNAPSHOTS}: 96, 144, … 480"))
            );
        }
        let poster = table.get("poster").map_or(Ok(0.6), |field| field.number(bounds(0.0, 1.0, "of the duration")))?;
        table.finish()?;
        // Whole segments, of two or of four snapshots.
        Ok(Self { rate, snapshots: 4 * (duration * f64::from(SNAPSHOTS / 4)).round() as u32, poster })
    }
}

impl Declared {
    fn read(table: &mut Table<'_>) -> Result<Self, SceneError> {
        let mut declared = Self::default();
        if let Some(field) = table.get("traits") {
            for (name, field) in field.table()?.named(MAX_TRAITS)? {
                declared.traits.push(DeclaredTrait::read(name, &field)?);
            }
        }
        if let Some(field) = table.get("params") {
            for (name, field) in field.table()?.named(MAX_PARAMS)? {
                if declared.traits.iter().any(|spec| spec.name == name) {
                    return Err(field.wrong("is the name of a trait too", "give each a name of its own"));
                }
                declared.params.push(DeclaredParam::read(name, &field)?);
            }
        }
        Ok(declared)
    }

    pub(super) fn trait_specs(&self) -> Vec<TraitSpec<'_>> {
        self.traits
            .iter()
            .map(|spec| TraitSpec { name: &spec.name, about: &spec.about, options: &spec.options })
            .collect()
    }

    pub(super) fn param_specs(&self) -> Vec<ParamSpec<'_>> {
        let specs = self.params.iter().map(|spec| ParamSpec {
            name: &spec.name,
            about: &spec.about,
            unit: &spec.unit,
            min: spec.min,
            max: spec.max,
            usual: spec.usual,
            integer: spec.integer,
        });
        specs.collect()
    }
}

impl DeclaredTrait {
    fn read(name: &str, field: &Field<'_>) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let about = table.need("about")?.line(120)?;
        let list = table.need("options")?;
        let mut options = Vec::new();
        for (value, field) in list.table()?.named(MAX_OPTIONS)? {
            if value == "trait" {
                return Err(field.wrong("cannot be an option", "`trait` names the trait where its options are listed"));
            }
            options.push(TraitOption { value: value.to_owned().into(), weight: field.whole(1, 10_000)? });
        }
        if options.is_empty() {
            return Err(list.wrong("is empty", "give each option a weight: { calm = 60, wild = 40 }"));
        }
        table.finish()?;
        Ok(Self { name: name.to_owned(), about, options })
    }
}

impl DeclaredParam {
    fn read(name: &str, field: &Field<'_>) -> Result<Self, SceneError> {
        const RANGE: super::reader::Bounds = bounds(-1e6, 1e6, "");
        let mut table = field.table()?;
        let about = table.need("about")?.line(120)?;
        let unit = table.get("unit").map_or(Ok(String::new()), |field| field.line(16))?;
        let usual_field = table.need("usual")?;
        let usual = usual_field.numbers::<2>(RANGE)?;
        let min = table.get("min").map_or(Ok(usual[0]), |field| field.number(RANGE))?;
        let max = table.get("max").map_or(Ok(usual[1]), |field| field.number(RANGE))?;
        let integer = super::bodies::truth(&mut table, "integer")?;
        if !(min <= usual[0] && usual[0] <= usual[1] && usual[1] <= max) {
            let help = "they rise: min, usual[0], usual[1], max";
            return Err(usual_field.wrong(format!("is [{}, {}] within {min} to {max}", usual[0], usual[1]), help));
        }
        // A draw is rounded, to whole numbers or to three decimals, and must not leave the range by that.
        let grain = if integer { 1.0 } else { 1000.0 };
        if [min, max].iter().chain(&usual).any(|end| (end * grain - (end * grain).round()).abs() > 1e-6) {
            let help = if integer { "the ends are whole numbers too" } else { "the ends have at most three decimals" };
            return Err(usual_field.wrong("is finer than what is drawn", help));
        }
        table.finish()?;
        Ok(Self { name: name.to_owned(), about, unit, min, max, usual, integer })
    }
}

fn each<'a, T>(
    table: &mut Table<'a>,
    name: &'static str,
    most: usize,
    mut read: impl FnMut(&Field<'a>) -> Result<T, SceneError>,
) -> Result<Vec<T>, SceneError> {
    table.get(name).map_or_else(|| Ok(Vec::new()), |field| field.list(most)?.iter().map(&mut read).collect())
}

fn named<'a, T>(
    table: &mut Table<'a>,
    name: &'static str,
    most: usize,
    read: impl Fn(&Field<'a>) -> Result<T, SceneError>,
) -> Result<Named<T>, SceneError> {
    let Some(field) = table.get(name) else { return Ok(Vec::new()) };
    field.table()?.named(most)?.into_iter().map(|(name, field)| Ok((name.to_owned(), read(&field)?))).collect()
}

fn names<T>(named: &Named<T>) -> Vec<&str> {
    named.iter().map(|(name, _)| name.as_str()).collect()
}

/// Whether matter is moved by no more than the kernel has room for in a step, in any tank; else by how much.
fn calm(
    gravity: &[Quantity; 3],
    forces: &[ForceField],
    tanks: &[Tank],
    declared: &Declared,
    time: &Time,
) -> Result<(), String> {
    for tank in tanks {
        let mut most = gravity.each_ref().map(|g| g.largest(declared));
        for force in forces {
            let here = force.largest(tank.far(), declared);
            (0..3).for_each(|axis| most[axis] += here[axis]);
        }
        let step = f64::from(time.rate) * f64::from(time.rate) * tank.cell;
        if let Some(most) = most.into_iter().find(|most| *most > MAX_ACCELERATION * step) {
            return Err(format!(
                "has gravity and forces of up to {most:.3} m/s² in its tank, of at most {:.3}",
                MAX_ACCELERATION * step
            ));
        }
    }
    Ok(())
}

impl Blueprint {
    /// Reads a document with its meshes in it.
    ///
    /// # Errors
    /// The first field that is missing, unknown, of the wrong kind, or out of its bounds for some seed.
    pub fn read(document: &Document) -> Result<Self, SceneError> {
        let mut table = Field::root(document.root()).table()?;
        table.need("scene")?.whole(FORMAT, FORMAT)?;
        let title = table.need("title")?.line(60)?;
        let about = table.need("about")?.line(160)?;
        let declared = Declared::read(&mut table)?;
        let declared = &declared;
        let time = Time::read(&table.need("time")?)?;
        let acceleration = bounds(-1000.0, 1000.0, "m/s²");
        let gravity = match table.get("gravity") {
            Some(field) => field.quantities(declared, acceleration)?,
            None => [0.0, -9.81, 0.0].map(Quantity::constant),
        };
        let forces = each(&mut table, "forces", MAX_FIELDS, |field| ForceField::read(field, declared, &time))?;
        let ground = table.get("ground").map(|field| Ground::read(&field, declared)).transpose()?;
        let meshes = named(&mut table, "meshes", MAX_MESHES, EmbeddedMesh::read)?;

        let finishes = Finish::read_all(&table.need("looks")?, declared)?;
        let (mesh_names, look_names) = (names(&meshes), names(&finishes));
        let groups = table.get("bodies");
        let mut bodies: Vec<Group> = Vec::new();
        let mut tally = Tally::default();
        for field in groups.map_or(Ok(Vec::new()), |field| field.list(MAX_GROUPS))? {
            let group = Group::read(&field, declared, &mesh_names, &look_names)?;
            tally.add(group.when.as_ref(), group.counts[1].into());
            let most = tally.most();
            if most > MAX_BODIES as u64 {
                return Err(
                    field.wrong(format!("brings the bodies to {most}"), format!("a scene has at most {MAX_BODIES}"))
                );
            }
            if group.name.is_some() && bodies.iter().any(|other| other.name == group.name) {
                return Err(field.wrong("has the name of another", "give each group a name of its own, or none"));
            }
            if group.name.as_deref() == Some("ground") {
                return Err(field.wrong("is named `ground`", "joints call what never moves the ground"));
            }
            bodies.push(group);
        }
        let most_bodies = tally.most() as usize;
        let joints = table.get("joints").map_or(Ok(Vec::new()), |field| joints::read(&field, declared, &bodies))?;

        let (tank, tanks) = match table.get("tank") {
            Some(field) => {
                let (basin, tanks) = Basin::read(&field, declared)?;
                calm(&gravity, &forces, &tanks, declared, &time).map_err(|said| {
                    field.wrong(said, "lower them, choose a larger `cell`, or a higher `rate` of the time")
                })?;
                (Some(basin), tanks)
            }
            None => (None, Vec::new()),
        };
        let materials =
            named(&mut table, "materials", MAX_MATERIALS, |field| Material::read(field, &look_names, &tanks, &time))?;
        let (mut matter, mut emitters, mut places) = (Vec::new(), Vec::new(), 0);
        let mut tally = Tally::default();
        for (name, is_emitter) in [("matter", false), ("emitters", true)] {
            for field in table.get(name).map_or(Ok(Vec::new()), |field| field.list(MAX_BLOCKS))? {
                if tanks.is_empty() {
                    return Err(field.wrong("has no tank", "matter needs a [tank] with `size` and `cell`"));
                }
                let materials = names(&materials);
                if is_emitter {
                    let (emitter, count) = Emitter::read(&field, declared, &tanks, &materials, &time)?;
                    tally.add(emitter.when.as_ref(), count);
                    emitters.push(emitter);
                } else {
                    let (block, [own, count]) = Block::read(&field, declared, &tanks, &materials, &meshes)?;
                    places += own;
                    if places > MAX_BODIES as u64 {
                        let help = format!("a scene has at most {MAX_BODIES} of them");
                        return Err(field.wrong(format!("brings the places of matter to {places}"), help));
                    }
                    tally.add(block.when.as_ref(), count);
                    matter.push(block);
                }
                let most_particles = tally.most();
                if most_particles > MAX_PARTICLES as u64 {
                    let help = format!("a scene has at most {MAX_PARTICLES}: use larger cells, or less matter");
                    return Err(field.wrong(format!("brings the particles to {most_particles}"), help));
                }
            }
        }
        if most_bodies == 0 && tally.most() == 0 {
            return Err(table.wrong("holds nothing that moves", "add [[bodies]] or [[matter]]"));
        }
        let look = Look::read(&table.need("look")?, declared)?;
        table.finish()?;
        Ok(Self {
            title,
            about,
            time,
            tank,
            gravity,
            forces,
            ground,
            materials,
            matter,
            emitters,
            bodies,
            joints,
            look,
            declared: declared.clone(),
            meshes,
            finishes,
            most_bodies,
            most_particles: tally.most() as usize,
        })
    }

    /// Whether matter of this material is seen as single grains.
    pub(super) fn is_grain(&self, material: u8) -> bool {
        matches!(self.materials[usize::from(material)].1.kind, MaterialKind::Grains { .. })
    }

    /// What a seed and overrides decide of it.
    ///
    /// # Errors
    /// An override that names no trait or parameter, is of the wrong type or lies out of range.
    pub fn genome(&self, seed: &Seed, overrides: &BTreeMap<String, ParamValue>) -> Result<Genome, RecipeError> {
        Genome::resolve(seed, overrides, &self.declared.trait_specs(), &self.declared.param_specs())
    }

    /// Its title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// No seed has fewer bodies than the first number, or more than the second.
    #[must_use]
    pub fn bodies(&self) -> [usize; 2] {
        [self.bodies.iter().map(|group| group.counts[0] as usize).sum(), self.most_bodies]
    }

    /// No seed has more particles.
    #[must_use]
    pub fn most_particles(&self) -> usize {
        self.most_particles
    }

    /// Steps from the first state to the last.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.time.steps()
    }

    /// Its duration, a whole number of 24ths of a second.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.time.seconds()
    }

    /// How many convex pieces its meshes have in all.
    #[must_use]
    pub fn convex_pieces(&self) -> usize {
        self.meshes.iter().map(|(_, mesh)| mesh.pieces.len()).sum()
    }
}

impl Ground {
    fn read(field: &Field<'_>, declared: &Declared) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let friction = number(&mut table, "friction", declared, FRICTION, 0.6)?;
        let restitution = number(&mut table, "restitution", declared, RESTITUTION, 0.1)?;
        table.finish()?;
        Ok(Self { friction, restitution })
    }
}
