//! Standard error on a full disk, on a closed pipe, and on a pipe that nobody reads.

use std::time::Instant;

use rustix::process::Signal;
use testbed::capability::Capability::{
    EndpointPanic, FlagRequestTimeout, ParamWork, Process, StyleBlocking, Witness,
};
use testbed::guard::Stderr;
use testbed::server::Started;
use testbed::subject::Trial;
use wire::Request;

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};
use crate::scenarios::shutdown::{ends_with, is_200};

/// The base of the scenarios.
const BASE: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Connection],
    needs: &[EndpointPanic, ParamWork, Process],
    slot: Slot::Own,
    limit: std::time::Duration::from_secs(20),
    why: "a log is read by somebody else, who may be slow, gone, or out of disk: none of that is the client's concern",
    wrong: "Rust's `eprintln!` waits for the reader and panics when it cannot write; in a panic hook that aborts the process",
    sources: &["https://doc.rust-lang.org/std/macro.eprintln.html (Panics)"],
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "log/full-disk",
        promise: "with standard error on a full disk panics are answered, others untouched, and SIGTERM is exit 0",
        stderr: Stderr::Full,
        sent: "`GET /slow?work=600ms` and meanwhile 20 times `GET /panic`; `GET /fast`; SIGTERM; stderr is `/dev/full`",
        run: unwritable,
        ..BASE
    },
    Scenario {
        id: "log/closed-pipe",
        promise: "with standard error on a closed pipe panics are answered, others untouched, and SIGTERM is exit 0",
        stderr: Stderr::Closed,
        sent: "`GET /slow?work=600ms` and meanwhile 20 times `GET /panic`; `GET /fast`; SIGTERM; nobody has stderr open",
        run: unwritable,
        ..BASE
    },
    Scenario {
        id: "log/unread-pipe",
        promise: "with standard error on a pipe that nobody reads 2,000 panics are answered, and SIGTERM is exit 0",
        stderr: Stderr::Unread,
        sent: "2,000 times `GET /panic`, 20 at once; `GET /fast`; SIGTERM; stderr is a pipe that is not read",
        run: unread,
        ..BASE
    },
    Scenario {
        id: "log/unread-exit-1",
        promise: "with standard error on a full pipe work that had to be abandoned is exit 1 in time",
        needs: &[EndpointPanic, Witness, StyleBlocking, Process],
        flags: &[("--shutdown-timeout", "400ms")],
        stderr: Stderr::Unread,
        sent: "2,000 times `GET /panic`; `GET /slow?style=blocking&work=8000ms` with `grpc-timeout: 200m`; after its 504 SIGTERM",
        why: "a supervisor waits for the exit, and then kills",
        run: unread_exit,
        ..BASE
    },
    Scenario {
        id: "log/refusal-unheard",
        promise: "a bad flag is exit 2 and a port that is taken exit 1, whether or not anybody can be told",
        judges: &[Judges::Answer],
        needs: &[Process, FlagRequestTimeout],
        sent: "`--request-timeout 2x`, and `--listen` with the address of the server; each with a stderr that is full, closed, unread",
        run: refusal_unheard,
        ..BASE
    },
];

/// Asks for a panic on a connection of its own; it is answered 500, or its connection is closed.
fn panics(bench: &Bench) -> Result<(), Failure> {
    let mut wire = bench.connect()?;
    match wire.ask(&Request::get("/panic").id(bench.id())) {
        Ok(answer) => ensure!(answer.status() == 500, "{} instead of 500 for /panic", answer.status()),
        Err(_) if wire.is_over() => {}
        Err(failure) => return Err(failure.into()),
    }
    Ok(())
}

fn unwritable(bench: &Bench) -> Outcome {
    let mut neighbor = bench.connect()?;
    neighbor.send_request(&bench.slow_for(bench.ms(600), bench.ms(1800), ""))?;
    for _ in 0..20 {
        panics(bench)?;
    }
    is_200(&neighbor.answer()?)?;
    is_200(&bench.ask(&bench.fast())?)?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 0, told_at)?;
    ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("20 panics beside a request; exit 0 after {after:.1?}").into())
}

/// More panics than a pipe, and a queue of any sense before it, hold lines of.
fn fill(bench: &Bench) -> Result<(), Failure> {
    for _ in 0..100 {
        let requests = (0..20).map(|_| Request::get("/panic").id(bench.id())).collect();
        let mut storm = bench.storm(requests)?;
        storm.drive(Instant::now() + bench.patience())?;
        for shot in storm.shots() {
            let status = shot.status();
            ensure!(matches!(status, None | Some(500)), "{} instead of 500 for /panic", or_none(status));
            ensure!(
                shot.is_done(),
                "panics are neither answered nor closed any more, {:.1?} later",
                bench.patience()
            );
        }
    }
    Ok(())
}

fn unread(bench: &Bench) -> Outcome {
    fill(bench)?;
    let answer = bench.ask(&bench.fast())?;
    is_200(&answer)?;
    ensure!(answer.after() <= bench.answer_late(), "/fast took {:.1?} behind the panics", answer.after());
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 0, told_at)?;
    ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("2,000 panics; exit 0 after {after:.1?}").into())
}

fn unread_exit(bench: &Bench) -> Outcome {
    fill(bench)?;
    let answer = bench.ask(&bench.slow_for(bench.ms(8000), bench.ms(200), "style=blocking"))?;
    bench.is_504(&answer, bench.ms(200))?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 1, told_at)?;
    ensure!(after <= bench.ms(2500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("exit 1 after {after:.1?}").into())
}

fn refusal_unheard(bench: &Bench) -> Outcome {
    let taken = bench.server().address().to_string();
    let mut worst = std::time::Duration::ZERO;
    for stderr in [Stderr::Full, Stderr::Closed, Stderr::Unread] {
        for (args, code) in [(["--request-timeout", "2x"], 2), (["--listen", &taken], 1)] {
            let began = Instant::now();
            let words = args.map(AsRef::as_ref);
            match bench.try_start(&Trial { args: &words, stderr, ..Trial::default() })? {
                Started::Ended { status, .. } => {
                    ensure!(
                        status.code() == Some(code),
                        "{status} instead of exit {code} for {} with {stderr}",
                        args.join(" ")
                    );
                }
                Started::Serves(_) => {
                    return Err(Failure::broken(format!("it serves with {}", args.join(" "))));
                }
            }
            worst = worst.max(began.elapsed());
        }
    }
    Ok(format!("exit 2 and 1, after {worst:.1?} at most").into())
}
