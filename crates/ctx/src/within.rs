//! Work under a time limit of its own: give it up and go on, fail, or shield it from the end.

use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Ended;

impl Context {
    /// Derives a context for cleanup: no end of this one reaches it, and it ends `grace` from now at the latest.
    ///
    /// Its values are this context's, and so is its clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctx::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// cancel.cancel();
    /// let (cleanup, _limit) = ctx.shield(Duration::from_secs(5));
    /// assert_eq!(cleanup.err(), None);
    /// assert!(cleanup.remaining().unwrap() <= Duration::from_secs(5));
    /// ```
    pub fn shield(&self, grace: Duration) -> (Self, Cancel) {
        self.without_cancel().with_timeout(grace)
    }

    /// Derives a context for the work before an answer: its deadline is earlier than this one's by `reserve`, which is
    /// kept for what comes after.
    ///
    /// Without a deadline here there is none there. A movable deadline is taken as it is now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ctx::Context;
    ///
    /// let (request, _cancel) = Context::background().with_timeout(Duration::from_secs(2));
    /// let (query, _query) = request.with_reserve(Duration::from_millis(50));
    /// assert_eq!(query.deadline().unwrap() + Duration::from_millis(50), request.deadline().unwrap());
    /// ```
    pub fn with_reserve(&self, reserve: Duration) -> (Self, Cancel) {
        match self.deadline().and_then(|deadline| deadline.checked_sub(reserve)) {
            Some(at) => self.with_deadline(at),
            None => self.with_cancel(),
        }
    }

    /// Runs work for `timeout` at most; when only that limit ends it, the work is dropped and the caller moves on
    /// with `None`.
    ///
    /// `make` gets the context that has the limit. A deadline of this context's own that is not later than the
    /// limit is no limit to move on from, but this context's end. `sleep` is called at most once.
    ///
    /// # Errors
    ///
    /// How and why this context ended, when its own end is what stopped the work.
    pub async fn move_on_after<M, W, S, F>(
        &self,
        timeout: Duration,
        make: M,
        sleep: S,
    ) -> Result<Option<W::Output>, Ended>
    where
        M: FnOnce(Self) -> W,
        W: Future,
        S: FnMut(Instant) -> F,
        F: Future,
    {
        match self.fail_after(timeout, make, sleep).await {
            Ok(output) => Ok(Some(output)),
            // What ended the limited context is this one's end, if this one has ended.
            Err(_) => self.check().map(|()| None),
        }
    }

    /// Runs work for `timeout` at most; the work is dropped when that limit or this context's end comes first.
    ///
    /// `make` gets the context that has the limit. `sleep` is called at most once.
    ///
    /// # Errors
    ///
    /// How and why the work was stopped: [`Error::DeadlineExceeded`](crate::Error::DeadlineExceeded) at the limit,
    /// else as this context ended.
    pub async fn fail_after<M, W, S, F>(
        &self,
        timeout: Duration,
        make: M,
        sleep: S,
    ) -> Result<W::Output, Ended>
    where
        M: FnOnce(Self) -> W,
        W: Future,
        S: FnMut(Instant) -> F,
        F: Future,
    {
        let (limited, _cancel) = self.with_timeout(timeout);
        let work = make(limited.clone());
        let outcome = limited.run(work, sleep).await;
        outcome.map_err(|error| limited.ended().unwrap_or_else(|| error.into()))
    }
}
