//! The lab's own count of the work of this process. No runtime is asked.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use ctx::Error;

static TASKS: OnceLock<usize> = OnceLock::new();
static LIVE: AtomicUsize = AtomicUsize::new(0);
static EXPIRED: AtomicUsize = AtomicUsize::new(0);
static CANCELED: AtomicUsize = AtomicUsize::new(0);
static FIRST: Mutex<Option<Instant>> = Mutex::new(None);
static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// Counts a piece of work from here until it is dropped. It adds no byte to the work.
pub(crate) struct Alive(());

impl Alive {
    pub(crate) fn new() -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if LIVE.fetch_sub(1, Ordering::AcqRel) == 1 {
            stamp(&LAST);
        }
    }
}

/// Says how many tasks there will be. A process runs one case.
pub(crate) fn expect(tasks: usize) {
    TASKS.set(tasks).expect("a process runs one case");
}

/// Counts a task that has ended, and how.
pub(crate) fn ended(error: Error) {
    let count = if error.is_timeout() { &EXPIRED } else { &CANCELED };
    // Before the count, so that whoever sees all counted sees when the first was.
    if count.load(Ordering::Relaxed) == 0 {
        FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }
    let all = count.fetch_add(1, Ordering::AcqRel) + 1;
    if Some(&all) == TASKS.get() {
        stamp(&LAST);
    }
}

/// Counts a task as canceled when it is dropped, for ways that end in nothing but a drop.
pub(crate) struct CanceledOnDrop(());

impl CanceledOnDrop {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl Drop for CanceledOnDrop {
    fn drop(&mut self) {
        ended(Error::Canceled);
    }
}

/// Work that never gets its answer: it is there until something ends it.
pub(crate) async fn unanswered() -> Infallible {
    let _alive = Alive::new();
    std::future::pending().await
}

fn stamp(at: &Mutex<Option<Instant>>) {
    *at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

fn read(at: &Mutex<Option<Instant>>) -> Option<Instant> {
    *at.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pieces of work that have begun and have not gone.
pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Acquire)
}

/// Tasks that ended so.
pub(crate) fn count(error: Error) -> usize {
    let count = if error.is_timeout() { &EXPIRED } else { &CANCELED };
    count.load(Ordering::Acquire)
}

/// When the first task ended.
pub(crate) fn first() -> Option<Instant> {
    read(&FIRST)
}

/// When the last task ended or the last work went, whichever was later.
pub(crate) fn last() -> Option<Instant> {
    read(&LAST)
}
