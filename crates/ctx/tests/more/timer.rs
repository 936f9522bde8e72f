//! A timer that is given once and carried by the contexts below.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{HOUR, clocked, poll};
use ctx::{Context, Error, Sleep, Timer};

/// A runtime's timer whose clock is turned by hand, ahead of the system's.
#[derive(Clone)]
struct Paused {
    start: Instant,
    ahead: Arc<Mutex<Duration>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Paused {
    fn new() -> Self {
        Self { start: Instant::now() + HOUR, ahead: Arc::default(), asked: Arc::default() }
    }

    fn advance(&self, by: Duration) {
        *self.ahead.lock().expect("no holder panics") += by;
    }
}

impl Timer for Paused {
    fn now(&self) -> Instant {
        self.start + *self.ahead.lock().expect("no holder panics")
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        self.asked.lock().expect("no holder panics").push(at);
        let timer = self.clone();
        Box::pin(std::future::poll_fn(
            move |_| if timer.now() < at { Poll::Pending } else { Poll::Ready(()) },
        ))
    }
}

#[test]
fn a_wait_takes_the_timer_that_was_given_above() {
    let timer = Paused::new();
    let root = Context::background().with_timer(timer.clone());
    let (ctx, _cancel) = root.with_value(7_u8).with_timeout(HOUR);
    assert_eq!((ctx.remaining(), ctx.deadline()), (Some(HOUR), Some(timer.now() + HOUR)));
    let mut done = pin!(ctx.done_timed());
    let mut run = pin!(ctx.run_timed(std::future::pending::<()>()));
    assert!(poll(done.as_mut()).is_pending() && poll(run.as_mut()).is_pending());
    assert_eq!(*timer.asked.lock().unwrap(), [timer.now() + HOUR; 2]);
    timer.advance(HOUR - Duration::from_nanos(1));
    assert!(poll(done.as_mut()).is_pending() && poll(run.as_mut()).is_pending());
    timer.advance(Duration::from_nanos(1));
    assert_eq!(poll(done), Poll::Ready(Error::DeadlineExceeded));
    assert_eq!(poll(run), Poll::Ready(Err(Error::DeadlineExceeded)));
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn a_timer_further_in_goes_before_one_further_out() {
    let (outer, inner) = (Paused::new(), Paused::new());
    inner.advance(HOUR);
    let root = Context::background().with_timer(outer.clone()).with_timer(inner.clone());
    assert_eq!(root.now(), inner.now());
    let (ctx, _cancel) = root.with_timeout(HOUR);
    assert!(poll(pin!(ctx.done_timed())).is_pending());
    assert_eq!((outer.asked.lock().unwrap().len(), inner.asked.lock().unwrap().len()), (0, 1));
}

#[test]
fn a_wait_without_a_timer_is_refused_at_the_first_call_and_not_at_the_first_deadline() {
    let (ctx, _cancel) = Context::background().with_cancel();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ctx.done_timed()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(ctx.run_timed(std::future::ready(()))))).is_err());
}

#[test]
fn a_manual_clock_needs_no_timer_and_goes_before_one() {
    let (clock, root) = clocked();
    for root in [
        root.clone(),
        root.with_timer(Paused::new()),
        clock.attach(&Context::background().with_timer(Paused::new())),
    ] {
        let (ctx, _cancel) = root.with_timeout(HOUR);
        assert_eq!(ctx.now(), clock.now());
        let mut done = pin!(ctx.done_timed());
        assert!(poll(done.as_mut()).is_pending());
        clock.advance(HOUR);
        assert_eq!(poll(done), Poll::Ready(Error::DeadlineExceeded));
    }
}

#[test]
fn work_that_is_ready_in_time_runs_below_a_timer() {
    static POLLED: AtomicBool = AtomicBool::new(false);
    let root = Context::background().with_timer(Paused::new());
    let work = async { POLLED.store(true, Ordering::SeqCst) };
    assert_eq!(poll(pin!(root.run_timed(work))), Poll::Ready(Ok(())));
    assert!(POLLED.load(Ordering::SeqCst));
    assert_eq!(format!("{root:?}"), "context.Background.WithTimer");
}
