//! The footprint of a connection, idle and with a request in flight: the slope of a line through several numbers of
//! them.
//!
//! One reading would count what the process has anyway, and what its allocator took in advance. Memory that the kernel keeps
//! for a socket is in no process and not counted, alike for all.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::proc;
use testbed::server::Server;
use wire::Request;
use wire::burst::Burst;

use crate::measurement::{Measurement, Size};
use crate::results::Results;
use crate::schedule::Taker;
use crate::series::{Gathered, Sample};
use crate::stats::Line;
use crate::table::Table;

pub mod summary;

/// The flags of every server: a deadline that no held request meets.
const FLAGS: &[(&str, &str)] = &[("--request-timeout", "60s")];
/// The time in which the memory comes to rest.
const REST: Duration = Duration::from_secs(6);
/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(60);

/// Connections that are held, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The numbers of connections, a reading each, ascending.
    pub held: Vec<usize>,
    /// Rounds of each server with idle connections.
    pub idle_rounds: usize,
    /// Rounds of each server with requests in flight.
    pub in_flight_rounds: usize,
}

/// Measures the memory of a connection, idle and with a request in flight.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Footprint;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["memory"];
    const FLOORS: bool = true;

    fn plan(size: Size) -> Plan {
        Plan {
            held: size.pick(vec![0, 100, 1000], vec![0, 100, 1000], vec![0, 100, 1000, 5000, 10_000]),
            idle_rounds: size.pick(0, 0, 2),
            in_flight_rounds: size.pick(1, 1, 5),
        }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.idle_rounds, &mut plan.in_flight_rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Footprint> {
        let process = Capability::Process;
        let in_flight = vec![process, Capability::FlagRequestTimeout];
        let mut all = Vec::new();
        for (state, what, rounds, supports, flags) in [
            (State::Idle, "idle", plan.idle_rounds, vec![process], &[][..]),
            (State::InFlight, "in flight", plan.in_flight_rounds, in_flight, FLAGS),
        ] {
            let mut step = taker.step(what, rounds);
            (step.supports, step.flags) = (supports, flags);
            let able: Vec<_> = taker.floors().iter().filter(|floor| step.suits(floor)).collect();
            step.servers.extend(able);
            let taken = taker.take(&step, |slot| watch(slot.server, &plan.held, state));
            all.extend(taken.into_iter().map(|r| Footprint::of(r.subject.name(), state, r.number, r.found)));
        }
        all
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        for memory in &results.measured.footprint {
            let what = match memory.state {
                State::Idle => "memory of one idle connection",
                State::InFlight => "memory of one request in flight",
            };
            let (what, value) = (what.to_owned(), memory.pss.map(|line| line.slope));
            all.less(Sample { server: &memory.server, what, round: memory.round, value }, "bytes", 500.0);
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

/// The state of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// One request was answered, and the connection is kept alive.
    Idle,
    /// A `/slow` request is in flight.
    InFlight,
}

/// The memory of one server by what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Footprint {
    /// The server.
    pub server: String,
    /// The state of its connections.
    pub state: State,
    /// The number of the round, from 0.
    pub round: usize,
    /// A reading for each number of connections, ascending.
    pub readings: Vec<Reading>,
    /// Proportional set size in bytes by connections; none when there are fewer than two readings.
    pub pss: Option<Line>,
    /// The anonymous part of it: heap and stacks, and no pages of files.
    pub anonymous: Option<Line>,
}

/// The process at rest with so many connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Connections that are really held: what the server turned away is not among them.
    pub held: usize,
    /// Proportional set size in bytes.
    pub pss: u64,
    /// The anonymous part of it.
    pub anonymous: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors.
    pub descriptors: u64,
}

/// Holds more and more connections, and reads the process each time it has come to rest.
///
/// # Errors
/// When the server is not our process, or sockets cannot be made.
fn watch(server: &Server, numbers: &[usize], state: State) -> Result<Vec<Reading>, Failure> {
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let request = match state {
        State::Idle => Request::get("/fast"),
        State::InFlight => Request::get("/slow?work=50s&tick=10s"),
    };
    let give_up_at = Instant::now() + Duration::from_secs(60);
    // The first request of a process pays for what later ones find there.
    Burst::launch(server.address(), vec![Request::get("/fast")], give_up_at)?.finish()?;
    let (mut storms, mut readings): (Vec<Burst>, Vec<Reading>) = (Vec::new(), Vec::new());
    let mut launched = 0;
    for held in numbers {
        let more = vec![request.clone(); held.saturating_sub(launched)];
        launched = launched.max(*held);
        if !more.is_empty() {
            storms.push(Burst::launch(server.address(), more, give_up_at)?);
        }
        let (usage, held) = at_rest(pid, &mut storms, state)?;
        readings.push(Reading {
            held,
            pss: usage.pss,
            anonymous: usage.pss_anon,
            threads: usage.threads,
            descriptors: usage.descriptors,
        });
    }
    Ok(readings)
}

/// Reads until three readings in a row agree within half a percent, and nothing more is answered or turned away; gives how
/// many connections are held too.
fn at_rest(pid: u32, storms: &mut [Burst], state: State) -> Result<(proc::Usage, usize), Failure> {
    let until = Instant::now() + REST;
    let held_now = |storms: &[Burst]| storms.iter().map(|storm| held_by(storm, state)).sum();
    let (mut last, mut last_held, mut alike): (_, usize, _) = (proc::usage(pid)?, held_now(storms), 0);
    while alike < 2 && Instant::now() < until {
        let next_at = Instant::now() + EVERY;
        // Thousands of answers take their time to be read, and whoever was turned away is known only then.
        let share = EVERY / storms.len().max(1) as u32;
        for storm in storms.iter_mut() {
            storm.drive(Instant::now() + share)?;
        }
        std::thread::sleep(next_at.saturating_duration_since(Instant::now()));
        let (now, held) = (proc::usage(pid)?, held_now(storms));
        let is_alike = now.pss.abs_diff(last.pss) * 200 <= last.pss && now.threads == last.threads;
        alike = if is_alike && held == last_held { alike + 1 } else { 0 };
        (last, last_held) = (now, held);
    }
    Ok((last, last_held))
}

/// Returns the number of connections of a storm that are in that state.
fn held_by(storm: &Burst, state: State) -> usize {
    let shots = storm.shots().iter();
    match state {
        State::Idle => shots.filter(|shot| shot.status() == Some(200)).count(),
        State::InFlight => shots.filter(|shot| !shot.is_done()).count(),
    }
}

impl Footprint {
    /// Fits lines through the readings.
    pub fn of(server: &str, state: State, round: usize, readings: Vec<Reading>) -> Self {
        let line = |of: fn(&Reading) -> u64| {
            let points = readings.iter().map(|reading| (reading.held as f64, of(reading) as f64));
            Line::through(&points.collect::<Vec<_>>())
        };
        let (pss, anonymous) = (line(|reading| reading.pss), line(|reading| reading.anonymous));
        Self { server: server.to_owned(), state, round, readings, pss, anonymous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_what_one_more_costs_and_not_what_the_process_has_anyway() {
        let reading = |held: usize| Reading {
            held,
            pss: 3_000_000 + 12_000 * held as u64,
            anonymous: 1_000_000 + 10_000 * held as u64,
            threads: 4,
            descriptors: 9,
        };
        let memory = Footprint::of("x", State::InFlight, 0, [0, 100, 1000].map(reading).to_vec());
        let (pss, anonymous) = (memory.pss.unwrap(), memory.anonymous.unwrap());
        assert_eq!(
            (pss.slope.round(), pss.base.round(), anonymous.slope.round()),
            (12_000.0, 3_000_000.0, 10_000.0)
        );
        assert!(pss.r2 > 0.999_999);
        assert_eq!(Footprint::of("x", State::Idle, 0, vec![reading(0)]).pss, None);
    }
}
