//! Ticks of the outside world, which work waits for; each goes to one waiter.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The waiters for ticks.
#[derive(Default)]
pub(crate) struct Ticks {
    waiters: RefCell<Vec<Rc<RefCell<Waiter>>>>,
    /// The number of waiters with a tick that they have not seen.
    unheard: Cell<usize>,
}

#[derive(Default)]
struct Waiter {
    ticked: bool,
    waker: Option<Waker>,
}

/// A place among the waiters, which is given up when it is dropped.
pub(crate) struct Waiting<'a> {
    ticks: &'a Ticks,
    waiter: Rc<RefCell<Waiter>>,
    /// Keeps the waker of the first poll: a fault.
    stale: bool,
}

impl Ticks {
    /// Takes a place among the waiters.
    pub(crate) fn wait(&self, stale: bool) -> Waiting<'_> {
        let waiter = Rc::new(RefCell::default());
        self.waiters.borrow_mut().push(Rc::clone(&waiter));
        Waiting { ticks: self, waiter, stale }
    }

    /// Reports whether somebody got a tick and has not been polled since, so that its wake was lost.
    pub(crate) fn has_unheard(&self) -> bool {
        self.unheard.get() > 0
    }

    pub(crate) fn waiters(&self) -> usize {
        self.waiters.borrow().len()
    }

    /// Gives the waiter at `place` its tick.
    pub(crate) fn tick(&self, place: usize) {
        let waiter = self.waiters.borrow_mut().remove(place);
        waiter.borrow_mut().ticked = true;
        self.unheard.set(self.unheard.get() + 1);
        let waker = waiter.borrow_mut().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Waiting<'_> {
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiter = self.waiter.borrow_mut();
        if std::mem::take(&mut waiter.ticked) {
            self.ticks.unheard.set(self.ticks.unheard.get() - 1);
            return Poll::Ready(());
        }
        if !self.stale || waiter.waker.is_none() {
            waiter.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.ticks.waiters.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        if self.waiter.borrow().ticked {
            self.ticks.unheard.set(self.ticks.unheard.get() - 1);
        }
    }
}
