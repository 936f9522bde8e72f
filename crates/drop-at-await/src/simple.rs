//! The check of a single future, in one call.

use crate::checker::Checker;
use crate::outcome::Outcome;
use crate::report::{Report, Verdict};

/// Drops the future of `make` at each of its awaits in turn, calls `check` after each run, and reports.
///
/// `make` starts a run with fresh state; share that with `check`. Awaits that are ready at once never suspend the
/// future, so it cannot be dropped there, in production neither. The future runs on this thread; whatever wakes it
/// may run elsewhere. Under a runtime whose timers or sockets it needs, use [`cancel_at_every_await_in_task`].
///
/// ```
/// use std::cell::Cell;
/// use drop_at_await::cancel_at_every_await;
/// use futures_lite::future::yield_now;
///
/// // A transfer that is interrupted halfway loses the money.
/// let total = Cell::new(0);
/// let report = cancel_at_every_await(
///     || async {
///         total.set(100);
///         total.set(total.get() - 10);
///         yield_now().await;
///         total.set(total.get() + 10);
///     },
///     |_outcome| if total.get() == 100 { Ok(()) } else { Err(format!("{} coins", 100 - total.get())) },
/// );
/// assert_eq!(report.to_string(), "1 of 2 runs lost something\n\
///     - dropped at wait 1, after its wake: 10 coins\n\
///     - not dropped: nothing lost");
/// ```
pub fn cancel_at_every_await<F: Future, V: Verdict>(
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(Outcome<F::Output>) -> V,
) -> Report {
    Checker::new().check(|run| {
        let outcome = run.drive_from(None, make(), |_| false);
        check(outcome)
    })
}

/// Does as [`cancel_at_every_await`] does from inside a task, so that the runtime's timers and sockets work; `check`
/// may await too.
///
/// # Cancellation safety
///
/// Dropped early, it drops the future under test and forgets its report.
pub async fn cancel_at_every_await_in_task<F: Future, V: Verdict>(
    mut make: impl FnMut() -> F,
    mut check: impl AsyncFnMut(Outcome<F::Output>) -> V,
) -> Report {
    Checker::new()
        .check_in_task(async |run| {
            let outcome = run.drive_from(None, make(), |_| false).await;
            check(outcome).await
        })
        .await
}
