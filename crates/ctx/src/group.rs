//! Structured concurrency: members that cannot outlive their group.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Cause;
use crate::sync::{Mutex, lock};
use crate::wait::{Parker, Waiting};

/// Work that shares a fate: the first failure cancels the rest, and the group waits for all of it.
///
/// The group spawns nothing: [`task`](Self::task) and [`job`](Self::job) wrap work that you then spawn, on any
/// runtime or thread. [`join`](Self::join) and [`wait`](Self::wait) return once every member is *gone*: its
/// future dropped, its destructors run. Dropping the group without waiting cancels the members' context and
/// drops each task at its next poll; a job on a thread sees its context end, and no more can be done to it.
///
/// ```
/// use ctx::{Cause, Context, Group};
///
/// let group = Group::new(&Context::background());
/// let failing = group.job(|_ctx| Err(Cause::msg("no disk")));
/// let waiting = group.job(|ctx| Err(ctx.wait().into()));
/// let threads = [std::thread::spawn(failing), std::thread::spawn(waiting)];
/// assert_eq!(group.wait().unwrap_err().to_string(), "no disk");
/// for thread in threads {
///     thread.join().unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Group {
    ctx: Context,
    shared: Arc<Shared>,
    /// Ends when the group is gone, whether or not anyone waited.
    abandoned: Context,
    _abandon: Cancel,
}

#[derive(Debug)]
struct Shared {
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    members: usize,
    failure: Option<Cause>,
    joiner: Option<Waker>,
}

/// Counts a member for as long as anything of it exists.
struct Seat(Arc<Shared>);

impl Group {
    /// Makes an empty group whose members end with `ctx` at the latest.
    #[must_use]
    pub fn new(ctx: &Context) -> Self {
        let (ctx, cancel) = ctx.with_cancel();
        let (abandoned, abandon) = Context::background().with_cancel();
        let shared = Arc::new(Shared { cancel, state: Mutex::default() });
        Self { ctx, shared, abandoned, _abandon: abandon }
    }

    /// Returns the members' context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Cancels the members' context; they still have to be waited for.
    pub fn cancel(&self) {
        self.shared.cancel.cancel();
    }

    /// Counts the members that still exist.
    #[must_use]
    pub fn members(&self) -> usize {
        lock(&self.shared.state).members
    }

    /// Wraps a task; spawn what is returned. An error it returns fails the group.
    pub fn task<M, F>(&self, make: M) -> impl Future<Output = ()> + use<M, F>
    where
        M: FnOnce(Context) -> F,
        F: Future<Output = Result<(), Cause>>,
    {
        member(make(self.ctx.clone()), self.abandoned.clone(), self.seat())
    }

    /// Wraps work for a thread; run what is returned there. An error it returns fails the group.
    pub fn job<M>(&self, work: M) -> impl FnOnce() + use<M>
    where
        M: FnOnce(&Context) -> Result<(), Cause>,
    {
        let seat = self.seat();
        let ctx = self.ctx.clone();
        move || {
            let result = work(&ctx);
            seat.0.record(result);
        }
    }

    /// Waits in a task until every member is gone.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub async fn join(self) -> Result<(), Cause> {
        std::future::poll_fn(|cx| match self.shared.outcome(cx.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        })
        .await
    }

    /// Blocks the thread until every member is gone.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub fn wait(self) -> Result<(), Cause> {
        let parker = Parker::take();
        loop {
            if let Some(outcome) = self.shared.outcome(&parker.waker) {
                parker.put_back();
                return outcome;
            }
            parker.park(None);
        }
    }

    fn seat(&self) -> Seat {
        lock(&self.shared.state).members += 1;
        Seat(self.shared.clone())
    }
}

/// Polls a member's work until it is ready or orphaned.
///
/// The seat is the last argument, so that it is free only when the work's destructors have run: a future that
/// was never polled drops its arguments in order, and one that was has moved the work to an inner block.
async fn member<F>(work: F, abandoned: Context, seat: Seat)
where
    F: Future<Output = Result<(), Cause>>,
{
    let result = {
        let mut work = pin!(work);
        let mut orphaned = abandoned.node().map(Waiting::new);
        std::future::poll_fn(|cx| {
            if orphaned.as_mut().is_some_and(|end| end.poll(cx.waker()).is_some()) {
                return Poll::Ready(Ok(()));
            }
            work.as_mut().poll(cx)
        })
        .await
    };
    seat.0.record(result);
}

impl Shared {
    fn record(&self, result: Result<(), Cause>) {
        let Err(cause) = result else { return };
        lock(&self.state).failure.get_or_insert_with(|| cause.clone());
        self.cancel.cancel_cause(cause);
    }

    fn outcome(&self, waker: &Waker) -> Option<Result<(), Cause>> {
        let mut state = lock(&self.state);
        if state.members == 0 {
            return Some(state.failure.take().map_or(Ok(()), Err));
        }
        let old = state.joiner.replace(waker.clone());
        drop(state);
        drop(old);
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let joiner = {
            let mut state = lock(&self.0.state);
            state.members -= 1;
            if state.members == 0 { state.joiner.take() } else { None }
        };
        joiner.into_iter().for_each(Waker::wake);
    }
}
