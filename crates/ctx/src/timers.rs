//! Deadlines in order, for a driver or a clock turned by hand.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::clock;
use crate::node::{Node, Watcher, contain, contain_each, wake_all};
use crate::slab::Slab;
use crate::sync::{Mutex, lock};

/// Lists every deadline set below the context it is attached to.
pub(crate) struct Timers {
    heap: Mutex<Heap>,
}

struct Heap {
    /// The time on a clock turned by hand.
    manual: Option<u64>,
    entries: BinaryHeap<Reverse<Entry>>,
    /// Breaks ties between equal deadlines: first set, first ended.
    next: u64,
    /// At this many entries the dead ones are swept out: removal costs nothing until then.
    sweep_at: usize,
    /// Wakes those who sleep until the earliest deadline; a driver may run more than once.
    runners: Slab<Option<Waker>>,
    /// The handle is gone, so nobody will turn this clock or run this driver.
    closed: bool,
}

struct Entry {
    at: u64,
    order: u64,
    node: Listed,
}

/// A listed node, which goes away with its last handle; or one that has no handle and waits for its deadline.
enum Listed {
    Weak(Weak<Node>),
    Kept(Arc<Node>),
}

const SMALLEST_SWEEP: usize = 64;

impl Timers {
    pub(crate) fn new(manual: Option<u64>) -> Arc<Self> {
        let heap = Heap {
            manual,
            entries: BinaryHeap::new(),
            next: 0,
            sweep_at: SMALLEST_SWEEP,
            runners: Slab::default(),
            closed: false,
        };
        Arc::new(Self { heap: Mutex::new(heap) })
    }

    /// Lists a deadline; false if a clock turned by hand is past it.
    fn push(&self, at: u64, node: Listed) -> bool {
        let mut heap = lock(&self.heap);
        if heap.manual.is_some_and(|now| at <= now) {
            return false;
        }
        if heap.entries.len() >= heap.sweep_at {
            heap.entries.retain(|Reverse(entry)| entry.node.exists());
            heap.sweep_at = SMALLEST_SWEEP.max(heap.entries.len() * 2);
        }
        let earliest = heap.entries.peek().is_none_or(|Reverse(first)| at < first.at);
        let order = heap.next;
        heap.next += 1;
        heap.entries.push(Reverse(Entry { at, order, node }));
        let alarms: Vec<_> =
            if earliest { heap.runners.iter_mut().filter_map(Option::take).collect() } else { Vec::new() };
        drop(heap);
        contain_each(alarms, Waker::wake);
        true
    }

    /// Returns the earliest deadline listed; it may belong to a context that has ended since.
    pub(crate) fn next(&self) -> Option<u64> {
        lock(&self.heap).entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// Ends whatever is due at `now`, in order, and returns how many that were.
    ///
    /// A clock turned by hand shows each deadline in turn while its callbacks run, and `now` at the end.
    pub(crate) fn expire_due(&self, now: u64) -> usize {
        let mut ended = 0;
        while let Some(entry) = self.pop_due(now) {
            let node = match entry.node {
                Listed::Weak(node) => node.upgrade(),
                Listed::Kept(node) => Some(node),
            };
            let Some(node) = node else { continue };
            if node.ended().is_none() {
                // A deadline that has moved since is listed again.
                ended += usize::from(node.expire_at(entry.at).is_some());
            } else {
                node.notice();
            }
            contain(|| drop(node));
        }
        ended
    }

    /// Has the waiters below set timers of their own, now that nobody watches for them.
    fn abandon(&self) {
        let listed: Vec<_> =
            lock(&self.heap).entries.iter().filter_map(|Reverse(entry)| entry.node.get()).collect();
        for node in listed {
            wake_all(&node);
            contain(|| drop(node));
        }
        self.let_go();
    }

    /// Says that nobody will turn this clock or run this driver any more.
    pub(crate) fn close(&self) {
        lock(&self.heap).closed = true;
        self.let_go();
    }

    /// Drops the nodes kept for deadlines that nobody watches now: their callbacks go to their parents.
    fn let_go(&self) {
        let mut heap = lock(&self.heap);
        let (kept, rest) =
            heap.entries.drain().partition(|Reverse(entry)| matches!(entry.node, Listed::Kept(_)));
        heap.entries = rest;
        drop(heap);
        let kept: BinaryHeap<_> = kept;
        contain_each(kept, drop);
    }

    fn pop_due(&self, now: u64) -> Option<Entry> {
        let mut heap = lock(&self.heap);
        let due = heap.entries.peek().is_some_and(|Reverse(entry)| entry.at <= now);
        let entry = if due { heap.entries.pop().map(|Reverse(entry)| entry) } else { None };
        if let Some(manual) = &mut heap.manual {
            *manual = entry.as_ref().map_or(now, |entry| entry.at).max(*manual);
        }
        entry
    }
}

impl Watcher for Timers {
    fn now(&self) -> u64 {
        lock(&self.heap).manual.unwrap_or_else(clock::now)
    }

    fn is_manual(&self) -> bool {
        lock(&self.heap).manual.is_some()
    }

    fn is_running(&self) -> bool {
        lock(&self.heap).runners.len() > 0
    }

    fn list(&self, node: &Arc<Node>, at: u64) -> bool {
        self.push(at, Listed::Weak(Arc::downgrade(node)))
    }

    fn keeps(&self) -> bool {
        let heap = lock(&self.heap);
        !heap.closed && (heap.manual.is_some() || heap.runners.len() > 0)
    }

    fn keep(&self, node: Arc<Node>) {
        let at = node.deadline;
        if !self.push(at, Listed::Kept(node.clone())) {
            node.expire_at(at);
        }
    }
}

impl Listed {
    fn exists(&self) -> bool {
        match self {
            Self::Weak(node) => node.strong_count() > 0,
            Self::Kept(_) => true,
        }
    }

    fn get(&self) -> Option<Arc<Node>> {
        match self {
            Self::Weak(node) => node.upgrade(),
            Self::Kept(node) => Some(node.clone()),
        }
    }
}

/// A run of a driver: sleeps until the earliest deadline, and takes the alarm back when dropped.
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
    pub(crate) fn next_or_wake(&self, waker: &Waker) -> Option<u64> {
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
        let mut heap = lock(&self.timers.heap);
        let alarm = heap.runners.remove(self.place);
        let last = heap.runners.len() == 0;
        drop(heap);
        contain(|| drop(alarm));
        if last {
            self.timers.abandon();
        }
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
