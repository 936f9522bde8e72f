//! The ways in which a server can break HTTP/2.

use std::fmt;

use super::frame::TooLong;
use super::payload::Wrong;
use super::{hpack, message};

/// A rule that the server broke.
#[derive(Clone, Debug, PartialEq)]
pub enum Violation {
    /// A rule of frames, streams or windows.
    Frame(Wrong),
    /// The rule of the size of a frame.
    TooLong(TooLong),
    /// A rule of field compression.
    Fields(hpack::Malformed),
    /// A rule of responses, on this stream.
    Message(u32, message::Malformed),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server broke HTTP/2: ")?;
        match self {
            Self::Frame(wrong) => wrong.fmt(f),
            Self::TooLong(long) => long.fmt(f),
            Self::Fields(malformed) => malformed.fmt(f),
            Self::Message(stream, malformed) => write!(f, "{malformed} (stream {stream})"),
        }
    }
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Violation {}

impl From<Wrong> for Violation {
    fn from(wrong: Wrong) -> Self {
        Self::Frame(wrong)
    }
}

impl From<TooLong> for Violation {
    fn from(long: TooLong) -> Self {
        Self::TooLong(long)
    }
}

impl From<hpack::Malformed> for Violation {
    fn from(malformed: hpack::Malformed) -> Self {
        Self::Fields(malformed)
    }
}
