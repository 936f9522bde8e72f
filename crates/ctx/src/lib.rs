#![doc = include_str!("../README.md")]

mod cancel;
mod checkpoint;
mod clock;
mod context;
mod current;
mod debug;
mod driver;
mod error;
mod few;
mod group;
mod hard;
mod id;
mod join;
mod movable;
mod node;
mod run;
mod scope;
mod slab;
mod sync;
pub mod testing;
mod timer;
mod timers;
mod wait;
pub mod wire;
mod within;

pub use cancel::{Cancel, Stop, StopOnDrop};
pub use checkpoint::Checkpoint;
pub use context::Context;
pub use current::AsCurrent;
pub use driver::{Driver, ManualClock};
pub use error::{Cause, Ended, Error};
pub use group::{Group, MemberError, Members};
pub use hard::HardCancel;
pub use id::Id;
pub use join::{Foreign, OnEnd};
pub use movable::MovableDeadline;
pub use run::Interrupted;
pub use scope::Scope;
pub use timer::{Sleep, Timer};
pub use wait::DoneOwned;

/// Runs the example of the page on migration.
#[cfg(doctest)]
#[doc = include_str!("../MIGRATION.md")]
mod migration {}
