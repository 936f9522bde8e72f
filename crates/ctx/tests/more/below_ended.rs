//! Contexts derived below one that has ended: they end as it did, and keep all else that a context has.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use ctx::{Cause, Context, Error};

use crate::asking::{count_calls, unnoticed};
use crate::{HOUR, never, poll};

/// Derives a context, with a value and a cause, that has ended.
fn canceled() -> Context {
    let (ctx, cancel) = Context::background().with_value(1_u8).with_cancel();
    cancel.cancel_cause(Cause::msg("signal 15"));
    ctx
}

#[test]
fn it_has_the_end_the_cause_and_the_values_of_its_parent() {
    let (ctx, cancel) = canceled().with_value(2_u16).with_cancel();
    let inner = ctx.with_value(3_u32);
    cancel.cancel_cause(Cause::msg("too late"));
    drop(cancel);
    for ctx in [&ctx, &inner, &inner.with_cancel().0] {
        assert_eq!(ctx.err(), Some(Error::Canceled));
        assert_eq!(ctx.cause().unwrap().to_string(), "signal 15");
        assert_eq!((ctx.value(), ctx.value()), (Some(&1_u8), Some(&2_u16)));
        assert_eq!((ctx.registered(), ctx.waiters(), ctx.descendants()), (0, 0, 0));
        assert_eq!(ctx.deadline(), None);
    }
    assert_eq!((ctx.value::<u32>(), inner.value::<u32>()), (None, Some(&3)));
    assert_eq!(ctx.without_cancel().err(), None);
}

#[test]
fn it_waits_for_nothing_and_calls_back_at_once() {
    let (ctx, _cancel) = canceled().with_cancel();
    assert_eq!(poll(pin!(ctx.done(never))), Poll::Ready(Error::Canceled));
    assert_eq!(ctx.wait(), Error::Canceled);
    let (calls, stop) = count_calls(&ctx);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(!stop.stop());
}

#[test]
fn it_reports_the_deadline_it_was_given_or_else_its_parents() {
    let deadline = Instant::now() + HOUR;
    let (parent, cancel) = Context::background().with_deadline(deadline);
    cancel.cancel();
    let (ctx, _c) = parent.with_cancel();
    assert_eq!(ctx.deadline(), Some(deadline));
    let (later, _c) = ctx.with_deadline(deadline + HOUR);
    assert_eq!(later.deadline(), Some(deadline));
    let (earlier, _c) = ctx.with_deadline(deadline - Duration::from_secs(1));
    assert_eq!(earlier.deadline(), Some(deadline - Duration::from_secs(1)));
    assert_eq!((later.err(), earlier.err()), (Some(Error::Canceled), Some(Error::Canceled)));
}

#[test]
fn debug_shows_each_of_a_long_chain_on_both_sides_of_a_value() {
    for (outer, inner) in [(0, 0), (1, 2), (2046, 2047), (2048, 5000)] {
        let derive = |ctx: Context, count| (0..count).fold(ctx, |ctx, _| ctx.with_cancel().0);
        let ctx = derive(derive(canceled(), outer).with_value(2_u16), inner);
        let (before, after) = (".WithCancel".repeat(outer), ".WithCancel".repeat(inner));
        let all = format!("context.Background.WithValue(u8).WithCancel{before}.WithValue(u16){after}");
        // Not by `assert_eq`, which would print both.
        assert!(format!("{ctx:?}") == all, "{outer} before the value, {inner} after it");
        assert_eq!(ctx.err(), Some(Error::Canceled));
    }
}

#[test]
fn its_cancel_notifies_whoever_a_question_has_left_above() {
    let (parent, _cancel, (calls, _stop)) = unnoticed(count_calls);
    assert_eq!(parent.err(), Some(Error::DeadlineExceeded));
    let (ctx, cancel) = parent.with_cancel();
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    drop(cancel);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
