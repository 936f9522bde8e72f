//! A runtime's timer, given once and carried by the contexts below.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use crate::clock;
use crate::context::Context;
use crate::error::Error;
use crate::node::{CLOCKED, MANUAL, Position};

/// A future that is ready when the time has come.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime's timer and clock. The crates `ctx-tokio`, `ctx-smol` and `ctx-async-std` have one each.
pub trait Timer: Send + Sync + 'static {
    /// Returns the present on the runtime's clock, which may stand still or run ahead of the system's in tests.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Returns a future that is ready at `at`, never earlier on the runtime's clock.
    fn sleep_until(&self, at: Instant) -> Sleep;
}

/// The value of the layer that carries a timer.
pub(crate) struct Timed(Arc<dyn Timer>);

impl Context {
    /// Derives a context below which [`done_timed`](Self::done_timed) and [`run_timed`](Self::run_timed) wait by
    /// `timer`, and timeouts are counted from its present.
    ///
    /// A manual clock, above or below, goes before the timer's clock. [`err`](Self::err) compares with the system's
    /// clock as ever. So where a runtime's clock runs ahead of it, as a paused one does, it is a waiter that notices a
    /// deadline; and where it is held behind, the system's time counts.
    #[must_use]
    pub fn with_timer(&self, timer: impl Timer) -> Self {
        let mut position = self.0.with_layer(Timed(Arc::new(timer)));
        position.flags |= CLOCKED;
        Self(position)
    }

    /// Waits for the end as [`done`](Self::done) does, by the timer that [`with_timer`](Self::with_timer) gave.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future takes the waiter back; nothing is lost.
    ///
    /// # Panics
    ///
    /// When no timer was given above, deadline or not. Below a manual clock, which needs none, it does not.
    pub fn done_timed(&self) -> impl Future<Output = Error> {
        self.done(self.sleeper())
    }

    /// Runs `work` as [`run`](Self::run) does, by the timer that [`with_timer`](Self::with_timer) gave.
    ///
    /// # Errors
    ///
    /// How the context ended.
    ///
    /// # Panics
    ///
    /// As [`done_timed`](Self::done_timed) does.
    pub fn run_timed<W: Future>(&self, work: W) -> impl Future<Output = Result<W::Output, Error>> {
        self.run(work, self.sleeper())
    }

    /// Returns the sleep of the nearest timer; below a manual clock alone, one that never ends.
    fn sleeper(&self) -> impl FnMut(Instant) -> Sleep + use<> {
        let timer = self.0.timer().cloned();
        assert!(
            timer.is_some() || self.0.flags & MANUAL != 0,
            "no timer above this context: derive it from one that `with_timer` made, or wait with `done(sleep)`"
        );
        move |at| match &timer {
            Some(Timed(timer)) => timer.sleep_until(at),
            None => Box::pin(std::future::pending()),
        }
    }
}

impl Position {
    /// Returns the nearest timer.
    fn timer(&self) -> Option<&Timed> {
        if self.flags & CLOCKED == 0 { None } else { self.value() }
    }

    /// Returns the present on the clock of the nearest timer, else the system's.
    #[cold]
    pub(crate) fn timer_now(&self) -> u64 {
        self.timer().map_or_else(clock::now, |Timed(timer)| clock::stamp(timer.now()))
    }
}

impl Clone for Timed {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
