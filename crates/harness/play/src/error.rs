//! The ways in which the playground can fail to open.

use std::fmt;
use std::io;

/// The reason why there is no page.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The port cannot be listened on.
    Listen {
        /// The port asked for.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// The system gives no random bytes for the token.
    Token(io::Error),
    /// A thread cannot be started.
    Thread(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { port, .. } => {
                write!(f, "failed to listen on port {port} of loopback: choose another, or 0 for a free one")
            }
            Self::Token(_) => f.write_str("failed to draw a token"),
            Self::Thread(_) => f.write_str("failed to start a thread"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::Token(source) | Self::Thread(source) => Some(source),
        }
    }
}
