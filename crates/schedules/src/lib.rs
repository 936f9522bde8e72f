//! A server on `ctx` and hyper, run on in-memory I/O in an order that a seed chooses.
//!
//! One thread, no runtime, no socket, no clock but a [`ManualClock`](ctx::ManualClock): a *world* holds the tasks, the
//! connections, the ticks that work waits for and the time, and a seeded generator picks what happens next. So a run is its
//! seed, and a seed that fails can be run again, step by step.
//!
//! | order of | is chosen by the seed |
//! | --- | --- |
//! | polls | which of the tasks that were woken is polled next, and now and then one that was not |
//! | wakes | which waiter a tick or a permit goes to, and when; a waker of an earlier poll wakes nothing |
//! | bytes | into what parts requests and answers are cut, and when each arrives or is taken |
//! | closes | FIN, half-close or RST at any byte, and when; the server's shutdown |
//! | time | how far the clock moves, between any two steps |
//!
//! hyper's own locks and channels stay real; on one thread they are never contended. What threads do to `ctx` itself is for
//! loom and shuttle.

mod client;
mod executor;
mod fault;
mod permits;
mod server;
mod socket;
mod ticks;
mod trace;
mod verdict;
mod world;

pub use fault::Fault;
pub use verdict::{Ends, Run, Violation};
pub use world::run;
