//! Threads, and how many of them there may be.
//!
// threads: only here, because elsewhere the runtime keeps the pools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use contract::{Reason, Refusal};
use ctx::{Cancel, Context};

/// The most threads of the process. Every thread takes up to four mappings, and beyond `vm.max_map_count` of them, by
/// default 65,530, a new thread aborts the process instead of failing to start.
pub(crate) const MOST: usize = 12_000;

/// The stack of a thread, in bytes: nothing here recurses, and thousands of them wait at once.
const STACK: usize = 128 * 1024;

/// Permits to run, so many at once.
pub(crate) struct Permits {
    state: Mutex<State>,
}

struct State {
    free: usize,
    /// Those who wait, in the order of their tickets; to cancel one is to give it a permit.
    line: BTreeMap<u64, Cancel>,
    /// The number of threads that have ever waited.
    tickets: u64,
}

/// One permit, until it is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
}

impl Permits {
    /// As many permits as `most`, all of them free.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let state = State { free: most, line: BTreeMap::new(), tickets: 0 };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// Takes a permit, or refuses when none is free.
    pub(crate) fn take(self: &Arc<Self>) -> Result<Permit, Refusal> {
        let mut state = self.lock();
        state.free = state.free.checked_sub(1).ok_or(Refusal::Busy)?;
        Ok(Permit { permits: self.clone() })
    }

    /// Waits in line for a permit, for as long as `ctx` lives. Of both at once the end of `ctx` counts, and a permit that is
    /// dropped goes to the next in line.
    pub(crate) fn wait(self: &Arc<Self>, ctx: &Context) -> Result<Permit, Reason> {
        let permit = self.take().ok().or_else(|| self.granted(ctx));
        permit.filter(|_| ctx.err().is_none()).ok_or_else(|| Reason::why(ctx))
    }

    /// Waits until it is given a permit; gives none when `ctx` has ended first.
    fn granted(self: &Arc<Self>, ctx: &Context) -> Option<Permit> {
        let (turn, give) = ctx.with_cancel();
        let ticket = self.enqueue(give);
        turn.wait();
        // Whoever is still in line was not given a permit: its context ended.
        let left = self.lock().line.remove(&ticket);
        left.is_none().then(|| Permit { permits: self.clone() })
    }

    /// Joins the line, or takes what has become free meanwhile.
    fn enqueue(&self, give: Cancel) -> u64 {
        let mut state = self.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        match state.free.checked_sub(1) {
            Some(free) => {
                state.free = free;
                drop(state);
                give.cancel();
            }
            None => drop(state.line.insert(ticket, give)),
        }
        ticket
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.permits.lock();
        let next = state.line.pop_first();
        if next.is_none() {
            state.free += 1;
        }
        drop(state);
        // The next in line is woken outside the lock: it is the first thing that it takes.
        drop(next);
    }
}

/// A thread of this name, not yet started.
pub(crate) fn builder(name: &str) -> Builder {
    Builder::new().name(name.into()).stack_size(STACK)
}

/// Starts `work` on a thread, which holds a permit for as long as it lives; refuses when there is none, or no thread.
pub(crate) fn spawn<T: Send + 'static>(
    workers: &Arc<Permits>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Refusal> {
    let permit = workers.take()?;
    builder(name).spawn(|| run(permit, work)).map_err(|_| Refusal::Busy)
}

/// The same within a scope, which the thread cannot outlive.
pub(crate) fn spawn_in<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    workers: &Arc<Permits>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Refusal> {
    let permit = workers.take()?;
    builder(name).spawn_scoped(scope, || run(permit, work)).map_err(|_| Refusal::Busy)
}

fn run<T>(_permit: Permit, work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(test)]
mod tests {
    use ctx::Context;

    use super::*;

    #[test]
    fn a_permit_that_comes_when_the_context_has_ended_is_passed_on() {
        let permits = Permits::new(1);
        let (ctx, cancel) = Context::background().with_cancel();
        cancel.cancel();
        assert!(permits.wait(&ctx).is_err());
        assert!(permits.take().is_ok());
    }

    #[test]
    fn no_more_permits_are_taken_than_there_are() {
        let permits = Permits::new(1);
        let permit = permits.take().ok();
        assert_eq!(permits.take().err(), Some(Refusal::Busy));
        drop(permit);
        assert!(permits.take().is_ok());
    }

    #[test]
    fn whoever_waits_is_given_the_permit_that_is_dropped() {
        let permits = Permits::new(1);
        let permit = permits.take().ok();
        let (ctx, _cancel) = Context::background().with_cancel();
        let (turn, give) = ctx.with_cancel();
        permits.enqueue(give);
        assert_eq!(turn.err(), None);
        drop(permit);
        assert!(turn.err().is_some());
        assert!(permits.take().is_err(), "the permit went to the one in line");
    }

    #[test]
    fn a_wait_ends_with_its_context_and_leaves_the_line() {
        let permits = Permits::new(1);
        let permit = permits.take().ok();
        let (ctx, cancel) = Context::background().with_cancel();
        cancel.cancel_cause(Reason::Disconnect);
        assert_eq!(permits.wait(&ctx).err(), Some(Reason::Disconnect));
        drop(permit);
        assert!(permits.take().is_ok(), "nobody in line got it");
    }
}
