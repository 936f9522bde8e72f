//! Callbacks and how they are taken back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;

use ctx::{Cancel, Cause, Context, Error, ManualClock};

use crate::{CANCELED, HOUR, assert_ended, unnoticed};

/// A counter and a callback that raises it.
fn counter() -> (Arc<AtomicUsize>, impl FnOnce() + Send + 'static) {
    let calls = Arc::new(AtomicUsize::new(0));
    let inside = calls.clone();
    (calls, move || _ = inside.fetch_add(1, Ordering::SeqCst))
}

fn count(calls: &AtomicUsize) -> usize {
    calls.load(Ordering::SeqCst)
}

#[test]
fn c86_a_callback_does_not_run_before_the_end() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (calls, f) = counter();
    ctx.after_func(f).keep();
    assert_eq!(count(&calls), 0);
    cancel.keep();
    drop(ctx);
    assert_eq!(count(&calls), 0, "a context that vanished has not ended");
}

#[test]
fn c87_a_callback_runs_after_a_cancel() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (calls, f) = counter();
    ctx.after_func(f).keep();
    cancel.cancel();
    assert_eq!(count(&calls), 1);
}

#[test]
fn c88_a_callback_runs_after_a_timeout() {
    let clock = ManualClock::new();
    let (ctx, _c) = clock.attach(&Context::background()).with_timeout(HOUR);
    let (calls, f) = counter();
    ctx.after_func(f).keep();
    clock.advance(HOUR);
    assert_eq!(count(&calls), 1);
}

#[test]
fn c89_a_callback_on_an_ended_context_runs_at_once() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let (calls, f) = counter();
    let stop = ctx.after_func(f);
    assert_eq!(count(&calls), 1);
    assert!(!stop.stop());
}

#[test]
fn c90_a_callback_stopped_in_time_never_runs() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (calls, f) = counter();
    let stop = ctx.after_func(f);
    assert!(stop.stop());
    assert!(!stop.stop());
    cancel.cancel();
    assert_eq!(count(&calls), 0);
}

#[test]
fn c91_a_callback_that_started_cannot_be_stopped() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (calls, f) = counter();
    let stop = ctx.after_func(f);
    cancel.cancel();
    assert!(!stop.stop());
    assert_eq!(count(&calls), 1);

    // A deadline starts it, even if nobody has noticed.
    let (_ctx, _c, calls, stop) = unnoticed(|at, _| {
        let (ctx, cancel) = Context::background().with_deadline(at);
        let (calls, f) = counter();
        let stop = ctx.after_func(f);
        (ctx, cancel, calls, stop)
    });
    assert!(!stop.stop());
    assert_eq!(count(&calls), 1);
}

#[test]
fn c92_long_work_handed_over_by_a_callback_does_not_hold_up_the_cancel() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (release, blocked) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    ctx.after_func(move || {
        send.send(thread::spawn(move || _ = blocked.recv())).expect("the test waits for the thread");
    })
    .keep();
    cancel.cancel();
    let work = receive.recv().unwrap();
    assert!(!work.is_finished());
    drop(release);
    work.join().unwrap();
}

#[test]
fn c93_stop_does_not_wait_for_a_running_callback() {
    let (ctx, cancel) = Context::background().with_cancel();
    let running = Arc::new(Barrier::new(2));
    let inside = running.clone();
    let stop = ctx.after_func(move || {
        inside.wait();
        inside.wait();
    });
    thread::scope(|scope| {
        scope.spawn(|| cancel.cancel());
        running.wait();
        assert!(!stop.stop());
        running.wait();
    });
}

#[test]
fn c94_either_the_callback_starts_or_one_stop_succeeds() {
    for _ in 0..500 {
        let (ctx, cancel) = Context::background().with_cancel();
        let (calls, f) = counter();
        let stop = ctx.after_func(f);
        let start = Barrier::new(3);
        let stopped = thread::scope(|scope| {
            let stops = [(); 2].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    usize::from(stop.stop())
                })
            });
            start.wait();
            cancel.cancel();
            stops.map(|stop| stop.join().unwrap()).into_iter().sum::<usize>()
        });
        assert_eq!(count(&calls) + stopped, 1);
    }
}

#[test]
fn c95_callbacks_on_one_context_are_independent() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (first, f) = counter();
    let (second, g) = counter();
    let stop = ctx.after_func(f);
    ctx.after_func(g).keep();
    assert!(stop.stop());
    cancel.cancel();
    assert_eq!((count(&first), count(&second)), (0, 1));
}

#[test]
fn c96_inside_a_callback_the_context_and_all_below_have_ended() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (child, _c) = ctx.with_cancel();
    let (send, seen) = mpsc::channel();
    let inside = (ctx.clone(), child.clone());
    ctx.after_func(move || {
        let cause = inside.0.cause().map(|cause| cause.to_string());
        send.send((inside.0.err(), cause, inside.1.err())).expect("the test waits for it");
    })
    .keep();
    cancel.cancel_cause(Cause::msg("X"));
    let canceled = Some(Error::Canceled);
    assert_eq!(seen.recv().unwrap(), (canceled, Some("X".to_owned()), canceled));
}

#[test]
fn all_below_has_ended_when_a_callback_starts_while_other_threads_cancel_below() {
    for round in 0..200 {
        let (root, cancel) = Context::background().with_cancel();
        let middles: Vec<_> = (0..4).map(|_| root.with_cancel()).collect();
        let below = |(middle, _): &(Context, Cancel)| {
            (0..20)
                .map(|i| {
                    let child = middle.with_cancel();
                    // Every second one is listed, as a waiter does it; the others are looked up.
                    assert!(i % 2 == 0 || child.0.after_func(|| ()).stop());
                    child
                })
                .collect::<Vec<_>>()
        };
        let leaves: Vec<_> = middles.iter().flat_map(below).collect();
        let inside: Vec<_> = leaves.iter().map(|(leaf, _)| leaf.clone()).collect();
        let (send, live) = mpsc::channel();
        root.after_func(move || {
            let live = inside.iter().filter(|leaf| leaf.err().is_none()).count();
            send.send(live).expect("the test waits for it");
        })
        .keep();
        let start = Barrier::new(5);
        thread::scope(|scope| {
            for (_, cancel) in &middles {
                scope.spawn(|| {
                    start.wait();
                    cancel.cancel();
                });
            }
            start.wait();
            cancel.cancel();
            let live = leaves.iter().filter(|(leaf, _)| leaf.err().is_none()).count();
            assert_eq!(live, 0, "round {round}: the cancel has returned");
        });
        assert_eq!(live.recv(), Ok(0), "round {round}: a callback saw live descendants");
    }
}

#[test]
fn c97_a_context_that_cannot_end_keeps_no_callback() {
    let (calls, f) = counter();
    let stop = Context::background().after_func(f);
    assert_eq!(Arc::strong_count(&calls), 1);
    assert!(stop.stop());
    assert!(!stop.stop());
    assert_eq!(count(&calls), 0);
}

#[test]
fn c98_stop_frees_the_place() {
    let (ctx, _c) = Context::background().with_cancel();
    let (calls, f) = counter();
    let stop = ctx.after_func(f);
    assert_eq!((ctx.registered(), Arc::strong_count(&calls)), (1, 2));
    assert!(stop.stop());
    assert_eq!((ctx.registered(), Arc::strong_count(&calls)), (0, 1));
}

#[test]
fn c99_a_panicking_callback_is_caught_and_spoils_nothing() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (child, _c) = ctx.with_cancel();
    let (before, f) = counter();
    let (after, g) = counter();
    ctx.after_func(f).keep();
    ctx.after_func(|| panic!("this panic is part of the test")).keep();
    child.after_func(g).keep();
    cancel.cancel();
    assert_eq!((count(&before), count(&after)), (1, 1));
    assert_ended(&child, Error::Canceled, CANCELED);
    assert_eq!(ctx.registered(), 0);
}

#[test]
fn c100_a_condition_wait_is_broken_by_a_callback() {
    let (ctx, cancel) = Context::background().with_cancel();
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let inside = shared.clone();
    let _stop = ctx
        .after_func(move || {
            let _guard = inside.0.lock().unwrap();
            inside.1.notify_all();
        })
        .on_drop();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut ready = shared.0.lock().unwrap();
            while !*ready && ctx.err().is_none() {
                ready = shared.1.wait(ready).unwrap();
            }
            ctx.err()
        });
        cancel.cancel();
        assert_eq!(waiter.join().unwrap(), Some(Error::Canceled));
    });
}

#[test]
fn c101_a_stop_that_is_dropped_leaves_the_callback_and_a_guard_takes_it_back() {
    let (ctx, cancel) = Context::background().with_timeout(HOUR);
    let (kept, f) = counter();
    let (guarded, g) = counter();
    drop(ctx.after_func(f));
    drop(ctx.after_func(g).on_drop());
    cancel.cancel();
    assert_eq!((count(&kept), count(&guarded)), (1, 0));
}
