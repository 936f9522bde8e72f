//! Runs with made-up figures, for tests of this crate and of those above it.

use std::time::Duration;

use load::Row;
use suite::document::{self, Document, Limits, Server};
use suite::verdict::Verdict;
use testbed::machine::Machine;
use testbed::noise::Noise;

use crate::disconnect::Disconnect;
use crate::footprint::{self, Footprint, State};
use crate::interference::{Interference, Slot};
use crate::leak::{Leak, Round};
use crate::measurement::Size;
use crate::outside::{End, Outside};
use crate::overshoot::Overshoot;
use crate::registry::{Measured, Plan};
use crate::results::Results;
use crate::stats::Summary;
use crate::storm::{Reading, Storm};
use crate::streams::rapid_reset::RapidReset;
use crate::streams::reset::Resets;
use crate::throughput::Fast;
use crate::zombie::{How, Life};

/// Results of these servers with nothing measured.
pub fn empty(names: &[&str]) -> Results {
    let document = Document {
        machine: Machine { kernel: "6.1".into(), cores: 2, ..Machine::default() },
        noise: Noise { p50_ms: 0.1, p99_ms: 0.5, max_ms: 1.0 },
        servers: names.iter().map(|name| Server::new(name, "")).collect(),
        limits: Some(Limits { zombie_ms: 25.0 }),
        ..Document::empty()
    };
    Results::new(document, Plan::of(Size::Quick), Measured::default())
}

/// A quick run of one server and one scenario, in which the lateness of 500 requests at once was measured.
pub fn run(rounds: &[&[f64]]) -> Results {
    let mut results = empty(&["x"]);
    let row = document::Row::whole_server("x", "work/drop", Verdict::Pass, "seen");
    results.results = vec![document::Row { attempts: 1, ..row }];
    results.measured.overshoot = vec![latenesses("x", rounds)];
    results
}

/// Results of one server with one record of every measurement, two of disconnects.
pub fn everything() -> Results {
    let mut results = empty(&["x"]);
    let measured = &mut results.measured;
    measured.overshoot = vec![latenesses("x", &[&[0.5, 1.5]])];
    measured.spread = vec![latenesses("x", &[&[0.25]])];
    measured.zombie = vec![life("x", "drop", 5.0)];
    let disconnect =
        |last_ms, how| Disconnect { server: "x".into(), action: "FIN".into(), round: 0, last_ms, how };
    measured.disconnect = vec![disconnect(2.5, Some(How::Canceled)), disconnect(900.0, Some(How::Completed))];
    measured.outside = vec![outside("x", "query", End::Deadline, 3.5)];
    measured.streams = vec![latenesses("x", &[&[0.75]])];
    measured.resets = vec![Resets { server: "x".into(), round: 0, took_ms: vec![0.1, 0.3], missed: 1 }];
    measured.rapid_reset = vec![RapidReset {
        server: "x".into(),
        round: 0,
        resets: 5_000,
        connections: 3,
        begun: 40,
        most: 20,
        left: 0,
        cpu_ms: 12.5,
    }];
    measured.storm = vec![storm("x", 0, 5)];
    let row = Row { per_second: 1000.0, ..Row::default() };
    let fast = Fast { server: "x".into(), floor: false, round: 0, at_ms: None, row: row.clone() };
    (measured.throughput, measured.latency) = (vec![fast.clone()], vec![fast]);
    let reading = |held: usize| footprint::Reading {
        held,
        pss: 1_000_000 + 13_000 * held as u64,
        anonymous: 0,
        threads: 1,
        descriptors: 1,
    };
    measured.footprint = vec![Footprint::of("x", State::Idle, 0, vec![reading(0), reading(100)])];
    let slot = |at_ms| Slot { at_ms, answered: 50, missing: 0, latency_ms: Summary::of([1.0]) };
    measured.interference = vec![Interference {
        server: "x".into(),
        style: "drop".into(),
        round: 0,
        requests: 500,
        burst_ms: 50.0,
        answered_ms: None,
        slots: vec![slot(0.0), slot(50.0)],
        row,
    }];
    let round = |threads| Round { work: 0, threads, descriptors: 9, pss: 1, anonymous: 1 };
    measured.leak = vec![Leak::of("x", &results.plan.leak, vec![round(4), round(5), round(6)])];
    results
}

/// A request answered at 301 ms whose work ended then, or went on for so long.
pub fn life(server: &str, style: &str, tail: f64) -> Life {
    let mut life = Life::unknown(server, style, 0, Duration::from_millis(300));
    (life.status, life.answered_ms, life.started_ms) = (Some(504), Some(301.0), Some(0.2));
    (life.ended_ms, life.watched_ms) = (Some(301.0 + tail), 4000.0);
    life
}

/// Work outside that went on for so long after its request.
pub fn outside(server: &str, style: &str, end: End, outlived_ms: f64) -> Outside {
    let status = (end == End::Deadline).then_some(504);
    let (server, style) = (server.to_owned(), style.to_owned());
    let (began_ms, over_ms) = (Some(5.0), Some(301.0));
    let (endless, defunct) = (false, false);
    Outside { server, style, end, round: 0, began_ms, over_ms, status, outlived_ms, endless, defunct }
}

/// The lateness of 504s of 500 requests at once: a list for each round.
pub fn latenesses(server: &str, rounds: &[&[f64]]) -> Overshoot {
    let mut overshoot = Overshoot::new(server, 500, Duration::from_millis(400));
    overshoot.rounds_ms = rounds.iter().map(|round| round.to_vec()).collect();
    overshoot.summary_ms = Summary::of(overshoot.rounds_ms.iter().flatten().copied());
    overshoot
}

/// Results with something of everything that is measured.
pub fn whole() -> Results {
    let mut results = empty(&["tokio", "threads"]);
    let mut row = document::Row::whole_server("threads", "work/drop", Verdict::Xfail, "went on");
    (row.figures, row.trace) =
        (vec![("late_ms".to_owned(), 1.5)], vec!["0.00 ms  #1 > GET /slow".to_owned()]);
    row.attempts = 1;
    results.results = vec![
        document::Row {
            attempts: 1,
            ..document::Row::whole_server("tokio", "work/drop", Verdict::Pass, "stopped")
        },
        row,
    ];
    results.measured.overshoot =
        vec![latenesses("tokio", &[&[0.5; 20]]), latenesses("threads", &[&[9.0; 20]])];
    results.measured.zombie = vec![life("tokio", "drop", 0.1), life("threads", "drop", 2699.0)];
    results.measured.storm = vec![storm("tokio", 0, 5), storm("threads", 500, 1004)];
    results
}

/// Returns a storm of 500 requests, of whose units of work so many run on for a second after the last answer.
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
        round: 0,
        requests: 500,
        answered_504: 500,
        answered_ms: 500.0,
        quiet_ms: Some(if left > 0 { 1500.0 } else { 490.0 }),
        readings: vec![before, reading(100.0, 500, 500), reading(501.0, 0, left), reading(1500.0, 0, 0)],
    }
}
