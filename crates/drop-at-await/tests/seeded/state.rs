//! Shared state left in between.

use std::cell::Cell;

use async_lock::Mutex;
use drop_at_await::{Checker, Report, cancel_at_every_await};
use futures_lite::future::yield_now;

use crate::Form;

/// Says what is wrong unless `right`.
fn check(right: bool, wrong: &'static str) -> Result<(), &'static str> {
    if right { Ok(()) } else { Err(wrong) }
}

/// Runs `end` when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub(crate) fn invariant_under_a_lock(form: Form) -> Report {
    let accounts = Mutex::new((0, 0));
    let make = || {
        *accounts.try_lock().unwrap() = (100, 0);
        async {
            if form == Form::Safe {
                yield_now().await;
            }
            let mut accounts = accounts.lock().await;
            accounts.0 -= 10;
            if form == Form::Unsafe {
                yield_now().await;
            }
            accounts.1 += 10;
        }
    };
    // The lock is free and no poison tells of it.
    let total = || accounts.try_lock().map(|accounts| accounts.0 + accounts.1);
    cancel_at_every_await(make, |_| check(total() == Some(100), "10 coins"))
}

pub(crate) fn cleanup_behind_an_await(form: Form) -> Report {
    let open = Cell::new(false);
    let make = || {
        open.set(true);
        async {
            let _close = (form == Form::Safe).then(|| OnDrop(|| open.set(false)));
            yield_now().await;
            open.set(false);
        }
    };
    cancel_at_every_await(make, |_| check(!open.get(), "the end of the connection"))
}

pub(crate) fn busy_flag(form: Form) -> Report {
    Checker::new().check(|run| {
        let (busy, calls) = (Cell::new(false), Cell::new(0));
        let load = async || {
            if busy.replace(true) {
                return;
            }
            let _idle = (form == Form::Safe).then(|| OnDrop(|| busy.set(false)));
            yield_now().await;
            calls.set(calls.get() + 1);
            busy.set(false);
        };
        drop(run.retry(load, |_| false));
        check(calls.get() == 1, "the loading: it counts as under way")
    })
}

pub(crate) fn arrival_counted_again(form: Form) -> Report {
    Checker::new().check(|run| {
        // The gate opens for one of each side.
        let (open, opened) = async_channel::bounded::<()>(1);
        let (mine, theirs) = (Cell::new(0), Cell::new(0));
        let arrive = async || {
            mine.set(mine.get() + 1);
            let leave = (form == Form::Safe).then(|| OnDrop(|| mine.set(mine.get() - 1)));
            if mine.get() + theirs.get() < 2 {
                opened.recv().await.unwrap();
            }
            std::mem::forget(leave);
        };
        drop(run.retry(arrive, |_| {
            theirs.set(1);
            open.try_send(()).is_ok()
        }));
        check(mine.get() == 1, "the count: it arrived twice")
    })
}

pub(crate) fn permit_by_hand(form: Form) -> Report {
    Checker::new().check(|run| {
        let (start, started) = async_channel::bounded(1);
        let permits = Cell::new(1);
        let give_back = || permits.set(permits.get() + 1);
        let work = async {
            permits.set(permits.get() - 1);
            let guard = (form == Form::Safe).then(|| OnDrop(give_back));
            started.recv().await.unwrap();
            if guard.is_none() {
                give_back();
            }
        };
        drop(run.drive_beside(work, |_| start.try_send(()).is_ok()));
        check(permits.get() == 1, "a permit")
    })
}
