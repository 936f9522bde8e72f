//! Why a request ended.

use std::fmt;

use ctx::Context;

/// Why a request ended or was refused: the `reason` of an error body, and the cause a server cancels a context with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request's deadline passed.
    Deadline,
    /// The client left.
    Disconnect,
    /// The server is stopping and its patience is over.
    Shutdown,
    /// The context was canceled by something else.
    Canceled,
    /// The request was not read in time.
    Timeout,
    /// A limit was exceeded.
    Limit,
    /// The request was malformed.
    BadRequest,
    /// There is no such path.
    NotFound,
    /// The handler panicked.
    Panic,
    /// A child of the request's group failed.
    Child,
    /// The server that was to do the work failed.
    Upstream,
    /// The database that was to do the work failed.
    Database,
}

impl Reason {
    /// The one word of an error body.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Disconnect => "disconnect",
            Self::Shutdown => "shutdown",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::BadRequest => "bad-request",
            Self::NotFound => "not-found",
            Self::Panic => "panic",
            Self::Child => "child",
            Self::Upstream => "upstream",
            Self::Database => "database",
        }
    }

    /// Why `ctx` is done: its cause when that is a `Reason`, else what its error says; `None` while it is live.
    #[must_use]
    pub fn of(ctx: &Context) -> Option<Self> {
        match ctx.err()? {
            ctx::Error::DeadlineExceeded => Some(Self::Deadline),
            ctx::Error::Canceled => {
                Some(ctx.cause().and_then(|cause| cause.downcast_ref().copied()).unwrap_or(Self::Canceled))
            }
        }
    }
}

impl Reason {
    /// Why `ctx`, which is done, is done.
    #[must_use]
    pub fn why(ctx: &Context) -> Self {
        Self::of(ctx).unwrap_or(Self::Canceled)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_live_context_has_no_reason() {
        assert_eq!(Reason::of(&Context::background()), None);
    }

    #[test]
    fn a_passed_deadline_is_the_reason() {
        let (ctx, _cancel) = Context::background().with_timeout(Duration::ZERO);
        assert_eq!(Reason::of(&ctx), Some(Reason::Deadline));
    }

    #[test]
    fn a_cause_given_above_is_the_reason_below() {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _cancel_child) = parent.with_timeout(Duration::from_secs(60));
        cancel.cancel_cause(Reason::Disconnect);
        assert_eq!(Reason::of(&child), Some(Reason::Disconnect));
    }

    #[test]
    fn a_cancel_without_a_cause_is_canceled() {
        let (ctx, cancel) = Context::background().with_cancel();
        cancel.cancel();
        assert_eq!(Reason::of(&ctx), Some(Reason::Canceled));
    }
}
