//! A run on the test's own thread.

use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use crate::drive::{Advance, Drive};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// One run of a check: it drives futures, and drops one of them at the point whose turn it is.
#[derive(Debug)]
pub struct Run {
    pub(crate) progress: Progress,
    patience: Duration,
}

impl Run {
    pub(crate) fn new(progress: Progress, patience: Duration) -> Self {
        Self { progress, patience }
    }

    /// Drives a future to its end, or drops it at the point whose turn it is.
    ///
    /// The future is polled on this thread; whatever wakes it may run elsewhere. Once a future of this run has been
    /// dropped, all later ones run to their end.
    #[track_caller]
    pub fn drive<F: IntoFuture>(&mut self, future: F) -> Outcome<F::Output> {
        self.drive_from(Some(Location::caller()), future.into_future(), |_| false)
    }

    /// Does as [`drive`](Self::drive), with a peer that acts while the future waits.
    ///
    /// Whenever the future waits and has not been woken, `peer` is asked to take its next step: it is told how many
    /// steps were taken in this run, and returns whether it took one. A peer makes the other side of a channel
    /// or a stream deterministic: it acts after the future has registered its wake, and never in between.
    #[track_caller]
    pub fn drive_beside<F: IntoFuture>(
        &mut self,
        future: F,
        peer: impl FnMut(usize) -> bool,
    ) -> Outcome<F::Output> {
        self.drive_from(Some(Location::caller()), future.into_future(), peer)
    }

    /// Drives a future from `make`, and when that is dropped, another one to its end: what a `select!` in a loop does.
    ///
    /// An operation that is safe to cancel and to call again comes to the same result whether or not it was dropped.
    #[track_caller]
    pub fn retry<T>(
        &mut self,
        mut make: impl AsyncFnMut() -> T,
        mut peer: impl FnMut(usize) -> bool,
    ) -> Outcome<T> {
        let caller = Some(Location::caller());
        match self.drive_from(caller, make(), &mut peer) {
            Outcome::Canceled(_) => self.drive_from(caller, make(), peer),
            ended => ended,
        }
    }

    pub(crate) fn drive_from<F: Future>(
        &mut self,
        caller: Option<&'static Location<'static>>,
        future: F,
        peer: impl FnMut(usize) -> bool,
    ) -> Outcome<F::Output> {
        let future = pin!(future);
        let mut drive = Drive::new(&mut self.progress, future, peer, caller);
        loop {
            match drive.advance() {
                Advance::Done(outcome) => return outcome,
                Advance::Polled | Advance::Stepped => {}
                Advance::Idle => {
                    if drive.signal.is_lost() || !drive.signal.wait(self.patience) {
                        return drive.give_up();
                    }
                }
            }
        }
    }
}
