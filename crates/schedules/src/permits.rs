//! A count of permits, which go to the waiters in their order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A permit for work, one at a time.
pub(crate) struct Permits {
    free: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<RefCell<Waiter>>>>,
    /// Loses a permit with the waiter it was handed to: a fault.
    lossy: bool,
}

#[derive(Default)]
struct Waiter {
    given: bool,
    waker: Option<Waker>,
}

/// A permit, which is given back when it is dropped.
pub(crate) struct Permit<'a>(&'a Permits);

/// A waiter that takes itself back when it is dropped.
struct Waiting<'a> {
    permits: &'a Permits,
    waiter: Rc<RefCell<Waiter>>,
}

impl Permits {
    pub(crate) const ALL: usize = 1;

    pub(crate) fn new(lossy: bool) -> Self {
        Self { free: Cell::new(Self::ALL), waiters: RefCell::default(), lossy }
    }

    pub(crate) fn free(&self) -> usize {
        self.free.get()
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self) -> Permit<'_> {
        if self.free.get() > 0 {
            self.free.set(self.free.get() - 1);
            return Permit(self);
        }
        let waiting = Waiting { permits: self, waiter: Rc::default() };
        self.waiters.borrow_mut().push_back(waiting.waiter.clone());
        poll_fn(|cx| {
            let mut waiter = waiting.waiter.borrow_mut();
            if std::mem::take(&mut waiter.given) {
                return Poll::Ready(());
            }
            waiter.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        Permit(self)
    }

    fn release(&self) {
        let Some(waiter) = self.waiters.borrow_mut().pop_front() else {
            self.free.set(self.free.get() + 1);
            return;
        };
        waiter.borrow_mut().given = true;
        let waker = waiter.borrow_mut().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.permits.waiters.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        if self.waiter.borrow().given && !self.permits.lossy {
            self.permits.release();
        }
    }
}
