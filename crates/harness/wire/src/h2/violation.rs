//! The ways in which a server can break HTTP/2.

use derive_more::{Display, From};

use super::frame::TooLong;
use super::payload::Wrong;
use super::{hpack, message};

/// A rule that the server broke.
#[derive(Clone, Debug, PartialEq, Display, From)]
#[display("the server broke HTTP/2: {_variant}")]
pub enum Violation {
    /// A rule of frames, streams or windows.
    #[from]
    Frame(Wrong),
    /// The rule of the size of a frame.
    #[from]
    TooLong(TooLong),
    /// A rule of field compression.
    #[from]
    Fields(hpack::Malformed),
    /// A rule of responses, on this stream.
    #[display("{_1} (stream {_0})")]
    Message(u32, message::Malformed),
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Violation {}
