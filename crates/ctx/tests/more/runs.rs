//! Work raced against its context, and the runtime's own sleep.

use std::cell::Cell;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ctx::{Cause, Context, Error, Interrupted};

use crate::{HOUR, clocked, never, poll};

#[test]
fn a_run_gives_the_result_of_work_that_was_ready_in_time() {
    let (_clock, root) = clocked();
    let (ctx, _c) = root.with_timeout(HOUR);
    assert_eq!(poll(pin!(ctx.run(async { 7 }, never))), Poll::Ready(Ok(7)));
}

#[test]
fn on_a_tie_the_context_wins() {
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_timeout(HOUR);
    let work = async {
        clock.advance(HOUR);
        7
    };
    assert_eq!(poll(pin!(ctx.run(work, never))), Poll::Ready(Err(Error::DeadlineExceeded)));
}

#[test]
fn a_drained_run_hands_over_what_was_finished_late() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_cancel();
    let work = async {
        ctx.done(never).await;
        "cleaned up"
    };
    let mut run = pin!(ctx.run_drained(work, HOUR, never));
    assert!(poll(run.as_mut()).is_pending());
    cancel.cancel();
    assert_eq!(
        poll(run.as_mut()),
        Poll::Ready(Err(Interrupted { error: Error::Canceled, late: Some("cleaned up") }))
    );
    drop(clock);
}

#[test]
fn a_drained_run_drops_the_work_when_the_grace_is_over() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_cancel();
    let dropped = Cell::new(false);
    struct OnDrop<'a>(&'a Cell<bool>);
    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let work = async {
        let _guard = OnDrop(&dropped);
        std::future::pending::<()>().await;
    };
    {
        let mut run = pin!(ctx.run_drained(work, HOUR, never));
        assert!(poll(run.as_mut()).is_pending());
        cancel.cancel();
        clock.advance(HOUR);
        assert!(poll(run.as_mut()).is_pending(), "the grace counts from when the end was noticed");
        clock.advance(HOUR - Duration::from_nanos(1));
        assert!(poll(run.as_mut()).is_pending());
        clock.advance(Duration::from_nanos(1));
        assert_eq!(poll(run.as_mut()), Poll::Ready(Err(Interrupted { error: Error::Canceled, late: None })));
    }
    assert!(dropped.get());
}

#[test]
fn the_runtimes_sleep_is_believed_when_it_says_that_the_time_is_up() {
    // As under a clock that a test has paused: the runtime's hour is over, the system's is not.
    let (parent, _p) = Context::background().with_timeout_cause(HOUR, Cause::msg("slow"));
    let (child, _c) = parent.with_cancel();
    let polls = Cell::new(0);
    let slept = || {
        std::future::poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::Ready(())
        })
    };
    assert_eq!(poll(pin!(child.done(|_| slept()))), Poll::Ready(Error::DeadlineExceeded));
    assert_eq!(polls.get(), 1);
    assert_eq!((parent.err(), child.err()), (Some(Error::DeadlineExceeded), Some(Error::DeadlineExceeded)));
    assert_eq!(child.cause().unwrap().to_string(), "slow");
}

#[test]
fn a_run_ends_when_the_runtimes_sleep_says_so() {
    let (ctx, _c) = Context::background().with_timeout(HOUR);
    let work = std::future::pending::<()>();
    let run = pin!(ctx.run(work, |_| std::future::ready(())));
    assert_eq!(poll(run), Poll::Ready(Err(Error::DeadlineExceeded)));
}

#[test]
fn no_run_starts_work_on_an_ended_context() {
    let (canceled, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let (expired, _e) = Context::background().with_timeout(Duration::ZERO);
    for (ctx, error) in [(canceled, Error::Canceled), (expired, Error::DeadlineExceeded)] {
        let started = Cell::new(false);
        assert_eq!(poll(pin!(ctx.run(async { started.set(true) }, never))), Poll::Ready(Err(error)));
        let drained = ctx.run_drained(async { started.set(true) }, HOUR, never);
        assert_eq!(poll(pin!(drained)), Poll::Ready(Err(Interrupted { error, late: None })));
        assert!(!started.get());
    }
}

#[test]
fn a_sleep_is_asked_for_only_when_there_is_a_deadline_to_watch() {
    let (plain, _p) = Context::background().with_cancel();
    let (_clock, root) = clocked();
    let (watched, _w) = root.with_timeout(HOUR);
    for ctx in [plain, watched] {
        let mut done =
            pin!(ctx.done(|at| -> std::future::Ready<()> { panic!("asked to sleep until {at:?}") }));
        assert!(poll(done.as_mut()).is_pending());
    }
}

#[test]
fn a_timeout_beyond_the_clock_is_no_deadline() {
    let (ctx, _c) = Context::background().with_timeout(Duration::MAX);
    assert_eq!((ctx.deadline(), ctx.err()), (None, None));
    assert_eq!(ctx.wait_timeout(Duration::from_nanos(1)), None);
}
