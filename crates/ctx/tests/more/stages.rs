//! A hard cancel after a soft one, a reserve before the deadline, the current context, and numbers.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

use super::{HOUR, clocked, never, poll};
use ctx::{Context, Error};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_hard_context_survives_every_soft_end_and_no_hard_one() {
    let (parent, stop) = Context::background().with_value(7_u8).with_cancel();
    let (outer, outer_cancel) = parent.with_hard_cancel();
    let (inner, inner_cancel) = outer.with_hard_cancel();
    let (below, _below) = inner.with_cancel();
    stop.cancel();
    assert_eq!((inner.err(), below.err()), (Some(Error::Canceled), Some(Error::Canceled)));
    assert_eq!((inner.hard().err(), inner.hard().value()), (None, Some(&7_u8)));
    outer_cancel.cancel_hard();
    assert_eq!(below.hard().err(), Some(Error::Canceled));
    drop(inner_cancel);
}

#[test]
fn the_second_cancel_is_hard_and_a_grace_ends_by_itself() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_hard_cancel();
    cancel.cancel_next();
    assert_eq!((ctx.err(), ctx.hard().err()), (Some(Error::Canceled), None));
    cancel.cancel_next();
    assert_eq!(ctx.hard().err(), Some(Error::Canceled));
    let (ctx, cancel) = root.with_hard_cancel();
    cancel.cancel_within(SECOND);
    let hard = ctx.hard();
    let mut cleanup = pin!(hard.run(pending::<()>(), never));
    assert!(poll(cleanup.as_mut()).is_pending());
    clock.advance(SECOND);
    assert_eq!(poll(cleanup), std::task::Poll::Ready(Err(Error::DeadlineExceeded)));
}

#[test]
fn a_hard_cancel_that_is_dropped_ends_both_and_a_context_without_one_is_its_own() {
    let (ctx, cancel) = Context::background().with_hard_cancel();
    drop(cancel);
    assert_eq!((ctx.err(), ctx.hard().err()), (Some(Error::Canceled), Some(Error::Canceled)));
    let (plain, cancel) = Context::background().with_cancel();
    cancel.cancel();
    assert_eq!(plain.hard().err(), Some(Error::Canceled));
}

#[test]
fn a_reserve_is_kept_and_a_deadline_that_is_nearer_than_it_leaves_no_time() {
    let (clock, root) = clocked();
    let (request, _request) = root.with_timeout(HOUR);
    let (query, _query) = request.with_reserve(SECOND);
    clock.advance(HOUR - SECOND);
    assert_eq!((query.err(), request.err()), (Some(Error::DeadlineExceeded), None));
    assert_eq!(request.with_reserve(2 * SECOND).0.err(), Some(Error::DeadlineExceeded));
    assert_eq!(root.with_reserve(SECOND).0.deadline(), None);
}

#[test]
fn the_current_context_is_that_of_the_innermost_poll_and_goes_with_it() {
    let number = || Context::current().value::<u8>().copied();
    let root = Context::background();
    let mut outer = pin!(root.with_value(1_u8).as_current(async {
        let before = number();
        let inside = root.with_value(2_u8).as_current(async { number() }).await;
        (before, inside, number(), root.with_value(3_u8).enter(number))
    }));
    assert_eq!(poll(outer.as_mut()), std::task::Poll::Ready((Some(1), Some(2), Some(1), Some(3))));
    assert_eq!(number(), None);
    let panicking = catch_unwind(AssertUnwindSafe(|| {
        root.with_value(4_u8).enter(|| panic!("this panic is part of the test"));
    }));
    assert!(panicking.is_err());
    assert_eq!(number(), None);
    assert_eq!(poll(pin!(root.as_current(ready(5)))), std::task::Poll::Ready(5));
}

#[test]
fn numbers_differ_and_the_nearest_counts() {
    let (one, two) = (Context::background().with_id(), Context::background().with_id());
    assert_ne!(one.id(), two.id());
    assert_eq!((one.with_cancel().0.id(), Context::background().id()), (one.id(), None));
    assert_ne!(one.with_id().id(), one.id());
}
