//! Progress on stderr: the case that runs, the time left, and each row as it stands.

use std::fmt;
use std::time::{Duration, Instant};

use benches::tasks::Case;

use crate::Measured;
use crate::tables;

/// The number of tasks that take as long as what a case of none takes.
const START: usize = 20_000;

/// A run and how far it is.
pub(crate) struct Progress {
    begin_at: Instant,
    rounds: usize,
    cases: usize,
    done: usize,
    weight_done: usize,
    weight: usize,
}

impl Progress {
    pub(crate) fn new(cases: &[Case], rounds: usize) -> Self {
        let weight = cases.iter().map(weight).sum::<usize>() * rounds;
        Self { begin_at: Instant::now(), rounds, cases: cases.len(), done: 0, weight_done: 0, weight }
    }

    /// Says which case begins.
    pub(crate) fn begin(&self, case: &Case, round: usize) {
        let left = left(self.begin_at.elapsed(), self.weight_done, self.weight);
        let (number, of) = (self.done % self.cases.max(1) + 1, self.cases);
        let what = case.arguments().join(" ");
        eprintln!("round {} of {}, case {number} of {of}, {left}: {what}", round + 1, self.rounds);
    }

    /// Says what a case has brought until now.
    pub(crate) fn end(&mut self, row: &Measured) {
        self.done += 1;
        self.weight_done += weight(&row.case);
        if !row.reports.is_empty() {
            eprintln!("    {}", tables::line(row));
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} cases", self.done, self.cases * self.rounds)
    }
}

/// Returns the share of a case in the time of the run.
fn weight(case: &Case) -> usize {
    START + case.tasks
}

/// Returns the time left, in words.
fn left(elapsed: Duration, done: usize, of: usize) -> String {
    if done == 0 {
        return "time left not known yet".to_owned();
    }
    let left = elapsed.as_secs_f64() * of.saturating_sub(done) as f64 / done as f64;
    if left < 90.0 { format!("about {left:.0} s left") } else { format!("about {:.0} min left", left / 60.0) }
}
