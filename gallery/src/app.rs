//! The app: what it is looking at, and how a frame of it is put together.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use bevy::{
    asset::AssetEventSystems,
    core_pipeline::tonemapping::Tonemapping,
    log::{Level, LogPlugin},
    prelude::*,
    window::PresentMode,
    winit::{UpdateMode, WinitSettings},
};
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPostUpdateSet, EguiPrimaryContextPass, egui};
use seedstorm_sim::{Backend, Recipe, scene::Scene};
use seedstorm_studio::Home;

use crate::{
    drive::{Drive, DrivePlugin},
    icons,
    keys::{self, Clipboard, KeysPlugin},
    live::{
        particles::ParticlesPlugin,
        show::{ShowPlugin, Views},
        world::PLAYED,
    },
    pages::{self, Page, collection::CollectionPage, explore::Explore, make::MakePage, wallet::WalletPage},
    settings::{Keeper, Settings, Shade},
    theme,
    trace::TracePlugin,
    widgets,
};

/// What the app remembers while it runs.
#[derive(Resource)]
pub struct Gallery {
    pub home: Home,
    pub settings: Settings,
    /// What was last kept of them, and who keeps them.
    saved: Settings,
    keeper: Keeper,
    pub page: Page,
    pub explore: Explore,
    pub make: MakePage,
    pub collection: CollectionPage,
    pub wallet: WalletPage,
    /// Where worlds are stepped.
    pub backend: Backend,
    /// Something that went wrong, for as long as nobody has closed it.
    pub trouble: Option<String>,
    /// The page that was shown last.
    last: Page,
    dressed: bool,
}

impl Gallery {
    pub fn new(home: Home, backend: Backend) -> Self {
        let (settings, trouble) = Settings::load(&home);
        Self {
            make: MakePage::new(&settings.jobs, &home),
            home,
            saved: settings.clone(),
            keeper: Keeper::default(),
            settings,
            page: Page::Explore,
            explore: Explore::default(),
            collection: CollectionPage::default(),
            wallet: WalletPage::default(),
            backend,
            trouble,
            last: Page::Explore,
            dressed: false,
        }
    }

    /// Goes to the page where `recipe` is made, of which `scene` is a moment.
    pub fn make(&mut self, recipe: Recipe, scene: Option<Scene>) {
        self.make.propose(recipe, scene);
        self.page = Page::Make;
    }

    /// Keeps settings that have changed.
    fn remember(&mut self) {
        self.settings.jobs = self.make.to_keep();
        if self.settings != self.saved {
            self.keeper.keep(&self.home, self.settings.clone());
            self.saved = self.settings.clone();
        }
        if let Some(problem) = self.keeper.problem() {
            self.trouble = Some(problem);
        }
    }
}

/// How often a frame is drawn where something moves, and where nothing does.
const MOVING: Duration = Duration::from_millis(16);
const SLOWLY: Duration = Duration::from_millis(40);
const FILM: Duration = Duration::from_millis(250);
const RESTING: Duration = Duration::from_millis(250);

/// Runs the app until its window is closed.
pub fn run(gallery: Gallery, size: [u32; 2], drive: Option<Drive>, trace: Option<PathBuf>) -> ExitCode {
    let window = Window {
        title: "Seedstorm".into(),
        resolution: (size[0], size[1]).into(),
        resize_constraints: WindowResizeConstraints { min_width: 640.0, min_height: 480.0, ..default() },
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    // What is baked for the screen goes through the pool that all share; a second call would change nothing.
    let _ = rayon::ThreadPoolBuilder::new().start_handler(|_| crate::work::yield_to_the_interface()).build_global();
    let log = LogPlugin { level: Level::ERROR, filter: "wgpu=error,naga=error".into(), ..default() };
    let mut app = App::new();
    app.add_plugins(DefaultPlugins.set(WindowPlugin { primary_window: Some(window), ..default() }).set(log))
        .add_plugins((EguiPlugin::default(), KeysPlugin, ShowPlugin, ParticlesPlugin))
        .insert_resource(EguiGlobalSettings { auto_create_primary_context: false, ..default() })
        .insert_resource(gallery)
        .insert_resource(ClearColor(Color::BLACK))
        .add_systems(Startup, |mut commands: Commands| {
            // The interface smooths its own edges, and its colours are as they are.
            commands.spawn((Camera2d, Msaa::Off, Tonemapping::None, bevy_egui::PrimaryEguiContext, keys::settings()));
        })
        // A letter that is drawn for the first time, or another picture, is on the screen in the same frame.
        .configure_sets(PostUpdate, EguiPostUpdateSet::PostProcessOutput.before(AssetEventSystems))
        .add_systems(Update, pace)
        .add_systems(EguiPrimaryContextPass, draw);
    if let Some(drive) = drive {
        app.add_plugins(DrivePlugin(drive));
    }
    if let Some(path) = trace {
        app.add_plugins(TracePlugin(path));
    }
    match app.run() {
        AppExit::Success => ExitCode::SUCCESS,
        AppExit::Error(code) => ExitCode::from(code.get()),
    }
}

/// Draws often where something moves, and seldom where nothing does: another's work may want the processor.
fn pace(mut settings: ResMut<WinitSettings>, gallery: Res<Gallery>, views: Res<Views>) {
    let proposed = gallery.page == Page::Make && gallery.make.is_drawn();
    let films = gallery.collection.plays() || gallery.make.plays() || gallery.make.under_way().is_some() || proposed;
    let plays = views.playing && !views.views.is_empty();
    let changes = views.is_changing() || gallery.explore.is_rolling();
    let wait = match (plays || changes, films) {
        (true, _) if !views.slow => MOVING,
        (true, _) => SLOWLY,
        // Where a processor draws, each frame of the interface takes time from a frame of the film.
        (false, true) if views.slow => FILM,
        (false, true) => MOVING,
        (false, false) => RESTING,
    };
    let mode = UpdateMode::reactive(wait);
    if settings.focused_mode != mode {
        settings.focused_mode = mode;
        settings.unfocused_mode = UpdateMode::reactive(wait.max(Duration::from_millis(50)));
    }
}

/// The fewest points that a page is wide.
const NARROWEST: f32 = 640.0;

/// The interface, anew in every frame.
fn draw(
    mut contexts: EguiContexts,
    mut gallery: ResMut<Gallery>,
    mut views: ResMut<Views>,
    mut clipboard: ResMut<Clipboard>,
    time: Res<Time<Real>>,
    window: Single<&Window>,
) -> Result {
    let context = contexts.ctx_mut()?.clone();
    let gallery = &mut *gallery;
    if !gallery.dressed {
        theme::dress(&context);
        gallery.dressed = true;
        // The fonts are there from the next frame on.
        return Ok(());
    }
    context.set_theme(match gallery.settings.shade {
        Shade::Dark => egui::Theme::Dark,
        Shade::Light => egui::Theme::Light,
    });
    // In a small window everything is as large as there is room for.
    let scale = gallery.settings.scale.min(window.width() / NARROWEST).max(0.75);
    context.set_zoom_factor(scale);
    for view in &mut views.views {
        view.wanted = None;
    }
    if views.playing {
        let simulated = views.views.iter().map(|view| view.world.simulated()).fold(1.0, f64::min);
        let next = views.time + time.delta_secs_f64().min(0.1) / PLAYED;
        // It waits for what is simulated, and begins anew at the end.
        let under_way = !views.views.is_empty() && views.views.iter().all(|view| view.world.is_under_way_at(next));
        views.time = if next >= 1.0 && simulated >= 1.0 {
            0.0
        } else if under_way {
            // It is seen as it is stepped, though a frame may have taken its time.
            simulated
        } else {
            next.min(simulated)
        };
    }
    let screen = context.viewport_rect();
    let layer = egui::UiBuilder::new().layer_id(egui::LayerId::background()).max_rect(screen);
    let mut ui = egui::Ui::new(context.clone(), "app".into(), layer);
    pages::navigation(&mut ui, gallery);
    if gallery.page != gallery.last {
        gallery.trouble = None;
    }
    trouble(&mut ui, gallery);
    let pixels = window.scale_factor() * scale;
    gallery.make.attend(&gallery.home, gallery.backend, &mut gallery.trouble);
    let page = gallery.page;
    if page != gallery.last {
        // What another page did may have changed what these know.
        gallery.wallet.refresh();
        gallery.wallet.forget(&context);
        gallery.collection.refresh();
        gallery.make.rest();
        gallery.last = page;
    }
    if page != Page::Explore {
        gallery.explore.leave(&mut views);
    }
    match page {
        Page::Explore => pages::explore::show(&mut ui, gallery, &mut views, pixels),
        Page::Make => pages::make::show(&mut ui, gallery),
        Page::Collection => pages::collection::show(&mut ui, gallery),
        Page::Wallet => pages::wallet::show(&mut ui, gallery),
    }
    clipboard.take(&context);
    gallery.remember();
    Ok(())
}

/// What went wrong, until somebody has read it.
fn trouble(ui: &mut egui::Ui, gallery: &mut Gallery) {
    let Some(words) = gallery.trouble.clone() else { return };
    let colors = theme::palette(ui);
    let frame = egui::Frame::new().fill(colors.panel).inner_margin(egui::Margin::symmetric(16, 8));
    egui::Panel::top("trouble").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(egui::RichText::new(icons::WARNING).color(colors.bad).size(16.0));
            ui.add(egui::Label::new(egui::RichText::new(&words).color(colors.bad)).wrap());
            if widgets::icon_button(ui, icons::CLOSE, "Close this message").clicked() {
                gallery.trouble = None;
            }
        });
    });
}
