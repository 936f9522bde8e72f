//! The first waiter of a child that is not listed: the parent's end wakes it without visiting the child.
//!
//! The child's lock guards `LENT`, `VACANT` and the place; the lock of the parent's list guards the entry. The child
//! stays `UNLINKED`, so `err` also asks the parent.

use std::task::Waker;

use super::lists::Place;
use super::shards::Children;
use super::state::{
    CAUSED, ENDED, LENT, LINKING, LISTED, MOVES, TIMED_BELOW, UNNOTIFIED, VACANT, error_of_ended, phase_of,
};
use super::{Node, Shared};
use crate::error::Error;
use crate::sync::{MutexGuard, Ordering, lock};

impl Node {
    /// Registers the first waiter in a list of the parent's. Returns false if the caller must list the node instead: the
    /// node has a deadline or registrations of its own, has already lent a waiter, is being listed, or it or its parent
    /// has ended.
    pub(super) fn lend(&self, waker: &Waker) -> bool {
        let Some(parent) = &self.parent.node else { return false };
        if !self.ends_as(parent) || self.is(LENT | LINKING) || self.lists().is_some() {
            return false;
        }
        parent.link();
        // Before this node's lock is taken: under it, only the lock of a list may be taken.
        let Some(lists) = parent.make_lists() else { return false };
        // Declared first, so that a waker without a place is dropped when nothing is locked.
        let mut waker = Some(waker.clone());
        let Some(live) = self.lock_live() else { return false };
        if self.is(LENT | LINKING) {
            return false;
        }
        let insert = |children: &mut Children| Some(children.lent.insert(waker.take()?));
        let Some(place) = parent.enter(lists, insert) else { return false };
        self.set_place(place);
        self.set(LENT, 0);
        drop(live);
        true
    }

    /// Tells whether this node has lent a waiter that wakes the same task as `waker`; false as well if another thread has the
    /// list, so that a crowd of children does not wait for one lock at each poll. The caller holds this node's lock.
    pub(super) fn has_lent(&self, waker: &Waker) -> bool {
        // Once the node is listed, `place` is its own.
        if !self.is(LENT) || self.is(LISTED) {
            return false;
        }
        let Some(parent) = &self.parent.node else { return false };
        let Place { list, index } = self.place();
        let same = parent
            .try_children(list, |children| children.lent.get_mut(index).map(|lent| lent.will_wake(waker)));
        same.flatten() == Some(true)
    }

    /// Replaces the entry by `waker` and returns the old one. If the parent's end takes that, `waker` is stored in this node
    /// instead: it has not ended, so the parent's end, or the thread that is listing it, is still to visit it and wakes
    /// `waker`. The caller holds this node's lock, and drops what is left without it.
    pub(super) fn renew_lent(&self, waker: &mut Option<Waker>, shared: &mut Shared) -> Option<Waker> {
        let old = self.replace_lent(waker);
        if old.is_none() {
            shared.waiter = waker.take();
            self.set(0, LENT);
        }
        old
    }

    fn replace_lent(&self, waker: &mut Option<Waker>) -> Option<Waker> {
        let replace = |children: &mut Children, place| {
            let lent = children.lent.get_mut(place)?;
            waker.take().map(|waker| std::mem::replace(lent, waker))
        };
        self.at_parent(replace).flatten()
    }

    /// Removes the lent waiter and leaves a no-op waker in the parent's list, so the node still counts as registered. The
    /// caller holds this node's lock, and drops what is returned without it.
    pub(super) fn vacate_lent(&self) -> Option<Waker> {
        self.set(VACANT, 0);
        self.replace_lent(&mut Some(Waker::noop().clone()))
    }

    /// Moves the lent waiter into this node, now that the parent lists it. The caller holds this node's lock.
    pub(super) fn take_back(&self, shared: &mut Shared) {
        // If the parent's end takes the waiter, `LENT` stays set until this node ends or the waiter is renewed, so that
        // nobody else becomes the first waiter. From here on `place` is that of the node, not of the waiter.
        if let Some(waker) = self.remove_lent() {
            shared.waiter = Some(waker).filter(|_| !self.is(VACANT));
            self.set(0, LENT | VACANT);
        }
    }

    /// Takes the first waiter of a node that has ended or is being dropped.
    pub(super) fn take_first(&self, mut shared: MutexGuard<'_, Shared>) -> Option<Waker> {
        if !self.is(LENT) {
            return shared.waiter.take();
        }
        let vacant = self.is(VACANT);
        self.set(0, LENT | VACANT);
        self.remove_lent().filter(|_| !vacant)
    }

    /// Tells whether this node has a first waiter. The caller holds this node's lock.
    pub(super) fn has_first(&self, shared: &Shared) -> bool {
        if self.is(LENT) {
            !self.is(VACANT) && self.at_parent(|_, _| ()).is_some()
        } else {
            shared.waiter.is_some()
        }
    }

    fn remove_lent(&self) -> Option<Waker> {
        self.at_parent(|children, place| children.lent.remove(place)).flatten()
    }

    /// Runs `change` on the parent's list that has this node's entry; `None` if the parent's end takes the entry.
    fn at_parent<R>(&self, change: impl FnOnce(&mut Children, u32) -> R) -> Option<R> {
        let parent = self.parent.node.as_deref()?;
        if !parent.lives() && !parent.is(UNNOTIFIED) {
            return None;
        }
        let Place { list, index } = self.place();
        parent.change_children(list, |children| change(children, index))
    }

    /// Tells whether only a cancel or its parent can end this node. This is also true of some merged nodes, which another
    /// parent can end: `lend` refuses them because they have lists, `end_as_parent` because they are `KNOWN` and never `LENT`.
    fn ends_as(&self, parent: &Self) -> bool {
        self.deadline == parent.deadline && !self.is(MOVES)
    }

    /// Ends this node as its parent ended, without a walk; `None` if the parent lives or has somebody to notify, or if
    /// more is registered here than a waiter that is lent.
    pub(super) fn end_as_parent(&self) -> Option<Error> {
        let parent = self.parent.node.as_deref()?;
        let above = parent.state.load(Ordering::Acquire);
        if above & (ENDED | UNNOTIFIED) != ENDED || !self.ends_as(parent) {
            return None;
        }
        let error = error_of_ended(above);
        let caused = above & CAUSED;
        if caused == 0 && self.mark_quietly(phase_of(error)) {
            return Some(error);
        }
        if !self.is(LENT) {
            return None;
        }
        let cause = if caused == 0 { None } else { lock(&parent.shared).cause.clone() };
        let Some(mut shared) = self.lock_live() else { return self.ended() };
        // A thread that lists it may have registered something here.
        if !self.is(LENT) || self.is(LINKING | TIMED_BELOW) {
            return None;
        }
        shared.cause = cause;
        self.set(phase_of(error) | caused, 0);
        Some(error)
    }

    /// Counts the children that have lent their waiter to this node.
    pub(super) fn count_lent(&self) -> usize {
        let mut count = 0;
        if let Some(lists) = self.lists() {
            lists.for_each(|children| count += children.lent.len());
        }
        count
    }
}
