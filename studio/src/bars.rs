//! Progress on standard error.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use indicatif::{ProgressBar, ProgressStyle};
use seedstorm_studio::{Observer, Stage};

/// One bar a stage, with the time left. Where standard error is no terminal, indicatif draws nothing.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    present: Mutex<Option<ProgressBar>>,
    /// Threads report tiles out of order; the bar only goes forward.
    reached: AtomicU64,
}

/// Whether the user pressed Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C stop long work at the next good moment; pressed again, it ends the program at once.
pub(crate) fn stop_on_interrupt() {
    let installed = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    // Without a handler Ctrl-C ends the program, and nothing is lost either.
    drop(installed);
}

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

impl Observer for Bars {
    fn begin(&self, stage: Stage, total: u64) {
        let template = if total > 1 {
            "{prefix:>10} {bar:36.cyan/dim} {percent:>3} %  {elapsed} gone, {eta} left"
        } else {
            "{prefix:>10} {spinner}"
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::new(total).with_style(style.progress_chars("━━ ")).with_prefix(stage.name());
        self.reached.store(0, Ordering::Relaxed);
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        *self.lock() = Some(bar);
    }

    fn reached(&self, done: u64) {
        if self.reached.fetch_max(done, Ordering::Relaxed) < done
            && let Some(bar) = &*self.lock()
        {
            bar.set_position(done);
        }
    }

    fn stopped(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }

    fn end(&self, _: Stage) {
        if let Some(bar) = self.lock().take() {
            bar.set_style(ProgressStyle::with_template("{prefix:>10} {elapsed}").expect("a valid template"));
            bar.finish();
        }
    }
}

impl Bars {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        // A bar cannot be left half-changed by a panic elsewhere.
        self.present.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
