//! Judges an HTTP server from outside: when a request times out, or its client leaves, does the work really stop?
//!
//! Real processes, real sockets, no cooperation beyond the contract that every server of the lab keeps.
//!
//! # Layout
//!
//! - [`scenario`]: what a scenario is and how to write one; [`scenarios`]: the one table of them; [`bench`](mod@bench):
//!   what a scenario works with.
//! - [`runner`]: watchdog, retries; [`seats`]: who may run beside whom; [`verdict`]: what a scenario can come to; [`expect`]: known deviations.
//! - [`catalog`]: the server list; [`programs`]: what its servers need; [`subject`]: who is judged; [`probe`]: what an unknown server supports.
//! - [`server`], [`guard`]: processes that cannot outlive us.
//! - [`wire`], [`storm`]: the misbehaving client, one connection or thousands; [`load`]: the well-behaved one, in figures.
//! - [`witness`], [`census`], [`proc`]: three pairs of eyes on the work.
//! - [`noise`], [`profile`]: how much lateness is forgiven.
//! - [`measure`]: servers side by side in figures.
//! - [`trace`], [`report`]: what was seen, for people and machines; [`conformance`]: the table as tests.

pub mod bench;
pub mod catalog;
pub mod census;
mod conformance;
pub mod expect;
pub mod guard;
pub mod load;
pub mod measure;
pub mod noise;
pub mod pattern;
pub mod probe;
pub mod proc;
pub mod profile;
pub mod programs;
pub mod report;
pub mod runner;
pub mod scenario;
pub mod scenarios;
pub mod seats;
pub mod server;
pub mod storm;
pub mod subject;
pub mod trace;
pub mod verdict;
pub mod wire;
pub mod witness;

pub use conformance::conformance;
