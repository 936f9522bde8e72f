//! Structured concurrency: members that cannot outlive their group.

mod member;
mod slots;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Cause;
use crate::sync::{Mutex, lock};
use crate::wait::{Done, Parker, Waiting};

pub use member::MemberError;
use member::{Slot, member};
use slots::Slots;

/// Work that shares a fate: the first failure cancels the rest, and the group waits for all of it.
///
/// The group spawns nothing: [`task`](Self::task) and [`job`](Self::job) wrap work that you then spawn, on any
/// runtime or thread. [`join`](Self::join), [`wait`](Self::wait) and their like return once every member is *gone*:
/// its future dropped, its destructors run. Dropping the group without waiting cancels the members' context and
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
///
/// A group made by [`collecting`](Self::collecting) keeps what its members return:
///
/// ```
/// use ctx::{Context, Group};
///
/// let group = Group::collecting(&Context::background());
/// let threads = [1, 2, 3].map(|n| std::thread::spawn(group.job(move |_ctx| Ok(n * n))));
/// assert_eq!(group.wait_results().unwrap(), [1, 4, 9]);
/// for thread in threads {
///     thread.join().unwrap();
/// }
/// ```
pub struct Group<T = ()> {
    members: Members<T>,
    _abandon: Cancel,
}

/// Adds members to a [`Group`]: a clone of this goes into members that start others.
///
/// A member that is added when the group is gone has a canceled context, and nobody takes its result.
pub struct Members<T = ()> {
    shared: Arc<Shared<T>>,
    /// Ends when the group is gone, whether or not anyone waited.
    abandoned: Context,
}

struct Shared<T> {
    ctx: Context,
    cancel: Cancel,
    state: Mutex<State<T>>,
}

struct State<T> {
    members: usize,
    /// The number of the next member.
    next: u64,
    failure: Option<Cause>,
    /// The results of members, in the order in which they ended; takes no memory where results are empty.
    results: Vec<T>,
    /// The number of each member whose result is kept; empty where results are.
    numbers: Vec<u64>,
    joiner: Option<Waker>,
    slots: Slots,
}

impl Group {
    /// Makes an empty group whose members return nothing, and end with `ctx` at the latest.
    #[must_use]
    pub fn new(ctx: &Context) -> Self {
        Self::collecting(ctx)
    }
}

impl<T> Group<T> {
    /// Makes an empty group that keeps what its members return, and whose members end with `ctx` at the latest.
    #[must_use]
    pub fn collecting(ctx: &Context) -> Self {
        let (ctx, cancel) = ctx.with_cancel();
        let (abandoned, abandon) = Context::background().with_cancel();
        let state = State {
            members: 0,
            next: 0,
            failure: None,
            results: Vec::new(),
            numbers: Vec::new(),
            joiner: None,
            slots: Slots::default(),
        };
        let shared = Arc::new(Shared { ctx, cancel, state: Mutex::new(state) });
        Self { members: Members { shared, abandoned }, _abandon: abandon }
    }

    /// Sets how many members run at once, at least one; others wait for their turn, in the order in which they came.
    ///
    /// A task waits without a poll of its work, a job blocks its thread. A member whose context has ended when its turn
    /// comes is not started: the cause of the end is its result.
    ///
    /// ```
    /// use ctx::{Context, Group};
    ///
    /// let group = Group::new(&Context::background()).with_limit(2);
    /// let threads = [1, 2, 3, 4].map(|_| std::thread::spawn(group.job(|_ctx| Ok(()))));
    /// group.wait().unwrap();
    /// threads.map(|thread| thread.join().unwrap());
    /// ```
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        lock(&self.members.shared.state).slots.limit = limit.max(1);
        self
    }

    /// Returns the members' context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.members.shared.ctx
    }

    /// Cancels the members' context; they still have to be waited for.
    pub fn cancel(&self) {
        self.members.shared.cancel.cancel();
    }

    /// Counts the members that still exist.
    #[must_use]
    pub fn members(&self) -> usize {
        lock(&self.members.shared.state).members
    }

    /// Returns what adds members, for members that start others.
    #[must_use]
    pub fn adder(&self) -> Members<T> {
        self.members.clone()
    }

    /// Wraps a task; spawn what is returned. An error it returns fails the group.
    pub fn task<M, F>(&self, make: M) -> impl Future<Output = ()> + use<T, M, F>
    where
        M: FnOnce(Context) -> F,
        F: Future<Output = Result<T, Cause>>,
    {
        self.members.task(make)
    }

    /// Wraps work for a thread; run what is returned there. An error it returns fails the group.
    pub fn job<M>(&self, work: M) -> impl FnOnce() + use<T, M>
    where
        M: FnOnce(&Context) -> Result<T, Cause>,
    {
        self.members.job(work)
    }

    /// Waits in a task until every member is gone.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub async fn join(self) -> Result<(), Cause> {
        self.results().await.map(drop)
    }

    /// Waits in a task until every member is gone, and returns what they returned, in the order in which they were
    /// added.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub async fn results(self) -> Result<Vec<T>, Cause> {
        std::future::poll_fn(|cx| self.poll_outcome(cx.waker())).await
    }

    /// Waits as [`results`](Self::results) does, until `limit` ends; then the members' context is canceled.
    ///
    /// With [`cancel`](Self::cancel) before it and a [`shield`](Context::shield) as the limit it is a bounded
    /// shutdown. `sleep` is called at most once.
    ///
    /// # Errors
    ///
    /// The first member's failure, or [`MemberError::Remaining`] when `limit` ended first.
    pub async fn join_within<S, F>(self, limit: &Context, sleep: S) -> Result<Vec<T>, Cause>
    where
        S: FnMut(Instant) -> F,
        F: Future,
    {
        let mut over = pin!(Done::new(limit.0.node.as_ref(), sleep));
        std::future::poll_fn(|cx| match self.poll_outcome(cx.waker()) {
            Poll::Pending => over.as_mut().poll(cx).map(|_| Err(self.remaining())),
            outcome => outcome,
        })
        .await
    }

    /// Blocks the thread until every member is gone.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub fn wait(self) -> Result<(), Cause> {
        self.wait_results().map(drop)
    }

    /// Blocks the thread until every member is gone, and returns what they returned, in the order in which they were
    /// added.
    ///
    /// # Errors
    ///
    /// The first member's failure.
    pub fn wait_results(self) -> Result<Vec<T>, Cause> {
        self.wait_within(&Context::background())
    }

    /// Blocks the thread as [`wait_results`](Self::wait_results) does, until `limit` ends; then the members' context
    /// is canceled.
    ///
    /// # Errors
    ///
    /// The first member's failure, or [`MemberError::Remaining`] when `limit` ended first.
    pub fn wait_within(self, limit: &Context) -> Result<Vec<T>, Cause> {
        let parker = Parker::take();
        let mut over = limit.0.node.as_ref().map(Waiting::new);
        let outcome = loop {
            if let Poll::Ready(outcome) = self.poll_outcome(&parker.waker) {
                break outcome;
            }
            if over.as_mut().is_some_and(|over| over.poll(&parker.waker).is_some()) {
                break Err(self.remaining());
            }
            parker.park(limit.until_alarm());
        };
        drop(over);
        parker.put_back();
        outcome
    }

    fn poll_outcome(&self, waker: &Waker) -> Poll<Result<Vec<T>, Cause>> {
        self.members.shared.outcome(waker).map_or(Poll::Pending, Poll::Ready)
    }

    /// Returns the failure of a group that could not be waited for.
    fn remaining(&self) -> Cause {
        MemberError::Remaining(self.members()).into()
    }
}

impl<T> Members<T> {
    /// Wraps a task as [`Group::task`] does.
    pub fn task<M, F>(&self, make: M) -> impl Future<Output = ()> + use<T, M, F>
    where
        M: FnOnce(Context) -> F,
        F: Future<Output = Result<T, Cause>>,
    {
        member(make(self.shared.ctx.clone()), self.abandoned.clone(), self.slot())
    }

    /// Wraps work for a thread as [`Group::job`] does.
    pub fn job<M>(&self, work: M) -> impl FnOnce() + use<T, M>
    where
        M: FnOnce(&Context) -> Result<T, Cause>,
    {
        let mut slot = self.slot();
        let ctx = self.shared.ctx.clone();
        move || {
            let refusal = slot.wait_for_slot();
            let result = refusal.map_or_else(|| slot.watch(|| work(&ctx)), Err);
            slot.record(Some(result));
        }
    }

    fn slot(&self) -> Slot<T> {
        let mut state = lock(&self.shared.state);
        state.members += 1;
        let number = state.next;
        state.next += 1;
        drop(state);
        let lost = Some(MemberError::Aborted);
        Slot { group: self.shared.clone(), number, waited: false, running: false, lost, refusal: None }
    }
}

impl<T> Shared<T> {
    fn fail(&self, cause: Cause) {
        lock(&self.state).failure.get_or_insert_with(|| cause.clone());
        self.cancel.cancel_cause(cause);
    }

    fn keep(&self, number: u64, value: T) {
        let mut state = lock(&self.state);
        state.results.push(value);
        if size_of::<T>() > 0 {
            state.numbers.push(number);
        }
    }

    fn outcome(&self, waker: &Waker) -> Option<Result<Vec<T>, Cause>> {
        let mut state = lock(&self.state);
        if state.members > 0 {
            let old = state.joiner.replace(waker.clone());
            drop(state);
            drop(old);
            return None;
        }
        let failure = state.failure.take();
        let (results, numbers) = (std::mem::take(&mut state.results), std::mem::take(&mut state.numbers));
        drop(state);
        Some(match failure {
            Some(cause) => Err(cause),
            None => Ok(in_order(results, &numbers)),
        })
    }
}

/// Sorts results by the numbers of their members; empty ones have no numbers.
fn in_order<T>(results: Vec<T>, numbers: &[u64]) -> Vec<T> {
    if numbers.is_sorted() {
        return results;
    }
    let mut numbered: Vec<_> = numbers.iter().zip(results).collect();
    numbered.sort_by_key(|(number, _)| **number);
    numbered.into_iter().map(|(_, result)| result).collect()
}

impl<T> Clone for Members<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), abandoned: self.abandoned.clone() }
    }
}

impl<T> Drop for Group<T> {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.members()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Members<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Members")
    }
}
