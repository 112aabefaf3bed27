//! The keyboard and the clipboard.
//!
//! bevy_egui takes all keys of a frame to be pressed with the modifiers that are held at its end: where frames are slow,
//! Ctrl+A would be the letter. And its clipboard brings Wayland's libraries with it, which this app does without.

use std::thread::JoinHandle;

use bevy::{
    input::{
        ButtonState,
        keyboard::{Key, KeyCode, KeyboardFocusLost, KeyboardInput},
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
pub struct Clipboard {
    copied: Option<arboard::Clipboard>,
    /// Who has what is to be pasted may take seconds to hand it over.
    pasted: Option<JoinHandle<Option<String>>>,
}

impl Clipboard {
    /// Takes what the interface has copied in this frame.
    pub fn take(&mut self, context: &egui::Context) {
        let copied = context.output(|output| {
            output.commands.iter().rev().find_map(|command| match command {
                OutputCommand::CopyText(text) => Some(text.clone()),
                _ => None,
            })
        });
        let Some(text) = copied else { return };
        if self.copied.is_none() {
            self.copied = arboard::Clipboard::new().ok();
        }
        if let Some(clipboard) = &mut self.copied {
            // A clipboard that refuses is not ours to mend.
            let _ = clipboard.set_text(text);
        }
    }

    /// Asks for what is to be pasted.
    fn ask(&mut self) {
        if self.pasted.is_none() {
            let read = || arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_text()).ok();
            self.pasted = Some(std::thread::spawn(read));
        }
    }

    /// What was asked for, once it is there.
    fn pasted(&mut self) -> Option<String> {
        let there = self.pasted.take_if(|reading| reading.is_finished())?;
        there.join().ok().flatten()
    }
}

/// A modifier, by the interface's name of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Modifier {
    Alt,
    Control,
    Shift,
    Super,
}

/// The keys that are held as modifiers: what a key was pressed as, it is let go of as, whatever it is called by then.
#[derive(Default)]
struct Held(Vec<(KeyCode, Modifier)>);

impl Held {
    fn note(&mut self, key: &KeyboardInput) {
        self.0.retain(|(code, _)| *code != key.key_code);
        let modifier = match key.logical_key {
            Key::Alt => Modifier::Alt,
            Key::Control => Modifier::Control,
            Key::Shift => Modifier::Shift,
            Key::Super | Key::Meta => Modifier::Super,
            _ => return,
        };
        if key.state == ButtonState::Pressed {
            self.0.push((key.key_code, modifier));
        }
    }

    fn is(&self, modifier: Modifier) -> bool {
        self.0.iter().any(|(_, held)| *held == modifier)
    }

    fn modifiers(&self) -> Modifiers {
        let (ctrl, logo) = (self.is(Modifier::Control), self.is(Modifier::Super));
        let mac = cfg!(target_os = "macos");
        Modifiers {
            alt: self.is(Modifier::Alt),
            ctrl,
            shift: self.is(Modifier::Shift),
            mac_cmd: mac && logo,
            command: if mac { logo } else { ctrl },
        }
    }

    /// Whether letters are text. Ctrl and Alt together are AltGr, by which letters are typed.
    fn types(&self) -> bool {
        let alt_gr = !cfg!(target_os = "macos") && self.is(Modifier::Control) && self.is(Modifier::Alt);
        alt_gr || !self.is(Modifier::Super) && !self.is(Modifier::Control)
    }
}

/// The keys of this frame, each with the modifiers that were held when it was pressed.
fn type_keys(
    mut keys: MessageReader<KeyboardInput>,
    mut lost: MessageReader<KeyboardFocusLost>,
    mut clipboard: ResMut<Clipboard>,
    mut held: Local<Held>,
    mut inputs: Query<&mut EguiInput, With<PrimaryEguiContext>>,
) {
    // What is let go of elsewhere, nobody says.
    if lost.read().count() > 0 {
        held.0.clear();
    }
    let Ok(mut input) = inputs.single_mut() else { return };
    input.events.extend(clipboard.pasted().map(Event::Paste));
    for key in keys.read() {
        held.note(key);
        let (pressed, modifiers) = (key.state == ButtonState::Pressed, held.modifiers());
        if pressed && held.types() {
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
        input.events.push(Event::Key { key: logical, physical_key, pressed, repeat: false, modifiers });
        if pressed && modifiers.command && !modifiers.alt && !key.repeat {
            match logical {
                egui::Key::C => input.events.push(Event::Copy),
                egui::Key::X => input.events.push(Event::Cut),
                egui::Key::V => clipboard.ask(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn input(code: KeyCode, key: Key, state: ButtonState) -> KeyboardInput {
        let window = Entity::PLACEHOLDER;
        KeyboardInput { key_code: code, logical_key: key, state, text: None, repeat: false, window }
    }

    #[test]
    fn a_modifier_is_let_go_of_whatever_it_is_called_by_then() {
        let mut held = Held::default();
        held.note(&input(KeyCode::AltLeft, Key::Alt, ButtonState::Pressed));
        held.note(&input(KeyCode::ShiftLeft, Key::Shift, ButtonState::Pressed));
        assert!(held.modifiers().alt && held.modifiers().shift && held.types());
        held.note(&input(KeyCode::AltLeft, Key::Meta, ButtonState::Released));
        assert!(!held.modifiers().alt && held.modifiers().shift);
        held.note(&input(KeyCode::ControlRight, Key::Control, ButtonState::Pressed));
        assert!(held.modifiers().ctrl && !held.types());
        held.note(&input(KeyCode::AltRight, Key::Alt, ButtonState::Pressed));
        assert_eq!(held.types(), !cfg!(target_os = "macos"), "AltGr");
    }
}
