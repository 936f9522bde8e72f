//! Finds work that outlived its context.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::slab::Slab;
use crate::sync::{Condvar, Mutex, lock};

/// Knows all guarded work below one context, and tells what is still there though its context has ended.
///
/// It belongs to one tree of contexts, so tests that run in parallel do not see each other's work.
///
/// ```
/// use ctx::Context;
/// use ctx::testing::{LeakCheck, guard};
///
/// let leaks = LeakCheck::new();
/// let (ctx, cancel) = leaks.attach(&Context::background()).with_cancel();
/// let work = guard(&ctx, "copy rows");
/// assert!(leaks.outlived().is_empty());
/// cancel.cancel();
/// assert_eq!(leaks.outlived()[0].site, "copy rows");
/// drop(work);
/// leaks.assert_none();
/// ```
#[derive(Clone, Default)]
pub struct LeakCheck {
    scope: Arc<Scope>,
}

struct Scope {
    work: Mutex<Slab<Work>>,
    left: Condvar,
}

struct Work {
    ctx: Context,
    site: &'static str,
    location: &'static Location<'static>,
    since: Instant,
}

/// Guarded work that is still there though its context has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Leak {
    /// The name given to [`guard`].
    pub site: &'static str,
    /// Where [`guard`] was called.
    pub location: &'static Location<'static>,
    /// The time since the work began.
    pub age: Duration,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` at {} outlived its context, {:?} after it began", self.site, self.location, self.age)
    }
}

/// Says that the work exists until this is dropped.
#[must_use = "the work counts as gone when its guard is dropped"]
pub struct Guard {
    entry: Option<(Arc<Scope>, u32)>,
}

/// Guards work done for `ctx`; does nothing below no [`LeakCheck`], so it may stay in production code.
#[track_caller]
pub fn guard(ctx: &Context, site: &'static str) -> Guard {
    // Asked for out here: a closure would be its own caller.
    let location = Location::caller();
    let entry = ctx.value::<LeakCheck>().map(|check| {
        let work = Work { ctx: ctx.clone(), site, location, since: Instant::now() };
        (check.scope.clone(), lock(&check.scope.work).insert(work))
    });
    Guard { entry }
}

/// The time for which [`LeakCheck::assert_none`] waits for work to go away.
const PATIENCE: Duration = Duration::from_secs(5);

impl LeakCheck {
    /// Makes a check that knows no work yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Derives a context below which [`guard`] reports here.
    #[must_use]
    pub fn attach(&self, ctx: &Context) -> Context {
        ctx.with_value(self.clone())
    }

    /// Counts all guarded work, whether its context has ended or not.
    #[must_use]
    pub fn running(&self) -> usize {
        lock(&self.scope.work).len()
    }

    /// Returns the guarded work whose context has ended.
    #[must_use]
    pub fn outlived(&self) -> Vec<Leak> {
        // Asking a context may run its callbacks, which may drop guards: so ask without the lock.
        let entries: Vec<_> = lock(&self.scope.work)
            .iter()
            .map(|work| (work.ctx.clone(), work.site, work.location, work.since))
            .collect();
        let ended = entries.into_iter().filter(|(ctx, ..)| ctx.err().is_some());
        ended.map(|(_, site, location, since)| Leak { site, location, age: since.elapsed() }).collect()
    }

    /// Waits up to `patience` until no work outlives its context.
    ///
    /// # Errors
    ///
    /// The work that still does.
    pub fn settle(&self, patience: Duration) -> Result<(), Vec<Leak>> {
        let begin = Instant::now();
        loop {
            let before = self.running();
            let outlived = self.outlived();
            let left = patience.saturating_sub(begin.elapsed());
            if outlived.is_empty() {
                return Ok(());
            }
            if left.is_zero() {
                return Err(outlived);
            }
            let work = lock(&self.scope.work);
            if work.len() == before {
                drop(self.scope.left.wait_timeout(work, left));
            }
        }
    }

    /// Asserts that within five seconds no work outlives its context.
    ///
    /// # Panics
    ///
    /// With the list of what does.
    #[track_caller]
    pub fn assert_none(&self) {
        if let Err(leaks) = self.settle(PATIENCE) {
            let lines: Vec<String> = leaks.iter().map(|leak| format!("- {leak}")).collect();
            panic!("work outlived its context:\n{}", lines.join("\n"));
        }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self { work: Mutex::new(Slab::default()), left: Condvar::new() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((scope, place)) = self.entry.take() {
            let work = lock(&scope.work).remove(place);
            scope.left.notify_all();
            drop(work);
        }
    }
}

impl fmt::Debug for LeakCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakCheck").field("running", &self.running()).finish()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}
