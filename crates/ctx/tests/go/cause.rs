//! Causes: the table of Go's own test, with the outcome of the inner context.

use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error};

use crate::{CANCELED, EXCEEDED, HOUR, assert_ended, assert_live, is_done, unnoticed};

fn pair() -> (Context, Cancel, Context, Cancel) {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (child, cancel_child) = parent.with_cancel();
    (parent, cancel_parent, child, cancel_child)
}

#[test]
fn c49_a_plain_cancel_is_its_own_cause() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    assert_ended(&ctx, Error::Canceled, CANCELED);
    assert_eq!(ctx.cause().unwrap().downcast_ref::<Error>(), Some(&Error::Canceled));
}

#[test]
fn c50_a_cancel_with_a_cause_shows_it() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("X"));
    assert_ended(&ctx, Error::Canceled, "X");
}

#[test]
fn c51_the_error_itself_given_as_cause_is_as_no_cause() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Error::Canceled);
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c52_parent_with_cause_then_child_with_cause_is_the_parents() {
    let (_p, parent, child, cancel) = pair();
    parent.cancel_cause(Cause::msg("X"));
    cancel.cancel_cause(Cause::msg("Y"));
    assert_ended(&child, Error::Canceled, "X");
}

#[test]
fn c53_child_with_cause_then_parent_with_cause_is_each_its_own() {
    let (p, parent, child, cancel) = pair();
    cancel.cancel_cause(Cause::msg("Y"));
    parent.cancel_cause(Cause::msg("X"));
    assert_ended(&child, Error::Canceled, "Y");
    assert_ended(&p, Error::Canceled, "X");
}

#[test]
fn c54_parent_with_cause_then_child_plain_is_the_parents() {
    let (_p, parent, child, cancel) = pair();
    parent.cancel_cause(Cause::msg("X"));
    cancel.cancel();
    assert_ended(&child, Error::Canceled, "X");
}

#[test]
fn c55_child_plain_then_parent_with_cause_stays_plain() {
    let (_p, parent, child, cancel) = pair();
    cancel.cancel();
    parent.cancel_cause(Cause::msg("X"));
    assert_ended(&child, Error::Canceled, CANCELED);
}

#[test]
fn c56_parent_plain_then_child_with_cause_stays_plain() {
    let (_p, parent, child, cancel) = pair();
    parent.cancel();
    cancel.cancel_cause(Cause::msg("Y"));
    assert_ended(&child, Error::Canceled, CANCELED);
}

#[test]
fn c57_child_with_cause_then_parent_plain_is_the_childs() {
    let (_p, parent, child, cancel) = pair();
    cancel.cancel_cause(Cause::msg("Y"));
    parent.cancel();
    assert_ended(&child, Error::Canceled, "Y");
}

#[test]
fn c58_a_timeout_is_its_own_cause_whoever_cancels_later() {
    let (ctx, cancel) = Context::background().with_timeout(Duration::ZERO);
    cancel.cancel();
    assert_ended(&ctx, Error::DeadlineExceeded, EXCEEDED);
}

#[test]
fn c59_a_cancel_before_the_timeout_is_its_own_cause() {
    let (ctx, cancel) = Context::background().with_timeout(HOUR);
    cancel.cancel();
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c60_a_timeout_with_a_cause_shows_it() {
    let (ctx, cancel) = Context::background().with_timeout_cause(Duration::ZERO, Cause::msg("S"));
    cancel.cancel();
    assert_ended(&ctx, Error::DeadlineExceeded, "S");
}

#[test]
fn c61_a_cancel_does_not_use_the_timeouts_cause() {
    let (ctx, cancel) = Context::background().with_timeout_cause(HOUR, Cause::msg("S"));
    cancel.cancel();
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c62_a_child_that_timed_out_keeps_its_cause_under_a_canceled_parent() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_timeout_cause(Duration::ZERO, Cause::msg("S"));
    cancel.cancel_cause(Cause::msg("F"));
    assert_ended(&child, Error::DeadlineExceeded, "S");

    // The same when nobody has noticed the timeout, whether or not somebody waits for the child.
    for waited in [false, true] {
        let (_parent, cancel, child, _c) = unnoticed(|at, _| {
            let (parent, cancel) = Context::background().with_cancel();
            let (child, c) = parent.with_deadline_cause(at, Cause::msg("S"));
            assert!(!waited || !is_done(&child));
            (parent, cancel, child, c)
        });
        cancel.cancel_cause(Cause::msg("F"));
        assert_ended(&child, Error::DeadlineExceeded, "S");
    }
}

#[test]
fn c63_a_live_timer_child_takes_the_parents_cause() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_timeout_cause(HOUR, Cause::msg("S"));
    cancel.cancel_cause(Cause::msg("F"));
    assert_ended(&child, Error::Canceled, "F");
}

#[test]
fn c64_a_detached_context_has_no_cause() {
    let (canceled, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("X"));
    let (expired, _c) = Context::background().with_timeout(Duration::ZERO);
    for ctx in [Context::background(), canceled, expired] {
        assert_live(&ctx.without_cancel());
    }
}

#[test]
fn c65_the_cause_of_a_deadline_that_cannot_come_first_is_dropped() {
    let (parent, _p) =
        Context::background().with_timeout_cause(Duration::from_nanos(1), Cause::msg("parent"));
    let (child, _c) = parent.with_timeout_cause(HOUR, Cause::msg("child"));
    child.wait();
    assert_ended(&child, Error::DeadlineExceeded, "parent");
}

#[test]
fn c66_kind_and_cause_are_both_there_and_apart() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(std::io::Error::other("disk"));
    assert_eq!(ctx.err(), Some(Error::Canceled));
    let cause = ctx.cause().unwrap();
    assert!(cause.is::<std::io::Error>() && !cause.is::<Error>());
}

#[test]
fn c67_a_live_context_has_no_cause_and_the_first_one_stays() {
    let (parent, cancel_parent, child, cancel) = pair();
    assert!(child.cause().is_none());
    cancel_parent.cancel_cause(Cause::msg("first"));
    cancel.cancel_cause(Cause::msg("second"));
    assert_ended(&child, Error::Canceled, "first");
    assert_ended(&parent, Error::Canceled, "first");
}
