//! Why a context ended: its kind, which is one of two, and its cause, which is any error.

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind;
use std::ops::Deref;
use std::sync::Arc;

mod ended;

pub use ended::Ended;

/// The kind of end of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// Somebody canceled it, or one of its ancestors.
    Canceled,
    /// Its deadline, or that of an ancestor, has passed.
    DeadlineExceeded,
}

impl Error {
    /// Tells whether time ran out, as Go's `Timeout()` does: true for [`Error::DeadlineExceeded`].
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(self, Self::DeadlineExceeded)
    }

    /// Returns the kind of an `io::Error` made of this; see its conversion.
    pub(crate) const fn io_kind(self) -> ErrorKind {
        match self {
            Self::Canceled => ErrorKind::Other,
            Self::DeadlineExceeded => ErrorKind::TimedOut,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canceled => "context canceled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl StdError for Error {}

impl From<Error> for std::io::Error {
    /// Converts to `TimedOut` or `Other`, with the error inside: `get_ref` and `downcast` give it back.
    ///
    /// A cancel is not `Interrupted`, though that is the nearest name: `io::copy`, `read_to_end`, `read_exact`,
    /// `write_all` and their like take that kind for a reason to try again, for ever.
    fn from(error: Error) -> Self {
        Self::new(error.io_kind(), error)
    }
}

/// The cause of a context's end: any error, shared by everyone who asks.
///
/// It dereferences to `dyn Error + Send + Sync`. Like `anyhow::Error` it does not implement `Error` itself,
/// so that every error converts into it.
///
/// ```
/// let cause = ctx::Cause::from(std::io::Error::other("disk on fire"));
/// assert_eq!(cause.to_string(), "disk on fire");
/// assert!(cause.downcast_ref::<std::io::Error>().is_some());
/// ```
#[derive(Clone)]
pub struct Cause(Repr);

#[derive(Clone)]
enum Repr {
    /// No cause was given: the kind stands for it, and nothing is allocated.
    Kind(Error),
    Given(Arc<dyn StdError + Send + Sync>),
}

impl Cause {
    /// Builds a cause that is only a message.
    pub fn msg(message: impl Into<String>) -> Self {
        Self(Repr::Given(Arc::new(Message(message.into()))))
    }

    /// Borrows the cause as the error it is.
    #[must_use]
    pub fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        match &self.0 {
            Repr::Kind(error) => error,
            Repr::Given(error) => &**error,
        }
    }

    /// Borrows the cause as an `E`, if it is one.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.as_error().downcast_ref::<E>()
    }

    /// Tells whether the cause is an `E`.
    #[must_use]
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Cause {
    /// Makes a cause of any error; of an [`Ended`] it takes the cause, so that an end handed on keeps its own.
    fn from(error: E) -> Self {
        let any: &dyn StdError = &error;
        if let Some(kind) = any.downcast_ref::<Error>() {
            return Self(Repr::Kind(*kind));
        }
        match any.downcast_ref::<Ended>() {
            Some(ended) => ended.given().cloned().unwrap_or(Self(Repr::Kind(ended.kind()))),
            None => Self(Repr::Given(Arc::new(error))),
        }
    }
}

impl Deref for Cause {
    type Target = dyn StdError + Send + Sync + 'static;

    fn deref(&self) -> &Self::Target {
        self.as_error()
    }
}

impl AsRef<dyn StdError + Send + Sync + 'static> for Cause {
    fn as_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.as_error()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_error(), f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_error(), f)
    }
}

/// The error behind [`Cause::msg`].
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Message {}
