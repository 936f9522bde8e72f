//! Marks in the code under test, which give an await a source location.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;

/// The locations of the marks that returned `Pending` during one poll, innermost first.
pub(crate) type Marks = Vec<&'static Location<'static>>;

thread_local! {
    // `None` while no checker polls on this thread: marks are then not gathered.
    static SEEN: RefCell<Option<Marks>> = const { RefCell::new(None) };
}

/// Gives an await a source location in the report; elsewhere it changes nothing.
///
/// Rust does not tell a test which `.await` a future waits at. Wrap the awaits of interest: the
/// [`At`](crate::At) of a drop then names the file and line of each marked await that was waiting.
///
/// ```
/// use drop_at_await::{Checker, mark};
/// use futures_lite::future::yield_now;
///
/// let report = Checker::new().check(|run| {
///     drop(run.drive(async {
///         mark(yield_now()).await;
///         mark(yield_now()).await;
///     }))
/// });
/// let lines: Vec<u32> = report.runs().iter().filter_map(|run| Some(run.at.as_ref()?.location()?.line())).collect();
/// assert_eq!(lines[1], lines[0] + 1);
/// ```
///
/// # Cancellation safety
///
/// As safe as the future it wraps: it holds nothing else, and drops it when it is dropped. Outside a checker a
/// wait costs one thread-local read.
#[track_caller]
pub fn mark<F: IntoFuture>(future: F) -> impl Future<Output = F::Output> {
    let location = Location::caller();
    let future = future.into_future();
    async move {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let poll = future.as_mut().poll(cx);
            if poll.is_pending() {
                saw(location);
            }
            poll
        })
        .await
    }
}

/// Notes that a marked await returned `Pending`.
fn saw(location: &'static Location<'static>) {
    // A thread that is ending has no marks to gather.
    let _ended = SEEN.try_with(|seen| {
        if let Some(marks) = seen.borrow_mut().as_mut() {
            marks.push(location);
        }
    });
}

/// Runs `poll` and returns the marks that returned `Pending` meanwhile.
pub(crate) fn gather<R>(poll: impl FnOnce() -> R) -> (R, Marks) {
    /// Restores what was gathered around this call, also when `poll` panics.
    struct Restore(Option<Marks>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SEEN.replace(self.0.take());
        }
    }
    let restore = Restore(SEEN.replace(Some(Vec::new())));
    let result = poll();
    let marks = SEEN.take().unwrap_or_default();
    drop(restore);
    (result, marks)
}
