//! Dropping without recursion, and foreign code whose panic goes no further.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::lists::Registered;
use super::moving::{Moving, is_due};
use super::state::{ENDED, KNOWN, MOVES, TIMED, WATCHED};
use super::{Node, Position};
use crate::clock;
use crate::error::Cause;
use crate::few::Few;
use crate::sync::{Ordering, lock};

/// Runs foreign code; a panic, which the panic hook has reported, goes no further.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        // Its destructor is foreign too.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
    }
}

/// Runs foreign code for each item; one that panics stops no other.
pub(crate) fn contain_each<T>(items: impl IntoIterator<Item = T>, mut run: impl FnMut(T)) {
    let mut items = items.into_iter();
    let mut rest = true;
    while rest {
        contain(|| {
            items.by_ref().for_each(&mut run);
            rest = false;
        });
    }
}

/// The remains of a dropped node or layer: a chain of such may be a million long.
#[derive(Default)]
pub(super) struct Remains {
    parent: Position,
    /// Most have none; apart from the rest, so that a chain moves a few words for each of its nodes.
    own: Option<Box<Own>>,
}

/// The registrations of a dropped node itself.
struct Own {
    registered: Registered,
    waiter: Option<Waker>,
    cause: Option<Cause>,
    deadline: u64,
    state: u16,
}

impl Remains {
    pub(super) fn of(parent: Position) -> Self {
        Self { parent, own: None }
    }
}

thread_local! {
    /// The remains that are left to be dropped by the release that runs on this thread.
    static QUEUE: RefCell<Option<Few<Remains>>> = const { RefCell::new(None) };
}

/// Drops what is left, one after the other: what a destructor leaves in turn waits until it has returned.
pub(super) fn release(remains: Remains) {
    let queued = QUEUE.try_with(|queue| {
        let mut queue = queue.borrow_mut();
        let runs = queue.is_some();
        queue.get_or_insert_default().push(remains);
        runs
    });
    let mut rest = queued == Ok(false);
    while rest {
        contain(|| {
            while let Some(remains) = next_remains() {
                remains.drop_all();
            }
            rest = false;
        });
    }
}

/// Takes what was left last; where nothing is left, the release is over.
fn next_remains() -> Option<Remains> {
    let next = QUEUE.try_with(|queue| {
        let mut queue = queue.borrow_mut();
        let next = queue.as_mut().and_then(Few::pop);
        if next.is_none() {
            *queue = None;
        }
        next
    });
    next.ok().flatten()
}

impl Remains {
    #[inline]
    fn drop_all(self) {
        if let Some(own) = self.own {
            own.drop_all(&self.parent);
        }
        drop(self.parent);
    }
}

impl Own {
    /// Kept apart, because most nodes leave nothing of their own.
    #[cold]
    fn drop_all(mut self: Box<Self>, parent: &Position) {
        let callbacks = std::mem::take(&mut self.registered.callbacks);
        if callbacks.len() > 0 {
            self.keep_promise(parent, callbacks.into_values());
        }
        let Self { registered, waiter, cause, .. } = *self;
        contain_each(registered.links, drop);
        contain_each(registered.unused.into_iter().chain(cause), drop);
        contain_each(registered.wakers.into_values().chain(waiter), drop);
    }

    /// Runs callbacks that are due, and hands the others over to whatever can still end them: the deadline, if
    /// somebody watches it, else the parent.
    fn keep_promise(&mut self, parent: &Position, callbacks: impl Iterator<Item = super::lists::Callback>) {
        let fixed = self.state & TIMED != 0 && clock::passed(self.deadline).is_some();
        let due = fixed || self.has_moved_due(parent);
        if due || self.state & ENDED != 0 {
            return contain_each(callbacks, |callback| callback());
        }
        let owns = parent.node.as_ref().is_none_or(|parent| parent.deadline != self.deadline);
        let heir = match parent.watcher() {
            Some(watcher) if owns && self.deadline != clock::NEVER && watcher.keeps() => {
                let traits = self.state & (TIMED | WATCHED);
                let node = Node::new(parent.clone(), self.deadline, traits);
                if let Some(cause) = self.cause.take() {
                    node.prepare_cause(cause);
                }
                watcher.keep(node.clone());
                Some(node)
            }
            _ => parent.node.clone(),
        };
        let Some(heir) = heir else { return contain_each(callbacks, drop) };
        for callback in callbacks {
            if let Err(callback) = heir.register(callback) {
                contain(callback);
            }
        }
    }
}

impl Own {
    /// Tells whether the moving deadline of the dropped node has come.
    fn has_moved_due(&self, parent: &Position) -> bool {
        let moving = if self.state & MOVES == 0 { None } else { parent.layer.as_ref() };
        let moving = moving.and_then(|layer| layer.get::<Moving>());
        moving.is_some_and(|moving| moving.come(|at| is_due(parent, at, 0)).is_some())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.leave();
        let state = self.state.load(Ordering::Relaxed);
        let own = if state & KNOWN == 0 { None } else { self.take_own(state) };
        if own.is_some() || !self.parent.is_shared() {
            release(Remains { parent: std::mem::take(&mut self.parent), own });
        }
    }
}

impl Node {
    /// Takes whatever foreign is left here, if anything is.
    fn take_own(&self, state: u16) -> Option<Box<Own>> {
        let registered = self.take_registered().unwrap_or_default();
        let mut shared = lock(&self.shared);
        let cause = shared.cause.take();
        let waiter = self.take_first(shared);
        let nothing = registered.is_empty() && waiter.is_none() && cause.is_none();
        (!nothing).then(|| Box::new(Own { registered, waiter, cause, deadline: self.deadline, state }))
    }
}
