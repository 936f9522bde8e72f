//! Leaks: the change that each storm leaves. It is never compared with the state before the first, for allocators keep
//! memory.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::census;
use testbed::proc;
use testbed::server::Server;
use wire::Request;
use wire::burst::Burst;

use crate::measurement::{Measurement, Size, millis};
use crate::results::Results;
use crate::schedule::{Taker, styled};
use crate::series::{Gathered, Sample};
use crate::stats::Line;
use crate::table::Table;

pub mod summary;

/// The time for which work may run on past its natural end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time for which the server is left alone before it is read.
const SETTLE: Duration = Duration::from_millis(200);

/// Storms on one process, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The style of the work.
    pub style: String,
    /// Requests of each storm.
    pub requests: usize,
    /// The deadline.
    pub deadline_ms: u64,
    /// The work that a request asks for.
    pub work_ms: u64,
    /// Storms on one process.
    pub storms: usize,
    /// Rounds of each server, each on a process of its own.
    pub rounds: usize,
}

/// Measures what storm after storm leaves behind on one process.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Leak;
    type Plan = Plan;

    fn plan(size: Size) -> Plan {
        Plan {
            style: "drop".to_owned(),
            requests: 300,
            deadline_ms: 200,
            work_ms: 500,
            storms: 7,
            rounds: size.pick(0, 0, 1),
        }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Leak> {
        let mut step = taker.step("", plan.rounds);
        step.supports = vec![Capability::Admin, Capability::Process, styled(&plan.style)];
        let taken = taker.take(&step, |slot| watch(slot.server, plan));
        taken.into_iter().map(|round| Leak::of(round.subject.name(), plan, round.found)).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        let leaks = &results.measured.leak;
        for (index, leak) in leaks.iter().enumerate() {
            let same = |other: &&Leak| (&other.server, &other.style) == (&leak.server, &leak.style);
            let round = leaks[..index].iter().filter(same).count();
            let figures: [(&str, &str, f64, Option<Line>); 4] = [
                ("work", "works", 1.0, leak.work),
                ("threads", "threads", 1.0, leak.threads),
                ("descriptors", "descriptors", 1.0, leak.descriptors),
                ("memory", "bytes", 1e5, leak.anonymous),
            ];
            for (what, unit, least, line) in figures {
                let what = format!("left by each storm, {}: {what}", leak.style);
                let value = line.map(|line| line.slope);
                all.less(Sample { server: &leak.server, what, round, value }, unit, least);
            }
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

/// Rounds of storms on one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leak {
    /// The server.
    pub server: String,
    /// The style of the work.
    pub style: String,
    /// Requests of each storm.
    pub requests: usize,
    /// A reading after each storm.
    pub rounds: Vec<Round>,
    /// The change of live work per round. The first round is left out of every slope: it pays for what later ones find.
    pub work: Option<Line>,
    /// The change of threads per round.
    pub threads: Option<Line>,
    /// The change of descriptors per round.
    pub descriptors: Option<Line>,
    /// The change of anonymous memory per round, bytes.
    pub anonymous: Option<Line>,
}

/// The process when a storm is over and its work has ended, or patience has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Live work, as the server counts it.
    pub work: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors.
    pub descriptors: u64,
    /// Proportional set size in bytes.
    pub pss: u64,
    /// The anonymous part of it.
    pub anonymous: u64,
}

/// Lets storm after storm time out.
///
/// # Errors
/// When the server has no census or is not our process, or requests are lost.
fn watch(server: &Server, plan: &Plan) -> Result<Vec<Round>, Failure> {
    let admin = server.admin().ok_or_else(|| Failure::unsupported("no count of its own"))?;
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let (style, work) = (&plan.style, plan.work_ms);
    let request = Request::get(format!("/slow?style={style}&work={work}ms&tick=50ms"))
        .timeout(millis(plan.deadline_ms));
    let mut rounds = Vec::with_capacity(plan.storms);
    for _ in 0..plan.storms {
        let give_up_at = Instant::now() + millis(plan.work_ms) + PATIENCE;
        Burst::launch(server.address(), vec![request.clone(); plan.requests], give_up_at)?.finish()?;
        // Work that never ends is what is looked for: then the reading says so.
        let _ = census::wait_until(admin, millis(plan.work_ms) + PATIENCE, "no work", |census| {
            census.work.live == 0
        });
        std::thread::sleep(SETTLE);
        let (usage, census) = (proc::usage(pid)?, census::Census::read(admin)?);
        rounds.push(Round {
            work: census.work.live,
            threads: usage.threads,
            descriptors: usage.descriptors,
            pss: usage.pss,
            anonymous: usage.pss_anon,
        });
    }
    Ok(rounds)
}

impl Leak {
    /// Fits lines through all rounds but the first.
    pub fn of(server: &str, plan: &Plan, rounds: Vec<Round>) -> Self {
        let line = |of: fn(&Round) -> u64| {
            let points = rounds.iter().enumerate().skip(1);
            let points = points.map(|(number, round)| (number as f64, of(round) as f64));
            Line::through(&points.collect::<Vec<_>>())
        };
        Self {
            server: server.to_owned(),
            style: plan.style.clone(),
            requests: plan.requests,
            work: line(|round| round.work),
            threads: line(|round| round.threads),
            descriptors: line(|round| round.descriptors),
            anonymous: line(|round| round.anonymous),
            rounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_round_takes_for_good_is_no_leak() {
        let round = |threads, descriptors| Round { work: 0, threads, descriptors, pss: 0, anonymous: 0 };
        let rounds = vec![round(4, 10), round(40, 12), round(40, 14), round(40, 16)];
        let leak = Leak::of("x", &Measure::plan(Size::Full), rounds);
        assert_eq!((leak.threads.unwrap().slope, leak.descriptors.unwrap().slope), (0.0, 2.0));
    }
}
