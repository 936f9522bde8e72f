//! The points at which a future can be dropped, and the ways in which it ends.

use std::fmt;
use std::panic::Location;

/// A point at which a future waits: the `wait`-th time that it returned `Pending` in its run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct At {
    /// The number of this wait among those of the run, counted from 1.
    pub wait: usize,
    /// The state that the future was in: woken, or not yet.
    pub moment: Moment,
    /// The source locations of the wait, innermost first: the [`mark`](crate::mark)s that returned `Pending`,
    /// then the call of `drive`.
    pub marks: Vec<&'static Location<'static>>,
}

impl At {
    /// Returns the innermost location that is known.
    #[must_use]
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.marks.first().copied()
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wait {}, {}", self.wait, self.moment)?;
        match self.location() {
            Some(location) => write!(f, ", {location}"),
            None => Ok(()),
        }
    }
}

/// The two states in which a waiting future can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// Nothing has woken it yet.
    Waiting,
    /// It has been woken and not been polled since. What it waited for may already be its own: a permit, a place,
    /// a notification that no other waiter gets.
    Woken,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "before its wake",
            Self::Woken => "after its wake",
        })
    }
}

/// The end of one future under test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<T> {
    /// It returned this.
    Completed(T),
    /// It was dropped there. This happens at most once in a run.
    Canceled(At),
    /// It waited there and nothing woke it, so it was dropped. The report counts this as a loss.
    Stuck(At),
    /// It waited more often than the [limit](crate::Checker::limit) allows, so it was dropped. The report counts
    /// this as a loss.
    Endless(At),
}

impl<T> Outcome<T> {
    /// Returns the output of a future that completed.
    #[must_use]
    pub fn completed(self) -> Option<T> {
        match self {
            Self::Completed(output) => Some(output),
            _ => None,
        }
    }

    /// Reports whether the future was dropped by the checker's choice.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        matches!(self, Self::Canceled(_))
    }
}
