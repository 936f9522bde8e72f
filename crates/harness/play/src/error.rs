//! The ways in which the playground can fail to open.

use std::io;

use derive_more::{Display, Error};

/// The reason why there is no page.
#[derive(Debug, Display, Error)]
#[non_exhaustive]
pub enum Error {
    /// The port cannot be listened on.
    #[display("failed to listen on port {port} of loopback: choose another, or 0 for a free one")]
    Listen {
        /// The port asked for.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// The system gives no random bytes for the token.
    #[display("failed to draw a token")]
    Token(io::Error),
    /// A thread cannot be started.
    #[display("failed to start a thread")]
    Thread(io::Error),
}
