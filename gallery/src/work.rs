//! Long work beside the interface: each job on a thread of its own, watched and stopped through the pipeline's own
//! [`Observer`].

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use seedstorm_studio::{Observer, Stage, StudioError};

/// A job under way, or what came of it.
#[derive(Debug)]
pub struct Job<T> {
    watched: Arc<Watched>,
    result: Awaited<Result<T, StudioError>>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// The stage under way, and those that are done with the time that each took.
    pub stage: Option<Stage>,
    pub past: Vec<(Stage, Duration)>,
    /// The share of the stage that is done, in [0, 1].
    pub share: f32,
    /// How long the stage will take from here, once that can be told.
    pub left: Option<Duration>,
    /// Checkpoints that were compared, whether each is equal, and how many there are.
    pub compared: Vec<bool>,
    pub checkpoints: u32,
}

impl<T: Send + 'static> Job<T> {
    /// Starts `work`.
    ///
    /// It has a pool of threads of its own: two worlds of rigid bodies that share one wait for each other for ever.
    pub fn start(work: impl FnOnce(&dyn Observer) -> Result<T, StudioError> + Send + 'static) -> Self {
        let watched = Arc::new(Watched::default());
        let (result, tell) = Awaited::new();
        let seen = Arc::clone(&watched);
        thread::spawn(move || {
            tell.tell(in_own_pool(|| work(&*seen)));
        });
        Self { watched, result }
    }
}

/// Does `work` in a pool of threads of its own, or in the one that all share where there can be no other.
pub fn in_own_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    in_pool_of(0, work)
}

/// The same in one of so many threads; 0 are as many as there are cores.
pub fn in_pool_of<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| yield_to_the_interface()).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// Lets the threads that draw the interface go first, where the system can tell them apart.
pub fn yield_to_the_interface() {
    // On Linux a thread has a priority of its own. Where it cannot be lowered, work is as quick as the interface.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// By how much work is less urgent than the interface, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICE: i32 = 15;

impl<T> Job<T> {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        let state = lock(&self.watched.state);
        let (total, done) = (self.watched.total.load(Ordering::Relaxed), self.watched.done.load(Ordering::Relaxed));
        let elapsed = state.present.map(|(_, began)| began.elapsed()).unwrap_or_default();
        let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        let left = (share > 0.01 && elapsed > Duration::from_secs(1)).then(|| elapsed.mul_f64((1.0 - share) / share));
        Progress {
            stage: state.present.map(|(stage, _)| stage),
            past: state.past.clone(),
            share: share as f32,
            left,
            compared: state.compared.clone(),
            checkpoints: state.checkpoints,
        }
    }

    /// Asks it to stop at the next good moment.
    pub fn cancel(&self) {
        self.watched.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.watched.stop.load(Ordering::Relaxed)
    }

    /// What came of it, once; `None` while it is under way.
    pub fn take(&self) -> Option<Result<T, StudioError>> {
        self.result.take()
    }

    /// Whether nothing will come of it: it panicked.
    pub fn is_lost(&self) -> bool {
        self.result.is_lost()
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// A value that another thread will tell.
#[derive(Debug)]
pub struct Awaited<T>(Arc<Mutex<Option<T>>>);

/// Who tells it.
#[derive(Debug)]
pub struct Teller<T>(Arc<Mutex<Option<T>>>);

impl<T> Awaited<T> {
    pub fn new() -> (Self, Teller<T>) {
        let value = Arc::new(Mutex::new(None));
        (Self(Arc::clone(&value)), Teller(value))
    }

    /// The value, once.
    pub fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }

    /// Whether nobody is left to tell it, and nobody has.
    pub fn is_lost(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && lock(&self.0).is_none()
    }
}

impl<T> Teller<T> {
    pub fn tell(self, value: T) {
        *lock(&self.0) = Some(value);
    }
}

#[derive(Debug, Default)]
struct Watched {
    state: Mutex<State>,
    total: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    present: Option<(Stage, Instant)>,
    past: Vec<(Stage, Duration)>,
    compared: Vec<bool>,
    checkpoints: u32,
}

impl Observer for Watched {
    fn begin(&self, stage: Stage, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        lock(&self.state).present = Some((stage, Instant::now()));
    }

    fn reached(&self, done: u64) {
        self.done.fetch_max(done, Ordering::Relaxed);
    }

    fn end(&self, stage: Stage) {
        let mut state = lock(&self.state);
        if let Some((_, began)) = state.present.take() {
            state.past.push((stage, began.elapsed()));
        }
    }

    fn compared(&self, _checkpoint: u32, of: u32, equal: bool) {
        let mut state = lock(&self.state);
        state.compared.push(equal);
        state.checkpoints = of;
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Nothing here can be left half-changed by a panic elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread after another, in the order in which they came: a mutex alone would let one have it again and again.
pub struct Turns {
    /// The number of the next who comes, and of the one whose turn it is.
    numbers: Mutex<(u64, u64)>,
    over: Condvar,
}

/// Somebody's turn, until it is dropped.
pub struct Turn<'a>(&'a Turns);

impl Turns {
    pub const fn new() -> Self {
        Self { numbers: Mutex::new((0, 0)), over: Condvar::new() }
    }

    /// Waits for the caller's turn.
    pub fn take(&self) -> Turn<'_> {
        let mut numbers = lock(&self.numbers);
        let own = numbers.0;
        numbers.0 += 1;
        while numbers.1 != own {
            numbers = self.over.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.numbers).1 += 1;
        self.0.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever has had a turn waits behind those who have not.
    #[test]
    fn turns_go_round() {
        let (turns, log) = (Turns::new(), Mutex::new(vec![]));
        let first = turns.take();
        std::thread::scope(|scope| {
            for name in 0..3 {
                let (turns, log) = (&turns, &log);
                scope.spawn(move || {
                    for _ in 0..3 {
                        let _turn = turns.take();
                        lock(log).push(name);
                    }
                });
                // Until it stands in line.
                while lock(&turns.numbers).0 < 2 + name {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        let log = lock(&log);
        // A thread comes back to the line as soon as it can, while another has its turn.
        assert_eq!(log[..3], [0, 1, 2]);
        assert_eq!(log.len(), 9);
    }

    fn waited<T>(job: &Job<T>) -> Result<T, StudioError> {
        loop {
            if let Some(result) = job.take() {
                return result;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_job_reports_and_ends() {
        let job = Job::start(|observer| {
            observer.begin(Stage::Simulate, 10);
            observer.reached(10);
            observer.compared(0, 2, true);
            observer.end(Stage::Simulate);
            observer.begin(Stage::Render, 4);
            observer.reached(1);
            Ok(7)
        });
        assert_eq!(waited(&job).unwrap(), 7);
        let progress = job.progress();
        assert_eq!((progress.stage, progress.past.len(), progress.share), (Some(Stage::Render), 1, 0.25));
        assert_eq!((progress.compared, progress.checkpoints), (vec![true], 2));
        assert!(job.take().is_none(), "a result is taken once");
    }

    #[test]
    fn a_job_is_stopped() {
        let job: Job<()> = Job::start(|observer| {
            while !observer.stopped() {
                thread::sleep(Duration::from_millis(1));
            }
            Err(StudioError::Stopped)
        });
        job.cancel();
        assert!(matches!(waited(&job), Err(StudioError::Stopped)));
    }

    #[test]
    fn what_nobody_will_tell_is_lost() {
        let (value, teller) = Awaited::<u8>::new();
        assert!(!value.is_lost());
        drop(teller);
        assert!(value.is_lost() && value.take().is_none());
    }
}
