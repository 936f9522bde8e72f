//! Leaks: the change that each storm leaves. It is never compared with the state before the first, for allocators keep
//! memory.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::verdict::Failure;
use testbed::census;
use testbed::proc;
use testbed::server::Server;
use wire::Request;
use wire::burst::Storm;

use crate::plan;
use crate::stats::Line;

/// The time for which work may run on past its natural end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time for which the server is left alone before it is read.
const SETTLE: Duration = Duration::from_millis(200);

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
    /// Live work, as the census counts it.
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
pub fn watch(server: &Server, plan: &plan::Leak) -> Result<Vec<Round>, Failure> {
    let admin = server.admin().ok_or_else(|| Failure::unsupported("no census"))?;
    let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    let (style, work) = (&plan.style, plan.work.as_millis());
    let request = Request::get(format!("/slow?style={style}&work={work}ms&tick=50ms")).timeout(plan.deadline);
    let mut rounds = Vec::with_capacity(plan.rounds);
    for _ in 0..plan.rounds {
        let give_up_at = Instant::now() + plan.work + PATIENCE;
        Storm::launch(server.address(), vec![request.clone(); plan.requests], give_up_at)?.finish()?;
        // Work that never ends is what is looked for: then the reading says so.
        let _ = census::wait_until(admin, plan.work + PATIENCE, "no work", |census| census.work.live == 0);
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
    pub fn of(server: &str, plan: &plan::Leak, rounds: Vec<Round>) -> Self {
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
        let leak = Leak::of("x", &plan::Plan::full().leak, rounds);
        assert_eq!((leak.threads.unwrap().slope, leak.descriptors.unwrap().slope), (0.0, 2.0));
    }
}
