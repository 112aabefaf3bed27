//! Numbers and words of a scene: constant, taken from a trait or a parameter, or drawn for each element.
//!
//! Every value that a quantity can take, over all seeds and overrides, is checked against the field's bounds when the
//! scene is read. So what a seed decides can be expanded without an error.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Declared, SceneError,
    document::Value,
    reader::{Bounds, Field, Table},
};
use crate::{genome::Genome, random::Stream};

/// How deep quantities lie within quantities at most.
const MAX_DEPTH: u32 = 3;

/// A normal draw stays within this many deviations.
const MAX_DEVIATIONS: f64 = 4.0;

/// Values of a parameter that are listed at most.
const MOST_LISTED: f64 = 16.0;

/// The largest factor and summand of a parameter.
const LARGE: Bounds = super::reader::bounds(-1e6, 1e6, "");

/// A number, with the bounds that it keeps.
#[derive(Debug, Clone)]
pub(super) struct Quantity {
    form: Form,
    low: f64,
    high: f64,
}

#[derive(Debug, Clone)]
enum Form {
    Constant(f64),
    Param { name: String, times: f64, plus: f64 },
    Trait { name: String, values: Vec<(String, Form)> },
    Between { stream: String, ends: [Box<Form>; 2] },
    Normal { stream: String, of: [Box<Form>; 2] },
}

/// A quantity of one seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    source: Source,
    low: f64,
    high: f64,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Constant(f64),
    Between(Stream, f64, f64),
    Normal(Stream, f64, f64),
}

impl Quantity {
    pub(super) fn constant(number: f64) -> Self {
        Self { form: Form::Constant(number), low: number, high: number }
    }

    /// The least and the greatest value that any seed can give it.
    pub(super) fn reach(&self, declared: &Declared) -> [f64; 2] {
        let [low, high] = self.form.reach(declared);
        [low.clamp(self.low, self.high), high.clamp(self.low, self.high)]
    }

    /// The largest magnitude that any seed can give it.
    pub(super) fn largest(&self, declared: &Declared) -> f64 {
        let [low, high] = self.reach(declared);
        low.abs().max(high.abs())
    }

    /// Every value that a seed or an override can give it, where they can be listed.
    pub(super) fn each(&self, declared: &Declared) -> Option<Vec<f64>> {
        self.form.each(declared)
    }

    /// Whether elements of one seed may differ in it.
    pub(super) fn is_drawn(&self) -> bool {
        self.form.is_drawn()
    }

    /// What `genome` makes of it.
    pub(super) fn fix(&self, genome: &Genome) -> Drawn {
        Drawn { source: self.form.fix(genome), low: self.low, high: self.high }
    }

    /// Its value where no element has one of its own.
    pub(super) fn value(&self, genome: &Genome) -> f64 {
        self.fix(genome).at(0)
    }
}

pub(super) fn fixed<const N: usize>(quantities: &[Quantity; N], genome: &Genome) -> [Drawn; N] {
    std::array::from_fn(|i| quantities[i].fix(genome))
}

pub(super) fn values<const N: usize>(quantities: &[Quantity; N], genome: &Genome) -> [f64; N] {
    std::array::from_fn(|i| quantities[i].value(genome))
}

impl Drawn {
    /// Its value for `element`.
    pub(super) fn at(&self, element: u64) -> f64 {
        let number = match &self.source {
            Source::Constant(number) => *number,
            Source::Between(stream, low, high) => stream.between(element, 0, *low, *high),
            Source::Normal(stream, mean, deviation) => mean + deviation * normal(stream, element),
        };
        number.clamp(self.low, self.high)
    }
}

/// A normal number of mean 0 and deviation 1, by Box and Muller's method.
fn normal(stream: &Stream, element: u64) -> f64 {
    // Never 0, whose logarithm is not finite.
    let radius = (-2.0 * libm::log(1.0 - stream.unit(element, 0))).sqrt();
    let angle = std::f64::consts::TAU * stream.unit(element, 1);
    (radius * libm::cos(angle)).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
}

impl Form {
    fn reach(&self, declared: &Declared) -> [f64; 2] {
        match self {
            Self::Constant(number) => [*number; 2],
            Self::Param { name, times, plus } => {
                let param = declared.params.iter().find(|param| param.name == *name);
                let [low, high] = param.map_or([0.0; 2], |param| [param.min, param.max]);
                sorted([low * times + plus, high * times + plus])
            }
            Self::Trait { values, .. } => {
                let reaches = values.iter().map(|(_, form)| form.reach(declared));
                reaches.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]).unwrap_or_default()
            }
            Self::Between { ends, .. } => {
                let [a, b] = [ends[0].reach(declared), ends[1].reach(declared)];
                [a[0].min(b[0]), a[1].max(b[1])]
            }
            Self::Normal { of, .. } => {
                let [mean, deviation] = [of[0].reach(declared), of[1].reach(declared)];
                let far = MAX_DEVIATIONS * deviation[0].abs().max(deviation[1].abs());
                [mean[0] - far, mean[1] + far]
            }
        }
    }

    fn each(&self, declared: &Declared) -> Option<Vec<f64>> {
        match self {
            Self::Constant(number) => Some(vec![*number]),
            Self::Param { name, times, plus } => {
                let param = declared.params.iter().find(|param| param.name == *name)?;
                let listed = param.integer && param.max - param.min < MOST_LISTED;
                listed.then(|| {
                    let count = (param.max - param.min) as u32 + 1;
                    (0..count).map(|at| (param.min + f64::from(at)) * times + plus).collect()
                })
            }
            Self::Trait { values, .. } => {
                let all: Option<Vec<_>> = values.iter().map(|(_, form)| form.each(declared)).collect();
                all.map(|all| all.concat())
            }
            Self::Between { .. } | Self::Normal { .. } => None,
        }
    }

    fn is_drawn(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Param { .. } => false,
            Self::Trait { values, .. } => values.iter().any(|(_, form)| form.is_drawn()),
            Self::Between { .. } | Self::Normal { .. } => true,
        }
    }

    fn fix(&self, genome: &Genome) -> Source {
        let plain = |form: &Form| match form.fix(genome) {
            Source::Constant(number) => number,
            Source::Between(_, number, _) | Source::Normal(_, number, _) => number,
        };
        match self {
            Self::Constant(number) => Source::Constant(*number),
            Self::Param { name, times, plus } => Source::Constant(genome.number(name) * times + plus),
            Self::Trait { name, values } => {
                let value = genome.text(name);
                let chosen = values.iter().find(|(option, _)| option == value);
                chosen.map_or(Source::Constant(0.0), |(_, form)| form.fix(genome))
            }
            Self::Between { stream, ends } => Source::Between(genome.stream(stream), plain(&ends[0]), plain(&ends[1])),
            Self::Normal { stream, of } => Source::Normal(genome.stream(stream), plain(&of[0]), plain(&of[1])),
        }
    }
}

fn sorted([a, b]: [f64; 2]) -> [f64; 2] {
    [a.min(b), a.max(b)]
}

impl Field<'_> {
    /// A number that may depend on the seed, within `bounds` for every seed.
    pub(super) fn quantity(&self, declared: &Declared, bounds: Bounds) -> Result<Quantity, SceneError> {
        let form = self.form(declared, 0, true)?;
        let [low, high] = form.reach(declared);
        let out = if low < bounds.low {
            Some(low)
        } else if high > bounds.high {
            Some(high)
        } else {
            None
        };
        match out {
            Some(number) if low == high => Err(self.wrong(format!("is {number}"), format!("it must be {bounds}"))),
            Some(number) => {
                Err(self
                    .wrong(format!("can be {number}"), format!("it must be {bounds}, whatever the seed and overrides")))
            }
            None => Ok(Quantity { form, low: bounds.low, high: bounds.high }),
        }
    }

    /// A count that may depend on the seed.
    pub(super) fn count(&self, declared: &Declared, low: u32, high: u32) -> Result<Quantity, SceneError> {
        let count = self.quantity(declared, super::reader::bounds(f64::from(low), f64::from(high), ""))?;
        if matches!(count.form, Form::Constant(number) if number.fract() != 0.0) {
            return Err(self.wrong("is a count", format!("it must be a whole number from {low} to {high}")));
        }
        Ok(count)
    }

    pub(super) fn quantities<const N: usize>(
        &self,
        declared: &Declared,
        bounds: Bounds,
    ) -> Result<[Quantity; N], SceneError> {
        let fields = self.array::<N>()?;
        let all = fields.iter().map(|field| field.quantity(declared, bounds)).collect::<Result<Vec<_>, _>>()?;
        Ok(all.try_into().expect("as many as there are fields"))
    }

    fn form(&self, declared: &Declared, depth: u32, may_draw: bool) -> Result<Form, SceneError> {
        const HELP: &str =
            "write a number, { param = … }, { trait = …, … }, { between = [a, b] } or { normal = [mean, deviation] }";
        if depth > MAX_DEPTH {
            return Err(self.wrong("lies too deep", format!("at most {MAX_DEPTH} of these within each other")));
        }
        if let Value::Number(number) = self.node.value {
            return Ok(Form::Constant(number));
        }
        if !matches!(self.node.value, Value::Table(_)) {
            return Err(self.wrong("must be a number", HELP));
        }
        let mut table = self.table()?;
        // First, as an option of a trait may be called as the others are.
        if let Some(name) = table.get("trait") {
            let (name, cases) = self.cases(declared, &name)?;
            let values =
                cases.into_iter().map(|(option, case)| Ok((option, case.form(declared, depth + 1, may_draw)?)));
            return Ok(Form::Trait { name, values: values.collect::<Result<_, SceneError>>()? });
        }
        let (kind, field) = table.choice(&["param", "trait", "between", "normal"])?;
        let pair = |field: &Field<'_>| -> Result<[Box<Form>; 2], SceneError> {
            if !may_draw {
                return Err(
                    self.wrong("is drawn by chance within another draw", "use a number, a param or a trait here")
                );
            }
            let [a, b] = field.array::<2>()?;
            Ok([Box::new(a.form(declared, depth + 1, false)?), Box::new(b.form(declared, depth + 1, false)?)])
        };
        // The path is the same however the file is laid out.
        let stream = format!("scene/{}", self.path);
        let form = match kind {
            "param" => {
                let names: Vec<&str> = declared.params.iter().map(|param| param.name.as_str()).collect();
                let name = names[field.one_of(&names)?].to_owned();
                let times = table.get("times").map_or(Ok(1.0), |field| field.number(LARGE))?;
                let plus = table.get("plus").map_or(Ok(0.0), |field| field.number(LARGE))?;
                Form::Param { name, times, plus }
            }
            "between" => {
                let ends = pair(&field)?;
                if let (Form::Constant(low), Form::Constant(high)) = (&*ends[0], &*ends[1])
                    && low > high
                {
                    return Err(field.wrong(format!("runs from {low} down to {high}"), "give the lesser end first"));
                }
                Form::Between { stream, ends }
            }
            _ => {
                let of = pair(&field)?;
                if of[1].reach(declared)[0] < 0.0 {
                    return Err(field.wrong("has a negative deviation", "it is [mean, deviation]"));
                }
                Form::Normal { stream, of }
            }
        };
        table.finish()?;
        Ok(form)
    }

    /// The trait that `{ trait = NAME, … }` names, and what it gives for each of its options.
    pub(super) fn cases(
        &self,
        declared: &Declared,
        name: &Field<'_>,
    ) -> Result<(String, Vec<(String, Self)>), SceneError> {
        let names: Vec<&str> = declared.traits.iter().map(|spec| spec.name.as_str()).collect();
        let spec = &declared.traits[name.one_of(&names)?];
        let options: Vec<&str> = spec.options.iter().map(|option| &*option.value).collect();
        let mut cases = Vec::new();
        for (option, case) in self.table()?.named(options.len() + 1)? {
            if option != "trait" {
                if !options.contains(&option) {
                    return Err(case.wrong(
                        format!("is no option of the trait `{}`", spec.name),
                        format!("its options are: {}", options.join(", ")),
                    ));
                }
                cases.push((option.to_owned(), case));
            }
        }
        match options.iter().find(|option| !cases.iter().any(|(there, _)| there == *option)) {
            Some(missing) => {
                Err(self
                    .wrong(format!("says nothing for `{missing}`"), format!("give each of: {}", options.join(", "))))
            }
            None => Ok((spec.name.clone(), cases)),
        }
    }

    /// A word that is one of `known`, and may depend on a trait: `"ember"`, `{ trait = "mood", calm = "moss", … }`, or
    /// `{ trait = "palette" }` where the options themselves are such words.
    pub(super) fn word(&self, declared: &Declared, known: &[&str]) -> Result<Word, SceneError> {
        if !matches!(self.node.value, Value::Table(_)) {
            return Ok(Word::Constant(known[self.one_of(known)?].to_owned()));
        }
        let mut table = self.table()?;
        let name = table.need("trait")?;
        let names: Vec<&str> = declared.traits.iter().map(|spec| spec.name.as_str()).collect();
        let spec = &declared.traits[name.one_of(&names)?];
        if table.named(64)?.len() == 1 {
            if let Some(option) = spec.options.iter().find(|option| !known.contains(&&*option.value)) {
                return Err(self.unknown(&option.value, known));
            }
            let itself = |option: &crate::genome::TraitOption| (option.value.to_string(), option.value.to_string());
            return Ok(Word::Trait { name: spec.name.clone(), values: spec.options.iter().map(itself).collect() });
        }
        let (name, cases) = self.cases(declared, &name)?;
        let values = cases.into_iter().map(|(option, case)| Ok((option, known[case.one_of(known)?].to_owned())));
        Ok(Word::Trait { name, values: values.collect::<Result<_, SceneError>>()? })
    }
}

/// For which options of a trait something is there.
#[derive(Debug, Clone)]
pub(super) struct When {
    name: String,
    options: Vec<String>,
}

impl When {
    /// The field `when` of a table, if it has one.
    pub(super) fn of(table: &mut Table<'_>, declared: &Declared) -> Result<Option<Self>, SceneError> {
        table.get("when").map(|field| Self::read(&field, declared)).transpose()
    }

    /// Whether what has this, or has none, is there.
    pub(super) fn holds(when: Option<&Self>, genome: &Genome) -> bool {
        when.is_none_or(|when| when.options.iter().any(|option| option == genome.text(&when.name)))
    }

    fn read(field: &Field<'_>, declared: &Declared) -> Result<Self, SceneError> {
        let mut table = field.table()?;
        let name = table.need("trait")?;
        let names: Vec<&str> = declared.traits.iter().map(|spec| spec.name.as_str()).collect();
        let spec = &declared.traits[name.one_of(&names)?];
        let known: Vec<&str> = spec.options.iter().map(|option| &*option.value).collect();
        let list = table.need("is")?;
        let option = |field: Field<'_>| Ok(known[field.one_of(&known)?].to_owned());
        let options = list.list(known.len())?.into_iter().map(option).collect::<Result<Vec<_>, SceneError>>()?;
        let distinct: BTreeSet<&String> = options.iter().collect();
        if options.is_empty() || distinct.len() < options.len() {
            let help = format!("name at least one of these, and none twice: {}", known.join(", "));
            return Err(list.wrong("is empty, or names an option twice", help));
        }
        table.finish()?;
        Ok(Self { name: spec.name.clone(), options })
    }
}

/// How many things there can be at once, of which some are there for some options of a trait only.
#[derive(Debug, Default)]
pub(super) struct Tally {
    always: u64,
    /// By trait and option.
    at_times: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Tally {
    pub(super) fn add(&mut self, when: Option<&When>, count: u64) {
        let Some(when) = when else {
            self.always = self.always.saturating_add(count);
            return;
        };
        let options = self.at_times.entry(when.name.clone()).or_default();
        for option in &when.options {
            let there = options.entry(option.clone()).or_default();
            *there = there.saturating_add(count);
        }
    }

    /// No seed has more.
    pub(super) fn most(&self) -> u64 {
        let most = self.at_times.values().map(|options| options.values().copied().max().unwrap_or(0));
        most.fold(self.always, u64::saturating_add)
    }
}

/// A word that may depend on a trait.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Constant(String),
    Trait { name: String, values: Vec<(String, String)> },
}

impl Word {
    pub(super) fn value<'a>(&'a self, genome: &Genome) -> &'a str {
        match self {
            Self::Constant(word) => word,
            Self::Trait { name, values } => {
                let value = genome.text(name);
                values.iter().find(|(option, _)| option == value).map_or("", |(_, word)| word)
            }
        }
    }
}
