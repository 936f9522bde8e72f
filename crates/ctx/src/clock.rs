//! The system's monotonic clock as one integer, and the question whether a deadline has passed.
//!
//! Reading the exact clock costs five to ten times as much as the rest of a question. So a coarse clock is read
//! first, where the system has one, and the exact one only when the deadline is near: within [`SLACK`] of it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
mod linux;

#[cfg(all(target_os = "linux", not(test)))]
use linux::coarse;
#[cfg(all(target_os = "linux", not(test)))]
pub(crate) use linux::now;

/// No deadline: later than everything.
pub(crate) const NEVER: u64 = u64::MAX;

/// The distance to a deadline within which the exact clock is read.
///
/// A coarse clock shows the last tick of the system, a few milliseconds ago. It lags further where a virtual
/// processor is stolen, without a bound. What it lags beyond this is how late a passed deadline is noticed.
const SLACK: u64 = 100_000_000;

const NANOS: u64 = 1_000_000_000;

/// Returns where the count of nanoseconds begins: a hundred years back, or as far as the system's clock goes.
#[inline]
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(|| {
        let now = Instant::now();
        let years = (0..64).find_map(|half| now.checked_sub(Duration::from_secs(3_155_760_000 >> half)));
        let instant = years.unwrap_or(now);
        #[cfg(all(target_os = "linux", not(test)))]
        linux::note_offset(instant);
        instant
    })
}

/// Returns the nanoseconds from the epoch to `at`: zero for what was before, `NEVER` for what is too far.
#[inline]
pub(crate) fn stamp(at: Instant) -> u64 {
    since(epoch(), at)
}

/// Returns the instant of a stamp; `NEVER` has none.
pub(crate) fn instant(stamp: u64) -> Option<Instant> {
    if stamp == NEVER { None } else { epoch().checked_add(Duration::from_nanos(stamp)) }
}

/// Adds a duration; beyond the range it is `NEVER`.
#[inline]
pub(crate) fn after(stamp: u64, by: Duration) -> u64 {
    stamp.saturating_add(count(by))
}

#[inline]
fn since(epoch: Instant, at: Instant) -> u64 {
    count(at.saturating_duration_since(epoch))
}

#[inline]
fn count(by: Duration) -> u64 {
    by.as_secs().saturating_mul(NANOS).saturating_add(u64::from(by.subsec_nanos()))
}

/// Reads the exact clock.
#[cfg(all(not(target_os = "linux"), not(test)))]
pub(crate) fn now() -> u64 {
    stamp(Instant::now())
}

/// Tells that there is no coarse clock, so that the exact one is read.
#[cfg(all(not(target_os = "linux"), not(test)))]
fn coarse() -> u64 {
    NEVER
}

/// Returns the present if `deadline` has passed; never early, and late by no more than the coarse clock lags
/// beyond the slack.
pub(crate) fn passed(deadline: u64) -> Option<u64> {
    if is_near(deadline) { passed_exactly(deadline) } else { None }
}

/// Tells whether `deadline` is no further away than the slack, by the coarse clock. Kept apart, so that whoever asks
/// keeps few registers for it.
#[inline(never)]
pub(crate) fn is_near(deadline: u64) -> bool {
    deadline.saturating_sub(SLACK) <= coarse()
}

/// Returns the present if `deadline` has passed, by the exact clock.
pub(crate) fn passed_exactly(deadline: u64) -> Option<u64> {
    let now = now();
    (deadline <= now).then_some(now)
}

#[cfg(test)]
pub(crate) use fake::{coarse, now};

/// A clock of each test's own thread, which stands still until it is set.
#[cfg(test)]
pub(crate) mod fake {
    use std::cell::Cell;
    use std::time::Instant;

    thread_local! {
        static SET: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
        static READS: Cell<usize> = const { Cell::new(0) };
    }

    /// Sets the time that the exact clock shows, and by how much the coarse one lags.
    pub(crate) fn set(exact: u64, lag: u64) {
        SET.set(Some((exact, exact - lag)));
    }

    /// Counts how often the exact clock was read on this thread.
    pub(crate) fn exact_reads() -> usize {
        READS.get()
    }

    pub(crate) fn now() -> u64 {
        READS.set(READS.get() + 1);
        SET.get().map_or_else(|| super::stamp(Instant::now()), |(exact, _)| exact)
    }

    pub(crate) fn coarse() -> u64 {
        SET.get().map_or(super::NEVER, |(_, coarse)| coarse)
    }
}
