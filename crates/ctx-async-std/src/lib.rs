//! The timer of async-std for [`ctx`]: given once, it is carried by all contexts below.
//!
//! ```
//! use std::time::Duration;
//! use ctx::{Context, Error};
//!
//! # async_std::task::block_on(async {
//! let root = ctx_async_std::attach(&Context::background());
//! let (ctx, _cancel) = root.with_timeout(Duration::from_millis(5));
//! assert_eq!(ctx.run_timed(std::future::pending::<()>()).await, Err(Error::DeadlineExceeded));
//! # });
//! ```

use std::time::Instant;

use async_std::task;
use ctx::{Context, Sleep, Timer};

/// The timer of async-std. It works in any executor: its timers belong to one reactor thread of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStd;

impl Timer for AsyncStd {
    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(async move { task::sleep(at.saturating_duration_since(Instant::now())).await })
    }
}

/// Derives a context below which `done_timed` and `run_timed` wait by async-std's timer.
#[must_use]
pub fn attach(ctx: &Context) -> Context {
    ctx.with_timer(AsyncStd)
}
