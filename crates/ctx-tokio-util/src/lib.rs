//! [`CancellationToken`] and [`Context`], both ways: a context that a token ends, and a token that a context cancels.
//!
//! ```
//! use ctx::{Context, Error};
//! use tokio_util::sync::CancellationToken;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let shutdown = CancellationToken::new();
//! let (ctx, _cancel) = ctx_tokio_util::with_token(&Context::background(), &shutdown);
//! let (token, _mirror) = ctx_tokio_util::token(&ctx);
//! shutdown.cancel();
//! token.cancelled().await;
//! assert_eq!(ctx.err(), Some(Error::Canceled));
//! # });
//! ```

use std::error::Error as StdError;
use std::fmt;

use ctx::{Cancel, Context, Error, Foreign, OnEnd, StopOnDrop};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The cause of a context that a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCanceled;

impl fmt::Display for TokenCanceled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancellation token canceled")
    }
}

impl StdError for TokenCanceled {}

/// Derives a context that also ends when `token` is canceled, with [`TokenCanceled`] as the cause.
///
/// A token has no callbacks, and it wakes its waiters while it holds locks. So a task waits for it, until the context
/// ends. A token that is canceled before makes the context born ended.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn with_token(ctx: &Context, token: &CancellationToken) -> (Context, Cancel) {
    ctx.with_foreign(&Token(token))
}

struct Token<'a>(&'a CancellationToken);

impl Foreign for Token<'_> {
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send> {
        let end = move || callback(Error::Canceled, Some(TokenCanceled.into()));
        if self.0.is_cancelled() {
            end();
            return Box::new(|| ());
        }
        let canceled = self.0.clone().cancelled_owned();
        let waiting = tokio::spawn(async move {
            canceled.await;
            end();
        });
        Box::new(move || waiting.abort())
    }
}

/// Keeps a token canceled by its context for as long as it lives; made by [`token`].
#[must_use = "dropping it leaves the token to itself; bind it to a name"]
#[derive(Debug)]
pub struct Mirror {
    _stop: StopOnDrop,
    _waiting: Option<AbortOnDropHandle<()>>,
}

/// Makes a token that is canceled when `ctx` ends, for as long as the returned [`Mirror`] lives.
///
/// A cancel does it at once, on the thread that cancels. For a deadline a task waits, if there is one now.
///
/// # Panics
///
/// Outside of a tokio runtime, when there is a deadline.
pub fn token(ctx: &Context) -> (CancellationToken, Mirror) {
    let token = CancellationToken::new();
    let inside = token.clone();
    let stop = ctx.after_func(move || inside.cancel()).on_drop();
    let waiting = ctx.deadline().map(|_| {
        let ctx = ctx.clone();
        // The end runs the callback above.
        AbortOnDropHandle::new(tokio::spawn(async move {
            ctx.done(|at| time::sleep_until(at.into())).await;
        }))
    });
    (token, Mirror { _stop: stop, _waiting: waiting })
}
