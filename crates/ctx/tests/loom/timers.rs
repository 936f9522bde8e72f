//! Timers: a deadline against a cancel, and a waiter below a driver that stops.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Waker};

use ctx::{Context, Driver};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::{Count, check, check_some, counter};

#[test]
fn a_deadline_that_the_runtime_tells_against_a_cancel_ends_once() {
    check_some("the runtime's sleep against cancel", || {
        let (ctx, cancel) = Context::background().with_timeout(std::time::Duration::from_secs(3600));
        let (child, _c) = ctx.with_cancel();
        let (calls, f) = counter();
        child.after_func(f).keep();
        let canceler = thread::spawn(move || cancel.cancel());
        let slept = pin!(child.done(|_| std::future::ready(()))).poll(&mut Task::from_waker(Waker::noop()));
        assert!(slept.is_ready());
        canceler.join().unwrap();
        assert_eq!(ctx.err(), child.err());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waiter_below_a_driver_that_stops_is_woken_or_sets_its_own_timer() {
    check("a driver's stop against register", || {
        let (root, stop) = Context::background().with_cancel();
        let driver = Driver::new();
        let (ctx, _c) =
            driver.attach(&root).without_cancel().with_timeout(std::time::Duration::from_secs(3600));
        let timers = Arc::new(AtomicUsize::new(0));
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut run =
            Box::pin(async move { driver.run_async(&root, |_| std::future::pending::<()>()).await });
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let waiter = thread::spawn({
            let (timers, count) = (timers.clone(), count.clone());
            move || {
                let waker = Waker::from(count);
                let mut done = Box::pin(async move {
                    let sleep = |_| {
                        timers.fetch_add(1, Ordering::SeqCst);
                        std::future::pending::<()>()
                    };
                    ctx.done(sleep).await
                });
                assert!(done.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
                done
            }
        });
        stop.cancel();
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready());
        drop(run);
        let done = waiter.join().unwrap();
        let (timers, wakes) = (timers.load(Ordering::SeqCst), count.0.load(Ordering::SeqCst));
        assert!(timers == 1 || wakes > 0, "{timers} timers, {wakes} wakes");
        drop(done);
    });
}
