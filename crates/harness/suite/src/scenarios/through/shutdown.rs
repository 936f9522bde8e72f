//! The intermediary is stopped while answers are owed.

use std::time::{Duration, Instant};

use testbed::upstream::Reply;
use wire::Leave;

use super::{BASE, arrives, behind, is_answer_of, ms, send, told};
use crate::ensure;
use crate::scenario::{Bench, Judges, Level, Outcome, Scenario, Slot};

const STOP: Scenario = Scenario {
    judges: &[Judges::Answer],
    slot: Slot::Own,
    limit: Duration::from_secs(30),
    why: "every deployment stops every intermediary once",
    wrong: "which signal drains and which one drops differs from one to the next, and is often not the one that a supervisor \
            sends",
    ..BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/drains",
        promise: "a request that is under way when the intermediary is told to drain is answered whole",
        sent: "a request that the upstream answers after 600 ms; 50 ms after it came there, the signal that drains",
        run: drains,
        ..STOP
    },
    Scenario {
        id: "through/drain-hears-leaving",
        promise: "a client that leaves while the intermediary drains has its upstream told",
        judges: &[Judges::Work],
        sent: "a request that the upstream does not answer; the signal that drains; 100 ms later FIN",
        run: hears,
        ..STOP
    },
    Scenario {
        id: "through/drain-ends",
        promise: "an intermediary that drains ends when the last answer has gone",
        level: Level::Should,
        judges: &[Judges::Connection],
        sent: "a request that the upstream answers after 300 ms; the signal that drains",
        why: "a supervisor that waits in vain kills, and the next one waits for its port",
        run: ends,
        ..STOP
    },
];

fn drains(bench: &Bench) -> Outcome {
    let (mut wire, id) = send(bench, "/", Reply::late(bench.ms(600)))?;
    arrives(bench, &id)?;
    std::thread::sleep(bench.ms(50));
    bench.server().signal(behind(bench)?.stop);
    is_answer_of(&wire.answer()?.response, &id)?;
    Ok("answered whole".into())
}

fn hears(bench: &Bench) -> Outcome {
    let (wire, id) = send(bench, "/", Reply::NOTHING)?;
    arrives(bench, &id)?;
    bench.server().signal(behind(bench)?.stop);
    std::thread::sleep(bench.ms(100));
    let (left_at, _) = Leave::Fin.act(wire);
    let after = told(bench, &id, left_at, "its client left while the intermediary drained")?;
    Ok(format!("told after {}", ms(after)).into())
}

fn ends(bench: &Bench) -> Outcome {
    let (mut wire, id) = send(bench, "/", Reply::late(bench.ms(300)))?;
    arrives(bench, &id)?;
    bench.server().signal(behind(bench)?.stop);
    let answered = wire.answer().is_ok_and(|answer| answer.status() == 200);
    let at = Instant::now();
    drop(wire);
    let status = bench.server().wait_end(bench.ms(5000));
    let Some(status) = status else {
        return Err(crate::scenario::Failure::broken(format!(
            "it still runs {:.1?} after the last {}",
            at.elapsed(),
            if answered { "answer" } else { "connection" }
        )));
    };
    ensure!(answered, "the answer under way was dropped");
    Ok(format!("ended {:.1?} after the last answer ({status})", at.elapsed()).into())
}
