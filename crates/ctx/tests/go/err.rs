//! Err and done: their order, and what holds under concurrency.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use ctx::{Cause, Context, Error};

use crate::{CANCELED, HOUR, assert_ended, is_done};

#[test]
fn c42_err_is_nothing_while_done_is_not_ready() {
    let (ctx, _c) = Context::background().with_timeout(HOUR);
    assert_eq!(ctx.err(), None);
    assert!(!is_done(&ctx));
}

#[test]
fn c43_whoever_sees_err_finds_done_ready() {
    for _ in 0..200 {
        let (ctx, cancel) = Context::background().with_cancel();
        thread::scope(|scope| {
            scope.spawn(|| {
                while ctx.err().is_none() {
                    std::hint::spin_loop();
                }
                assert!(is_done(&ctx));
                assert!(ctx.cause().is_some());
            });
            cancel.cancel();
        });
    }
}

#[test]
fn c44_err_never_changes_once_it_is_set() {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (ctx, cancel) = parent.with_timeout(std::time::Duration::ZERO);
    cancel.cancel();
    cancel_parent.cancel();
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn c45_done_may_be_asked_for_any_number_of_times_and_costs_nothing_until_then() {
    let (ctx, cancel) = Context::background().with_cancel();
    assert_eq!(ctx.waiters(), 0);
    assert!(!is_done(&ctx) && !is_done(&ctx));
    assert_eq!(ctx.waiters(), 0, "a dropped future is still registered");
    cancel.cancel();
    assert!(is_done(&ctx) && is_done(&ctx));
}

#[test]
fn c46_when_done_is_ready_the_cause_can_be_read() {
    let (ctx, cancel) = Context::background().with_cancel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            ctx.wait();
            ctx.cause().map(|cause| cause.to_string())
        });
        cancel.cancel_cause(Cause::msg("ready"));
        assert_eq!(waiter.join().unwrap().as_deref(), Some("ready"));
    });
}

#[test]
fn c47_everything_may_be_called_from_many_threads() {
    let (ctx, cancel) = Context::background().with_value(7_u8).with_timeout(HOUR);
    let start = Barrier::new(5);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    let (child, _c) = ctx.with_cancel();
                    assert_eq!(child.value::<u8>(), Some(&7));
                    assert!(child.deadline().is_some());
                    let _ = (child.err(), child.cause(), is_done(&child), format!("{child:?}"));
                    drop(ctx.after_func(|| ()).on_drop());
                }
            });
        }
        start.wait();
        cancel.cancel();
        stop.store(true, Ordering::Relaxed);
    });
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c48_creation_under_a_parent_being_canceled_does_not_wait_for_the_walk() {
    let (parent, cancel) = Context::background().with_cancel();
    let inside = parent.clone();
    let born = Arc::new(Mutex::new(None));
    let slot = born.clone();
    parent.after_func(move || *slot.lock().unwrap() = inside.with_cancel().0.err()).keep();
    cancel.cancel();
    assert_eq!(*born.lock().unwrap(), Some(Error::Canceled));
}
