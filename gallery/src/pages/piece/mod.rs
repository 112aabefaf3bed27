//! The page of a piece: its film, what it is, where it comes from, and whether it is what it says.

mod verdict;

use std::{collections::BTreeMap, io::ErrorKind, path::PathBuf};

use bevy_egui::egui::{self, Align, Layout, ScrollArea, Ui};
use seedstorm_mint::{Address, Attestation, Cid, Metadata, Rarity, Token, TraitValue, collection::Moved};
use seedstorm_sim::{Digest, Recipe, scenario};
use seedstorm_studio::{
    Home, StudioError, export,
    ledger::{Ledger, ROYALTY_BPS},
    pieces::Piece,
    verify::{self, Report, Wishes},
};

use crate::{
    app::Gallery,
    icons,
    text::{capitalised, plain, short},
    theme::{self, APART, FAR, NEAR},
    widgets,
    work::{Job, Progress},
};

use super::{
    Page,
    collection::Entry,
    film::Film,
    make::{in_words, stage_name, taken},
};

/// The longest edge of a frame that is shown, pixels.
const EDGE: usize = 540;

/// The widest that what is said of it is, points.
const FACTS: f32 = 680.0;

/// The page.
pub struct PiecePage {
    piece: Piece,
    title: String,
    metadata: Result<Metadata, String>,
    /// Whether the chain could be asked for its token.
    asked: bool,
    read: Option<Job<Read>>,
    known: Option<Read>,
    film: Option<Film>,
    check: Check,
    asks: Asks,
    to: String,
    place: String,
    work: Option<Job<Done>>,
    /// What was done last, in words.
    done: Option<String>,
}

/// What is read of it beside its metadata.
struct Read {
    recipe: Result<Recipe, String>,
    /// The units of its parameters, by their names.
    units: BTreeMap<String, String>,
    attestations: Result<Vec<Attestation>, String>,
    history: Result<Vec<Moved>, String>,
}

impl Read {
    fn failed(problem: &str) -> Self {
        let problem = || problem.to_owned();
        Self { recipe: Err(problem()), units: BTreeMap::new(), attestations: Err(problem()), history: Err(problem()) }
    }

    fn start(home: &Home, piece: &Piece) -> Job<Self> {
        let (home, piece) = (home.clone(), piece.clone());
        Job::start(move |_| {
            let history = match &piece.token {
                Some(token) => {
                    Ledger::read(&home).and_then(|ledger| ledger.history(token.id)).map_err(|e| in_words(&e))
                }
                None => Ok(vec![]),
            };
            let recipe = piece.recipe(&home).map_err(|error| in_words(&error));
            Ok(Self {
                units: recipe.as_ref().map(units).unwrap_or_default(),
                recipe,
                attestations: piece.attestations(&home).map_err(|error| in_words(&error)),
                history,
            })
        })
    }
}

/// The units of the parameters of its scenario, by what its metadata calls them.
fn units(recipe: &Recipe) -> BTreeMap<String, String> {
    let Ok(scenario) = scenario::of(recipe) else { return BTreeMap::new() };
    scenario.params().iter().map(|spec| (capitalised(spec.name), spec.unit.to_owned())).collect()
}

/// What was done, in words, and whose the token is now where that has changed.
struct Done {
    words: String,
    token: Option<Token>,
}

impl Done {
    fn said(words: String) -> Self {
        Self { words, token: None }
    }
}

enum Check {
    Never,
    Running(Job<Report>),
    Done(Report, Progress),
    Failed(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Transfer,
    /// Once more, since it cannot be taken back.
    ReallyTransfer(Address),
    Export,
}

impl PiecePage {
    pub fn new(home: &Home, entry: &Entry) -> Self {
        let piece = entry.piece.clone();
        let name = piece.token.as_ref().map_or_else(|| "piece".into(), |token| format!("token-{}", token.id));
        let place = home.root().join("exports").join(format!("{name}.car"));
        Self {
            title: entry.title(),
            metadata: entry.metadata.clone(),
            asked: entry.asked,
            place: place.display().to_string(),
            read: Some(Read::start(home, &piece)),
            piece,
            known: None,
            film: None,
            check: Check::Never,
            asks: Asks::Nothing,
            to: String::new(),
            work: None,
            done: None,
        }
    }

    /// The recipe that it is of.
    pub fn recipe(&self) -> &Cid {
        &self.piece.recipe
    }

    /// Takes over what has become of the piece elsewhere, unless something is under way.
    pub fn update(&mut self, home: &Home, entry: &Entry) {
        if self.piece != entry.piece && self.work.is_none() && !matches!(self.check, Check::Running(_)) {
            *self = Self::new(home, entry);
        }
    }

    /// Whether it stays open.
    pub fn show(&mut self, ui: &mut Ui, gallery: &mut Gallery) -> bool {
        self.attend(gallery);
        let mut stays = true;
        let page = widgets::page(ui);
        egui::CentralPanel::default().frame(page).show(ui, |ui| {
            let whole = ui.available_size();
            let left = (whole.x * 0.52).min(whole.y).min(self.largest());
            widgets::middle(ui, left + FAR + FACTS, |ui| {
                ui.horizontal(|ui| {
                    stays = !widgets::icon_button(ui, icons::BACK, "Back to the wall").clicked();
                    widgets::title(ui, &self.title);
                });
                ui.add_space(NEAR);
                if self.known.is_none() {
                    // How large its film is decides where all else stands.
                    widgets::busy(ui);
                    return;
                }
                ui.horizontal_top(|ui| {
                    let down = Layout::top_down(Align::Min);
                    ui.allocate_ui_with_layout(egui::vec2(left, ui.available_height()), down, |ui| self.film(ui));
                    ui.add_space(FAR - NEAR);
                    ui.allocate_ui_with_layout(ui.available_size(), down, |ui| {
                        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                            ui.set_width(ui.available_width() - 8.0);
                            self.actions(ui, gallery);
                            self.verification(ui);
                            self.facts(ui);
                        });
                    });
                });
            });
        });
        if !ui.ctx().egui_wants_keyboard_input() && ui.input(|input| input.key_pressed(egui::Key::Escape)) {
            stays = false;
        }
        // What is under way is waited for: nobody else would say how it ended.
        stays || self.work.is_some()
    }

    /// Takes what has come of what was begun.
    fn attend(&mut self, gallery: &mut Gallery) {
        if let Some(read) = self.read.as_ref().and_then(taken) {
            self.read = None;
            match read {
                Ok(read) => self.known = Some(read),
                Err(error) => self.known = Some(Read::failed(&in_words(&error))),
            }
        }
        if self.film.is_none()
            && let Some(Read { recipe: Ok(recipe), .. }) = &self.known
        {
            let (home, piece) = (gallery.home.clone(), self.piece.clone());
            let frame = move |frame| piece.frame(&home, frame).map(Some).map_err(|error| error.to_string());
            self.film = Some(Film::new([recipe.film.frames, recipe.film.fps], EDGE, false, frame));
        }
        if let Check::Running(job) = &self.check {
            let lost = job.is_lost();
            match job.take() {
                Some(Ok(report)) => self.check = Check::Done(report, job.progress()),
                Some(Err(error)) => self.check = Check::Failed(in_words(&error)),
                None if lost => self.check = Check::Failed("The checks broke down.".into()),
                None => {}
            }
        }
        if let Some(done) = self.work.as_ref().and_then(taken) {
            self.work = None;
            match done {
                Ok(Done { words, token }) => {
                    gallery.trouble = None;
                    self.done = Some(words);
                    self.asks = Asks::Nothing;
                    if token.is_some() {
                        self.piece.token = token;
                        self.read = Some(Read::start(&gallery.home, &self.piece));
                        gallery.collection.refresh();
                    }
                }
                Err(error) => gallery.trouble = Some(in_words(&error)),
            }
        }
    }

    /// The edge beyond which its film would only be soft: a draft is not drawn much larger than it is.
    fn largest(&self) -> f32 {
        match &self.known {
            Some(Read { recipe: Ok(recipe), .. }) => {
                widgets::ENLARGED * recipe.film.width.max(recipe.film.height) as f32
            }
            _ => f32::INFINITY,
        }
    }

    fn film(&mut self, ui: &mut Ui) {
        let edge = ui.available_width().min(ui.available_height()).min(self.largest());
        let (rect, _) = ui.allocate_exact_size(egui::vec2(edge, edge), egui::Sense::hover());
        match (&mut self.film, &self.known) {
            (Some(film), _) => film.show(ui, rect),
            (None, Some(Read { recipe: Err(problem), .. })) => widgets::placeholder(ui, rect, &plain(problem)),
            (None, _) => widgets::placeholder(ui, rect, ""),
        }
    }

    fn actions(&mut self, ui: &mut Ui, gallery: &mut Gallery) {
        let running = matches!(self.check, Check::Running(_));
        ui.horizontal(|ui| {
            let again = matches!(self.check, Check::Done(..));
            let press = |ui: &mut Ui| match again {
                true => widgets::button(ui, icons::PROVED, "Verify again"),
                false => widgets::primary(ui, "Verify"),
            };
            let verify = ui.add_enabled_ui(!running, press).inner;
            if verify.on_hover_text("Run the simulation again, and see whether all of it holds").clicked() {
                let (home, name) = (gallery.home.clone(), self.piece.name());
                let wishes = Wishes { backend: gallery.backend, unminted: self.piece.token.is_none() };
                self.check = Check::Running(Job::start(move |observer| verify::verify(&home, &name, wishes, observer)));
            }
            if self.piece.token.is_some() {
                let on = matches!(self.asks, Asks::Transfer | Asks::ReallyTransfer(_));
                if widgets::toggle(ui, on, icons::SEND, "Transfer").clicked() {
                    self.asks = if on { Asks::Nothing } else { Asks::Transfer };
                }
            }
            if let (None, true, Some(Read { recipe: Ok(recipe), .. })) = (&self.piece.token, self.asked, &self.known)
                && widgets::button(ui, icons::MAKE, "Name and mint").clicked()
            {
                gallery.make.take_up(recipe.clone());
                gallery.page = Page::Make;
            }
            let on = self.asks == Asks::Export;
            if widgets::toggle(ui, on, icons::EXPORT, "Export").clicked() {
                self.asks = if on { Asks::Nothing } else { Asks::Export };
            }
        });
        match self.asks {
            Asks::Nothing => {}
            Asks::Export => self.export(ui, gallery),
            Asks::Transfer | Asks::ReallyTransfer(_) => self.transfer(ui, gallery),
        }
        if let Some(words) = &self.done {
            let good = theme::palette(ui).good;
            widgets::notice(ui, icons::CHECK, good, words);
        }
    }

    fn export(&mut self, ui: &mut Ui, gallery: &Gallery) {
        widgets::quiet(
            ui,
            "As a .car archive, which other stores and IPFS nodes read, or, by a name without .car, as a folder.",
        );
        let field = ui.add(widgets::line(&mut self.place).desired_width(ui.available_width()));
        field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, "Where to"));
        let path = at_home(self.place.trim());
        let ready = !self.place.trim().is_empty() && self.work.is_none();
        if ui.add_enabled(ready, egui::Button::new("Save")).clicked() {
            let (home, name) = (gallery.home.clone(), self.piece.name());
            self.work = Some(Job::start(move |_| {
                let io = |source| StudioError::Io { path: path.clone(), source };
                if path.exists() {
                    return Err(io(ErrorKind::AlreadyExists.into()));
                }
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(io)?;
                }
                if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("car")) {
                    let (path, car) = export::car(&home, &name, Some(&path))?;
                    Ok(Done::said(format!("{} blocks in {}", car.blocks, path.display())))
                } else {
                    export::folder(&home, &name, &path)?;
                    Ok(Done::said(format!("Written to {}", path.display())))
                }
            }));
        }
    }

    fn transfer(&mut self, ui: &mut Ui, gallery: &Gallery) {
        let colors = theme::palette(ui);
        let Some(id) = self.piece.token.as_ref().map(|token| token.id) else { return };
        if self.work.is_some() {
            ui.horizontal(|ui| {
                widgets::busy(ui);
                ui.label("Under way: it cannot be stopped.");
            });
            return;
        }
        if let Asks::ReallyTransfer(to) = self.asks {
            let words = format!("Token {id} will belong to {to}. Nobody can take that back but its new owner.");
            widgets::notice(ui, icons::WARNING, colors.accent, &words);
            ui.horizontal(|ui| {
                if widgets::primary(ui, "Transfer for good").clicked() && self.work.is_none() {
                    let home = gallery.home.clone();
                    self.work = Some(Job::start(move |_| {
                        let token = Ledger::write(&home, ROYALTY_BPS)?.transfer(id, to)?;
                        let words = format!("Token {id} belongs to {} now", token.owner);
                        Ok(Done { words, token: Some(token) })
                    }));
                }
                if ui.button("Cancel").clicked() {
                    self.asks = Asks::Nothing;
                }
            });
            return;
        }
        widgets::quiet(ui, "To which address?");
        let field = widgets::line(&mut self.to).hint_text("0x…").char_limit(64);
        let field = ui.add(field.font(egui::TextStyle::Monospace).desired_width(ui.available_width()));
        field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, "Address"));
        match address(self.to.trim()) {
            Ok(to) => {
                if ui.button("Transfer…").clicked() {
                    self.asks = Asks::ReallyTransfer(to);
                }
            }
            Err(problem) if !self.to.trim().is_empty() => drop(widgets::quiet(ui, problem)),
            Err(_) => {}
        }
    }

    fn verification(&mut self, ui: &mut Ui) {
        let colors = theme::palette(ui);
        let mut stop = false;
        match &self.check {
            Check::Never => {}
            Check::Failed(problem) => widgets::notice(ui, icons::WARNING, colors.bad, problem),
            Check::Running(job) => {
                let progress = job.progress();
                widgets::card(ui).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    let (done, of) = (progress.compared.len(), progress.checkpoints);
                    let words = match (progress.stage, done) {
                        (None, 0) => "Reading what there is…".into(),
                        (None, _) => "Partly checked: drawing a part of a frame again".into(),
                        (Some(stage), _) => format!(
                            "Partly checked: {}, checkpoint {done} of {of}",
                            stage_name(Some(stage)).to_lowercase()
                        ),
                    };
                    widgets::progress(ui, progress.share, &words);
                    verdict::checkpoints(ui, &progress);
                    stop = ui.button("Stop").clicked();
                });
            }
            Check::Done(report, progress) => verdict::show(ui, report, progress),
        }
        if stop {
            self.check = Check::Never;
        }
    }

    fn facts(&self, ui: &mut Ui) {
        match &self.metadata {
            Ok(metadata) => {
                ui.add_space(NEAR);
                widgets::words(ui, plain(&metadata.description));
                traits(ui, metadata, |name| self.known.as_ref()?.units.get(name).map(String::as_str));
            }
            Err(problem) => {
                let bad = theme::palette(ui).bad;
                widgets::notice(ui, icons::WARNING, bad, &format!("Its metadata cannot be read. {}", plain(problem)));
            }
        }
        self.provenance(ui);
    }

    fn provenance(&self, ui: &mut Ui) {
        widgets::heading(ui, "Provenance");
        widgets::code(ui, "Recipe", &self.piece.recipe.to_string());
        if let Ok(metadata) = &self.metadata {
            widgets::code(ui, "Content", &metadata.bundle.to_string());
            widgets::code(ui, "Simulation", &Digest(metadata.sim_root).to_string());
            widgets::fact(ui, "Engine", &plain(&metadata.engine));
            let renderer =
                if metadata.renderer == "cpu" { "cpu, the canonical tracer".into() } else { plain(&metadata.renderer) };
            widgets::fact(ui, "Drawn by", &renderer);
        }
        let Some(known) = &self.known else { return };
        match &known.recipe {
            Ok(recipe) => {
                let film = &recipe.film;
                let words =
                    format!("{} frames of {} × {}, {} a second", film.frames, film.width, film.height, film.fps);
                widgets::fact(ui, "Film", &words);
            }
            Err(problem) => widgets::fact(ui, "Recipe", &plain(problem)),
        }
        match &known.attestations {
            Ok(attestations) => {
                for attestation in attestations {
                    let words = format!(
                        "{}, on {}",
                        short(&attestation.signer().to_string()),
                        plain(&attestation.claim().backend)
                    );
                    widgets::fact(ui, "Signed by", &words);
                }
            }
            Err(problem) => {
                widgets::fact(ui, "Signed by", "nobody, as it is now");
                widgets::quiet(ui, "What its maker signed is missing, damaged, or about other files than these.")
                    .on_hover_text(plain(problem));
            }
        }
        widgets::heading(ui, "History");
        match (&self.piece.token, &known.history) {
            (Some(token), Ok(history)) => owners(ui, token, history),
            (Some(_), Err(problem)) => drop(widgets::quiet(ui, plain(problem))),
            (None, _) if self.asked => drop(widgets::quiet(ui, "It was never minted.")),
            (None, _) => drop(widgets::quiet(ui, "The chain cannot be read: whether it was minted is not known.")),
        }
        ui.add_space(APART);
    }
}

/// Who had it.
fn owners(ui: &mut Ui, token: &Token, history: &[Moved]) {
    for moved in history {
        let what = if moved.from == Address::ZERO { "Minted for" } else { "Given to" };
        widgets::fact(ui, what, &format!("{} in block {}", short(&moved.to.to_string()), moved.block));
    }
    widgets::code(ui, "Owner", &token.owner.to_string());
}

fn traits<'a>(ui: &mut Ui, metadata: &Metadata, unit: impl Fn(&str) -> Option<&'a str>) {
    widgets::traits_heading(ui, 112.0 + 150.0 + NEAR);
    for it in metadata.traits.iter().take(64) {
        let value = match &it.value {
            TraitValue::Text(text) => plain(text),
            TraitValue::Number(number) => {
                let number = (number * 1e4).round() / 1e4;
                match unit(&it.name).unwrap_or_default() {
                    "" => number.to_string(),
                    "°" => format!("{number}°"),
                    unit => format!("{number} {unit}"),
                }
            }
        };
        let (share, note) = match it.rarity {
            Rarity::Drawn(share) => (Some(share).filter(|share| *share < 1.0), ""),
            Rarity::Overridden => (None, "by hand"),
        };
        widgets::trait_row(ui, &capitalised(&plain(&it.name)), &value, share, note);
    }
}

/// A path as people write it: `~` is the user's folder.
fn at_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}

/// An address as people write it: with the checksum of EIP-55, or without capital letters.
fn address(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    if digits.len() != 40 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("An address is 0x and 40 hexadecimal digits".into());
    }
    let mixed = digits.bytes().any(|d| d.is_ascii_uppercase()) && digits.bytes().any(|d| d.is_ascii_lowercase());
    let to: Address = text.parse().map_err(|_| "An address is 0x and 40 hexadecimal digits".to_owned())?;
    if to == Address::ZERO {
        return Err("Nobody has that address: what is sent there is lost".into());
    }
    if mixed && to.to_checksum(None) != text {
        return Err("A digit of it is wrong: its capital letters do not fit (EIP-55)".into());
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_a_slip_are_refused() {
        let right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert!(address(right).is_ok());
        assert!(address(&right.to_lowercase()).is_ok());
        assert!(address(&right.replace("aAeb", "AAeb")).unwrap_err().contains("EIP-55"));
        for wrong in
            ["", "0x", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x0000000000000000000000000000000000000000"]
        {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
