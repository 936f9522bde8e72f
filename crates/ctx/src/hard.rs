//! Two cancels: a soft one that asks work to stop, and a hard one that ends its cleanup.

use std::time::Duration;

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Cause;
use crate::movable::MovableDeadline;

/// The value of the layer that carries the hard context.
struct Hard(Context);

/// Cancels a context softly first, and then hard; dropped, it does both.
///
/// ```
/// use std::time::Duration;
/// use ctx::Context;
///
/// let (ctx, cancel) = Context::background().with_hard_cancel();
/// let cleanup = ctx.hard();
/// // The first signal asks to stop, the second one does not ask.
/// cancel.cancel_next();
/// assert!(ctx.err().is_some() && cleanup.err().is_none());
/// cancel.cancel_next();
/// assert!(cleanup.err().is_some());
/// ```
#[must_use = "dropping it cancels its context at once; bind it to a name"]
#[derive(Debug)]
pub struct HardCancel {
    soft: Cancel,
    ctx: Context,
    hard: MovableDeadline,
}

impl HardCancel {
    /// Ends the context; its hard context lives on.
    pub fn cancel(&self) {
        self.soft.cancel();
    }

    /// Ends the context as [`cancel`](Self::cancel) does, and gives the cause.
    pub fn cancel_cause(&self, cause: impl Into<Cause>) {
        self.soft.cancel_cause(cause);
    }

    /// Ends the context, and its hard context `grace` from now, as a deadline does.
    pub fn cancel_within(&self, grace: Duration) {
        self.soft.cancel();
        self.hard.move_after(grace);
    }

    /// Ends the context and its hard context.
    pub fn cancel_hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Ends the context, and its hard context if the context has ended before.
    pub fn cancel_next(&self) {
        if self.ctx.err().is_none() { self.cancel() } else { self.cancel_hard() }
    }
}

impl Context {
    /// Derives a context that ends softly first and then hard, which its [`hard`](Self::hard) context shows.
    ///
    /// Work runs below `ctx.hard()`, sees the soft end by `ctx`, and puts its things in order until the hard one drops
    /// it: `ctx.hard().run(work, sleep)`. The end of the parent is a soft end. A hard end comes from the returned
    /// handle, or from that of a context further out.
    pub fn with_hard_cancel(&self) -> (Self, HardCancel) {
        let free = self.without_cancel();
        let (hard, cancel) = match self.value::<Hard>() {
            Some(Hard(outer)) => {
                // Merged for the values of this context and the end of the other.
                let (both, merged) = Self::merge([&free, outer]);
                merged.keep();
                both.with_movable_timeout(Duration::MAX)
            }
            None => free.with_movable_timeout(Duration::MAX),
        };
        let (ctx, soft) = self.with_value(Hard(hard)).with_cancel();
        (ctx.clone(), HardCancel { soft, ctx, hard: cancel })
    }

    /// Returns the context that the hard cancel ends, of the nearest [`with_hard_cancel`](Self::with_hard_cancel)
    /// outward; without one, this context, for its only end is a hard one.
    #[must_use]
    pub fn hard(&self) -> Self {
        self.value().map_or_else(|| self.clone(), |Hard(hard)| hard.clone())
    }
}
