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
    /// Set by a poll that returned `Pending`, and unset when its wake has been dealt with.
    waiting: bool,
    /// The steps that the peer took since the last poll.
    steps: usize,
    marks: Marks,
}

/// The result of one step.
pub(crate) enum Advance<T> {
    /// The future ended so.
    Done(Outcome<T>),
    /// The future was polled and waits.
    Polled,
    /// The peer took a step.
    Stepped,
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
        Self { progress, future, peer, caller, signal, waker, waiting: false, steps: 0, marks: Marks::new() }
    }

    /// Polls the future if it is woken; if not, has its peer take one step.
    pub(crate) fn advance(&mut self) -> Advance<F::Output> {
        if self.waiting {
            if !self.signal.is_woken() {
                return if self.step() { Advance::Stepped } else { Advance::Idle };
            }
            if let Some((stop, at)) = self.progress.woken(&self.marks) {
                return Advance::Done(ended(&stop, at));
            }
            self.waiting = false;
        }
        self.poll()
    }

    /// Has the peer take a step, and reports whether it took one.
    fn step(&mut self) -> bool {
        // A peer that is always busy and never wakes the future counts as one with nothing to do.
        let stepped = self.steps < self.progress.limit() && (self.peer)(self.progress.steps);
        self.steps += usize::from(stepped);
        self.progress.steps += usize::from(stepped);
        stepped
    }

    fn poll(&mut self) -> Advance<F::Output> {
        self.signal.clear();
        self.steps = 0;
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
