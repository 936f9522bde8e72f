//! Costs of the parts: contexts, tasks and timers, measured side by side.

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
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `operation` `iterations` times, shared out over all cores, and returns the wall time of the whole.
///
/// It divides as Go's `b.RunParallel` does, so that the time of one operation means the same on both sides: each core
/// takes a small batch when it has done its last, and one that is held up leaves the rest to the others.
pub fn on_all_cores<T>(
    iterations: u64,
    setup: impl Fn() -> T + Sync,
    operation: impl Fn(&mut T) + Sync,
) -> Duration {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let batch = (iterations / (cores * BATCHES_PER_CORE)).clamp(1, LARGEST_BATCH);
    let start = Barrier::new(cores as usize + 1);
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    let mut state = setup();
                    start.wait();
                    loop {
                        let from = taken.fetch_add(batch, Ordering::Relaxed);
                        if from >= iterations {
                            break;
                        }
                        (from..iterations.min(from + batch)).for_each(|_| operation(&mut state));
                    }
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

/// Enough batches that no core waits long for the last one.
const BATCHES_PER_CORE: u64 = 200;
/// Go's limit.
const LARGEST_BATCH: u64 = 10_000;
