//! Numbers for contexts, by which logs and traces tell them apart; opt-in.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::context::Context;

/// The number of a context, which no other of the process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

impl Id {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Context {
    /// Derives a context with a number of its own, which `Debug` shows; the crate `ctx-tracing` makes spans of it.
    ///
    /// ```
    /// let request = ctx::Context::background().with_id();
    /// let id = request.id().unwrap();
    /// assert_eq!(format!("{request:?}"), format!("context.Background.WithId({id})"));
    /// ```
    #[must_use]
    pub fn with_id(&self) -> Self {
        self.with_value(Id::next())
    }

    /// Returns the number of this context, or of its nearest ancestor that has one.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        self.value().copied()
    }
}
