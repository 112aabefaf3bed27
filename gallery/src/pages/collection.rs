//! The collection: a wall of all pieces of this home, and the page of one of them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bevy_egui::egui::{self, RichText, Sense, Ui};
use seedstorm_mint::{Cid, Metadata, Rarity, TraitValue};
use seedstorm_render::image_file::Rgb8Image;
use seedstorm_studio::{
    Home, Observer, Stage, StudioError,
    pieces::{self, Piece},
};

use crate::{
    app::Gallery,
    icons,
    text::{self, capitalised, plain},
    theme::{self, APART, NEAR},
    widgets,
    work::{Job, lock},
};

use super::{
    Page,
    film::at_most,
    make::{in_words, taken},
    piece::PiecePage,
};

/// Edge of a poster on the wall, pixels; how many are kept; and how many wait to be read.
const EDGE: usize = 320;
const KEPT: usize = 240;
const WAITING: usize = 64;

/// The page.
#[derive(Default)]
pub struct CollectionPage {
    listing: Option<Job<Listing>>,
    entries: Option<Vec<Arc<Entry>>>,
    /// Why there is less on the wall than there should be.
    problem: Option<String>,
    /// Whether what is listed may have changed.
    stale: bool,
    search: String,
    /// Which entries match what is searched, by their place.
    found: Vec<usize>,
    searched: Option<String>,
    posters: Option<Posters>,
    open: Option<PiecePage>,
    wanted: Option<Cid>,
}

/// What was listed, and what was not to be had.
struct Listing {
    entries: Vec<Arc<Entry>>,
    problem: Option<String>,
}

/// A piece on the wall.
pub struct Entry {
    pub piece: Piece,
    /// What it says of itself, or what is wrong with that.
    pub metadata: Result<Metadata, String>,
    /// All of it that can be searched, in small letters.
    text: String,
    /// Whether the chain could be asked for its token.
    pub asked: bool,
}

impl Entry {
    fn of(home: &Home, piece: Piece, asked: bool) -> Self {
        let metadata = piece.metadata(home).map_err(|error| in_words(&error));
        let mut text = piece.name();
        // Our recipes begin with their scenario's name, and others say it in their traits.
        if let Ok(recipe) = piece.recipe(home) {
            text = format!("{text} {}", recipe.scenario.name);
        }
        if let Ok(metadata) = &metadata {
            text = format!("{text} {}", metadata.name);
            for it in &metadata.traits {
                if let TraitValue::Text(value) = &it.value {
                    text = format!("{text} {} {value}", it.name);
                }
            }
        }
        Self { piece, metadata, text: text.to_lowercase(), asked }
    }

    /// What it is called.
    pub fn title(&self) -> String {
        match &self.metadata {
            Ok(metadata) => plain(&metadata.name),
            Err(_) => format!("Piece {}", crate::text::short(&self.piece.recipe.to_string())),
        }
    }
}

impl CollectionPage {
    /// Opens the page of a piece, once it is listed.
    pub fn look_at(&mut self, recipe: Cid) {
        self.wanted = Some(recipe);
        self.open = None;
        self.refresh();
    }

    /// Whether anything moves here.
    pub fn plays(&self) -> bool {
        self.open.is_some()
    }

    /// Lists everything anew; what was listed before stays until then.
    pub fn refresh(&mut self) {
        self.stale = true;
    }
}

/// The page.
pub fn show(ui: &mut Ui, gallery: &mut Gallery) {
    list(gallery);
    if let Some(mut open) = gallery.collection.open.take() {
        let stays = open.show(ui, gallery);
        if stays {
            gallery.collection.open = Some(open);
        } else {
            gallery.collection.refresh();
        }
        return;
    }
    let page = widgets::page(ui);
    egui::CentralPanel::default().frame(page).show(ui, |ui| {
        let Some(count) = gallery.collection.entries.as_ref().map(Vec::len) else {
            widgets::title(ui, "Collection");
            ui.horizontal(|ui| {
                widgets::busy(ui);
                let share = gallery.collection.listing.as_ref().map_or(0.0, |job| job.progress().share);
                widgets::quiet(ui, format!("Reading the chain and the store, {:.0} %", 100.0 * share));
            });
            return;
        };
        if count == 0 && gallery.collection.problem.is_none() {
            let words = "What you make and mint hangs here, and what others give you.";
            if widgets::empty(ui, icons::COLLECTION, "An empty wall", words, "Explore") {
                gallery.page = Page::Explore;
            }
            return;
        }
        if let Some(problem) = &gallery.collection.problem {
            widgets::notice(ui, icons::WARNING, theme::palette(ui).bad, problem);
            ui.add_space(NEAR);
        }
        ui.horizontal(|ui| {
            widgets::title(ui, "Collection");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if gallery.collection.listing.is_some() {
                    widgets::busy(ui);
                } else if widgets::icon_button(ui, icons::RESET, "Look again").clicked() {
                    gallery.collection.refresh();
                }
                let hint = format!("{}  Scenario, trait or name", icons::SEARCH);
                let field = widgets::line(&mut gallery.collection.search).hint_text(hint).desired_width(260.0);
                let field = ui.add(field.char_limit(100));
                field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, "Search"));
            });
        });
        wall(ui, gallery);
    });
}

/// Begins to list what there is, where that is not known, and takes what was listed.
fn list(gallery: &mut Gallery) {
    let page = &mut gallery.collection;
    if (page.stale || page.entries.is_none()) && page.listing.is_none() {
        page.stale = false;
        let home = gallery.home.clone();
        let before: Vec<Arc<Entry>> = page.entries.iter().flatten().cloned().collect();
        page.listing = Some(Job::start(move |observer| listed(&home, &before, observer)));
    }
    let Some(listed) = page.listing.as_ref().and_then(taken) else { return };
    page.listing = None;
    page.searched = None;
    let Listing { entries, problem } = listed.unwrap_or_else(|error| Listing {
        entries: page.entries.take().unwrap_or_default(),
        problem: Some(in_words(&error)),
    });
    page.problem = problem;
    let entries = page.entries.insert(entries);
    let find = |wanted: &Cid| entries.iter().find(|entry| entry.piece.recipe == *wanted);
    // What has changed since is listed next, and is what somebody waits for.
    if page.stale {
        return;
    }
    if let Some(open) = &mut page.open
        && let Some(entry) = find(open.recipe()).filter(|entry| entry.asked)
    {
        open.update(&gallery.home, entry);
    }
    if let Some(entry) = page.wanted.take().as_ref().and_then(find) {
        page.open = Some(PiecePage::new(&gallery.home, entry));
    }
}

/// All that there is, where `before` is what was known: what a token commits to does not change.
fn listed(home: &Home, before: &[Arc<Entry>], observer: &dyn Observer) -> Result<Listing, StudioError> {
    let (pieces, problem) = match pieces::pieces(home) {
        Ok(pieces) => (pieces, None),
        // What has a folder can be shown all the same.
        Err(error) => (pieces::folders(home)?, Some(in_words(&error))),
    };
    let fixed = |entry: &&Arc<Entry>| entry.piece.token.is_some() && entry.metadata.is_ok();
    let known: HashMap<Cid, &Arc<Entry>> =
        before.iter().filter(fixed).map(|entry| (entry.piece.recipe, entry)).collect();
    observer.begin(Stage::Sweep, pieces.len() as u64);
    let mut entries = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.into_iter().enumerate() {
        if observer.stopped() {
            return Err(StudioError::Stopped);
        }
        observer.reached(number as u64);
        let known = known.get(&piece.recipe).filter(|entry| entry.piece == piece);
        entries
            .push(known.map_or_else(|| Arc::new(Entry::of(home, piece, problem.is_none())), |entry| Arc::clone(entry)));
    }
    Ok(Listing { entries, problem })
}

/// All that is found, a row at a time as they are scrolled into view.
fn wall(ui: &mut Ui, gallery: &mut Gallery) {
    let page = &mut gallery.collection;
    let Some(entries) = &page.entries else { return };
    let searched = page.search.trim().to_lowercase();
    if page.searched.as_ref() != Some(&searched) {
        let words: Vec<&str> = searched.split_whitespace().collect();
        let matches = |(_, entry): &(usize, &Arc<Entry>)| words.iter().all(|word| entry.text.contains(word));
        page.found = entries.iter().enumerate().filter(matches).map(|(at, _)| at).collect();
        page.searched = Some(searched);
    }
    let words = match (page.found.len(), entries.len()) {
        (found, all) if found == all && all == 1 => "1 piece".into(),
        (found, all) if found == all => format!("{} pieces", text::count(all)),
        (found, all) => format!("{} of {} pieces", text::count(found), text::count(all)),
    };
    widgets::quiet(ui, words);
    ui.add_space(NEAR);
    if page.found.is_empty() {
        widgets::empty(ui, icons::SEARCH, "Nothing is called so", "Search for less, or for something else.", "");
        return;
    }
    let posters = page.posters.get_or_insert_with(|| Posters::new(gallery.home.clone()));
    posters.take(ui.ctx());
    // What hangs alone hangs large.
    let least = if page.found.len() <= 3 { (ui.available_width() / 3.4).clamp(360.0, 540.0) } else { 220.0 };
    let columns = ((ui.available_width() + APART) / (least + APART)).floor().max(1.0);
    let width = ((ui.available_width() - 12.0 - (columns - 1.0) * APART) / columns).floor();
    let (columns, height) = (columns as usize, width + 50.0);
    let rows = page.found.len().div_ceil(columns);
    let mut chosen = None;
    ui.spacing_mut().item_spacing = egui::vec2(APART, APART);
    egui::ScrollArea::vertical().auto_shrink(false).show_rows(ui, height, rows, |ui, shown| {
        for row in shown {
            ui.horizontal_top(|ui| {
                for at in page.found.iter().skip(row * columns).take(columns) {
                    if tile(ui, &entries[*at], posters, egui::vec2(width, height)) {
                        chosen = Some(*at);
                    }
                }
            });
        }
    });
    if let Some(at) = chosen {
        page.open = Some(PiecePage::new(&gallery.home, &entries[at]));
    }
}

/// A piece on the wall; whether it was chosen.
fn tile(ui: &mut Ui, entry: &Entry, posters: &mut Posters, size: egui::Vec2) -> bool {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let title = entry.title();
    let response = widgets::named(response, &title);
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let colors = theme::palette(ui);
    let picture = egui::Rect::from_min_size(rect.min, egui::vec2(size.x, size.x));
    match posters.get(&entry.piece) {
        Some(Ok(texture)) => widgets::picture(ui, texture.id(), texture.size_vec2(), picture, 8),
        Some(Err(problem)) => {
            widgets::placeholder(ui, picture, "Its picture is missing or damaged");
            let above = picture.center() - egui::vec2(0.0, 24.0);
            let font = egui::FontId::proportional(20.0);
            ui.painter().text(above, egui::Align2::CENTER_CENTER, icons::WARNING, font, colors.bad);
            response.clone().on_hover_text(problem);
        }
        None => widgets::placeholder(ui, picture, ""),
    }
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(picture, 8.0, egui::Stroke::new(2.0, colors.accent), egui::StrokeKind::Inside);
    }
    let text = egui::Rect::from_min_max(picture.left_bottom() + egui::vec2(0.0, 10.0), rect.max);
    let down = egui::Layout::top_down(egui::Align::Min);
    let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(text).layout(down));
    inner.spacing_mut().item_spacing.y = 2.0;
    inner.add(egui::Label::new(RichText::new(&title).strong()).truncate().selectable(false));
    let token = match &entry.piece.token {
        Some(token) => format!("Token {}", token.id),
        None if entry.asked => "Not minted".into(),
        None => "Its token is not known".into(),
    };
    let words = match &entry.metadata {
        Ok(metadata) => format!("{token}{}", rarest(metadata)),
        Err(_) => format!("{token} · {}  Unreadable metadata", icons::WARNING),
    };
    let color = if entry.metadata.is_ok() { colors.quiet } else { colors.bad };
    inner.add(egui::Label::new(RichText::new(words).small().color(color)).truncate().selectable(false));
    response.on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// The rarest of its traits, in a word.
fn rarest(metadata: &Metadata) -> String {
    let rare = metadata.traits.iter().filter_map(|it| match (&it.value, &it.rarity) {
        (TraitValue::Text(value), Rarity::Drawn(share)) => Some((share, value)),
        _ => None,
    });
    let least = rare.min_by(|(a, _), (b, _)| a.total_cmp(b));
    least.map_or_else(String::new, |(share, value)| format!(" · {} {:.0} %", capitalised(&plain(value)), 100.0 * share))
}

/// Posters that are read on a thread as they come into view, of which only the latest are kept.
struct Posters {
    shared: Arc<Shared>,
    kept: HashMap<Cid, Result<egui::TextureHandle, String>>,
    order: VecDeque<Cid>,
}

#[derive(Default)]
struct Shared {
    /// What is asked for, the latest last: that is read first.
    asked: Mutex<Vec<Piece>>,
    more: Condvar,
    read: Mutex<Vec<(Cid, Result<Rgb8Image, String>)>>,
    stop: AtomicBool,
}

impl Posters {
    fn new(home: Home) -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            while !own.stop.load(Ordering::Relaxed) {
                let mut asked = lock(&own.asked);
                let Some(piece) = asked.pop() else {
                    drop(own.more.wait_timeout(asked, std::time::Duration::from_secs(1)));
                    continue;
                };
                drop(asked);
                let poster = piece.poster(&home).map(|image| at_most(image, EDGE)).map_err(|error| in_words(&error));
                lock(&own.read).push((piece.recipe, poster));
            }
        });
        Self { shared, kept: HashMap::new(), order: VecDeque::new() }
    }

    /// Takes what was read.
    fn take(&mut self, context: &egui::Context) {
        // A few in a frame: each is a copy to the graphics device.
        let read: Vec<_> = {
            let mut read = lock(&self.shared.read);
            let few = read.len().min(8);
            read.drain(..few).collect()
        };
        for (recipe, poster) in read {
            let poster = poster.map(|image| widgets::texture(context, "poster", &image));
            if self.kept.insert(recipe, poster).is_none() {
                self.order.push_back(recipe);
            }
            while self.order.len() > KEPT {
                if let Some(old) = self.order.pop_front() {
                    self.kept.remove(&old);
                }
            }
        }
    }

    /// The poster of a piece, which is asked for where it is not here.
    fn get(&mut self, piece: &Piece) -> Option<&Result<egui::TextureHandle, String>> {
        if !self.kept.contains_key(&piece.recipe) {
            let mut asked = lock(&self.shared.asked);
            if asked.iter().all(|there| there.recipe != piece.recipe) {
                asked.push(piece.clone());
                // What was scrolled past is not read.
                if asked.len() > WAITING {
                    asked.remove(0);
                }
                self.shared.more.notify_one();
            }
        }
        self.kept.get(&piece.recipe)
    }
}

impl Drop for Posters {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
