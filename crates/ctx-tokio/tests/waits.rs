//! Waits by the timer of tokio that the context carries.

use std::time::{Duration, Instant};

use ctx::{Context, Error};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_wait_ends_at_its_deadline_and_never_earlier() {
    let root = ctx_tokio::attach(&Context::background());
    let (ctx, _cancel) = root.with_timeout(Duration::from_millis(5));
    let deadline = ctx.deadline().expect("it was just set");
    assert_eq!(ctx.done_timed().await, Error::DeadlineExceeded);
    assert!(Instant::now() >= deadline);
}

#[tokio::test]
async fn work_that_is_ready_in_time_gives_its_result() {
    let root = ctx_tokio::attach(&Context::background());
    let (ctx, cancel) = root.with_timeout(Duration::from_secs(3600));
    assert_eq!(ctx.run_timed(async { 7 }).await, Ok(7));
    cancel.cancel();
    assert_eq!(ctx.run_timed(async { 7 }).await, Err(Error::Canceled));
}

#[tokio::test(start_paused = true)]
async fn paused_time_advances_by_itself_to_the_deadline() {
    let started = tokio::time::Instant::now();
    let (ctx, _cancel) = ctx_tokio::attach(&Context::background()).with_timeout(HOUR);
    assert_eq!(ctx.run_timed(std::future::pending::<()>()).await, Err(Error::DeadlineExceeded));
    assert!(started.elapsed() >= HOUR);
    let (ctx, _cancel) = ctx_tokio::attach(&Context::background()).with_timeout(HOUR);
    tokio::time::sleep(HOUR / 2).await;
    assert!(ctx.remaining().is_some_and(|left| left <= HOUR / 2), "the remaining time is of the same clock");
    assert_eq!(ctx.done_timed().await, Error::DeadlineExceeded);
    assert!(started.elapsed() >= 2 * HOUR);
}
