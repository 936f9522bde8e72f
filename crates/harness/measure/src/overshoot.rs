//! The lateness of a 504: one request at a time, and many at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use load::tally::Outcome;
use load::{self, Load, Pace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::verdict::Failure;
use testbed::server::Server;
use wire::burst::Storm;
use wire::trace::Trace;
use wire::{Request, Wire};

use crate::stats::{Summary, ms_between};

/// The time for which an answer is waited for after its deadline.
const PATIENCE: Duration = Duration::from_secs(5);

/// The overshoot of one server at one concurrency.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    /// Every sample: a list for each turn.
    pub turns_ms: Vec<Vec<f64>>,
    /// When each turn began, in milliseconds since the run did; empty in old runs.
    #[serde(default)]
    pub turns_at_ms: Vec<f64>,
    /// The reasons why rounds could not be measured.
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
            early: 0,
            others: BTreeMap::new(),
            summary_ms: None,
            turns_ms: Vec::new(),
            turns_at_ms: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Adds a turn that began at `at_ms` of the run. An answer that is no 504 is no sample of lateness, and is counted apart.
    pub fn add(&mut self, samples: &[Sample], at_ms: f64) {
        let mut turn = Vec::with_capacity(samples.len());
        for sample in samples {
            match (sample.status, sample.first_byte_at) {
                (Some(504), Some(at)) => {
                    turn.push(round(ms_between(sample.intended_at, at) - self.deadline_ms));
                    self.early += usize::from(ms_between(sample.sent_at, at) < self.deadline_ms);
                }
                (status, _) => {
                    let what = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                    *self.others.entry(what).or_default() += 1;
                }
            }
        }
        self.turns_ms.push(turn);
        self.turns_at_ms.push(at_ms);
        self.summary_ms = Summary::of(self.turns_ms.iter().flatten().copied());
    }
}

fn round(ms: f64) -> f64 {
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
        Storm::launch(server.address(), vec![request; count], Instant::now() + deadline + PATIENCE)?;
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
        assert_eq!(overshoot.turns_ms, [[6.0, 3.0]]);
        assert_eq!((overshoot.early, overshoot.summary_ms.unwrap().max), (0, 6.0));
    }

    #[test]
    fn an_early_answer_is_seen_even_when_it_was_sent_late() {
        let overshoot = measured(&[sample(504, 50, 99)]);
        assert_eq!((overshoot.early, &overshoot.turns_ms[0][..]), (1, &[49.0][..]));
    }

    #[test]
    fn what_is_no_504_is_counted_apart() {
        let lost = Sample { status: None, first_byte_at: None, ..sample(504, 0, 0) };
        let overshoot = measured(&[sample(503, 0, 1), lost, sample(504, 0, 101)]);
        assert_eq!(overshoot.others, BTreeMap::from([("503".into(), 1), ("no answer".into(), 1)]));
        assert_eq!(overshoot.turns_ms, [[1.0]]);
    }
}
