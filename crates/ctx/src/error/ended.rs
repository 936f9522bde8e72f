//! The one error of an ended context: kind and cause together, for `?`.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::{Cause, Error};

/// The end of a context as one error: its text is the kind's, its `source()` the cause that was given.
///
/// It goes through `?` into `Box<dyn Error>`, `anyhow::Error` and `std::io::Error`, and [`Ended::find`] gets it back
/// from there.
///
/// ```
/// use ctx::{Cause, Context, Ended};
///
/// fn step(ctx: &Context) -> Result<(), Box<dyn std::error::Error>> {
///     ctx.check()?;
///     Ok(())
/// }
///
/// let (ctx, cancel) = Context::background().with_cancel();
/// assert!(step(&ctx).is_ok());
/// cancel.cancel_cause(Cause::msg("signal 15"));
/// let error = step(&ctx).unwrap_err();
/// assert_eq!(error.to_string(), "context canceled");
/// assert_eq!(Ended::find(&*error).unwrap().cause().to_string(), "signal 15");
/// ```
#[derive(Clone, Debug)]
pub struct Ended {
    error: Error,
    given: Option<Cause>,
}

impl Ended {
    /// Makes the end of a context of its kind and the cause that was given.
    pub(crate) const fn new(error: Error, given: Option<Cause>) -> Self {
        Self { error, given }
    }

    /// Returns how the context ended.
    #[must_use]
    pub const fn kind(&self) -> Error {
        self.error
    }

    /// Returns why the context ended: the cause given, or else the kind itself, as [`Context::cause`](crate::Context::cause) does.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.given.clone().unwrap_or_else(|| self.error.into())
    }

    /// Tells whether time ran out: true for [`Error::DeadlineExceeded`].
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        self.error.is_timeout()
    }

    /// Finds the end of a context in a chain of errors, from `error` to its last source; an `io::Error` is looked
    /// into.
    ///
    /// A plain [`Error`] in the chain counts, as an end without a cause.
    #[must_use]
    pub fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = Self::of(error) {
                return Some(found);
            }
            // An `io::Error` passes over what it was made of, and names that one's source as its own.
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = inner.map_or_else(|| error.source(), |inner| Some(inner));
        }
        None
    }

    fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        let kind = || error.downcast_ref::<Error>().map(|kind| Self::from(*kind));
        error.downcast_ref::<Self>().cloned().or_else(kind)
    }

    /// Returns the cause that was given, if one was.
    pub(crate) fn given(&self) -> Option<&Cause> {
        self.given.as_ref()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Ended {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.given.as_ref().map(|cause| cause.as_error() as &(dyn StdError + 'static))
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self { error, given: None }
    }
}

impl From<Ended> for Error {
    fn from(ended: Ended) -> Self {
        ended.error
    }
}

impl From<Ended> for io::Error {
    /// Converts to the kind that [`Error`] converts to, with the whole inside.
    fn from(ended: Ended) -> Self {
        Self::new(ended.error.io_kind(), ended)
    }
}
