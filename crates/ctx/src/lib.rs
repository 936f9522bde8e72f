//! Go's context for Rust: deadlines, cancellation, causes and values, for async tasks and threads alike.
//!
//! A [`Context`] is a cheap handle. It arms no timer and spawns nothing: a task waits with its own runtime's
//! timer, a thread blocks, and anyone who asks reads the clock, so that a deadline is exact even when nobody
//! waited for it.

mod cancel;
mod context;
mod debug;
mod driver;
mod error;
mod group;
mod join;
mod node;
mod run;
mod slab;
mod sync;
pub mod testing;
mod timers;
mod value;
mod wait;
mod walk;

pub use cancel::{Cancel, Stop, StopOnDrop};
pub use context::Context;
pub use driver::{Driver, ManualClock};
pub use error::{Cause, Error};
pub use group::Group;
pub use join::{Foreign, OnEnd};
pub use run::Interrupted;
