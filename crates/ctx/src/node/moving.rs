//! A deadline that its owner can move.
//!
//! It is kept in the layer next outward of its node, and not in the `deadline` of the nodes below, which is the
//! earliest of those that stand still. Below it every node stays `UNLINKED`, so that a question looks up the chain.

use std::sync::Arc;

use super::state::{ENDED, MOVES, TIMED_BELOW, UNLINKED};
use super::{End, MANUAL, MOVABLE, Node, Position, wake_all};
use crate::clock::{self, NEVER};
use crate::error::Error;
use crate::sync::{AtomicU64, Ordering, lock};

/// Set once the deadline has come: from then on it stands.
const COME: u64 = 1 << 63;

/// The value of the layer that carries a deadline that moves.
pub(crate) struct Moving(AtomicU64);

impl Moving {
    pub(crate) fn new(at: u64) -> Self {
        Self(AtomicU64::new(kept(at)))
    }

    /// Returns the deadline, or `NEVER`.
    pub(crate) fn at(&self) -> u64 {
        shown(self.0.load(Ordering::Acquire))
    }

    /// Moves the deadline; false if it has come.
    fn move_to(&self, at: u64) -> bool {
        let mut old = self.0.load(Ordering::Acquire);
        while old & COME == 0 {
            match self.0.compare_exchange(old, kept(at), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(moved) => old = moved,
            }
        }
        false
    }

    /// Makes the deadline stand if it is due, and returns it.
    pub(super) fn come(&self, is_due: impl Fn(u64) -> bool) -> Option<u64> {
        let mut old = self.0.load(Ordering::Acquire);
        while old & COME == 0 {
            if !is_due(shown(old)) {
                return None;
            }
            match self.0.compare_exchange(old, old | COME, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(moved) => old = moved,
            }
        }
        Some(shown(old))
    }
}

fn kept(at: u64) -> u64 {
    at.min(!COME)
}

fn shown(kept: u64) -> u64 {
    if kept & !COME == !COME { NEVER } else { kept & !COME }
}

/// Tells whether a deadline of that layer is due at `now`, or by the system's clock if that rules there.
pub(super) fn is_due(position: &Position, at: u64, now: u64) -> bool {
    at <= now || (position.flags & MANUAL == 0 && at != NEVER && clock::passed(at).is_some())
}

impl Node {
    pub(crate) fn moving(&self) -> Option<&Moving> {
        if self.is(MOVES) { self.parent.layer.as_ref()?.get() } else { None }
    }

    /// Returns this node's own moving deadline if it is due at `now`, or by the system's clock; then it stands.
    #[inline(never)]
    pub(super) fn moved_due(&self, now: u64) -> Option<u64> {
        self.moving()?.come(|at| is_due(&self.parent, at, now))
    }

    /// Returns this node's own moving deadline if it came before `end` was due.
    pub(super) fn moved_before(&self, end: u64) -> Option<u64> {
        let moving = self.moving()?;
        let before = |at: u64| at < end && self.parent.flags & MANUAL == 0;
        moving.come(before).filter(|at| before(*at))
    }

    /// Returns the end that a moving deadline makes.
    pub(super) fn moved_end(&self, at: u64) -> End {
        let at = match self.parent.flags & MANUAL {
            0 => at,
            _ if self.is(TIMED_BELOW) => clock::now(),
            _ => 0,
        };
        End { error: Error::DeadlineExceeded, cause: lock(&self.shared).cause.clone(), at }
    }

    /// Returns the earliest deadline from here to the root, moving ones included.
    pub(crate) fn deadline_now(&self) -> u64 {
        if self.is_movable() { self.earliest_moving(0).min(self.deadline) } else { self.deadline }
    }

    /// Tells whether a deadline from here outward may move.
    pub(crate) fn is_movable(&self) -> bool {
        self.parent.flags & MOVABLE != 0
    }

    /// Returns the earliest moving deadline from here outward that is on no clock of these flags.
    #[cold]
    pub(super) fn earliest_moving(&self, clocks: u64) -> u64 {
        let (mut earliest, mut next) = (NEVER, Some(self));
        while let Some(node) = next.filter(|node| node.is(UNLINKED)) {
            if let Some(moving) = node.moving().filter(|_| node.parent.flags & clocks == 0) {
                earliest = earliest.min(moving.at());
            }
            next = node.parent.node.as_deref();
        }
        earliest
    }

    /// Lists the moving deadline with the watcher; ends the node if it is past it by then.
    pub(crate) fn watch_moving(self: &Arc<Self>, at: u64) {
        if at != NEVER && self.parent.watcher().is_some_and(|watcher| !watcher.list(self, at)) {
            self.expire_at(at);
        }
    }

    /// Moves this node's deadline, and has all who wait below set their timers anew; false if it has ended.
    pub(crate) fn move_deadline(self: &Arc<Self>, at: u64) -> bool {
        let lives = self.notice().is_none();
        if !lives || !self.moving().is_some_and(|moving| moving.move_to(at)) {
            return lives && self.notice().is_none();
        }
        self.watch_moving(at);
        if self.state.load(Ordering::Acquire) & ENDED == 0 {
            wake_all(self);
        }
        self.notice().is_none()
    }
}
