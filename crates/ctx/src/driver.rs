//! Drivers, which expire contexts that nobody waits for: one for production, and a manual clock for tests.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::clock;
use crate::context::Context;
use crate::error::Error;
use crate::node::Watcher;
use crate::timers::{Runner, Timers};
use crate::wait::{Parker, Waiting};

/// Expires contexts at their deadline, even when nobody waits for them.
///
/// Without one, a context whose deadline has passed says so to whoever asks, but its callbacks run, and its
/// place in the parent is freed, only when somebody waits or cancels. With one, that happens at the deadline. While it
/// runs, `done` and the blocking waits need no timer of their own. When it stops, they set one: nobody waits for a
/// driver that is gone.
///
/// The crate starts no thread and no task: run the driver on one of yours, for as long as the attached
/// contexts live.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Driver, Error};
///
/// let (root, stop) = Context::background().with_cancel();
/// let driver = Driver::new();
/// let base = driver.attach(&root);
/// std::thread::scope(|scope| {
///     scope.spawn(|| driver.run(&root));
///     let (ctx, _cancel) = base.with_timeout(Duration::from_millis(5));
///     assert_eq!(ctx.wait(), Error::DeadlineExceeded);
///     stop.cancel();
/// });
/// ```
pub struct Driver {
    timers: Arc<Timers>,
}

impl Driver {
    /// Makes a driver that watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { timers: Timers::new(None) }
    }

    /// Derives a context below which every new deadline is this driver's to watch.
    #[must_use]
    pub fn attach(&self, ctx: &Context) -> Context {
        ctx.watched(self.timers.clone())
    }

    /// Returns the earliest deadline to watch, for an event loop of your own.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next().and_then(clock::instant)
    }

    /// Ends every context whose deadline is not after `now`, and returns how many that were.
    pub fn expire_due(&self, now: Instant) -> usize {
        self.timers.expire_due(clock::stamp(now))
    }

    /// Drives on this thread until `until` ends, and returns how it did.
    pub fn run(&self, until: &Context) -> Error {
        let parker = Parker::take();
        let runner = Runner::new(&self.timers);
        let mut ended = until.0.node.as_ref().map(Waiting::new);
        let error = loop {
            self.timers.expire_due(clock::now());
            let next = runner.next_or_wake(&parker.waker);
            if let Some(error) = ended.as_mut().and_then(|ended| ended.poll(&parker.waker)) {
                break error;
            }
            let next = next.into_iter().chain(until.alarm()).min();
            // Ending what was due takes time too, so the clock is read again.
            parker.park(next.map(|next| Duration::from_nanos(next.saturating_sub(clock::now()))));
        };
        drop(ended);
        drop(runner);
        parker.put_back();
        error
    }

    /// Drives in a task until `until` ends; `sleep` is the runtime's own sleep-until, and is believed when it says
    /// that the time is up.
    pub async fn run_async<S, F>(&self, until: &Context, mut sleep: S) -> Error
    where
        S: FnMut(Instant) -> F,
        F: Future,
    {
        let runner = Runner::new(&self.timers);
        let mut ended = until.0.node.as_ref().map(Waiting::new);
        // The time that the runtime's own sleep has told: its clock may run ahead of the system's, as a paused
        // one does.
        let mut told = 0;
        loop {
            let now = clock::now().max(told);
            self.timers.expire_due(now);
            if let Some(node) = until.0.node.as_ref().filter(|node| node.alarm().is_some_and(|at| at <= now))
            {
                node.expire_at(now);
            }
            let armed = self.timers.next().into_iter().chain(until.alarm()).min();
            let mut timer = pin!(armed.and_then(clock::instant).map(&mut sleep));
            let step = std::future::poll_fn(|cx| {
                if let Some(error) = ended.as_mut().and_then(|ended| ended.poll(cx.waker())) {
                    return Poll::Ready(Some(error));
                }
                let next = runner.next_or_wake(cx.waker()).into_iter().chain(until.alarm()).min();
                if timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready()) {
                    told = armed.unwrap_or(0).max(told);
                    return Poll::Ready(None);
                }
                if next != armed { Poll::Ready(None) } else { Poll::Pending }
            });
            if let Some(error) = step.await {
                return error;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.timers.close();
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("next_deadline", &self.next_deadline()).finish_non_exhaustive()
    }
}

/// A clock that stands still until it is turned: deadlines are tested to the nanosecond, without sleeping.
///
/// A clone is the same clock. Contexts of one tree share one clock.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Error, ManualClock};
///
/// let clock = ManualClock::new();
/// let (ctx, _cancel) = clock.attach(&Context::background()).with_timeout(Duration::from_secs(3600));
/// clock.advance(Duration::from_secs(3600) - Duration::from_nanos(1));
/// assert_eq!(ctx.err(), None);
/// clock.advance(Duration::from_nanos(1));
/// assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    timers: Arc<Hand>,
}

/// Turns a clock, and says when nobody does any more.
struct Hand(Arc<Timers>);

impl Drop for Hand {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl ManualClock {
    /// Makes a clock that shows the present instant and stands still.
    #[must_use]
    pub fn new() -> Self {
        Self { timers: Arc::new(Hand(Timers::new(Some(clock::now())))) }
    }

    /// Derives a context whose descendants live by this clock.
    #[must_use]
    pub fn attach(&self, ctx: &Context) -> Context {
        ctx.watched(self.timers.0.clone())
    }

    /// Returns the time it shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        clock::instant(self.timers.0.now()).unwrap_or_else(Instant::now)
    }

    /// Turns the clock on by `by`, ends whatever becomes due, in order, and returns how many that were.
    ///
    /// # Panics
    ///
    /// When the clock would leave the range of `Instant`.
    pub fn advance(&self, by: Duration) -> usize {
        let to = self.now().checked_add(by).expect("a clock is turned within the range of `Instant`");
        self.timers.0.expire_due(clock::stamp(to))
    }

    /// Returns the earliest deadline set, which may belong to a context that has ended since.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.0.next().and_then(clock::instant)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
