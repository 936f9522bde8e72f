//! The cancelable node: its state, its lock, and the lists of those to be notified of its end.
//!
//! # Invariants
//!
//! 1. The phase leaves `LIVE` once and never changes again.
//! 2. `KNOWN` is set, under the lock, before a waiter or a cause is kept or the lists are made, and never
//!    cleared. While it is not set nobody is to be notified, and one compare-and-exchange ends the node; once
//!    it is, the state changes only under the lock.
//! 3. When the phase says ended, the cause is in place: both are written in the same critical section, or
//!    there is no cause.
//! 4. The lists have locks of their own. An entry is made under a list's lock, and only if the node still
//!    lives then; an end marks the node first and empties each list afterwards. So either the end finds the
//!    entry, or the one who makes it finds the end.
//! 5. A node is listed by its parent only once somebody waits, calls back or is listed below it. Until then
//!    `UNLINKED` is set, and a question looks up the chain. Where it is not set, no ancestor has it set. A node
//!    whose deadline moves has it set for ever, and so has every node below: a question asks that deadline.
//!    A node whose only registration is its first waiter, and that has no deadline of its own, is not listed. It
//!    lends that waiter to its parent: it is `LENT` and `UNLINKED` then, and the parent's end wakes the waiter without
//!    visiting the node, even if that is canceled by hand meanwhile. A thread that lists the node later moves the waiter
//!    into it, but only after the node is in the parent's list.
//! 6. A list of children is emptied only when all descendants are marked. So an end that meets an ended node
//!    with children goes on below it, and has marked all descendants before it notifies anyone, whatever
//!    other threads are ending meanwhile.
//! 7. A node holds its parent; the parent knows its children only weakly. Dropping the last handle frees.
//! 8. An end has the time at which it was due, where a deadline below may have been due before. Of several
//!    the earliest counts, whoever notices which first; on a tie, the outermost.
//!
//! # Deadlock safety
//!
//! A thread that holds a node's own lock may take that of one of its parent's lists, and no other two locks are held at
//! once. Of foreign code (wakers, callbacks, destructors) only the clone of a waker runs under one. Asking
//! ([`Node::err`]) marks a tree and runs no foreign code; everything else that ends a tree marks it, wakes, calls back,
//! and drops what is foreign, in this order. A node that gets into its parent's list wakes its waiters if they may lack a
//! timer by then.

mod due;
mod lent;
mod lists;
mod moving;
mod position;
mod release;
mod shards;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod waiters;
mod walk;

use std::sync::Arc;
use std::task::Waker;

use crate::clock;
use crate::error::{Cause, Error};
use crate::few::Few;
use crate::sync::{AtomicU8, AtomicU16, AtomicU32, Mutex, OnceBox, Ordering, lock};

pub(crate) use lists::Link;
use lists::Lists;
pub(crate) use moving::Moving;
pub(crate) use position::{CLOCKED, Detached, MANUAL, MOVABLE, Position, TODO, WATCHER};
pub(crate) use release::{contain, contain_each};
use state::{CANCELED, ENDED, KNOWN, TIMED_BELOW, UNLINKED, UNNOTIFIED, error_of, error_of_ended, phase_of};
pub(crate) use state::{MERGED, MOVES, TIMED};
pub(crate) use waiters::NOWHERE;
pub(crate) use walk::wake_all;
use walk::{Mode, Walk};

/// A context that can end.
pub(crate) struct Node {
    state: AtomicU16,
    /// Which of the parent's lists has this node, or its lent waiter, and where.
    list: AtomicU8,
    place: AtomicU32,
    pub(crate) parent: Position,
    /// The earliest deadline from here to the root on this node's clock, or `NEVER`; none that moves counts.
    pub(crate) deadline: u64,
    shared: Mutex<Shared>,
    /// Made by the first entry that does not fit into `shared`.
    lists: OnceBox<Lists>,
}

/// In this order a new one is written field by field; in the compiler's own it is copied from the stack in part.
#[repr(C)]
struct Shared {
    /// While the node lives: the cause its own deadline would have. Afterwards: the cause of its end.
    cause: Option<Cause>,
    /// When the end was due on the system's clock; zero says before any deadline below.
    at: u64,
    /// The first waiter, unless that is lent; most contexts have at most one.
    waiter: Option<Waker>,
}

/// The end of a node: its kind, its cause and its time.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) error: Error,
    pub(crate) cause: Option<Cause>,
    /// When it was due on the system's clock; zero says before any deadline below.
    pub(crate) at: u64,
}

/// Watches the deadlines set below the layer that carries it.
pub(crate) trait Watcher: Send + Sync {
    /// Returns the present on its clock.
    fn now(&self) -> u64;
    /// Tells whether it is a clock turned by hand.
    fn is_manual(&self) -> bool;
    /// Tells whether it now expires by itself what it lists.
    fn is_running(&self) -> bool;
    /// Lists a deadline of a node that lives; false if its clock is past it.
    fn list(&self, node: &Arc<Node>, at: u64) -> bool;
    /// Tells whether somebody will expire what it keeps.
    fn keeps(&self) -> bool;
    /// Lists the deadline of a node that has no handle any more, and keeps the node until then.
    fn keep(&self, node: Arc<Node>);
}

/// The value of the layer that carries a watcher.
pub(crate) struct Watched(pub(crate) Arc<dyn Watcher>);

impl Node {
    /// Makes a live node; `traits` are of `TIMED`, `WATCHED`, `MERGED` and `MOVES`.
    #[inline]
    pub(crate) fn new(Position { node, layer, flags }: Position, deadline: u64, traits: u16) -> Arc<Self> {
        let unlinked = if node.is_some() || traits & MOVES != 0 { UNLINKED } else { 0 };
        // `Arc::new` makes its value on the stack and copies it, and the copy waits for what was just written there.
        // This makes it in place, of single fields for the same reason; there is no cycle.
        Arc::new_cyclic(move |_| Self {
            state: AtomicU16::new(traits | unlinked),
            list: AtomicU8::new(0),
            place: AtomicU32::new(NOWHERE),
            parent: Position { node, layer, flags },
            deadline,
            shared: Mutex::new(Shared { cause: None, at: 0, waiter: None }),
            lists: OnceBox::new(),
        })
    }

    /// Keeps the cause that the deadline of a new node would have.
    pub(crate) fn prepare_cause(&self, cause: Cause) {
        if let Some(mut shared) = self.lock_live() {
            shared.cause = Some(cause);
        }
    }

    /// Returns how the node ended, as far as it is marked: neither reads the clock nor looks further.
    #[inline]
    pub(crate) fn ended(&self) -> Option<Error> {
        error_of(self.state.load(Ordering::Acquire))
    }

    /// Returns how the node ended; notices a passed deadline and an ended ancestor, and notifies nobody.
    #[inline]
    pub(crate) fn err(self: &Arc<Self>) -> Option<Error> {
        let state = self.state.load(Ordering::Acquire);
        if state & (ENDED | TIMED | UNLINKED) == 0 {
            return None;
        }
        if state & ENDED == 0 { self.look(state, Mode::Mark) } else { Some(error_of_ended(state)) }
    }

    /// Returns how the node ended, and notifies whoever a question has left unnotified.
    pub(crate) fn notice(self: &Arc<Self>) -> Option<Error> {
        let state = self.state.load(Ordering::Acquire);
        let Some(error) = error_of(state) else {
            return if state & (TIMED | UNLINKED) == 0 { None } else { self.look(state, Mode::Notify) };
        };
        if state & UNNOTIFIED != 0 {
            self.notify();
        }
        Some(error)
    }

    /// Tells whether the node has ended, is marked, and has left nobody to notify: nothing here will change.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) & (ENDED | UNNOTIFIED) == ENDED
    }

    /// Looks at the clock and up the chain, as far as the state of a live node asks for it.
    #[inline]
    fn look(self: &Arc<Self>, state: u16, mode: Mode) -> Option<Error> {
        let near = state & TIMED != 0 && clock::is_near(self.deadline);
        if near || state & UNLINKED != 0 { self.look_closer(mode, near) } else { None }
    }

    /// Kept apart, so that the question far from a deadline needs no registers for it.
    #[inline(never)]
    fn look_closer(self: &Arc<Self>, mode: Mode, near: bool) -> Option<Error> {
        if let Some(error) = self.end_as_parent() {
            return Some(error);
        }
        let passed = if near { clock::passed_exactly(self.deadline) } else { None };
        if passed.is_none() && !self.ended_above() {
            return None;
        }
        self.resolve(mode, passed.unwrap_or(0))
    }

    /// Kept apart, so that a question that finds no end sets up no walk.
    #[cold]
    fn resolve(self: &Arc<Self>, mode: Mode, now: u64) -> Option<Error> {
        Walk::new(mode).resolve(self, now)
    }

    /// Tells whether an ancestor that has not marked this node is marked, or has a moving deadline that is due.
    fn ended_above(&self) -> bool {
        let mut node = self;
        while node.is(UNLINKED) {
            if node.is(MOVES) && node.moved_due(0).is_some() {
                return true;
            }
            let Some(parent) = node.parent.node.as_deref() else { return false };
            if parent.is(ENDED) {
                return true;
            }
            node = parent;
        }
        false
    }

    /// Ends this node, and what else was due by then, as if the system's clock or its own showed `now`.
    pub(crate) fn expire_at(self: &Arc<Self>, now: u64) -> Option<Error> {
        Walk::new(Mode::Notify).resolve(self, now)
    }

    /// Ends a node that nobody else knows yet, and what outward was due at `now` on its clock; notifies nobody.
    pub(crate) fn expire_quietly(self: &Arc<Self>, now: u64) {
        _ = Walk::new(Mode::Mark).resolve(self, now);
    }

    /// Ends a node that nobody else knows yet; notifies nobody.
    pub(crate) fn end_quietly(self: &Arc<Self>, end: End) {
        let mut walk = Walk::new(Mode::Mark);
        walk.end(self, end);
        walk.finish();
    }

    /// Ends this node by hand, and everything below; nothing if it has ended, or was due to.
    #[inline]
    pub(crate) fn cancel(self: &Arc<Self>) {
        let state = self.state.load(Ordering::Acquire);
        let lives = state & (ENDED | TIMED) == 0 && !self.ended_above();
        if lives && self.mark_quietly(CANCELED) {
            self.leave();
        } else {
            self.cancel_as(Error::Canceled, None);
        }
    }

    /// Ends this node as [`cancel`](Self::cancel) does, with this kind and cause.
    pub(crate) fn cancel_as(self: &Arc<Self>, error: Error, cause: Option<Cause>) {
        if self.notice().is_some() {
            if cause.is_some() {
                contain(|| drop(cause));
            }
            return;
        }
        if cause.is_none() && self.mark_quietly(phase_of(error)) {
            return self.leave();
        }
        // Read before the node is marked: what is due below from now on comes later.
        let at = if self.is(TIMED_BELOW) { clock::now() } else { 0 };
        let mut walk = Walk::new(Mode::Notify);
        walk.end(self, End { error, cause, at });
        walk.finish();
    }

    /// Has this merged node end with `other`, its link of that number, too.
    pub(crate) fn follow(self: &Arc<Self>, other: &Arc<Self>, number: usize) {
        other.note_timed_below();
        other.link();
        match other.add_child(self) {
            Some(place) if self.set_link(number, place) => (),
            Some(place) => other.remove_child(place),
            None => {
                let mut walk = Walk::new(Mode::Notify);
                if let Some(end) = other.outcome() {
                    walk.end(self, end);
                }
                walk.finish();
            }
        }
    }

    /// Ends this node for its last `Cancel`, unless nobody else could tell.
    #[inline]
    pub(crate) fn cancel_dropped(self: &Arc<Self>) {
        let state = self.state.load(Ordering::Acquire);
        // No other handle, no waiter, nothing derived; and nothing registered that would have to be notified.
        if state & (ENDED | UNNOTIFIED) != ENDED && (state & KNOWN != 0 || Arc::strong_count(self) > 1) {
            self.cancel();
        }
    }

    /// Notifies whoever a question has left unnotified from here outward, and below.
    fn notify(self: &Arc<Self>) {
        let mut left = Few::default();
        let mut next = Some(self);
        while let Some(node) = next.filter(|node| node.is(UNNOTIFIED)) {
            left.push(node);
            next = node.parent.node.as_ref();
        }
        let mut walk = Walk::new(Mode::Notify);
        while let Some(node) = left.pop() {
            walk.visit_below(node);
        }
        walk.finish();
    }

    /// Returns how, why and when the node ended, if it is marked.
    pub(crate) fn outcome(&self) -> Option<End> {
        let error = self.ended()?;
        let shared = lock(&self.shared);
        Some(End { error, cause: shared.cause.clone(), at: shared.at })
    }

    /// Returns the end that the node's own deadline makes.
    fn expiry(&self) -> End {
        let at = match (self.is(TIMED), self.is(TIMED_BELOW)) {
            (true, _) => self.deadline,
            // Its deadline is on another clock than those below.
            (false, true) => clock::now(),
            (false, false) => 0,
        };
        End { error: Error::DeadlineExceeded, cause: lock(&self.shared).cause.clone(), at }
    }
}
