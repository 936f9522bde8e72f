//! Slots of a connection: the number of its requests that may work at once.
//!
//! A limit on streams counts a stream that was reset no more, though the work behind it may go on: rapid reset
//! (CVE-2023-44487) and MadeYouReset (CVE-2025-8671) start work without end that way. A slot is therefore held by the work.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

/// The slots of one connection.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    taken: Arc<AtomicUsize>,
}

/// One slot, taken until it is dropped: by the last of its request and of all its work.
#[derive(Debug)]
pub struct Slot {
    taken: Arc<AtomicUsize>,
}

impl Slots {
    /// Takes a slot, unless `most` are taken.
    #[must_use]
    pub fn take(&self, most: u32) -> Option<Slot> {
        let more = |taken| (taken < most as usize).then_some(taken + 1);
        self.taken.fetch_update(AcqRel, Relaxed, more).ok()?;
        Some(Slot { taken: self.taken.clone() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_is_dropped_and_no_sooner() {
        let slots = Slots::default();
        let (first, second) = (slots.take(2), slots.take(2));
        assert!(first.is_some() && second.is_some() && slots.take(2).is_none());
        drop(first);
        assert!(slots.take(2).is_some());
    }
}
