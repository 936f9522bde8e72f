//! A run inside a task of a runtime.

use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;

use crate::drive::{Advance, Drive};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::watchdog::Watchdog;

/// Does as [`Run`](crate::Run) does from inside a task, so that the runtime's timers, sockets and other tasks go on.
#[derive(Debug)]
pub struct TaskRun {
    pub(crate) progress: Progress,
    pub(crate) watchdog: Watchdog,
}

impl TaskRun {
    pub(crate) fn new(progress: Progress, watchdog: Watchdog) -> Self {
        Self { progress, watchdog }
    }

    /// Drives a future to its end, or drops it at the point whose turn it is; see [`Run::drive`](crate::Run::drive).
    ///
    /// # Cancellation safety
    ///
    /// Dropped early, it drops the future that it drives, and the run is not counted.
    #[track_caller]
    pub fn drive<F: IntoFuture>(&mut self, future: F) -> impl Future<Output = Outcome<F::Output>> {
        self.drive_from(Some(Location::caller()), future.into_future(), |_| false)
    }

    /// Does as [`drive`](Self::drive), with a peer that acts while the future waits; see
    /// [`Run::drive_beside`](crate::Run::drive_beside).
    ///
    /// The runtime's other tasks run between two steps of the peer.
    ///
    /// # Cancellation safety
    ///
    /// As for [`drive`](Self::drive).
    #[track_caller]
    pub fn drive_beside<F: IntoFuture>(
        &mut self,
        future: F,
        peer: impl FnMut(usize) -> bool,
    ) -> impl Future<Output = Outcome<F::Output>> {
        self.drive_from(Some(Location::caller()), future.into_future(), peer)
    }

    /// Drives a future from `make`, and when that is dropped, another one to its end; see
    /// [`Run::retry`](crate::Run::retry).
    ///
    /// # Cancellation safety
    ///
    /// As for [`drive`](Self::drive).
    #[track_caller]
    pub fn retry<T>(
        &mut self,
        mut make: impl AsyncFnMut() -> T,
        mut peer: impl FnMut(usize) -> bool,
    ) -> impl Future<Output = Outcome<T>> {
        let caller = Some(Location::caller());
        async move {
            match self.drive_from(caller, make(), &mut peer).await {
                Outcome::Canceled(_) => self.drive_from(caller, make(), peer).await,
                ended => ended,
            }
        }
    }

    pub(crate) async fn drive_from<F: Future>(
        &mut self,
        caller: Option<&'static Location<'static>>,
        future: F,
        peer: impl FnMut(usize) -> bool,
    ) -> Outcome<F::Output> {
        let future = pin!(future);
        let watchdog = &self.watchdog;
        let mut drive = Drive::new(&mut self.progress, future, peer, caller);
        poll_fn(|cx| {
            drive.signal.follow(cx.waker());
            loop {
                match drive.advance() {
                    Advance::Done(outcome) => return Poll::Ready(outcome),
                    // The wake has been passed on to this task. Let the runtime's other tasks run first.
                    Advance::Polled if drive.signal.is_woken() => return Poll::Pending,
                    Advance::Polled => watchdog.reset(),
                    // What the step woke may be another task.
                    Advance::Stepped => {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Advance::Idle => {
                        if drive.signal.is_lost() || watchdog.is_over(cx.waker()) {
                            return Poll::Ready(drive.give_up());
                        }
                        return Poll::Pending;
                    }
                }
            }
        })
        .await
    }
}
