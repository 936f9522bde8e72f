//! The footprint of a connection, idle and with a request in flight: the slope of a line through several numbers of
//! them.
//!
//! One reading would count what the process has anyway, and what its allocator took in advance. Memory that the kernel keeps
//! for a socket is in no process and not counted, alike for all.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::verdict::Failure;
use testbed::proc;
use testbed::server::Server;
use wire::Request;
use wire::burst::Storm;

use crate::plan;
use crate::stats::Line;

/// The flags of every server: a deadline that no held request meets.
pub const FLAGS: &[(&str, &str)] = &[("--request-timeout", "60s")];
/// The time in which the memory must come to rest.
const REST: Duration = Duration::from_secs(6);
/// From one reading to the next.
const EVERY: Duration = Duration::from_millis(60);

/// The states of the held connections.
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
pub struct Memory {
    /// The server.
    pub server: String,
    /// The state of its connections.
    pub state: State,
    /// Which turn it was, from 0.
    pub turn: usize,
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
pub fn watch(server: &Server, plan: &plan::Memory, state: State) -> Result<Vec<Reading>, Failure> {
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let request = match state {
        State::Idle => Request::get("/fast"),
        State::InFlight => Request::get("/slow?work=50s&tick=10s"),
    };
    let give_up_at = Instant::now() + Duration::from_secs(60);
    // The first request of a process pays for what later ones find there.
    Storm::launch(server.address(), vec![Request::get("/fast")], give_up_at)?.finish()?;
    let (mut storms, mut readings): (Vec<Storm>, Vec<Reading>) = (Vec::new(), Vec::new());
    let mut launched = 0;
    for held in &plan.held {
        let more = vec![request.clone(); held.saturating_sub(launched)];
        launched = launched.max(*held);
        if !more.is_empty() {
            storms.push(Storm::launch(server.address(), more, give_up_at)?);
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
fn at_rest(pid: u32, storms: &mut [Storm], state: State) -> Result<(proc::Usage, usize), Failure> {
    let until = Instant::now() + REST;
    let held_now = |storms: &[Storm]| storms.iter().map(|storm| held_by(storm, state)).sum();
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
fn held_by(storm: &Storm, state: State) -> usize {
    let shots = storm.shots().iter();
    match state {
        State::Idle => shots.filter(|shot| shot.status() == Some(200)).count(),
        State::InFlight => shots.filter(|shot| !shot.is_done()).count(),
    }
}

impl Memory {
    /// Fits lines through the readings.
    pub fn of(server: &str, state: State, turn: usize, readings: Vec<Reading>) -> Self {
        let line = |of: fn(&Reading) -> u64| {
            let points = readings.iter().map(|reading| (reading.held as f64, of(reading) as f64));
            Line::through(&points.collect::<Vec<_>>())
        };
        let (pss, anonymous) = (line(|reading| reading.pss), line(|reading| reading.anonymous));
        Self { server: server.to_owned(), state, turn, readings, pss, anonymous }
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
        let memory = Memory::of("x", State::InFlight, 0, [0, 100, 1000].map(reading).to_vec());
        let (pss, anonymous) = (memory.pss.unwrap(), memory.anonymous.unwrap());
        assert_eq!(
            (pss.slope.round(), pss.base.round(), anonymous.slope.round()),
            (12_000.0, 3_000_000.0, 10_000.0)
        );
        assert!(pss.r2 > 0.999_999);
        assert_eq!(Memory::of("x", State::Idle, 0, vec![reading(0)]).pss, None);
    }
}
