//! The ways in which an exchange with a server can fail.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::response::Malformed;
use crate::{End, h2};

/// The reason why an exchange came to nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A system call on our side failed: the client's fault or the machine's.
    Local {
        /// The verb and the object: `create a socket`.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The server refused the connection or did not accept it in time.
    Connect {
        /// The server's address.
        to: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The server closed the connection or stopped reading before all was sent.
    Send(io::Error),
    /// The bytes that came are no response.
    Malformed(Malformed),
    /// The connection ended before a response was whole.
    Ended {
        /// The end of the connection.
        how: End,
        /// Time since the last byte was sent.
        after: Duration,
    },
    /// No response came in the time that the watchdog gives.
    Silent {
        /// Time since the last byte was sent.
        waited: Duration,
    },
    /// A stream, or its connection, ended before the head of an answer.
    Unanswerable {
        /// The end of the stream.
        how: h2::Ending,
        /// Time since its first byte was sent.
        after: Duration,
    },
    /// The server answered the preface of HTTP/2 with something else.
    NotHttp2 {
        /// The first of its bytes.
        begins: String,
    },
    /// The server broke HTTP/2.
    Violation(h2::Violation),
    /// No request was sent on this stream: the caller's fault.
    NoStream(u32),
    /// Some requests of a burst had no answer in the time that the watchdog gives.
    Unanswered {
        /// Their number.
        lost: usize,
        /// The number of all requests.
        of: usize,
    },
}

impl Error {
    /// True when the client or the machine failed, and the server is not to blame.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. } | Self::NoStream(_))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { what, source } => write!(f, "failed to {what}: {source}"),
            Self::Connect { to, source } => write!(f, "failed to connect to {to}: {source}"),
            Self::Send(source) => write!(f, "failed to send: {source}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Ended { how, after } => {
                write!(f, "{how} instead of an answer, {after:.0?} after sending")
            }
            Self::Silent { waited } => write!(f, "no answer within the watchdog's {waited:.1?}"),
            Self::Unanswerable { how, after } => {
                write!(f, "{how} instead of an answer, {after:.0?} after sending")
            }
            Self::NotHttp2 { begins } => write!(f, "the answer to HTTP/2's preface begins with {begins}"),
            Self::Violation(violation) => violation.fmt(f),
            Self::NoStream(stream) => write!(f, "no request was sent on stream {stream}"),
            Self::Unanswered { lost, of } => write!(f, "{lost} of {of} requests got no answer"),
        }
    }
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}

impl From<h2::Violation> for Error {
    fn from(violation: h2::Violation) -> Self {
        Self::Violation(violation)
    }
}
