#![doc = include_str!("../README.md")]

mod checker;
mod drive;
mod macros;
mod mark;
mod outcome;
mod progress;
mod report;
mod run;
mod signal;
mod simple;
mod task;
mod watchdog;

pub use checker::Checker;
pub use mark::mark;
pub use outcome::{At, Moment, Outcome};
pub use report::{End, Report, RunReport, Verdict};
pub use run::Run;
pub use simple::{cancel_at_every_await, cancel_at_every_await_in_task};
pub use task::TaskRun;
