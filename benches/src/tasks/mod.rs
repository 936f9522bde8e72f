//! Many tasks that time out or are canceled: who is still there, what each weighs, how long it takes.
//!
//! One process runs one [`Case`] on one runtime and prints one [`Report`]; `benches/tasks.rs` runs them all.
//! The four `on_*` modules are siblings: the same ways, in the same order, each in its runtime's own words.

mod census;
mod child;
mod memory;
mod on_async_std;
mod on_smol;
mod on_threads;
mod on_tokio;

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

pub use child::{Heap, TOO_SLOW, run_child};

/// Executor threads of every runtime.
pub const THREADS: usize = 2;

/// The executor that polls the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// A multi-threaded runtime.
    Tokio,
    /// The global executor behind `smol::spawn`.
    Smol,
    /// The global executor behind `async_std::task::spawn`.
    AsyncStd,
    /// One scoped thread per task.
    Threads,
}

/// The way in which a task is bound to its deadline, and what its work does when that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// A context and a runtime timer each; the work waits for its context's end and returns.
    Listens,
    /// A context and a runtime timer each; the work is dropped by `ctx.run`.
    Dropped,
    /// As `Dropped`, but one `ctx::Driver` on one thread watches all the deadlines: no runtime timer.
    Driven,
    /// As `Dropped`, but all share one context, and so one deadline.
    Shared,
    /// No context: the runtime's own timeout drops the work.
    Native,
    /// A context and a timer each; the work is a task of its own that knows of neither.
    Detached,
    /// The runtime's own timeout; ended through each task's handle.
    Handle,
    /// The runtime's own timeout in a `tokio::task::JoinSet`; ended by `abort_all`.
    JoinSet,
    /// The runtime's own timeout under a `tokio_util::task::TaskTracker`; ended by its token.
    TaskTracker,
}

/// The event that ends the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Their deadlines.
    Timeout,
    /// A cancel of all, long before.
    Cancel,
}

/// One measurement: so many tasks, on one runtime, in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args, Serialize, Deserialize)]
pub struct Case {
    /// The executor that polls the tasks.
    #[arg(long)]
    pub runtime: Runtime,
    /// The way in which a task is bound to its deadline.
    #[arg(long)]
    pub way: Way,
    /// The event that ends the tasks.
    #[arg(long)]
    pub end: End,
    /// The number of tasks.
    #[arg(long)]
    pub tasks: usize,
    /// The timeout of each task, in milliseconds. All of them have to be waiting before the first is due.
    #[arg(long)]
    pub timeout_ms: u64,
}

impl Case {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The command line that makes a child run this case.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.map(|value| value.get_name().to_owned()).expect("no value of these is hidden")
        };
        vec![
            format!("--runtime={}", name(self.runtime.to_possible_value())),
            format!("--way={}", name(self.way.to_possible_value())),
            format!("--end={}", name(self.end.to_possible_value())),
            format!("--tasks={}", self.tasks),
            format!("--timeout-ms={}", self.timeout_ms),
        ]
    }
}

/// The live tasks and the memory at one moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Since the first spawn.
    pub at_ms: u64,
    /// Pieces of work that have begun and have not gone.
    pub live: usize,
    /// Resident bytes beyond those before the first spawn.
    pub bytes: u64,
}

/// The counts of a child. Bytes are beyond those before the first spawn.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Time to spawn all, in nanoseconds.
    pub spawn_ns: u64,
    /// Highest resident memory, in bytes, as the kernel saw it.
    pub peak_bytes: u64,
    /// Proportional set size when all waited, in bytes.
    pub waiting_pss: u64,
    /// Proportional set size when all were gone, in bytes: what the allocator kept.
    pub left_pss: u64,
    /// Bytes that the program had asked its allocator for when all waited; by a counting child only.
    pub heap_bytes: Option<u64>,
    /// Allocations until all waited; by a counting child only.
    pub allocations: Option<u64>,
    /// Time that the call that cancels took, in nanoseconds; for a cancel only.
    pub cancel_ns: Option<u64>,
    /// Time from the cancel, or from the last deadline, until the last task was gone, in nanoseconds.
    pub gone_ns: u64,
    /// Tasks that ended as they should.
    pub ended: usize,
    /// Work that was still alive when every task had ended.
    pub left: usize,
    /// Work still alive after what was left was released.
    pub left_at_last: usize,
    /// Live tasks and bytes over time.
    pub samples: Vec<Sample>,
    /// The first of its own checks that failed.
    pub failure: Option<String>,
}
