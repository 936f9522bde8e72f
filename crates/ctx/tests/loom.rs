//! The state machine under every interleaving that loom finds: `RUSTFLAGS="--cfg loom" cargo test --test loom`.
#![cfg(all(loom, not(shuttle)))]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Wake, Waker};

use ctx::{Cause, Context, Error};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// Runs the model and prints how many interleavings were tried.
fn check(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = runs.clone();
    loom::model(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{name}: {} executions", runs.load(std::sync::atomic::Ordering::Relaxed));
}

/// A waker that counts.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn cause_of(ctx: &Context) -> String {
    ctx.cause().expect("an ended context has a cause").to_string()
}

#[test]
fn a_cancel_against_a_register_loses_no_wake_up() {
    check("cancel against register", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let canceler = thread::spawn(move || cancel.cancel());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        if !ready {
            assert_eq!(count.0.load(Ordering::SeqCst), 1);
            assert!(done.poll(&mut Task::from_waker(&waker)).is_ready());
        }
    });
}

#[test]
fn a_cancel_against_the_drop_of_a_waiter_leaves_nobody_registered() {
    check("cancel against drop", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let waiter = ctx.clone();
        let dropper = thread::spawn(move || {
            let mut done = pin!(waiter.done(|_| std::future::pending::<()>()));
            let _ = done.as_mut().poll(&mut Task::from_waker(Waker::noop()));
        });
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(ctx.waiters(), 0);
        assert_eq!(ctx.err(), Some(Error::Canceled));
    });
}

#[test]
fn of_two_cancels_one_wins_and_its_cause_stays() {
    check("two cancels", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let (child, _c) = ctx.with_cancel();
        let cancel = Arc::new(cancel);
        let other = cancel.clone();
        let canceler = thread::spawn(move || other.cancel_cause(Cause::msg("b")));
        cancel.cancel_cause(Cause::msg("a"));
        let first = cause_of(&ctx);
        canceler.join().unwrap();
        assert_eq!(cause_of(&ctx), first);
        assert_eq!(cause_of(&child), first);
    });
}

#[test]
fn parent_and_child_canceled_at_once_agree_with_themselves() {
    check("parent against child", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let canceler = thread::spawn(move || cancel_parent.cancel_cause(Cause::msg("parent")));
        cancel_child.cancel_cause(Cause::msg("child"));
        assert!(child.err().is_some());
        canceler.join().unwrap();
        assert!(["parent", "child"].contains(&cause_of(&child).as_str()));
        assert_eq!(cause_of(&parent), "parent");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_born_during_a_cancel_ends_with_its_cause() {
    check("birth against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || from.with_cancel());
        cancel.cancel_cause(Cause::msg("now"));
        let (child, _c) = bearer.join().unwrap();
        assert_eq!(child.err(), Some(Error::Canceled));
        assert_eq!(cause_of(&child), "now");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn of_two_children_born_during_a_cancel_neither_is_missed() {
    // The first one makes the lists of a crowd, and the second one stands in them.
    check("two births against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || [from.with_cancel(), from.with_cancel()]);
        cancel.cancel_cause(Cause::msg("now"));
        for (child, _c) in bearer.join().unwrap() {
            assert_eq!(cause_of(&child), "now");
        }
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn children_born_in_a_crowd_by_two_threads_all_end() {
    check("a crowd against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let first = parent.with_cancel();
        let bearers = [parent.clone(), parent.clone()].map(|from| thread::spawn(move || from.with_cancel()));
        cancel.cancel();
        for bearer in bearers {
            let (child, _c) = bearer.join().unwrap();
            assert_eq!(child.err(), Some(Error::Canceled));
        }
        assert_eq!(first.0.err(), Some(Error::Canceled));
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_that_leaves_a_crowd_during_a_cancel_is_no_trouble() {
    check("leaving a crowd against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let _first = parent.with_cancel();
        let child = parent.with_cancel();
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_dropped_during_a_cancel_is_no_trouble() {
    check("child drop against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let child = parent.with_cancel();
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_blocking_wait_against_a_cancel_always_wakes() {
    check("wait against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let waiter = thread::spawn(move || ctx.wait());
        cancel.cancel();
        assert_eq!(waiter.join().unwrap(), Error::Canceled);
    });
}

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
fn a_second_waiter_that_registers_during_a_cancel_is_woken_too() {
    // The first one stands in the node itself, the second one in its lists.
    check("cancel against a second register", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut first = pin!(ctx.done(|_| std::future::pending::<()>()));
        assert!(first.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let canceler = thread::spawn(move || cancel.cancel());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut second = pin!(ctx.done(|_| std::future::pending::<()>()));
        let ready = second.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert_eq!(ctx.waiters(), 0);
    });
}

#[test]
fn a_callback_that_is_registered_during_a_cancel_runs_once() {
    check("after_func against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        // Its lists are there, so that only their lock is between the two.
        let child = ctx.with_cancel();
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
fn whoever_sees_the_end_sees_its_cause() {
    check("err against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let asked = ctx.clone();
        let reader = thread::spawn(move || {
            let first = asked.err();
            if first.is_some() {
                assert_eq!(cause_of(&asked), "x");
            }
            first
        });
        cancel.cancel_cause(Cause::msg("x"));
        let first = reader.join().unwrap();
        assert!(first.is_none() || first == ctx.err());
        assert_eq!(cause_of(&ctx), "x");
    });
}

#[test]
fn a_merged_context_against_both_its_parents_ends_once() {
    check("merge against two cancels", || {
        let (a, cancel_a) = Context::background().with_cancel();
        let (b, cancel_b) = Context::background().with_cancel();
        let (merged, _m) = Context::merge([&a, &b]);
        let canceler = thread::spawn(move || cancel_a.cancel_cause(Cause::msg("a")));
        cancel_b.cancel_cause(Cause::msg("b"));
        let seen = cause_of(&merged);
        canceler.join().unwrap();
        assert_eq!(cause_of(&merged), seen);
        assert_eq!((a.registered(), b.registered()), (0, 0));
    });
}
