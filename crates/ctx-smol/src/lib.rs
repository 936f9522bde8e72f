//! The timer of smol for [`ctx`]: given once, it is carried by all contexts below.
//!
//! ```
//! use std::time::Duration;
//! use ctx::{Context, Error};
//!
//! # smol::block_on(async {
//! let root = ctx_smol::attach(&Context::background());
//! let (ctx, _cancel) = root.with_timeout(Duration::from_millis(5));
//! assert_eq!(ctx.run_timed(std::future::pending::<()>()).await, Err(Error::DeadlineExceeded));
//! # });
//! ```

use std::time::Instant;

use ctx::{Context, Sleep, Timer};

/// The timer of smol. It works in any executor: its timers belong to one reactor thread of the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Smol;

impl Timer for Smol {
    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(async move { _ = smol::Timer::at(at).await })
    }
}

/// Derives a context below which `done_timed` and `run_timed` wait by smol's timer.
#[must_use]
pub fn attach(ctx: &Context) -> Context {
    ctx.with_timer(Smol)
}
