//! Make: a seed becomes a film, and a film a token. What is under way is kept, and goes on after a restart.

use std::sync::OnceLock;

use bevy::math::UVec2;
use bevy_egui::egui::{self, Align, Layout, RichText, Ui};
use seedstorm_mint::{Metadata, Mint, block::raw_cid, keystore::KeystoreError};
use seedstorm_sim::{
    Backend, Film as FilmSize, Recipe,
    gpu::{Adapter, adapters},
    resolve,
    scene::Scene,
    text::is_plain,
};
use seedstorm_studio::{
    Home, Stage, StudioError,
    ledger::{self, Quote, ROYALTY_BPS},
    make::{self, Made, Options},
    pieces::Piece,
};

use crate::{
    app::Gallery,
    icons,
    text::{capitalised, duration, ether_in_sum, plain},
    theme::{self, APART, NEAR},
    widgets,
    work::Job,
};

use super::{Page, explore::seed_text, film::Film, preview::Preview};

/// What a piece can be made as: a name, how it is filmed, and what that is for.
static QUALITIES: [(&str, FilmSize, &str); 3] = [
    ("Draft", FilmSize::DRAFT, "To see whether it is worth more."),
    ("Film", FilmSize::FILM, "To own."),
    ("Master", FilmSize::MASTER, "For a wall. Takes hours on a processor alone."),
];

/// Edge of a film on its card, points, among others and alone; frames have no more pixels.
const EDGE: f32 = 360.0;
const LARGE: f32 = 640.0;

/// The widest that a card is, points.
const WIDEST: f32 = 1480.0;

/// Edge of the picture of what is proposed, pixels.
const PICTURE: u32 = 640;

/// The most a name and a description may be long, letters.
const MAX_NAME: usize = 80;
const MAX_DESCRIPTION: usize = 1000;

/// The page.
#[derive(Default)]
pub struct MakePage {
    proposed: Option<Proposal>,
    items: Vec<Item>,
}

struct Proposal {
    recipe: Recipe,
    quality: usize,
    /// What can draw here, and which of it is to.
    renderers: Vec<Drawer>,
    renderer: usize,
    /// What the seed has drawn, in words.
    traits: String,
    /// A moment of it.
    preview: Option<Preview>,
}

/// A piece on its way.
struct Item {
    recipe: Recipe,
    state: State,
    film: Option<Film>,
    name: String,
    description: String,
    royalty_percent: f64,
}

enum State {
    /// It was here before the app was started; nobody has looked yet how far it is.
    Remembered,
    Waiting,
    Making(Job<Made>),
    /// Nobody works on it; why, where it was not asked for.
    Stopped(Option<String>),
    /// It is finished, and is not what it should be.
    Damaged(String),
    /// What was done is being thrown away.
    Discarded(Job<()>),
    Made,
    Quoting(Job<(Mint, Quote)>),
    /// What a mint costs, before it is paid.
    Quoted(Box<(Mint, Quote)>),
    Minting(Job<Made>),
    Minted(u64),
}

impl MakePage {
    /// The page with what was under way before, as [`MakePage::to_keep`] gave it, and with what else was begun here.
    pub fn new(kept: &[String], home: &Home) -> Self {
        // A recipe of another engine cannot be gone on with; what was made of it is in its home.
        let recipes = kept.iter().filter_map(|text| Recipe::from_json(text.as_bytes()).ok());
        let mut page = Self::default();
        for recipe in recipes.chain(make::unfinished(home)) {
            page.take_up(recipe);
        }
        page
    }

    /// Looks how far the piece of `recipe` is, and goes on with it.
    pub fn take_up(&mut self, recipe: Recipe) {
        match self.items.iter_mut().find(|item| item.recipe == recipe) {
            Some(item) if matches!(item.state, State::Stopped(_)) => item.state = State::Remembered,
            Some(_) => {}
            None => self.items.push(Item::new(recipe, State::Remembered)),
        }
    }

    /// What is to be known after a restart.
    pub fn to_keep(&self) -> Vec<String> {
        // A scene's recipe may be large, and what is made of it is found without this list.
        let kept = |item: &&Item| item.recipe.scene.is_none() && !matches!(item.state, State::Minted(_));
        let unminted = self.items.iter().filter(kept);
        unminted.map(|item| String::from_utf8_lossy(&item.recipe.canonical()).into_owned()).collect()
    }

    /// Asks how `recipe` is to be made, of which `scene` is a moment.
    pub fn propose(&mut self, recipe: Recipe, scene: Option<Scene>) {
        let preview = scene.map(|scene| Preview::draw(scene, UVec2::splat(PICTURE)));
        let traits = resolve(&recipe).map(|(_, genome)| genome.traits).unwrap_or_default();
        let traits: Vec<String> = traits.into_iter().map(|it| it.value).collect();
        let traits = capitalised(&traits.join(", "));
        let renderers = renderers();
        self.proposed = Some(Proposal { recipe, quality: 0, renderers, renderer: 0, traits, preview });
    }

    /// The piece that is worked on, if one is: the share of its stage that is done, and what it is called.
    pub fn under_way(&self) -> Option<(f32, String)> {
        self.items.iter().find_map(|item| match &item.state {
            State::Making(job) => {
                let progress = job.progress();
                Some((progress.share, stage_name(progress.stage).to_lowercase()))
            }
            _ => None,
        })
    }

    /// Whether anything moves here.
    pub fn plays(&self) -> bool {
        self.items.iter().any(|item| item.film.is_some())
    }

    /// Whether what is proposed gets better from second to second.
    pub fn is_drawn(&self) -> bool {
        self.proposed.iter().filter_map(|it| it.preview.as_ref()).any(|preview| !preview.is_done())
    }

    /// Nobody looks at the page: films are read again when somebody does.
    pub fn rest(&mut self) {
        for item in &mut self.items {
            item.film = None;
        }
    }

    /// Looks after the work: takes what has come of it, and begins what waits.
    pub fn attend(&mut self, home: &Home, backend: Backend, trouble: &mut Option<String>) {
        for item in &mut self.items {
            item.attend(home, trouble);
            // What costs nothing was minted already, by a run that could not say so any more: its token is found.
            if matches!(&item.state, State::Quoted(price) if price.1.cost.is_zero()) {
                item.mint(home, backend);
            }
        }
        self.items.retain(|item| match &item.state {
            State::Discarded(job) => match taken(job) {
                Some(gone) => {
                    *trouble = gone.err().map(|error| in_words(&error)).or(trouble.take());
                    false
                }
                None => true,
            },
            _ => true,
        });
        let busy = self.items.iter().any(|item| matches!(item.state, State::Making(_)));
        if !busy && let Some(next) = self.items.iter_mut().find(|item| matches!(item.state, State::Waiting)) {
            next.begin(home, backend);
        }
    }
}

impl Item {
    fn new(recipe: Recipe, state: State) -> Self {
        let royalty_percent = f64::from(ROYALTY_BPS) / 100.0;
        Self { recipe, state, film: None, name: String::new(), description: String::new(), royalty_percent }
    }

    fn piece(&self, home: &Home) -> Piece {
        let recipe = self.recipe.cid();
        Piece { recipe, token: None, folder: Some(home.bundles().join(recipe.to_string())) }
    }

    fn begin(&mut self, home: &Home, backend: Backend) {
        let (home, recipe) = (home.clone(), self.recipe.clone());
        let options = Options { backend, mint: false, ..Options::default() };
        // Its film grows from here on.
        self.film = None;
        self.state = State::Making(Job::start(move |observer| make::make(&home, &recipe, &options, observer)));
    }

    /// Takes over what is called by the finished piece.
    fn take_metadata(&mut self, metadata: &Metadata) {
        (self.name, self.description) = (metadata.name.clone(), metadata.description.clone());
    }

    fn attend(&mut self, home: &Home, trouble: &mut Option<String>) {
        let next = match &self.state {
            State::Remembered => {
                let piece = self.piece(home);
                match piece.folder.as_deref().filter(|folder| folder.is_dir()).map(|_| piece.metadata(home)) {
                    Some(Ok(metadata)) => {
                        self.take_metadata(&metadata);
                        State::Made
                    }
                    Some(Err(error)) => State::Damaged(in_words(&error)),
                    None => State::Stopped(None),
                }
            }
            State::Making(job) => match taken(job) {
                Some(Ok(made)) => match (&made.minted, self.piece(home).metadata(home)) {
                    (Some(minted), _) => State::Minted(minted.token.id),
                    (None, Ok(metadata)) => {
                        self.take_metadata(&metadata);
                        State::Made
                    }
                    (None, Err(error)) => State::Stopped(Some(error.to_string())),
                },
                Some(Err(StudioError::Stopped)) => State::Stopped(None),
                Some(Err(error)) => State::Stopped(Some(in_words(&error))),
                None => return,
            },
            State::Quoting(job) => match taken(job) {
                Some(Ok(quoted)) => State::Quoted(Box::new(quoted)),
                Some(Err(error)) => {
                    *trouble = Some(in_words(&error));
                    State::Made
                }
                None => return,
            },
            State::Minting(job) => match taken(job) {
                Some(Ok(Made { minted: Some(minted), .. })) => State::Minted(minted.token.id),
                Some(Ok(_)) => State::Made,
                Some(Err(error)) => {
                    *trouble = Some(in_words(&error));
                    State::Made
                }
                None => return,
            },
            _ => return,
        };
        // A film that grew is read anew, to its end.
        if matches!(self.state, State::Making(_)) {
            self.film = None;
        }
        self.state = next;
    }

    fn quote(&mut self, home: &Home) {
        let (home, recipe) = (home.clone(), self.recipe.clone());
        let (name, description) = (self.name.trim().to_owned(), self.description.trim().to_owned());
        let royalty = self.royalty_bps();
        self.state = State::Quoting(Job::start(move |_| {
            let metadata = make::describe(&home, &recipe, &name, &description)?;
            let mint = Mint {
                to: seedstorm_mint::Address::ZERO,
                metadata: raw_cid(&metadata.to_json()?),
                recipe: recipe.cid(),
                sim_root: metadata.sim_root,
            };
            let quote = ledger::quote(&home, &mint, royalty)?;
            Ok((mint, quote))
        }));
    }

    fn mint(&mut self, home: &Home, backend: Backend) {
        let State::Quoted(price) = &self.state else { return };
        let quoted = price.0;
        let (home, recipe, royalty_bps) = (home.clone(), self.recipe.clone(), self.royalty_bps());
        let piece = self.piece(&home);
        self.state = State::Minting(Job::start(move |observer| {
            // What is minted is what the price was asked for: another program may have named it otherwise since.
            let Metadata { name, description, .. } = piece.metadata(&home)?;
            let metadata = make::describe(&home, &recipe, &name, &description)?;
            if raw_cid(&metadata.to_json()?) != quoted.metadata {
                return Err(StudioError::Named(name));
            }
            let (name, description) = (Some(name), Some(description));
            let options = Options { backend, mint: true, royalty_bps, name, description, ..Options::default() };
            make::make(&home, &recipe, &options, observer)
        }));
    }

    fn royalty_bps(&self) -> u16 {
        (self.royalty_percent * 100.0).round() as u16
    }
}

/// What came of a job; one that broke down came to an error.
pub fn taken<T: Send + 'static>(job: &Job<T>) -> Option<Result<T, StudioError>> {
    let lost = job.is_lost();
    job.take().or_else(|| lost.then(|| Err(StudioError::Stopped)))
}

/// An error with what to do about it, here.
pub fn in_words(error: &StudioError) -> String {
    let mut words = capitalised(&error.to_string());
    let help = match error {
        StudioError::Mint(mint) => match &**mint {
            seedstorm_mint::Error::Keystore(KeystoreError::NoPassword { .. }) => {
                return "The key is locked: unlock it on the page “Wallet”, with its password.".into();
            }
            seedstorm_mint::Error::Keystore(_) => Some(
                "Its password is typed in on the page “Wallet”; a damaged file has to come back from a copy".into(),
            ),
            _ => error.help(),
        },
        StudioError::Named(_) => Some("What was minted keeps its name and description: leave them as they were".into()),
        StudioError::Stopped => None,
        _ => error.help(),
    };
    if let Some(help) = help {
        words = format!("{words}. {}", capitalised(&help));
    }
    plain(&words)
}

/// A stage, for people.
pub fn stage_name(stage: Option<Stage>) -> &'static str {
    match stage {
        Some(Stage::Simulate) => "Simulating",
        Some(Stage::Render) => "Drawing frames",
        Some(Stage::Encode) => "Encoding the film",
        Some(Stage::Pin) => "Storing",
        Some(Stage::Mint) => "Minting",
        Some(_) => "Working",
        None => "Preparing",
    }
}

/// What is done with a piece, as its card was used.
enum Wish {
    Resume,
    Remove,
    Discard,
    Quote,
    Mint,
    NotNow,
    Look,
}

/// The page.
pub fn show(ui: &mut Ui, gallery: &mut Gallery) {
    let page = widgets::page(ui);
    egui::CentralPanel::default().frame(page).show(ui, |ui| {
        if gallery.make.proposed.is_none() && gallery.make.items.is_empty() {
            let words = "Choose a scenario, roll its seeds until one is worth keeping, and press “Make this piece”.";
            if widgets::empty(ui, icons::MAKE, "Nothing is being made", words, "Explore") {
                gallery.page = Page::Explore;
            }
            return;
        }
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            widgets::middle(ui, WIDEST, |ui| pieces(ui, gallery));
        });
    });
}

/// What is proposed, and what is under way, the latest first.
fn pieces(ui: &mut Ui, gallery: &mut Gallery) {
    widgets::title(ui, "Make");
    ui.add_space(NEAR);
    propose(ui, gallery);
    let mut wish = None;
    let alone = gallery.make.items.len() == 1;
    for number in (0..gallery.make.items.len()).rev() {
        ui.push_id(number, |ui| {
            let room = if alone { (ui.available_height() - 2.0 * APART).clamp(EDGE, LARGE) } else { EDGE };
            if let Some(wished) = card(ui, &mut gallery.make.items[number], &gallery.home, room) {
                wish = Some((number, wished));
            }
        });
        ui.add_space(APART);
    }
    if let Some((number, wish)) = wish {
        grant(gallery, number, wish);
    }
}

fn grant(gallery: &mut Gallery, number: usize, wish: Wish) {
    let item = &mut gallery.make.items[number];
    match wish {
        Wish::Resume => item.state = State::Waiting,
        Wish::Remove => drop(gallery.make.items.remove(number)),
        Wish::Discard => {
            let (home, recipe) = (gallery.home.clone(), item.recipe.clone());
            item.film = None;
            item.state = State::Discarded(Job::start(move |_| make::discard(&home, &recipe)));
        }
        Wish::Quote => item.quote(&gallery.home),
        Wish::Mint => item.mint(&gallery.home, gallery.backend),
        Wish::NotNow => item.state = State::Made,
        Wish::Look => {
            gallery.page = Page::Collection;
            gallery.collection.look_at(item.recipe.cid());
        }
    }
}

/// How long a film is.
fn seconds(film: &FilmSize) -> f64 {
    f64::from(film.frames) / f64::from(film.fps)
}

/// Names and descriptions of the qualities.
fn qualities() -> Vec<(&'static str, Vec<String>)> {
    let about = |film: &FilmSize, what_for: &str| {
        vec![format!("{} × {}, {:.0} s", film.width, film.height, seconds(film)), what_for.to_owned()]
    };
    QUALITIES.iter().map(|(name, film, what_for)| (*name, about(film, what_for))).collect()
}

/// What can draw here.
struct Drawer {
    /// What a recipe calls it.
    id: &'static str,
    name: &'static str,
    about: Vec<String>,
}

/// The processor, and the graphics device if there is one: what draws pieces.
fn renderers() -> Vec<Drawer> {
    static DEVICE: OnceLock<Option<Adapter>> = OnceLock::new();
    let drawer = |id, name, about: &[&str]| {
        let about = about.iter().map(|text| plain(text)).collect();
        Drawer { id, name, about }
    };
    let mut there = vec![drawer("cpu", "Processor", &["The same pixels on every machine, bit for bit."])];
    match DEVICE.get_or_init(|| adapters().into_iter().next()) {
        Some(device) if device.software => {
            there.push(drawer("gpu", "Software device", &["Many times slower: the processor plays it."]));
        }
        Some(device) => {
            there.push(drawer("gpu", "Graphics card", &["Quick. Checked against the processor.", &device.name]));
        }
        None => {}
    }
    there
}

/// Cards side by side, or one below the other where there is no room; the one that was pressed.
fn choices(ui: &mut Ui, height: f32, cards: &[(&str, Vec<String>)], on: usize) -> Option<usize> {
    let count = if ui.available_width() < 440.0 { 1 } else { cards.len().min(3) };
    let width = (ui.available_width() - (count - 1) as f32 * NEAR) / count as f32;
    let mut chosen = None;
    for (row, cards) in cards.chunks(count).enumerate() {
        ui.horizontal(|ui| {
            for (column, (name, about)) in cards.iter().enumerate() {
                let number = row * count + column;
                if widgets::choice(ui, number == on, name, egui::vec2(width.floor(), height), about) {
                    chosen = Some(number);
                }
            }
        });
    }
    chosen
}

/// How a new piece is to be made.
fn propose(ui: &mut Ui, gallery: &mut Gallery) {
    let Some(proposal) = &mut gallery.make.proposed else { return };
    let colors = theme::palette(ui);
    let mut begin = false;
    let mut forget = false;
    let room = ui.available_height() - 2.0 * APART;
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let edge = (ui.available_width() * 0.42).min(room).clamp(200.0, LARGE);
            let (rect, _) = ui.allocate_exact_size(egui::vec2(edge, edge), egui::Sense::hover());
            widgets::placeholder(ui, rect, "");
            if let Some(preview) = &mut proposal.preview {
                preview.show(ui, rect, 8);
            }
            ui.add_space(APART);
            ui.vertical(|ui| {
                let seed = seed_text(proposal.recipe.seed);
                ui.heading(format!("{}, seed {seed}", capitalised(&proposal.recipe.scenario.name)));
                widgets::quiet(ui, &proposal.traits);
                ui.add_space(NEAR);
                ui.label(RichText::new("Quality").color(colors.quiet));
                if let Some(chosen) = choices(ui, 108.0, &qualities(), proposal.quality) {
                    proposal.quality = chosen;
                }
                ui.add_space(NEAR);
                ui.label(RichText::new("Drawn by").color(colors.quiet));
                let cards: Vec<_> = proposal.renderers.iter().map(|it| (it.name, it.about.clone())).collect();
                if let Some(chosen) = choices(ui, 108.0, &cards, proposal.renderer) {
                    proposal.renderer = chosen;
                }
                ui.add_space(APART);
                ui.horizontal(|ui| {
                    begin = widgets::primary(ui, "Start making").clicked();
                    forget = ui.button("Cancel").clicked();
                });
            });
        });
    });
    ui.add_space(APART);
    if begin {
        let mut recipe = proposal.recipe.clone();
        recipe.film = FilmSize {
            renderer: proposal.renderers[proposal.renderer].id.into(),
            ..QUALITIES[proposal.quality].1.clone()
        };
        match gallery.make.items.iter_mut().find(|item| item.recipe == recipe) {
            // In a moment it is gone, and can be begun anew.
            Some(Item { state: State::Discarded(_), .. }) => begin = false,
            Some(item) if matches!(item.state, State::Stopped(_)) => item.state = State::Waiting,
            Some(_) => {}
            None => gallery.make.items.push(Item::new(recipe, State::Waiting)),
        }
    }
    if begin || forget {
        gallery.make.proposed = None;
    }
}

/// A piece on its way.
fn card(ui: &mut Ui, item: &mut Item, home: &Home, edge: f32) -> Option<Wish> {
    let mut wish = None;
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let edge = edge.min(ui.available_width() * 0.42);
            let (rect, _) = ui.allocate_exact_size(egui::vec2(edge, edge), egui::Sense::hover());
            if ui.is_rect_visible(rect) && !matches!(item.state, State::Waiting | State::Remembered) {
                let (home, recipe, film) = (home.clone(), item.recipe.clone(), &item.recipe.film);
                let grows = matches!(item.state, State::Making(_));
                let frame = move |frame| Ok(make::frame_so_far(&home, &recipe, frame));
                let film = || Film::new([film.frames, film.fps], LARGE as usize, grows, frame);
                item.film.get_or_insert_with(film).show(ui, rect);
            } else {
                item.film = None;
                widgets::placeholder(ui, rect, "");
            }
            ui.add_space(APART);
            ui.vertical(|ui| wish = details(ui, item));
        });
    });
    wish
}

fn details(ui: &mut Ui, item: &mut Item) -> Option<Wish> {
    let colors = theme::palette(ui);
    let film = &item.recipe.film;
    let seed = seed_text(item.recipe.seed);
    let title = format!("{} {seed}", capitalised(&item.recipe.scenario.name));
    if matches!(item.state, State::Minted(_)) {
        widgets::title(ui, &plain(&item.name));
    } else {
        ui.horizontal(|ui| {
            ui.heading(if item.name.is_empty() { title } else { plain(&item.name) });
            widgets::quiet(ui, format!("{} × {}, {:.0} s", film.width, film.height, seconds(film)));
        });
    }
    let mut wish = None;
    match &mut item.state {
        State::Remembered | State::Discarded(_) => {}
        State::Waiting => {
            widgets::quiet(ui, "Waits until the piece before it is made.");
            if ui.button("Remove").clicked() {
                wish = Some(Wish::Remove);
            }
        }
        State::Making(job) => {
            stages(ui, job, item.film.as_ref().map_or(0, Film::there), film.frames);
            let cancelled = job.is_cancelled();
            let words = if cancelled { "Stopping…" } else { "Pause" };
            let tip = "What is done is kept, and it goes on from there, today or after a restart";
            if ui.add_enabled(!cancelled, egui::Button::new(words)).on_hover_text(tip).clicked() {
                job.cancel();
            }
        }
        State::Damaged(why) => {
            widgets::notice(ui, icons::WARNING, colors.bad, why);
            let tip = "From this list: what there is of it stays on the disk";
            if widgets::aside(ui, "Remove").on_hover_text(tip).clicked() {
                wish = Some(Wish::Remove);
            }
        }
        State::Stopped(why) => {
            match why {
                Some(why) => widgets::notice(ui, icons::WARNING, colors.bad, why),
                None => {
                    let there = item.film.as_ref().map_or(0, Film::there);
                    let so_far = if there > 0 {
                        format!("Paused with {there} of {} frames.", film.frames)
                    } else {
                        "Paused.".into()
                    };
                    widgets::quiet(ui, format!("{so_far} What is done is kept, and it goes on from there."));
                }
            }
            ui.horizontal(|ui| {
                if widgets::primary(ui, "Resume").clicked() {
                    wish = Some(Wish::Resume);
                }
                let tip = "Throws away what is done; the seed is what it was";
                if widgets::aside(ui, "Discard").on_hover_text(tip).clicked() {
                    wish = Some(Wish::Discard);
                }
            });
        }
        State::Made => {
            ui.label(RichText::new(format!("{}  Finished", icons::CHECK)).color(colors.good));
            if film.width <= FilmSize::DRAFT.width {
                widgets::quiet(ui, "A draft. Make the same seed as a film if it is to hang on a wall.");
            }
            ui.add_space(NEAR);
            ui.label(RichText::new("Name").color(colors.quiet));
            let width = ui.available_width().min(480.0);
            let field = ui.add(widgets::line(&mut item.name).char_limit(MAX_NAME).desired_width(width));
            label(field, "Name");
            item.name.retain(is_plain);
            ui.add_space(NEAR);
            ui.label(RichText::new("Description").color(colors.quiet));
            let text = widgets::lines(&mut item.description).char_limit(MAX_DESCRIPTION).desired_rows(2);
            label(ui.add(text.desired_width(width)), "Description");
            item.description.retain(|letter| is_plain(letter) || letter == '\n');
            ui.add_space(NEAR);
            ui.horizontal(|ui| {
                ui.label(RichText::new("Royalty").color(colors.quiet));
                let royalty = egui::DragValue::new(&mut item.royalty_percent).range(0.0..=10.0).speed(0.1).suffix(" %");
                let royalty = ui.add(royalty);
                label(royalty, "Royalty")
                    .on_hover_text("Of each resale, for all of your collection: it is set with its first token");
            });
            ui.add_space(APART);
            ui.horizontal(|ui| {
                let ready = !item.name.trim().is_empty();
                if ui.add_enabled_ui(ready, |ui| widgets::primary(ui, "Mint…")).inner.clicked() {
                    wish = Some(Wish::Quote);
                }
                let tip = "From this list: the piece stays in the collection";
                if widgets::aside(ui, "Remove").on_hover_text(tip).clicked() {
                    wish = Some(Wish::Remove);
                }
            });
        }
        State::Quoting(_) => {
            ui.horizontal(|ui| {
                widgets::busy(ui);
                ui.label("Working out what it costs…");
            });
        }
        State::Quoted(price) => wish = quoted(ui, &item.name, &price.1),
        State::Minting(_) => {
            ui.horizontal(|ui| {
                widgets::busy(ui);
                ui.label("Minting…");
            });
        }
        State::Minted(id) => {
            let words = format!("{}  Minted. Token {id} of your collection, on the chain", icons::PROVED);
            ui.label(RichText::new(words).color(colors.good));
            ui.add_space(NEAR);
            widgets::words(ui, plain(&item.description));
            ui.add_space(APART);
            ui.horizontal(|ui| {
                if widgets::primary(ui, "View in collection").clicked() {
                    wish = Some(Wish::Look);
                }
                if widgets::aside(ui, "Clear from list").clicked() {
                    wish = Some(Wish::Remove);
                }
            });
        }
    }
    wish
}

/// Names a field for who cannot see what stands above it.
fn label(field: egui::Response, name: &str) -> egui::Response {
    field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, name));
    field
}

fn quoted(ui: &mut Ui, name: &str, quote: &Quote) -> Option<Wish> {
    let colors = theme::palette(ui);
    widgets::words(ui, format!("“{}” becomes a token on the embedded chain.", plain(name)));
    ui.add_space(NEAR);
    widgets::fact(ui, "Price", &ether_in_sum(quote.cost, true));
    widgets::fact(ui, "You have", &ether_in_sum(quote.balance, false));
    widgets::fact(ui, "Left after it", &ether_in_sum(quote.balance.saturating_sub(quote.cost), false));
    if quote.new_collection {
        widgets::quiet(ui, "Your first mint also makes your collection; later ones cost less.");
    }
    let enough = quote.balance >= quote.cost;
    if !enough {
        widgets::notice(ui, icons::WARNING, colors.bad, "That is more than you have.");
    }
    let mut wish = None;
    ui.add_space(APART);
    widgets::words(ui, "This cannot be undone.");
    ui.horizontal(|ui| {
        if ui.add_enabled_ui(enough, |ui| widgets::primary(ui, "Pay and mint")).inner.clicked() {
            wish = Some(Wish::Mint);
        }
        if ui.button("Cancel").clicked() {
            wish = Some(Wish::NotNow);
        }
    });
    wish
}

/// The stages of a piece, and how far it is.
fn stages(ui: &mut Ui, job: &Job<Made>, frames: usize, of: u32) {
    const STAGES: [Stage; 4] = [Stage::Simulate, Stage::Render, Stage::Encode, Stage::Pin];
    let colors = theme::palette(ui);
    let progress = job.progress();
    for stage in STAGES {
        let took = progress.past.iter().find(|(past, _)| *past == stage).map(|(_, took)| *took);
        let now = progress.stage == Some(stage);
        ui.horizontal(|ui| {
            let (icon, color) = match (took, now) {
                (Some(_), _) => (icons::CHECK, colors.good),
                (None, true) => (icons::MAKE, colors.accent),
                (None, false) => ("·", colors.quiet),
            };
            ui.add_sized([18.0, 18.0], egui::Label::new(RichText::new(icon).color(color)));
            let color = if now || took.is_some() { colors.text } else { colors.quiet };
            ui.label(RichText::new(stage_name(Some(stage))).color(color));
            if let Some(took) = took {
                widgets::quiet(ui, duration(took));
            }
        });
    }
    let mut words = format!("{:.0} %", 100.0 * progress.share);
    if progress.stage == Some(Stage::Render) {
        words = format!("{words}, frame {} of {of}", (frames + 1).min(of as usize));
    }
    if let Some(left) = progress.left {
        words = format!("{words}, {} left", duration(left));
    }
    ui.add_space(NEAR);
    ui.with_layout(Layout::top_down(Align::Min), |ui| {
        ui.set_max_width(ui.available_width().min(480.0));
        widgets::progress(ui, progress.share, &words);
    });
}
