//! The cancelable node: its state, its lock, and the lists of those who want to hear of its end.
//!
//! # Invariants
//!
//! 1. The phase leaves `LIVE` or `TIMED` once and never changes again.
//! 2. `KNOWN` is set, under the lock, before a waiter or a cause is kept or the lists are made, and never
//!    cleared. While it is not set nobody is to be told, and one compare-and-exchange ends the node; once it
//!    is, the end is written under the lock.
//! 3. When the phase says ended, the cause is in place: both are written in the same critical section, or
//!    there is no cause.
//! 4. The lists have locks of their own. Whoever registers does so under a list's lock, and only if the node
//!    still lives then; the end marks the node first and empties each list afterwards. So either the end
//!    finds him, or he finds the end.
//! 5. A node is listed by its parent from birth until one of the two ends; a merged one that another parent
//!    ends, until it is dropped.
//! 6. A node holds its parent; the parent knows its children only weakly. Dropping the last handle frees.
//!
//! # Deadlock safety
//!
//! No thread ever holds two of these locks, and of foreign code (wakers, callbacks, destructors) only the
//! clone of a waker runs under one. An end first marks the whole tree and only then wakes, so that whoever is
//! woken finds every descendant ended.

mod crowd;
mod registry;
#[cfg(all(test, not(loom)))]
mod tests;

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use once_cell::race::OnceBox;

use crate::context::Context;
use crate::error::{Cause, Error};
use crate::sync::{AtomicU8, AtomicU32, Mutex, MutexGuard, Ordering, lock};
use crate::walk::{Told, release};

use registry::Lists;
pub(crate) use registry::{NOWHERE, Place, Registered};

/// Runs; nothing but its phase has to be asked.
pub(crate) const LIVE: u8 = 0;
/// Runs, but has a deadline that nobody watches: whoever asks reads the clock.
pub(crate) const TIMED: u8 = 1;
const CANCELED: u8 = 2;
const EXPIRED: u8 = 3;
/// The bits of the state that hold the phase.
const PHASE: u8 = 3;
/// The bit that says that an end has to take the lock.
const KNOWN: u8 = 4;

/// A context that can end.
pub(crate) struct Node {
    state: AtomicU8,
    /// Which of the parent's lists has this node, and where; set at birth, cleared when it leaves.
    list: AtomicU8,
    place: AtomicU32,
    pub(crate) parent: Context,
    /// The earliest deadline from here to the root.
    pub(crate) deadline: Option<Instant>,
    shared: Mutex<Shared>,
    /// Made by the first who does not fit into `shared`.
    lists: OnceBox<Lists>,
}

struct Shared {
    /// While the node lives: the cause its own deadline would have. Afterwards: the cause of its end.
    cause: Option<Cause>,
    /// The first waiter; most contexts have at most one.
    waiter: Option<Waker>,
}

/// How a node ends.
#[derive(Clone)]
pub(crate) enum End {
    /// Its own deadline passed; the cause is the one prepared for that.
    Expire,
    /// Canceled by hand with this cause, or ended as its ancestor did.
    With(Error, Option<Cause>),
}

impl Node {
    /// Makes a node in the phase `LIVE` or `TIMED`.
    pub(crate) fn new(parent: Context, deadline: Option<Instant>, phase: u8, cause: Option<Cause>) -> Self {
        let known = if cause.is_some() { KNOWN } else { 0 };
        Self {
            state: AtomicU8::new(phase | known),
            list: AtomicU8::new(0),
            place: AtomicU32::new(NOWHERE),
            parent,
            deadline,
            shared: Mutex::new(Shared { cause, waiter: None }),
            lists: OnceBox::new(),
        }
    }

    /// Tells how the node ended, as far as anyone has noticed: never reads the clock.
    pub(crate) fn ended(&self) -> Option<Error> {
        match phase(&self.state) {
            CANCELED => Some(Error::Canceled),
            EXPIRED => Some(Error::DeadlineExceeded),
            _ => None,
        }
    }

    /// Tells how the node ended; exact, because it notices a deadline that has passed.
    #[inline]
    pub(crate) fn err(&self) -> Option<Error> {
        match phase(&self.state) {
            LIVE => None,
            TIMED => self.ask_the_clock(),
            CANCELED => Some(Error::Canceled),
            _ => Some(Error::DeadlineExceeded),
        }
    }

    /// Kept apart, so that the question is a load and a jump wherever it is asked.
    #[inline(never)]
    fn ask_the_clock(&self) -> Option<Error> {
        (self.deadline? <= Instant::now()).then(|| self.expire())
    }

    /// Returns the deadline, if it is one that nobody watches.
    pub(crate) fn alarm(&self) -> Option<Instant> {
        if phase(&self.state) == TIMED { self.deadline } else { None }
    }

    /// The phase of a child that adds no deadline of its own.
    pub(crate) fn inherited_phase(&self) -> u8 {
        match (self.deadline, phase(&self.state)) {
            (None, _) | (_, LIVE) => LIVE,
            _ => TIMED,
        }
    }

    /// Returns the kind and cause of the end, if it has ended.
    pub(crate) fn outcome(&self) -> Option<(Error, Option<Cause>)> {
        let error = self.ended()?;
        Some((error, lock(&self.shared).cause.clone()))
    }

    /// Ends this node and everything below by hand, with no cause given.
    pub(crate) fn cancel(&self) {
        if self.finish_quietly(Error::Canceled) {
            self.leave();
        } else if self.ended().is_none() {
            self.finish(End::With(Error::Canceled, None));
        }
    }

    /// Ends this node and everything below; false if it had ended already.
    pub(crate) fn finish(&self, end: End) -> bool {
        if self.ended().is_some() {
            return false;
        }
        let expired = matches!(end, End::Expire);
        let (error, cause) = match end {
            End::Expire => (Error::DeadlineExceeded, None),
            End::With(error, cause) => (error, cause),
        };
        if cause.is_none() && self.finish_quietly(error) {
            self.leave();
            return true;
        }
        let Some(mut shared) = self.lock_live() else { return false };
        // A cause is kept for the deadline; any other end replaces it.
        let kept = shared.cause.take();
        let (cause, unused) = if expired { (kept, None) } else { (cause, kept) };
        shared.cause.clone_from(&cause);
        let waiter = self.seal(&mut shared, error);
        drop(shared);
        let mut told = Told::new(waiter);
        told.take(self.take_registered());
        drop(unused);
        self.leave();
        told.spread(error, cause.as_ref());
        true
    }

    /// Marks the end of a node below an ended one, and takes over whoever is registered there.
    pub(crate) fn finish_in_walk(&self, error: Error, cause: Option<&Cause>, told: &mut Told) {
        if cause.is_none() && self.finish_quietly(error) {
            return;
        }
        let Some(mut shared) = self.lock_live() else { return };
        if cause.is_some() || shared.cause.is_some() {
            told.unused.extend(std::mem::replace(&mut shared.cause, cause.cloned()));
        }
        let waiter = self.seal(&mut shared, error);
        drop(shared);
        told.wake_later(waiter);
        told.take(self.take_registered());
    }

    /// Ends a node that nobody has to be told about, without its lock; false if that cannot be.
    fn finish_quietly(&self, error: Error) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state < CANCELED
            && self
                .state
                .compare_exchange(state, phase_of(error), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Marks the end of a locked live node and takes its waiter.
    fn seal(&self, shared: &mut Shared, error: Error) -> Option<Waker> {
        self.state.store(phase_of(error) | KNOWN, Ordering::Release);
        shared.waiter.take()
    }

    /// Locks a live node and makes it `KNOWN`, so that it stays live until unlocked; `None` if it has ended.
    fn lock_live(&self) -> Option<MutexGuard<'_, Shared>> {
        let shared = lock(&self.shared);
        let mut state = self.state.load(Ordering::Acquire);
        if state & KNOWN == 0 {
            state = self.state.fetch_or(KNOWN, Ordering::AcqRel);
        }
        (state & PHASE < CANCELED).then_some(shared)
    }

    /// Ends this node and all below it because its deadline has passed, and returns how it ended.
    pub(crate) fn expire(&self) -> Error {
        let mut source = self.expire_here();
        while let Some(node) = source {
            source = node.expire_here();
        }
        self.settle()
    }

    /// Ends the tree where the deadline was set, so that all share one cause; or returns who else set it.
    fn expire_here(&self) -> Option<Arc<Self>> {
        let mut owner = self;
        while let Some(parent) = owner.parent.node()
            && parent.deadline == owner.deadline
        {
            owner = parent;
        }
        let linked = owner.linked();
        if linked.is_none() {
            owner.finish(End::Expire);
        }
        linked
    }

    /// Ends this node the way the nearest ended ancestor did, if it has not ended yet.
    ///
    /// The walk that ends a tree may still be on its way here in another thread.
    fn settle(&self) -> Error {
        loop {
            if let Some(error) = self.ended() {
                return error;
            }
            let mut above = self.parent.node();
            while let Some(node) = above {
                if let Some((error, cause)) = node.outcome() {
                    self.finish(End::With(error, cause));
                    break;
                }
                above = node.parent.node();
            }
            std::hint::spin_loop();
        }
    }

    /// Gives up the parent, for a drop without recursion.
    pub(crate) fn take_parent(&mut self) -> Context {
        self.leave();
        std::mem::take(&mut self.parent)
    }
}

#[inline]
fn phase(state: &AtomicU8) -> u8 {
    state.load(Ordering::Acquire) & PHASE
}

/// The phase of a node that ended so.
fn phase_of(error: Error) -> u8 {
    if error.is_timeout() { EXPIRED } else { CANCELED }
}

impl Drop for Node {
    fn drop(&mut self) {
        release(self.take_parent());
    }
}
