//! The handles that end a context and that take a callback back.

use std::fmt;
use std::sync::Arc;

use crate::error::{Cause, Error};
use crate::node::{NOWHERE, Node, contain};
use crate::sync::{AtomicU32, Ordering};

/// Cancels its context: on [`cancel`](Self::cancel), or when it is dropped.
///
/// Dropping is Go's `defer cancel()`, which here nobody can forget. Bind it to a name: `let (ctx, _) = …`
/// drops it, and so cancels, at once. [`keep`](Self::keep) opts out.
///
/// ```
/// let (ctx, cancel) = ctx::Context::background().with_cancel();
/// drop(cancel);
/// assert_eq!(ctx.err(), Some(ctx::Error::Canceled));
/// ```
#[must_use = "dropping a `Cancel` cancels its context at once; bind it to a name"]
pub struct Cancel {
    pub(crate) node: Option<Arc<Node>>,
}

impl Cancel {
    /// Ends the context with [`Error::Canceled`]; changes nothing if it has ended, or if its deadline has passed
    /// and nobody has noticed yet.
    ///
    /// When it returns, every descendant has ended too, whatever other threads are ending. It wakes all waiters,
    /// runs all callbacks, and then drops what nobody needs any more; a panic in any of these stops no other and
    /// does not come out here. It does not wait for the work to stop.
    pub fn cancel(&self) {
        if let Some(node) = &self.node {
            node.cancel();
        }
    }

    /// Ends the context as [`cancel`](Self::cancel) does, and gives the cause.
    pub fn cancel_cause(&self, cause: impl Into<Cause>) {
        if let Some(node) = &self.node {
            node.cancel_as(Error::Canceled, Some(cause.into()));
        }
    }

    /// Gives up the right to cancel: the context ends with its parent or at its deadline only.
    pub fn keep(mut self) {
        self.node = None;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if let Some(node) = &self.node {
            node.cancel_dropped();
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancel")
    }
}

/// Takes a callback back that [`Context::after_func`](crate::Context::after_func) registered.
///
/// Dropping it leaves the callback registered for the life of the context, as in Go; say so with
/// [`keep`](Self::keep). [`on_drop`](Self::on_drop) makes it a guard.
#[must_use = "call `stop` to take the callback back, or `keep` to leave it"]
pub struct Stop {
    node: Option<Arc<Node>>,
    place: AtomicU32,
}

impl Stop {
    pub(crate) fn register(node: Option<&Arc<Node>>, f: impl FnOnce() + Send + 'static) -> Self {
        let Some(node) = node else { return Self { node: None, place: AtomicU32::new(0) } };
        // An expired context may not know it yet: ask, so that the callback runs now.
        node.notice();
        let place = match node.register(Box::new(f)) {
            Ok(place) => place,
            Err(f) => {
                contain(f);
                NOWHERE
            }
        };
        Self { node: Some(node.clone()), place: AtomicU32::new(place) }
    }

    /// Takes the callback back: true if it has not started and now never will.
    ///
    /// False if it was started, or stopped before; and if the deadline has passed, unnoticed or not: then it has
    /// run when this returns, or runs on another thread, for which this does not wait.
    pub fn stop(&self) -> bool {
        let place = self.place.swap(NOWHERE, Ordering::Relaxed);
        if place == NOWHERE {
            return false;
        }
        // On a context that can never end there is nothing to take back.
        let Some(node) = &self.node else { return true };
        node.notice();
        let gone = node.unregister(place);
        gone.is_some()
    }

    /// Leaves the callback registered until the context ends; it outlives the handles of its context (see
    /// [`Context::after_func`](crate::Context::after_func)).
    pub fn keep(self) {}

    /// Turns this into a guard that stops the callback when it is dropped.
    pub fn on_drop(self) -> StopOnDrop {
        StopOnDrop(self)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// A [`Stop`] that takes the callback back when it is dropped.
#[must_use = "dropping it takes the callback back at once; bind it to a name"]
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl StopOnDrop {
    /// Takes the callback back, as [`Stop::stop`] does.
    pub fn stop(&self) -> bool {
        self.0.stop()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
