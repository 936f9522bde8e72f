//! Takes the rounds of a plan: one server at a time, or two where they only wait, each round on a fresh process.

use std::time::Instant;

use suite::document::Gap;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

use crate::registry::{self, Measured, Plan};
use crate::stats::ms_between;

/// Counts the rounds of a plan.
pub fn count(plan: &Plan, subjects: &[Subject], floors: &[Subject]) -> usize {
    let mut taker = Taker::new(plan, subjects, floors, Instant::now(), None);
    registry::run(plan, &mut taker);
    taker.counted
}

/// Takes every round; `note` hears of the server and what is measured, before each. `floors` are servers that stand beside
/// the others where speed and memory are compared; times of rounds are counted from `since`.
pub fn take(
    plan: &Plan,
    subjects: &[Subject],
    floors: &[Subject],
    since: Instant,
    note: &mut dyn FnMut(&str, &str),
) -> Measured {
    registry::run(plan, &mut Taker::new(plan, subjects, floors, since, Some(note)))
}

/// Hears of the server and what is measured, before each round.
type Listener<'a> = &'a mut dyn FnMut(&str, &str);

/// Takes rounds and keeps what could not be measured. Without a listener it counts them only.
pub struct Taker<'a> {
    flags: &'a [(String, String)],
    subjects: &'a [Subject],
    floors: &'a [Subject],
    since: Instant,
    note: Option<Listener<'a>>,
    measurement: &'static str,
    counted: usize,
    gaps: Vec<Gap>,
}

/// Rounds of one kind, and what they need.
#[derive(Clone)]
pub(crate) struct Step<'a> {
    /// The part that is measured, behind the measurement's name; may be empty.
    pub(crate) what: String,
    /// Rounds of each server.
    pub(crate) rounds: usize,
    /// The servers.
    pub(crate) servers: Vec<&'a Subject>,
    /// Servers side by side: more than one only where everybody waits.
    pub(crate) abreast: usize,
    /// The capabilities that a server must have.
    pub(crate) supports: Vec<Capability>,
    /// The flags it is started with, on top of the plan's.
    pub(crate) flags: &'a [(&'a str, &'a str)],
}

/// A server that was started for one round.
pub(crate) struct Slot<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) server: &'a Server,
    pub(crate) round: usize,
}

/// One round and what was found in it.
pub(crate) struct Round<'a, T> {
    /// The server.
    pub(crate) subject: &'a Subject,
    /// Its place in the step.
    pub(crate) index: usize,
    /// The number of the round for that server, from 0.
    pub(crate) number: usize,
    /// When it began.
    pub(crate) at_ms: f64,
    pub(crate) found: T,
}

/// Returns the capability of a style of a plan.
pub(crate) fn styled(style: &str) -> Capability {
    Capability::style(style).expect("plans name styles of the contract")
}

impl Step<'_> {
    /// Returns true when a server supports what the step needs.
    pub(crate) fn suits(&self, subject: &Subject) -> bool {
        self.supports.iter().all(|need| subject.supports(*need))
    }
}

impl<'a> Taker<'a> {
    fn new(
        plan: &'a Plan,
        subjects: &'a [Subject],
        floors: &'a [Subject],
        since: Instant,
        note: Option<Listener<'a>>,
    ) -> Self {
        let (flags, measurement, counted, gaps) = (&plan.flags[..], "", 0, Vec::new());
        Self { flags, subjects, floors, since, note, measurement, counted, gaps }
    }

    /// Begins a measurement, by its name.
    pub(crate) fn begin(&mut self, measurement: &'static str) {
        self.measurement = measurement;
    }

    /// Returns what could not be measured, and forgets it.
    pub(crate) fn gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps)
    }

    /// Returns a step of all servers that needs nothing.
    pub(crate) fn step(&self, what: impl Into<String>, rounds: usize) -> Step<'a> {
        let (what, servers) = (what.into(), self.subjects.iter().collect());
        Step { what, rounds, servers, abreast: 1, supports: Vec::new(), flags: &[] }
    }

    /// Returns the floors.
    pub(crate) fn floors(&self) -> &'a [Subject] {
        self.floors
    }

    /// Takes the rounds of a step, servers interleaved, each on a fresh process.
    pub(crate) fn take<T: Send>(
        &mut self,
        step: &Step<'a>,
        measure: impl Fn(&Slot<'_>) -> Result<T, Failure> + Sync,
    ) -> Vec<Round<'a, T>> {
        self.counted += step.servers.len() * step.rounds;
        let (flags, since) = (self.flags, self.since);
        let take = |(count, index): (usize, usize)| {
            let (subject, number) = (step.servers[index], count / step.servers.len());
            let at_ms = ms_between(since, Instant::now());
            let measure = |server: &Server| measure(&Slot { subject, server, round: number });
            let found = started(flags, subject, step, measure).map_err(|failure| (subject, failure))?;
            Ok(Round { subject, index, number, at_ms, found })
        };
        let order: Vec<(usize, usize)> =
            order(step.servers.len(), step.rounds).into_iter().enumerate().collect();
        let mut taken = Vec::new();
        for abreast in order.chunks(step.abreast) {
            let Some(note) = &mut self.note else { break };
            for (_, index) in abreast {
                note(step.servers[*index].name(), &named(self.measurement, &step.what));
            }
            let rounds: Vec<Result<_, (&Subject, Failure)>> = std::thread::scope(|scope| {
                let running: Vec<_> = abreast.iter().map(|one| scope.spawn(|| take(*one))).collect();
                running.into_iter().map(|thread| thread.join().expect("a round does not panic")).collect()
            });
            for round in rounds {
                match round {
                    Ok(round) => taken.push(round),
                    Err((subject, failure)) => self.gap(subject, &step.what, &failure),
                }
            }
        }
        taken
    }

    /// Notes what could not be measured of a server, once.
    pub(crate) fn gap(&mut self, subject: &Subject, what: &str, failure: &Failure) {
        let gap = Gap {
            server: subject.name().to_owned(),
            what: named(self.measurement, what),
            unsupported: matches!(failure, Failure::Unsupported(_)),
            why: failure.text().to_owned(),
        };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

/// Returns what a [`Gap`] calls a part of a measurement.
pub fn named(measurement: &str, what: &str) -> String {
    if what.is_empty() { measurement.to_owned() } else { format!("{measurement}, {what}") }
}

/// Starts a server of its own for one round.
fn started<T>(
    flags: &[(String, String)],
    subject: &Subject,
    step: &Step<'_>,
    measure: impl FnOnce(&Server) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(need) = step.supports.iter().find(|need| !subject.supports(**need)) {
        return Err(Failure::unsupported(format!("lacks {need}")));
    }
    let flags = flags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let flags: Vec<_> = flags.chain(step.flags.iter().copied()).collect();
    let server = subject.start(Setup { flags: &flags, ..Setup::default() }).map_err(Failure::harness)?;
    measure(&server).map_err(|failure| match server.died() {
        Some(death) => Failure::broken(format!("{}; {death}", failure.text())),
        None => failure,
    })
}

/// Returns the order of rounds: A B C, then C B A, then A B C again, so that a drift of the machine meets all of them alike.
fn order(servers: usize, rounds: usize) -> Vec<usize> {
    let round = |round: usize| -> Box<dyn Iterator<Item = usize>> {
        if round.is_multiple_of(2) { Box::new(0..servers) } else { Box::new((0..servers).rev()) }
    };
    (0..rounds).flat_map(round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Size;

    #[test]
    fn every_second_round_runs_backwards() {
        assert_eq!(order(3, 3), [0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert!(order(0, 2).is_empty());
    }

    #[test]
    fn rounds_are_counted_without_a_server_being_started() {
        let floor = [Subject::floor().unwrap()];
        let only = |what: &str| Plan::of(Size::Standard).only(&[what.to_owned()]);
        let mut throughput = only("throughput");
        throughput.throughput.rounds = 5;
        assert_eq!(count(&throughput, &[], &floor), 5, "a floor stands beside the others");
        assert_eq!(count(&only("storm"), &[], &floor), 0);
    }
}
