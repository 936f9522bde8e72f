//! The scenario: a promise that a black box can check. One table of them drives everything.
//!
//! # Writing one
//!
//! A scenario is a constant of type [`Scenario`] in the table of its topic (`scenarios/<area>/<topic>.rs`) and a function from
//! a [`Bench`] to an [`Outcome`]. A whole one:
//!
//! ```
//! use suite::ensure;
//! use suite::scenario::{Bench, Judges, Level, Outcome, Scenario};
//!
//! const ANSWERS_504: Scenario = Scenario {
//!     id: "deadline/answers-504",
//!     promise: "work longer than its deadline is answered 504",
//!     level: Level::Must,
//!     judges: &[Judges::Answer],
//!     sent: "GET /slow?work=3000ms with grpc-timeout: 300m",
//!     why: "a client that is told nothing waits for its own timeout, and a proxy's comes first",
//!     wrong: "hyper and axum have no timeout of a request at all",
//!     sources: &["https://docs.rs/hyper/1"],
//!     run: answers_504,
//!     ..Scenario::BASE
//! };
//!
//! fn answers_504(bench: &Bench) -> Outcome {
//!     let request = bench.slow("");               // 3 s of work, 300 ms to do it in, a fresh request id
//!     let answer = bench.ask(&request)?;          // a new connection; waits as long as the watchdog does
//!     let late = bench.is_504(&answer, bench.deadline())?; // 504, never early, late within the profile
//!     ensure!(!answer.response.body.is_empty(), "the 504 says nothing");
//!     Ok(format!("504, {late:.1?} late").into())
//! }
//! # let _ = ANSWERS_504;
//! ```
//!
//! # Rules
//! - Take every duration from [`Bench::ms`] and every tolerance from the bench, so that a retry can double them.
//! - Lower bounds are strict, upper bounds come from the profile.
//! - A scenario shares its server with others unless it takes a [`Slot`] of its own: judge by its own request ids,
//!   never by counters of the whole server, unless it sits alone on one. Even then compare with a reading taken before:
//!   a server given by address has a past.
//! - `needs` lists each [`Capability`] that the server must have; `flags` imply theirs. Lacking one, the verdict is
//!   `unsupported`.
//! - A miss is tried once more, because the machine may have been busy. What no busy machine can bring about (an early
//!   answer, two answers) is [`Failure::certain`] and is final.
//! - Return [`Failure::broken`] (or use [`ensure!`](crate::ensure)) for the server's fault, [`Failure::harness`] for ours.

use std::cmp::Reverse;
use std::time::Duration;

use testbed::capability::Capability;
use testbed::guard::Stderr;
use testbed::subject::Setup;

pub use crate::bench::Bench;
pub use crate::verdict::{Failure, Level, Observed};

/// The result of a scenario's function.
pub type Outcome = Result<Observed, Failure>;

/// Which of the three things a scenario looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Judges {
    /// Status, bytes, time.
    Answer,
    /// The work: it is told to stop, and stops.
    Work,
    /// Kept, closed or reset.
    Connection,
}

impl Judges {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// A scenario's claim to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A server shared with every scenario of the same flags, side by side.
    Shared,
    /// A server of its own; others run beside it.
    Own,
    /// A server of its own and half the machine: storms and loops that are judged by what they leave behind, or by seconds.
    /// Two of them run side by side, and nothing else.
    Half,
    /// A server of its own and the machine to itself: figures of time.
    Exclusive,
}

/// A promise, and how to check it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// `area/slug`; never changes, and is never used again once retired.
    pub id: &'static str,
    /// One sentence without a full stop.
    pub promise: &'static str,
    /// The level of its promise.
    pub level: Level,
    /// The things that it judges.
    pub judges: &'static [Judges],
    /// The capabilities that it needs.
    pub needs: &'static [Capability],
    /// Flags that the server is started with.
    pub flags: &'static [(&'static str, &'static str)],
    /// Variables of its environment, for what no flag of the contract can say.
    pub env: &'static [(&'static str, &'static str)],
    /// The most descriptors the server may have open; `None` leaves the system's limit.
    pub descriptors: Option<u64>,
    /// The destination of the server's standard error.
    pub stderr: Stderr,
    /// The claim to the machine.
    pub slot: Slot,
    /// The watchdog: after this long the scenario has failed and its server is killed.
    pub limit: Duration,
    /// The request, byte for byte where bytes matter.
    pub sent: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The ways in which runtimes and frameworks get it wrong.
    pub wrong: &'static str,
    /// Where that is written.
    pub sources: &'static [&'static str],
    /// The check.
    pub run: fn(&Bench) -> Outcome,
}

impl Scenario {
    /// The base of most scenarios: a MUST on a shared server with default flags, 10 s to do it in.
    pub const BASE: Self = Self {
        id: "",
        promise: "",
        level: Level::Must,
        judges: &[Judges::Answer],
        needs: &[],
        flags: &[],
        env: &[],
        descriptors: None,
        stderr: Stderr::Read,
        slot: Slot::Shared,
        limit: Duration::from_secs(10),
        sent: "",
        why: "",
        wrong: "",
        sources: &[],
        run: |_| Err(Failure::Harness(String::new())),
    };

    /// The part of the id before the slash.
    pub fn area(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(area, _)| area)
    }

    /// When it runs: side by side first, then by halves, then alone, since who waits for all others waits least at the end;
    /// and of its kind the longest first, as far as the watchdog's time tells, so that none begins when the rest is over.
    pub fn turn(&self) -> (u8, Reverse<Duration>) {
        let kind = match self.slot {
            Slot::Shared | Slot::Own => 0,
            Slot::Half => 1,
            Slot::Exclusive => 2,
        };
        (kind, Reverse(self.limit))
    }

    /// Returns the setup that its server is started with.
    pub fn setup(&self) -> Setup<'static> {
        Setup { flags: self.flags, env: self.env, descriptors: self.descriptors, stderr: self.stderr }
    }

    /// The needs that `supports` says are not met, each once.
    pub fn lacking(&self, supports: impl Fn(Capability) -> bool) -> Vec<Capability> {
        let flags = self.flags.iter().filter_map(|(name, _)| Capability::flag(name));
        // A limit on descriptors is set, and its standard error opened, before the server starts.
        let process =
            (self.descriptors.is_some() || self.stderr != Stderr::Read).then_some(Capability::Process);
        let mut lacking = Vec::new();
        for need in self.needs.iter().copied().chain(flags).chain(process).filter(|need| !supports(*need)) {
            if !lacking.contains(&need) {
                lacking.push(need);
            }
        }
        lacking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_needs_more_of_the_machine_comes_later_and_of_a_kind_the_longest_first() {
        let seconds = |slot, limit| Scenario { slot, limit: Duration::from_secs(limit), ..Scenario::BASE };
        let mut all = [
            seconds(Slot::Exclusive, 40),
            seconds(Slot::Half, 40),
            seconds(Slot::Own, 10),
            seconds(Slot::Shared, 20),
            seconds(Slot::Own, 40),
        ];
        all.sort_by_key(Scenario::turn);
        let order = all.map(|scenario| (scenario.slot, scenario.limit.as_secs()));
        let (shared, own) = ((Slot::Shared, 20), [(Slot::Own, 40), (Slot::Own, 10)]);
        assert_eq!(order, [own[0], shared, own[1], (Slot::Half, 40), (Slot::Exclusive, 40)]);
    }

    #[test]
    fn a_flag_is_a_need() {
        let scenario =
            Scenario { flags: &[("--threads", "2")], needs: &[Capability::Admin], ..Scenario::BASE };
        assert_eq!(scenario.lacking(|_| true), []);
        assert_eq!(scenario.lacking(|need| need == Capability::Admin), [Capability::FlagThreads]);
        assert_eq!(scenario.lacking(|need| need != Capability::Admin), [Capability::Admin]);
        assert_eq!(scenario.lacking(|_| false), [Capability::Admin, Capability::FlagThreads]);
    }
}
