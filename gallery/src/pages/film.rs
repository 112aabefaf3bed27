//! A film that plays: frames are read on a thread, and one of them is on the screen.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bevy_egui::egui::{self, Ui};
use seedstorm_render::image_file::Rgb8Image;

use crate::{widgets, work::lock};

/// How many bytes all frames of a film may take.
const BYTES: usize = 192 << 20;

/// How long it waits for a frame that is not there yet.
const WAIT: Duration = Duration::from_millis(250);

/// A film; its thread ends when it is dropped.
pub struct Film {
    total: u32,
    fps: u32,
    shared: Arc<Shared>,
    screen: widgets::Screen,
    shown: Option<usize>,
    began: Instant,
    /// Stands still at this frame.
    pub still: Option<usize>,
}

#[derive(Default)]
struct Shared {
    frames: Mutex<Vec<Arc<Rgb8Image>>>,
    problem: Mutex<Option<String>>,
    stop: AtomicBool,
}

impl Film {
    /// The film of `total` frames that `frame` reads, none larger than `edge` pixels. One that is not there yet, `Ok(None)`,
    /// is waited for where the film `grows`, and ends it else.
    pub fn new(
        [total, fps]: [u32; 2],
        edge: usize,
        grows: bool,
        frame: impl Fn(u32) -> Result<Option<Rgb8Image>, String> + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let edge = edge.min((BYTES / 3 / total.max(1) as usize).isqrt());
        std::thread::spawn(move || {
            let mut number = 0;
            while number < total && !own.stop.load(Ordering::Relaxed) {
                match frame(number) {
                    Ok(Some(image)) => {
                        lock(&own.frames).push(Arc::new(at_most(image, edge)));
                        number += 1;
                    }
                    Ok(None) if grows => std::thread::sleep(WAIT),
                    Ok(None) => return,
                    Err(problem) => {
                        *lock(&own.problem) = Some(problem);
                        return;
                    }
                }
            }
        });
        Self {
            total,
            fps: fps.max(1),
            shared,
            screen: Default::default(),
            shown: None,
            began: Instant::now(),
            still: None,
        }
    }

    /// How many frames are there.
    pub fn there(&self) -> usize {
        lock(&self.shared.frames).len()
    }

    /// Shows it in `rect`, as large as it fits.
    pub fn show(&mut self, ui: &Ui, rect: egui::Rect) {
        let there = self.there();
        if there == 0 {
            let problem = lock(&self.shared.problem).clone();
            widgets::placeholder(ui, rect, problem.as_deref().unwrap_or("No frame yet"));
            return;
        }
        let playing = (self.began.elapsed().as_secs_f64() * f64::from(self.fps)) as usize % there;
        let number = self.still.unwrap_or(playing).min(there - 1);
        if self.shown != Some(number) && self.screen.is_ready() {
            let image = Arc::clone(&lock(&self.shared.frames)[number]);
            self.screen.set(ui.ctx(), &image);
            self.shown = Some(number);
        }
        if let Some(texture) = self.screen.texture(ui.ctx()) {
            widgets::whole_picture(ui, texture, rect, 8);
        }
        if lock(&self.shared.problem).is_some() {
            let words = format!("Frame {} of {} cannot be read", there + 1, self.total);
            widgets::caption(ui, rect.center_bottom() - egui::vec2(0.0, 12.0), egui::Align2::CENTER_BOTTOM, &words);
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// The picture, made smaller where it is larger than this.
pub fn at_most(image: Rgb8Image, edge: usize) -> Rgb8Image {
    let longest = image.width.max(image.height);
    if longest <= edge {
        return image;
    }
    let size = |side: usize| ((side * edge) / longest).max(1) as u32;
    let (width, height) = (size(image.width), size(image.height));
    let Some(whole) = image::RgbImage::from_raw(image.width as u32, image.height as u32, image.pixels) else {
        return Rgb8Image::new(1, 1);
    };
    let small = image::imageops::thumbnail(&whole, width, height);
    let mut shown = Rgb8Image::new(width as usize, height as usize);
    shown.pixels = small.into_raw();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_made_small_and_keep_their_shape() {
        let mut image = Rgb8Image::new(1080, 540);
        image.pixels.fill(7);
        let small = at_most(image, 270);
        assert_eq!((small.width, small.height, small.pixels.len()), (270, 135, 270 * 135 * 3));
        assert!(small.pixels.iter().all(|byte| *byte == 7));
        assert_eq!(at_most(Rgb8Image::new(4, 4), 270).width, 4);
    }
}
