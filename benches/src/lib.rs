//! What the parts cost: contexts, tasks and timers, measured side by side.

pub mod tasks;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// Runs `operation` `iterations` times, shared out over all cores, and returns the wall time of the whole.
///
/// It divides as Go's `b.RunParallel` does, so that the time of one operation means the same on both sides.
pub fn on_all_cores<T>(
    iterations: u64,
    setup: impl Fn() -> T + Sync,
    operation: impl Fn(&mut T) + Sync,
) -> Duration {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let start = Barrier::new(cores as usize + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let share = iterations / cores + u64::from(core < iterations % cores);
                let (start, setup, operation) = (&start, &setup, &operation);
                scope.spawn(move || {
                    let mut state = setup();
                    start.wait();
                    (0..share).for_each(|_| operation(&mut state));
                })
            })
            .collect();
        start.wait();
        let begin = Instant::now();
        for worker in workers {
            worker.join().expect("an operation under measurement does not panic");
        }
        begin.elapsed()
    })
}
