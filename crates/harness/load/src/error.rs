//! The ways in which a load can fail. All are ours: what the server does wrong is in the row.

use std::io;

use derive_more::Display;

/// The reason why a load could not be driven.
#[derive(Debug, Display)]
#[display("failed to {what}: {source}")]
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

// The message holds the cause, because reports print one line; `source` would print it twice.
impl std::error::Error for Error {}
