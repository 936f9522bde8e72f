//! Contexts with several parents.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error, Foreign, ManualClock, OnEnd};

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
    let (below, _d) = merged.with_cancel();
    below.after_func(|| ()).keep();
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

#[test]
fn a_deadline_on_another_clock_ends_a_merged_context_by_that_clock_alone() {
    let (clock, root) = clocked();
    let (manual, _m) = root.with_timeout(Duration::from_nanos(1));
    let (plain, _p) = Context::background().with_cancel();
    let (merged, _both) = Context::merge([&plain, &manual]);
    // The system's clock has long passed the nanosecond that the other clock has yet to show.
    assert_eq!((merged.deadline(), merged.err()), (None, None));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(merged.err(), Some(Error::DeadlineExceeded));

    let other = ManualClock::new();
    let (fast, _f) = other.attach(&Context::background()).with_timeout(Duration::from_nanos(1));
    let (slow, _s) = root.with_timeout(HOUR);
    let (merged, _both) = Context::merge([&slow, &fast]);
    assert_eq!(merged.deadline(), slow.deadline());
    clock.advance(Duration::from_secs(1));
    assert_eq!(merged.err(), None);
    other.advance(Duration::from_nanos(1));
    assert_eq!(merged.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn a_deadline_above_a_manual_clock_stays_the_systems() {
    let (timed, cancel) = Context::background().with_timeout(HOUR);
    let clock = ManualClock::new();
    let root = clock.attach(&timed);
    let (ctx, _c) = root.with_timeout(2 * HOUR);
    assert_eq!(ctx.remaining(), Some(2 * HOUR), "the other clock's deadline is no earlier one");
    clock.advance(HOUR + HOUR / 2);
    assert_eq!((timed.err(), ctx.err()), (None, None));
    clock.advance(HOUR);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
    let (late, _l) = root.with_cancel();
    cancel.cancel();
    assert_eq!(late.err(), Some(Error::Canceled));
}

#[test]
fn of_several_ended_contexts_the_first_in_the_list_counts() {
    let ended = |cause: &'static str| {
        let (ctx, cancel) = Context::background().with_timeout(HOUR);
        cancel.cancel_cause(Cause::msg(cause));
        ctx
    };
    let (live, _l) = Context::background().with_cancel();
    let (a, b) = (ended("a"), ended("b"));
    let (merged, _m) = Context::merge([&live, &b, &a]);
    assert_eq!(merged.cause().unwrap().to_string(), "b");
    assert_eq!(live.registered(), 0);
}

/// Runs on a stack that holds some hundred calls and no more.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread =
        thread::Builder::new().stack_size(128 * 1024).spawn(run).expect("the system has threads left");
    thread.join().expect("the stack was large enough, and nothing panicked");
}

/// A context seen through its callbacks alone.
struct Opaque(Context);

impl Foreign for Opaque {
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send> {
        let ctx = self.0.clone();
        let stop = self.0.after_func(move || {
            if let Some(error) = ctx.err() {
                callback(error, ctx.cause());
            }
        });
        Box::new(move || _ = stop.stop())
    }
}

/// Derives a context from the last one in some way that keeps the last one alive.
type Chain = fn(&Context) -> (Context, Cancel);

const CHAINS: [(&str, Chain); 4] = [
    ("merged first", |last| Context::merge([last, &Context::background().with_value(1_u8)])),
    ("merged second", |last| {
        let (other, cancel) = Context::background().with_cancel();
        cancel.keep();
        Context::merge([&other, last])
    }),
    ("foreign", |last| Context::background().with_foreign(&Opaque(last.clone()))),
    ("captured", |last| {
        let (ctx, cancel) = Context::background().with_cancel();
        let last = last.clone();
        ctx.after_func(move || drop(last)).keep();
        (ctx, cancel)
    }),
];

#[test]
fn chains_of_every_kind_are_asked_and_dropped_on_a_small_stack() {
    for (name, chain) in CHAINS {
        on_a_small_stack(move || {
            let witness = Arc::new(());
            let (mut last, cancel) = Context::background().with_value(witness.clone()).with_cancel();
            cancel.keep();
            for _ in 0..20_000 {
                let (next, handle) = chain(&last);
                handle.keep();
                last = next;
            }
            assert_eq!(last.err(), None);
            drop(last);
            assert_eq!(Arc::strong_count(&witness), 1, "{name}");
        });
    }
}

#[test]
fn a_chain_of_merged_contexts_ends_at_a_deadline_on_a_small_stack() {
    on_a_small_stack(|| {
        let (root, _r) =
            Context::background().with_timeout_cause(Duration::from_millis(20), Cause::msg("slow"));
        let mut last = root;
        for _ in 0..20_000 {
            let (other, cancel) = Context::background().with_cancel();
            cancel.keep();
            let (next, handle) = Context::merge([&other, &last]);
            handle.keep();
            last = next;
        }
        assert_eq!(last.wait(), Error::DeadlineExceeded);
        assert_eq!(last.cause().unwrap().to_string(), "slow");
    });
}
