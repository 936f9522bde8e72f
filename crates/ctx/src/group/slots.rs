//! A limit of concurrency: slots that members take in the order in which they were added to the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::task::Waker;

use super::Shared;
use crate::node::contain_each;
use crate::sync::lock;

/// The slots of a group, and who waits for one.
pub(super) struct Slots {
    /// At most this many members run at once.
    pub(super) limit: usize,
    /// Slots that are taken or handed over.
    taken: usize,
    /// Members that wait, by their number.
    waiting: BTreeMap<u64, Waker>,
    /// Members that were handed a slot, and were not polled since.
    handed: BTreeSet<u64>,
}

impl Default for Slots {
    fn default() -> Self {
        Self { limit: usize::MAX, taken: 0, waiting: BTreeMap::new(), handed: BTreeSet::new() }
    }
}

impl Slots {
    /// Gives a slot back, or hands it to the member that has waited longest, whose waker is returned.
    #[must_use]
    fn release(&mut self) -> Option<Waker> {
        if self.taken <= self.limit
            && let Some((number, waker)) = self.waiting.pop_first()
        {
            self.handed.insert(number);
            return Some(waker);
        }
        self.taken -= 1;
        None
    }
}

impl<T> Shared<T> {
    /// Takes a slot for the member of this number, or has `waker` woken when there is one.
    pub(super) fn take_slot(&self, number: u64, waker: &Waker) -> bool {
        let mut state = lock(&self.state);
        let slots = &mut state.slots;
        if slots.handed.remove(&number) {
            return true;
        }
        if slots.taken < slots.limit {
            slots.taken += 1;
            return true;
        }
        let old = slots.waiting.insert(number, waker.clone());
        drop(state);
        drop(old);
        false
    }

    /// Gives back the slot of a member that goes, or its place in the queue.
    pub(super) fn leave_slot(&self, number: u64, holds: bool) {
        let mut state = lock(&self.state);
        let slots = &mut state.slots;
        let own = slots.waiting.remove(&number);
        let next = if holds || slots.handed.remove(&number) { slots.release() } else { None };
        drop(state);
        contain_each(next, Waker::wake);
        contain_each(own, drop);
    }
}
