//! Interference: the latency of `/fast`, slot by slot, while a burst of `/slow` times out beside it.

use std::time::{Duration, Instant};

use load::{Load, Pace, Row, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::verdict::Failure;
use testbed::server::Server;
use wire::Request;
use wire::burst::Storm;

use crate::plan::{self, Burst};
use crate::stats::{Summary, ms_between};

/// The time for which answers are waited for beyond the work.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections of the requests that are watched: enough that they wait for the server and not for each other.
const CONNECTIONS: usize = 64;

/// One run of `/fast` beside a burst.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strip {
    /// The server.
    pub server: String,
    /// The style of the burst's work.
    pub style: String,
    /// Which turn it was, from 0.
    pub turn: usize,
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
///
/// # Errors
/// When sockets cannot be made.
pub fn watch(
    server: &Server,
    name: &str,
    plan: &plan::Strip,
    burst: &Burst,
    turn: usize,
) -> Result<Strip, Failure> {
    let requests = (plan.rate * plan.lasting.as_secs_f64()).round() as usize;
    let pace = Pace::Rate { per_second: plan.rate, requests };
    let mut load = Load::new(server.address(), server.pid(), Request::get("/fast"), CONNECTIONS, pace);
    (load.keep, load.patience) = (true, burst.work + PATIENCE);
    let (done, storm) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| let_loose(server, plan, burst));
        (load.run(), beside.join().expect("the burst does not panic"))
    });
    let (done, (sent_at, answered_at)) = (done?, storm?);
    Ok(Strip {
        server: name.to_owned(),
        style: burst.style.clone(),
        turn,
        requests: burst.requests,
        burst_ms: ms_between(done.begin_at, sent_at),
        answered_ms: answered_at.map(|at| ms_between(done.begin_at, at)),
        slots: slots(&pace, plan.slot, done.begin_at, &done.samples),
        row: done.row,
    })
}

/// Sends the burst; gives when, and when its last answer had come.
fn let_loose(
    server: &Server,
    plan: &plan::Strip,
    burst: &Burst,
) -> Result<(Instant, Option<Instant>), Failure> {
    std::thread::sleep(plan.burst_after);
    let (style, work) = (&burst.style, burst.work.as_millis());
    let request = Request::get(format!("/slow?style={style}&work={work}ms&tick=10ms")).timeout(plan.deadline);
    let sent_at = Instant::now();
    let give_up_at = sent_at + burst.work + PATIENCE;
    let mut storm = Storm::launch(server.address(), vec![request; burst.requests], give_up_at)?;
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

impl Strip {
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
        let strip = Strip {
            server: "x".into(),
            style: "spin".into(),
            turn: 0,
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
