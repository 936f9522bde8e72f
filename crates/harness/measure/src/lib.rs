//! Measures servers side by side: how late their 504s are, how long their work outlives them, what a storm costs.
//!
//! # Words
//! - *Overshoot*: from the deadline, counted from when the request was meant to be sent, to the 504's first byte.
//! - *Tail*: from when the 504 was read to the last sign of life of its work. Longer than
//!   [`Limits::zombie_ms`](suite::document::Limits::zombie_ms), the work is a *zombie*.
//! - *Quiesce*: from the storm's last answer until no work is left.
//!
//! # Layout
//! - [`plan`]: what is measured, how often, in which order; [`schedule`]: does it.
//! - [`overshoot`], [`zombie`], [`disconnect`], [`storm`], [`throughput`], [`footprint`], [`interference`], [`leak`]: a
//!   measurement each; [`stats`]: what becomes of samples.
//! - [`told`]: the one measurement of intermediaries, for every way to leave.
//! - [`results`]: a run with its measurements in their own types; [`plain`]: the same as plain data of the document;
//!   [`series`]: every sample in one list.

pub mod disconnect;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod footprint;
pub mod interference;
pub mod leak;
pub mod overshoot;
pub mod plain;
pub mod plan;
pub mod results;
pub mod schedule;
pub mod series;
pub mod stats;
pub mod storm;
pub mod throughput;
pub mod told;
pub mod zombie;
