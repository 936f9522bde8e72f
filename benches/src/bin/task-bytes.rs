//! The same as `task-run` under an allocator that counts. It costs time, so no time is taken from here.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    benches::tasks::run_child(Some(|| {
        let stats = ALLOCATOR.stats();
        // What a reallocation adds is in both columns already.
        (
            (stats.bytes_allocated - stats.bytes_deallocated) as u64,
            (stats.allocations + stats.reallocations) as u64,
        )
    }))
}
