//! The cancelable node: one state, one lock, and the lists of those who want to hear of its end.
//!
//! # Invariants
//!
//! 1. `state` leaves `LIVE` or `TIMED` once, under the node's lock, and never changes again.
//! 2. When `state` says ended, the cause is in place: both are written in the same critical section.
//! 3. A node is listed by its parent from birth until one of the two ends; an ended node's lists are empty.
//! 4. A node holds its parent; the parent knows its children only weakly. Dropping the last handle frees.
//!
//! # Deadlock safety
//!
//! No thread ever holds two of these locks, and no foreign code (wakers, callbacks, destructors of values)
//! runs under one. An end first marks the whole tree and only then wakes, so that whoever is woken finds
//! every descendant ended.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use crate::context::Context;
use crate::error::{Cause, Error};
use crate::join::Link;
use crate::slab::Slab;
use crate::sync::{AtomicU8, AtomicU32, Mutex, Ordering, lock};

/// Runs; nothing but its state has to be asked.
pub(crate) const LIVE: u8 = 0;
/// Runs, but has a deadline that nobody watches: whoever asks reads the clock.
pub(crate) const TIMED: u8 = 1;
const CANCELED: u8 = 2;
const EXPIRED: u8 = 3;

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the one waiter that fits into the node itself.
const INLINE: u32 = u32::MAX - 1;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// A context that can end.
pub(crate) struct Node {
    state: AtomicU8,
    /// Where the parent lists this node; set once under the parent's lock, cleared when it leaves.
    place: AtomicU32,
    pub(crate) parent: Context,
    /// The earliest deadline from here to the root.
    pub(crate) deadline: Option<Instant>,
    shared: Mutex<Shared>,
}

struct Shared {
    /// While the node lives: the cause its own deadline would have. Afterwards: the cause of its end.
    cause: Option<Cause>,
    /// The first waiter; most contexts have at most one.
    waiter: Option<Waker>,
    lists: Option<Box<Lists>>,
}

/// Everyone else who wants to hear of the end.
struct Lists {
    children: Slab<Weak<Node>>,
    wakers: Slab<Waker>,
    callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    links: Vec<Link>,
}

/// How a node ends.
pub(crate) enum End {
    /// Canceled by hand, with the cause given.
    Cancel(Option<Cause>),
    /// Its own deadline passed; the cause is the one prepared for that.
    Expire,
    /// An ancestor ended so.
    Inherit(Error, Option<Cause>),
}

/// What a node's end left to be told.
struct Left {
    error: Error,
    cause: Option<Cause>,
    waiter: Option<Waker>,
    lists: Option<Box<Lists>>,
}

impl Node {
    pub(crate) fn new(parent: Context, deadline: Option<Instant>, state: u8, cause: Option<Cause>) -> Self {
        Self {
            state: AtomicU8::new(state),
            place: AtomicU32::new(NOWHERE),
            parent,
            deadline,
            shared: Mutex::new(Shared { cause, waiter: None, lists: None }),
        }
    }

    /// Tells how the node ended, as far as anyone has noticed: never reads the clock.
    pub(crate) fn ended(&self) -> Option<Error> {
        match self.state.load(Ordering::Acquire) {
            CANCELED => Some(Error::Canceled),
            EXPIRED => Some(Error::DeadlineExceeded),
            _ => None,
        }
    }

    /// Tells how the node ended; exact, because it notices a deadline that has passed.
    pub(crate) fn err(&self) -> Option<Error> {
        match self.state.load(Ordering::Acquire) {
            LIVE => None,
            TIMED => self.ask_the_clock(),
            CANCELED => Some(Error::Canceled),
            _ => Some(Error::DeadlineExceeded),
        }
    }

    fn ask_the_clock(&self) -> Option<Error> {
        (self.deadline? <= Instant::now()).then(|| self.expire())
    }

    /// Returns the deadline, if it is one that nobody watches.
    pub(crate) fn alarm(&self) -> Option<Instant> {
        if self.state.load(Ordering::Acquire) == TIMED { self.deadline } else { None }
    }

    /// The state of a child that adds no deadline of its own.
    pub(crate) fn inherited_state(&self) -> u8 {
        match (self.deadline, self.state.load(Ordering::Acquire)) {
            (None, _) | (_, LIVE) => LIVE,
            _ => TIMED,
        }
    }

    /// Returns the kind and cause of the end, if it has ended.
    pub(crate) fn outcome(&self) -> Option<(Error, Option<Cause>)> {
        let error = self.ended()?;
        Some((error, lock(&self.shared).cause.clone()))
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
        let linked = {
            let shared = lock(&owner.shared);
            let links = shared.lists.iter().flat_map(|lists| &lists.links);
            links.into_iter().find_map(|link| link.source(owner.deadline).cloned())
        };
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
                    self.finish(End::Inherit(error, cause));
                    break;
                }
                above = node.parent.node();
            }
        }
    }

    /// Makes `child` this node's own: lists it, or ends it at once if this node has ended.
    pub(crate) fn bear(&self, child: &Arc<Self>) {
        if let Some(place) = self.adopt(child) {
            child.place.store(place, Ordering::Relaxed);
        }
    }

    /// Lists `child` and returns its place; or ends it at once if this node has ended.
    pub(crate) fn adopt(&self, child: &Arc<Self>) -> Option<u32> {
        let mut shared = lock(&self.shared);
        if let Some(error) = self.ended() {
            let cause = shared.cause.clone();
            drop(shared);
            child.finish(End::Inherit(error, cause));
            return None;
        }
        Some(shared.lists().children.insert(Arc::downgrade(child)))
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
        let mut shared = lock(&self.shared);
        if self.ended().is_none() {
            shared.lists().links.push(link);
            return;
        }
        drop(shared);
        drop(link);
    }

    /// Ends this node and everything below; false if it had ended already.
    pub(crate) fn finish(&self, end: End) -> bool {
        let Some(left) = self.close(end) else { return false };
        self.leave();
        left.spread();
        true
    }

    /// Marks the end and takes the lists, in one critical section.
    fn close(&self, end: End) -> Option<Left> {
        let mut shared = lock(&self.shared);
        if self.ended().is_some() {
            return None;
        }
        let (error, cause) = match end {
            End::Cancel(cause) => (Error::Canceled, cause),
            End::Expire => (Error::DeadlineExceeded, shared.cause.take()),
            End::Inherit(error, cause) => (error, cause),
        };
        shared.cause.clone_from(&cause);
        let state = if error.is_timeout() { EXPIRED } else { CANCELED };
        self.state.store(state, Ordering::Release);
        Some(Left { error, cause, waiter: shared.waiter.take(), lists: shared.lists.take() })
    }

    /// Registers or renews a waiter; `None` if the node has ended.
    pub(crate) fn watch(&self, place: u32, waker: &Waker) -> Option<u32> {
        let mut shared = lock(&self.shared);
        if self.ended().is_some() {
            return None;
        }
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
        let mut shared = lock(&self.shared);
        if self.ended().is_some() {
            return Err(callback);
        }
        Ok(shared.lists().callbacks.insert(callback))
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

    /// Counts the live nodes below this one.
    pub(crate) fn descendants(&self) -> usize {
        let children = |node: &Self| -> Vec<Arc<Self>> {
            let shared = lock(&node.shared);
            let Some(lists) = &shared.lists else { return Vec::new() };
            lists.children.iter().filter_map(Weak::upgrade).collect()
        };
        let mut count = 0;
        let mut open = children(self);
        while let Some(node) = open.pop() {
            count += usize::from(node.err().is_none());
            open.extend(children(&node));
        }
        count
    }
}

impl Shared {
    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_with(|| {
            Box::new(Lists {
                children: Slab::new(),
                wakers: Slab::new(),
                callbacks: Slab::new(),
                links: Vec::new(),
            })
        })
    }
}

impl Left {
    /// Ends everything below, then wakes the waiters and runs the callbacks of the whole tree.
    fn spread(self) {
        let Self { error, cause, waiter, lists } = self;
        let Some(lists) = lists else {
            if let Some(waiter) = waiter {
                run_all(std::iter::once(waiter), Waker::wake);
            }
            return;
        };
        let mut told =
            Told { wakers: waiter.into_iter().collect(), callbacks: Vec::new(), links: Vec::new() };
        // A stack of its own: a tree may be deeper than a thread's.
        let mut open = vec![told.take(*lists)];
        while let Some(children) = open.last_mut() {
            let Some(child) = children.next() else {
                open.pop();
                continue;
            };
            let Some(child) = child.upgrade() else { continue };
            let Some(left) = child.close(End::Inherit(error, cause.clone())) else { continue };
            told.wakers.extend(left.waiter);
            if let Some(lists) = left.lists {
                open.push(told.take(*lists));
            }
        }
        drop(told.links);
        run_all(told.wakers.into_iter(), Waker::wake);
        run_all(told.callbacks.into_iter(), |callback| callback());
    }
}

type Children = std::iter::Flatten<std::vec::IntoIter<Option<Weak<Node>>>>;

/// Everything foreign that an ending tree has to call, once all of it is marked.
struct Told {
    wakers: Vec<Waker>,
    callbacks: Vec<Callback>,
    links: Vec<Link>,
}

impl Told {
    fn take(&mut self, lists: Lists) -> Children {
        let Lists { children, wakers, callbacks, links } = lists;
        self.wakers.extend(wakers.into_values());
        self.callbacks.extend(callbacks.into_values());
        self.links.extend(links);
        children.into_values()
    }
}

/// Runs foreign code for each item; one that panics (which the panic hook reports) stops no other.
fn run_all<T>(mut items: impl Iterator<Item = T>, mut run: impl FnMut(T)) {
    loop {
        let pass = std::panic::AssertUnwindSafe(|| items.by_ref().for_each(&mut run));
        if std::panic::catch_unwind(pass).is_ok() {
            return;
        }
    }
}

/// Runs one callback under the same rule.
pub(crate) fn run_one(callback: Callback) {
    run_all(std::iter::once(callback), |callback| callback());
}

impl Drop for Node {
    fn drop(&mut self) {
        self.leave();
        release(std::mem::take(&mut self.parent));
    }
}

/// Drops a context and whatever only it kept alive, without recursion: chains may be a million long.
pub(crate) fn release(mut ctx: Context) {
    let mut open = Vec::new();
    loop {
        if let Some(mut node) = ctx.node.take().and_then(Arc::into_inner) {
            node.leave();
            open.push(std::mem::take(&mut node.parent));
        }
        if let Some(mut layer) = ctx.layer.take()
            && let Some(layer) = Arc::get_mut(&mut layer)
        {
            open.push(std::mem::take(&mut layer.parent));
        }
        match open.pop() {
            Some(next) => ctx = next,
            None => return,
        }
    }
}
