#![doc = include_str!("../README.md")]

mod cancel;
mod clock;
mod context;
mod debug;
mod driver;
mod error;
mod few;
mod group;
mod join;
mod node;
mod run;
mod slab;
mod sync;
pub mod testing;
mod timers;
mod wait;

pub use cancel::{Cancel, Stop, StopOnDrop};
pub use context::Context;
pub use driver::{Driver, ManualClock};
pub use error::{Cause, Error};
pub use group::{Group, MemberError};
pub use join::{Foreign, OnEnd};
pub use run::Interrupted;
