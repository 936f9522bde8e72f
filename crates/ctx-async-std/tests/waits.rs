//! Waits by the timer of async-std that the context carries.

use std::time::{Duration, Instant};

use ctx::{Context, Error};

#[test]
fn a_wait_ends_at_its_deadline_and_never_earlier() {
    async_std::task::block_on(async {
        let root = ctx_async_std::attach(&Context::background());
        let (ctx, _cancel) = root.with_timeout(Duration::from_millis(5));
        let deadline = ctx.deadline().expect("it was just set");
        assert_eq!(ctx.done_timed().await, Error::DeadlineExceeded);
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn work_that_is_ready_in_time_gives_its_result() {
    async_std::task::block_on(async {
        let root = ctx_async_std::attach(&Context::background());
        let (ctx, cancel) = root.with_timeout(Duration::from_secs(3600));
        assert_eq!(ctx.run_timed(async { 7 }).await, Ok(7));
        cancel.cancel();
        assert_eq!(ctx.run_timed(async { 7 }).await, Err(Error::Canceled));
    });
}
