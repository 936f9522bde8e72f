//! Who wants to hear of a node's end: its children, its waiters, its callbacks.
//!
//! Whoever registers is told if the node has ended. Whoever takes something back finds nothing once the end has
//! emptied the lists, and that is no error.

use std::sync::{Arc, TryLockError, Weak};
use std::task::Waker;

use super::crowd::Crowd;
use super::{End, Node};
use crate::join::Link;
use crate::slab::Slab;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, lock};
use crate::walk::Callback;

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the one waiter that fits into the node itself.
const INLINE: u32 = u32::MAX - 1;
/// The number of the list of children that every node has.
const COMMON: u8 = u8::MAX;
/// How often threads wait for the one list before they get one each. Under loom the first child makes them.
pub(super) const PATIENCE: u32 = if cfg!(loom) { 0 } else { 16 };

/// Those who do not fit into the node itself.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) common: Mutex<Registered>,
    /// How often a thread had to wait for the common lists.
    pub(super) waits: AtomicU32,
    pub(super) crowd: Crowd,
}

/// Everyone else who wants to hear of the end.
#[derive(Default)]
pub(crate) struct Registered {
    pub(crate) children: Slab<Weak<Node>>,
    pub(crate) wakers: Slab<Waker>,
    pub(crate) callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    pub(crate) links: Vec<Link>,
}

/// Where a child is listed.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    list: u8,
    index: u32,
}

impl Lists {
    /// Locks the lists that every node has, and notes if that takes waiting.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Registered> {
        match self.common.try_lock() {
            Ok(common) => common,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => self.wait(),
        }
    }

    #[cold]
    fn wait(&self) -> MutexGuard<'_, Registered> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        lock(&self.common)
    }
}

impl Node {
    /// Makes `child` this node's own: lists it, or ends it at once if this node has ended.
    pub(crate) fn bear(&self, child: &Arc<Self>) {
        if let Some(place) = self.adopt(child) {
            child.list.store(place.list, Ordering::Relaxed);
            child.place.store(place.index, Ordering::Relaxed);
        }
    }

    /// Lists `child` and returns its place; or ends it at once if this node has ended.
    pub(crate) fn adopt(&self, child: &Arc<Self>) -> Option<Place> {
        let place = self.list_child(Arc::downgrade(child));
        if place.is_none()
            && let Some((error, cause)) = self.outcome()
        {
            child.finish(End::With(error, cause));
        }
        place
    }

    fn list_child(&self, child: Weak<Self>) -> Option<Place> {
        let lists = self.lists()?;
        if let Some((list, children)) = lists.crowd.mine() {
            let mut children = lock(children);
            return self.lives().then(|| Place { list, index: children.insert(child) });
        }
        let mut common = lists.lock();
        if !self.lives() {
            return None;
        }
        if lists.waits.load(Ordering::Relaxed) >= PATIENCE {
            lists.crowd.open();
        }
        Some(Place { list: COMMON, index: common.children.insert(child) })
    }

    /// Takes the child at `place` off its list.
    pub(crate) fn disown(&self, place: Place) {
        if !self.lives() {
            return;
        }
        let Some(lists) = self.lists.get() else { return };
        let gone = match place.list {
            COMMON => lists.lock().children.remove(place.index),
            list => lists.crowd.list(list).and_then(|children| lock(children).remove(place.index)),
        };
        drop(gone);
    }

    /// Leaves the parent's list.
    pub(crate) fn leave(&self) {
        let index = self.place.load(Ordering::Relaxed);
        if index == NOWHERE {
            return;
        }
        self.place.store(NOWHERE, Ordering::Relaxed);
        if let Some(parent) = self.parent.node() {
            parent.disown(Place { list: self.list.load(Ordering::Relaxed), index });
        }
    }

    /// Keeps a registration elsewhere for as long as this node lives.
    pub(crate) fn link(&self, link: Link) {
        match self.lock_common() {
            Some(mut common) => common.links.push(link),
            None => drop(link),
        }
    }

    /// Registers or renews a waiter; `None` if the node has ended.
    pub(crate) fn watch(&self, place: u32, waker: &Waker) -> Option<u32> {
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
        if place == NOWHERE || !self.lives() {
            return;
        }
        let gone = match place {
            INLINE => lock(&self.shared).waiter.take(),
            place => self.lists.get().and_then(|lists| lock(&lists.common).wakers.remove(place)),
        };
        drop(gone);
    }

    /// Registers a callback, or gives it back if the node has ended.
    pub(crate) fn register(&self, callback: Callback) -> Result<u32, Callback> {
        match self.lock_common() {
            Some(mut common) => Ok(common.callbacks.insert(callback)),
            None => Err(callback),
        }
    }

    /// Takes a callback back; `None` if it has been started or taken already, or now will be started.
    pub(crate) fn unregister(&self, place: u32) -> Option<Callback> {
        self.lock_common()?.callbacks.remove(place)
    }

    /// Empties the lists of a node that has just ended.
    pub(crate) fn take_registered(&self) -> Option<Registered> {
        let lists = self.lists.get()?;
        let mut taken = std::mem::take(&mut *lock(&lists.common));
        for children in lists.crowd.lists() {
            let more = std::mem::take(&mut *lock(children));
            taken.children.append(more);
        }
        Some(taken)
    }

    /// Returns the linked context whose deadline this node has, if there is one.
    pub(super) fn linked(&self) -> Option<Arc<Self>> {
        let common = lock(&self.lists.get()?.common);
        common.links.iter().find_map(|link| link.source(self.deadline).cloned())
    }

    /// Counts the children and callbacks registered here.
    pub(crate) fn registered(&self) -> usize {
        let Some(lists) = self.lists.get() else { return 0 };
        let crowd: usize = lists.crowd.lists().map(|children| lock(children).len()).sum();
        let common = lock(&lists.common);
        crowd + common.children.len() + common.callbacks.len()
    }

    /// Counts the waiters registered here.
    pub(crate) fn waiters(&self) -> usize {
        let inline = usize::from(lock(&self.shared).waiter.is_some());
        inline + self.lists.get().map_or(0, |lists| lock(&lists.common).wakers.len())
    }

    /// Returns the children that still exist.
    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        let Some(lists) = self.lists.get() else { return Vec::new() };
        let mut children: Vec<_> = lock(&lists.common).children.iter().filter_map(Weak::upgrade).collect();
        for list in lists.crowd.lists() {
            children.extend(lock(list).iter().filter_map(Weak::upgrade));
        }
        children
    }

    /// Returns the lists, which the first caller makes; `None` if the node has ended without any.
    pub(super) fn lists(&self) -> Option<&Lists> {
        if let Some(lists) = self.lists.get() {
            return Some(lists);
        }
        let live = self.lock_live()?;
        let lists = self.lists.get_or_init(Box::default);
        drop(live);
        Some(lists)
    }

    /// Locks the common lists of a live node, so that the end finds whoever registers; `None` if it has ended.
    fn lock_common(&self) -> Option<MutexGuard<'_, Registered>> {
        let common = lock(&self.lists()?.common);
        self.lives().then_some(common)
    }

    fn lives(&self) -> bool {
        self.ended().is_none()
    }
}

/// Puts `waker` in the place of `known` and returns the old one, unless both wake the same task.
fn renew(known: &mut Waker, waker: &Waker) -> Option<Waker> {
    (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()))
}
