//! The counts of a running load.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::censored::Censored;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Answer(u16),
    /// The connection ended without an answer.
    Lost,
    /// The connection ended in the middle of an answer.
    Cut,
    /// Bytes came that are no answer.
    Malformed,
}

impl Outcome {
    /// True for an answer with this status.
    pub fn is(self, status: u16) -> bool {
        self == Self::Answer(status)
    }
}

/// One request that was answered or lost.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The moment at which it was due.
    pub intended_at: Instant,
    /// Just before its first byte was handed to the kernel.
    pub sent_at: Instant,
    /// When the first byte of the answer was here, or the connection had ended.
    pub at: Instant,
    /// The outcome.
    pub outcome: Outcome,
}

/// Latencies in microseconds, with three digits.
pub type Latencies = Histogram<u64>;

/// The counts of one thread, or of all of them.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    /// Requests that were sent.
    pub(super) sent: u64,
    /// The moment of the last of them.
    pub(super) last_sent_at: Option<Instant>,
    /// The moment of the first of them.
    pub(super) first_sent_at: Option<Instant>,
    /// The moment of the last answer.
    pub(super) last_answer_at: Option<Instant>,
    /// Requests that were answered or lost by the end of the schedule.
    pub(super) in_time: u64,
    /// Those of them that were good answers.
    pub(super) good_in_time: u64,
    /// Good answers.
    pub(super) good: u64,
    /// Interim responses (1xx) that came before answers.
    pub(super) interim: u64,
    /// Requests that wait for an answer.
    pub(super) in_flight: u64,
    /// From due to sent, microseconds.
    pub(super) lag: Latencies,
    /// 200s, from due to the first byte, microseconds.
    pub(super) ok: Latencies,
    /// 504s.
    pub(super) timeout: Latencies,
    /// Everything else.
    pub(super) other: Latencies,
    /// The other answers, by status or `lost`, with their numbers.
    pub(super) others: BTreeMap<String, u64>,
    /// Requests without an answer at the end.
    pub(super) censored: Censored,
    /// Connections that were opened again.
    pub(super) reopened: u64,
    /// Every request, if they are kept.
    pub(super) samples: Vec<Sample>,
    /// Processor time of the generator's threads.
    pub(super) generator_cpu: Duration,
    /// The running time of those threads, in sum.
    pub(super) generator_time: Duration,
    /// Requests in the system, summed over time: request-seconds.
    pub(super) area: f64,
    area_at: Option<Instant>,
    keep: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Tally {
    pub(super) fn new(keep: bool) -> Self {
        let empty = || Latencies::new(3).expect("three digits are allowed");
        Self {
            sent: 0,
            last_sent_at: None,
            first_sent_at: None,
            last_answer_at: None,
            in_time: 0,
            good_in_time: 0,
            good: 0,
            interim: 0,
            in_flight: 0,
            lag: empty(),
            ok: empty(),
            timeout: empty(),
            other: empty(),
            others: BTreeMap::new(),
            censored: Censored::default(),
            reopened: 0,
            samples: Vec::new(),
            generator_cpu: Duration::ZERO,
            generator_time: Duration::ZERO,
            area: 0.0,
            area_at: None,
            keep,
        }
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, intended_at: Instant, sent_at: Instant) {
        self.pass(sent_at);
        let lag = sent_at.saturating_duration_since(intended_at);
        // It has been in the system since it was due, whether a connection was free or not.
        self.area += lag.as_secs_f64();
        record(&mut self.lag, lag);
        self.sent += 1;
        self.in_flight += 1;
        self.first_sent_at.get_or_insert(sent_at);
        self.last_sent_at = Some(sent_at);
    }

    /// A request has its answer, a `good` one or not, or its connection is lost.
    pub(super) fn answered(&mut self, sample: Sample, good: bool, over_at: Instant) {
        let Sample { intended_at, at, outcome, .. } = sample;
        self.pass(at);
        self.in_flight = self.in_flight.saturating_sub(1);
        let latency = at.saturating_duration_since(intended_at);
        match outcome {
            Outcome::Answer(200) => record(&mut self.ok, latency),
            Outcome::Answer(504) => record(&mut self.timeout, latency),
            outcome => {
                let name = match outcome {
                    Outcome::Answer(status) => status.to_string(),
                    Outcome::Lost => "lost".to_owned(),
                    Outcome::Cut => "cut short".to_owned(),
                    Outcome::Malformed => "no HTTP".to_owned(),
                };
                *self.others.entry(name).or_default() += 1;
                record(&mut self.other, latency);
            }
        }
        self.in_time += u64::from(at <= over_at);
        self.good += u64::from(good);
        self.good_in_time += u64::from(good && at <= over_at);
        self.last_answer_at = self.last_answer_at.max(Some(at));
        if self.keep {
            self.samples.push(sample);
        }
    }

    /// A request has no answer at the end.
    pub(super) fn censored(&mut self, intended_at: Instant, now: Instant) {
        self.pass(now);
        self.censored.add(now.saturating_duration_since(intended_at).as_secs_f64() * 1e3);
    }

    /// A request was due and never sent.
    pub(super) fn never_sent(&mut self, intended_at: Instant, now: Instant) {
        self.censored.never_sent += 1;
        self.censored(intended_at, now);
    }

    /// Time passes with so many requests in flight.
    fn pass(&mut self, now: Instant) {
        if let Some(before) = self.area_at {
            self.area += self.in_flight as f64 * now.saturating_duration_since(before).as_secs_f64();
        }
        self.area_at = self.area_at.max(Some(now));
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.last_sent_at = self.last_sent_at.max(other.last_sent_at);
        self.first_sent_at = match (self.first_sent_at, other.first_sent_at) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.last_answer_at = self.last_answer_at.max(other.last_answer_at);
        self.in_time += other.in_time;
        self.good_in_time += other.good_in_time;
        self.good += other.good;
        self.interim += other.interim;
        self.in_flight += other.in_flight;
        for (mine, theirs) in [
            (&mut self.lag, &other.lag),
            (&mut self.ok, &other.ok),
            (&mut self.timeout, &other.timeout),
            (&mut self.other, &other.other),
        ] {
            mine.add(theirs).expect("a histogram that grows by itself takes every value");
        }
        for (name, count) in other.others {
            *self.others.entry(name).or_default() += count;
        }
        self.censored.merge(other.censored);
        self.reopened += other.reopened;
        self.samples.extend(other.samples);
        self.generator_cpu += other.generator_cpu;
        self.generator_time += other.generator_time;
        self.area += other.area;
    }

    /// Requests that were answered or lost.
    pub(super) fn finished(&self) -> u64 {
        self.ok.len() + self.timeout.len() + self.other.len()
    }

    /// The mean latency of all of them, in milliseconds.
    pub(super) fn mean_ms(&self) -> f64 {
        let sum: f64 = [&self.ok, &self.timeout, &self.other]
            .into_iter()
            .filter(|histogram| !histogram.is_empty())
            .map(|histogram| histogram.mean() * histogram.len() as f64)
            .sum();
        sum / 1e3 / self.finished().max(1) as f64
    }
}

fn record(histogram: &mut Latencies, latency: Duration) {
    let micros = (latency.as_nanos() + 500) / 1000;
    histogram.record(micros as u64).expect("a histogram that grows by itself takes every value");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_do_not_mix() {
        let (mut tally, start_at) = (Tally::new(true), Instant::now());
        let after = |micros| start_at + Duration::from_micros(micros);
        for (outcome, micros) in [
            (Outcome::Answer(200), 100),
            (Outcome::Answer(504), 50_000),
            (Outcome::Answer(503), 3),
            (Outcome::Lost, 7),
        ] {
            tally.sent(start_at, start_at);
            let sample = Sample { intended_at: start_at, sent_at: start_at, at: after(micros), outcome };
            tally.answered(sample, matches!(outcome, Outcome::Answer(200 | 504)), after(1000));
        }
        assert_eq!((tally.ok.len(), tally.timeout.len(), tally.other.len()), (1, 1, 2));
        assert_eq!(tally.others, BTreeMap::from([("503".into(), 1), ("lost".into(), 1)]));
        assert_eq!((tally.in_time, tally.finished(), tally.samples.len(), tally.in_flight), (3, 4, 4, 0));
        assert_eq!((tally.good, tally.good_in_time), (2, 1));
    }

    #[test]
    fn a_request_is_in_the_system_from_when_it_is_due() {
        let (mut tally, start_at) = (Tally::default(), Instant::now());
        let after = |millis| start_at + Duration::from_millis(millis);
        tally.sent(start_at, after(10));
        let sample = Sample {
            intended_at: start_at,
            sent_at: after(10),
            at: after(30),
            outcome: Outcome::Answer(200),
        };
        tally.answered(sample, true, after(30));
        assert!((tally.area - 0.030).abs() < 1e-9, "{}", tally.area);
        assert_eq!((tally.lag.max(), tally.ok.max()), (10_007, 30_015));
    }

    #[test]
    fn threads_add_up() {
        let (mut one, mut two, now) = (Tally::default(), Tally::default(), Instant::now());
        one.sent(now, now);
        let sample = Sample { intended_at: now, sent_at: now, at: now, outcome: Outcome::Answer(200) };
        one.answered(sample, true, now);
        two.sent(now, now);
        two.censored(now, now + Duration::from_millis(5));
        two.never_sent(now, now + Duration::from_millis(6));
        one.merge(two);
        assert_eq!((one.sent, one.finished(), one.censored.count, one.censored.never_sent), (2, 1, 2, 1));
    }
}
