//! Callbacks: each runs once, or is stopped.

use std::sync::Arc;
use std::task::Waker;

use ctx::{Context, Error};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::{check, check_some, counter, is_done, listed};

#[test]
fn either_the_callback_runs_or_stop_succeeds() {
    check("after_func against stop", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let calls = Arc::new(AtomicUsize::new(0));
        let inside = calls.clone();
        let stop = ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst));
        let canceler = thread::spawn(move || cancel.cancel());
        let stopped = stop.stop();
        canceler.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst) + usize::from(stopped), 1);
    });
}

#[test]
fn a_callback_that_is_registered_during_a_cancel_runs_once() {
    check("after_func against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        // Its lists are there, so that only their lock is between the two.
        let child = listed(ctx.with_cancel());
        let canceler = thread::spawn(move || cancel.cancel());
        let calls = Arc::new(AtomicUsize::new(0));
        let inside = calls.clone();
        let stop = ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst));
        canceler.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(!stop.stop());
        assert_eq!((child.0.err(), ctx.registered()), (Some(Error::Canceled), 0));
    });
}

#[test]
fn all_below_has_ended_when_the_first_callback_starts_while_the_middle_is_canceled_too() {
    check_some("a callback against a cancel in the middle", || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, cancel_middle) = listed(root.with_cancel());
        let (leaf, _l) = listed(middle.with_cancel());
        let seen = Arc::new(AtomicUsize::new(0));
        let inside = (leaf.clone(), seen.clone());
        root.after_func(move || {
            inside.1.store(1 + usize::from(inside.0.err().is_some()), Ordering::SeqCst);
        })
        .keep();
        let canceler = thread::spawn(move || cancel_middle.cancel());
        cancel.cancel();
        assert_eq!(
            seen.load(Ordering::SeqCst),
            2,
            "1: the callback saw a live descendant; 0: it did not run"
        );
        assert_eq!(leaf.err(), Some(Error::Canceled), "the cancel has returned");
        canceler.join().unwrap();
        assert_eq!((root.registered(), middle.registered()), (0, 0));
    });
}

#[test]
fn a_callback_runs_once_whether_a_question_or_a_cancel_ends_its_context() {
    check_some("a question against a registration", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let asked = child.clone();
        let (calls, f) = counter();
        // Only a question is to find the end, so the parent is canceled behind the back of the child.
        let reader = thread::spawn(move || {
            cancel.cancel();
            asked.err()
        });
        let stop = child.after_func(f);
        assert_eq!(reader.join().unwrap(), Some(Error::Canceled));
        assert!(is_done(&child, Waker::noop()));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(!stop.stop());
    });
}

#[test]
fn a_callback_whose_context_goes_during_a_cancel_of_the_parent_runs_once() {
    check("the last handle against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, handle) = parent.with_cancel();
        let (calls, f) = counter();
        child.after_func(f).keep();
        handle.keep();
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(parent.registered(), 0);
    });
}
