//! A deadline that its owner moves, earlier or later.

use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::clock::{self, NEVER};
use crate::context::Context;
use crate::node::{MANUAL, MOVABLE, MOVES, Moving, Node, Position, TIMED};

/// Moves the deadline of its context, and cancels it as [`Cancel`] does, to which it dereferences.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Error, ManualClock};
///
/// let clock = ManualClock::new();
/// let root = clock.attach(&Context::background());
/// let (ctx, deadline) = root.with_movable_timeout(Duration::from_secs(30));
/// clock.advance(Duration::from_secs(29));
/// // The peer is alive: 30 seconds more.
/// assert!(deadline.move_after(Duration::from_secs(30)));
/// clock.advance(Duration::from_secs(29));
/// assert_eq!(ctx.err(), None);
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
/// assert!(!deadline.move_after(Duration::from_secs(30)));
/// ```
#[must_use = "dropping it cancels its context at once; bind it to a name"]
#[derive(Debug)]
pub struct MovableDeadline {
    cancel: Cancel,
    ctx: Context,
}

impl MovableDeadline {
    /// Moves the deadline to `deadline`, for all contexts below too; one that has passed ends the context.
    ///
    /// Waiters below set their timers anew. A deadline further out or further in, which cannot move, stands as it is.
    /// False if the context has ended, or ends by this.
    pub fn move_to(&self, deadline: Instant) -> bool {
        self.move_stamp(clock::stamp(deadline))
    }

    /// Moves the deadline to `timeout` from now; beyond the clock's range it is removed. See [`move_to`](Self::move_to).
    pub fn move_after(&self, timeout: Duration) -> bool {
        self.move_stamp(clock::after(self.ctx.stamp(), timeout))
    }

    /// Removes the deadline; it can be set again. See [`move_to`](Self::move_to).
    pub fn remove(&self) -> bool {
        self.move_stamp(NEVER)
    }

    /// Gives up the right to move the deadline, and returns the right to cancel.
    pub fn into_cancel(self) -> Cancel {
        self.cancel
    }

    fn move_stamp(&self, at: u64) -> bool {
        self.cancel.node.as_ref().is_some_and(|node| node.move_deadline(at))
    }
}

impl Deref for MovableDeadline {
    type Target = Cancel;

    fn deref(&self) -> &Cancel {
        &self.cancel
    }
}

impl Context {
    /// Derives a context that also ends at `deadline`, which the returned owner can move earlier or later.
    ///
    /// A deadline that has passed makes it born ended. [`err`](Self::err) is as exact as below any deadline, and what
    /// was due first decides. A question below it looks at each context up to it, so this is for a connection, a
    /// session or a lease, and not for every call.
    ///
    /// A [merged](Self::merge) context follows the movable deadlines of its first parent; one of another parent ends it
    /// when it is noticed there. Callbacks left by the last handle of this context go to its parent.
    pub fn with_movable_deadline(&self, deadline: Instant) -> (Self, MovableDeadline) {
        self.derive_movable(clock::stamp(deadline))
    }

    /// Derives as [`with_movable_deadline`](Self::with_movable_deadline) does, `timeout` from now; beyond the clock's
    /// range there is no deadline yet.
    pub fn with_movable_timeout(&self, timeout: Duration) -> (Self, MovableDeadline) {
        self.derive_movable(clock::after(self.stamp(), timeout))
    }

    fn derive_movable(&self, at: u64) -> (Self, MovableDeadline) {
        let mut position = self.0.with_layer(Moving::new(at));
        position.flags |= MOVABLE;
        let (fixed, inherited) = match &self.0.node {
            Some(parent) => {
                if self.0.flags & MANUAL == 0 {
                    parent.note_timed_below();
                }
                (parent.deadline, parent.inherited_traits() & TIMED)
            }
            None => (NEVER, 0),
        };
        let flags = position.flags;
        let node = Node::new(position, fixed, inherited | MOVES);
        node.watch_moving(at);
        let ctx = Self(Position { node: Some(node.clone()), layer: None, flags });
        _ = node.err();
        (ctx.clone(), MovableDeadline { cancel: Cancel { node: Some(node) }, ctx })
    }
}
