//! Everything to be notified of a node's end: its children, its waiters, its callbacks.
//!
//! An entry is made only while the node lives. Taking one back finds nothing once the end has emptied the lists,
//! and that is no error.

use std::sync::{Arc, TryLockError, Weak};
use std::task::Waker;

use super::shards::Shards;
use super::state::{LINKING, LISTED, MOVES, UNLINKED, UNNOTIFIED};
use super::{Mode, NOWHERE, Node, Walk};
use crate::error::Cause;
use crate::few::Few;
use crate::slab::Slab;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, lock};

/// The index of the common list of children, which every node has.
const COMMON: u8 = u8::MAX;
/// The number of waits of threads for the one list before they get one each. Under loom the first child makes them.
pub(super) const PATIENCE: u32 = if cfg!(loom) { 0 } else { 16 };

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// Entries that do not fit into the node itself.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) common: Mutex<Registered>,
    /// The number of times that a thread had to wait for the common lists.
    pub(super) waits: AtomicU32,
    pub(super) shards: Shards,
}

/// The registrations of a node, but for its first waiter and the children in shards.
#[derive(Default)]
pub(super) struct Registered {
    pub(super) children: Slab<Weak<Node>>,
    pub(super) wakers: Slab<Waker>,
    pub(super) callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    pub(super) links: Vec<Link>,
    /// Causes prepared for deadlines that did not come first, until foreign code may run.
    pub(super) unused: Vec<Cause>,
}

/// Where a child is listed.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    list: u8,
    index: u32,
}

/// A registration with somebody who is not the parent, taken back when dropped.
pub(crate) enum Link {
    /// Another parent, and whether its deadline is on the same clock.
    Node { node: Arc<Node>, place: Option<Place>, same_clock: bool },
    /// Another library's signal, by how to take the callback back.
    Foreign(Option<Box<dyn FnOnce() + Send>>),
}

impl Drop for Link {
    fn drop(&mut self) {
        match self {
            Self::Node { node, place: Some(place), .. } => node.remove_child(*place),
            Self::Node { .. } => (),
            Self::Foreign(stop) => {
                if let Some(stop) = stop.take() {
                    stop();
                }
            }
        }
    }
}

impl Registered {
    /// Tells whether nothing foreign is registered.
    pub(super) fn is_empty(&self) -> bool {
        let Self { children: _, wakers, callbacks, links, unused } = self;
        wakers.len() + callbacks.len() + links.len() + unused.len() == 0
    }
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

    /// Returns the children that still exist.
    pub(super) fn children(&self) -> Vec<Arc<Node>> {
        let mut children = Vec::new();
        let mut add = |list: &Slab<Weak<Node>>| {
            children.reserve(list.len());
            list.iter().filter_map(Weak::upgrade).for_each(|child| children.push(child));
        };
        add(&lock(&self.common).children);
        self.shards.lists().for_each(|list| add(&lock(list)));
        children
    }
}

impl Node {
    /// Lists this node with its parent, and so on outward, so that an end above comes here by itself; ends it at
    /// once if there is an ended one above.
    pub(crate) fn link(self: &Arc<Self>) {
        let mut unlinked = Few::default();
        let mut next = Some(self);
        while let Some(node) = next.filter(|node| node.is(UNLINKED)) {
            unlinked.push(node);
            next = node.parent.node.as_ref();
        }
        while let Some(node) = unlinked.pop() {
            node.link_here();
        }
    }

    /// Lists this node with its parent, unless another thread does.
    fn link_here(self: &Arc<Self>) {
        let Some(parent) = self.parent.node.as_ref() else { return };
        let Some(live) = self.lock_live() else { return };
        let linking = self.is(LINKING);
        self.set(LINKING, 0);
        drop(live);
        if linking {
            return;
        }
        let Some(place) = parent.add_child(self) else {
            _ = Walk::new(Mode::Notify).resolve(self, 0);
            return;
        };
        self.list.store(place.list, Ordering::Relaxed);
        self.place.store(place.index, Ordering::Relaxed);
        // While another thread still links the parent, an end may not find the way: keep looking up.
        let found = if parent.is(UNLINKED) || self.is(MOVES) { 0 } else { UNLINKED };
        let shared = lock(&self.shared);
        self.set(LISTED, found);
        drop(shared);
        // Whoever ended the node before this found no place to take back.
        if !self.lives() {
            self.leave_if_notified();
        }
    }

    /// Lists `child` and returns its place; `None` if this node has ended.
    pub(crate) fn add_child(&self, child: &Arc<Self>) -> Option<Place> {
        let child = Arc::downgrade(child);
        let lists = self.make_lists()?;
        if let Some((list, children)) = lists.shards.mine() {
            let mut children = lock(children);
            return self.lives().then(|| Place { list, index: children.insert(child) });
        }
        let mut common = lists.lock();
        if !self.lives() {
            return None;
        }
        if lists.waits.load(Ordering::Relaxed) >= PATIENCE {
            lists.shards.open();
        }
        Some(Place { list: COMMON, index: common.children.insert(child) })
    }

    /// Takes the child at `place` off its list.
    pub(crate) fn remove_child(&self, place: Place) {
        if !self.lives() {
            return;
        }
        let Some(lists) = self.lists.get() else { return };
        let gone = match place.list {
            COMMON => lists.lock().children.remove(place.index),
            list => lists.shards.list(list).and_then(|children| lock(children).remove(place.index)),
        };
        drop(gone);
    }

    /// Leaves the parent's list, if this node is in it.
    pub(super) fn leave(&self) {
        if !self.is(LISTED) {
            return;
        }
        let index = self.place.swap(NOWHERE, Ordering::Relaxed);
        if index != NOWHERE
            && let Some(parent) = &self.parent.node
        {
            parent.remove_child(Place { list: self.list.load(Ordering::Relaxed), index });
        }
    }

    /// Leaves the parent's list, unless somebody here is still to be notified: the parent's end would do that.
    pub(super) fn leave_if_notified(&self) {
        if !self.is(UNNOTIFIED) {
            self.leave();
        }
    }

    /// Puts a registration elsewhere in place before anyone else knows this node.
    pub(crate) fn prepare_links(&self, links: Vec<Link>) {
        if let Some(mut common) = self.lock_common() {
            common.links = links;
        }
    }

    /// Notes where another parent lists this node; false if the end has taken the link already.
    pub(crate) fn set_link(&self, number: usize, at: Place) -> bool {
        let Some(mut common) = self.lock_common() else { return false };
        let Some(Link::Node { place, .. }) = common.links.get_mut(number) else { return false };
        *place = Some(at);
        true
    }

    /// Keeps a registration elsewhere for as long as this node lives.
    pub(crate) fn add_link(&self, link: Link) {
        match self.lock_common() {
            Some(mut common) => common.links.push(link),
            None => super::contain(|| drop(link)),
        }
    }

    /// Returns the other parent whose deadline this node has, if there is one.
    pub(super) fn linked(&self, deadline: u64) -> Option<Arc<Self>> {
        let common = lock(&self.lists.get()?.common);
        common.links.iter().find_map(|link| match link {
            Link::Node { node, same_clock: true, .. } if node.deadline == deadline => Some(node.clone()),
            _ => None,
        })
    }

    /// Keeps a cause with an ended node until foreign code may run.
    pub(super) fn keep_unused(&self, cause: Cause) {
        let lists = self.lists.get_or_init(Box::default);
        lock(&lists.common).unused.push(cause);
    }

    /// Empties the lists of a node that has ended, or that nobody has any more.
    pub(super) fn take_registered(&self) -> Option<Registered> {
        let lists = self.lists.get()?;
        let mut taken = std::mem::take(&mut *lock(&lists.common));
        for children in lists.shards.lists() {
            let more = std::mem::take(&mut *lock(children));
            taken.children.append(more);
        }
        Some(taken)
    }

    /// Returns the children that are listed and still exist.
    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        self.lists.get().map(|lists| lists.children()).unwrap_or_default()
    }

    /// Returns the lists, if there are any.
    pub(super) fn lists(&self) -> Option<&Lists> {
        self.lists.get()
    }

    /// Returns the lists, which the first caller makes; `None` if the node has ended without any.
    pub(super) fn make_lists(&self) -> Option<&Lists> {
        if let Some(lists) = self.lists.get() {
            return Some(lists);
        }
        let live = self.lock_live()?;
        let lists = self.lists.get_or_init(Box::default);
        drop(live);
        Some(lists)
    }

    /// Locks the common lists of a live node, so that the end finds a new entry; `None` if it has ended.
    pub(super) fn lock_common(&self) -> Option<MutexGuard<'_, Registered>> {
        let common = lock(&self.make_lists()?.common);
        self.lives().then_some(common)
    }

    pub(super) fn lives(&self) -> bool {
        self.ended().is_none()
    }
}
