//! The loop over the points at which a future can be dropped.

use std::time::Duration;

use crate::progress::{Progress, Target};
use crate::report::{Report, Verdict};
use crate::run::Run;
use crate::task::TaskRun;
use crate::watchdog::Watchdog;

/// The default limit of awaits in a run.
const LIMIT: usize = 1000;

/// The default time that a future may wait for its wake.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs code again and again, and drops its future at the next await each time.
///
/// Each await is two points: the future is dropped [before its wake](crate::Moment::Waiting), and in the next run
/// [after it](crate::Moment::Woken). The check ends with the run that reaches no new point.
///
/// ```
/// use drop_at_await::Checker;
///
/// Checker::new()
///     .check(|run| {
///         let (sender, receiver) = async_channel::bounded(1);
///         let received = run.retry(async || receiver.recv().await, |step| step == 0 && sender.try_send(7).is_ok());
///         if received.completed() == Some(Ok(7)) { Ok(()) } else { Err("the item") }
///     })
///     .assert_safe();
/// ```
#[derive(Clone, Debug)]
pub struct Checker {
    limit: usize,
    patience: Duration,
}

impl Checker {
    /// Makes a checker with a limit of 1,000 awaits and a patience of ten seconds.
    #[must_use]
    pub fn new() -> Self {
        Self { limit: LIMIT, patience: PATIENCE }
    }

    /// Sets how many times the futures of one run may return `Pending` before the check gives up, at least once.
    ///
    /// A future that wakes itself for ever is endless and ends the check here. The same bound holds for the steps
    /// of a peer that does not wake the future. A check has at most two runs for each await, so the time it takes
    /// grows with the square of the awaits.
    #[must_use]
    pub fn limit(self, awaits: usize) -> Self {
        Self { limit: awaits.max(1), ..self }
    }

    /// Sets how long a future may wait for its wake from elsewhere.
    ///
    /// Without another thread and a runtime nothing can come later: `Duration::ZERO` finds a lost wake at once. A
    /// future whose waker is held nowhere is stuck at once in any case.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Calls `run` with fresh runs until every await was dropped at, and reports which lost what.
    ///
    /// `run` makes its state anew each time, drives futures, and says by its [`Verdict`] whether the invariant
    /// holds afterwards. A panic in it is let through; where the future was dropped is then said on stderr.
    pub fn check<V: Verdict>(&self, mut run: impl FnMut(&mut Run) -> V) -> Report {
        let mut report = Report::default();
        let mut next = Some(Target::FIRST);
        while let Some(target) = next {
            let mut one = Run::new(Progress::new(target, self.limit), self.patience);
            let lost = run(&mut one).lost();
            next = report.add(&one.progress, lost);
        }
        report
    }

    /// Does as [`check`](Self::check) inside a task, so that the runtime's timers, sockets and other tasks work.
    ///
    /// The limit and the patience hold here too; a thread of the checker's own measures the patience, by the
    /// system's clock even where the runtime's is paused.
    ///
    /// # Cancellation safety
    ///
    /// Dropped early, it drops the future under test and forgets its report.
    pub fn check_in_task<V: Verdict, R: AsyncFnMut(&mut TaskRun) -> V>(
        &self,
        mut run: R,
    ) -> impl Future<Output = Report> + use<V, R> {
        let Self { limit, patience } = *self;
        async move {
            let mut report = Report::default();
            let mut next = Some(Target::FIRST);
            while let Some(target) = next {
                let mut one = TaskRun::new(Progress::new(target, limit), Watchdog::new(patience));
                let lost = run(&mut one).await.lost();
                next = report.add(&one.progress, lost);
            }
            report
        }
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}
