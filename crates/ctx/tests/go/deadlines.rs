//! Deadlines and timeouts.

use std::time::{Duration, Instant};

use ctx::{Cancel, Cause, Context, Error, ManualClock};

use crate::{CANCELED, EXCEEDED, HOUR, assert_ended, assert_live, is_done, unnoticed};

const NANO: Duration = Duration::from_nanos(1);

fn clocked() -> (ManualClock, Context) {
    let clock = ManualClock::new();
    let root = clock.attach(&Context::background());
    (clock, root)
}

#[test]
fn c25_a_deadline_ends_its_context_and_never_early() {
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_deadline(clock.now() + HOUR);
    clock.advance(HOUR - NANO);
    assert_live(&ctx);
    clock.advance(NANO);
    assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);

    let deadline = Instant::now() + Duration::from_millis(10);
    let (ctx, _c) = Context::background().with_deadline(deadline);
    assert_eq!(ctx.wait(), Error::DeadlineExceeded);
    assert!(Instant::now() >= deadline);
}

#[test]
fn c26_a_deadline_in_the_past_or_now_makes_a_context_that_is_born_ended() {
    let now = Instant::now();
    for deadline in [now - Duration::from_millis(1), now] {
        let (ctx, _c) = Context::background().with_deadline(deadline);
        assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);
    }
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_deadline(clock.now());
    assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);
}

#[test]
fn c27_a_timeout_of_zero_makes_a_context_that_is_born_ended() {
    let (ctx, _c) = Context::background().with_timeout(Duration::ZERO);
    assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);
}

#[test]
fn c28_a_timeout_is_a_deadline_counted_from_now() {
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_timeout(HOUR);
    assert_eq!(ctx.deadline(), Some(clock.now() + HOUR));
    assert_eq!(ctx.remaining(), Some(HOUR));
    assert!(format!("{ctx:?}").ends_with(".WithDeadline([3600s])"), "{ctx:?}");
}

#[test]
fn c29_the_parents_earlier_deadline_rules() {
    let (clock, root) = clocked();
    let (parent, _p) = root.with_timeout(Duration::from_secs(1));
    let wrapped = parent.with_value(1_u8);
    let (child, _c) = wrapped.with_timeout(Duration::from_secs(2));
    assert_eq!(child.deadline(), parent.deadline());
    clock.advance(Duration::from_secs(1));
    assert_ended(&child, Error::DeadlineExceeded, EXCEEDED);
    assert_eq!(clock.next_deadline(), None, "a second timer was armed");
}

#[test]
fn c30_an_earlier_child_ends_first_and_alone() {
    let (clock, root) = clocked();
    let (parent, _p) = root.with_timeout(Duration::from_secs(2));
    let (child, _c) = parent.with_timeout(Duration::from_secs(1));
    clock.advance(Duration::from_secs(1));
    assert_ended(&child, Error::DeadlineExceeded, EXCEEDED);
    assert_live(&parent);

    // Nobody notices either, and the parent is asked first.
    let (parent, child, _handles) = unnoticed(|early, late| {
        let (parent, p) = Context::background().with_deadline_cause(late, Cause::msg("parent"));
        let (child, c) = parent.with_deadline_cause(early, Cause::msg("child"));
        (parent, child, (p, c))
    });
    assert_ended(&parent, Error::DeadlineExceeded, "parent");
    assert_ended(&child, Error::DeadlineExceeded, "child");
}

#[test]
fn c31_on_a_tie_the_parents_deadline_and_cause_rule() {
    let (clock, root) = clocked();
    let deadline = clock.now() + HOUR;
    let (parent, _p) = root.with_deadline_cause(deadline, Cause::msg("parent"));
    let (child, _c) = parent.with_deadline_cause(deadline, Cause::msg("child"));
    clock.advance(HOUR);
    assert_ended(&child, Error::DeadlineExceeded, "parent");
}

#[test]
fn c32_a_cancel_before_the_deadline_is_a_cancel() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_timeout(HOUR);
    cancel.cancel();
    clock.advance(HOUR);
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c33_a_cancel_after_the_deadline_changes_nothing() {
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_nanos(1));
    assert_eq!(ctx.wait(), Error::DeadlineExceeded);
    cancel.cancel();
    assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);

    // The same when the cancel is the first to look.
    type Cut = fn(Cancel);
    let cuts: [Cut; 3] = [|cancel| cancel.cancel(), |cancel| cancel.cancel_cause(Cause::msg("late")), drop];
    for cut in cuts {
        let (ctx, cancel) =
            unnoticed(|at, _| Context::background().with_deadline_cause(at, Cause::msg("deadline")));
        cut(cancel);
        assert_ended(&ctx, Error::DeadlineExceeded, "deadline");
    }
}

#[test]
fn c34_a_canceled_parent_ends_a_timer_child_which_keeps_its_deadline() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_timeout(HOUR);
    let deadline = child.deadline();
    cancel.cancel();
    assert_ended(&child, Error::Canceled, CANCELED);
    assert!(deadline.is_some() && child.deadline() == deadline);
}

#[test]
fn c35_a_plain_child_of_an_expired_parent_has_its_kind_and_cause() {
    let (clock, root) = clocked();
    let (parent, _p) = root.with_timeout_cause(HOUR, Cause::msg("too slow"));
    let (child, _c) = parent.with_cancel();
    clock.advance(HOUR);
    assert_ended(&child, Error::DeadlineExceeded, "too slow");
}

#[test]
fn c36_an_expired_child_of_a_canceled_parent_is_canceled() {
    let (parent, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("gone"));
    let (child, _c) = parent.with_timeout(Duration::ZERO);
    assert_ended(&child, Error::Canceled, "gone");

    // The same when the parent has expired and nobody has noticed.
    let (parent, _p) = unnoticed(|at, _| Context::background().with_deadline_cause(at, Cause::msg("parent")));
    let past = Instant::now() - Duration::from_secs(1);
    let (child, _c) = parent.with_deadline_cause(past, Cause::msg("child"));
    assert_ended(&child, Error::DeadlineExceeded, "parent");
    assert_eq!(child.deadline(), Some(past));
}

#[test]
fn c37_the_deadline_stays_the_same_after_the_end() {
    let (ctx, cancel) = Context::background().with_timeout(HOUR);
    let deadline = ctx.deadline();
    assert_eq!(ctx.deadline(), deadline);
    cancel.cancel();
    assert_eq!(ctx.deadline(), deadline);
}

#[test]
fn c40_the_kinds_have_gos_texts_and_only_one_is_a_timeout() {
    assert_eq!(Error::DeadlineExceeded.to_string(), EXCEEDED);
    assert!(Error::DeadlineExceeded.is_timeout());
    assert_eq!(std::io::Error::from(Error::DeadlineExceeded).kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(Error::Canceled.to_string(), CANCELED);
    assert!(!Error::Canceled.is_timeout());
}

#[test]
fn c41_a_child_can_shorten_the_deadline_and_not_extend_it() {
    let (parent, _p) = Context::background().with_timeout(Duration::from_secs(60));
    let (longer, _l) = parent.with_timeout(HOUR);
    let (shorter, _s) = parent.with_timeout(Duration::from_secs(1));
    assert_eq!(longer.deadline(), parent.deadline());
    assert!(shorter.deadline() < parent.deadline());
    assert!(!is_done(&longer));
}
