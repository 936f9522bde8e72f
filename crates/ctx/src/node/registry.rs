//! Who wants to hear of a node's end: its children, its waiters, its callbacks.
//!
//! Whoever registers does so under the node's lock while it lives, and is told that it has ended otherwise.
//! Whoever takes something back finds nothing once the end has taken the lists, and that is no error.

use std::sync::{Arc, Weak};
use std::task::Waker;

use super::{End, Node, Shared};
use crate::join::Link;
use crate::slab::Slab;
use crate::sync::{Ordering, lock};
use crate::walk::Callback;

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the one waiter that fits into the node itself.
const INLINE: u32 = u32::MAX - 1;

/// Everyone else who wants to hear of the end.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) children: Slab<Weak<Node>>,
    pub(crate) wakers: Slab<Waker>,
    pub(crate) callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    pub(crate) links: Vec<Link>,
}

impl Node {
    /// Makes `child` this node's own: lists it, or ends it at once if this node has ended.
    pub(crate) fn bear(&self, child: &Arc<Self>) {
        if let Some(place) = self.adopt(child) {
            child.place.store(place, Ordering::Relaxed);
        }
    }

    /// Lists `child` and returns its place; or ends it at once if this node has ended.
    pub(crate) fn adopt(&self, child: &Arc<Self>) -> Option<u32> {
        // Counted before the lock, which all children of a parent share.
        let weak = Arc::downgrade(child);
        if let Some(mut shared) = self.lock_live() {
            return Some(shared.lists().children.insert(weak));
        }
        if let Some((error, cause)) = self.outcome() {
            child.finish(End::With(error, cause));
        }
        None
    }

    /// Takes the child at `place` off the list.
    pub(crate) fn disown(&self, place: u32) {
        if self.ended().is_some() {
            return;
        }
        let gone = lock(&self.shared).lists.as_mut().and_then(|lists| lists.children.remove(place));
        drop(gone);
    }

    /// Leaves the parent's list.
    pub(crate) fn leave(&self) {
        let place = self.place.load(Ordering::Relaxed);
        if place == NOWHERE {
            return;
        }
        self.place.store(NOWHERE, Ordering::Relaxed);
        if let Some(parent) = self.parent.node() {
            parent.disown(place);
        }
    }

    /// Keeps a registration elsewhere for as long as this node lives.
    pub(crate) fn link(&self, link: Link) {
        match self.lock_live() {
            Some(mut shared) => shared.lists().links.push(link),
            None => drop(link),
        }
    }

    /// Registers or renews a waiter; `None` if the node has ended.
    pub(crate) fn watch(&self, place: u32, waker: &Waker) -> Option<u32> {
        let mut shared = self.lock_live()?;
        let known = match place {
            NOWHERE => None,
            INLINE => shared.waiter.as_mut(),
            place => shared.lists().wakers.get_mut(place),
        };
        if let Some(known) = known {
            let old = (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
            drop(shared);
            drop(old);
            return Some(place);
        }
        if shared.waiter.is_none() {
            shared.waiter = Some(waker.clone());
            return Some(INLINE);
        }
        Some(shared.lists().wakers.insert(waker.clone()))
    }

    /// Takes a waiter back.
    pub(crate) fn unwatch(&self, place: u32) {
        if place == NOWHERE || self.ended().is_some() {
            return;
        }
        let mut shared = lock(&self.shared);
        let gone = match place {
            INLINE => shared.waiter.take(),
            place => shared.lists.as_mut().and_then(|lists| lists.wakers.remove(place)),
        };
        drop(shared);
        drop(gone);
    }

    /// Registers a callback, or gives it back if the node has ended.
    pub(crate) fn register(&self, callback: Callback) -> Result<u32, Callback> {
        match self.lock_live() {
            Some(mut shared) => Ok(shared.lists().callbacks.insert(callback)),
            None => Err(callback),
        }
    }

    /// Takes a callback back; `None` if it has been started or taken already.
    pub(crate) fn unregister(&self, place: u32) -> Option<Callback> {
        lock(&self.shared).lists.as_mut()?.callbacks.remove(place)
    }

    /// Counts the children and callbacks registered here.
    pub(crate) fn registered(&self) -> usize {
        lock(&self.shared).lists.as_ref().map_or(0, |lists| lists.children.len() + lists.callbacks.len())
    }

    /// Counts the waiters registered here.
    pub(crate) fn waiters(&self) -> usize {
        let shared = lock(&self.shared);
        usize::from(shared.waiter.is_some()) + shared.lists.as_ref().map_or(0, |lists| lists.wakers.len())
    }

    /// Returns the children that still exist.
    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        let shared = lock(&self.shared);
        let lists = shared.lists.iter();
        lists.flat_map(|lists| lists.children.iter()).filter_map(Weak::upgrade).collect()
    }
}

impl Shared {
    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }
}
