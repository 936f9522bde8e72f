//! Measures servers side by side: how late their 504s are, how long their work outlives them, what a storm costs.
//!
//! # Words
//! - *Overshoot*: from the deadline, counted from when the request was meant to be sent, to the 504's first byte.
//! - *Tail*: from when the 504 was read to the last sign of life of its work. Longer than
//!   [`Limits::zombie`](results::Limits::zombie), the work is a *zombie*.
//! - *Quiesce*: from the storm's last answer until no work is left.
//!
//! # Layout
//! - [`plan`]: what is measured, how often, in which order; [`turns`]: does it.
//! - [`overshoot`], [`tail`], [`leave`], [`storm`], [`fast`], [`memory`], [`strip`], [`leak`]: a measurement each;
//!   [`stats`]: what becomes of samples.
//! - [`results`]: everything of a run as one document; [`machine`]: where it ran; [`build`](mod@build): what was built.
//! - [`learned`]: what the run taught, across all its servers; [`words`]: what the figures mean, in sentences;
//!   [`page`]: the report as one HTML file; [`series`]: every sample in one list; [`export`]: files for other programs.

pub mod build;
pub mod export;
pub mod fast;
pub mod leak;
pub mod learned;
pub mod leave;
pub mod machine;
pub mod memory;
pub mod overshoot;
pub mod page;
pub mod plan;
pub mod results;
pub mod series;
pub mod stats;
pub mod storm;
pub mod strip;
pub mod tail;
pub mod turns;
pub mod words;
