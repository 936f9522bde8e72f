//! A list of children for each core, so that threads that create under one parent do not wait for each other.
//!
//! What remains shared is the count of the parent's handles: each child holds one.

#[cfg(not(loom))]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, Weak};
use std::task::Waker;
use std::thread::available_parallelism;

use super::Node;
use crate::slab::Slab;
use crate::sync::Mutex;

/// More cores than this share lists.
const MOST: usize = 64;

/// A list of children: those that are listed, and the waiters lent by others.
#[derive(Default)]
pub(super) struct Children {
    pub(super) nodes: Slab<Weak<Node>>,
    /// The first waiter of each child that has lent it.
    pub(super) lent: Slab<Waker>,
}

/// The lists of a node under which threads met; none of any other.
#[derive(Default)]
pub(super) struct Shards(OnceLock<Box<[Padded]>>);

/// Two cache lines, for processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Padded(Mutex<Children>);

impl Shards {
    /// Makes the lists, if there are none yet.
    pub(super) fn open(&self) {
        self.0.get_or_init(|| (0..cores()).map(|_| Padded::default()).collect());
    }

    /// Returns the list that the calling thread puts children into, and its number.
    pub(super) fn mine(&self) -> Option<(u8, &Mutex<Children>)> {
        let lists = self.0.get()?;
        let number = thread_number() % lists.len();
        Some((number as u8, &lists[number].0))
    }

    /// Returns the list of that number.
    pub(super) fn list(&self, number: u8) -> Option<&Mutex<Children>> {
        self.0.get()?.get(usize::from(number)).map(|list| &list.0)
    }

    /// Returns all lists.
    pub(super) fn lists(&self) -> impl Iterator<Item = &Mutex<Children>> {
        self.0.get().into_iter().flatten().map(|list| &list.0)
    }
}

/// Returns the number of lists.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| available_parallelism().map_or(1, |cores| cores.get().min(MOST)))
}

/// Numbers the threads as they come, so that those of a pool get lists of their own.
#[cfg(not(loom))]
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// Loom's threads are one thread of the system; here they shall meet.
#[cfg(loom)]
fn thread_number() -> usize {
    0
}
