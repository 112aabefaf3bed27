//! The app used by a script, for its tests and its pictures: with the display's own pointer and keys, aimed by what stands
//! on the screen, as who uses it would.
//!
//! A script has a command a line:
//!
//! ```text
//! wait TEXT [SECONDS]      until this text stands on the screen
//! gone TEXT [SECONDS]      until it no longer does
//! click NAME               press what is called so
//! try NAME SECONDS         the same, if it comes so soon; else go on
//! type TEXT                letter by letter, where the focus is
//! key KEY                  a key by its name, with Ctrl+ or Shift+ before it
//! drag NAME DX DY          pull what is called so by as many points
//! scroll NAME NOTCHES      turn the wheel over it; down is positive
//! shot NAME                a picture of the window, NAME.png
//! run COMMAND              a command of the shell, behind the app's back
//! pause SECONDS
//! ```
//!
//! Texts of several words stand in double quotes. A control's name is what a screen reader would say.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bevy::{
    prelude::*,
    render::view::window::screenshot::{Screenshot, save_to_disk},
};
use bevy_egui::{EguiContext, EguiOutput, EguiPostUpdateSet, PrimaryEguiContext, egui::accesskit::Action};

use crate::work::lock;

/// How long something may take that a script waits for, where it does not say; seconds.
const PATIENCE: f64 = 60.0;

/// The longest script, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A script, and where its pictures go.
pub struct Drive {
    steps: Vec<(usize, Step)>,
    shots: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Wait { text: String, seconds: f64, there: bool },
    Click(String),
    Try { name: String, seconds: f64 },
    Type(String),
    Key(String),
    Drag { name: String, by: [f64; 2] },
    Scroll { name: String, notches: i32 },
    Shot(String),
    Run(String),
    Pause(f64),
}

impl Drive {
    /// Reads a script.
    pub fn read(path: &Path, shots: PathBuf) -> Result<Self, String> {
        let bytes = seedstorm_mint::files::read_bounded(path, MAX_BYTES);
        let text = bytes.map_err(|error| format!("{}: {error}", path.display()))?;
        let text = String::from_utf8(text).map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = text.lines().map(str::trim).enumerate();
        let steps = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
            let step =
                Step::parse(line).ok_or_else(|| format!("{}:{}: `{line}` is no step", path.display(), number + 1))?;
            Ok((number + 1, step))
        });
        let steps = steps.collect::<Result<_, String>>()?;
        std::fs::create_dir_all(&shots).map_err(|error| format!("{}: {error}", shots.display()))?;
        Ok(Self { steps, shots })
    }
}

impl Step {
    fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        // What stands in quotes, or the first word; and what follows it.
        let first = || {
            let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let (text, after) = quoted.or_else(|| rest.split_once(' ')).unwrap_or((rest, ""));
            (!text.is_empty()).then(|| (text.to_owned(), after.trim().to_owned()))
        };
        let alone = || first().filter(|(_, after)| after.is_empty()).map(|(text, _)| text);
        let seconds = |text: &str| text.parse::<f64>().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
        match verb {
            "wait" | "gone" => {
                let (text, after) = first()?;
                let seconds = if after.is_empty() { PATIENCE } else { seconds(&after)? };
                Some(Self::Wait { text, seconds, there: verb == "wait" })
            }
            "click" => Some(Self::Click(alone()?)),
            "try" => {
                let (name, after) = first()?;
                Some(Self::Try { name, seconds: seconds(&after)? })
            }
            "type" => Some(Self::Type(alone()?)),
            "key" => Some(Self::Key(alone()?)),
            "drag" => {
                let (name, by) = first()?;
                let (x, y) = by.split_once(' ')?;
                Some(Self::Drag { name, by: [x.parse().ok()?, y.trim().parse().ok()?] })
            }
            "scroll" => {
                let (name, notches) = first()?;
                Some(Self::Scroll { name, notches: notches.parse().ok()? })
            }
            "shot" => {
                alone().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).map(Self::Shot)
            }
            "run" if !rest.is_empty() => Some(Self::Run(rest.to_owned())),
            "pause" => Some(Self::Pause(seconds(rest)?)),
            _ => None,
        }
    }
}

/// Drives the app.
pub struct DrivePlugin(pub Drive);

impl Plugin for DrivePlugin {
    fn build(&self, app: &mut App) {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (steps, shots) = (self.0.steps.clone(), self.0.shots.clone());
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            let result = Driver::new(own.clone(), shots).and_then(|mut driver| {
                for (line, step) in steps {
                    if let Err(problem) = driver.take(&step) {
                        // What it looked like says more than words.
                        let _ = driver.take(&Step::Shot("failed".into()));
                        return Err(format!("line {line}: {step:?}: {problem}"));
                    }
                }
                Ok(())
            });
            lock(&own).result = Some(result);
        });
        app.insert_resource(Driven(shared))
            .add_systems(PostUpdate, look.after(EguiPostUpdateSet::ProcessOutput))
            .add_systems(Update, obey);
    }
}

#[derive(Resource)]
struct Driven(Arc<Mutex<Shared>>);

/// What the app and its driver tell each other.
#[derive(Default)]
struct Shared {
    /// What stands on the screen.
    seen: Vec<Seen>,
    /// Size of the window, pixels.
    window: [f64; 2],
    /// How many frames were drawn.
    frames: u64,
    shot: Option<PathBuf>,
    result: Option<Result<(), String>>,
}

/// A thing on the screen.
#[derive(Debug, Clone)]
struct Seen {
    text: String,
    /// Whether it is a control, rather than words.
    control: bool,
    enabled: bool,
    /// Left, top, right and bottom, pixels.
    rect: [f64; 4],
}

/// Notes what stands on the screen.
fn look(
    driven: Res<Driven>,
    mut contexts: Query<(&mut EguiContext, &EguiOutput), With<PrimaryEguiContext>>,
    window: Single<&Window>,
) {
    let mut shared = lock(&driven.0);
    shared.frames += 1;
    shared.window = [f64::from(window.physical_width()), f64::from(window.physical_height())];
    for (mut context, output) in &mut contexts {
        context.get_mut().enable_accesskit();
        let Some(update) = &output.platform_output.accesskit_update else { continue };
        let scale = f64::from(output.pixels_per_point);
        shared.seen = update
            .nodes
            .iter()
            .filter_map(|(_, node)| {
                let rect = node.bounds()?;
                let text = node.label().filter(|text| !text.is_empty()).or(node.value())?.to_owned();
                let rect = [rect.x0, rect.y0, rect.x1, rect.y1].map(|c| c * scale);
                Some(Seen {
                    text,
                    control: node.supports_action(Action::Click) || node.supports_action(Action::Focus),
                    enabled: !node.is_disabled(),
                    rect,
                })
            })
            .collect();
    }
}

/// Takes the pictures that are asked for, and ends when the script does.
fn obey(driven: Res<Driven>, mut commands: Commands, mut exit: MessageWriter<AppExit>) {
    let mut shared = lock(&driven.0);
    if let Some(path) = shared.shot.take() {
        commands.spawn(Screenshot::primary_window()).observe(save_to_disk(path));
    }
    match shared.result.take() {
        Some(Ok(())) => drop(exit.write(AppExit::Success)),
        Some(Err(problem)) => {
            eprintln!("{problem}");
            eprintln!("On the screen:");
            for seen in &shared.seen {
                eprintln!("  {}{:?} at {:?}", if seen.control { "control " } else { "" }, seen.text, seen.rect);
            }
            exit.write(AppExit::error());
        }
        None => {}
    }
}

#[cfg(target_os = "linux")]
use linux::Driver;

#[cfg(not(target_os = "linux"))]
struct Driver;

#[cfg(not(target_os = "linux"))]
impl Driver {
    fn new(_: Arc<Mutex<Shared>>, _: PathBuf) -> Result<Self, String> {
        Err("the app is driven on displays of X alone".into())
    }

    fn take(&mut self, _: &Step) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use x11rb::{
        connection::Connection,
        protocol::{
            xproto::{
                BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ConnectionExt as _, InputFocus, KEY_PRESS_EVENT,
                KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Window,
            },
            xtest::ConnectionExt as _,
        },
        rust_connection::RustConnection,
    };

    use super::*;

    /// Keys that are not letters, by their X names' values.
    const KEYS: [(&str, u32); 14] = [
        ("Return", 0xff0d),
        ("Escape", 0xff1b),
        ("Tab", 0xff09),
        ("Backspace", 0xff08),
        ("Delete", 0xffff),
        ("Space", 0x20),
        ("Left", 0xff51),
        ("Up", 0xff52),
        ("Right", 0xff53),
        ("Down", 0xff54),
        ("Home", 0xff50),
        ("End", 0xff57),
        ("PageUp", 0xff55),
        ("PageDown", 0xff56),
    ];
    const SHIFT: u32 = 0xffe1;
    const CONTROL: u32 = 0xffe3;

    /// The hand on the pointer and the keys.
    pub(super) struct Driver {
        shared: Arc<Mutex<Shared>>,
        shots: PathBuf,
        display: RustConnection,
        root: Window,
        window: Option<Window>,
        pointer: [f64; 2],
    }

    impl Driver {
        pub(super) fn new(shared: Arc<Mutex<Shared>>, shots: PathBuf) -> Result<Self, String> {
            let (display, screen) = x11rb::connect(None).map_err(|error| format!("no X display: {error}"))?;
            let root = display.setup().roots[screen].root;
            Ok(Self { shared, shots, display, root, window: None, pointer: [0.0; 2] })
        }

        pub(super) fn take(&mut self, step: &Step) -> Result<(), String> {
            match step {
                Step::Wait { text, seconds, there } => {
                    let stands = |seen: &[Seen]| seen.iter().any(|seen| seen.text.contains(text.as_str()));
                    self.until(*seconds, |shared| (stands(&shared.seen) == *there).then_some(()))
                }
                Step::Click(name) => {
                    self.point_at(name)?;
                    self.press(1, true)?;
                    self.frames(1)?;
                    self.press(1, false)?;
                    self.frames(3)
                }
                Step::Try { name, seconds } => {
                    let comes = |seen: &Seen| seen.control && seen.enabled && seen.text.contains(name.as_str());
                    match self.until(*seconds, |shared| shared.seen.iter().any(comes).then_some(())) {
                        Ok(()) => self.take(&Step::Click(name.clone())),
                        Err(_) => Ok(()),
                    }
                }
                Step::Type(text) => text.chars().try_for_each(|letter| self.key(u32::from(letter), &[])),
                Step::Key(key) => {
                    let mut parts: Vec<&str> = key.split('+').collect();
                    let last = parts.pop().unwrap_or_default();
                    let with: Vec<u32> =
                        parts.iter().map(|part| if *part == "Ctrl" { CONTROL } else { SHIFT }).collect();
                    let named = KEYS.iter().find(|(name, _)| *name == last).map(|(_, symbol)| *symbol);
                    let letter = || last.chars().next().filter(|_| last.len() == 1).map(u32::from);
                    self.key(named.or_else(letter).ok_or_else(|| format!("there is no key `{last}`"))?, &with)?;
                    self.frames(3)
                }
                Step::Drag { name, by } => {
                    self.point_at(name)?;
                    self.press(1, true)?;
                    self.frames(2)?;
                    let [x, y] = self.pointer;
                    self.glide([x + by[0], y + by[1]])?;
                    self.press(1, false)?;
                    self.frames(3)
                }
                Step::Scroll { name, notches } => {
                    self.point_at(name)?;
                    for _ in 0..notches.abs() {
                        let button = if *notches > 0 { 5 } else { 4 };
                        self.press(button, true)?;
                        self.press(button, false)?;
                        self.rest(40);
                    }
                    self.frames(6)
                }
                Step::Shot(name) => self.shot(name),
                Step::Run(command) => {
                    let done = std::process::Command::new("sh").args(["-ec", command]).status();
                    match done {
                        Ok(status) if status.success() => Ok(()),
                        Ok(status) => Err(format!("it ended with {status}")),
                        Err(error) => Err(error.to_string()),
                    }
                }
                Step::Pause(seconds) => {
                    std::thread::sleep(Duration::from_secs_f64(*seconds));
                    Ok(())
                }
            }
        }

        /// Waits until the app has drawn so many frames more.
        fn frames(&self, count: u64) -> Result<(), String> {
            let now = lock(&self.shared).frames;
            self.until(PATIENCE, |shared| (shared.frames >= now + count).then_some(()))
        }

        fn until<T>(&self, seconds: f64, mut there: impl FnMut(&Shared) -> Option<T>) -> Result<T, String> {
            let began = Instant::now();
            loop {
                if let Some(found) = there(&lock(&self.shared)) {
                    return Ok(found);
                }
                if began.elapsed().as_secs_f64() > seconds {
                    return Err(format!("not within {seconds} s"));
                }
                std::thread::sleep(Duration::from_millis(15));
            }
        }

        fn rest(&self, milliseconds: u64) {
            std::thread::sleep(Duration::from_millis(milliseconds));
        }

        /// Moves the pointer to the middle of the control that is called so, or has so in its name: as soon as it can be
        /// used and stands still.
        fn point_at(&mut self, name: &str) -> Result<(), String> {
            let find = |shared: &Shared| {
                let [width, height] = shared.window;
                let can = |seen: &&Seen| {
                    let [left, top, right, bottom] = seen.rect;
                    let (x, y) = (left.midpoint(right), top.midpoint(bottom));
                    seen.enabled && seen.control && (0.0..width).contains(&x) && (0.0..height).contains(&y)
                };
                let exact = shared.seen.iter().filter(can).find(|seen| seen.text == name);
                let rect = exact.or_else(|| shared.seen.iter().filter(can).find(|seen| seen.text.contains(name)))?.rect;
                Some([rect[0].midpoint(rect[2]), rect[1].midpoint(rect[3])])
            };
            let mut at = self.until(PATIENCE, find)?;
            loop {
                self.frames(2)?;
                let again = self.until(PATIENCE, find)?;
                if again == at {
                    break;
                }
                at = again;
            }
            self.glide(at)
        }

        /// Moves the pointer as a hand does.
        fn glide(&mut self, to: [f64; 2]) -> Result<(), String> {
            let [left, top] = self.place()?;
            let from = self.pointer;
            for step in 1..=12 {
                let t = f64::from(step) / 12.0;
                let t = t * t * (3.0 - 2.0 * t);
                let at: [f64; 2] = std::array::from_fn(|i| from[i] + (to[i] - from[i]) * t);
                self.send(MOTION_NOTIFY_EVENT, 0, [left + at[0] as i16, top + at[1] as i16])?;
                self.rest(14);
            }
            self.pointer = to;
            self.frames(2)
        }

        fn press(&self, button: u8, down: bool) -> Result<(), String> {
            self.send(if down { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, button, [0, 0])
        }

        fn key(&mut self, symbol: u32, with: &[u32]) -> Result<(), String> {
            self.place()?;
            let (code, shifted) = self.code(symbol)?;
            let mut held: Vec<u8> =
                with.iter().map(|symbol| Ok(self.code(*symbol)?.0)).collect::<Result<_, String>>()?;
            if shifted {
                held.push(self.code(SHIFT)?.0);
            }
            for code in &held {
                self.send(KEY_PRESS_EVENT, *code, [0, 0])?;
            }
            if !with.is_empty() {
                // The app looks at what is held when a frame begins.
                self.frames(2)?;
            }
            self.send(KEY_PRESS_EVENT, code, [0, 0])?;
            if !with.is_empty() {
                self.frames(2)?;
            }
            self.rest(15);
            self.send(KEY_RELEASE_EVENT, code, [0, 0])?;
            for code in held.iter().rev() {
                self.send(KEY_RELEASE_EVENT, *code, [0, 0])?;
            }
            self.rest(15);
            Ok(())
        }

        /// The key that gives a symbol, and whether with shift.
        fn code(&self, symbol: u32) -> Result<(u8, bool), String> {
            let setup = self.display.setup();
            let (first, count) = (setup.min_keycode, setup.max_keycode - setup.min_keycode + 1);
            let words = |error: &dyn std::fmt::Display| error.to_string();
            let asked = self.display.get_keyboard_mapping(first, count).map_err(|e| words(&e))?;
            let map = asked.reply().map_err(|e| words(&e))?;
            let each = usize::from(map.keysyms_per_keycode);
            let found = map.keysyms.iter().position(|there| *there == symbol);
            let at = found.filter(|at| at % each < 2).ok_or_else(|| format!("no key gives the symbol {symbol:#x}"))?;
            Ok((first + (at / each) as u8, at % each == 1))
        }

        fn send(&self, kind: u8, detail: u8, [x, y]: [i16; 2]) -> Result<(), String> {
            let sent = self.display.xtest_fake_input(kind, detail, 0, self.root, x, y, 0);
            sent.map_err(|error| error.to_string())?.check().map_err(|error| error.to_string())
        }

        /// Where the app's window is on the display; it has the focus afterwards.
        fn place(&mut self) -> Result<[i16; 2], String> {
            let error = |error: &dyn std::fmt::Display| error.to_string();
            let window = match self.window {
                Some(window) => window,
                None => {
                    let tree =
                        self.display.query_tree(self.root).map_err(|e| error(&e))?.reply().map_err(|e| error(&e))?;
                    // The largest that is shown: there is no other program on the display that it is driven on.
                    let mut largest = (0, 0);
                    for child in tree.children {
                        let shape =
                            self.display.get_geometry(child).map_err(|e| error(&e))?.reply().map_err(|e| error(&e))?;
                        let area = u32::from(shape.width) * u32::from(shape.height);
                        largest = largest.max((area, child));
                    }
                    *self.window.insert(largest.1)
                }
            };
            self.display.set_input_focus(InputFocus::PARENT, window, 0_u32).map_err(|e| error(&e))?;
            let place = self.display.translate_coordinates(window, self.root, 0, 0).map_err(|e| error(&e))?;
            let place = place.reply().map_err(|e| error(&e))?;
            Ok([place.dst_x, place.dst_y])
        }

        fn shot(&self, name: &str) -> Result<(), String> {
            // What moves after a click has come to rest.
            self.rest(250);
            self.frames(2)?;
            let path = self.shots.join(format!("{name}.png"));
            let _ = std::fs::remove_file(&path);
            lock(&self.shared).shot = Some(path.clone());
            self.until(PATIENCE, |_| image::open(&path).ok().map(|_| ()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_others_are_refused() {
        let wait = Step::Wait { text: "a b".into(), seconds: 4.5, there: true };
        assert_eq!(Step::parse(r#"wait "a b" 4.5"#), Some(wait));
        assert_eq!(Step::parse("try Roll 3"), Some(Step::Try { name: "Roll".into(), seconds: 3.0 }));
        assert_eq!(Step::parse("click Roll"), Some(Step::Click("Roll".into())));
        assert_eq!(Step::parse("drag World -3 4"), Some(Step::Drag { name: "World".into(), by: [-3.0, 4.0] }));
        for wrong in ["", "wait", "click", "click a b", "shot ../a", "jump", "pause x", "pause -1", "drag World 3"] {
            assert_eq!(Step::parse(wrong), None, "{wrong}");
        }
    }
}
