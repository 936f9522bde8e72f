//! Drops a future at each of its awaits in turn.

use std::pin::pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use crate::wait::Parker;

/// How one run of the future under test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was dropped the `at`-th time it waited, counted from 1.
    Canceled {
        /// How many times it had returned `Pending`.
        at: usize,
    },
    /// It ran to its end and returned this.
    Completed(T),
}

/// How long a run may wait for its future to be woken before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Drops the future at its first await, at its second, and so on, and calls `check` after each run; ends with
/// the run that completes, and returns the number of runs.
///
/// `make` starts a run with fresh state; share that with `check`. Awaits that are ready at once never suspend
/// the future, so it cannot be dropped there, in real life neither. The future runs on this thread; whatever
/// wakes it may run elsewhere. Under a runtime whose timers or sockets it needs, use
/// [`cancel_at_every_await_in_task`].
///
/// ```
/// use std::cell::Cell;
/// use ctx::testing::{Outcome, cancel_at_every_await};
///
/// async fn give_way() {
///     let mut first = true;
///     std::future::poll_fn(|cx| {
///         cx.waker().wake_by_ref();
///         if std::mem::take(&mut first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
///     })
///     .await
/// }
///
/// // A transfer that is interrupted halfway loses the money.
/// let total = Cell::new(0);
/// let mut lost = 0;
/// cancel_at_every_await(
///     || async {
///         total.set(100);
///         total.set(total.get() - 10);
///         give_way().await;
///         total.set(total.get() + 10);
///     },
///     |_outcome| lost += 100 - total.get(),
/// );
/// assert_eq!(lost, 10);
/// ```
///
/// # Panics
///
/// When nobody wakes the future for ten seconds.
pub fn cancel_at_every_await<F, C>(mut make: impl FnMut() -> F, mut check: C) -> usize
where
    F: Future,
    C: FnMut(Outcome<F::Output>),
{
    let parker = Parker::new();
    for at in 1.. {
        let outcome = {
            let mut future = pin!(make());
            let mut waits = 0;
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Task::from_waker(&parker.waker)) {
                    break Outcome::Completed(output);
                }
                waits += 1;
                if waits == at {
                    break Outcome::Canceled { at };
                }
                assert!(
                    parker.park_once(STUCK_AFTER),
                    "the future waits for the {waits}. time and nobody wakes it"
                );
            }
        };
        let completed = matches!(outcome, Outcome::Completed(_));
        check(outcome);
        if completed {
            return at;
        }
    }
    unreachable!("a future that never completes is stuck, and that panics")
}

/// Does as [`cancel_at_every_await`] does from inside a task, so that the runtime's timers and sockets work;
/// `check` may await too.
pub async fn cancel_at_every_await_in_task<F, C>(mut make: impl FnMut() -> F, mut check: C) -> usize
where
    F: Future,
    C: AsyncFnMut(Outcome<F::Output>),
{
    for at in 1.. {
        let outcome = {
            let mut future = pin!(make());
            let mut waits = 0;
            std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Outcome::Completed(output)),
                Poll::Pending => {
                    waits += 1;
                    if waits == at { Poll::Ready(Outcome::Canceled { at }) } else { Poll::Pending }
                }
            })
            .await
        };
        let completed = matches!(outcome, Outcome::Completed(_));
        check(outcome).await;
        if completed {
            return at;
        }
    }
    unreachable!("counting the awaits of a future cannot overflow")
}
