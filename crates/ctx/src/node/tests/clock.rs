//! The coarse clock before the exact one: never early, and how late at most.

use std::pin::pin;
use std::task::{Context as Task, Waker};
use std::time::Duration;

use crate::clock::{self, fake};
use crate::{Context, Error};

const MILLI: u64 = 1_000_000;
const SLACK: u64 = 100 * MILLI;
const START: u64 = 10_000 * MILLI;

/// Derives a context that has a minute, on a clock that stands at the start; returns its deadline too.
fn minute() -> (Context, crate::Cancel, u64) {
    fake::set(START, 0);
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_secs(60));
    (ctx, cancel, START + 60_000 * MILLI)
}

#[test]
fn a_deadline_is_never_early_whatever_the_coarse_clock_lags() {
    for lag in 0..=500 {
        let (ctx, _c, deadline) = minute();
        for before in [60_000 * MILLI, 600 * MILLI, SLACK, MILLI, 1] {
            fake::set(deadline - before, lag * MILLI);
            assert_eq!(ctx.err(), None, "{before} ns before, {lag} ms lag");
        }
    }
}

#[test]
fn a_deadline_is_late_by_what_the_coarse_clock_lags_beyond_the_slack_and_no_more() {
    for lag in 0..=500 {
        let (ctx, _c, deadline) = minute();
        let late = (lag * MILLI).saturating_sub(SLACK);
        if late > 0 {
            fake::set(deadline + late - 1, lag * MILLI);
            assert_eq!(ctx.err(), None, "{lag} ms lag: the exact clock was read for nothing");
        }
        fake::set(deadline + late, lag * MILLI);
        assert_eq!(ctx.err(), Some(Error::DeadlineExceeded), "{lag} ms lag");
    }
}

#[test]
fn the_exact_clock_is_read_only_when_the_deadline_is_near() {
    let (ctx, _c, deadline) = minute();
    fake::set(deadline - SLACK - 1, 0);
    let reads = fake::exact_reads();
    assert_eq!(ctx.err(), None);
    assert_eq!(fake::exact_reads(), reads);
    fake::set(deadline - SLACK, 0);
    assert_eq!(ctx.err(), None);
    assert_eq!(fake::exact_reads(), reads + 1);
}

#[test]
fn a_waiter_and_a_cancel_are_as_late_as_a_question() {
    for lag in [0, 90, 100, 101, 500] {
        let late = (lag * MILLI).saturating_sub(SLACK);
        let (waited, _w, deadline) = minute();
        let (canceled, cancel, _) = minute();
        fake::set(deadline + late, lag * MILLI);
        let done = pin!(waited.done(|_| std::future::pending::<()>()));
        assert!(done.poll(&mut Task::from_waker(Waker::noop())).is_ready(), "{lag} ms lag");
        cancel.cancel();
        assert_eq!(canceled.err(), Some(Error::DeadlineExceeded), "{lag} ms lag");
    }
}

#[test]
fn stamps_keep_instants_and_never_has_none() {
    let now = std::time::Instant::now();
    for at in [now, now + Duration::from_secs(1_000_000), now - Duration::from_secs(1)] {
        assert_eq!(clock::instant(clock::stamp(at)), Some(at));
    }
    assert_eq!(clock::instant(clock::NEVER), None);
    assert_eq!(clock::after(5, Duration::MAX), clock::NEVER);
}
