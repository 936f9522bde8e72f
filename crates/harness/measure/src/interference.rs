//! Interference: the latency of `/fast`, slot by slot, while a burst of `/slow` times out beside it.

use std::time::{Duration, Instant};

use load::{Load, Pace, Row, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::server::Server;
use wire::Request;
use wire::burst as client;

use crate::measurement::{Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::{self, Taker, styled};
use crate::series;
use crate::stats::{Summary, ms_between};
use crate::table::Table;

pub mod summary;

/// The time for which answers are waited for beyond the work.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections of the requests that are watched: enough that they wait for the server and not for each other.
const CONNECTIONS: usize = 64;

/// `/fast` in step, the bursts beside it, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Requests of `/fast` a second.
    pub rate: f64,
    /// The time for which they are sent.
    pub lasting_ms: u64,
    /// When the burst is sent.
    pub burst_after_ms: u64,
    /// The deadline of the burst.
    pub deadline_ms: u64,
    /// The length of a slot of time.
    pub slot_ms: u64,
    /// The bursts, one in each round.
    pub bursts: Vec<Burst>,
    /// Rounds of each server and burst.
    pub rounds: usize,
}

/// Requests that are let loose together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Burst {
    /// The style of their work.
    pub style: String,
    /// Their number.
    pub requests: usize,
    /// The work that each asks for.
    pub work_ms: u64,
}

/// Measures `/fast` under a burst of `/slow`.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Interference;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["strip"];

    fn plan(size: Size) -> Plan {
        let burst = |style: &str, requests, work_ms| Burst { style: style.to_owned(), requests, work_ms };
        let full = [burst("drop", 500, 1200), burst("context", 500, 1200), burst("spin", 1, 1200)];
        let short = vec![burst("drop", 500, 600)];
        Plan {
            rate: 1000.0,
            lasting_ms: size.pick(1200, 1200, 2400),
            burst_after_ms: 400,
            deadline_ms: 400,
            slot_ms: 100,
            bursts: size.pick(short.clone(), short, full.into()),
            rounds: size.pick(0, 1, 3),
        }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Interference> {
        let mut all = Vec::new();
        for burst in &plan.bursts {
            let mut step = taker.step(&burst.style, plan.rounds);
            step.supports = vec![styled(&burst.style)];
            all.extend(taker.take(&step, |slot| watch(slot, plan, burst)));
        }
        all.into_iter().map(|round| round.found).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = series::Gathered::default();
        for strip in &results.measured.interference {
            let (before, during) = strip.before_and_during();
            for (when, slots) in [("before", before), ("beside", during)] {
                let what = format!("slowest /fast {when} a burst of {}", strip.style);
                let value = worst(&slots);
                let sample = series::Sample { server: &strip.server, what, round: strip.round, value };
                all.less(sample, "ms", results.noise.max_ms);
            }
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

/// One run of `/fast` beside a burst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interference {
    /// The server.
    pub server: String,
    /// The style of the burst's work.
    pub style: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// Requests of the burst.
    pub requests: usize,
    /// When the burst was sent, milliseconds.
    pub burst_ms: f64,
    /// When its last answer had come, milliseconds; none when some never came.
    pub answered_ms: Option<f64>,
    /// The slots, in order of time.
    pub slots: Vec<Slot>,
    /// All of `/fast` in figures.
    pub row: Row,
}

/// The requests that were due in one slot of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Slot {
    /// When it begins, milliseconds.
    pub at_ms: f64,
    /// The number of requests that were answered 200.
    pub answered: usize,
    /// The number of requests that were due and got another answer, or none.
    pub missing: usize,
    /// Their latencies in milliseconds, counted from when they were due.
    pub latency_ms: Option<Summary>,
}

/// Asks `/fast` in step, and lets `burst` loose after a while.
fn watch(slot: &schedule::Slot<'_>, plan: &Plan, burst: &Burst) -> Result<Interference, Failure> {
    let server = slot.server;
    let requests = (plan.rate * millis(plan.lasting_ms).as_secs_f64()).round() as usize;
    let pace = Pace::Rate { per_second: plan.rate, requests };
    let mut load = Load::new(server.address(), server.pid(), Request::get("/fast"), CONNECTIONS, pace);
    (load.keep, load.patience) = (true, millis(burst.work_ms) + PATIENCE);
    let (done, storm) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| let_loose(server, plan, burst));
        (load.run(), beside.join().expect("the burst does not panic"))
    });
    let (done, (sent_at, answered_at)) = (done?, storm?);
    Ok(Interference {
        server: slot.subject.name().to_owned(),
        style: burst.style.clone(),
        round: slot.round,
        requests: burst.requests,
        burst_ms: ms_between(done.begin_at, sent_at),
        answered_ms: answered_at.map(|at| ms_between(done.begin_at, at)),
        slots: slots(&pace, millis(plan.slot_ms), done.begin_at, &done.samples),
        row: done.row,
    })
}

/// Sends the burst; gives when, and when its last answer had come.
fn let_loose(server: &Server, plan: &Plan, burst: &Burst) -> Result<(Instant, Option<Instant>), Failure> {
    std::thread::sleep(millis(plan.burst_after_ms));
    let (style, work) = (&burst.style, burst.work_ms);
    let request = Request::get(format!("/slow?style={style}&work={work}ms&tick=10ms"))
        .timeout(millis(plan.deadline_ms));
    let sent_at = Instant::now();
    let give_up_at = sent_at + millis(burst.work_ms) + PATIENCE;
    let mut storm = client::Burst::launch(server.address(), vec![request; burst.requests], give_up_at)?;
    let all = storm.drive(give_up_at)?;
    let last = storm.shots().iter().filter_map(|shot| shot.done_at).max();
    Ok((sent_at, last.filter(|_| all)))
}

/// Sorts samples into slots by when they were due.
fn slots(pace: &Pace, slot: Duration, begin_at: Instant, samples: &[Sample]) -> Vec<Slot> {
    let index = |due: Duration| (due.as_nanos() / slot.as_nanos().max(1)) as usize;
    let requests = pace.requests().unwrap_or(0);
    let last = if requests == 0 { 0 } else { index(pace.due(requests - 1)) + 1 };
    let (mut due, mut latencies) = (vec![0; last], vec![Vec::new(); last]);
    for number in 0..requests {
        due[index(pace.due(number))] += 1;
    }
    for sample in samples.iter().filter(|sample| sample.outcome.is(200)) {
        let place = index(sample.intended_at.saturating_duration_since(begin_at)).min(last.saturating_sub(1));
        latencies[place].push(ms_between(sample.intended_at, sample.at));
    }
    let one = |(number, latencies): (usize, Vec<f64>)| Slot {
        at_ms: (slot * number as u32).as_secs_f64() * 1e3,
        answered: latencies.len(),
        missing: due[number] - latencies.len().min(due[number]),
        latency_ms: Summary::of(latencies),
    };
    latencies.into_iter().enumerate().map(one).collect()
}

impl Interference {
    /// The slots before the burst, and those from it to its last answer.
    pub fn before_and_during(&self) -> (Vec<&Slot>, Vec<&Slot>) {
        let width = self.slots.get(1).map_or(f64::INFINITY, |slot| slot.at_ms);
        let until = self.answered_ms.unwrap_or(f64::INFINITY);
        let before = self.slots.iter().filter(|slot| slot.at_ms + width <= self.burst_ms).collect();
        let during = |slot: &&Slot| slot.at_ms + width > self.burst_ms && slot.at_ms < until;
        (before, self.slots.iter().filter(during).collect())
    }
}

/// The worst latency of these slots.
pub fn worst(slots: &[&Slot]) -> Option<f64> {
    slots.iter().filter_map(|slot| Some(slot.latency_ms?.max)).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use load::tally::Outcome;

    use super::*;

    #[test]
    fn a_request_belongs_to_the_slot_in_which_it_was_due() {
        let begin_at = Instant::now();
        let at = |ms| begin_at + Duration::from_millis(ms);
        let sample = |due, answered, status| Sample {
            intended_at: at(due),
            sent_at: at(due),
            at: at(answered),
            outcome: Outcome::Answer(status),
        };
        // Due every 50 ms; the one at 150 ms gets a 503.
        let samples = [sample(0, 1, 200), sample(50, 250, 200), sample(100, 103, 200), sample(150, 151, 503)];
        let pace = Pace::Rate { per_second: 20.0, requests: 4 };
        let slots = slots(&pace, Duration::from_millis(100), begin_at, &samples);
        let seen: Vec<_> = slots.iter().map(|slot| (slot.at_ms, slot.answered, slot.missing)).collect();
        assert_eq!(seen, [(0.0, 2, 0), (100.0, 1, 1)]);
        assert_eq!(worst(&slots.iter().collect::<Vec<_>>()), Some(200.0));
    }

    #[test]
    fn slots_before_the_burst_know_nothing_of_it() {
        let slot = |at_ms| Slot { at_ms, answered: 0, missing: 0, latency_ms: None };
        let strip = Interference {
            server: "x".into(),
            style: "spin".into(),
            round: 0,
            requests: 1,
            burst_ms: 210.0,
            answered_ms: Some(350.0),
            slots: [0.0, 100.0, 200.0, 300.0, 400.0].map(slot).to_vec(),
            row: Row::default(),
        };
        let (before, during) = strip.before_and_during();
        let times = |slots: Vec<&Slot>| slots.iter().map(|slot| slot.at_ms).collect::<Vec<_>>();
        assert_eq!((times(before), times(during)), (vec![0.0, 100.0], vec![200.0, 300.0]));
    }
}
