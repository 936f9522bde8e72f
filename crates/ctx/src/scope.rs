//! A context and the right to cancel it, in one value.

use std::ops::Deref;

use crate::cancel::Cancel;
use crate::context::Context;
use crate::error::Cause;

/// A context that is canceled when this is dropped: context and [`Cancel`] in one value.
///
/// With the pair that `with_cancel` returns, `let (ctx, _) = …` cancels at once. A scope has one name, so there is no
/// second one to forget. It dereferences to its context; a clone of that cancels nothing.
///
/// ```
/// use std::time::Duration;
/// use ctx::{Context, Error, Scope};
///
/// let scope = Scope::from(Context::background().with_timeout(Duration::from_secs(60)));
/// let ctx = scope.clone();
/// assert_eq!(scope.err(), None);
/// drop(scope);
/// assert_eq!(ctx.err(), Some(Error::Canceled));
/// ```
#[must_use = "dropping a `Scope` cancels its context at once"]
#[derive(Debug)]
pub struct Scope {
    ctx: Context,
    cancel: Cancel,
}

impl Scope {
    /// Cancels the context, as [`Cancel::cancel`] does.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Cancels the context and gives the cause, as [`Cancel::cancel_cause`] does.
    pub fn cancel_cause(&self, cause: impl Into<Cause>) {
        self.cancel.cancel_cause(cause);
    }

    /// Gives up the right to cancel, as [`Cancel::keep`] does, and returns the context.
    pub fn keep(self) -> Context {
        self.cancel.keep();
        self.ctx
    }

    /// Takes the two apart.
    pub fn into_parts(self) -> (Context, Cancel) {
        (self.ctx, self.cancel)
    }
}

impl From<(Context, Cancel)> for Scope {
    /// Makes a scope of what `with_cancel`, `with_timeout`, `merge` and their like return.
    fn from((ctx, cancel): (Context, Cancel)) -> Self {
        Self { ctx, cancel }
    }
}

impl Deref for Scope {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.ctx
    }
}

impl AsRef<Context> for Scope {
    fn as_ref(&self) -> &Context {
        &self.ctx
    }
}

impl Context {
    /// Derives a context that is canceled when the returned scope is dropped; see [`Scope`].
    pub fn scope(&self) -> Scope {
        self.with_cancel().into()
    }
}
