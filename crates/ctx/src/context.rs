//! The context: a cheap handle to the nearest node that can end and the nearest value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cancel::{Cancel, Stop};
use crate::clock::{self, NEVER};
use crate::error::{Cause, Error};
use crate::node::{
    CLOCKED, Detached, End, MANUAL, MOVABLE, Node, Position, TIMED, TODO, WATCHER, Watched, Watcher,
};
use crate::wait::{self, DoneOwned};

/// Carries a deadline, a cancellation signal and values across calls, tasks and threads.
///
/// A clone is the same context. `Debug` shows the way from the root in Go's style, and never a value.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Error};
///
/// let (ctx, cancel) = Context::background().with_timeout(Duration::from_secs(60));
/// assert_eq!(ctx.err(), None);
/// cancel.cancel();
/// assert_eq!(ctx.err(), Some(Error::Canceled));
/// ```
#[derive(Clone, Default)]
pub struct Context(pub(crate) Position);

impl Context {
    /// Returns the root of all: never ends, has no deadline and no values. Allocates nothing.
    #[must_use]
    pub const fn background() -> Self {
        Self(Position::root(0))
    }

    /// Returns a root that says "which context belongs here is not decided yet".
    #[must_use]
    pub const fn todo() -> Self {
        Self(Position::root(TODO))
    }

    /// Derives a context that ends when the handle says so, or with this one.
    #[inline]
    pub fn with_cancel(&self) -> (Self, Cancel) {
        match self.0.below_ended() {
            Some(position) => (Self(position), Cancel { node: None }),
            None => self.handles(self.derive(NEVER, 0)),
        }
    }

    /// Derives a context that also ends at `deadline`; one that has passed makes it born ended.
    ///
    /// A deadline that is not earlier than this context's changes nothing: on a tie the parent's stands.
    #[inline]
    pub fn with_deadline(&self, deadline: Instant) -> (Self, Cancel) {
        self.handles(self.derive_until(deadline, None))
    }

    /// Derives as [`with_deadline`](Self::with_deadline) does, with the cause its expiry will have.
    ///
    /// When the parent's deadline comes first, or on a tie, the parent's cause shows and not this one.
    #[inline]
    pub fn with_deadline_cause(&self, deadline: Instant, cause: impl Into<Cause>) -> (Self, Cancel) {
        self.handles(self.derive_until(deadline, Some(cause.into())))
    }

    /// Derives a context that also ends `timeout` from now; a timeout beyond the clock's range sets no deadline.
    #[inline]
    pub fn with_timeout(&self, timeout: Duration) -> (Self, Cancel) {
        self.handles(self.derive_for(timeout, None))
    }

    /// Derives as [`with_timeout`](Self::with_timeout) does, with the cause its expiry will have.
    #[inline]
    pub fn with_timeout_cause(&self, timeout: Duration, cause: impl Into<Cause>) -> (Self, Cancel) {
        self.handles(self.derive_for(timeout, Some(cause.into())))
    }

    /// Derives a context that carries `value`; its type is its key. Nothing else changes.
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self(self.0.with_layer(value))
    }

    /// Returns the nearest value of type `T` outward. An ended context still serves its values.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.0.value()
    }

    /// Derives a context with the same values that never ends and has no deadline.
    #[must_use]
    pub fn without_cancel(&self) -> Self {
        let position = self.0.with_layer(Detached);
        Self(Position { node: None, flags: position.flags & !MOVABLE, ..position })
    }

    /// Derives a context with the same values and deadline that no ancestor's cancel reaches.
    #[must_use]
    pub fn without_cancel_keeping_deadline(&self) -> Self {
        let deadline = self.0.node.as_ref().map_or(NEVER, |node| node.deadline_now());
        let detached = self.without_cancel();
        let node = detached.derive_earlier(deadline, 0);
        detached.arm(&node);
        Self(detached.0.inward(node))
    }

    /// Returns the earliest deadline from here to the root; it stays the same after the end, unless it is one that its
    /// owner [can move](Self::with_movable_deadline).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        clock::instant(self.0.node.as_ref()?.deadline_now())
    }

    /// Returns the time until the deadline, zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_duration_since(self.now()))
    }

    /// Returns the present instant on the clock this context lives by.
    #[must_use]
    pub fn now(&self) -> Instant {
        if self.0.flags & (MANUAL | CLOCKED) == 0 {
            return Instant::now();
        }
        clock::instant(self.stamp()).unwrap_or_else(Instant::now)
    }

    /// Returns how the context ended, or `None` while it lives. Once set it never changes.
    ///
    /// It is exact whoever has looked before: a deadline that nobody noticed yet is noticed now, never early, and
    /// late by no more than the system's coarse clock lags beyond 100 ms (on Linux; elsewhere not at all). What
    /// was due first decides, so a cancel after an unnoticed deadline changes nothing.
    ///
    /// It runs no foreign code, neither callbacks nor wakers, so it may be asked under any lock. Whoever is to be
    /// notified of a deadline that only a question has noticed is notified by the next waiter, cancel (a dropped
    /// [`Cancel`] included), [`stop`](Stop::stop), or driver, or when the last handle goes.
    #[must_use]
    #[inline]
    pub fn err(&self) -> Option<Error> {
        self.0.node.as_ref()?.err()
    }

    /// Returns why the context ended: the cause given, or else the [`Error`] itself.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let end = self.end()?;
        Some(end.cause.unwrap_or_else(|| end.error.into()))
    }

    /// Waits for the end in a task of any executor.
    ///
    /// `sleep` is the runtime's own sleep-until. It is called when there is a deadline that nobody else watches, and
    /// once only, unless that is one that its owner [moves](Self::with_movable_deadline). When it says that the time is up, the context ends, whatever the system's clock
    /// says: under a paused clock of a test, time is what the runtime says. So the end is never early unless the
    /// runtime's timer is.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future takes the waiter back; nothing is lost.
    pub fn done<S, F>(&self, sleep: S) -> impl Future<Output = Error>
    where
        S: FnMut(Instant) -> F,
        F: Future,
    {
        wait::Done::new(self.0.node.as_ref(), sleep)
    }

    /// Waits as [`done`](Self::done) does, in a future that has a name and borrows nothing: a field of a hand-written
    /// future, service or stream.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future takes the waiter back; nothing is lost.
    pub fn done_owned<S, F>(&self, sleep: S) -> DoneOwned<S, F>
    where
        S: FnMut(Instant) -> F,
        F: Future,
    {
        DoneOwned::new(self.0.node.clone(), sleep)
    }

    /// Blocks the thread until the context ends; on one that cannot end, for ever.
    pub fn wait(&self) -> Error {
        loop {
            if let Some(error) = self.wait_inner(None) {
                return error;
            }
        }
    }

    /// Blocks the thread until the context ends, or until `at`: then `None`.
    pub fn wait_until(&self, at: Instant) -> Option<Error> {
        self.wait_inner(Some(at))
    }

    /// Blocks the thread until the context ends, or for `timeout`: then `None`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Error> {
        self.wait_inner(self.now().checked_add(timeout))
    }

    /// Registers `f` to run once when the context ends, at once if it has.
    ///
    /// It runs on the thread that ends the context, or whose waiter notices its deadline, after all descendants
    /// have ended and all waiters are woken. So it must be short: hand long work to your runtime from inside. Its
    /// panic is caught. [`err`](Self::err) never runs it. Registering one may wake tasks that already wait for the context.
    ///
    /// A callback outlives the handles of its context: when the last one goes, it is handed to the parent, whose
    /// end would have ended the context, or to the driver or manual clock that watches the context's deadline.
    /// Where neither can end any more, it is dropped. A deadline that nobody watches ends nothing then.
    pub fn after_func(&self, f: impl FnOnce() + Send + 'static) -> Stop {
        Stop::register(self.0.node.as_ref(), f)
    }

    /// Counts what is registered directly on this context's node: callbacks, and derived contexts below which
    /// somebody waits, calls back or merges. A context that is only asked is registered nowhere.
    ///
    /// While other threads register, drop or cancel, the count is that of no single moment.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.0.node.as_ref().map_or(0, |node| node.registered())
    }

    /// Counts those who wait for this context's node right now.
    pub fn waiters(&self) -> usize {
        self.0.node.as_ref().map_or(0, |node| node.waiters())
    }

    /// Counts the live contexts registered below this one (see [`registered`](Self::registered)), by walking
    /// them; a merged one counts once.
    #[must_use]
    pub fn descendants(&self) -> usize {
        self.0.node.as_ref().map_or(0, |node| node.descendants())
    }

    /// Returns how the context ended, with cause and time.
    pub(crate) fn end(&self) -> Option<End> {
        let node = self.0.node.as_ref()?;
        node.err()?;
        node.outcome()
    }

    /// Returns the deadline, if a waiter has to set a timer for it.
    pub(crate) fn alarm(&self) -> Option<u64> {
        self.0.node.as_ref().and_then(|node| node.alarm())
    }

    /// Returns how long a thread may block before it has to look at the deadline itself; `None` for ever.
    pub(crate) fn until_alarm(&self) -> Option<Duration> {
        self.alarm().map(|at| Duration::from_nanos(at.saturating_sub(clock::now())))
    }

    /// Returns the present on the clock this context lives by.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        match self.0.flags & (MANUAL | CLOCKED) {
            0 => clock::now(),
            CLOCKED => self.0.timer_now(),
            _ => self.0.watcher().map_or(NEVER, |watcher| watcher.now()),
        }
    }

    /// Derives a context whose descendants' deadlines are listed by `watcher`.
    pub(crate) fn watched(&self, watcher: Arc<dyn Watcher>) -> Self {
        let manual = if watcher.is_manual() { MANUAL } else { 0 };
        let other = self.0.flags & MANUAL != manual || manual != 0;
        let mut position = self.0.clone();
        if other && position.node.as_ref().is_some_and(|node| node.deadline != NEVER) {
            // A deadline on another clock is that clock's to notice: below, none is set yet.
            position = self.0.inward(Node::new(position, NEVER, 0));
        }
        position = position.with_layer(Watched(watcher));
        position.flags = position.flags & !MANUAL | WATCHER | manual;
        Self(position)
    }

    fn wait_inner(&self, at: Option<Instant>) -> Option<Error> {
        if let Some(at) = at
            && self.0.flags & MANUAL != 0
        {
            // Only its own clock knows when `at` is: let it end a child then.
            let node = self.derive_earlier(clock::stamp(at), 0);
            self.arm(&node);
            let (until, _cancel) = self.handles(node);
            until.wait();
            return self.err();
        }
        match &self.0.node {
            Some(node) => wait::wait(node, at),
            None => {
                wait::sleep(at);
                None
            }
        }
    }

    /// Derives with a deadline.
    fn derive_until(&self, deadline: Instant, cause: Option<Cause>) -> Arc<Node> {
        self.derive_due(self.stamp(), clock::stamp(deadline), cause)
    }

    /// Derives with a deadline that is `timeout` from now.
    fn derive_for(&self, timeout: Duration, cause: Option<Cause>) -> Arc<Node> {
        let now = self.stamp();
        self.derive_due(now, clock::after(now, timeout), cause)
    }

    /// Derives with a deadline; `now` is read by the caller, for reading a clock is half the work.
    #[inline]
    fn derive_due(&self, now: u64, deadline: u64, cause: Option<Cause>) -> Arc<Node> {
        if self.0.node.as_ref().is_some_and(|node| node.deadline <= deadline) {
            return self.derive(NEVER, 0);
        }
        if deadline <= now {
            return self.derive_ended(deadline, now, cause);
        }
        let node = self.derive(deadline, 0);
        if let Some(cause) = cause {
            node.prepare_cause(cause);
        }
        if self.0.flags & WATCHER != 0 {
            self.arm(&node);
        }
        node
    }

    /// Derives a context whose deadline has passed: this one's end counts, if it was due before.
    #[cold]
    fn derive_ended(&self, deadline: u64, now: u64, cause: Option<Cause>) -> Arc<Node> {
        let before = self.end();
        let node = self.derive(deadline, 0);
        if let Some(cause) = cause {
            node.prepare_cause(cause);
        }
        match before {
            Some(end) => node.end_quietly(End { at: 0, ..end }),
            None => node.expire_quietly(now),
        }
        node
    }

    /// Has the deadline of a derived node listed by the watcher, if there is one; one that has passed is noticed now.
    pub(crate) fn arm(&self, node: &Arc<Node>) {
        if let Some(watcher) = self.0.watcher()
            && node.deadline != NEVER
            && node.parent.node.as_ref().is_none_or(|parent| parent.deadline != node.deadline)
        {
            node.set_watched();
            if !watcher.list(node, node.deadline) {
                return node.expire_quietly(node.deadline);
            }
        }
        _ = node.err();
    }

    /// Derives with a deadline only if it is earlier than the own one; the caller arms it.
    pub(crate) fn derive_earlier(&self, deadline: u64, traits: u16) -> Arc<Node> {
        let own = self.0.node.as_ref().map_or(NEVER, |node| node.deadline);
        self.derive(if deadline < own { deadline } else { NEVER }, traits)
    }

    /// Makes a node, to be armed by the caller; `deadline` is earlier than this context's, or `NEVER`.
    fn derive(&self, deadline: u64, more: u16) -> Arc<Node> {
        let (deadline, traits) = match &self.0.node {
            _ if deadline != NEVER && self.0.flags & MANUAL != 0 => (deadline, 0),
            parent if deadline != NEVER => {
                if let Some(parent) = parent {
                    parent.note_timed_below();
                }
                (deadline, TIMED)
            }
            Some(parent) => (parent.deadline, parent.inherited_traits()),
            None => (NEVER, 0),
        };
        Node::new(self.0.clone(), deadline, traits | more)
    }

    /// Returns the two handles of a derived node; inlined, so that they stay in the caller's registers.
    #[inline]
    pub(crate) fn handles(&self, node: Arc<Node>) -> (Self, Cancel) {
        (Self(self.0.inward(node.clone())), Cancel { node: Some(node) })
    }
}
