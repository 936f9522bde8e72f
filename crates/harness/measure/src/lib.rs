//! Measures servers side by side: how late their 504s are, how long their work outlives them, what a storm costs.
//!
//! # Words
//! - *Overshoot*: from the deadline, counted from when the request was meant to be sent, to the 504's first byte.
//! - *Zombie*: work whose last sign of life comes later after the 504 than
//!   [`Limits::zombie_ms`](suite::document::Limits::zombie_ms).
//! - *Quiesce*: from the storm's last answer until no work is left.
//!
//! # Layout
//! - [`measurement`]: the trait of a measurement; [`registry`]: the list of all, and the plan and the records made of it;
//!   [`schedule`]: takes the rounds of a plan.
//! - [`zombie`], [`outside`], [`storm`], [`overshoot`], [`disconnect`], [`streams`], [`footprint`], [`interference`], [`leak`],
//!   [`throughput`]: the measurements; [`told`]: the one measurement of intermediaries, for every way to leave; [`watch`]: a
//!   server under somebody else's load.
//! - [`results`]: a run with its measurements in their own types; [`series`]: every sample in one list; [`stats`]: what
//!   becomes of samples.
//! - [`table`]: a table as plain data, with its sentences; [`text`]: figures and lists as text.

pub mod disconnect;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod footprint;
pub mod interference;
pub mod leak;
pub mod measurement;
pub mod outside;
pub mod overshoot;
pub mod registry;
pub mod results;
pub mod schedule;
pub mod series;
pub mod stats;
pub mod storm;
pub mod streams;
pub mod table;
pub mod text;
pub mod throughput;
pub mod told;
pub mod watch;
pub mod zombie;
