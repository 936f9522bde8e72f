//! The ways in which a look at a server under test can fail.

use std::time::Duration;

use derive_more::Display;
use procfs::ProcError;

/// The reason why a server could not be looked at, or did not come to the state that was waited for.
#[derive(Debug, Display)]
#[non_exhaustive]
pub enum Error {
    /// The process is gone, or `/proc` cannot be read.
    #[display("failed to read /proc/{pid}: {source}")]
    Proc {
        /// The process.
        pid: u32,
        /// The cause.
        source: ProcError,
    },
    /// The admin address cannot be connected to.
    Admin(wire::Error),
    /// The admin address gives no answer.
    #[display("the server's count did not answer: {_0}")]
    NoCensus(wire::Error),
    /// The answer of the admin address is no census.
    #[display("the server's count cannot be read: {_0}")]
    NotACensus(serde_json::Error),
    /// The census did not come to what was waited for.
    #[display("not {what} after {within:.1?}: {last}")]
    Unsettled {
        /// The state that was waited for.
        what: String,
        /// The time that it was waited for.
        within: Duration,
        /// The last reading, on one line.
        last: String,
    },
}

impl Error {
    /// True when the client or the machine failed, and the server is not to blame.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Proc { .. } => true,
            Self::Admin(error) => error.is_local(),
            Self::NoCensus(_) | Self::NotACensus(_) | Self::Unsettled { .. } => false,
        }
    }
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}
