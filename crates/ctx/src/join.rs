//! Contexts with more than one parent: merged ones, and those that follow a foreign signal.

use std::sync::Arc;
use std::time::Instant;

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::{Cause, Error};
use crate::node::{End, Node, Place};

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
    /// Returns the signal's own deadline, if it has one.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Registers a callback for the end and returns how to take it back.
    ///
    /// A signal that has ended calls back at once. Taking back after the call must do nothing.
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send>;
}

/// What a [`Foreign`] signal calls when it ends: with the kind, and the cause if it knows one.
pub type OnEnd = Box<dyn FnOnce(Error, Option<Cause>) + Send>;

/// A registration with somebody who is not the parent, taken back when dropped.
pub(crate) enum Link {
    Node { node: Arc<Node>, place: Place },
    Foreign(Option<Box<dyn FnOnce() + Send>>),
}

impl Link {
    /// The linked node, if the deadline is one of its own.
    pub(crate) fn source(&self, deadline: Option<Instant>) -> Option<&Arc<Node>> {
        match self {
            Self::Node { node, .. } if node.deadline == deadline => Some(node),
            _ => None,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match self {
            Self::Node { node, place } => node.disown(*place),
            Self::Foreign(stop) => {
                if let Some(stop) = stop.take() {
                    stop();
                }
            }
        }
    }
}

impl Context {
    /// Derives a context that ends with the first of `contexts`, with that one's kind and cause.
    ///
    /// Values and the clock come from the first. Its deadline is the earliest of all. Without any context in the
    /// list, the new one is a child of the background.
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
        let Some((first, others)) = contexts.split_first() else {
            return Self::background().with_cancel();
        };
        let earliest = others.iter().filter_map(|ctx| ctx.deadline()).min();
        let (merged, cancel) = first.derive_earlier(earliest);
        if let Some(node) = merged.node_arc() {
            for other in others.iter().filter_map(|ctx| ctx.node_arc()) {
                // One that has expired without anyone noticing ends the merged context now, with its cause.
                other.err();
                if let Some(place) = other.adopt(node) {
                    node.link(Link::Node { node: other.clone(), place });
                }
            }
        }
        // Only now: a deadline that has passed must find the context whose it is.
        merged.arm();
        (merged, cancel)
    }

    /// Derives a context that also ends when `foreign` does, by its callback: no task watches it.
    pub fn with_foreign(&self, foreign: &impl Foreign) -> (Self, Cancel) {
        let (ctx, cancel) = self.derive_earlier(foreign.deadline());
        if let Some(node) = ctx.node_arc() {
            let weak = Arc::downgrade(node);
            let stop = foreign.on_end(Box::new(move |error, cause| {
                if let Some(node) = weak.upgrade() {
                    node.finish(End::With(error, cause));
                }
            }));
            node.link(Link::Foreign(Some(stop)));
        }
        ctx.arm();
        (ctx, cancel)
    }
}
