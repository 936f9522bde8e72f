//! Questions run no foreign code, and nobody is forgotten for it.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ctx::{Cancel, Context, Driver, Error};

use crate::{HOUR, clocked, never};

/// Derives a context whose deadline has passed, and which nobody has asked or waited for.
///
/// Its callback stands below the deadline; `prepare` does the rest before the deadline passes.
pub(crate) fn unnoticed<T>(prepare: impl Fn(&Context) -> T) -> (Context, Cancel, T) {
    for millis in 1.. {
        let deadline = Instant::now() + Duration::from_millis(millis);
        let (ctx, cancel) = Context::background().with_deadline(deadline);
        let prepared = prepare(&ctx);
        if Instant::now() >= deadline {
            // This thread was away for too long.
            continue;
        }
        while Instant::now() <= deadline {
            std::hint::spin_loop();
        }
        return (ctx, cancel, prepared);
    }
    unreachable!("a thread runs for some milliseconds now and then")
}

/// Registers a callback that counts.
pub(crate) fn count_calls(ctx: &Context) -> (Arc<AtomicUsize>, ctx::Stop) {
    let calls = Arc::new(AtomicUsize::new(0));
    let inside = calls.clone();
    let stop = ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst));
    (calls, stop)
}

#[test]
fn a_question_runs_no_callback_and_the_dropped_cancel_does() {
    let (ctx, cancel, (calls, _stop)) = unnoticed(count_calls);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
    assert!(ctx.cause().is_some());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    drop(cancel);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(ctx.registered(), 0);
}

#[test]
fn whoever_may_run_callbacks_runs_those_that_a_question_left() {
    type Notify = fn(Context, Cancel, ctx::Stop);
    let ways: [(&str, Notify); 6] = [
        ("a waiting task", |ctx, cancel, _stop| {
            assert!(pin!(ctx.done(never)).poll(&mut Task::from_waker(Waker::noop())).is_ready());
            cancel.keep();
        }),
        ("a waiting thread", |ctx, cancel, _stop| {
            assert_eq!(ctx.wait(), Error::DeadlineExceeded);
            cancel.keep();
        }),
        ("another callback", |ctx, cancel, _stop| {
            ctx.after_func(|| ()).keep();
            cancel.keep();
        }),
        ("stop", |_ctx, cancel, stop| {
            assert!(!stop.stop());
            cancel.keep();
        }),
        ("cancel", |_ctx, cancel, _stop| cancel.cancel()),
        ("the last handle", |ctx, cancel, stop| {
            cancel.keep();
            stop.keep();
            drop(ctx);
        }),
    ];
    for (name, notify) in ways {
        let (ctx, cancel, (calls, stop)) = unnoticed(count_calls);
        assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
        notify(ctx, cancel, stop);
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{name}");
    }
}

#[test]
fn a_waiter_of_a_child_notifies_what_a_question_left_above_it() {
    let (ctx, cancel, (calls, child)) = unnoticed(|ctx| {
        let (calls, stop) = count_calls(ctx);
        stop.keep();
        (calls, ctx.with_cancel())
    });
    assert_eq!(child.0.err(), Some(Error::DeadlineExceeded));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert!(pin!(child.0.done(never)).poll(&mut Task::from_waker(Waker::noop())).is_ready());
    assert_eq!((calls.load(Ordering::SeqCst), ctx.registered()), (1, 0));
    cancel.keep();
}

#[test]
fn a_condition_loop_may_ask_under_the_mutex_of_its_callback() {
    let shared = Arc::new((Mutex::new(()), Condvar::new()));
    let inside = shared.clone();
    let (ctx, cancel, stop) = unnoticed(move |ctx| {
        let inside = inside.clone();
        ctx.after_func(move || {
            let _guard = inside.0.lock().expect("no holder panics");
            inside.1.notify_all();
        })
    });
    let (send, seen) = mpsc::channel();
    thread::spawn(move || {
        let mut guard = shared.0.lock().unwrap();
        while ctx.err().is_none() {
            guard = shared.1.wait(guard).unwrap();
        }
        drop(guard);
        drop((cancel, stop));
        send.send(ctx.err()).unwrap();
    });
    assert_eq!(seen.recv_timeout(Duration::from_secs(60)), Ok(Some(Error::DeadlineExceeded)));
}

/// A cause that counts how often it is dropped.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("counted")
    }
}

impl std::error::Error for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_question_drops_no_cause_and_the_dropped_cancel_does() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (child, cancel) = parent.with_timeout_cause(HOUR, Counted(dropped.clone()));
    cancel_parent.cancel();
    assert_eq!(child.err(), Some(Error::Canceled));
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(cancel);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kept_callback_outlives_the_handles_of_its_context() {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (middle, handle) = parent.with_cancel();
    let (ctx, cancel) = middle.with_value(1_u8).with_cancel();
    let (calls, stop) = count_calls(&ctx);
    stop.keep();
    cancel.keep();
    drop(ctx);
    assert_eq!((middle.registered(), calls.load(Ordering::SeqCst)), (1, 0), "handed to the parent");
    handle.keep();
    drop(middle);
    assert_eq!(parent.registered(), 1, "and on to its parent");
    cancel_parent.cancel();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kept_callback_runs_at_the_deadline_of_a_context_that_is_gone_if_that_is_watched() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_timeout(HOUR);
    let (calls, stop) = count_calls(&ctx);
    stop.keep();
    cancel.keep();
    drop(ctx);
    clock.advance(HOUR - Duration::from_nanos(1));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    clock.advance(Duration::from_nanos(1));
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    let (until, stop_driver) = Context::background().with_cancel();
    let driver = Driver::new();
    let mut run = Box::pin(driver.run_async(&until, never));
    assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
    let (ctx, cancel) = driver.attach(&Context::background()).with_timeout(HOUR);
    let (calls, stop) = count_calls(&ctx);
    stop.keep();
    cancel.keep();
    drop(ctx);
    assert_eq!(driver.expire_due(Instant::now() + 2 * HOUR), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    stop_driver.cancel();
    assert_eq!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())), Poll::Ready(Error::Canceled));
}

#[test]
fn a_callback_that_nothing_can_end_any_more_is_dropped() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_timeout(HOUR);
    let (calls, stop) = count_calls(&ctx);
    stop.keep();
    cancel.keep();
    drop((ctx, root));
    assert_eq!(Arc::strong_count(&calls), 2, "the clock keeps it");
    drop(clock);
    assert_eq!(Arc::strong_count(&calls), 1, "nobody will turn the clock");
}

#[test]
fn a_stop_that_is_dropped_late_runs_the_callback() {
    let (_ctx, _cancel, (calls, stop)) = unnoticed(count_calls);
    drop(stop.on_drop());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_registered_after_a_deadline_that_nobody_noticed_runs_at_once() {
    let (ctx, _cancel, ()) = unnoticed(|_| ());
    let (calls, stop) = count_calls(&ctx);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(!stop.stop());
}

#[test]
fn the_last_handle_runs_a_kept_callback_whose_deadline_nobody_noticed() {
    let (ctx, cancel, (calls, stop)) = unnoticed(count_calls);
    stop.keep();
    cancel.keep();
    drop(ctx);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
