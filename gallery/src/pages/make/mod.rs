//! Make: a seed becomes a film, and a film a token. What is under way is kept, and goes on after a restart.

mod card;

use std::sync::OnceLock;

use bevy::math::UVec2;
use bevy_egui::egui::{self, RichText, Ui};
use seedstorm_mint::{Metadata, Mint, block::raw_cid, keystore::KeystoreError};
use seedstorm_sim::{
    Backend, Film as FilmSize, Recipe,
    gpu::{Adapter, adapters},
    resolve,
    scene::Scene,
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
    text::{capitalised, plain},
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
            if let Some(wished) = card::show(ui, &mut gallery.make.items[number], &gallery.home, room) {
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
