//! A member of a group: its slot, and what it leaves there.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::Shared;
use crate::context::Context;
use crate::error::Cause;
use crate::node::contain_each;
use crate::sync::lock;
use crate::wait::{Parker, Waiting};

/// Why a member of a [`Group`](super::Group) did not return, or was not awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberError {
    /// It panicked with this message.
    Panicked(String),
    /// It was dropped before it had returned, while its context was live.
    Aborted,
    /// The number of members that existed still when the time to wait for them was over.
    Remaining(usize),
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "member of a group panicked: {message}"),
            Self::Aborted => f.write_str("member of a group was dropped before it had returned"),
            Self::Remaining(1) => f.write_str("1 member of a group had not ended in time"),
            Self::Remaining(count) => write!(f, "{count} members of a group had not ended in time"),
        }
    }
}

impl StdError for MemberError {}

/// Counts a member for as long as anything of it exists; one that is dropped without a result has failed.
pub(super) struct Slot<T> {
    pub(super) group: Arc<Shared<T>>,
    /// The place of its result among the others.
    pub(super) number: u64,
    /// It found no slot at first.
    pub(super) waited: bool,
    /// It has one of the group's slots.
    pub(super) running: bool,
    /// The failure that it is to vanish now; `None` if it is none.
    pub(super) lost: Option<MemberError>,
    /// Why it is not to start: its context ended while it waited for a slot.
    pub(super) refusal: Option<Cause>,
}

/// Polls a member's work until it is ready or orphaned.
///
/// The slot is the last argument, so that it is free only when the work's destructors have run: a future that
/// was never polled drops its arguments in order, and one that was has moved the work to an inner block.
pub(super) async fn member<T, F>(work: F, abandoned: Context, mut slot: Slot<T>)
where
    F: Future<Output = Result<T, Cause>>,
{
    let result = {
        let mut work = pin!(work);
        let mut orphaned = abandoned.0.node.as_ref().map(Waiting::new);
        std::future::poll_fn(|cx| {
            if orphaned.as_mut().is_some_and(|end| end.poll(cx.waker()).is_some()) {
                return Poll::Ready(None);
            }
            if !slot.runs(cx.waker()) {
                return Poll::Pending;
            }
            match slot.refusal.take() {
                Some(cause) => Poll::Ready(Some(Err(cause))),
                None => slot.watch(|| work.as_mut().poll(cx)).map(Some),
            }
        })
        .await
    };
    slot.record(result);
}

/// Returns the text of a panic, if it has one.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
}

impl<T> Slot<T> {
    /// Takes a slot, or has `waker` woken when there is one; true if the member has one.
    fn runs(&mut self, waker: &Waker) -> bool {
        if !self.running {
            self.running = self.group.take_slot(self.number, waker);
            if self.running && self.waited {
                self.refusal = self.group.ctx.cause();
            }
            self.waited = true;
        }
        self.running
    }

    /// Blocks the thread until there is a slot; returns why the member is not to start, if it is not.
    pub(super) fn wait_for_slot(&mut self) -> Option<Cause> {
        if !self.runs(Waker::noop()) {
            let parker = Parker::take();
            while !self.runs(&parker.waker) {
                parker.park(None);
            }
            parker.put_back();
        }
        self.refusal.take()
    }

    /// Runs a step of the member's work, and notes the message if it panics.
    pub(super) fn watch<R>(&mut self, step: impl FnOnce() -> R) -> R {
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(outcome) => outcome,
            Err(payload) => {
                self.lost = Some(MemberError::Panicked(message(&*payload)));
                resume_unwind(payload)
            }
        }
    }

    /// Leaves the result, unless nobody is there to take it.
    pub(super) fn record(&mut self, result: Option<Result<T, Cause>>) {
        self.lost = None;
        match result {
            Some(Ok(value)) => self.group.keep(self.number, value),
            Some(Err(cause)) => self.group.fail(cause),
            None => (),
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if let Some(lost) = self.lost.take() {
            // Dropped at the end of its context is what the end asks for, and no failure of its own.
            let ended = if lost == MemberError::Aborted { self.group.ctx.cause() } else { None };
            self.group.fail(ended.unwrap_or_else(|| lost.into()));
        }
        self.group.leave_slot(self.number, self.running);
        let joiner = {
            let mut state = lock(&self.group.state);
            state.members -= 1;
            if state.members == 0 { state.joiner.take() } else { None }
        };
        contain_each(joiner, Waker::wake);
    }
}
