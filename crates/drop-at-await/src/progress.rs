//! The point at which a run is to drop its future, and the waits counted so far.

use std::thread;

use crate::mark::Marks;
use crate::outcome::{At, Moment};
use crate::report::End;

/// The point at which one run drops its future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    wait: usize,
    moment: Moment,
}

impl Target {
    pub(crate) const FIRST: Self = Self { wait: 1, moment: Moment::Waiting };

    /// Returns the point after one at which a run was canceled.
    pub(crate) fn after(at: &At) -> Self {
        match at.moment {
            Moment::Waiting => Self { wait: at.wait, moment: Moment::Woken },
            Moment::Woken => Self { wait: at.wait + 1, moment: Moment::Waiting },
        }
    }
}

/// A reason to end a future before it completes.
pub(crate) enum Stop {
    Canceled,
    Stuck,
    Endless,
}

/// The count of one run, across all futures that it drives.
#[derive(Debug)]
pub(crate) struct Progress {
    target: Target,
    limit: usize,
    waits: usize,
    /// Waits since the run began, or since its drop.
    since: usize,
    /// Steps that the peers took.
    pub(crate) steps: usize,
    /// The point of the drop, once it has happened.
    pub(crate) canceled: Option<At>,
    /// The first future that could not be driven to its end.
    pub(crate) failed: Option<End>,
}

impl Progress {
    pub(crate) fn new(target: Target, limit: usize) -> Self {
        Self { target, limit, waits: 0, since: 0, steps: 0, canceled: None, failed: None }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Counts a `Pending`; `woken` says whether the future has been woken already.
    pub(crate) fn waited(&mut self, woken: bool, marks: &Marks) -> Option<(Stop, At)> {
        self.waits += 1;
        self.since += 1;
        if self.since > self.limit {
            return Some(self.stop(Stop::Endless, Moment::Waiting, marks));
        }
        // The state before the wake cannot be had any more when the future is woken already.
        let moment = if woken { Moment::Woken } else { Moment::Waiting };
        let hit = self.is_at_target() && (woken || self.target.moment == Moment::Waiting);
        hit.then(|| self.stop(Stop::Canceled, moment, marks))
    }

    /// Counts the wake that follows a `Pending`.
    pub(crate) fn woken(&mut self, marks: &Marks) -> Option<(Stop, At)> {
        self.is_at_target().then(|| self.stop(Stop::Canceled, Moment::Woken, marks))
    }

    /// Gives up on a future that nothing wakes.
    pub(crate) fn stuck(&mut self, marks: &Marks) -> (Stop, At) {
        self.stop(Stop::Stuck, Moment::Waiting, marks)
    }

    fn is_at_target(&self) -> bool {
        self.canceled.is_none() && self.waits == self.target.wait
    }

    fn stop(&mut self, stop: Stop, moment: Moment, marks: &Marks) -> (Stop, At) {
        let at = At { wait: self.waits, moment, marks: marks.clone() };
        match stop {
            Stop::Canceled => {
                self.canceled = Some(at.clone());
                self.since = 0;
            }
            Stop::Stuck => self.fail(End::Stuck(at.clone())),
            Stop::Endless => self.fail(End::Endless(at.clone())),
        }
        (stop, at)
    }

    fn fail(&mut self, end: End) {
        self.failed.get_or_insert(end);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // A panic in the test's own check says nothing of the drop that it comes from.
        if let (true, Some(at)) = (thread::panicking(), &self.canceled) {
            eprintln!("drop-at-await: in the run whose future was dropped at {at}");
        }
    }
}
