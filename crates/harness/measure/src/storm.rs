//! Storms: work, threads, descriptors and memory before a burst of timeouts, at its peak and after it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::census::Census;
use testbed::proc;
use wire::burst as client;
use wire::trace::Trace;
use wire::{Request, Wire};

use crate::measurement::{Measurement, Size, millis};
use crate::registry::Measured;
use crate::results::Results;
use crate::schedule::{Slot, Taker, styled};
use crate::series::{Gathered, Sample};
use crate::stats::ms_between;
use crate::table::Table;

pub mod summary;

/// The time for which work may run on past its natural end before the storm counts as never quiet.
const PATIENCE: Duration = Duration::from_secs(3);
/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(25);
/// The time for which the server is left alone before the last reading.
const SETTLE: Duration = Duration::from_millis(250);

/// Requests that time out together, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The deadline.
    pub deadline_ms: u64,
    /// The work that a request asks for.
    pub work_ms: u64,
    /// Requests at once.
    pub requests: usize,
    /// Styles, a storm each.
    pub styles: Vec<String>,
    /// Rounds of each server and style.
    pub rounds: usize,
}

/// Measures what a storm of timeouts costs.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Storm;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["storms"];

    fn plan(size: Size) -> Plan {
        let styles: &[&str] = size.pick(&["drop"], &["drop"], &["drop", "context", "detached"]);
        Plan {
            deadline_ms: 400,
            work_ms: size.pick(900, 1200, 1200),
            requests: 500,
            styles: styles.iter().map(|style| (*style).to_owned()).collect(),
            rounds: size.pick(1, 1, 5),
        }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Storm> {
        let mut storms = Vec::new();
        for style in &plan.styles {
            let mut step = taker.step(style, plan.rounds);
            step.supports = vec![Capability::Admin, Capability::Process, styled(style)];
            storms.extend(taker.take(&step, |slot| watch(slot, style, plan)));
        }
        storms.into_iter().map(|round| round.found).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        let forgiven = results.limits.zombie_ms;
        for storm in &results.measured.storm {
            let (before, peak) = (storm.before(), storm.peak());
            let grown = peak.pss.saturating_sub(before.pss) as f64;
            // One in twenty may be caught between its answer and its end by the reading.
            let few = storm.requests as f64 / 20.0;
            let figures = [
                ("work left over", "works", few, Some(storm.left_behind() as f64)),
                (
                    "zombie area",
                    "task-seconds",
                    storm.requests as f64 * forgiven / 1e3,
                    Some(storm.zombie_area()),
                ),
                ("quiet after", "ms", forgiven, storm.quiesce_ms()),
                ("most threads", "threads", few, Some(peak.threads as f64)),
                ("most descriptors", "descriptors", few, Some(peak.descriptors as f64)),
                ("growth of memory", "bytes", 1e6, Some(grown)),
            ];
            for (what, unit, least, value) in figures {
                let what = format!("storm, {}: {what}", storm.style);
                all.less(Sample { server: &storm.server, what, round: storm.round, value }, unit, least);
            }
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

impl Measured {
    /// The storms of one server and style, in the order of rounds.
    pub fn storms_of(&self, server: &str, style: &str) -> Vec<&Storm> {
        self.storm.iter().filter(|storm| storm.server == server && storm.style == style).collect()
    }
}

/// One storm on one server: its answers, and the readings from before it until the server was quiet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Storm {
    /// The server.
    pub server: String,
    /// The style of the work.
    pub style: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// Requests at once.
    pub requests: usize,
    /// The number of requests that were answered 504.
    pub answered_504: usize,
    /// When the last answer had been read, in milliseconds since the first request.
    pub answered_ms: f64,
    /// When no work was left; none when some was left at the end.
    pub quiet_ms: Option<f64>,
    /// Every reading, in order: the first before the storm, the last after it.
    pub readings: Vec<Reading>,
}

/// The server's counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Milliseconds since the first request; the reading before it is at 0.
    pub at_ms: f64,
    /// Requests without an answer, as the client sees it.
    pub requests: u64,
    /// Work that runs, as the server counts it.
    pub work: u64,
    /// The part of it whose request has ended.
    pub zombies: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors.
    pub descriptors: u64,
    /// Proportional set size in bytes.
    pub pss: u64,
}

impl Storm {
    /// The reading before the storm.
    pub fn before(&self) -> Reading {
        self.readings.first().copied().unwrap_or_default()
    }

    /// The most of everything, each at its own moment.
    pub fn peak(&self) -> Reading {
        self.readings.iter().fold(Reading::default(), |most, reading| Reading {
            at_ms: most.at_ms.max(reading.at_ms),
            requests: most.requests.max(reading.requests),
            work: most.work.max(reading.work),
            zombies: most.zombies.max(reading.zombies),
            threads: most.threads.max(reading.threads),
            descriptors: most.descriptors.max(reading.descriptors),
            pss: most.pss.max(reading.pss),
        })
    }

    /// The reading after the storm, when the server had been quiet for a while.
    pub fn after(&self) -> Reading {
        self.readings.last().copied().unwrap_or_default()
    }

    /// Work that ran while no request was left to wait for it, in task-seconds: the area between two curves.
    pub fn zombie_area(&self) -> f64 {
        let over = |reading: &Reading| reading.work.saturating_sub(reading.requests) as f64;
        let between = |pair: &[Reading]| {
            (over(&pair[0]) + over(&pair[1])) / 2.0 * (pair[1].at_ms - pair[0].at_ms) / 1e3
        };
        self.readings.windows(2).map(between).sum()
    }

    /// From the last answer until no work was left, in milliseconds, below zero when work had ended before.
    pub fn quiesce_ms(&self) -> Option<f64> {
        Some(self.quiet_ms? - self.answered_ms)
    }

    /// Live work just after the last answer.
    pub fn left_behind(&self) -> u64 {
        self.readings
            .iter()
            .find(|reading| reading.at_ms > self.answered_ms)
            .map_or(0, |reading| reading.work)
    }
}

/// Lets `plan.requests` requests of work in `style` time out together, and reads the server all the while.
fn watch(slot: &Slot<'_>, style: &str, plan: &Plan) -> Result<Storm, Failure> {
    let server = slot.server;
    let admin = server.admin().ok_or_else(|| Failure::unsupported("no count of its own"))?;
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let waiting = AtomicUsize::new(0);
    let read = |since: Option<Instant>| -> Result<Reading, Failure> {
        let requests = waiting.load(Ordering::Relaxed) as u64;
        let at_ms = since.map_or(0.0, |since| ms_between(since, Instant::now()));
        let (census, usage) = (Census::read(admin)?, proc::usage(pid)?);
        Ok(Reading {
            at_ms,
            requests,
            work: census.work.live,
            zombies: census.work.zombie,
            threads: usage.threads,
            descriptors: usage.descriptors,
            pss: usage.pss,
        })
    };
    // The first request of a process pays for what later ones find there.
    Wire::connect(server.address(), Instant::now() + PATIENCE, &Trace::default())?
        .ask(&Request::get("/fast").header("Connection", "close"))?;
    let mut readings = vec![read(None)?];

    let (work, tick) = (plan.work_ms, plan.work_ms / 10);
    let request = Request::get(format!("/slow?style={style}&work={work}ms&tick={tick}ms"))
        .timeout(millis(plan.deadline_ms));
    let start_at = Instant::now();
    let give_up_at = start_at + millis(plan.work_ms) + PATIENCE;
    waiting.store(plan.requests, Ordering::Relaxed);
    let over = AtomicBool::new(false);
    let (shots, quiet_ms, seen) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until_quiet(&over, start_at, give_up_at, &read));
        let shots = client::Burst::launch(server.address(), vec![request; plan.requests], give_up_at)
            .and_then(|storm| drive(storm, &waiting, give_up_at));
        over.store(true, Ordering::Relaxed);
        let (quiet_ms, seen) = reader.join().expect("the reader does not panic")?;
        Ok::<_, Failure>((shots?, quiet_ms, seen))
    })?;
    readings.extend(seen);
    std::thread::sleep(SETTLE);
    readings.push(read(Some(start_at))?);
    let answered = shots.iter().filter_map(|(_, done_at)| *done_at).max().unwrap_or(start_at);
    Ok(Storm {
        server: slot.subject.name().to_owned(),
        style: style.to_owned(),
        round: slot.round,
        requests: plan.requests,
        answered_504: shots.iter().filter(|(status, _)| *status == Some(504)).count(),
        answered_ms: ms_between(start_at, answered),
        quiet_ms,
        readings,
    })
}

/// The record of a request: its status, and the time of its answer.
type Shot = (Option<u16>, Option<Instant>);

/// Drives the storm in short steps, so that the number of those who still wait is always fresh. The connections
/// close when all are answered.
fn drive(
    mut storm: client::Burst,
    waiting: &AtomicUsize,
    give_up_at: Instant,
) -> Result<Vec<Shot>, wire::Error> {
    loop {
        let all = storm.drive(Instant::now() + Duration::from_millis(5))?;
        let left = storm.shots().iter().filter(|shot| !shot.is_done()).count();
        waiting.store(left, Ordering::Relaxed);
        if all || Instant::now() >= give_up_at {
            return Ok(storm.shots().iter().map(|shot| (shot.status(), shot.done_at)).collect());
        }
    }
}

/// Reads until the storm is over and no work is left; gives when that was.
fn read_until_quiet(
    over: &AtomicBool,
    start_at: Instant,
    give_up_at: Instant,
    read: &dyn Fn(Option<Instant>) -> Result<Reading, Failure>,
) -> Result<(Option<f64>, Vec<Reading>), Failure> {
    let mut readings: Vec<Reading> = Vec::new();
    loop {
        // Asked before the reading: work may have begun between the two otherwise.
        let is_over = over.load(Ordering::Relaxed);
        let reading = read(Some(start_at))?;
        readings.push(reading);
        if is_over && reading.work == 0 {
            return Ok((quiet_since(&readings), readings));
        }
        if is_over && Instant::now() >= give_up_at {
            return Ok((None, readings));
        }
        std::thread::sleep(EVERY);
    }
}

/// The first of the readings without work after the last one with some.
fn quiet_since(readings: &[Reading]) -> Option<f64> {
    let busy = readings.iter().rposition(|reading| reading.work > 0).map_or(0, |last| last + 1);
    readings.get(busy).map(|reading| reading.at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: f64, requests: u64, work: u64) -> Reading {
        Reading { at_ms, requests, work, threads: work + 3, ..Reading::default() }
    }

    fn storm(readings: Vec<Reading>) -> Storm {
        Storm {
            server: "x".into(),
            style: "drop".into(),
            round: 0,
            requests: 10,
            answered_504: 10,
            answered_ms: 500.0,
            quiet_ms: quiet_since(&readings),
            readings,
        }
    }

    #[test]
    fn the_area_is_what_no_request_waited_for() {
        let storm = storm(vec![
            reading(0.0, 10, 10),
            reading(500.0, 0, 10),
            reading(1500.0, 0, 10),
            reading(1500.0, 0, 0),
        ]);
        assert_eq!(storm.zombie_area(), 12.5);
        assert_eq!((storm.left_behind(), storm.quiesce_ms()), (10, Some(1000.0)));
    }

    #[test]
    fn work_that_stops_with_its_answers_leaves_nothing() {
        let storm = storm(vec![
            reading(0.0, 10, 0),
            reading(250.0, 10, 10),
            reading(501.0, 0, 0),
            reading(800.0, 0, 0),
        ]);
        assert_eq!((storm.zombie_area(), storm.left_behind(), storm.quiesce_ms()), (0.0, 0, Some(1.0)));
    }

    #[test]
    fn the_peak_takes_each_number_at_its_own_moment() {
        let mut late = reading(900.0, 0, 1);
        late.pss = 7;
        let storm = storm(vec![reading(0.0, 10, 10), late]);
        assert_eq!((storm.peak().threads, storm.peak().pss), (13, 7));
    }
}
