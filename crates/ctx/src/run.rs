//! Work raced against its context, with a decided tie and an optional grace period.

use std::fmt;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::error::Error;

/// Work that its context interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted<T> {
    /// How the context ended.
    pub error: Error,
    /// What the work returned within the grace period; `None` if it was dropped unfinished.
    pub late: Option<T>,
}

impl<T> fmt::Display for Interrupted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.late.is_some() { "work finished late" } else { "work was dropped" };
        write!(f, "{outcome}: {}", self.error)
    }
}

impl<T: fmt::Debug> std::error::Error for Interrupted<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Context {
    /// Runs `work` until it is ready or this context ends; then the work is dropped.
    ///
    /// **The context wins a tie.** `Ok` means that the work was ready while the context was live: `err()` is
    /// asked before each poll of the work, and again when it is ready, so that a deadline that passed is
    /// never answered with a success because a timer was late. Work that cannot be polled, because it blocks
    /// the thread, cannot be stopped by anyone.
    ///
    /// # Errors
    ///
    /// How the context ended. What the work returned in that very poll is dropped with it.
    pub async fn run<W, S, F>(&self, work: W, sleep: S) -> Result<W::Output, Error>
    where
        W: Future,
        S: FnOnce(Instant) -> F,
        F: Future,
    {
        let mut work = pin!(work);
        self.race(&mut work, sleep).await.map_err(|interrupted| interrupted.error)
    }

    /// Runs `work` as [`run`](Self::run) does, but lets it finish for `grace` after the context ended.
    ///
    /// The end of the context is the request to stop. Work that follows it gets `grace` to put its things in
    /// order, on an async `Drop`'s behalf; only then is it dropped. `sleep` is called at most twice.
    ///
    /// # Errors
    ///
    /// How the context ended, with what the work returned in time.
    pub async fn run_drained<W, S, F>(
        &self,
        work: W,
        grace: Duration,
        mut sleep: S,
    ) -> Result<W::Output, Interrupted<W::Output>>
    where
        W: Future,
        S: FnMut(Instant) -> F,
        F: Future,
    {
        let mut work = pin!(work);
        let error = match self.race(&mut work, &mut sleep).await {
            Err(Interrupted { error, late: None }) => error,
            ready => return ready,
        };
        let (patience, _cancel) = self.without_cancel().with_timeout(grace);
        let late = match patience.race(&mut work, &mut sleep).await {
            Ok(late) => Some(late),
            Err(interrupted) => interrupted.late,
        };
        Err(Interrupted { error, late })
    }

    /// Races work against the end and leaves the work in place; `late` is what it returned in the same poll.
    async fn race<W, S, F>(
        &self,
        work: &mut Pin<&mut W>,
        sleep: S,
    ) -> Result<W::Output, Interrupted<W::Output>>
    where
        W: Future,
        S: FnOnce(Instant) -> F,
        F: Future,
    {
        let mut done = pin!(self.done(sleep));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(error) = done.as_mut().poll(cx) {
                return Poll::Ready(Err(Interrupted { error, late: None }));
            }
            let Poll::Ready(output) = work.as_mut().poll(cx) else { return Poll::Pending };
            Poll::Ready(match self.err() {
                None => Ok(output),
                Some(error) => Err(Interrupted { error, late: Some(output) }),
            })
        })
        .await
    }
}
