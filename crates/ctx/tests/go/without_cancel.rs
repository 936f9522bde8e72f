//! Detaching.

use std::time::Duration;

use ctx::{Context, Error, ManualClock};

use crate::{CANCELED, EXCEEDED, HOUR, assert_ended, assert_live};

#[test]
fn c82_a_detached_context_keeps_only_the_values() {
    let (parent, _p) = Context::background().with_value(7_u8).with_timeout(HOUR);
    let detached = parent.without_cancel();
    assert_live(&detached);
    assert_eq!(detached.deadline(), None);
    assert_eq!(detached.value::<u8>(), Some(&7));
}

#[test]
fn c83_a_detached_context_outlives_its_parent_whenever_that_ends() {
    let (parent, cancel) = Context::background().with_cancel();
    let before = parent.without_cancel();
    cancel.cancel();
    assert_live(&before);
    assert_live(&parent.without_cancel());
}

#[test]
fn c84_children_of_a_detached_context_end_on_their_own() {
    let (parent, cancel) = Context::background().with_cancel();
    let detached = parent.without_cancel();
    let (child, cancel_child) = detached.with_cancel();
    let (timed, _t) = detached.with_timeout(Duration::ZERO);
    cancel.cancel();
    assert_live(&child);
    assert_ended(&timed, Error::DeadlineExceeded, EXCEEDED);
    cancel_child.cancel();
    assert_ended(&child, Error::Canceled, CANCELED);
}

#[test]
fn c85_detaching_drops_the_deadline_unless_it_is_asked_to_keep_it() {
    let clock = ManualClock::new();
    let (parent, cancel) = clock.attach(&Context::background()).with_timeout(HOUR);
    assert_eq!(parent.without_cancel().deadline(), None);
    let kept = parent.without_cancel_keeping_deadline();
    assert_eq!(kept.deadline(), parent.deadline());
    cancel.cancel();
    assert_live(&kept);
    clock.advance(HOUR);
    assert_ended(&kept, Error::DeadlineExceeded, EXCEEDED);
}
