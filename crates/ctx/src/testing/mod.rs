//! A checker for what tests seldom see: work that outlived its context.
//!
//! Deadlines are tested with a [`ManualClock`](crate::ManualClock). A future that is dropped at each of its awaits in
//! turn is the business of a crate of its own, `drop-at-await`: it knows nothing of contexts, so this crate does not
//! depend on it and does not re-export it.

mod leaks;

pub use leaks::{Guard, Leak, LeakCheck, guard};
