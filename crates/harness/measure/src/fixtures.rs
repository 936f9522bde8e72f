//! Runs with made-up figures, for tests of this crate and of those above it.

use std::time::Duration;

use suite::profile::Profile;
use suite::run::Row;
use suite::verdict::Verdict;
use testbed::machine::Machine;
use testbed::noise::Noise;

use crate::overshoot::Overshoot;
use crate::plan::Plan;
use crate::results::{Chosen, Compared, Limits, Results, SCHEMA, Status};
use crate::schedule::Measured;
use crate::stats::Summary;
use crate::storm::{Reading, Storm};
use crate::zombie::Life;

/// The document of a quick run of one server.
pub const RUN: &str = include_str!("fixtures/run.json");

/// Results of these servers with nothing measured.
pub fn empty(names: &[&str]) -> Results {
    let server = |name: &&str| Compared {
        name: (*name).to_owned(),
        about: String::new(),
        version: None,
        status: Status::Compared,
        error: None,
        binary: None,
    };
    Results {
        schema: SCHEMA,
        taken_at: String::new(),
        took_ms: 0,
        command: Vec::new(),
        machine: Machine { kernel: "6.1".into(), cpu: None, cores: 2, memory: None, load: None, rustc: None },
        noise: Noise { p50_ms: 0.1, p99_ms: 0.5, max_ms: 1.0 },
        limits: Limits { zombie_ms: 25.0 },
        profile: Profile::Ci,
        scenarios: Chosen { chosen: 0, of: 0, which: String::new() },
        plan: Plan::quick(),
        servers: names.iter().map(server).collect(),
        results: Vec::new(),
        measured: Measured::default(),
    }
}

/// A request answered at 301 ms whose work ended then, or went on for so long.
pub fn life(server: &str, style: &str, tail: f64) -> Life {
    let mut life = Life::unknown(server, style, 0, Duration::from_millis(300));
    (life.status, life.answered_ms, life.started_ms) = (Some(504), Some(301.0), Some(0.2));
    (life.ended_ms, life.watched_ms) = (Some(301.0 + tail), 4000.0);
    life
}

/// The lateness of 504s of 500 requests at once: a list for each turn.
pub fn latenesses(server: &str, turns: &[&[f64]]) -> Overshoot {
    let mut overshoot = Overshoot::new(server, 500, Duration::from_millis(400));
    overshoot.turns_ms = turns.iter().map(|turn| turn.to_vec()).collect();
    overshoot.summary_ms = Summary::of(overshoot.turns_ms.iter().flatten().copied());
    overshoot
}

/// Results with something of everything that is measured.
pub fn whole() -> Results {
    let mut results = empty(&["tokio", "threads"]);
    let mut row = Row::whole_server("threads", "work/drop", Verdict::Xfail, "went on");
    (row.figures, row.trace) =
        (vec![("late_ms".to_owned(), 1.5)], vec!["0.00 ms  #1 > GET /slow".to_owned()]);
    row.attempts = 1;
    results.results =
        vec![Row { attempts: 1, ..Row::whole_server("tokio", "work/drop", Verdict::Pass, "stopped") }, row];
    results.measured.overshoot =
        vec![latenesses("tokio", &[&[0.5; 20]]), latenesses("threads", &[&[9.0; 20]])];
    results.measured.tails = vec![life("tokio", "drop", 0.1), life("threads", "drop", 2699.0)];
    results.measured.storms = vec![storm("tokio", 0, 5), storm("threads", 500, 1004)];
    results
}

/// A storm of 500 requests whose work is left for a while, or is not.
pub fn storm(server: &str, left: u64, threads: u64) -> Storm {
    let reading = |at_ms, requests, work| Reading {
        at_ms,
        requests,
        work,
        threads,
        pss: 2_000_000,
        ..Reading::default()
    };
    let before = Reading { threads: 3, pss: 1_000_000, ..Reading::default() };
    Storm {
        server: server.to_owned(),
        style: "drop".into(),
        turn: 0,
        requests: 500,
        answered_504: 500,
        answered_ms: 500.0,
        quiet_ms: Some(if left > 0 { 1500.0 } else { 490.0 }),
        readings: vec![before, reading(100.0, 500, 500), reading(501.0, 0, left), reading(1500.0, 0, 0)],
    }
}
