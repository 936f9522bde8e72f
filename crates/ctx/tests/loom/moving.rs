//! Threads that block, and deadlines that move.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use ctx::{Context, Error, ManualClock};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::{Count, check, check_some};

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
fn a_deadline_moved_against_a_register_loses_no_wake_up() {
    check_some("move against register", || {
        let hour = Duration::from_secs(3600);
        let (ctx, deadline) = Context::background().with_movable_timeout(hour);
        let (child, _child) = ctx.with_cancel();
        let past = Instant::now();
        let mover = thread::spawn(move || (deadline.move_to(past), deadline));
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut done = pin!(child.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        assert!(!mover.join().unwrap().0);
        assert!(ready || count.0.load(Ordering::SeqCst) >= 1);
        assert!(done.poll(&mut Task::from_waker(&waker)).is_ready());
        assert_eq!((child.err(), ctx.err()), (Some(Error::DeadlineExceeded), Some(Error::DeadlineExceeded)));
    });
}

#[test]
fn a_deadline_that_was_moved_in_time_ends_nothing_at_its_old_time() {
    check_some("move against expiry", || {
        let second = Duration::from_secs(1);
        let clock = ManualClock::new();
        let (ctx, deadline) = clock.attach(&Context::background()).with_movable_timeout(second);
        let (child, _child) = ctx.with_cancel();
        let turner = {
            let clock = clock.clone();
            thread::spawn(move || clock.advance(second))
        };
        let moved = deadline.move_to(clock.now() + 3 * second);
        turner.join().unwrap();
        assert_eq!(ctx.err().is_none(), moved);
        assert_eq!(child.err().is_none(), moved);
    });
}
