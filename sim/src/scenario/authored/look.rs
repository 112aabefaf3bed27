//! How a scene is to be photographed: palette, light, floor, camera, and the looks of its bodies.

use super::{
    Declared, Named, SceneError,
    bodies::{PLACE, number},
    quantity::{Quantity, Word},
    reader::{Field, bounds},
};
use crate::{
    genome::Genome,
    stage::{LIGHTS, MAPS, PALETTES},
};

/// The most looks, and the most moments of the camera.
const MAX_LOOKS: usize = 32;
const MAX_KEYS: usize = 16;

/// What things can be made of.
pub(super) const SUBSTANCES: &[&str] = &[
    "lacquer",
    "porcelain",
    "pearl",
    "wax",
    "rubber",
    "velvet",
    "jade",
    "milk",
    "glass",
    "crystal",
    "soap",
    "water",
    "frosted",
    "mercury",
    "steel",
    "gold",
    "copper",
    "beetle",
    "oil",
    "glow",
    "unseen",
];

/// The picture as a whole.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) palette: Word,
    pub(super) light: Word,
    pub(super) floor: Word,
    /// What the tank's walls are to be seen as.
    pub(super) tank: Word,
    /// Added to the light's own, in stops.
    pub(super) exposure: Quantity,
    /// Meetings of light with a droplet on its way across a radius of the subject.
    pub(super) fog: Quantity,
    /// What is lit: its middle and its radius.
    pub(super) subject: [Quantity; 3],
    pub(super) radius: Quantity,
    pub(super) camera: Camera,
}

#[derive(Debug, Clone)]
pub(super) struct Camera {
    /// Full vertical angle of view, degrees.
    pub(super) fov: Quantity,
    /// Radius of the lens, metres.
    pub(super) lens: Quantity,
    /// How long the shutter is open, as a share of the time to the next frame.
    pub(super) shutter: Quantity,
    pub(super) keys: Vec<CameraKey>,
}

#[derive(Debug, Clone)]
pub(super) struct CameraKey {
    /// Share of the duration, in [0, 1].
    pub(super) at: f64,
    pub(super) eye: [Quantity; 3],
    pub(super) target: [Quantity; 3],
}

/// The look of bodies or of a material.
#[derive(Debug, Clone)]
pub(super) struct Finish {
    pub(super) substance: Word,
    pub(super) color: AnyColor,
    /// Metres on which light takes the colour, where it is water.
    pub(super) depth: f64,
}

/// Where a colour comes from, for every seed.
#[derive(Debug, Clone)]
pub(super) enum AnyColor {
    One(Color),
    /// One of these, by a trait.
    Trait(String, Vec<(String, Color)>),
}

/// Where a colour comes from.
#[derive(Debug, Clone)]
pub(super) enum Color {
    /// One of the palette.
    Of(Ink),
    /// One of several, by chance for each body.
    Pick(Vec<Ink>),
    /// Along the palette's four colours, as a measure runs from the first number to the second.
    /// Or in so many even bands of these colours, there and back again.
    By(Measure, [f64; 2], Option<u32>),
}

/// A colour of the palette.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ink {
    /// 0 to 3, and between.
    Ramp(f32),
    Accent,
    Ground,
    Water,
}

/// What colours can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Height at the start, metres.
    Height,
    /// Place at the start, metres.
    X,
    /// Place at the start, metres.
    Z,
    /// Height now, metres.
    Rise,
    /// Distance from the y axis at the start, metres.
    Radius,
    /// Place among the bodies of its group, 0 to 1.
    Order,
    /// By chance, 0 to 1.
    Chance,
    /// m/s.
    Speed,
    /// Metres from where it was at the start.
    Travel,
}

impl Look {
    pub(super) fn read(field: &Field<'_>, declared: &Declared) -> Result<Self, SceneError> {
        let names = |options: &'static [crate::genome::TraitOption]| -> Vec<&'static str> {
            options.iter().map(|option| &*option.value).collect()
        };
        let mut table = field.table()?;
        let palette = table.need("palette")?.word(declared, &names(PALETTES))?;
        let light = table.need("light")?.word(declared, &[&names(LIGHTS), MAPS].concat())?;
        let floor = table.get("floor").map_or_else(
            || Ok(Word::Constant("cove".into())),
            |field| field.word(declared, &["cove", "plain", "none"]),
        )?;
        let tank = table
            .get("tank")
            .map_or_else(|| Ok(Word::Constant("unseen".into())), |field| field.word(declared, &["unseen", "glass"]))?;
        let exposure = number(&mut table, "exposure", declared, bounds(-8.0, 8.0, "stops"), 0.0)?;
        let fog = number(&mut table, "fog", declared, bounds(0.0, 3.0, "across a radius"), 0.0)?;
        let subject = table.need("subject")?.quantities(declared, PLACE)?;
        let radius = table.need("radius")?.quantity(declared, bounds(0.02, 500.0, "m"))?;
        let camera = Camera::read(&table.need("camera")?, declared)?;
        table.finish()?;
        Ok(Self { palette, light, floor, tank, exposure, fog, subject, radius, camera })
    }
}

impl Camera {
    fn read(field: &Field<'_>, declared: &Declared) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let fov = number(&mut table, "fov", declared, bounds(4.0, 120.0, "°"), 35.0)?;
        let lens = number(&mut table, "lens", declared, bounds(0.0, 2.0, "m"), 0.0)?;
        let shutter = number(&mut table, "shutter", declared, bounds(0.0, 1.0, "of a frame"), 0.0)?;
        let list = table.need("keys")?;
        let mut keys: Vec<CameraKey> = Vec::new();
        for field in list.list(MAX_KEYS)? {
            let mut key = field.table()?;
            let moment = key.need("at")?;
            let at = moment.number(bounds(0.0, 1.0, "of the duration"))?;
            if keys.last().is_some_and(|last| last.at >= at) {
                return Err(moment.wrong("is not after the one before", "give the keys in rising order of time"));
            }
            let eye = key.need("eye")?.quantities(declared, PLACE)?;
            let target = key.need("target")?.quantities(declared, PLACE)?;
            key.finish()?;
            keys.push(CameraKey { at, eye, target });
        }
        if keys.is_empty() {
            return Err(list.wrong("is empty", "a camera has at least one key"));
        }
        table.finish()?;
        Ok(Self { fov, lens, shutter, keys })
    }
}

impl Finish {
    pub(super) fn read_all(field: &Field<'_>, declared: &Declared) -> Result<Named<Self>, SceneError> {
        let read = |(name, field): (&str, Field<'_>)| {
            let mut table = field.table()?;
            let substance = table.need("material")?.word(declared, SUBSTANCES)?;
            let color = AnyColor::read(&table.need("color")?, declared)?;
            let depth = table.get("depth").map_or(Ok(0.25), |field| field.number(bounds(0.001, 1000.0, "m")))?;
            table.finish()?;
            Ok((name.to_owned(), Self { substance, color, depth }))
        };
        field.table()?.named(MAX_LOOKS)?.into_iter().map(read).collect()
    }
}

impl AnyColor {
    fn read(field: &Field<'_>, declared: &Declared) -> Result<Self, SceneError> {
        let name = field.table().ok().and_then(|mut table| table.get("trait"));
        let Some(name) = name else { return Ok(Self::One(Color::read(field)?)) };
        let (name, cases) = field.cases(declared, &name)?;
        let color = |(option, case): (String, Field<'_>)| Ok((option, Color::read(&case)?));
        Ok(Self::Trait(name, cases.into_iter().map(color).collect::<Result<_, _>>()?))
    }

    /// What a seed makes of it.
    pub(super) fn fix(&self, genome: &Genome) -> Color {
        match self {
            Self::One(color) => color.clone(),
            Self::Trait(name, cases) => {
                let value = genome.text(name);
                let chosen = cases.iter().find(|(option, _)| option == value);
                chosen.map_or(Color::Of(Ink::Ramp(0.0)), |(_, color)| color.clone())
            }
        }
    }
}

impl Color {
    fn read(field: &Field<'_>) -> Result<Self, SceneError> {
        use super::document::Value;
        if !matches!(field.node.value, Value::Table(_)) {
            return Ok(Self::Of(Ink::read(field)?));
        }
        let mut table = field.table()?;
        let (kind, value) = table.choice(&["pick", "by"])?;
        let color = if kind == "pick" {
            let inks = value.list(16)?.iter().map(Ink::read).collect::<Result<Vec<_>, _>>()?;
            if inks.is_empty() {
                return Err(value.wrong("is empty", "give at least one colour"));
            }
            Self::Pick(inks)
        } else {
            use Measure::{Chance, Height, Order, Radius, Rise, Speed, Travel, X, Z};
            let measure = [Height, Radius, X, Z, Rise, Order, Chance, Speed, Travel]
                [value.one_of(&["height", "radius", "x", "z", "rise", "order", "chance", "speed", "travel"])?];
            let mut end = |name, usual| {
                table.get(name).map_or(Ok(usual), |field: Field<'_>| field.number(bounds(-1000.0, 1000.0, "")))
            };
            let (from, to) = (end("from", 0.0)?, end("to", 1.0)?);
            if ((to - from) as f32).abs() < f32::MIN_POSITIVE {
                return Err(value.wrong("runs from a number to itself", "let `from` and `to` differ"));
            }
            let bands = table.get("bands").map(|field| field.whole(2, 1000)).transpose()?;
            Self::By(measure, [from, to], bands)
        };
        table.finish()?;
        Ok(color)
    }
}

impl Ink {
    fn read(field: &Field<'_>) -> Result<Self, SceneError> {
        use super::document::Value;
        if matches!(field.node.value, Value::Number(_)) {
            return Ok(Self::Ramp(field.number(bounds(0.0, 3.0, ""))? as f32));
        }
        Ok([Self::Accent, Self::Ground, Self::Water][field.one_of(&["accent", "ground", "water"])?])
    }
}
