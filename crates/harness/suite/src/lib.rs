//! Judges an HTTP server from outside: when a request times out, or its client leaves, does the work really stop?
//!
//! # Layout
//!
//! - [`scenario`]: what a scenario is and how to write one; [`scenarios`]: the one table of them; [`bench`](mod@bench):
//!   what a scenario works with.
//! - [`session`]: servers and scenarios side by side; [`runner`]: watchdog, retries; [`slots`]: who may run beside whom; [`verdict`]: what a scenario can come to;
//!   [`expect`]: known deviations; [`profile`]: how much lateness is forgiven.
//! - [`hops`]: a request through a chain, and the link that broke it.
//! - [`departure`]: a client that leaves an intermediary.
//! - [`reach`] and [`probe`]: whether an unknown server answers, and what it supports; [`pattern`]: which scenarios are meant.
//! - [`questions`]: what is asked of servers that are not of the list; [`remedies`]: what mends a failure.
//! - [`missing`]: what kept scenarios from being judged; [`exit`]: the exit statuses of every command.
//! - [`document`]: a run as one document; [`conformance`](fn@conformance): the table as tests.

mod beats;
pub mod bench;
mod conformance;
pub mod departure;
pub mod document;
pub mod exit;
pub mod expect;
pub mod hops;
pub mod missing;
pub mod pattern;
pub mod probe;
pub mod profile;
pub mod questions;
pub mod reach;
pub mod remedies;
pub mod runner;
mod said;
pub mod scenario;
pub mod scenarios;
pub mod session;
pub mod slots;
pub mod verdict;

pub use conformance::conformance;
