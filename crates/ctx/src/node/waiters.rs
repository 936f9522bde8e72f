//! Waiters and callbacks of a node.

use std::sync::Arc;
use std::task::Waker;

use super::Node;
use super::lists::Callback;
use super::state::{UNLINKED, UNNOTIFIED};
use crate::sync::lock;

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the one waiter that fits into the node itself.
const INLINE: u32 = u32::MAX - 1;

impl Node {
    /// Registers or renews a waiter; `None` if the node has ended.
    pub(crate) fn watch(self: &Arc<Self>, place: u32, waker: &Waker) -> Option<u32> {
        if place == NOWHERE && self.is(UNLINKED) {
            self.link();
        }
        if matches!(place, NOWHERE | INLINE) {
            let mut shared = self.lock_live()?;
            let Some(known) = &mut shared.waiter else {
                shared.waiter = Some(waker.clone());
                return Some(INLINE);
            };
            if place == INLINE {
                let old = renew(known, waker);
                drop(shared);
                drop(old);
                return Some(INLINE);
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
            INLINE => lock(&self.shared).waiter.take(),
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
        let shards: usize = lists.shards.lists().map(|children| lock(children).len()).sum();
        let common = lock(&lists.common);
        shards + common.children.len() + common.callbacks.len()
    }

    /// Counts the waiters registered here.
    pub(crate) fn waiters(&self) -> usize {
        let inline = usize::from(lock(&self.shared).waiter.is_some());
        inline + self.lists.get().map_or(0, |lists| lock(&lists.common).wakers.len())
    }

    /// Adds clones of all wakers registered here.
    pub(super) fn clone_wakers(&self, wakers: &mut Vec<Waker>) {
        wakers.extend(lock(&self.shared).waiter.clone());
        if let Some(lists) = self.lists.get() {
            wakers.extend(lock(&lists.common).wakers.iter().cloned());
        }
    }
}

/// Puts `waker` in the place of `known` and returns the old one, unless both wake the same task.
fn renew(known: &mut Waker, waker: &Waker) -> Option<Waker> {
    (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()))
}
