//! Checkers for what tests seldom see: a future dropped at each of its awaits, and work that outlived its
//! context.
//!
//! Deadlines are tested with a [`ManualClock`](crate::ManualClock).

mod awaits;
mod leaks;

pub use awaits::{Outcome, cancel_at_every_await, cancel_at_every_await_in_task};
pub use leaks::{Guard, Leak, LeakCheck, guard};
