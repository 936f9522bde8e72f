//! The end of a server: its exit status, a second signal, and work that cannot be stopped.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{Process, StyleBlocking, StyleSpin, Witness};

use crate::ensure;
use crate::scenario::{Bench, Judges, Level, Outcome, Scenario, Slot};
use crate::scenarios::shutdown::{self, ends_with, is_200, working};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "shutdown/exit-status",
        promise: "SIGTERM to a server without requests: exit 0, at once",
        judges: &[Judges::Answer],
        needs: &[Process],
        sent: "`GET /fast`, then SIGTERM",
        why: "a supervisor restarts, or rolls back, by this number",
        run: exit_status,
        ..shutdown::BASE
    },
    Scenario {
        id: "shutdown/second-signal",
        promise: "a second SIGTERM ends it at once with 143, whatever runs",
        judges: &[Judges::Work],
        sent: "`GET /slow?work=1900ms`, SIGTERM, SIGTERM",
        why: "who asks twice means now",
        run: second_signal,
        ..shutdown::BASE
    },
    Scenario {
        id: "shutdown/second-signal-int",
        promise: "a second SIGINT ends it at once with 130, whatever runs",
        judges: &[Judges::Work],
        sent: "`GET /slow?work=1900ms`, SIGINT, SIGINT",
        why: "Ctrl-C, Ctrl-C",
        run: second_signal_int,
        ..shutdown::BASE
    },
    Scenario {
        id: "shutdown/blocking-work-exit-1",
        promise: "blocking work that cannot be stopped does not hold the shutdown: exit 1, at once",
        judges: &[Judges::Work],
        needs: &[Process, Witness, StyleBlocking],
        flags: &[("--shutdown-timeout", "400ms")],
        slot: Slot::Own,
        limit: Duration::from_secs(15),
        sent: "`GET /slow?style=blocking&work=8000ms` with `grpc-timeout: 200m`; after its 504 SIGTERM",
        why: "an end that waits for a closure waits as long as the closure likes, and then comes SIGKILL",
        wrong: "dropping a tokio runtime waits for every blocking closure: 6.7 s were seen for one",
        sources: &["https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html (shutdown)"],
        run: blocking_work,
        ..Scenario::BASE
    },
    Scenario {
        id: "shutdown/spinning-work-exit-1",
        promise: "work that never yields does not hold the shutdown: exit 1",
        level: Level::Should,
        judges: &[Judges::Work],
        needs: &[Process, Witness, StyleSpin],
        flags: &[("--shutdown-timeout", "400ms"), ("--threads", "2")],
        slot: Slot::Half,
        limit: Duration::from_secs(20),
        sent: "`GET /slow?style=spin&work=6000ms`, SIGTERM; `--threads 2 --shutdown-timeout 400ms`",
        why: "nothing on an executor can stop a loop without an await; the process still can end",
        wrong: "a shutdown that runs on the executor waits behind the loop",
        run: spinning_work,
        ..Scenario::BASE
    },
    Scenario {
        id: "shutdown/second-signal-spinning",
        promise: "a second SIGTERM ends it at once with 143, even while every executor thread spins",
        judges: &[Judges::Work],
        needs: &[Process, Witness, StyleSpin],
        flags: &[("--threads", "2")],
        slot: Slot::Exclusive,
        limit: Duration::from_secs(20),
        sent: "4 times `GET /slow?style=spin&work=6000ms`, SIGTERM, SIGTERM; `--threads 2`",
        why: "the signal that gets through when nothing else does",
        wrong: "a signal handled by a task of the runtime that is stuck is handled never",
        sources: &["https://docs.rs/tokio/latest/tokio/signal/index.html"],
        run: second_signal_spinning,
        ..Scenario::BASE
    },
];

fn exit_status(bench: &Bench) -> Outcome {
    is_200(&bench.ask(&bench.fast())?)?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 0, told_at)?;
    ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("exit 0 after {after:.1?}").into())
}

fn second_signal(bench: &Bench) -> Outcome {
    twice(bench, Signal::TERM, 143)
}

fn second_signal_int(bench: &Bench) -> Outcome {
    twice(bench, Signal::INT, 130)
}

fn twice(bench: &Bench, signal: Signal, code: i32) -> Outcome {
    let _wire = working(bench, 1900, 2000)?;
    bench.server().signal(signal);
    std::thread::sleep(bench.ms(150));
    ensure!(bench.server().ended().is_none(), "the first signal ended it, with a request running");
    let told_at = bench.server().signal(signal);
    let after = ends_with(bench, code, told_at)?;
    ensure!(after <= bench.ms(600), "the server ended only {after:.1?} after the second signal");
    Ok(format!("exit {code} {after:.1?} after the second signal").into())
}

fn blocking_work(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.slow_for(bench.ms(8000), bench.ms(200), "style=blocking"))?;
    bench.is_504(&answer, bench.ms(200))?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 1, told_at)?;
    ensure!(after <= bench.ms(2500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("exit 1 after {after:.1?}").into())
}

fn spinning_work(bench: &Bench) -> Outcome {
    let request = bench.slow_for(bench.ms(6000), bench.ms(1000), "style=spin");
    let id = request.id_given().expect("slow requests are named").to_owned();
    let mut wire = bench.connect()?;
    wire.send_request(&request)?;
    bench.work_begins(&id)?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 1, told_at)?;
    ensure!(after <= bench.ms(3000), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("exit 1 after {after:.1?}").into())
}

fn second_signal_spinning(bench: &Bench) -> Outcome {
    let requests: Vec<_> =
        (0..4).map(|_| bench.slow_for(bench.ms(6000), bench.ms(1000), "style=spin")).collect();
    let ids: Vec<_> = requests.iter().filter_map(|request| request.id_given().map(str::to_owned)).collect();
    let mut storm = bench.storm(requests)?;
    // The second spinner may never get a thread to accept it; one is enough to see.
    storm.drive(Instant::now() + bench.ms(300))?;
    let began = ids.iter().filter(|id| bench.work_begins(id).is_ok()).take(1).count();
    ensure!(began > 0, "no spinning work began");
    bench.server().signal(Signal::TERM);
    std::thread::sleep(bench.ms(150));
    ensure!(bench.server().ended().is_none(), "the first signal ended it, with work running");
    let told_at = bench.server().signal(Signal::TERM);
    let after = ends_with(bench, 143, told_at)?;
    ensure!(after <= bench.ms(1000), "the server ended only {after:.1?} after the second signal");
    Ok(format!("exit 143 {after:.1?} after the second signal").into())
}
