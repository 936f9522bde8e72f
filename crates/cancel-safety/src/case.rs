//! One function and what is known of it.

use drop_at_await::{End, Moment, Report};

/// A function under test.
pub struct Case {
    /// The package it comes from.
    pub package: &'static str,
    /// Its path inside the package.
    pub item: &'static str,
    /// Its page below `docs.rs/<package>/<version>/`.
    pub page: &'static str,
    /// The claim of its documentation about cancellation.
    pub claim: Claim,
    /// The place of that claim.
    pub source: Source,
    /// The things that go through it in the test.
    pub moved: &'static str,
    /// The condition that must hold after every drop.
    pub invariant: Invariant,
    /// The verdict on record.
    pub outcome: Outcome,
    /// The page in `docs/findings` that shows the smallest case.
    pub finding: Option<&'static str>,
    /// Drops it at every await.
    pub check: fn() -> Report,
}

/// A documented item in the source of its package.
#[derive(Clone, Copy)]
pub struct Source {
    /// The file, from the package's root.
    pub file: &'static str,
    /// The text that follows the documentation, or nothing for that of the module.
    pub before: &'static str,
}

/// A claim of documentation about cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// That it is safe.
    Safe,
    /// That it is not.
    NotSafe,
    /// That what was given to it is dropped with it, and else nothing is lost.
    DropsItsArgument,
    /// That the place in a queue is lost, and else nothing.
    LosesItsPlace,
    /// Nothing.
    Nothing,
}

impl Claim {
    /// Returns the claim as a cell of the table.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::NotSafe => "not safe",
            Self::DropsItsArgument => "its argument is lost",
            Self::LosesItsPlace => "its place in the queue is lost",
            Self::Nothing => "says nothing",
        }
    }
}

/// A condition that must hold after every drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// Each item arrives once.
    Items,
    /// Each byte arrives once, in order.
    Bytes,
    /// Nothing that was dropped arrives.
    Unsent,
    /// A request that was dropped closes its connection.
    Closed,
    /// All permits, connections or places are free again.
    Permits,
    /// The lock is free again.
    Lock,
    /// The next in the queue is woken.
    Wake,
    /// A later call completes as if there had been no drop.
    State,
}

impl Invariant {
    /// Returns the invariant as a cell of the table.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Items => "no item lost or repeated",
            Self::Bytes => "no byte lost or repeated",
            Self::Unsent => "what was dropped is not sent",
            Self::Closed => "the connection is closed",
            Self::Permits => "no permit lost",
            Self::Lock => "no lock held, no wake lost",
            Self::Wake => "no wake lost",
            Self::State => "a later call sees no trace",
        }
    }
}

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The invariant holds at every await.
    Keeps,
    /// It is broken at some await, by the loss of this.
    Loses(&'static str),
}

impl Case {
    /// Judges a report: `Err` says how it differs from the outcome on record.
    ///
    /// # Errors
    ///
    /// The report, when it shows another outcome, or when something is lost without a drop.
    pub fn judge(&self, report: &Report) -> Result<(), String> {
        let undropped = report.runs().last().is_some_and(|run| run.at.is_none() && run.lost.is_some());
        let right = match self.outcome {
            Outcome::Keeps => report.is_safe(),
            Outcome::Loses(_) => {
                report.losses().next().is_some() && !undropped && *report.end() == End::Completed
            }
        };
        if right { Ok(()) } else { Err(format!("recorded as {:?}, but {report}", self.outcome)) }
    }

    /// Reports whether the check contradicts the documentation, or breaks what the documentation leaves open.
    #[must_use]
    pub fn agreement(&self) -> &'static str {
        match (self.claim, self.outcome) {
            (Claim::Safe, Outcome::Loses(_)) | (Claim::LosesItsPlace, Outcome::Loses(_)) => "**contradicts**",
            (Claim::DropsItsArgument, Outcome::Loses(_)) if self.finding.is_some() => "**contradicts**",
            (Claim::NotSafe, Outcome::Keeps) => "better than documented, here",
            (Claim::Nothing, Outcome::Keeps) => "undocumented",
            (Claim::Nothing, Outcome::Loses(_)) => "**undocumented**",
            _ => "as documented",
        }
    }
}

/// Says at which moments a report has losses.
pub(crate) fn moments(report: &Report) -> &'static str {
    let has = |moment| report.losses().filter_map(|run| run.at.as_ref()).any(|at| at.moment == moment);
    match (has(Moment::Waiting), has(Moment::Woken)) {
        (true, true) => "before and after a wake",
        (true, false) => "before a wake",
        (false, true) => "after a wake only",
        (false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use drop_at_await::{Checker, Verdict};
    use futures_lite::future::yield_now;

    use super::*;
    use crate::cases::all;

    /// Judges runs that end with `verdict`, which is told whether they were dropped.
    fn judged<V: Verdict>(outcome: Outcome, verdict: impl Fn(bool) -> V) -> bool {
        let case = Case { outcome, ..all().swap_remove(0) };
        let report = Checker::new().check(|run| verdict(run.drive(yield_now()).is_canceled()));
        case.judge(&report).is_ok()
    }

    #[test]
    fn a_verdict_that_changes_is_told() {
        let lost_when = |lost: bool| if lost { Err("an item") } else { Ok(()) };
        assert!(judged(Outcome::Keeps, |_| ()));
        assert!(!judged(Outcome::Keeps, lost_when));
        assert!(judged(Outcome::Loses("an item"), lost_when));
        assert!(!judged(Outcome::Loses("an item"), |_| ()));
        // What is lost without a drop is the check's own fault.
        assert!(!judged(Outcome::Loses("an item"), |_| lost_when(true)));
    }

    #[test]
    fn a_claim_that_the_source_does_not_make_is_told() {
        let packages = crate::sources::packages().expect("cargo knows the packages");
        let all_claims =
            [Claim::Safe, Claim::NotSafe, Claim::DropsItsArgument, Claim::LosesItsPlace, Claim::Nothing];
        for item in ["sync::mpsc::Receiver::recv", "sync::Mutex::lock", "sync::Barrier::wait", "io::copy"] {
            let mut case = all().into_iter().find(|case| case.item == item).expect("tokio comes first");
            let right = case.claim;
            for claim in all_claims {
                case.claim = claim;
                assert_eq!(case.verify_claim(&packages).is_ok(), claim == right, "{item}: {claim:?}");
            }
        }
    }
}
