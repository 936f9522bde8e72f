//! The clocks of Linux, read without the arithmetic of `Instant`.
//!
//! An `Instant` is a reading of the system's monotonic clock, so one offset leads from that clock, and from its coarse
//! twin, to stamps.

use std::hash::{Hash, Hasher};
#[cfg(not(test))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::NANOS;
#[cfg(not(test))]
use super::{since, stamp};

/// The offset from the clocks to stamps; set before there is a stamp.
#[cfg(not(test))]
static OFFSET: AtomicU64 = AtomicU64::new(UNKNOWN);

/// With this offset every deadline seems near, so that the exact clock is read.
#[cfg(not(test))]
const UNKNOWN: u64 = 1 << 63;

/// Notes the offset, unless `Instant` is not what it is taken for: then it stays unknown.
#[cfg(not(test))]
pub(super) fn note_offset(epoch: Instant) {
    if let Some((instant, nanos)) = reading() {
        OFFSET.store(since(epoch, instant).wrapping_sub(nanos), Ordering::Relaxed);
    }
}

/// Reads the exact clock.
#[cfg(not(test))]
#[inline]
pub(crate) fn now() -> u64 {
    match OFFSET.load(Ordering::Relaxed) {
        UNKNOWN => stamp(Instant::now()),
        offset => nanos(ClockId::Monotonic).wrapping_add(offset),
    }
}

/// Reads the coarse clock.
#[cfg(not(test))]
#[inline]
pub(crate) fn coarse() -> u64 {
    nanos(ClockId::MonotonicCoarse).wrapping_add(OFFSET.load(Ordering::Relaxed))
}

/// Returns the present as an instant and as a reading of the monotonic clock; `None` if the two do not agree.
fn reading() -> Option<(Instant, u64)> {
    let before = nanos(ClockId::Monotonic);
    let instant = Instant::now();
    let after = nanos(ClockId::Monotonic);
    let mut fields = Fields(0);
    instant.hash(&mut fields);
    let reading = fields.finish();
    (before..=after).contains(&reading).then_some((instant, reading))
}

#[inline]
fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64).wrapping_mul(NANOS).wrapping_add(time.tv_nsec as u64)
}

/// Takes the seconds and the nanoseconds of an instant, which are all that it hashes.
struct Fields(u64);

impl Hasher for Fields {
    /// Fits nothing, so that the readings do not agree.
    fn write(&mut self, _: &[u8]) {
        self.0 = 0;
    }

    fn write_u32(&mut self, nanos: u32) {
        self.0 = self.0.wrapping_mul(NANOS).wrapping_add(nanos.into());
    }

    fn write_i64(&mut self, secs: i64) {
        self.0 = self.0.wrapping_mul(NANOS).wrapping_add(secs as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::reading;

    #[test]
    fn an_instant_is_a_reading_of_the_monotonic_clock() {
        assert!(reading().is_some());
    }
}
