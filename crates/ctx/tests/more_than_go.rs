//! What Go does not have: merge, drained runs, groups, drivers.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ctx::{Cause, Context, Driver, Error, Group, Interrupted, ManualClock, MemberError};

const HOUR: Duration = Duration::from_secs(3600);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

fn clocked() -> (ManualClock, Context) {
    let clock = ManualClock::new();
    let root = clock.attach(&Context::background());
    (clock, root)
}

#[test]
fn a_merged_context_takes_kind_and_cause_of_the_winner() {
    let (clock, root) = clocked();
    let (canceled, cancel) = root.with_cancel();
    let (timed, _t) = root.with_timeout_cause(HOUR, Cause::msg("slow"));
    let (first, _f) = Context::merge([&canceled, &timed]);
    assert_eq!(first.deadline(), timed.deadline());
    clock.advance(HOUR);
    cancel.cancel_cause(Cause::msg("late"));
    assert_eq!(first.err(), Some(Error::DeadlineExceeded));
    assert_eq!(first.cause().map(|cause| cause.to_string()).as_deref(), Some("slow"));
}

#[test]
fn a_merged_context_is_exact_about_a_deadline_that_nobody_watches() {
    let (plain, _p) = Context::background().with_cancel();
    let (timed, _t) = Context::background().with_timeout_cause(Duration::from_millis(2), Cause::msg("slow"));
    let (merged, _m) = Context::merge([&plain, &timed]);
    assert_eq!(merged.wait(), Error::DeadlineExceeded);
    assert_eq!(merged.cause().map(|cause| cause.to_string()).as_deref(), Some("slow"));
    assert_eq!(plain.err(), None);
}

#[test]
fn a_merged_context_leaves_all_its_parents_when_it_goes() {
    let (a, _a) = Context::background().with_cancel();
    let (b, _b) = Context::background().with_cancel();
    let (merged, cancel) = Context::merge([&a, &b]);
    assert_eq!((a.registered(), b.registered()), (1, 1));
    cancel.cancel();
    assert_eq!((a.registered(), b.registered()), (0, 0));
    let (kept, cancel) = Context::merge([&a, &b]);
    cancel.keep();
    drop((merged, kept));
    assert_eq!((a.registered(), b.registered()), (0, 0));
}

#[test]
fn merging_with_an_ended_context_gives_an_ended_one() {
    let (live, _l) = Context::background().with_cancel();
    let (ended, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("gone"));
    let (merged, _m) = Context::merge([&live, &ended]);
    assert_eq!(merged.cause().map(|cause| cause.to_string()).as_deref(), Some("gone"));
    assert_eq!(live.registered(), 0);
    assert_eq!(Context::merge([]).0.err(), None);
}

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
fn the_first_failure_of_a_group_cancels_the_rest_and_is_its_result() {
    let group = Group::new(&Context::background());
    let ctx = group.context().clone();
    let mut failing = Box::pin(group.task(async |_ctx| Err(Cause::msg("no disk"))));
    let mut waiting = Box::pin(group.task(async |ctx| Err(ctx.done(never).await.into())));
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(poll(failing.as_mut()).is_ready());
    assert_eq!(ctx.cause().map(|cause| cause.to_string()).as_deref(), Some("no disk"));
    assert!(poll(waiting.as_mut()).is_ready());
    let mut join = pin!(group.join());
    let Poll::Ready(Err(cause)) = poll(join.as_mut()) else { panic!("all members are gone") };
    assert_eq!(cause.to_string(), "no disk");
}

/// Notes its own destruction.
struct Noted(Arc<Mutex<Vec<&'static str>>>, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.lock().expect("no holder panics").push(self.1);
    }
}

#[test]
fn joining_a_group_awaits_the_destructors_of_its_members() {
    for polled in [false, true] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let group = Group::new(&Context::background());
        let note = Noted(log.clone(), "member");
        let mut task = Box::pin(group.task(|_ctx| async move {
            let _note = note;
            std::future::pending().await
        }));
        if polled {
            assert!(poll(task.as_mut()).is_pending());
        }
        let joiner = thread::spawn({
            let log = log.clone();
            move || {
                let result = group.wait();
                log.lock().unwrap().push("joined");
                result
            }
        });
        drop(task);
        assert_eq!(joiner.join().unwrap().unwrap_err().downcast_ref(), Some(&MemberError::Aborted));
        assert_eq!(*log.lock().unwrap(), ["member", "joined"], "polled: {polled}");
    }
}

#[test]
fn a_group_that_is_dropped_drops_its_tasks_at_their_next_poll() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let group = Group::new(&Context::background());
    let note = Noted(log.clone(), "member");
    let mut task = Box::pin(group.task(|_ctx| async move {
        let _note = note;
        std::future::pending().await
    }));
    assert!(poll(task.as_mut()).is_pending());
    drop(group);
    assert!(poll(task.as_mut()).is_ready());
    assert_eq!(*log.lock().unwrap(), ["member"]);
}

#[test]
fn a_driver_ends_contexts_that_nobody_asks() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    thread::scope(|scope| {
        scope.spawn(|| driver.run(&root));
        // The second is earlier than what the driver already sleeps for.
        let (_late, _l) = base.with_timeout(HOUR);
        let (ctx, _c) = base.with_timeout(Duration::from_millis(2));
        let (send, ended) = std::sync::mpsc::channel();
        ctx.after_func(move || send.send(Instant::now()).expect("the test waits")).keep();
        assert!(Some(ended.recv().unwrap()) >= ctx.deadline());
        stop.cancel();
    });
    assert_eq!(base.registered(), 0);
}

#[test]
fn a_driver_runs_in_a_task_too() {
    let (root, stop) = Context::background().with_cancel();
    let driver = Driver::new();
    let base = driver.attach(&root);
    let armed = Cell::new(None);
    let mut run = pin!(driver.run_async(&root, |at| {
        armed.set(Some(at));
        std::future::poll_fn(move |_| if Instant::now() >= at { Poll::Ready(()) } else { Poll::Pending })
    }));
    assert!(poll(run.as_mut()).is_pending());
    let (ctx, _c) = base.with_timeout(Duration::from_millis(1));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(armed.get(), ctx.deadline());
    while ctx.err().is_none() {
        assert!(poll(run.as_mut()).is_pending());
    }
    stop.cancel();
    assert_eq!(poll(run.as_mut()), Poll::Ready(Error::Canceled));
}

#[test]
fn a_driver_fits_an_event_loop_of_ones_own() {
    let driver = Driver::new();
    let base = driver.attach(&Context::background());
    let (ctx, _c) = base.with_timeout(HOUR);
    assert_eq!(driver.next_deadline(), ctx.deadline());
    assert_eq!(driver.expire_due(Instant::now()), 0);
    assert_eq!(driver.expire_due(Instant::now() + HOUR), 1);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn a_manual_clock_shows_each_deadline_in_turn() {
    let (clock, root) = clocked();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let start = clock.now();
    for seconds in [3, 1, 2] {
        let (ctx, cancel) = root.with_timeout(Duration::from_secs(seconds));
        let (seen, inside, keep) = (seen.clone(), clock.clone(), ctx.clone());
        ctx.after_func(move || {
            seen.lock().expect("no holder panics").push((inside.now() - start).as_secs());
            drop(keep);
        })
        .keep();
        cancel.keep();
    }
    assert_eq!(clock.advance(HOUR), 3);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    assert_eq!(clock.now(), start + HOUR);
}

#[test]
fn a_thread_waits_by_the_manual_clock() {
    let (clock, root) = clocked();
    let (ctx, _c) = root.with_timeout(2 * HOUR);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| (ctx.wait_timeout(HOUR), ctx.wait()));
        while ctx.descendants() == 0 {
            thread::yield_now();
        }
        clock.advance(HOUR);
        clock.advance(HOUR);
        let (first, second) = waiter.join().unwrap();
        assert!(first.is_none() || first == Some(Error::DeadlineExceeded));
        assert_eq!(second, Error::DeadlineExceeded);
    });
}

#[test]
fn a_timer_that_fires_early_does_not_end_the_context_early() {
    let (ctx, _c) = Context::background().with_timeout(Duration::from_millis(2));
    let mut done = pin!(ctx.done(|_| std::future::ready(())));
    let ended = loop {
        if let Poll::Ready(error) = poll(done.as_mut()) {
            break error;
        }
    };
    assert_eq!(ended, Error::DeadlineExceeded);
    assert!(Some(Instant::now()) >= ctx.deadline());
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
