//! The context: a cheap handle to the nearest node that can end and the nearest value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cancel::{Cancel, Stop};
use crate::error::{Cause, Error};
use crate::node::{LIVE, Node, TIMED};
use crate::timers::{Timers, Watched};
use crate::value::{AnyLayer, Detached, Layer};
use crate::wait;
use crate::walk;

/// The root is `todo`, not `background`.
pub(crate) const TODO: u8 = 1;
/// A layer outward attaches [`Timers`]: they watch every deadline set from here on.
const WATCHED: u8 = 2;

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
pub struct Context {
    pub(crate) node: Option<Arc<Node>>,
    /// The innermost layer, if it is further in than the node; so most clones count up one pointer only.
    pub(crate) layer: Option<Arc<AnyLayer>>,
    pub(crate) flags: u8,
}

impl Context {
    /// Returns the root of all: never ends, has no deadline and no values. Allocates nothing.
    #[must_use]
    pub const fn background() -> Self {
        Self { node: None, layer: None, flags: 0 }
    }

    /// Returns a root that says "which context belongs here is not decided yet".
    #[must_use]
    pub const fn todo() -> Self {
        Self { node: None, layer: None, flags: TODO }
    }

    /// Derives a context that ends when the handle says so, or with this one.
    pub fn with_cancel(&self) -> (Self, Cancel) {
        self.derive(None, None)
    }

    /// Derives a context that also ends at `deadline`; one that has passed makes it born ended.
    ///
    /// A deadline that is not earlier than this context's changes nothing: on a tie the parent's stands.
    pub fn with_deadline(&self, deadline: Instant) -> (Self, Cancel) {
        self.with_deadline_from(self.now(), deadline, None)
    }

    /// Derives as [`with_deadline`](Self::with_deadline) does, with the cause its expiry will have.
    ///
    /// When the parent's deadline comes first, or on a tie, the parent's cause shows and not this one.
    pub fn with_deadline_cause(&self, deadline: Instant, cause: impl Into<Cause>) -> (Self, Cancel) {
        self.with_deadline_from(self.now(), deadline, Some(cause.into()))
    }

    /// Derives a context that also ends `timeout` from now; a timeout beyond the clock's range sets no deadline.
    pub fn with_timeout(&self, timeout: Duration) -> (Self, Cancel) {
        self.with_timeout_inner(timeout, None)
    }

    /// Derives as [`with_timeout`](Self::with_timeout) does, with the cause its expiry will have.
    pub fn with_timeout_cause(&self, timeout: Duration, cause: impl Into<Cause>) -> (Self, Cancel) {
        self.with_timeout_inner(timeout, Some(cause.into()))
    }

    /// Derives a context that carries `value`; its type is its key. Nothing else changes.
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self { node: self.node.clone(), layer: Some(Layer::new(self.clone(), value)), flags: self.flags }
    }

    /// Returns the nearest value of type `T` outward. An ended context still serves its values.
    #[must_use]
    pub fn value<T: 'static>(&self) -> Option<&T> {
        let mut ctx = self;
        loop {
            if let Some(value) = ctx.layer.as_ref().and_then(|layer| layer.get::<T>()) {
                return Some(value);
            }
            ctx = ctx.outer()?;
        }
    }

    /// Derives a context with the same values that never ends and has no deadline.
    #[must_use]
    pub fn without_cancel(&self) -> Self {
        Self { node: None, layer: Some(Layer::new(self.clone(), Detached)), flags: self.flags }
    }

    /// Derives a context with the same values and deadline that no ancestor's cancel reaches.
    #[must_use]
    pub fn without_cancel_keeping_deadline(&self) -> Self {
        let (ctx, cancel) = self.without_cancel().derive_earlier(self.deadline());
        ctx.arm();
        cancel.keep();
        ctx
    }

    /// Returns the earliest deadline from here to the root; it stays the same after the end.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.node.as_ref()?.deadline
    }

    /// Returns the time until the deadline, zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_duration_since(self.now()))
    }

    /// Returns the present instant on the clock this context lives by.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.timers().map_or_else(Instant::now, |timers| timers.now())
    }

    /// Returns how the context ended, or `None` while it lives. Once set it never changes.
    ///
    /// It is exact: with a deadline that nobody expired yet it reads the clock.
    #[must_use]
    #[inline]
    pub fn err(&self) -> Option<Error> {
        self.node.as_ref()?.err()
    }

    /// Returns why the context ended: the cause given, or else the [`Error`] itself.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        let node = self.node.as_ref()?;
        node.err()?;
        let (error, cause) = node.outcome()?;
        Some(cause.unwrap_or_else(|| error.into()))
    }

    /// Waits for the end in a task of any executor.
    ///
    /// `sleep` is the runtime's own sleep-until. It is called at most once, and only when there is a deadline
    /// that nobody else watches. When it says that the time is up, the context ends, whatever the system's clock
    /// says: under a paused clock of a test, time is what the runtime says. So the end is never early unless the
    /// runtime's timer is.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future takes the waiter back; nothing is lost.
    pub fn done<S, F>(&self, sleep: S) -> impl Future<Output = Error>
    where
        S: FnOnce(Instant) -> F,
        F: Future,
    {
        wait::Done::new(self.node(), sleep)
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
    /// It runs on the thread that ends the context, or that notices its deadline, after all descendants
    /// have ended. So it must be short: hand long work to your runtime from inside. Its panic is caught.
    pub fn after_func(&self, f: impl FnOnce() + Send + 'static) -> Stop {
        Stop::register(self.node.as_ref(), f)
    }

    /// Counts what is registered directly on this context's node: derived contexts and callbacks.
    ///
    /// While other threads derive, drop or cancel, the count is that of no single moment.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.node.as_ref().map_or(0, |node| node.registered())
    }

    /// Counts those who wait for this context's node right now.
    pub fn waiters(&self) -> usize {
        self.node.as_ref().map_or(0, |node| node.waiters())
    }

    /// Counts the live contexts below this one, by walking them; a merged one counts once.
    #[must_use]
    pub fn descendants(&self) -> usize {
        self.node.as_ref().map_or(0, |node| walk::descendants(node))
    }

    /// The context that this one was derived from.
    pub(crate) fn outer(&self) -> Option<&Self> {
        match (&self.layer, &self.node) {
            (Some(layer), _) => Some(&layer.parent),
            (None, Some(node)) => Some(&node.parent),
            (None, None) => None,
        }
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.as_deref()
    }

    pub(crate) fn node_arc(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }

    /// Returns the deadline, if it is one that a waiter has to set a timer for.
    pub(crate) fn alarm(&self) -> Option<Instant> {
        self.node.as_ref().and_then(|node| node.alarm())
    }

    /// Derives a context whose descendants are watched by `timers`.
    pub(crate) fn watched(&self, timers: Arc<Timers>) -> Self {
        Self { flags: self.flags | WATCHED, ..self.with_value(Watched(timers)) }
    }

    fn timers(&self) -> Option<&Arc<Timers>> {
        if self.flags & WATCHED == 0 { None } else { self.value::<Watched>().map(|watched| &watched.0) }
    }

    fn wait_inner(&self, at: Option<Instant>) -> Option<Error> {
        if let Some(at) = at
            && self.timers().is_some_and(|timers| timers.is_manual())
        {
            // Only its own clock knows when `at` is: let it end a child then.
            let (until, _cancel) = self.derive_earlier(Some(at));
            until.arm();
            until.wait();
            return self.err();
        }
        match &self.node {
            Some(node) => wait::wait(node, at),
            None => {
                wait::sleep(at);
                None
            }
        }
    }

    #[inline]
    fn with_timeout_inner(&self, timeout: Duration, cause: Option<Cause>) -> (Self, Cancel) {
        let now = self.now();
        match now.checked_add(timeout) {
            Some(deadline) => self.with_deadline_from(now, deadline, cause),
            None => self.derive(None, None),
        }
    }

    /// Derives with a deadline; `now` is read by the caller, for reading a clock is half the work.
    #[inline]
    fn with_deadline_from(&self, now: Instant, deadline: Instant, cause: Option<Cause>) -> (Self, Cancel) {
        if self.deadline().is_some_and(|earlier| earlier <= deadline) {
            return self.derive(None, None);
        }
        let derived = self.derive(Some(deadline), cause);
        if deadline <= now || self.flags & WATCHED != 0 {
            derived.0.arm();
        }
        derived
    }

    /// Has the deadline watched by the timers, if there are any; one that has passed is noticed now.
    pub(crate) fn arm(&self) {
        let Some(node) = &self.node else { return };
        match (self.timers(), node.deadline) {
            (Some(timers), Some(deadline)) if node.parent.deadline() != node.deadline => {
                timers.add(deadline, node);
            }
            _ => _ = node.err(),
        }
    }

    /// Derives with a deadline only if there is one and it is earlier than the own one; the caller arms it.
    pub(crate) fn derive_earlier(&self, deadline: Option<Instant>) -> (Self, Cancel) {
        let own = self.deadline();
        self.derive(deadline.filter(|&deadline| own.is_none_or(|own| deadline < own)), None)
    }

    /// Makes a node, to be armed by the caller; `deadline` is given only when it is earlier than the parent's.
    fn derive(&self, deadline: Option<Instant>, cause: Option<Cause>) -> (Self, Cancel) {
        let parent = self.node.as_ref();
        let phase = match (deadline, parent) {
            (Some(_), _) if self.flags & WATCHED == 0 => TIMED,
            (None, Some(parent)) => parent.inherited_phase(),
            _ => LIVE,
        };
        let node = Arc::new(Node::new(self.clone(), deadline.or(self.deadline()), phase, cause));
        if let Some(parent) = parent {
            parent.bear(&node);
        }
        let derived = Self { node: Some(node.clone()), layer: None, flags: self.flags };
        (derived, Cancel { node: Some(node) })
    }
}
