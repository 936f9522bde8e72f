//! The state of a node: its bits, and how they change.

use std::task::Waker;

use super::{End, MANUAL, Mode, Node, Shared};
use crate::clock::NEVER;
use crate::error::{Cause, Error};
use crate::few::Few;
use crate::sync::{MutexGuard, Ordering, lock};

/// The bits of the state that hold the phase: 0 while the node lives.
pub(super) const PHASE: u16 = 3;
/// Set in both phases of an ended node, and in no other.
pub(super) const ENDED: u16 = 2;
pub(super) const CANCELED: u16 = 2;
pub(super) const EXPIRED: u16 = 3;
/// Has a deadline on the system's clock, so a question reads it.
pub(crate) const TIMED: u16 = 1 << 2;
/// An ancestor may have ended without this node being marked, so a question looks up the chain.
pub(super) const UNLINKED: u16 = 1 << 3;
/// A thread is about to list the node with its parent, or has done so.
pub(super) const LINKING: u16 = 1 << 4;
/// The parent lists this node, in `place`.
pub(super) const LISTED: u16 = 1 << 5;
/// An end has to take the lock.
pub(super) const KNOWN: u16 = 1 << 6;
/// A deadline on the system's clock was set below, so an end has to say when it was due.
pub(super) const TIMED_BELOW: u16 = 1 << 7;
/// Ended by a question, so those registered here are still to be notified.
pub(super) const UNNOTIFIED: u16 = 1 << 8;
/// Has more parents than one.
pub(crate) const MERGED: u16 = 1 << 9;
/// A driver lists the deadline, so while it runs no waiter needs a timer.
pub(crate) const WATCHED: u16 = 1 << 10;
/// Has a deadline that moves, in the layer next outward.
pub(crate) const MOVES: u16 = 1 << 11;
/// The first waiter of this node is in a list of the parent's, at `place`; or a no-op waker, if that waiter has left; or it
/// is nowhere, once the parent's end takes it. If `LISTED` is set too, `place` is the node's.
pub(super) const LENT: u16 = 1 << 12;
/// The lent waiter has left, and a no-op waker has its place.
pub(super) const VACANT: u16 = 1 << 13;
/// Ended with a cause.
pub(super) const CAUSED: u16 = 1 << 14;

impl Node {
    /// Ends a node that has nobody to notify, without its lock; false if that cannot be.
    #[inline]
    pub(super) fn mark_quietly(&self, add: u16) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        let marked = state | add;
        state & (ENDED | KNOWN) == 0
            && self.state.compare_exchange(state, marked, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Marks the end of a live node, and hands its waiter over.
    pub(super) fn mark(&self, end: &End, mode: Mode, wakers: &mut Few<Waker>) -> Marked {
        let mut phase = phase_of(end.error);
        if end.cause.is_none() && self.mark_quietly(phase | self.left_above(mode)) {
            return Marked::Now;
        }
        let Some(mut shared) = self.lock_live() else { return Marked::Before };
        shared.at = end.at;
        if end.cause.is_some() {
            phase |= CAUSED;
        }
        let unused = if shared.cause.is_some() || end.cause.is_some() {
            std::mem::replace(&mut shared.cause, end.cause.clone())
        } else {
            None
        };
        if mode == Mode::Mark {
            self.set(phase | UNNOTIFIED, 0);
        } else {
            self.set(phase, 0);
            if let Some(waiter) = self.take_first(shared) {
                wakers.push(waiter);
            }
        }
        unused.map_or(Marked::Now, Marked::Instead)
    }

    /// Returns `UNNOTIFIED` for a node without entries if some are left above: who waits here will ask.
    pub(super) fn left_above(&self, mode: Mode) -> u16 {
        let left =
            mode == Mode::Mark && self.parent.node.as_ref().is_some_and(|parent| parent.is(UNNOTIFIED));
        if left { UNNOTIFIED } else { 0 }
    }

    /// Takes over to notify whoever a question has left here, with the waiter; `None` if nobody is left.
    pub(super) fn take_unnotified(&self) -> Option<Option<Waker>> {
        if !self.is(UNNOTIFIED) {
            return None;
        }
        let shared = lock(&self.shared);
        // It may have had no entries, and not be `KNOWN`.
        let before = self.state.fetch_and(!UNNOTIFIED, Ordering::AcqRel);
        (before & UNNOTIFIED != 0).then(|| self.take_first(shared))
    }

    /// Locks a live node and makes it `KNOWN`, so that it stays live until unlocked; `None` if it has ended.
    pub(super) fn lock_live(&self) -> Option<MutexGuard<'_, Shared>> {
        let shared = lock(&self.shared);
        let mut state = self.state.load(Ordering::Acquire);
        if state & KNOWN == 0 {
            state = self.state.fetch_or(KNOWN, Ordering::AcqRel);
        }
        (state & ENDED == 0).then_some(shared)
    }

    /// Notes here and on all ancestors that a deadline on the system's clock is set below.
    pub(crate) fn note_timed_below(&self) {
        let mut above = Some(self);
        while let Some(node) = above
            && !node.is(TIMED_BELOW)
        {
            // An ended one has said when, and what is set below it now comes later.
            let Some(live) = node.lock_live() else { return };
            node.set(TIMED_BELOW, 0);
            drop(live);
            above = node.parent.node.as_deref();
        }
    }

    /// Returns the traits of a child that adds no deadline of its own.
    #[inline]
    pub(crate) fn inherited_traits(&self) -> u16 {
        if self.deadline == NEVER { 0 } else { self.state.load(Ordering::Relaxed) & (TIMED | WATCHED) }
    }

    /// Returns the deadline, if a waiter has to set a timer for it.
    pub(crate) fn alarm(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        let awaited = state & (TIMED | ENDED) == TIMED;
        let fixed = (awaited && !(state & WATCHED != 0 && self.is_watched())).then_some(self.deadline);
        if state & ENDED != 0 || !self.is_movable() {
            return fixed;
        }
        // One on a manual clock is that clock's to notice.
        let moving = self.earliest_moving(MANUAL);
        fixed.into_iter().chain((moving != NEVER).then_some(moving)).min()
    }

    /// Tells whether the driver that lists the deadline runs.
    pub(super) fn is_watched(&self) -> bool {
        let mut owner = self;
        while let Some(parent) = owner.parent.node.as_deref()
            && parent.deadline == self.deadline
        {
            owner = parent;
        }
        owner.parent.watcher().is_some_and(|watcher| watcher.is_running())
    }

    /// Notes that a driver lists the deadline.
    pub(crate) fn set_watched(&self) {
        if self.is(KNOWN) {
            let _shared = lock(&self.shared);
            self.set(WATCHED, 0);
        } else {
            self.state.fetch_or(WATCHED, Ordering::AcqRel);
        }
    }

    /// Changes the state of a `KNOWN` node, whose lock the caller holds.
    #[inline]
    pub(super) fn set(&self, add: u16, remove: u16) {
        let state = self.state.load(Ordering::Relaxed);
        self.state.store((state | add) & !remove, Ordering::Release);
    }

    #[inline]
    pub(super) fn is(&self, bit: u16) -> bool {
        self.state.load(Ordering::Acquire) & bit != 0
    }
}

/// The result of marking a node.
pub(super) enum Marked {
    /// It lived until now.
    Now,
    /// It lived until now, and the cause that its deadline would have is of no use.
    Instead(Cause),
    /// It had ended before.
    Before,
}

#[inline]
pub(super) fn error_of(state: u16) -> Option<Error> {
    (state & ENDED != 0).then(|| error_of_ended(state))
}

/// Returns how a node ended that has ended.
#[inline]
pub(super) fn error_of_ended(state: u16) -> Error {
    if state & PHASE == EXPIRED { Error::DeadlineExceeded } else { Error::Canceled }
}

/// The phase of a node that ended so.
pub(super) fn phase_of(error: Error) -> u16 {
    if error.is_timeout() { EXPIRED } else { CANCELED }
}
