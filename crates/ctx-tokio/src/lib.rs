//! The timer of tokio for [`ctx`]: given once, it is carried by all contexts below.
//!
//! ```
//! use std::time::Duration;
//! use ctx::{Context, Error};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let root = ctx_tokio::attach(&Context::background());
//! let (ctx, _cancel) = root.with_timeout(Duration::from_millis(5));
//! assert_eq!(ctx.run_timed(std::future::pending::<()>()).await, Err(Error::DeadlineExceeded));
//! # });
//! ```

use std::time::Instant;

use ctx::{Context, Sleep, Timer};
use tokio::time;

/// The timer of tokio. Its clock is tokio's, which a test may pause: then time advances by itself to the next deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Timer for Tokio {
    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(time::sleep_until(at.into()))
    }
}

/// Derives a context below which `done_timed` and `run_timed` wait by tokio's timer.
#[must_use]
pub fn attach(ctx: &Context) -> Context {
    ctx.with_timer(Tokio)
}
