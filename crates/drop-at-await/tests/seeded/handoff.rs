//! Things that are handed to a waiter, and lost when the waiter is dropped before its next poll.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use drop_at_await::{Checker, Report};

use crate::Form;

/// A queue of one item that hands it straight to the waiter, if there is one.
#[derive(Default)]
struct Handoff {
    item: Cell<Option<u32>>,
    waiter: RefCell<Option<Rc<Waiter>>>,
}

#[derive(Default)]
struct Waiter {
    given: Cell<Option<u32>>,
    waker: RefCell<Option<Waker>>,
}

impl Handoff {
    fn give(&self, item: u32) {
        let Some(waiter) = self.waiter.take() else { return self.item.set(Some(item)) };
        waiter.given.set(Some(item));
        waiter.waker.take().into_iter().for_each(Waker::wake);
    }

    async fn take(&self, form: Form) -> u32 {
        if let Some(item) = self.item.take() {
            return item;
        }
        let waiter = Rc::new(Waiter::default());
        self.waiter.replace(Some(waiter.clone()));
        let _back = (form == Form::Safe).then(|| GiveBack { queue: self, waiter: waiter.clone() });
        poll_fn(|cx| {
            waiter.waker.replace(Some(cx.waker().clone()));
            waiter.given.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Puts back what was handed to a waiter that is dropped, and takes the waiter out of the list.
struct GiveBack<'a> {
    queue: &'a Handoff,
    waiter: Rc<Waiter>,
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        self.queue.waiter.borrow_mut().take_if(|waiter| Rc::ptr_eq(waiter, &self.waiter));
        if let Some(item) = self.waiter.given.take() {
            self.queue.give(item);
        }
    }
}

pub(crate) fn item(form: Form) -> Report {
    Checker::new().check(|run| {
        let queue = Handoff::default();
        let given = Cell::new(false);
        let outcome = run.drive_beside(queue.take(form), |step| {
            given.set(true);
            queue.give(7);
            step == 0
        });
        let kept = outcome.completed().or_else(|| queue.item.take());
        if kept == given.get().then_some(7) { Ok(()) } else { Err("the item") }
    })
}

pub(crate) fn registration(form: Form) -> Report {
    Checker::new().check(|run| {
        let queue = Handoff::default();
        drop(run.drive_beside(queue.take(form), |step| {
            queue.give(7);
            step == 0
        }));
        if queue.waiter.take().is_none() { Ok(()) } else { Err("a place in the list, for ever") }
    })
}
