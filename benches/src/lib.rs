//! What the parts cost: contexts, tasks and timers, measured side by side.

pub mod tasks;

/// Runs the examples as documentation tests: what a reader is told to copy is compiled and run.
#[cfg(doctest)]
mod examples {
    #[doc = concat!("```\n", include_str!("../examples/ctx_tokio.rs"), "\n```")]
    struct Tokio;

    #[doc = concat!("```\n", include_str!("../examples/ctx_smol.rs"), "\n```")]
    struct Smol;

    #[doc = concat!("```\n", include_str!("../examples/ctx_async_std.rs"), "\n```")]
    struct AsyncStd;

    #[doc = concat!("```\n", include_str!("../examples/ctx_threads.rs"), "\n```")]
    struct Threads;
}

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
