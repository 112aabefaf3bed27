//! What the checks of a piece found, in plain words.

use bevy_egui::egui::{self, RichText, Ui};
use seedstorm_studio::verify::Report;

use crate::{
    icons,
    text::{capitalised, plain},
    theme::{self, NEAR},
    widgets,
    work::Progress,
};

/// A square for each checkpoint: equal, other, or not run again yet.
pub(super) fn checkpoints(ui: &mut Ui, progress: &Progress) {
    let colors = theme::palette(ui);
    // A forged piece may claim millions.
    let count = (progress.checkpoints as usize).min(2000);
    if count == 0 {
        return;
    }
    let side = (ui.available_width() / count as f32 - 3.0).clamp(6.0, 18.0).floor();
    let columns = (ui.available_width() / (side + 3.0)).floor().max(1.0) as usize;
    let (rect, _) = ui.allocate_exact_size(
        egui::vec2(ui.available_width(), count.div_ceil(columns) as f32 * (side + 3.0)),
        egui::Sense::hover(),
    );
    for at in 0..count {
        let place = rect.min + egui::vec2((at % columns) as f32, (at / columns) as f32) * (side + 3.0);
        let color = match progress.compared.get(at) {
            Some(true) => colors.good,
            Some(false) => colors.bad,
            None => colors.line,
        };
        ui.painter().rect_filled(egui::Rect::from_min_size(place, egui::vec2(side, side)), 2.0, color);
    }
}

/// What the checks say, in plain words.
pub(super) fn show(ui: &mut Ui, report: &Report, progress: &Progress) {
    let colors = theme::palette(ui);
    widgets::card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let wrong = report.checks.iter().filter(|check| !check.ok).count();
        if report.ok {
            ui.label(RichText::new(format!("{}  Verified: it is what it says", icons::PROVED)).heading().color(colors.good));
        } else {
            ui.label(RichText::new(format!("{}  Verification failed", icons::WARNING)).heading().color(colors.bad));
            let changed: Vec<String> =
                report.checks.iter().filter_map(|check| changed(&check.detail)).map(|files| plain(&files)).collect();
            let words = match (changed.is_empty(), wrong) {
                (false, _) => format!("Changed after it was made: {}.", changed.join(", ")),
                (true, 1) => "One check failed: it was changed after it was made, or a part of it was lost.".into(),
                (true, _) => "Several checks failed: it was changed after it was made, or a part of it was lost.".into(),
            };
            widgets::words(ui, words);
        }
        let (same, all) = (progress.compared.iter().filter(|same| **same).count(), progress.checkpoints as usize);
        if all > 0 {
            let words = if same == all { "all the same".into() } else { format!("{same} the same") };
            widgets::quiet(ui, format!("{all} checkpoints, {words}"));
        }
        checkpoints(ui, progress);
        for check in &report.checks {
            ui.horizontal_top(|ui| {
                let (icon, color) = if check.ok { (icons::CHECK, colors.good) } else { (icons::CLOSE, colors.bad) };
                ui.label(RichText::new(icon).color(color));
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    // Of a long sentence about hashes, what was changed is what matters; the rest is a tip.
                    match changed(&check.detail).filter(|_| !check.ok) {
                        Some(_) => widgets::words(ui, "Its files are not those that it was made of"),
                        None => widgets::words(ui, means(check.name, check.ok)),
                    };
                    if !check.ok && changed(&check.detail).is_none() {
                        widgets::quiet(ui, plain(&check.detail));
                    }
                })
                .response
                .on_hover_text(plain(&check.detail));
            });
        }
        // What failed may have kept the rest from being looked at.
        let rest = CHECKS.iter().filter(|(name, _)| report.checks.iter().all(|check| !check.name.starts_with(name)));
        let rest: Vec<&str> = rest.map(|(_, about)| *about).collect();
        if !report.ok && !rest.is_empty() {
            ui.horizontal_top(|ui| {
                ui.label(RichText::new("·").color(colors.quiet));
                ui.vertical(|ui| widgets::quiet(ui, format!("Not looked at any more: {}.", rest.join(", "))));
            });
        }
        if !report.ok {
            ui.add_space(NEAR);
            widgets::quiet(
                ui,
                "What was lost or changed can come back from a copy, or from its recipe: made again, it is the same, bit for bit.",
            );
            return;
        }
        ui.add_space(NEAR);
        ui.label(RichText::new("What this does not prove").strong());
        widgets::quiet(
            ui,
            "Of the pictures, one part of one frame was drawn again, chosen by chance: run it again to look at another. Who the \
             maker is, the signature says as an address alone. What is called beautiful, or what it is worth, nobody can check.",
        );
    });
}

/// The checks that every piece is put to, in a word each.
const CHECKS: [(&str, &str); 11] = [
    ("bundle", "its files"),
    ("recipe", "its recipe"),
    ("metadata", "what it says of itself"),
    ("attestation", "its signature"),
    ("store", "its blocks in the store"),
    ("film", "its film"),
    ("trajectory", "its checkpoints"),
    ("simulation", "the simulation"),
    ("motion", "its motion"),
    ("pixels", "its pixels"),
    ("token", "its token"),
];

/// The files that a check found changed, frames with the number that people count by.
fn changed(detail: &str) -> Option<String> {
    let (_, files) = detail.split_once("changed: ")?;
    let named = files.split(", ").map(|file| {
        let number = file.strip_prefix("frames/").and_then(|rest| rest.strip_suffix(".png")?.parse::<u32>().ok());
        number.map_or_else(|| file.to_owned(), |number| format!("frame {} ({file})", number + 1))
    });
    Some(named.collect::<Vec<_>>().join(", "))
}

/// What a check is about, for people.
fn means(name: &str, ok: bool) -> String {
    let (holds, fails) = match name {
        "bundle" => ("All of its files are there", "Its files are not all there, or others are among them"),
        "recipe" => ("Its recipe is whole", "Its recipe is damaged"),
        "metadata" => (
            "What it says of itself follows from its recipe",
            "What it says of itself does not follow from its recipe, or is about other content",
        ),
        "attestation" | "attestations" => ("Its maker signed for it", "What its maker signed is about something else"),
        "store" => (
            "The store has every block of it, unchanged",
            "The store has lost a part of it, or has other bytes in its place",
        ),
        "film" => ("The film is made of its frames", "The film or the poster is not made of its frames"),
        "trajectory" => (
            "Its checkpoints lead to the root that its token names",
            "Its checkpoints do not lead to the root that its token names",
        ),
        "simulation" => (
            "The simulation was run again, and every checkpoint is the same",
            "The simulation, run again, gives something else",
        ),
        "motion" => ("The motion in it is that of the simulation", "The motion in it is not that of the simulation"),
        "pixels" => {
            ("A part of a frame was drawn again, and is the same", "A part of a frame, drawn again, is different")
        }
        "token" => ("Its token commits to all of this", "Its token does not commit to this"),
        other => return capitalised(other),
    };
    if ok { holds.into() } else { fails.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_named_as_people_count() {
        let said = changed("it is about other content; changed: frames/0010.png, recipe.json");
        assert_eq!(said.as_deref(), Some("frame 11 (frames/0010.png), recipe.json"));
        assert_eq!(changed("other content"), None);
    }

    #[test]
    fn every_check_has_words() {
        let names = [
            "bundle",
            "recipe",
            "metadata",
            "attestation",
            "attestations",
            "store",
            "film",
            "trajectory",
            "simulation",
            "motion",
            "pixels",
            "token",
        ];
        for name in names {
            assert_ne!(means(name, true), means(name, false));
            assert_ne!(means(name, true), capitalised(name));
        }
    }
}
