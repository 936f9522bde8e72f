//! The ways in which an exchange with a server can fail.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use derive_more::{Display, From};

use crate::response::Malformed;
use crate::{End, h2};

/// The reason why an exchange came to nothing.
#[derive(Debug, Display, From)]
#[non_exhaustive]
pub enum Error {
    /// A system call on our side failed: the client's fault or the machine's.
    #[display("failed to {what}: {source}")]
    Local {
        /// The verb and the object: `create a socket`.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The server refused the connection or did not accept it in time.
    #[display("failed to connect to {to}: {source}")]
    Connect {
        /// The server's address.
        to: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The server closed the connection or stopped reading before all was sent.
    #[display("failed to send: {_0}")]
    Send(io::Error),
    /// The bytes that came are no response.
    Malformed(Malformed),
    /// The connection ended before a response was whole.
    #[display("{how} instead of an answer, {after:.0?} after sending")]
    Ended {
        /// The end of the connection.
        how: End,
        /// Time since the last byte was sent.
        after: Duration,
    },
    /// No response came in the time that the watchdog gives.
    #[display("no answer within the watchdog's {waited:.1?}")]
    Silent {
        /// Time since the last byte was sent.
        waited: Duration,
    },
    /// A stream, or its connection, ended before the head of an answer.
    #[display("{how} instead of an answer, {after:.0?} after sending")]
    Unanswerable {
        /// The end of the stream.
        how: h2::Ending,
        /// Time since its first byte was sent.
        after: Duration,
    },
    /// The server answered the preface of HTTP/2 with something else.
    #[display("the answer to HTTP/2's preface begins with {begins}")]
    NotHttp2 {
        /// The first of its bytes.
        begins: String,
    },
    /// The server broke HTTP/2.
    #[from]
    Violation(h2::Violation),
    /// No request was sent on this stream: the caller's fault.
    #[display("no request was sent on stream {_0}")]
    NoStream(u32),
    /// Some requests of a burst had no answer in the time that the watchdog gives.
    #[display("{lost} of {of} requests got no answer")]
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

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}
