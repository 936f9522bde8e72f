//! Wakes that end with the waiter they were meant for, and items from other threads.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use drop_at_await::{Checker, Report};
use futures_lite::future::{block_on, yield_now};

use crate::Form;
use crate::items::{all_left, drain};

/// A count of tokens; each that is added wakes the first waiter only.
#[derive(Default)]
struct Tokens {
    free: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Waiter>>>,
}

#[derive(Default)]
struct Waiter {
    woken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Tokens {
    fn add(&self) {
        self.free.set(self.free.get() + 1);
        self.wake_one();
    }

    fn wake_one(&self) {
        let Some(waiter) = self.waiters.borrow_mut().pop_front() else { return };
        waiter.woken.set(true);
        waiter.waker.take().into_iter().for_each(Waker::wake);
    }

    async fn take(&self, form: Form) {
        let mut waiting: Option<Waiting<'_>> = None;
        poll_fn(|cx| {
            if self.free.get() > 0 && waiting.as_ref().is_none_or(|waiting| waiting.waiter.woken.get()) {
                self.free.set(self.free.get() - 1);
                if let Some(waiting) = &mut waiting {
                    waiting.waiter.woken.set(false);
                }
                return Poll::Ready(());
            }
            let waiting = waiting.get_or_insert_with(|| {
                let waiter = Rc::new(Waiter::default());
                self.waiters.borrow_mut().push_back(waiter.clone());
                Waiting { tokens: self, waiter, form }
            });
            waiting.waiter.waker.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

struct Waiting<'a> {
    tokens: &'a Tokens,
    waiter: Rc<Waiter>,
    form: Form,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.tokens.waiters.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        if self.form == Form::Safe && self.waiter.woken.get() {
            self.tokens.wake_one();
        }
    }
}

/// Polls a future once, so that it waits behind the one under test.
fn queue_up<F: Future>(future: Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Two wait for one token, and the first is dropped: the second must get it.
pub(crate) fn not_passed_on(form: Form) -> Report {
    Checker::new().patience(Duration::ZERO).check(|run| {
        let tokens = Tokens::default();
        let mut second = pin!(tokens.take(form));
        let mut added = false;
        let first = run.drive_beside(tokens.take(form), |step| {
            queue_up(second.as_mut());
            tokens.add();
            added = true;
            step == 0
        });
        if !(added && first.is_canceled()) {
            tokens.add();
        }
        drop(run.drive(second));
    })
}

pub(crate) fn not_passed_on_in_a_task(form: Form) -> Report {
    block_on(Checker::new().patience(Duration::ZERO).check_in_task(async |run| {
        let tokens = Tokens::default();
        let mut second = pin!(tokens.take(form));
        let mut added = false;
        let peer = |step| {
            queue_up(second.as_mut());
            tokens.add();
            added = true;
            step == 0
        };
        let first = run.drive_beside(tokens.take(form), peer).await;
        if !(added && first.is_canceled()) {
            tokens.add();
        }
        drop(run.drive(second).await);
    }))
}

pub(crate) fn item_from_another_thread(form: Form) -> Report {
    Checker::new().check(|run| {
        let (sender, receiver) = async_channel::bounded(1);
        let (go, gone) = mpsc::channel();
        let receive = async {
            let item = receiver.recv().await;
            if form == Form::Unsafe {
                yield_now().await;
            }
            item
        };
        thread::scope(|scope| {
            // It sends once the receiver waits, and nothing when that was dropped before.
            let sending =
                scope.spawn(move || u32::from(gone.recv().is_ok_and(|()| sender.send_blocking(0).is_ok())));
            let outcome = run.drive_beside(receive, |step| step == 0 && go.send(()).is_ok());
            drop(go);
            let sent = sending.join().unwrap();
            let received = outcome.completed().and_then(Result::ok);
            all_left(sent, received.into_iter().chain(drain(&receiver)))
        })
    })
}
