//! The async functions can be dropped at any of their awaits: no waiter stays behind, no end is missed, no item is lost.

use std::cell::Cell;
use std::future::{Pending, pending};
use std::pin::pin;
use std::time::{Duration, Instant};

use ctx::{Cause, Context, Driver, Error, Group};
use drop_at_await::{Checker, cancel_safe};

/// A timer that never fires: every end here comes from a cancel.
fn never(_: Instant) -> Pending<()> {
    pending()
}

fn check(right: bool, wrong: &'static str) -> Result<(), &'static str> {
    if right { Ok(()) } else { Err(wrong) }
}

cancel_safe! {
    /// A wait that is dropped leaves no waiter, and a new one still sees the end.
    fn waiting_for_the_end_leaves_no_waiter() {
        state { let (ctx, cancel) = Context::background().with_cancel(); }
        retry { ctx.done(never) }
        peer |step| { cancel.cancel(); step == 0 }
        check |outcome| {
            check(outcome.completed() == Some(Error::Canceled) && ctx.waiters() == 0, "the end, or a waiter")
        }
    }

    /// A wait below a deadline is the same.
    fn waiting_below_a_deadline_leaves_no_waiter() {
        state { let (ctx, cancel) = Context::background().with_timeout(Duration::from_secs(3600)); }
        retry { ctx.done(never) }
        peer |step| { cancel.cancel(); step == 0 }
        check |outcome| {
            check(outcome.completed() == Some(Error::Canceled) && ctx.waiters() == 0, "the end, or a waiter")
        }
    }

    /// Work that is dropped with its race has lost nothing that was not its own.
    fn a_dropped_run_leaves_the_item_in_the_channel() {
        state {
            let (ctx, _cancel) = Context::background().with_cancel();
            let (sender, receiver) = async_channel::bounded(1);
        }
        retry { ctx.run(receiver.recv(), never) }
        peer |step| { step == 0 && sender.try_send(7).is_ok() }
        check |outcome| {
            check(outcome.completed() == Some(Ok(Ok(7))) && ctx.waiters() == 0, "the item, or a waiter")
        }
    }

    /// A drained run that is dropped in its grace leaves neither a waiter nor its grace's context.
    fn a_dropped_drained_run_leaves_no_waiter() {
        state {
            let (ctx, cancel) = Context::background().with_cancel();
            let (sender, receiver) = async_channel::bounded::<u32>(1);
        }
        future { ctx.run_drained(receiver.recv(), Duration::from_secs(3600), never) }
        peer |step| {
            match step {
                0 => cancel.cancel(),
                _ => drop(sender.try_send(7)),
            }
            step < 2
        }
        check |_| { check(ctx.waiters() == 0 && ctx.registered() == 0, "a waiter or a registration") }
    }

    /// A member that is dropped gives its place in the group back.
    fn a_dropped_member_is_no_longer_counted() {
        state {
            let group = Group::new(&Context::background());
            let (sender, receiver) = async_channel::bounded::<u32>(1);
        }
        future { group.task(async |_ctx| receiver.recv().await.map(|_| ()).map_err(Cause::from)) }
        peer |step| { step == 0 && sender.try_send(7).is_ok() }
        check |_| { check(group.members() == 0, "a place in the group") }
    }

    /// A group whose join is dropped has canceled its members.
    fn a_dropped_join_cancels_the_members() {
        state {
            let group = Group::new(&Context::background());
            let ctx = group.context().clone();
            let mut member = Some(group.job(|_| Ok(())));
        }
        future { group.join() }
        peer |step| { member.take().into_iter().for_each(|job| job()); step == 0 }
        check |outcome| { check(outcome.completed().is_some() || ctx.err().is_some(), "the cancel of the members") }
    }

    /// A driver's loop that is dropped leaves no waiter, and a new one goes on.
    fn a_dropped_driver_loop_leaves_no_waiter() {
        state {
            let driver = Driver::new();
            let (until, cancel) = Context::background().with_cancel();
        }
        retry { driver.run_async(&until, never) }
        peer |step| { cancel.cancel(); step == 0 }
        check |outcome| {
            check(outcome.completed() == Some(Error::Canceled) && until.waiters() == 0, "the end, or a waiter")
        }
    }
}

#[test]
fn a_dropped_waiter_takes_no_other_waiters_wake() {
    let checker = Checker::new().patience(Duration::ZERO);
    let report = checker.check(|run| {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut second = pin!(ctx.done(never));
        let canceled = Cell::new(false);
        let end = || {
            canceled.set(true);
            cancel.cancel();
        };
        let mut queued = false;
        drop(run.drive_beside(ctx.done(never), |step| {
            if !std::mem::replace(&mut queued, true) {
                let mut task = std::task::Context::from_waker(std::task::Waker::noop());
                assert!(second.as_mut().poll(&mut task).is_pending());
            }
            end();
            step == 0
        }));
        if !canceled.get() {
            end();
        }
        check(run.drive(second).completed() == Some(Error::Canceled), "the second waiter's end")
    });
    report.assert_safe();
}
