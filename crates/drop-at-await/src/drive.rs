//! The steps by which a future under test is driven, whoever waits for its wakes.

use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::mark::{Marks, gather};
use crate::outcome::{At, Outcome};
use crate::progress::{Progress, Stop};
use crate::signal::Signal;

/// One future that is being driven.
pub(crate) struct Drive<'a, F, P> {
    progress: &'a mut Progress,
    future: Pin<&'a mut F>,
    peer: P,
    caller: Option<&'static Location<'static>>,
    pub(crate) signal: Arc<Signal>,
    waker: Waker,
    /// Whether the last poll returned `Pending` and its wake has not been dealt with.
    waiting: bool,
    marks: Marks,
}

/// What one step came to.
pub(crate) enum Advance<T> {
    /// The future ended so.
    Done(Outcome<T>),
    /// The future was polled and waits.
    Polled,
    /// The future waits, and the peer has nothing to do.
    Idle,
}

impl<'a, F: Future, P: FnMut(usize) -> bool> Drive<'a, F, P> {
    pub(crate) fn new(
        progress: &'a mut Progress,
        future: Pin<&'a mut F>,
        peer: P,
        caller: Option<&'static Location<'static>>,
    ) -> Self {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(signal.clone());
        Self { progress, future, peer, caller, signal, waker, waiting: false, marks: Marks::new() }
    }

    /// Polls the future once, after its peer has woken it if it waits.
    pub(crate) fn advance(&mut self) -> Advance<F::Output> {
        if self.waiting {
            if !self.wake_by_peer() {
                return Advance::Idle;
            }
            if let Some((stop, at)) = self.progress.woken(&self.marks) {
                return Advance::Done(ended(&stop, at));
            }
            self.waiting = false;
        }
        self.poll()
    }

    /// Has the peer take steps until the future is woken, and reports whether it is.
    fn wake_by_peer(&mut self) -> bool {
        // A peer that is always busy and never wakes the future counts as one with nothing to do.
        for _ in 0..self.progress.limit() {
            if self.signal.is_woken() {
                return true;
            }
            if !(self.peer)(self.progress.steps) {
                break;
            }
            self.progress.steps += 1;
        }
        self.signal.is_woken()
    }

    fn poll(&mut self) -> Advance<F::Output> {
        self.signal.clear();
        let mut task = Context::from_waker(&self.waker);
        let (poll, marks) = gather(|| self.future.as_mut().poll(&mut task));
        if let Poll::Ready(output) = poll {
            return Advance::Done(Outcome::Completed(output));
        }
        self.waiting = true;
        self.marks = marks;
        self.marks.extend(self.caller);
        match self.progress.waited(self.signal.is_woken(), &self.marks) {
            Some((stop, at)) => Advance::Done(ended(&stop, at)),
            None => Advance::Polled,
        }
    }

    /// Gives up on a future that nothing wakes.
    pub(crate) fn give_up(&mut self) -> Outcome<F::Output> {
        let (stop, at) = self.progress.stuck(&self.marks);
        ended(&stop, at)
    }
}

fn ended<T>(stop: &Stop, at: At) -> Outcome<T> {
    match stop {
        Stop::Canceled => Outcome::Canceled(at),
        Stop::Stuck => Outcome::Stuck(at),
        Stop::Endless => Outcome::Endless(at),
    }
}
