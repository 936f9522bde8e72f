//! Waiters and callbacks of a node.

use std::sync::Arc;
use std::task::Waker;

use super::Node;
use super::lists::Callback;
use super::state::{LENT, UNLINKED, UNNOTIFIED};
use crate::sync::lock;

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the first waiter, which the node itself keeps, or has lent to its parent.
const FIRST: u32 = u32::MAX - 1;

impl Node {
    /// Registers or renews a waiter; `None` if the node has ended.
    pub(crate) fn watch(self: &Arc<Self>, place: u32, waker: &Waker) -> Option<u32> {
        if place == NOWHERE && self.is(UNLINKED) {
            if self.lend(waker) {
                return Some(FIRST);
            }
            self.link();
        } else if place == FIRST && self.is(LENT) {
            let live = self.lock_live()?;
            if self.has_lent(waker) {
                return Some(FIRST);
            }
            drop(live);
            // The task may change often, or many siblings may use the list. Once the node is listed, renewing its waiter
            // takes only the node's own lock.
            self.link();
        }
        if matches!(place, NOWHERE | FIRST) {
            let mut shared = self.lock_live()?;
            if !self.is(LENT) {
                let (is_first, old) = keep_first(&mut shared.waiter, place, waker);
                drop(shared);
                drop(old);
                if is_first {
                    return Some(FIRST);
                }
            } else if place == FIRST {
                // Another thread is listing the node, or the parent's end has taken the waiter, or is about to.
                let mut waker = Some(waker.clone());
                let old = self.renew_lent(&mut waker, &mut shared);
                drop(shared);
                drop(old);
                return Some(FIRST);
            }
        }
        let mut common = self.lock_common()?;
        let Some(known) = common.wakers.get_mut(place) else {
            return Some(common.wakers.insert(waker.clone()));
        };
        let old = renew(known, waker);
        drop(common);
        drop(old);
        Some(place)
    }

    /// Takes a waiter back.
    pub(crate) fn unwatch(&self, place: u32) {
        if place == NOWHERE || !self.lives() && !self.is(UNNOTIFIED) {
            return;
        }
        let gone = match place {
            FIRST => {
                let mut shared = lock(&self.shared);
                if self.is(LENT) { self.vacate_lent() } else { shared.waiter.take() }
            }
            place => self.lists.get().and_then(|lists| lock(&lists.common).wakers.remove(place)),
        };
        drop(gone);
    }

    /// Registers a callback, or gives it back if the node has ended.
    pub(crate) fn register(self: &Arc<Self>, callback: Callback) -> Result<u32, Callback> {
        self.link();
        match self.lock_common() {
            Some(mut common) => Ok(common.callbacks.insert(callback)),
            None => Err(callback),
        }
    }

    /// Takes a callback back; `None` if it has been started or taken already, or now will be started.
    pub(crate) fn unregister(&self, place: u32) -> Option<Callback> {
        self.lock_common()?.callbacks.remove(place)
    }

    /// Counts the children and callbacks registered here.
    pub(crate) fn registered(&self) -> usize {
        let Some(lists) = self.lists.get() else { return 0 };
        let mut count = lock(&lists.common).callbacks.len();
        lists.for_each(|children| count += children.nodes.len() + children.lent.len());
        count
    }

    /// Counts the waiters registered here.
    pub(crate) fn waiters(&self) -> usize {
        let first = usize::from(self.has_first(&lock(&self.shared)));
        first + self.lists.get().map_or(0, |lists| lock(&lists.common).wakers.len())
    }

    /// Adds clones of all wakers registered here, and of those that children have lent.
    pub(super) fn clone_wakers(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(lock(&self.shared).waiter.clone());
        if let Some(lists) = self.lists.get() {
            wakers.extend(lock(&lists.common).wakers.iter().cloned());
            lists.for_each(|children| wakers.extend(children.lent.iter().cloned()));
        }
    }
}

/// Stores `waker` as the first waiter if `place` is `FIRST` or there is none. Returns whether it did, and the old waker,
/// to be dropped without the lock.
fn keep_first(first: &mut Option<Waker>, place: u32, waker: &Waker) -> (bool, Option<Waker>) {
    match first {
        Some(known) if place == FIRST => (true, renew(known, waker)),
        Some(_) => (false, None),
        None => {
            *first = Some(waker.clone());
            (true, None)
        }
    }
}

/// Puts `waker` in the place of `known` and returns the old one, unless both wake the same task.
fn renew(known: &mut Waker, waker: &Waker) -> Option<Waker> {
    (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()))
}
