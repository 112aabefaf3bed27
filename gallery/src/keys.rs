//! The keyboard and the clipboard.
//!
//! bevy_egui takes all keys of a frame to be pressed with the modifiers that are held at its end: where frames are slow,
//! Ctrl+A would be the letter. And its clipboard brings Wayland's libraries with it, which this app does without.

use bevy::{
    input::{
        ButtonState,
        keyboard::{Key, KeyboardFocusLost, KeyboardInput},
    },
    prelude::*,
};
use bevy_egui::{
    EguiContextSettings, EguiInput, EguiPreUpdateSet, PrimaryEguiContext,
    egui::{self, Event, Modifiers, OutputCommand},
    helpers::{bevy_to_egui_key, bevy_to_egui_physical_key},
};

pub struct KeysPlugin;

impl Plugin for KeysPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Clipboard>().add_systems(
            PreUpdate,
            (type_keys, tell_modifiers_once)
                .chain()
                .after(EguiPreUpdateSet::ProcessInput)
                .before(EguiPreUpdateSet::BeginPass),
        );
    }
}

/// An interface whose keys come from here.
pub fn settings() -> EguiContextSettings {
    let mut settings = EguiContextSettings::default();
    settings.input_system_settings.run_write_keyboard_input_messages_system = false;
    settings
}

/// The system's clipboard, opened when it is first wanted. What was copied stays there while the app runs.
#[derive(Resource, Default)]
pub struct Clipboard(Option<arboard::Clipboard>);

impl Clipboard {
    fn open(&mut self) -> Option<&mut arboard::Clipboard> {
        if self.0.is_none() {
            self.0 = arboard::Clipboard::new().ok();
        }
        self.0.as_mut()
    }

    /// Takes what the interface has copied in this frame.
    pub fn take(&mut self, context: &egui::Context) {
        let copied = context.output(|output| {
            output.commands.iter().rev().find_map(|command| match command {
                OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            })
        });
        if let (Some(text), Some(clipboard)) = (copied, self.open()) {
            // A clipboard that refuses is not ours to mend.
            let _ = clipboard.set_text(text);
        }
    }
}

/// The keys of this frame, each with the modifiers that were held when it was pressed.
fn type_keys(
    mut keys: MessageReader<KeyboardInput>,
    mut lost: MessageReader<KeyboardFocusLost>,
    mut clipboard: ResMut<Clipboard>,
    mut held: Local<Modifiers>,
    mut inputs: Query<&mut EguiInput, With<PrimaryEguiContext>>,
) {
    // What is let go of elsewhere, nobody says.
    if lost.read().count() > 0 {
        *held = Modifiers::NONE;
    }
    let Ok(mut input) = inputs.single_mut() else { return };
    for key in keys.read() {
        let pressed = key.state == ButtonState::Pressed;
        match &key.logical_key {
            Key::Shift => held.shift = pressed,
            Key::Alt => held.alt = pressed,
            Key::Control => {
                held.ctrl = pressed;
                if !cfg!(target_os = "macos") {
                    held.command = pressed;
                }
            }
            Key::Super | Key::Meta if cfg!(target_os = "macos") => (held.mac_cmd, held.command) = (pressed, pressed),
            _ => {}
        }
        // Ctrl and Alt together are AltGr, by which letters are typed.
        if pressed && (!held.command || held.alt) {
            match &key.logical_key {
                Key::Character(text) if !text.chars().any(char::is_control) => {
                    input.events.push(Event::Text(text.to_string()));
                }
                Key::Space => input.events.push(Event::Text(" ".into())),
                _ => {}
            }
        }
        let physical_key = bevy_to_egui_physical_key(&key.key_code);
        // The physical key stands in where the layout has no Latin letters.
        let Some(logical) = bevy_to_egui_key(&key.logical_key).or(physical_key) else { continue };
        input.events.push(Event::Key { key: logical, physical_key, pressed, repeat: false, modifiers: *held });
        if pressed && held.command && !held.alt {
            match logical {
                egui::Key::C => input.events.push(Event::Copy),
                egui::Key::X => input.events.push(Event::Cut),
                egui::Key::V => {
                    let text = clipboard.open().and_then(|clipboard| clipboard.get_text().ok());
                    input.events.extend(text.map(Event::Paste));
                }
                _ => {}
            }
        }
    }
}

/// Which modifiers are held is said in every frame, and whenever it is said, the interface asks for another frame: it is
/// told what is new, and rests.
fn tell_modifiers_once(mut inputs: Query<&mut EguiInput>, mut told: Local<Modifiers>) {
    for mut input in &mut inputs {
        input.events.retain(|event| match event {
            Event::ModifiersChanged(held) => std::mem::replace(&mut *told, *held) != *held,
            _ => true,
        });
    }
}
