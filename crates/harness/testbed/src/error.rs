//! The ways in which a look at a server under test can fail.

use std::fmt;
use std::time::Duration;

use procfs::ProcError;

/// The reason why a server could not be looked at, or did not come to the state that was waited for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The process is gone, or `/proc` cannot be read.
    Proc {
        /// The process.
        pid: u32,
        /// The cause.
        source: ProcError,
    },
    /// The admin address cannot be connected to.
    Admin(wire::Error),
    /// The admin address gives no answer.
    NoCensus(wire::Error),
    /// The answer of the admin address is no census.
    NotACensus(serde_json::Error),
    /// The census did not come to what was waited for.
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proc { pid, source } => write!(f, "failed to read /proc/{pid}: {source}"),
            Self::Admin(error) => error.fmt(f),
            Self::NoCensus(error) => write!(f, "the census did not answer: {error}"),
            Self::NotACensus(error) => write!(f, "the census is no census: {error}"),
            Self::Unsettled { what, within, last } => write!(f, "not {what} after {within:.1?}: {last}"),
        }
    }
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}
