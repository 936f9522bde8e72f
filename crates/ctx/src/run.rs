//! Work raced against its context, with a decided tie and an optional grace period.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::error::Error;
use crate::node::Node;
use crate::wait::Done;

/// Work that its context interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted<T> {
    /// The kind of the context's end.
    pub error: Error,
    /// The result of the work, if it came within the grace period; `None` if the work was dropped unfinished.
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
    pub fn run<W, S, F>(&self, work: W, sleep: S) -> impl Future<Output = Result<W::Output, Error>>
    where
        W: Future,
        S: FnMut(Instant) -> F,
        F: Future,
    {
        Run { race: Race::new(self, work, sleep) }
    }

    /// Runs `work` as [`run`](Self::run) does, but lets it finish for `grace` after the context ended.
    ///
    /// The end of the context is the request to stop. Work that follows it gets `grace` to put its things in
    /// order; only then is it dropped. On a context that has ended before, the work is not started. `sleep` is
    /// called at most twice.
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
        let mut race = pin!(Race::new(self, work.as_mut(), &mut sleep));
        let error = match race.as_mut().await {
            Err(Interrupted { error, late: None }) if race.started => error,
            over => return over,
        };
        let (patience, _cancel) = self.without_cancel().with_timeout(grace);
        let late = match Race::new(&patience, work, &mut sleep).await {
            Ok(late) => Some(late),
            Err(interrupted) => interrupted.late,
        };
        Err(Interrupted { error, late })
    }
}

pin_project! {
    /// The future of [`Context::run`].
    struct Run<'a, W, S, F> {
        #[pin]
        race: Race<'a, W, S, F>,
    }
}

impl<W, S, F> Future for Run<'_, W, S, F>
where
    W: Future,
    S: FnMut(Instant) -> F,
    F: Future,
{
    type Output = Result<W::Output, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        self.project().race.poll(cx).map_err(|interrupted| interrupted.error)
    }
}

pin_project! {
    /// Races work against the end; `late` is what the work returned in the very poll that saw the end.
    ///
    /// It is written by hand because an `async fn` keeps a second copy of the work, which may be large.
    struct Race<'a, W, S, F> {
        ctx: &'a Context,
        // Dropped as soon as the race is over, even where the future itself is kept.
        #[pin]
        work: Option<W>,
        // Whether the work was ever polled.
        started: bool,
        #[pin]
        done: Done<&'a Arc<Node>, S, F>,
    }
}

impl<'a, W, S, F> Race<'a, W, S, F> {
    fn new(ctx: &'a Context, work: W, sleep: S) -> Self {
        Self { ctx, work: Some(work), started: false, done: Done::new(ctx.0.node.as_ref(), sleep) }
    }
}

impl<W, S, F> Future for Race<'_, W, S, F>
where
    W: Future,
    S: FnMut(Instant) -> F,
    F: Future,
{
    type Output = Result<W::Output, Interrupted<W::Output>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(error) = this.done.poll(cx) {
            this.work.set(None);
            return Poll::Ready(Err(Interrupted { error, late: None }));
        }
        let work = this.work.as_mut().as_pin_mut().expect("a race that is over is not polled again");
        *this.started = true;
        let Poll::Ready(output) = work.poll(cx) else { return Poll::Pending };
        this.work.set(None);
        Poll::Ready(match this.ctx.err() {
            None => Ok(output),
            Some(error) => Err(Interrupted { error, late: Some(output) }),
        })
    }
}
