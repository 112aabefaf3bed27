//! The wallet: the key of this home, which is never shown.

use bevy_egui::egui::{self, RichText, Ui};
use seedstorm_mint::keystore::{KEY_FILE, Password};
use seedstorm_studio::{
    Home,
    wallet::{self, MIN_PASSWORD, Protection, Wallet},
};

use crate::{
    app::Gallery,
    icons,
    text::ether,
    theme::{self, APART, NEAR},
    widgets,
    work::Job,
};

use super::make::in_words;

/// The page.
#[derive(Default)]
pub struct WalletPage {
    looking: Option<Job<Wallet>>,
    seen: Option<Wallet>,
    /// Why it could not be looked at.
    failed: Option<String>,
    tab: Tab,
    secret: String,
    password: String,
    again: String,
    work: Option<Job<Option<Home>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Create,
    Import,
}

impl WalletPage {
    /// Looks anew when it is shown next.
    pub fn refresh(&mut self) {
        self.seen = None;
        self.failed = None;
    }

    /// Takes what was typed, and leaves nothing of it behind: fields remember what is to be undone.
    fn taken(context: &egui::Context, name: &str, field: &mut String) -> Password {
        context.data_mut(|data| data.remove::<egui::text_edit::TextEditState>(field_id(name)));
        Password::new(std::mem::take(field))
    }

    /// Forgets what was typed.
    pub fn forget(&mut self, context: &egui::Context) {
        let fields = [(KEY, &mut self.secret), (PASSWORD, &mut self.password), (AGAIN, &mut self.again)];
        for (name, field) in fields {
            drop(Self::taken(context, name, field));
        }
    }
}

/// The widest that its lines are, points.
const WIDEST: f32 = 640.0;

/// What the fields are called.
const KEY: &str = "The key: 64 hexadecimal digits, or the path of a keystore's file";
const PASSWORD: &str = "Password";
const AGAIN: &str = "Password once more";

fn field_id(name: &str) -> egui::Id {
    egui::Id::new(("wallet", name))
}

/// The page.
pub fn show(ui: &mut Ui, gallery: &mut Gallery) {
    attend(gallery);
    let page = widgets::page(ui);
    egui::CentralPanel::default().frame(page).show(ui, |ui| widgets::middle(ui, WIDEST, |ui| wallet_of(ui, gallery)));
}

fn wallet_of(ui: &mut Ui, gallery: &mut Gallery) {
    widgets::title(ui, "Wallet");
    widgets::quiet(
        ui,
        "The key that signs what you make and owns what you mint. It never leaves its file, and is never shown.",
    );
    ui.add_space(APART);
    if let Some(problem) = gallery.wallet.failed.clone() {
        let bad = theme::palette(ui).bad;
        widgets::notice(ui, icons::WARNING, bad, &problem);
        if ui.button("Look again").clicked() {
            gallery.wallet.refresh();
        }
        return;
    }
    let Some(seen) = gallery.wallet.seen.clone() else {
        widgets::busy(ui);
        return;
    };
    match seen.protection {
        Protection::NoKey => no_key(ui, gallery),
        _ => key(ui, gallery, &seen),
    }
}

fn attend(gallery: &mut Gallery) {
    let page = &mut gallery.wallet;
    if page.seen.is_none() && page.looking.is_none() && page.failed.is_none() {
        let home = gallery.home.clone();
        page.looking = Some(Job::start(move |_| wallet::look(&home)));
    }
    if let Some(looked) = page.looking.as_ref().and_then(Job::take) {
        page.looking = None;
        match looked {
            Ok(seen) => page.seen = Some(seen),
            Err(error) => page.failed = Some(in_words(&error)),
        }
    }
    if let Some(done) = page.work.as_ref().and_then(Job::take) {
        (page.work, page.seen) = (None, None);
        match done {
            Ok(Some(home)) => {
                gallery.trouble = None;
                gallery.home = home;
            }
            Ok(None) => {}
            Err(error) => gallery.trouble = Some(in_words(&error)),
        }
    }
}

fn key(ui: &mut Ui, gallery: &mut Gallery, seen: &Wallet) {
    let colors = theme::palette(ui);
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        widgets::quiet(ui, "Balance, on the embedded chain");
        widgets::title(ui, &ether(seen.balance));
        if seen.balance.is_zero() {
            widgets::quiet(ui, "Test ETH comes with the first piece that is minted here.");
        }
        ui.add_space(NEAR);
        if let Some(address) = seen.address {
            widgets::code(ui, "Address", &address.to_string());
        }
        let (icon, words, color) = match seen.protection {
            Protection::Locked => {
                (icons::LOCKED, "Locked: making, minting and transferring take your password.", colors.accent)
            }
            Protection::Unlocked => (icons::UNLOCKED, "Unlocked until the app is closed.", colors.good),
            _ => {
                (icons::UNLOCKED, "Unlocked: its password is kept beside it. Use it for test ETH alone.", colors.quiet)
            }
        };
        ui.horizontal_top(|ui| {
            ui.label(RichText::new(icon).color(color));
            widgets::words(ui, words);
        });
    });
    if seen.protection == Protection::Locked {
        ui.add_space(APART);
        password(ui, PASSWORD, &mut gallery.wallet.password);
        let ready = gallery.wallet.work.is_none() && !gallery.wallet.password.is_empty();
        let entered = ui.input(|input| input.key_pressed(egui::Key::Enter));
        if ready && (ui.add_enabled_ui(ready, |ui| widgets::primary(ui, "Unlock")).inner.clicked() || entered) {
            let (home, given) =
                (gallery.home.clone(), WalletPage::taken(ui.ctx(), PASSWORD, &mut gallery.wallet.password));
            gallery.wallet.work = Some(Job::start(move |_| wallet::unlock(&home, given).map(Some)));
        }
        busy(ui, gallery);
    }
    ui.add_space(APART);
    let file = gallery.home.keys().join(KEY_FILE).display().to_string();
    widgets::card(ui).stroke(egui::Stroke::new(1.0, colors.accent)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            ui.label(RichText::new(icons::WARNING).color(colors.accent).size(16.0));
            widgets::words(
                ui,
                "Keep a copy of the key's file somewhere safe. Whoever loses it loses what it owns: nobody can bring it back.",
            );
        });
        ui.add_space(NEAR);
        widgets::copied(ui, "File", &file, &file);
    });
}

fn no_key(ui: &mut Ui, gallery: &mut Gallery) {
    widgets::quiet(
        ui,
        "There is no key yet. The first piece makes one by itself; here you give it a password of your own, or bring the key that you have.",
    );
    ui.add_space(NEAR);
    ui.horizontal(|ui| {
        ui.selectable_value(&mut gallery.wallet.tab, Tab::Create, "A new key");
        ui.selectable_value(&mut gallery.wallet.tab, Tab::Import, "A key that I have");
    });
    let page = &mut gallery.wallet;
    if page.tab == Tab::Import {
        password(ui, KEY, &mut page.secret);
    }
    password(ui, PASSWORD, &mut page.password);
    password(ui, AGAIN, &mut page.again);
    let long = page.password.chars().count() >= MIN_PASSWORD;
    let words = match (page.password.is_empty(), long, page.password == page.again) {
        (true, ..) => "",
        (_, false, _) => "It has at least eight letters.",
        (_, _, false) => "The two are not the same yet.",
        _ => "Nobody can bring it back if you forget it.",
    };
    widgets::quiet(ui, words);
    let ready = long && page.password == page.again && page.work.is_none();
    let name = if page.tab == Tab::Create { "Create the key" } else { "Import the key" };
    if ui.add_enabled_ui(ready, |ui| widgets::primary(ui, name)).inner.clicked() {
        let home = gallery.home.clone();
        let given = WalletPage::taken(ui.ctx(), PASSWORD, &mut page.password);
        let secret = WalletPage::taken(ui.ctx(), KEY, &mut page.secret);
        page.forget(ui.ctx());
        let imports = page.tab == Tab::Import;
        page.work = Some(Job::start(move |_| {
            if imports {
                wallet::import(&home, &secret, &given)?;
            } else {
                wallet::create(&home, &given)?;
            }
            wallet::unlock(&home, given).map(Some)
        }));
    }
    busy(ui, gallery);
}

/// Keys are slow to open, so that guessing is.
fn busy(ui: &mut Ui, gallery: &Gallery) {
    if gallery.wallet.work.is_some() {
        ui.horizontal(|ui| {
            widgets::busy(ui);
            widgets::quiet(ui, "A moment: this takes long, so that guessing does.");
        });
    }
}

fn password(ui: &mut Ui, name: &str, value: &mut String) {
    widgets::quiet(ui, name);
    let field = widgets::line(value).id(field_id(name)).password(true).char_limit(512).desired_width(360.0);
    let field = ui.add(field);
    field.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, name));
}
