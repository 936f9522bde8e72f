//! Everything to be notified of a node's end: its children, its waiters, its callbacks.
//!
//! An entry is made only while the node lives. Taking one back finds nothing once the end has emptied the lists,
//! and that is no error.

use std::sync::{Arc, Weak};
use std::task::Waker;

use super::shards::{Children, Shards};
use super::state::{LENT, LINKING, LISTED, MOVES, UNLINKED, UNNOTIFIED, WATCHED};
use super::{Mode, NOWHERE, Node, Walk, contain, wake_all};
use crate::error::Cause;
use crate::few::Few;
use crate::slab::Slab;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, lock, try_lock};

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
    pub(super) children: Children,
    pub(super) wakers: Slab<Waker>,
    pub(super) callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    pub(super) links: Vec<Link>,
    /// Causes prepared for deadlines that did not come first, until foreign code may run.
    pub(super) unused: Vec<Cause>,
}

/// Where a child is listed, or the waiter that it has lent.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(super) list: u8,
    pub(super) index: u32,
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
        let Self { children, wakers, callbacks, links, unused } = self;
        children.lent.len() + wakers.len() + callbacks.len() + links.len() + unused.len() == 0
    }
}

impl Lists {
    /// Locks the lists that every node has, and notes if that takes waiting.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Registered> {
        try_lock(&self.common).unwrap_or_else(|| self.wait())
    }

    #[cold]
    fn wait(&self) -> MutexGuard<'_, Registered> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        lock(&self.common)
    }

    /// Returns the children that still exist.
    pub(super) fn children(&self) -> Vec<Arc<Node>> {
        let mut children = Vec::new();
        self.for_each(|list| {
            children.reserve(list.nodes.len());
            list.nodes.iter().filter_map(Weak::upgrade).for_each(|child| children.push(child));
        });
        children
    }

    /// Looks at each list of children, under its lock.
    #[inline]
    pub(super) fn for_each(&self, mut look: impl FnMut(&Children)) {
        look(&lock(&self.common).children);
        self.shards.lists().for_each(|list| look(&lock(list)));
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
        // While another thread still links the parent, an end may not find the way: keep looking up.
        let found = if parent.is(UNLINKED) || self.is(MOVES) { 0 } else { UNLINKED };
        let mut shared = lock(&self.shared);
        // Only after the node is listed, so that `wake_all` from above finds the waiter in the parent's list or here.
        if self.is(LENT) {
            self.take_back(&mut shared);
        }
        self.set_place(place);
        self.set(LISTED, found);
        drop(shared);
        // Whoever ended the node before this found no place to take back.
        if !self.lives() {
            self.leave_if_notified();
        }
        // A driver that stops and a deadline that moves wake waiters through the lists. They missed those who registered
        // here before this node was listed, and who may wait for a timer now.
        if (self.is(WATCHED) || self.is_movable()) && self.alarm().is_some() {
            contain(|| wake_all(self));
        }
    }

    /// Lists `child` and returns its place; `None` if this node has ended.
    pub(crate) fn add_child(&self, child: &Arc<Self>) -> Option<Place> {
        let child = Arc::downgrade(child);
        self.enter(self.make_lists()?, |children| Some(children.nodes.insert(child)))
    }

    /// Makes an entry in a list of children, and returns its place; `None` if this node has ended.
    pub(super) fn enter(
        &self,
        lists: &Lists,
        insert: impl FnOnce(&mut Children) -> Option<u32>,
    ) -> Option<Place> {
        if let Some((list, children)) = lists.shards.mine() {
            let mut children = lock(children);
            return if self.lives() { Some(Place { list, index: insert(&mut children)? }) } else { None };
        }
        let mut common = lists.lock();
        if !self.lives() {
            return None;
        }
        if lists.waits.load(Ordering::Relaxed) >= PATIENCE {
            lists.shards.open();
        }
        Some(Place { list: COMMON, index: insert(&mut common.children)? })
    }

    /// Runs `change` on the list of children with that number, under its lock; `None` if there is none.
    pub(super) fn change_children<R>(&self, list: u8, change: impl FnOnce(&mut Children) -> R) -> Option<R> {
        let lists = self.lists.get()?;
        match list {
            COMMON => Some(change(&mut lists.lock().children)),
            list => lists.shards.list(list).map(|children| change(&mut lock(children))),
        }
    }

    /// Runs `look` on the list of children with that number; `None` if there is none, or if another thread has it.
    pub(super) fn try_children<R>(&self, list: u8, look: impl FnOnce(&mut Children) -> R) -> Option<R> {
        let lists = self.lists.get()?;
        match list {
            COMMON => Some(look(&mut try_lock(&lists.common)?.children)),
            list => Some(look(&mut *try_lock(lists.shards.list(list)?)?)),
        }
    }

    /// Returns where this node, or the waiter that it has lent, is listed.
    pub(super) fn place(&self) -> Place {
        Place { list: self.list.load(Ordering::Relaxed), index: self.place.load(Ordering::Relaxed) }
    }

    pub(super) fn set_place(&self, Place { list, index }: Place) {
        self.list.store(list, Ordering::Relaxed);
        self.place.store(index, Ordering::Relaxed);
    }

    /// Takes the child at `place` off its list.
    pub(crate) fn remove_child(&self, place: Place) {
        if !self.lives() {
            return;
        }
        let gone = self.change_children(place.list, |children| children.nodes.remove(place.index));
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
            taken.children.nodes.append(more.nodes);
            taken.children.lent.append(more.lent);
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
