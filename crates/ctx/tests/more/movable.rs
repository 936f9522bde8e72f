//! A deadline that its owner moves.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{HOUR, clocked, never, poll};
use ctx::{Cause, Context, Driver, Error};

const MINUTE: Duration = Duration::from_secs(60);
const EXPIRED: Option<Error> = Some(Error::DeadlineExceeded);

#[test]
fn a_deadline_moved_later_or_earlier_holds_for_all_below() {
    let (clock, root) = clocked();
    let (ctx, deadline) = root.with_movable_timeout(MINUTE);
    let (child, _child) = ctx.with_value(7_u8).with_timeout(3 * HOUR);
    assert_eq!((ctx.remaining(), child.remaining()), (Some(MINUTE), Some(MINUTE)));
    assert!(deadline.move_after(HOUR));
    clock.advance(HOUR - Duration::from_nanos(1));
    assert_eq!((ctx.err(), child.err(), child.remaining()), (None, None, Some(Duration::from_nanos(1))));
    assert!(deadline.remove());
    assert_eq!((ctx.deadline(), child.remaining()), (None, Some(2 * HOUR + Duration::from_nanos(1))));
    assert!(deadline.move_after(MINUTE));
    clock.advance(MINUTE);
    assert_eq!((ctx.err(), child.err()), (EXPIRED, EXPIRED));
    assert!(!deadline.move_after(HOUR));
    assert_eq!(child.remaining(), Some(Duration::ZERO));
}

#[test]
fn on_the_systems_clock_a_move_into_the_past_ends_the_context_and_one_into_the_future_keeps_it() {
    let calls = Arc::new(AtomicUsize::new(0));
    let inside = calls.clone();
    let (ctx, deadline) = Context::background().with_movable_timeout(HOUR);
    let (unlinked, _u) = ctx.with_cancel();
    let (linked, _l) = ctx.with_cancel();
    linked.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst)).keep();
    assert!(deadline.move_after(2 * HOUR));
    assert!(linked.remaining() > Some(HOUR) && unlinked.remaining() > Some(HOUR));
    assert_eq!((ctx.err(), unlinked.err(), linked.err()), (None, None, None));
    assert!(!deadline.move_to(Instant::now()));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!((ctx.err(), unlinked.err(), linked.err()), (EXPIRED, EXPIRED, EXPIRED));
    deadline.cancel();
    assert_eq!(ctx.err(), EXPIRED);
}

#[test]
fn one_that_has_passed_makes_the_context_born_ended() {
    let (ctx, deadline) = Context::background().with_movable_deadline(Instant::now());
    assert_eq!((ctx.err(), deadline.move_after(HOUR)), (EXPIRED, false));
    let (_clock, root) = clocked();
    assert_eq!(root.with_movable_timeout(Duration::ZERO).0.err(), EXPIRED);
}

#[test]
fn a_waiter_sets_its_timer_anew_and_believes_no_old_one() {
    let asked = RefCell::new(Vec::new());
    let fire = RefCell::new(Instant::now());
    let start = Instant::now();
    let (ctx, deadline) = Context::background().with_movable_deadline(start + HOUR);
    let (child, _child) = ctx.with_cancel();
    let mut done = pin!(child.done(|at| {
        asked.borrow_mut().push(at - start);
        let fire = &fire;
        std::future::poll_fn(move |_| if *fire.borrow() < at { Poll::Pending } else { Poll::Ready(()) })
    }));
    assert!(poll(done.as_mut()).is_pending() && poll(done.as_mut()).is_pending());
    deadline.move_to(start + 2 * HOUR);
    // The runtime's clock is ahead of the system's, and shows the time of before the move.
    *fire.borrow_mut() = start + HOUR;
    assert!(poll(done.as_mut()).is_pending());
    deadline.move_to(start + HOUR + MINUTE);
    assert!(poll(done.as_mut()).is_pending());
    *fire.borrow_mut() = start + HOUR + MINUTE;
    assert_eq!(poll(done), Poll::Ready(Error::DeadlineExceeded));
    assert_eq!(*asked.borrow(), [HOUR, 2 * HOUR, HOUR + MINUTE]);
    assert_eq!((child.err(), ctx.err()), (EXPIRED, EXPIRED));
}

#[test]
fn a_blocked_thread_hears_of_an_earlier_deadline() {
    let (ctx, deadline) = Context::background().with_movable_timeout(HOUR);
    let (child, _child) = ctx.with_cancel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| child.wait());
        while child.waiters() == 0 {
            std::thread::yield_now();
        }
        assert!(deadline.move_after(Duration::from_millis(1)) || ctx.err().is_some());
        assert_eq!(waiting.join().unwrap(), Error::DeadlineExceeded);
    });
}

#[test]
fn whatever_was_due_first_decides_and_keeps_its_cause() {
    let past = Instant::now();
    let (outer, moved) = Context::background().with_movable_timeout(HOUR);
    let (child, _c) = outer.with_deadline_cause(past + Duration::from_micros(1), Cause::msg("child"));
    let (waiting, _w) = child.with_cancel();
    assert!(poll(pin!(waiting.done(never))).is_pending() || child.err().is_some());
    while Instant::now() <= past + Duration::from_micros(2) {}
    assert!(!moved.move_to(past + Duration::from_micros(2)));
    assert_eq!((outer.err(), child.cause().unwrap().to_string()), (EXPIRED, "child".to_owned()));
    assert_eq!(waiting.cause().unwrap().to_string(), "child");

    let (root, cancel) = Context::background().with_cancel();
    let (early, _deadline) = root.with_movable_deadline(Instant::now() + Duration::from_micros(50));
    let (below, _b) = early.with_cancel();
    below.after_func(|| ()).keep();
    while early.remaining() > Some(Duration::ZERO) {}
    cancel.cancel();
    assert_eq!((below.err(), root.err()), (EXPIRED, Some(Error::Canceled)));
}

#[test]
fn a_driver_expires_the_moved_deadline_and_not_the_old_one() {
    let driver = Driver::new();
    let start = Instant::now();
    let (ctx, deadline) = driver.attach(&Context::background()).with_movable_deadline(start + HOUR);
    deadline.move_to(start + 2 * HOUR);
    assert_eq!((driver.expire_due(start + HOUR), ctx.err()), (0, None));
    assert_eq!((driver.expire_due(start + 2 * HOUR), ctx.err()), (1, EXPIRED));
}

#[test]
fn a_deadline_further_out_stands() {
    let (clock, root) = clocked();
    let (outer, _outer) = root.with_timeout_cause(MINUTE, Cause::msg("outer"));
    let (ctx, deadline) = outer.with_movable_timeout(Duration::from_secs(1));
    assert!(deadline.move_after(HOUR));
    let copy = ctx.without_cancel_keeping_deadline();
    assert_eq!((ctx.remaining(), copy.remaining()), (Some(MINUTE), Some(MINUTE)));
    clock.advance(MINUTE);
    assert_eq!(ctx.cause().unwrap().to_string(), "outer");
}

#[test]
fn who_gives_up_the_right_to_move_keeps_the_right_to_cancel() {
    let (ctx, deadline) = Context::background().with_movable_timeout(HOUR);
    let shown = format!("{ctx:?}");
    // A busy machine may take some of the hour before it is shown.
    assert!(shown.starts_with("context.Background.WithDeadline([35"), "{shown}");
    let cancel = deadline.into_cancel();
    assert_eq!(ctx.err(), None);
    drop(cancel);
    assert_eq!(ctx.err(), Some(Error::Canceled));
}
