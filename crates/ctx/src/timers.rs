//! Deadlines in order, for those who watch them: a driver, or a clock turned by hand.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use crate::node::Node;
use crate::slab::Slab;
use crate::sync::{Mutex, lock};

/// Lists every deadline set below the context it is attached to.
pub(crate) struct Timers {
    heap: Mutex<Heap>,
}

/// The value of the layer that attaches [`Timers`] to a context.
pub(crate) struct Watched(pub(crate) Arc<Timers>);

struct Heap {
    /// The time on a clock turned by hand.
    manual: Option<Instant>,
    entries: BinaryHeap<Reverse<Entry>>,
    /// Breaks ties between equal deadlines: first set, first ended.
    next: u64,
    /// At this many entries the dead ones are swept out: removal costs nothing until then.
    sweep_at: usize,
    /// Wakes those who sleep until the earliest deadline; a driver may run more than once.
    runners: Slab<Option<Waker>>,
}

struct Entry {
    at: Instant,
    order: u64,
    node: Weak<Node>,
}

const SMALLEST_SWEEP: usize = 64;

impl Timers {
    pub(crate) fn new(manual: Option<Instant>) -> Arc<Self> {
        let heap = Heap {
            manual,
            entries: BinaryHeap::new(),
            next: 0,
            sweep_at: SMALLEST_SWEEP,
            runners: Slab::default(),
        };
        Arc::new(Self { heap: Mutex::new(heap) })
    }

    /// Returns the time on this clock.
    pub(crate) fn now(&self) -> Instant {
        lock(&self.heap).manual.unwrap_or_else(Instant::now)
    }

    /// Tells whether the clock is turned by hand.
    pub(crate) fn is_manual(&self) -> bool {
        lock(&self.heap).manual.is_some()
    }

    /// Lists a deadline; one that has passed ends its node at once.
    pub(crate) fn add(&self, at: Instant, node: &Arc<Node>) {
        let mut heap = lock(&self.heap);
        if at <= heap.manual.unwrap_or_else(Instant::now) {
            drop(heap);
            node.expire();
            return;
        }
        if heap.entries.len() >= heap.sweep_at {
            heap.entries.retain(|Reverse(entry)| entry.node.strong_count() > 0);
            heap.sweep_at = SMALLEST_SWEEP.max(heap.entries.len() * 2);
        }
        let earliest = heap.entries.peek().is_none_or(|Reverse(first)| at < first.at);
        let order = heap.next;
        heap.next += 1;
        heap.entries.push(Reverse(Entry { at, order, node: Arc::downgrade(node) }));
        let alarms: Vec<_> =
            if earliest { heap.runners.iter_mut().filter_map(Option::take).collect() } else { Vec::new() };
        drop(heap);
        alarms.into_iter().for_each(Waker::wake);
    }

    /// Returns the earliest deadline listed; it may belong to a context that has ended since.
    pub(crate) fn next(&self) -> Option<Instant> {
        lock(&self.heap).entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Ends whatever is due at `now`, in order, and returns how many that were.
    ///
    /// A clock turned by hand shows each deadline in turn while its callbacks run, and `now` at the end.
    pub(crate) fn expire_due(&self, now: Instant) -> usize {
        let mut ended = 0;
        while let Some(entry) = self.pop_due(now) {
            if let Some(node) = entry.node.upgrade()
                && node.ended().is_none()
            {
                node.expire();
                ended += 1;
            }
        }
        ended
    }

    fn pop_due(&self, now: Instant) -> Option<Entry> {
        let mut heap = lock(&self.heap);
        let due = heap.entries.peek().is_some_and(|Reverse(entry)| entry.at <= now);
        let entry = if due { heap.entries.pop().map(|Reverse(entry)| entry) } else { None };
        if let Some(manual) = &mut heap.manual {
            *manual = entry.as_ref().map_or(now, |entry| entry.at).max(*manual);
        }
        entry
    }
}

/// One who sleeps until the earliest deadline, and takes the alarm back when dropped.
pub(crate) struct Runner<'a> {
    timers: &'a Timers,
    place: u32,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(timers: &'a Timers) -> Self {
        let place = lock(&timers.heap).runners.insert(None);
        Self { timers, place }
    }

    /// Returns the earliest deadline, and has `waker` woken when an earlier one comes.
    pub(crate) fn next_or_wake(&self, waker: &Waker) -> Option<Instant> {
        let mut heap = lock(&self.timers.heap);
        let old = heap.runners.get_mut(self.place).and_then(|alarm| alarm.replace(waker.clone()));
        let next = heap.entries.peek().map(|Reverse(entry)| entry.at);
        drop(heap);
        drop(old);
        next
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        let alarm = lock(&self.timers.heap).runners.remove(self.place);
        drop(alarm);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
