//! Deadlines that a driver watches, or a clock that is turned by hand.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ctx::{Context, Driver, Error};

use crate::{HOUR, clocked, never, poll};

#[test]
fn a_driver_ends_contexts_that_nobody_asks() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    thread::scope(|scope| {
        scope.spawn(|| driver.run(&root));
        // The second is earlier than what the driver already sleeps for.
        let (_late, _l) = base.with_timeout(HOUR);
        let (ctx, _c) = base.with_timeout(Duration::from_millis(2));
        let (send, ended) = std::sync::mpsc::channel();
        ctx.after_func(move || send.send(Instant::now()).expect("the test waits")).keep();
        assert!(Some(ended.recv().unwrap()) >= ctx.deadline());
        stop.cancel();
    });
    assert_eq!(base.registered(), 0);
}

#[test]
fn a_driver_runs_in_a_task_too() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let (armed, is_over) = (Cell::new(None), Cell::new(false));
    // A sleep that the test ends: by the clock, a short one might be over before the driver is polled.
    let mut run = pin!(driver.run_async(&root, |at| {
        armed.set(Some(at));
        std::future::poll_fn(|_| if is_over.get() { Poll::Ready(()) } else { Poll::Pending })
    }));
    assert!(poll(run.as_mut()).is_pending());
    let (ctx, _c) = base.with_timeout(HOUR);
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!((armed.get(), ctx.err()), (ctx.deadline(), None));
    is_over.set(true);
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
    stop.cancel();
    assert_eq!(poll(run.as_mut()), Poll::Ready(Error::Canceled));
}

#[test]
fn a_driver_fits_an_event_loop_of_ones_own() {
    let driver = Driver::new();
    let base = driver.attach(&Context::background());
    let (ctx, _c) = base.with_timeout(HOUR);
    assert_eq!(driver.next_deadline(), ctx.deadline());
    assert_eq!(driver.expire_due(Instant::now()), 0);
    assert_eq!(driver.expire_due(Instant::now() + HOUR), 1);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn a_manual_clock_shows_each_deadline_in_turn() {
    let (clock, root) = clocked();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let start = clock.now();
    for seconds in [3, 1, 2] {
        let (ctx, cancel) = root.with_timeout(Duration::from_secs(seconds));
        let (seen, inside, keep) = (seen.clone(), clock.clone(), ctx.clone());
        ctx.after_func(move || {
            seen.lock().expect("no holder panics").push((inside.now() - start).as_secs());
            drop(keep);
        })
        .keep();
        cancel.keep();
    }
    assert_eq!(clock.advance(HOUR), 3);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    assert_eq!(clock.now(), start + HOUR);
}

#[test]
fn equal_deadlines_end_in_the_order_in_which_they_were_set() {
    let (clock, root) = clocked();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let contexts: Vec<_> = (0..100)
        .map(|number| {
            let made = root.with_timeout(HOUR);
            let seen = seen.clone();
            made.0.after_func(move || seen.lock().expect("no holder panics").push(number)).keep();
            made
        })
        .collect();
    assert_eq!(clock.advance(HOUR), contexts.len());
    assert!(seen.lock().unwrap().is_sorted());
}

#[test]
fn a_list_of_deadlines_forgets_those_of_contexts_that_are_gone_and_no_others() {
    let (clock, root) = clocked();
    let kept: Vec<_> = (1..=100).map(|hours| root.with_timeout(HOUR * hours)).collect();
    for _ in 0..1_000 {
        drop(root.with_timeout(HOUR / 2));
    }
    // It forgets them when twice as many are listed as were left the last time.
    let _more: Vec<_> = (0..300).map(|_| root.with_timeout(HOUR * 1_000)).collect();
    assert_eq!(clock.next_deadline(), kept[0].0.deadline());
    assert_eq!(clock.advance(HOUR * 100), kept.len());
}

#[test]
fn a_thread_waits_by_the_manual_clock() {
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_timeout(2 * HOUR);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| (ctx.wait_timeout(HOUR), ctx.wait()));
        while ctx.descendants() == 0 {
            thread::yield_now();
        }
        clock.advance(HOUR);
        clock.advance(HOUR);
        let (first, second) = waiter.join().unwrap();
        assert!(first.is_none() || first == Some(Error::DeadlineExceeded));
        assert_eq!(second, Error::DeadlineExceeded);
    });
}

#[test]
fn a_driver_that_runs_twice_and_stops_once_still_watches_new_deadlines() {
    let (root, stop) = Context::background().with_cancel();
    let (other, stop_other) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut task = Task::from_waker(&waker);
    let mut first = pin!(driver.run_async(&root, |_| pending::<()>()));
    let mut second = pin!(driver.run_async(&other, |_| pending::<()>()));
    assert!(first.as_mut().poll(&mut task).is_pending());
    assert!(second.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
    stop_other.cancel();
    assert!(second.poll(&mut Task::from_waker(Waker::noop())).is_ready());
    let _ctx = base.with_timeout(HOUR);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1, "the one that still runs is told of a new deadline");
    stop.cancel();
}

#[test]
fn a_driver_that_runs_twice_and_stops_once_keeps_callbacks_for_their_deadline() {
    let (root, _stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let mut first = pin!(driver.run_async(&root, |_| pending::<()>()));
    assert!(poll(first.as_mut()).is_pending());
    let calls = Arc::new(AtomicUsize::new(0));
    {
        let mut second = pin!(driver.run_async(&root, |_| pending::<()>()));
        assert!(poll(second.as_mut()).is_pending());
        let (ctx, cancel) = driver.attach(&root).with_timeout(HOUR);
        let inside = calls.clone();
        ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst)).keep();
        cancel.keep();
    }
    assert_eq!(driver.expire_due(Instant::now() + 2 * HOUR), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_driver_that_is_dropped_in_the_middle_is_not_woken_any_more() {
    let (root, _stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let wakes = Arc::new(Wakes::default());
    {
        let waker = Waker::from(wakes.clone());
        let mut run = pin!(driver.run_async(&root, |_| pending::<()>()));
        assert!(run.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&wakes), 1);
    let _ctx = base.with_timeout(HOUR);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0);
}

#[test]
fn a_driver_reads_the_clock_again_after_a_burst_of_callbacks() {
    // A busy machine is late now and then, and a driver that does not look again is late each time.
    let late = (0..5).map(|_| late_after_a_burst()).find(|late| *late < Duration::from_millis(100));
    assert!(late.is_some(), "it slept from before the burst");
}

/// Returns how late a deadline is noticed that comes while the callback of an earlier one runs.
fn late_after_a_burst() -> Duration {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let (late, _l) = base.with_timeout(Duration::from_millis(200));
    let (early, _e) = base.with_timeout(Duration::from_millis(1));
    let due = late.deadline().expect("it was just set");
    early
        .after_func(move || {
            while Instant::now() < due - Duration::from_millis(5) {
                thread::yield_now();
            }
        })
        .keep();
    let (send, ended) = mpsc::channel();
    late.after_func(move || send.send(Instant::now()).expect("the test waits")).keep();
    thread::scope(|scope| {
        scope.spawn(|| driver.run(&root));
        let late_by = ended.recv().expect("the callback tells") - due;
        stop.cancel();
        late_by
    })
}

#[test]
fn a_driver_believes_the_runtimes_sleep() {
    // As under a clock that a test has paused: each sleep is over at once, and each deadline ends by it.
    let (root, _stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let (ctx, _c) = base.with_timeout(HOUR);
    let sleeps = Cell::new(0);
    let sleep = |_| {
        sleeps.set(sleeps.get() + 1);
        std::future::ready(())
    };
    let mut run = pin!(driver.run_async(&root, sleep));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!((ctx.err(), sleeps.get()), (Some(Error::DeadlineExceeded), 1));
}

#[test]
fn a_driver_stops_when_the_runtimes_sleep_says_that_its_own_time_is_up() {
    let (until, _u) = Context::background().with_timeout(HOUR);
    let driver = Driver::new();
    let run = pin!(driver.run_async(&until, |_| std::future::ready(())));
    assert_eq!(poll(run), Poll::Ready(Error::DeadlineExceeded));
}

#[test]
fn cleanup_below_a_driver_that_has_stopped_ends_by_itself() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    thread::scope(|scope| {
        let running = scope.spawn(|| driver.run(&root));
        // One waits while the driver still runs, one is made afterwards.
        let cleanup = base.without_cancel();
        let (early, _e) = cleanup.with_timeout(Duration::from_millis(300));
        let waiter = scope.spawn(move || (early.wait(), Instant::now() >= early.deadline().unwrap()));
        // This thread may come too late to see it.
        while driver.next_deadline().is_none() && !waiter.is_finished() {
            thread::yield_now();
        }
        stop.cancel();
        assert_eq!(running.join().unwrap(), Error::Canceled);
        assert_eq!(waiter.join().unwrap(), (Error::DeadlineExceeded, true));
        let (late, _l) = cleanup.with_timeout(Duration::from_millis(1));
        assert_eq!(late.wait(), Error::DeadlineExceeded);
    });
}

#[test]
fn a_drained_run_below_a_driver_that_has_stopped_sets_its_own_timer() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let ctx = driver.attach(&root);
    let mut driven = Box::pin(driver.run_async(&root, never));
    assert!(poll(driven.as_mut()).is_pending());
    let sleeps = Cell::new(0);
    let sleep = |_| {
        sleeps.set(sleeps.get() + 1);
        std::future::ready(())
    };
    let mut run = pin!(ctx.run_drained(pending::<()>(), Duration::from_millis(50), sleep));
    assert!(poll(run.as_mut()).is_pending());
    stop.cancel();
    assert!(poll(driven.as_mut()).is_ready());
    let Poll::Ready(Err(interrupted)) = poll(run.as_mut()) else { panic!("the grace is over") };
    assert_eq!((interrupted.error, interrupted.late, sleeps.get()), (Error::Canceled, None, 1));
}

#[test]
fn a_waiter_sets_no_timer_while_the_driver_runs_and_one_when_it_stops() {
    let (root, _stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let (ctx, _c) = driver.attach(&root).with_timeout(HOUR);
    let (child, _d) = ctx.with_cancel();
    let timers = Cell::new(0);
    let sleep = |_| {
        timers.set(timers.get() + 1);
        pending::<()>()
    };
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut driven = Box::pin(driver.run_async(&root, never));
    assert!(poll(driven.as_mut()).is_pending());
    let mut done = pin!(child.done(sleep));
    assert!(done.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
    assert_eq!((timers.get(), wakes.0.load(Ordering::SeqCst)), (0, 0));
    drop(driven);
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(done.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
    assert_eq!((timers.get(), child.waiters()), (1, 1));
}

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
