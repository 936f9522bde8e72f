//! Waiting for the end of a context: in a task, or on a thread.

use std::borrow::Borrow;
#[cfg(not(loom))]
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::clock;
use crate::error::Error;
use crate::node::{NOWHERE, Node};
use crate::sync::{Condvar, Mutex, lock};

/// A registered waiter, which takes itself back when it is dropped; it borrows its node, or owns a handle.
pub(crate) struct Waiting<N: Borrow<Arc<Node>>> {
    node: N,
    place: u32,
}

impl<N: Borrow<Arc<Node>>> Waiting<N> {
    pub(crate) fn new(node: N) -> Self {
        Self { node, place: NOWHERE }
    }

    fn node(&self) -> &Arc<Node> {
        self.node.borrow()
    }

    /// Returns the end of the context, or registers `waker` to be woken by it.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Option<Error> {
        if let Some(error) = self.node().notice() {
            return Some(error);
        }
        match self.node().watch(self.place, waker) {
            Some(place) => {
                self.place = place;
                None
            }
            None => self.node().ended(),
        }
    }
}

impl<N: Borrow<Arc<Node>>> Drop for Waiting<N> {
    fn drop(&mut self) {
        self.node().unwatch(self.place);
    }
}

pin_project! {
    /// Waits in a task; see [`Context::done`](crate::Context::done).
    ///
    /// It is written by hand because an `async fn` keeps a second copy of whatever it is given.
    pub(crate) struct Done<N: Borrow<Arc<Node>>, S, F> {
        // `None` for a context that cannot end.
        waiting: Option<Waiting<N>>,
        sleep: S,
        // The deadline that the timer is set for; zero without one.
        armed: u64,
        #[pin]
        timer: Option<F>,
    }
}

impl<N: Borrow<Arc<Node>>, S, F> Done<N, S, F> {
    pub(crate) fn new(node: Option<N>, sleep: S) -> Self {
        Self { waiting: node.map(Waiting::new), sleep, armed: 0, timer: None }
    }
}

impl<N, S, F> Future for Done<N, S, F>
where
    N: Borrow<Arc<Node>>,
    S: FnMut(Instant) -> F,
    F: Future,
{
    type Output = Error;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        let mut this = self.project();
        let Some(waiting) = this.waiting else { return Poll::Pending };
        if let Some(error) = waiting.poll(cx.waker()) {
            return Poll::Ready(error);
        }
        // Asked again at each poll: a driver that watched the deadline may have stopped since, or the deadline moved.
        if *this.armed == 0 || waiting.node().is_movable() {
            let alarm = waiting.node().alarm().unwrap_or(0);
            if alarm != *this.armed {
                *this.armed = alarm;
                let at = if alarm == 0 { None } else { clock::instant(alarm) };
                this.timer.set(at.map(&mut *this.sleep));
            }
        }
        if this.timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(cx).is_ready()) {
            this.timer.set(None);
            // The runtime's clock may run ahead of the system's, as a paused one does: it is believed.
            if let Some(error) = waiting.node().expire_at(std::mem::take(this.armed)) {
                return Poll::Ready(error);
            }
            // The deadline has moved meanwhile: the next poll sets the timer anew.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

pin_project! {
    /// Waits for the end of a context that it owns a handle of; made by [`Context::done_owned`](crate::Context::done_owned).
    ///
    /// It has a name and borrows nothing, so it can be a field of a hand-written future, service or stream.
    #[must_use = "a future does nothing until it is polled"]
    pub struct DoneOwned<S, F> {
        #[pin]
        done: Done<Arc<Node>, S, F>,
    }
}

impl<S, F> DoneOwned<S, F> {
    pub(crate) fn new(node: Option<Arc<Node>>, sleep: S) -> Self {
        Self { done: Done::new(node, sleep) }
    }
}

impl<S, F> Future for DoneOwned<S, F>
where
    S: FnMut(Instant) -> F,
    F: Future,
{
    type Output = Error;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        self.project().done.poll(cx)
    }
}

impl<S, F> fmt::Debug for DoneOwned<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoneOwned")
    }
}

/// Blocks until the context ends, or until `at`.
pub(crate) fn wait(node: &Arc<Node>, at: Option<Instant>) -> Option<Error> {
    if let Some(error) = node.notice() {
        return Some(error);
    }
    let parker = Parker::take();
    let mut waiting = Waiting::new(node);
    let error = loop {
        if let Some(error) = waiting.poll(&parker.waker) {
            break Some(error);
        }
        let now = Instant::now();
        if at.is_some_and(|at| at <= now) {
            break None;
        }
        let next = [at, node.alarm().and_then(clock::instant)].into_iter().flatten().min();
        parker.park(next.map(|next| next.saturating_duration_since(now)));
    };
    drop(waiting);
    parker.put_back();
    error
}

/// Blocks for ever, or until `at`, for a context that cannot end.
pub(crate) fn sleep(at: Option<Instant>) {
    let parker = Parker::take();
    loop {
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return parker.put_back();
        }
        parker.park(left);
    }
}

/// A thread's parking place. It is not `std::thread::park`, whose token belongs to the thread's owner.
pub(crate) struct Parker {
    flag: Arc<Flag>,
    pub(crate) waker: Waker,
}

struct Flag {
    up: Mutex<bool>,
    raised: Condvar,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *lock(&self.up) = true;
        self.raised.notify_one();
    }
}

#[cfg(not(loom))]
thread_local! {
    /// A thread that waited once keeps its parker, so that waiting again allocates nothing.
    static PARKER: Cell<Option<Parker>> = const { Cell::new(None) };
}

impl Parker {
    pub(crate) fn new() -> Self {
        let flag = Arc::new(Flag { up: Mutex::new(false), raised: Condvar::new() });
        Self { waker: Waker::from(flag.clone()), flag }
    }

    /// Takes the thread's own parker, or a new one while that is in use further up the stack.
    #[cfg(not(loom))]
    pub(crate) fn take() -> Self {
        PARKER.try_with(Cell::take).ok().flatten().unwrap_or_else(Self::new)
    }

    #[cfg(loom)]
    pub(crate) fn take() -> Self {
        Self::new()
    }

    pub(crate) fn put_back(self) {
        #[cfg(not(loom))]
        let _ = PARKER.try_with(|cell| cell.set(Some(self)));
    }

    /// Blocks until woken or for `timeout`, or shorter; tells whether it was woken.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> bool {
        let up = lock(&self.flag.up);
        let mut up = match timeout {
            _ if *up => up,
            None => self.flag.raised.wait(up).unwrap_or_else(std::sync::PoisonError::into_inner),
            Some(timeout) => {
                self.flag
                    .raised
                    .wait_timeout(up, timeout)
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .0
            }
        };
        std::mem::take(&mut *up)
    }
}
