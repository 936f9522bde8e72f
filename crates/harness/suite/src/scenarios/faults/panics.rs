//! Panics: the one request fails, the server goes on.

use std::time::Instant;

use testbed::capability::Capability::{Admin, EndpointPanic, ParamWork, Witness};
use testbed::census::Census;
use testbed::witness::Word;
use wire::{End, Request};

use crate::bench::Bench;
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Failure, Judges, Outcome, Scenario, Slot};
use crate::scenarios::faults::serves;

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/panic-handler",
        promise: "a handler that panics is answered 500 and closed, or closed; 100 panics later all else works",
        judges: BOTH,
        needs: &[EndpointPanic, Admin],
        slot: Slot::Own,
        sent: "100 times `GET /panic`, a connection each; then `GET /fast` and `GET /slow?work=20ms`; the server's count",
        why: "one bad request must cost one request",
        wrong: "a panic on the executor's own thread ends a smol worker for good; `panic = \"abort\"` ends the process",
        sources: &["https://docs.rs/tokio/latest/tokio/task/struct.JoinError.html"],
        run: panic_handler,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/panic-in-work",
        promise: "work that panics is over: its heartbeats say so, the server counts it, and none is left",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[EndpointPanic, Admin, Witness],
        slot: Slot::Own,
        sent: "100 times `GET /panic` with an id each, 20 at once; the server's count before and after",
        why: "a guard that a panic jumps over is a leak that no deadline frees",
        wrong: "counters that are counted down at the end of a function and not by a guard",
        run: panic_in_work,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/panic-spares-others",
        promise: "requests that run while others panic are answered as if nothing had happened",
        judges: &[Judges::Answer],
        needs: &[EndpointPanic, ParamWork],
        slot: Slot::Own,
        sent: "20 times `GET /slow?work=600ms` with `grpc-timeout: 1800m`; meanwhile 40 times `GET /panic`",
        why: "a lock that a panic poisons, or a task that it takes along, fails strangers",
        wrong: "smol and async-std hand a task's panic on to whoever awaits it",
        sources: &["https://docs.rs/async-task/latest/async_task/struct.Task.html"],
        run: panic_spares_others,
        ..Scenario::BASE
    },
];

/// Asks for a panic; it must be answered 500, or not at all, and the connection must end.
fn panic_once(bench: &Bench) -> Result<(), Failure> {
    let mut wire = bench.connect()?;
    match wire.ask(&Request::get("/panic").id(bench.id())) {
        Ok(answer) => ensure!(answer.status() == 500, "{} instead of 500 for /panic", answer.status()),
        Err(_) if wire.is_over() => return Ok(()),
        Err(failure) => return Err(failure.into()),
    }
    let (end, _) = wire.end(bench.patience())?;
    ensure!(end != End::Silence, "the connection is still open behind the panic's 500");
    Ok(())
}

fn panic_handler(bench: &Bench) -> Outcome {
    let before = bench.census()?;
    for _ in 0..100 {
        panic_once(bench)?;
    }
    serves(bench)?;
    let worked = bench.ask(&bench.slow_for(bench.ms(20), bench.ms(1500), ""))?;
    ensure!(worked.status() == 200, "{} instead of 200 for /slow after 100 panics", worked.status());
    let back = |census: &Census| {
        census.is_quiet()
            && census.contexts.live <= before.contexts.live
            && census.connections.live <= before.connections.live
    };
    let (after, _) = bench.census_until(bench.patience(), "back where it was", back)?;
    Ok(format!("100 panics; {}", after.line()).into())
}

fn panic_in_work(bench: &Bench) -> Outcome {
    let before = bench.census()?.work;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let requests: Vec<_> = (0..20).map(|_| Request::get("/panic").id(bench.id())).collect();
        ids.extend(requests.iter().filter_map(Request::id_given).map(str::to_owned));
        for shot in bench.storm(requests)?.finish()? {
            let status = shot.status();
            ensure!(matches!(status, None | Some(500)), "{} instead of 500 for /panic", or_none(status));
        }
    }
    for id in &ids {
        let (_, how) = bench.work_ends(id, bench.patience())?;
        ensure!(how == Word::Panicked, "the work of {id} says {how} and not that it panicked");
    }
    let counted = |census: &Census| {
        census.work.panicked >= before.panicked + 100 && census.work.live <= before.live && census.is_quiet()
    };
    bench.census_until(bench.patience(), "100 panics counted and nothing left", counted)?;
    Ok("100 panics heard and counted, no work left".into())
}

fn panic_spares_others(bench: &Bench) -> Outcome {
    let requests = (0..20).map(|_| bench.slow_for(bench.ms(600), bench.ms(1800), "")).collect();
    let mut storm = bench.storm(requests)?;
    storm.drive(Instant::now() + bench.ms(100))?;
    for _ in 0..40 {
        panic_once(bench)?;
    }
    for shot in storm.finish()? {
        let status = shot.status();
        ensure!(status == Some(200), "{} instead of 200 beside the panics", shot.how());
    }
    Ok("20 answers beside 40 panics".into())
}
