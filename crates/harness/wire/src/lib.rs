//! The misbehaving client: bytes out, bytes in, ways to leave, and many connections at once.
//!
//! The lowest room of the harness. It judges nothing: what it could not do or did not get is an [`Error`].
//!
//! # Layout
//!
//! - [`Wire`]: one connection; [`Request`]: bytes out; [`response`]: bytes in; [`Leave`]: the ways to go.
//! - [`h2`]: the same in HTTP/2, frame by frame.
//! - [`burst`]: thousands of connections from one thread.
//! - [`trace`]: what was sent, what came back and when.

pub mod burst;
mod connection;
mod error;
pub mod h2;
pub mod leave;
pub mod request;
pub mod response;
pub mod trace;

pub use connection::{Answer, End, Wire};
pub use error::Error;
pub use leave::Leave;
pub use request::Request;
pub use response::Response;
