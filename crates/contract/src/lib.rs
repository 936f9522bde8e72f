//! The promises of every server of the lab, in one place.
//!
//! A promise typed four times is four promises, so everything that the suite can check and that needs no runtime
//! stands here. Nothing in this crate awaits, blocks, spawns, sleeps, owns a socket, or reads a clock it was not given.
//!
//! - [`settings`]: the flags, their defaults and what they take.
//! - [`call`]: a request head read into a [`Call`], or the [`Refusal`] it earns.
//! - [`request_target`]: the request target and the host, judged as bytes.
//! - [`params`] and [`duration`]: the query parameters and the durations in them.
//! - [`budget`]: the caller's deadline, from `grpc-timeout` or `x-envoy-expected-rq-timeout-ms`.
//! - [`identity`]: the request id and the subject, carried as context values.
//! - [`answer`]: every JSON body and status, one function each.
//! - [`reason`]: why a request ended, as one word and as a context's cause.
//! - [`outcome`]: what a request's work came to, judged by when it ended.
//! - [`scan`]: where a connection stands in what its client sends, however the bytes are split.
//! - [`clock`]: how long a connection may stay in the phase it is in.
//! - [`preface`]: the bytes that HTTP/2 begins with.
//! - [`slots`]: how many requests of one connection may work at once.
//! - [`body`]: bodies as bytes, for a server that has no HTTP library.
//! - [`upstream`]: a call to another server.
//! - [`database`]: a query to PostgreSQL, its cancel, and the address of the server.
//! - [`wire`]: heads as bytes, for a server that has no HTTP library.
//! - [`limits`]: the numbers.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

pub mod answer;
pub mod body;
pub mod budget;
pub mod call;
pub mod clock;
pub mod database;
pub mod duration;
mod fields;
pub mod identity;
pub mod limits;
pub mod outcome;
pub mod params;
pub mod preface;
pub mod reason;
pub mod request_target;
pub mod scan;
pub mod settings;
pub mod slots;
pub mod upstream;
pub mod wire;

pub use answer::Answer;
pub use call::{Call, Endpoint, Refusal};
pub use clock::{Clock, Closing, Overdue};
pub use identity::Identity;
pub use outcome::{Failure, Worked};
pub use params::{BodyUse, Fanout, Outside, Panic, Slow, Stream, Style, Ticks};
pub use reason::Reason;
pub use settings::{OnDisconnect, Settings};
pub use slots::{Slot, Slots};

/// Compiles the Rust of the repository's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
