//! A span of [`tracing`] for a context that has a number, and an event for how it ended.
//!
//! ```
//! use ctx::Context;
//!
//! let (ctx, cancel) = Context::background().with_id().with_cancel();
//! let traced = ctx_tracing::trace(&ctx);
//! traced.span().in_scope(|| tracing::info!("work begins"));
//! cancel.cancel();
//! // The event says `context ended`, with `id`, `kind` and `cause`.
//! drop(traced);
//! ```

use ctx::Context;
use tracing::{Span, debug, debug_span};

/// A context under observation; made by [`trace`]. When it is dropped, an event in its span says how the context ended.
#[must_use = "dropping it says at once how the context ended; bind it to a name"]
#[derive(Debug)]
pub struct Traced {
    ctx: Context,
    span: Span,
}

/// Opens the span `context` for `ctx`, with its number and the milliseconds until its deadline, where it has them.
pub fn trace(ctx: &Context) -> Traced {
    let id = ctx.id().map(tracing::field::display);
    let remaining = ctx.remaining().map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    Traced { ctx: ctx.clone(), span: debug_span!("context", id, remaining_ms = remaining) }
}

impl Traced {
    /// Returns the span, for `in_scope` and for `tracing`'s `Instrument`.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let id = self.ctx.id().map(tracing::field::display);
        self.span.in_scope(|| match self.ctx.ended() {
            Some(ended) => debug!(id, kind = %ended.kind(), cause = %ended.cause(), "context ended"),
            None => debug!(id, "context lives on"),
        });
    }
}
