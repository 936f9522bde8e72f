//! The result of a check.

use std::fmt::{self, Display};

use crate::outcome::At;
use crate::progress::{Progress, Target};

/// The judgment at the end of a run.
///
/// `()` for runs that assert by themselves, and `Result<(), E>` whose error says what was lost.
pub trait Verdict {
    /// Returns what was lost, if anything.
    fn lost(self) -> Option<String>;
}

impl Verdict for () {
    fn lost(self) -> Option<String> {
        None
    }
}

impl<E: Display> Verdict for Result<(), E> {
    fn lost(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunReport {
    /// The point at which its future was dropped; `None` when it ran to its end, was stuck or endless.
    pub at: Option<At>,
    /// The thing that was lost.
    pub lost: Option<String>,
}

/// The reason for which a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Every await was dropped at, and the last run completed.
    Completed,
    /// Nothing wakes the future at this await, so no later one can be reached.
    Stuck(At),
    /// The future still waits after as many awaits as the [limit](crate::Checker::limit) allows.
    Endless(At),
}

/// Which awaits a future was dropped at, and which of them lost what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a report changes nothing by itself; call `assert_safe`"]
pub struct Report {
    runs: Vec<RunReport>,
    end: End,
}

impl Report {
    /// Returns all runs, in the order of their points; the last one was not dropped.
    #[must_use]
    pub fn runs(&self) -> &[RunReport] {
        &self.runs
    }

    /// Returns the runs that lost something.
    pub fn losses(&self) -> impl Iterator<Item = &RunReport> {
        self.runs.iter().filter(|run| run.lost.is_some())
    }

    /// Returns why the check ended.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.end
    }

    /// Returns at how many points a future was dropped.
    #[must_use]
    pub fn drops(&self) -> usize {
        self.runs.iter().filter(|run| run.at.is_some()).count()
    }

    /// Reports whether every await was dropped at, at least one was there, and nothing was lost.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.drops() > 0 && self.end == End::Completed && self.losses().next().is_none()
    }

    /// Asserts that nothing was lost.
    ///
    /// # Panics
    ///
    /// With this report, when something was lost, when an await was not reached, and when the future never waited,
    /// for then nothing was checked.
    #[track_caller]
    pub fn assert_safe(&self) {
        assert!(self.is_safe(), "not safe to cancel: {self}");
    }

    /// Adds a run, and returns the point that the next one is to drop its future at.
    pub(crate) fn add(&mut self, progress: &Progress, lost: Option<String>) -> Option<Target> {
        let end = progress.failed.clone();
        let lost = match (lost, &end) {
            (lost, None) => lost,
            (None, Some(end)) => Some(end.to_string()),
            (Some(lost), Some(end)) => Some(format!("{lost}; {end}")),
        };
        self.runs.push(RunReport { at: progress.canceled.clone(), lost });
        match (&progress.canceled, end) {
            (Some(at), _) => return Some(Target::after(at)),
            (None, Some(end)) => self.end = end,
            (None, None) => {}
        }
        None
    }
}

impl Default for Report {
    fn default() -> Self {
        Self { runs: Vec::new(), end: End::Completed }
    }
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("the future completed"),
            Self::Stuck(at) => write!(f, "nothing wakes the future ({at})"),
            Self::Endless(at) => write!(f, "the future does not end (given up at {at})"),
        }
    }
}

impl Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "dropped at {at}: ")?,
            None => f.write_str("not dropped: ")?,
        }
        f.write_str(self.lost.as_deref().unwrap_or("nothing lost"))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (drops, losses) = (self.drops(), self.losses().count());
        if drops == 0 {
            f.write_str("the future never waited, so it was never dropped")?;
        } else {
            write!(f, "{losses} of {} runs lost something", self.runs.len())?;
        }
        self.runs.iter().try_for_each(|run| write!(f, "\n- {run}"))
    }
}
