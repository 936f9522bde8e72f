//! The ways in which a load can fail. All are ours: what the server does wrong is in the row.

use std::{fmt, io};

/// The reason why a load could not be driven.
#[derive(Debug)]
pub struct Error {
    what: &'static str,
    source: io::Error,
}

impl Error {
    /// The verb and the object that failed (`open a connection`), and the cause.
    pub(crate) fn new(what: &'static str, source: impl Into<io::Error>) -> Self {
        Self { what, source: source.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}: {}", self.what, self.source)
    }
}

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}
