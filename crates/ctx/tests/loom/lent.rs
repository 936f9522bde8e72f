//! Lent waiters: each is woken once, whichever threads cancel, list or drop.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Waker};
use std::time::Duration;

use ctx::{Cause, Context, Driver};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::{Count, cause_of, check, check_some, counter};

type Wait = Pin<Box<dyn Future<Output = ctx::Error> + Send>>;

fn count() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

/// Registers a waiter, which is lent to the parent.
fn wait(ctx: &Context, waker: &Waker) -> Wait {
    let mut done: Wait = Box::pin(ctx.done_owned(|_| std::future::pending::<()>()));
    assert!(done.as_mut().poll(&mut Task::from_waker(waker)).is_pending());
    done
}

#[test]
fn a_register_below_a_parent_that_ends_loses_no_wake_up() {
    check("register below a cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let canceler = thread::spawn(move || cancel.cancel_cause(Cause::msg("now")));
        let (count, waker) = count();
        let mut done = pin!(child.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert!(ready || done.poll(&mut Task::from_waker(&waker)).is_ready());
        assert_eq!(cause_of(&child), "now");
        assert_eq!((parent.registered(), child.waiters()), (0, 0));
    });
}

#[test]
fn a_child_and_its_parent_that_end_at_once_wake_the_waiter_once() {
    check("two ends of a lent waiter", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let (count, waker) = count();
        let _done = wait(&child, &waker);
        let canceler = thread::spawn(move || cancel_child.cancel_cause(Cause::msg("child")));
        cancel.cancel_cause(Cause::msg("parent"));
        let cause = cause_of(&child);
        canceler.join().unwrap();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(cause_of(&child), cause);
        assert_eq!((parent.registered(), child.waiters()), (0, 0));
    });
}

#[test]
fn a_lent_waiter_that_leaves_during_a_cancel_takes_no_other_wake() {
    check("lent waiter leaves", || {
        let (parent, cancel) = Context::background().with_cancel();
        let ((leaves, _l), (stays, _s)) = (parent.with_cancel(), parent.with_cancel());
        let left = wait(&leaves, Waker::noop());
        let (count, waker) = count();
        let _done = wait(&stays, &waker);
        let dropper = thread::spawn(move || drop(left));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!((parent.registered(), leaves.waiters()), (0, 0));
    });
}

#[test]
fn a_child_that_is_dropped_gives_its_place_to_the_next() {
    check("lent waiter and child dropped", || {
        let (parent, cancel) = Context::background().with_cancel();
        let gone = parent.with_cancel();
        let left = wait(&gone.0, Waker::noop());
        let dropper = thread::spawn(move || drop((left, gone)));
        let (next, _n) = parent.with_cancel();
        let (count, waker) = count();
        let done = wait(&next, &waker);
        dropper.join().unwrap();
        assert_eq!((parent.registered(), next.waiters()), (1, 1));
        cancel.cancel();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        drop(done);
    });
}

#[test]
fn a_waiter_that_is_renewed_during_a_cancel_is_woken() {
    check("lent waiter renewed", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let mut done = wait(&child, Waker::noop());
        let canceler = thread::spawn(move || cancel.cancel());
        let (count, waker) = count();
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
    });
}

#[test]
fn a_waiter_that_its_task_polls_again_during_a_cancel_is_woken() {
    check("lent waiter polled again", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let (count, waker) = count();
        let mut done = wait(&child, &waker);
        let canceler = thread::spawn(move || cancel.cancel());
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert!(ready || done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready());
        assert_eq!((parent.registered(), child.waiters()), (0, 0));
        drop((done, waker));
        assert_eq!(Arc::strong_count(&count), 1, "a waker is kept after its wait");
    });
}

#[test]
fn a_child_that_is_listed_while_its_waiter_is_lent_is_found_by_an_end() {
    check_some("lent, then listed", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let (count, waker) = count();
        let _done = wait(&child, &waker);
        let from = child.clone();
        let (calls, callback) = counter();
        let registrar = thread::spawn(move || from.after_func(callback).keep());
        cancel.cancel();
        registrar.join().unwrap();
        assert_eq!((count.0.load(Ordering::SeqCst), calls.load(Ordering::SeqCst)), (1, 1));
        assert_eq!((parent.registered(), child.registered(), child.waiters()), (0, 0, 0));
    });
}

#[test]
fn a_waiter_that_leaves_while_its_child_is_listed_stays_nowhere() {
    check_some("lent, listed and left", || {
        let (parent, _p) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let left = wait(&child, Waker::noop());
        let dropper = thread::spawn(move || drop(left));
        let (grandchild, _g) = child.with_cancel();
        let (_count, waker) = count();
        let _done = wait(&grandchild, &waker);
        dropper.join().unwrap();
        assert_eq!((child.waiters(), parent.registered(), child.registered()), (0, 1, 1));
        assert_eq!(parent.descendants(), 2);
    });
}

#[test]
fn two_first_waiters_of_one_child_are_both_woken() {
    check_some("two lend at once", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let other = child.clone();
        let second = thread::spawn(move || {
            let (count, waker) = count();
            (wait(&other, &waker), count)
        });
        let (first_count, waker) = count();
        let _first = wait(&child, &waker);
        let (_second, second_count) = second.join().unwrap();
        assert_eq!(child.waiters(), 2);
        cancel.cancel();
        assert_eq!((first_count.0.load(Ordering::SeqCst), second_count.0.load(Ordering::SeqCst)), (1, 1));
        assert_eq!((parent.registered(), child.waiters()), (0, 0));
    });
}

#[test]
fn a_lent_waiter_whose_child_is_listed_while_the_driver_stops_is_woken() {
    check_some("a driver's stop against a listing", || {
        let (root, stop) = Context::background().with_cancel();
        let driver = Driver::new();
        let (parent, _p) = driver.attach(&root).without_cancel().with_timeout(Duration::from_secs(3600));
        let (child, _c) = parent.with_cancel();
        let mut run =
            Box::pin(async move { driver.run_async(&root, |_| std::future::pending::<()>()).await });
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let (count, waker) = count();
        let _done = wait(&child, &waker);
        let lister = thread::spawn(move || child.after_func(|| ()).keep());
        stop.cancel();
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready());
        drop(run);
        lister.join().unwrap();
        assert!(count.0.load(Ordering::SeqCst) > 0);
    });
}

#[test]
fn a_cancel_that_returned_has_woken_each_waiter_that_was_lent_whoever_lists_its_child() {
    check_some("lent, listed, and canceled before", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let (count, waker) = count();
        let _done = wait(&child, &waker);
        let lister = thread::spawn(move || child.after_func(|| ()).keep());
        cancel.cancel();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        lister.join().unwrap();
    });
}
