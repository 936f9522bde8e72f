//! Contexts with several parents.

use std::time::Duration;

use ctx::{Cause, Context, Error};

use crate::{HOUR, clocked};

#[test]
fn a_merged_context_takes_kind_and_cause_of_the_winner() {
    let (clock, root) = clocked();
    let (canceled, cancel) = root.with_cancel();
    let (timed, _t) = root.with_timeout_cause(HOUR, Cause::msg("slow"));
    let (first, _f) = Context::merge([&canceled, &timed]);
    assert_eq!(first.deadline(), timed.deadline());
    clock.advance(HOUR);
    cancel.cancel_cause(Cause::msg("late"));
    assert_eq!(first.err(), Some(Error::DeadlineExceeded));
    assert_eq!(first.cause().map(|cause| cause.to_string()).as_deref(), Some("slow"));
}

#[test]
fn a_merged_context_is_exact_about_a_deadline_that_nobody_watches() {
    let (plain, _p) = Context::background().with_cancel();
    let (timed, _t) = Context::background().with_timeout_cause(Duration::from_millis(2), Cause::msg("slow"));
    let (merged, _m) = Context::merge([&plain, &timed]);
    assert_eq!(merged.wait(), Error::DeadlineExceeded);
    assert_eq!(merged.cause().map(|cause| cause.to_string()).as_deref(), Some("slow"));
    assert_eq!(plain.err(), None);
}

#[test]
fn a_merged_context_leaves_all_its_parents_when_it_goes() {
    let (a, _a) = Context::background().with_cancel();
    let (b, _b) = Context::background().with_cancel();
    let (merged, cancel) = Context::merge([&a, &b]);
    assert_eq!((a.registered(), b.registered()), (1, 1));
    cancel.cancel();
    assert_eq!((a.registered(), b.registered()), (0, 0));
    let (kept, cancel) = Context::merge([&a, &b]);
    cancel.keep();
    drop((merged, kept));
    assert_eq!((a.registered(), b.registered()), (0, 0));
}

#[test]
fn merging_with_an_ended_context_gives_an_ended_one() {
    let (live, _l) = Context::background().with_cancel();
    let (ended, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("gone"));
    let (merged, _m) = Context::merge([&live, &ended]);
    assert_eq!(merged.cause().map(|cause| cause.to_string()).as_deref(), Some("gone"));
    assert_eq!(live.registered(), 0);
    assert_eq!(Context::merge([]).0.err(), None);
}

#[test]
fn a_merged_context_counts_once_whatever_ways_lead_to_it() {
    let (root, _r) = Context::background().with_cancel();
    let (a, _a) = root.with_cancel();
    let (b, _b) = root.with_cancel();
    let (merged, _m) = Context::merge([&a, &b, &root]);
    let (_below, _d) = merged.with_cancel();
    assert_eq!((root.descendants(), a.descendants(), b.descendants()), (4, 2, 2));
}

#[test]
fn diamonds_upon_diamonds_are_counted_in_no_time() {
    let (root, _r) = Context::background().with_cancel();
    let mut kept = Vec::new();
    let mut last = root.clone();
    for _ in 0..64 {
        let (left, _l) = last.with_cancel();
        let (right, _r) = last.with_cancel();
        let (merged, _m) = Context::merge([&left, &right]);
        kept.push((_l, _r, _m));
        last = merged;
    }
    assert_eq!(root.descendants(), 3 * 64);
}
