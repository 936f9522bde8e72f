//! The lateness of a 504: one request at a time, and many at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use load::tally::Outcome;
use load::{self, Load, Pace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::{Better, Series};
use suite::verdict::Failure;
use testbed::server::Server;
use wire::burst::Burst;
use wire::trace::Trace;
use wire::{Request, Wire};

use crate::measurement::{Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::{Round, Step, Taker};
use crate::series;
use crate::stats::{Summary, ms_between};
use crate::table::Table;

pub mod summary;

/// The time for which an answer is waited for after its deadline.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests one by one and at once, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The deadline of a request sent alone.
    pub alone_deadline_ms: u64,
    /// Requests in a row, per round.
    pub alone: usize,
    /// The deadline of requests sent at once.
    pub deadline_ms: u64,
    /// Numbers of requests at once, ascending.
    pub at_once: Vec<usize>,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how late 504s are, one by one and many at once.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Overshoot;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan {
            alone_deadline_ms: 50,
            alone: size.pick(10, 15, 20),
            deadline_ms: 400,
            at_once: size.pick(vec![500], vec![1000], vec![100, 1000, 5000]),
            rounds: size.pick(1, 3, 5),
        }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Overshoot> {
        let mut all = gather(taker, "1 at once", plan.rounds, (1, plan.alone_deadline_ms), |server| {
            alone(server, plan.alone, millis(plan.alone_deadline_ms))
        });
        for many in plan.at_once.iter().copied() {
            let what = format!("{many} at once");
            all.extend(gather(taker, &what, plan.rounds, (many, plan.deadline_ms), |server| {
                at_once(server, many, millis(plan.deadline_ms))
            }));
        }
        all
    }

    fn series(results: &Results) -> Vec<Series> {
        lateness(results, &results.measured.overshoot, "at once")
    }

    /// An answer before its deadline breaks the check.
    fn is_broken(results: &Results) -> bool {
        results.measured.overshoot.iter().any(|overshoot| overshoot.early > 0)
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

/// Requests in step over one second, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpreadPlan {
    /// The deadline.
    pub deadline_ms: u64,
    /// Numbers of requests in the second.
    pub requests: Vec<usize>,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how late 504s are that are due one by one over a second.
#[derive(Debug)]
pub struct Spread;

impl Measurement for Spread {
    type Record = Overshoot;
    type Plan = SpreadPlan;

    fn plan(size: Size) -> SpreadPlan {
        SpreadPlan { deadline_ms: 400, requests: vec![1000], rounds: size.pick(0, 0, 5) }
    }

    fn rounds(plan: &mut SpreadPlan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &SpreadPlan, taker: &mut Taker<'_>) -> Vec<Overshoot> {
        let mut all = Vec::new();
        for requests in plan.requests.iter().copied() {
            let (what, kind) = (format!("{requests} in a second"), (requests, plan.deadline_ms));
            all.extend(gather(taker, &what, plan.rounds, kind, |server| {
                spread(server, requests, millis(plan.deadline_ms))
            }));
        }
        all
    }

    fn series(results: &Results) -> Vec<Series> {
        lateness(results, &results.measured.spread, "in step over 1 s")
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::spread_tables(results)
    }
}

/// Takes the rounds of one number of requests and deadline, and gathers them by server.
fn gather(
    taker: &mut Taker<'_>,
    what: &str,
    rounds: usize,
    (requests, deadline_ms): (usize, u64),
    measure: impl Fn(&Server) -> Result<Vec<Sample>, Failure> + Sync,
) -> Vec<Overshoot> {
    let step = taker.step(what, rounds);
    let taken = taker.take(&step, |slot| measure(slot.server));
    gathered(&step, &taken, requests, millis(deadline_ms))
}

/// Gathers rounds of one number of requests and deadline by server.
pub(crate) fn gathered(
    step: &Step<'_>,
    taken: &[Round<'_, Vec<Sample>>],
    requests: usize,
    deadline: Duration,
) -> Vec<Overshoot> {
    let mut all: Vec<Overshoot> = Vec::new();
    for subject in step.servers.iter().filter(|_| !taken.is_empty()) {
        let mut one = Overshoot::new(subject.name(), requests, deadline);
        for round in taken.iter().filter(|round| round.subject.name() == subject.name()) {
            one.add(&round.found, round.at_ms);
        }
        all.push(one);
    }
    all
}

/// One series for each record.
pub(crate) fn lateness(results: &Results, measured: &[Overshoot], how: &str) -> Vec<Series> {
    let series = |o: &Overshoot| {
        let what = format!("lateness of the 504, {} {how}", o.at_once);
        Series {
            latency_from: Some(o.deadline_ms),
            rounds: o.rounds_ms.clone(),
            rounds_at_ms: o.rounds_at_ms.clone(),
            ..series::empty(&o.server, what, "ms", results.noise.p99_ms, Better::Less)
        }
    };
    measured.iter().map(series).collect()
}

/// The overshoot of one server at one concurrency.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Overshoot {
    /// The server.
    pub server: String,
    /// Requests at once.
    pub at_once: usize,
    /// The deadline in milliseconds.
    pub deadline_ms: f64,
    /// Answers before their deadline, which is counted from the moment before the first byte left.
    pub early: usize,
    /// The answers that were no 504, with their numbers.
    pub others: BTreeMap<String, usize>,
    /// All samples in short.
    pub summary_ms: Option<Summary>,
    /// Every sample: a list for each round.
    pub rounds_ms: Vec<Vec<f64>>,
    /// The start of each round, in milliseconds since that of the run.
    pub rounds_at_ms: Vec<f64>,
    /// The faults that kept a round from being measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// One answer, or none.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Its status.
    pub status: Option<u16>,
    /// When the request was meant to be sent.
    pub intended_at: Instant,
    /// Just before its first byte left.
    pub sent_at: Instant,
    /// When the answer's first byte was here.
    pub first_byte_at: Option<Instant>,
}

impl Overshoot {
    /// Nothing measured yet.
    pub fn new(server: &str, at_once: usize, deadline: Duration) -> Self {
        Self {
            server: server.to_owned(),
            at_once,
            deadline_ms: deadline.as_secs_f64() * 1e3,
            ..Self::default()
        }
    }

    /// Adds a round that began at `at_ms` of the run. An answer that is no 504 is no sample of lateness, and is counted apart.
    pub fn add(&mut self, samples: &[Sample], at_ms: f64) {
        let mut round = Vec::with_capacity(samples.len());
        for sample in samples {
            match (sample.status, sample.first_byte_at) {
                (Some(504), Some(at)) => {
                    round.push(micros(ms_between(sample.intended_at, at) - self.deadline_ms));
                    self.early += usize::from(ms_between(sample.sent_at, at) < self.deadline_ms);
                }
                (status, _) => {
                    let what = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                    *self.others.entry(what).or_default() += 1;
                }
            }
        }
        self.rounds_ms.push(round);
        self.rounds_at_ms.push(at_ms);
        self.summary_ms = Summary::of(self.rounds_ms.iter().flatten().copied());
    }
}

impl Overshoot {
    /// Returns the 99th percentile of each round that has enough samples for one, summed up.
    pub fn p99_of_rounds(&self) -> Option<Summary> {
        Summary::of(self.rounds_ms.iter().filter_map(|round| Summary::of(round.iter().copied())?.p99))
    }
}

fn micros(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// Sends `count` requests one after the other on one connection.
///
/// # Errors
/// When an answer is missing.
pub fn alone(server: &Server, count: usize, deadline: Duration) -> Result<Vec<Sample>, Failure> {
    let give_up_at = Instant::now() + (deadline + Duration::from_millis(100)) * count as u32 + PATIENCE;
    let mut wire = Wire::connect(server.address(), give_up_at, &Trace::default())?;
    let request = Request::get("/slow?work=60s&tick=1s").timeout(deadline);
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = wire.ask(&request)?;
        samples.push(Sample {
            status: Some(answer.status()),
            intended_at: answer.sent_at,
            sent_at: answer.sent_at,
            first_byte_at: Some(answer.first_byte_at),
        });
        if answer.response.says_close() {
            wire = Wire::connect(server.address(), give_up_at, &Trace::default())?;
        }
    }
    Ok(samples)
}

/// Sends `count` requests at once, a connection each.
///
/// # Errors
/// When sockets cannot be made, or some requests are never answered.
pub fn at_once(server: &Server, count: usize, deadline: Duration) -> Result<Vec<Sample>, Failure> {
    let request = Request::get("/slow?work=60s&tick=1s").timeout(deadline);
    let mut storm =
        Burst::launch(server.address(), vec![request; count], Instant::now() + deadline + PATIENCE)?;
    // What is not answered by then is a sample without an answer, and shows as that.
    storm.drive(Instant::now() + deadline + PATIENCE)?;
    let sample = |shot: &wire::burst::Shot| Sample {
        status: shot.status(),
        intended_at: shot.intended_at,
        sent_at: shot.sent_at,
        first_byte_at: shot.first_byte_at,
    };
    Ok(storm.shots().iter().map(sample).collect())
}

/// Sends `count` requests in step over one second, each due at its own moment.
///
/// # Errors
/// When the connections cannot be opened.
pub fn spread(server: &Server, count: usize, deadline: Duration) -> Result<Vec<Sample>, Failure> {
    let request = Request::get("/slow?work=60s&tick=1s").timeout(deadline);
    let pace = Pace::Rate { per_second: count as f64, requests: count };
    let mut load = Load::new(server.address(), server.pid(), request, count, pace);
    (load.keep, load.patience) = (true, deadline + PATIENCE);
    let done = load.run()?;
    let lost =
        Sample { status: None, intended_at: done.begin_at, sent_at: done.begin_at, first_byte_at: None };
    let missing = std::iter::repeat_n(lost, done.row.censored.count as usize);
    Ok(done.samples.iter().map(Sample::of).chain(missing).collect())
}

impl Sample {
    /// Converts the load generator's record of a request.
    fn of(sample: &load::Sample) -> Self {
        let (status, first_byte_at) = match sample.outcome {
            Outcome::Answer(status) => (Some(status), Some(sample.at)),
            Outcome::Lost | Outcome::Cut | Outcome::Malformed => (None, None),
        };
        Self { status, intended_at: sample.intended_at, sent_at: sample.sent_at, first_byte_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(status: u16, queued: u64, after: u64) -> Sample {
        let intended_at = Instant::now();
        let sent_at = intended_at + Duration::from_millis(queued);
        let first_byte_at = Some(sent_at + Duration::from_millis(after));
        Sample { status: Some(status), intended_at, sent_at, first_byte_at }
    }

    fn measured(samples: &[Sample]) -> Overshoot {
        let mut overshoot = Overshoot::new("x", 1, Duration::from_millis(100));
        overshoot.add(samples, 0.0);
        overshoot
    }

    #[test]
    fn lateness_counts_from_the_intended_time() {
        let overshoot = measured(&[sample(504, 5, 101), sample(504, 0, 103)]);
        assert_eq!(overshoot.rounds_ms, [[6.0, 3.0]]);
        assert_eq!((overshoot.early, overshoot.summary_ms.unwrap().max), (0, 6.0));
    }

    #[test]
    fn an_early_answer_is_seen_even_when_it_was_sent_late() {
        let overshoot = measured(&[sample(504, 50, 99)]);
        assert_eq!((overshoot.early, &overshoot.rounds_ms[0][..]), (1, &[49.0][..]));
    }

    #[test]
    fn what_is_no_504_is_counted_apart() {
        let lost = Sample { status: None, first_byte_at: None, ..sample(504, 0, 0) };
        let overshoot = measured(&[sample(503, 0, 1), lost, sample(504, 0, 101)]);
        assert_eq!(overshoot.others, BTreeMap::from([("503".into(), 1), ("no answer".into(), 1)]));
        assert_eq!(overshoot.rounds_ms, [[1.0]]);
    }
}
