//! Progress on standard error.

use std::{
    io::IsTerminal as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{FormattedDuration, ProgressBar, ProgressStyle};
use seedstorm_studio::{Observer, Stage};

use crate::output;

/// How often a line is written where a bar cannot be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// One bar a stage, with the time left; where standard error is no terminal, now and then a line.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    present: Mutex<Option<(Stage, ProgressBar)>>,
    /// Threads report tiles out of order; the bar only goes forward.
    reached: AtomicU64,
    /// When the last line was written, where lines are.
    said: Mutex<Option<Instant>>,
}

/// Whether the user pressed Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Whether there is a stage under way, which asks now and then whether to stop.
static UNDER_WAY: AtomicBool = AtomicBool::new(false);

/// Lets Ctrl-C stop long work at the next good moment; pressed again, or beside such work, it ends the program at once.
pub(crate) fn stop_on_interrupt() {
    let installed = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) || !UNDER_WAY.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        output::aside("stopping where nothing is lost; press Ctrl-C again to stop at once");
    });
    // Without a handler Ctrl-C ends the program, and nothing is lost either.
    drop(installed);
}

/// Makes Ctrl-C wait for what asks [`interrupted`] now and then, before any stage begins.
pub(crate) fn heeds_interrupts() {
    UNDER_WAY.store(true, Ordering::Relaxed);
}

/// Whether the user pressed Ctrl-C.
pub(crate) fn interrupted() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

impl Observer for Bars {
    fn begin(&self, stage: Stage, total: u64) {
        let template = if total > 1 {
            "{prefix:>10} {bar:36.cyan/dim} {percent:>3} %  {elapsed} gone, {msg}"
        } else {
            "{prefix:>10} {spinner}"
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = ProgressBar::new(total).with_style(style.progress_chars("━━ ")).with_prefix(stage.name());
        self.reached.store(0, Ordering::Relaxed);
        bar.enable_steady_tick(Duration::from_millis(200));
        *lock(&self.said) = (!std::io::stderr().is_terminal()).then(Instant::now);
        *lock(&self.present) = Some((stage, bar));
        UNDER_WAY.store(true, Ordering::Relaxed);
    }

    fn reached(&self, done: u64) {
        if self.reached.fetch_max(done, Ordering::Relaxed) < done
            && let Some((stage, bar)) = &*lock(&self.present)
        {
            bar.set_position(done);
            let total = bar.length().unwrap_or(done).max(1);
            let frame = match stage {
                Stage::Render => {
                    format!(", frame {} of {}", (done / Stage::FRAME + 1).min(frames(total)), frames(total))
                }
                _ => String::new(),
            };
            // Work of one kind takes as long from here as it did up to here; a bar's own guess goes wild over slow steps.
            let left = bar.elapsed().mul_f64(total.saturating_sub(done) as f64 / done as f64);
            bar.set_message(format!("{} left{frame}", FormattedDuration(left)));
            if let Some(said) = &mut *lock(&self.said)
                && said.elapsed() >= LINE_EVERY
            {
                *said = Instant::now();
                let share = 100.0 * done as f64 / total as f64;
                output::aside(&format!("{} {share:.0} %, {} s left{frame}", bar.prefix(), left.as_secs()));
            }
        }
    }

    fn stopped(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }

    fn end(&self, _: Stage) {
        UNDER_WAY.store(false, Ordering::Relaxed);
        if let Some((_, bar)) = lock(&self.present).take() {
            if lock(&self.said).is_some() && bar.elapsed() >= LINE_EVERY {
                output::aside(&format!("{} done in {} s", bar.prefix(), bar.elapsed().as_secs()));
            }
            bar.set_style(ProgressStyle::with_template("{prefix:>10} {elapsed}").expect("a valid template"));
            bar.finish();
        }
    }
}

/// Of this much progress, rounded up.
fn frames(total: u64) -> u64 {
    total.div_ceil(Stage::FRAME)
}

/// Nothing here can be left half-changed by a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
