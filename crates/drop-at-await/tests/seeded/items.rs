//! Items lost between queues.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use async_channel::{Receiver, bounded};
use async_lock::Semaphore;
use drop_at_await::{Checker, Report};
use futures_lite::future::yield_now;

use crate::Form;

/// Takes everything that is still in the channel.
pub(crate) fn drain(receiver: &Receiver<u32>) -> impl Iterator<Item = u32> {
    std::iter::from_fn(|| receiver.try_recv().ok())
}

/// Checks that of the items from 0 up to `sent` each is left once.
pub(crate) fn all_left(sent: u32, left: impl IntoIterator<Item = u32>) -> Result<(), String> {
    let mut left: Vec<u32> = left.into_iter().collect();
    left.sort_unstable();
    if left.iter().copied().eq(0..sent) { Ok(()) } else { Err(format!("of {sent} items {left:?} are left")) }
}

pub(crate) fn receive_takes_then_waits(form: Form) -> Report {
    Checker::new().check(|run| {
        let (sender, receiver) = bounded(1);
        let sent = Cell::new(0);
        let receive = async {
            if form == Form::Safe {
                yield_now().await;
            }
            let item = receiver.recv().await;
            if form == Form::Unsafe {
                yield_now().await;
            }
            item
        };
        let outcome = run.drive_beside(receive, |step| {
            sent.set(1);
            step == 0 && sender.try_send(0).is_ok()
        });
        let received = outcome.completed().and_then(Result::ok);
        all_left(sent.get(), received.into_iter().chain(drain(&receiver)))
    })
}

pub(crate) fn send_takes_then_waits(form: Form) -> Report {
    Checker::new().check(|run| {
        let (sender, receiver) = bounded(1);
        let room = Semaphore::new(0);
        sender.try_send(0).unwrap();
        let outbox = RefCell::new(VecDeque::from([1]));
        let taken = Cell::new(0);
        let take = || outbox.borrow_mut().pop_front().unwrap();
        let send = async {
            if form == Form::Unsafe {
                let item = take();
                sender.send(item).await.unwrap();
            } else {
                // The place is waited for first, and nothing is awaited between taking the item and sending it.
                room.acquire().await.forget();
                sender.try_send(take()).unwrap();
            }
        };
        drop(run.drive_beside(send, |_| {
            let item = receiver.try_recv();
            taken.set(taken.get() + u32::from(item.is_ok()));
            room.add_permits(usize::from(item.is_ok()));
            item.is_ok()
        }));
        // The items come in order, so those that the peer took are known by their count.
        all_left(2, (0..taken.get()).chain(drain(&receiver)).chain(outbox.take()))
    })
}

pub(crate) fn batch_in_a_local(form: Form) -> Report {
    Checker::new().check(|run| {
        let (sender, receiver) = bounded(1);
        let sent = Cell::new(0);
        let outer = RefCell::new(Vec::new());
        let gather = async {
            let mut local = Vec::new();
            for _ in 0..2 {
                let item = receiver.recv().await.unwrap();
                match form {
                    Form::Unsafe => local.push(item),
                    Form::Safe => outer.borrow_mut().push(item),
                }
            }
            outer.borrow_mut().append(&mut local);
        };
        drop(run.drive_beside(gather, |step| {
            let item = u32::try_from(step).unwrap();
            sent.set(item + 1);
            sender.try_send(item).is_ok()
        }));
        all_left(sent.get(), outer.take().into_iter().chain(drain(&receiver)))
    })
}

pub(crate) fn forward_holds_an_item(form: Form) -> Report {
    Checker::new().check(|run| {
        let (source, from) = bounded(1);
        let (to, sink) = bounded(1);
        let (sent, taken) = (Cell::new(0), Cell::new(0));
        let held = RefCell::new(None);
        let forward = async {
            for _ in 0..2 {
                let item = from.recv().await.unwrap();
                if form == Form::Safe {
                    held.replace(Some(item));
                }
                to.send(item).await.unwrap();
                held.take();
            }
        };
        drop(run.drive_beside(forward, |step| match step {
            0 => {
                // Both are there at once, so the second send waits for room.
                sent.set(1);
                source.try_send(0).is_ok()
            }
            1 => {
                sent.set(2);
                source.try_send(1).is_ok()
            }
            _ => {
                let item = sink.try_recv();
                taken.set(taken.get() + u32::from(item.is_ok()));
                item.is_ok()
            }
        }));
        let left = (0..taken.get()).chain(drain(&sink)).chain(held.take()).chain(drain(&from));
        all_left(sent.get(), left)
    })
}
