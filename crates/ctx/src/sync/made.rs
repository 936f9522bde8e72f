//! A box that is made once; in the models, whoever finds the value synchronizes with its maker.

use once_cell::race;

use super::{AtomicU8, Ordering};

/// A [`race::OnceBox`] behind an atomic of the model, so that a thread that finds the value synchronizes with its maker.
pub(crate) struct OnceBox<T> {
    made: AtomicU8,
    value: race::OnceBox<T>,
}

impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        Self { made: AtomicU8::new(0), value: race::OnceBox::new() }
    }

    /// Returns the value, if it is made.
    pub(crate) fn get(&self) -> Option<&T> {
        if self.made.load(Ordering::Acquire) == 0 { None } else { self.value.get() }
    }

    /// Returns the value, which the first caller makes.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> Box<T>) -> &T {
        let value = self.value.get_or_init(make);
        // Until the second line, other threads find no value. Makers hold the node's lock, or are the thread that ended it.
        self.made.swap(1, Ordering::AcqRel);
        value
    }
}
