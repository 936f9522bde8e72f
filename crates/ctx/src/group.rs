//! Structured concurrency: members that cannot outlive their group.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Cause;
use crate::node::contain_each;
use crate::sync::{Mutex, lock};
use crate::wait::{Parker, Waiting};

/// Work that shares a fate: the first failure cancels the rest, and the group waits for all of it.
///
/// The group spawns nothing: [`task`](Self::task) and [`job`](Self::job) wrap work that you then spawn, on any
/// runtime or thread. [`join`](Self::join) and [`wait`](Self::wait) return once every member is *gone*: its
/// future dropped, its destructors run. Dropping the group without waiting cancels the members' context and
/// drops each task at its next poll. A job on a thread sees its context end, and runs on until it returns.
///
/// A member that panics, or that is dropped before it has returned (an aborted task), is a failure like an error
/// that it returns: the rest is canceled, and the group's result is a [`MemberError`]. A panic goes on after that,
/// so the runtime or the thread reports it as ever.
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
    shared: Arc<Shared>,
    /// Ends when the group is gone, whether or not anyone waited.
    abandoned: Context,
    _abandon: Cancel,
}

#[derive(Debug)]
struct Shared {
    ctx: Context,
    cancel: Cancel,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    members: usize,
    failure: Option<Cause>,
    joiner: Option<Waker>,
}

/// Why a member of a [`Group`] did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberError {
    /// It panicked with this message.
    Panicked(String),
    /// It was dropped before it had returned, while its context was live.
    Aborted,
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "member of a group panicked: {message}"),
            Self::Aborted => f.write_str("member of a group was dropped before it had returned"),
        }
    }
}

impl StdError for MemberError {}

/// Counts a member for as long as anything of it exists; one that is dropped without a result has failed.
struct Seat {
    group: Arc<Shared>,
    /// The failure that it is to vanish now; `None` once there is a result.
    lost: Option<MemberError>,
}

impl Group {
    /// Makes an empty group whose members end with `ctx` at the latest.
    #[must_use]
    pub fn new(ctx: &Context) -> Self {
        let (ctx, cancel) = ctx.with_cancel();
        let (abandoned, abandon) = Context::background().with_cancel();
        let shared = Arc::new(Shared { ctx, cancel, state: Mutex::default() });
        Self { shared, abandoned, _abandon: abandon }
    }

    /// Returns the members' context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.shared.ctx
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
        member(make(self.shared.ctx.clone()), self.abandoned.clone(), self.seat())
    }

    /// Wraps work for a thread; run what is returned there. An error it returns fails the group.
    pub fn job<M>(&self, work: M) -> impl FnOnce() + use<M>
    where
        M: FnOnce(&Context) -> Result<(), Cause>,
    {
        let mut seat = self.seat();
        let ctx = self.shared.ctx.clone();
        move || {
            let result = seat.watch(|| work(&ctx));
            seat.record(result);
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
        Seat { group: self.shared.clone(), lost: Some(MemberError::Aborted) }
    }
}

/// Polls a member's work until it is ready or orphaned.
///
/// The seat is the last argument, so that it is free only when the work's destructors have run: a future that
/// was never polled drops its arguments in order, and one that was has moved the work to an inner block.
async fn member<F>(work: F, abandoned: Context, mut seat: Seat)
where
    F: Future<Output = Result<(), Cause>>,
{
    let result = {
        let mut work = pin!(work);
        let mut orphaned = abandoned.0.node.as_ref().map(Waiting::new);
        std::future::poll_fn(|cx| {
            if orphaned.as_mut().is_some_and(|end| end.poll(cx.waker()).is_some()) {
                return Poll::Ready(Ok(()));
            }
            seat.watch(|| work.as_mut().poll(cx))
        })
        .await
    };
    seat.record(result);
}

/// Returns the text of a panic, if it has one.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
}

impl Seat {
    /// Runs a step of the member's work, and notes the message if it panics.
    fn watch<T>(&mut self, step: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(outcome) => outcome,
            Err(payload) => {
                self.lost = Some(MemberError::Panicked(message(&*payload)));
                resume_unwind(payload)
            }
        }
    }

    fn record(&mut self, result: Result<(), Cause>) {
        self.lost = None;
        self.group.record(result);
    }
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
        if let Some(lost) = self.lost.take() {
            // Dropped at the end of its context is what the end asks for, and no failure of its own.
            let ended = if lost == MemberError::Aborted { self.group.ctx.cause() } else { None };
            self.group.record(Err(ended.unwrap_or_else(|| lost.into())));
        }
        let joiner = {
            let mut state = lock(&self.group.state);
            state.members -= 1;
            if state.members == 0 { state.joiner.take() } else { None }
        };
        contain_each(joiner, Waker::wake);
    }
}
