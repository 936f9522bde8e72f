//! Contexts with more than one parent: merged ones, and those that follow a foreign signal.

use std::sync::Arc;
use std::time::Instant;

use crate::cancel::Cancel;
use crate::clock::{self, NEVER};
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::node::{End, Link, MANUAL, MERGED, Node};

/// A cancellation signal of another library that a [`Context`] can follow, without a task in between.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
/// use ctx::{Cause, Context, Error, Foreign, OnEnd};
///
/// /// Another library's signal: it keeps callbacks by number, and runs them when it is rung.
/// #[derive(Clone, Default)]
/// struct Bell(Arc<Mutex<BTreeMap<u64, OnEnd>>>);
///
/// impl Bell {
///     fn ring(&self, cause: &str) {
///         let callbacks = std::mem::take(&mut *self.0.lock().unwrap());
///         callbacks.into_values().for_each(|callback| callback(Error::Canceled, Some(Cause::msg(cause))));
///     }
/// }
///
/// impl Foreign for Bell {
///     fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send> {
///         let mut callbacks = self.0.lock().unwrap();
///         let number = callbacks.last_key_value().map_or(0, |(last, _)| last + 1);
///         callbacks.insert(number, callback);
///         let bell = self.clone();
///         // Takes back this callback and no other.
///         Box::new(move || drop(bell.0.lock().unwrap().remove(&number)))
///     }
/// }
///
/// let bell = Bell::default();
/// let (first, cancel) = Context::background().with_foreign(&bell);
/// let (second, _c) = Context::background().with_foreign(&bell);
/// cancel.cancel();
/// bell.ring("ding");
/// assert_eq!(first.cause().unwrap().to_string(), "context canceled");
/// assert_eq!(second.cause().unwrap().to_string(), "ding");
/// ```
pub trait Foreign {
    /// Returns the signal's own deadline, if it has one, on the clock of the context that follows it.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Registers a callback for the end and returns how to take it back.
    ///
    /// A signal that has ended calls back at once. Taking back after the call must do nothing.
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send>;
}

/// The callback of a [`Foreign`] signal that ends: it takes the kind, and the cause if the signal knows one.
pub type OnEnd = Box<dyn FnOnce(Error, Option<Cause>) + Send>;

impl Context {
    /// Derives a context that ends with the first of `contexts`, with that one's kind and cause.
    ///
    /// Values and the clock come from the first. Its deadline is the earliest of those on that clock; one on
    /// another clock (a [`ManualClock`](crate::ManualClock)) ends it when that context's end is noticed there. Of
    /// several contexts that have ended before, the first in the list counts. Without any context in the list, the
    /// new one is a child of the background.
    ///
    /// ```
    /// use ctx::{Cause, Context};
    ///
    /// let (request, _r) = Context::background().with_cancel();
    /// let (server, stop) = Context::background().with_cancel();
    /// let (both, _cancel) = Context::merge([&request, &server]);
    /// stop.cancel_cause(Cause::msg("shutting down"));
    /// assert_eq!(both.cause().unwrap().to_string(), "shutting down");
    /// assert_eq!(request.err(), None);
    /// ```
    pub fn merge<'a>(contexts: impl IntoIterator<Item = &'a Self>) -> (Self, Cancel) {
        let contexts: Vec<&Self> = contexts.into_iter().collect();
        let Some((first, others)) = contexts.split_first() else { return Self::background().with_cancel() };
        let others: Vec<(&Arc<Node>, bool)> = others
            .iter()
            .filter_map(|other| Some((other.0.node.as_ref()?, first.shares_clock(other))))
            .collect();
        let earliest = others.iter().filter(|(_, same)| *same).map(|(other, _)| other.deadline).min();
        let node = first.derive_earlier(earliest.unwrap_or(NEVER), MERGED);
        if let Some(end) = contexts.iter().find_map(|ctx| ctx.end()) {
            node.end_quietly(End { at: 0, ..end });
            return first.handles(node);
        }
        let link = |&(other, same_clock): &(&Arc<Node>, bool)| Link::Node {
            node: other.clone(),
            place: None,
            same_clock,
        };
        node.prepare_links(others.iter().map(link).collect());
        node.note_timed_below();
        node.link();
        others.iter().enumerate().for_each(|(number, (other, _))| node.follow(other, number));
        first.arm(&node);
        first.handles(node)
    }

    /// Tells whether deadlines of both are on one clock.
    fn shares_clock(&self, other: &Self) -> bool {
        match (self.0.flags & MANUAL, other.0.flags & MANUAL) {
            (0, 0) => true,
            (MANUAL, MANUAL) => match (self.0.watcher(), other.0.watcher()) {
                (Some(own), Some(theirs)) => Arc::ptr_eq(own, theirs),
                _ => false,
            },
            _ => false,
        }
    }

    /// Derives a context that also ends when `foreign` does, by its callback: no task watches it.
    pub fn with_foreign(&self, foreign: &impl Foreign) -> (Self, Cancel) {
        let deadline = foreign.deadline().map_or(NEVER, clock::stamp);
        let node = self.derive_earlier(deadline, 0);
        let weak = Arc::downgrade(&node);
        let stop = foreign.on_end(Box::new(move |error, cause| {
            if let Some(node) = weak.upgrade() {
                node.cancel_as(error, cause);
            }
        }));
        node.add_link(Link::Foreign(Some(stop)));
        self.arm(&node);
        self.handles(node)
    }
}
