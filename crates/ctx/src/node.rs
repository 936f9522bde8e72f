//! The cancelable node: one state, one lock, and the lists of those who want to hear of its end.
//!
//! # Invariants
//!
//! 1. The phase leaves `LIVE` or `TIMED` once and never changes again.
//! 2. `KNOWN` is set, under the lock, before anything is registered or a cause is kept, and never cleared.
//!    While it is not set nobody is to be told, and one compare-and-exchange ends the node; once it is, the
//!    end is written under the lock.
//! 3. When the phase says ended, the cause is in place: both are written in the same critical section, or
//!    there is no cause.
//! 4. A node is listed by its parent from birth until one of the two ends; an ended node's lists are empty.
//! 5. A node holds its parent; the parent knows its children only weakly. Dropping the last handle frees.
//!
//! # Deadlock safety
//!
//! No thread ever holds two of these locks, and of foreign code (wakers, callbacks, destructors) only the
//! clone of a waker runs under one. An end first marks the whole tree and only then wakes, so that whoever is
//! woken finds every descendant ended.

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use crate::context::Context;
use crate::error::{Cause, Error};
use crate::join::Link;
use crate::slab::Slab;
use crate::sync::{AtomicU8, AtomicU32, Mutex, MutexGuard, Ordering, lock};
use crate::walk::{Callback, Told, release};

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

/// No place in a list.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// The place of the one waiter that fits into the node itself.
const INLINE: u32 = u32::MAX - 1;

/// A context that can end.
pub(crate) struct Node {
    state: AtomicU8,
    /// Where the parent lists this node; set at birth, cleared when it leaves.
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
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) children: Slab<Weak<Node>>,
    pub(crate) wakers: Slab<Waker>,
    pub(crate) callbacks: Slab<Callback>,
    /// Registrations of this node with others than its parent.
    pub(crate) links: Vec<Link>,
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
            place: AtomicU32::new(NOWHERE),
            parent,
            deadline,
            shared: Mutex::new(Shared { cause, waiter: None, lists: None }),
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
    pub(crate) fn err(&self) -> Option<Error> {
        match phase(&self.state) {
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
        let (waiter, lists) = self.seal(&mut shared, error);
        drop(shared);
        drop(unused);
        self.leave();
        Told::new(waiter).spread(error, cause, lists);
        true
    }

    /// Marks the end of a node below an ended one, notes its waiter and returns its lists.
    pub(crate) fn finish_in_walk(
        &self,
        error: Error,
        cause: Option<&Cause>,
        told: &mut Told,
    ) -> Option<Box<Lists>> {
        if cause.is_none() && self.finish_quietly(error) {
            return None;
        }
        let mut shared = self.lock_live()?;
        if cause.is_some() || shared.cause.is_some() {
            told.unused.extend(std::mem::replace(&mut shared.cause, cause.cloned()));
        }
        let (waiter, lists) = self.seal(&mut shared, error);
        told.wake_later(waiter);
        lists
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

    /// Marks the end of a locked live node and takes what is registered.
    fn seal(&self, shared: &mut Shared, error: Error) -> (Option<Waker>, Option<Box<Lists>>) {
        self.state.store(phase_of(error) | KNOWN, Ordering::Release);
        (shared.waiter.take(), shared.lists.take())
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
                    self.finish(End::With(error, cause));
                    break;
                }
                above = node.parent.node();
            }
            std::hint::spin_loop();
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

    /// Gives up the parent, for a drop without recursion.
    pub(crate) fn take_parent(&mut self) -> Context {
        self.leave();
        std::mem::take(&mut self.parent)
    }
}

fn phase(state: &AtomicU8) -> u8 {
    state.load(Ordering::Acquire) & PHASE
}

/// The phase of a node that ended so.
fn phase_of(error: Error) -> u8 {
    if error.is_timeout() { EXPIRED } else { CANCELED }
}

impl Shared {
    fn lists(&mut self) -> &mut Lists {
        self.lists.get_or_insert_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        release(self.take_parent());
    }
}
