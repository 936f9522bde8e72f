//! Lent waiters, whose child learns of the parent's end only when it is asked.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Wake, Waker};
use std::time::Duration;

use crate::clock::fake;
use crate::{Cause, Context, Error, ManualClock};

const START: u64 = 1_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Wait = Pin<Box<dyn Future<Output = Error>>>;

/// Waits for the end of `ctx`, in a task that counts its wakes.
fn wait(ctx: &Context) -> (Wait, Arc<Count>) {
    let count = Arc::new(Count::default());
    let mut done: Wait = Box::pin(ctx.done_owned(|_| std::future::pending::<()>()));
    let waker = Waker::from(count.clone());
    assert!(done.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
    (done, count)
}

/// Sets the clock to so many seconds after the start.
fn pass(seconds: u64) {
    fake::set(START + seconds * SECOND, 0);
}

#[test]
fn one_that_leaves_is_dropped_at_once_and_never_woken() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_cancel();
    let (done, count) = wait(&child);
    assert_eq!((child.waiters(), parent.registered()), (1, 1));
    drop(done);
    // The child stays registered, for whoever waits next.
    assert_eq!((child.waiters(), parent.registered()), (0, 1));
    assert_eq!(Arc::strong_count(&count), 1);
    cancel.cancel();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[test]
fn one_that_leaves_after_a_question_has_ended_its_parent_is_never_woken() {
    pass(0);
    let (parent, _p) = Context::background().with_timeout(Duration::from_secs(1));
    let (child, _c) = parent.with_cancel();
    let (done, count) = wait(&child);
    pass(2);
    assert_eq!(parent.err(), Some(Error::DeadlineExceeded));
    drop(done);
    assert_eq!(Arc::strong_count(&count), 1);
    // Notifies whoever the question has left.
    assert_eq!(parent.wait(), Error::DeadlineExceeded);
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_deadline_below_that_came_before_the_end_of_the_parent_stands() {
    pass(0);
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_cancel();
    let (below, _b) = child.with_timeout(Duration::from_secs(1));
    let (_done, count) = wait(&child);
    pass(2);
    cancel.cancel_cause(Cause::msg("late"));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(child.cause().map(|cause| cause.to_string()).as_deref(), Some("late"));
    assert_eq!(below.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn a_moving_deadline_that_came_before_the_end_of_the_parent_stands() {
    pass(0);
    let (parent, cancel) = Context::background().with_cancel();
    let (asked, _a) = parent.with_movable_timeout(Duration::from_secs(1));
    let (awaited, _w) = parent.with_movable_timeout(Duration::from_secs(1));
    let (_done, count) = wait(&awaited);
    pass(2);
    cancel.cancel();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!((asked.err(), awaited.err()), (Some(Error::DeadlineExceeded), Some(Error::DeadlineExceeded)));
}

#[test]
fn one_whose_child_is_listed_is_not_woken_where_a_manual_clock_tells_the_deadline() {
    let clock = ManualClock::new();
    let (parent, _p) = clock.attach(&Context::background()).with_timeout(Duration::from_secs(1));
    let (moving, _m) = clock.attach(&Context::background()).with_movable_timeout(Duration::from_secs(1));
    for parent in [parent, moving] {
        let (child, _c) = parent.with_cancel();
        let (_done, count) = wait(&child);
        child.after_func(|| ()).keep();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }
    clock.advance(Duration::from_secs(1));
}
