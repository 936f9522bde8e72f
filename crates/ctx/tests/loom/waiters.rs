//! Waiters: none is left asleep, and none stays registered.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Waker};

use ctx::{Context, Error};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::{Count, check, check_some};

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
fn two_waiters_that_list_the_same_chain_are_both_woken() {
    check_some("two links against cancel", || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, _m) = root.with_cancel();
        let (leaf, _l) = middle.with_cancel();
        let other = middle.clone();
        let first = thread::spawn(move || {
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(count.clone());
            let mut done = Box::pin(async move { other.done(|_| std::future::pending::<()>()).await });
            let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
            (ready, count, done)
        });
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut done = pin!(leaf.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        cancel.cancel();
        // Whatever the other thread is doing: asked, it has ended.
        assert_eq!(leaf.err(), Some(Error::Canceled));
        let (first_ready, first_count, _done) = first.join().unwrap();
        let woken = first_count.0.load(Ordering::SeqCst);
        assert!(
            first_ready || woken == 1,
            "{woken} {ready} {:?} {:?} {} {} {} {:?}",
            root.err(),
            middle.err(),
            middle.waiters(),
            root.registered(),
            middle.registered(),
            leaf.err()
        );
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert_eq!((root.registered(), middle.registered()), (0, 0));
    });
}
