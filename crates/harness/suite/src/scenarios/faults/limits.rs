//! Limits that are reached: of connections, of descriptors, of strangers.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{KeepAlive, Process};
use wire::{End, Wire};

use crate::bench::Bench;
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Failure, Judges, Observed, Outcome, Scenario, Slot};
use crate::scenarios::faults::serves;

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/too-many-connections",
        promise: "a connection over the limit is answered 503 with `Retry-After: 1` and closed; one that leaves makes room",
        judges: BOTH,
        needs: &[KeepAlive],
        flags: &[("--max-connections", "8")],
        slot: Slot::Own,
        sent: "8 connections that are kept; a ninth; then one of the 8 leaves and a tenth comes; `--max-connections 8`",
        why: "a connection that waits in a queue that nobody empties looks like a server that is down",
        wrong: "a semaphore before `accept`: the clients over the limit hang in the backlog and time out",
        sources: &["RFC 9110, section 15.6.4"],
        run: too_many_connections,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/refused-in-numbers",
        promise: "200 connections over the limit at once are refused, and those under it are served meanwhile",
        judges: BOTH,
        needs: &[KeepAlive],
        flags: &[("--max-connections", "8")],
        slot: Slot::Own,
        sent: "4 connections that are kept, 200 times `GET /fast` at once on others, `GET /fast` on the 4; `--max-connections 8`",
        why: "whoever refuses must not be busy with refusing",
        run: refused_in_numbers,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/fd-exhaustion",
        promise: "with 64 descriptors and 200 clients the CPU stays low, and it serves again when they leave",
        judges: BOTH,
        needs: &[Process],
        descriptors: Some(64),
        slot: Slot::Own,
        limit: Duration::from_secs(15),
        sent: "200 connections, each `GET /fast`, held for 1 s; all leave; `GET /fast`; the server has 64 descriptors",
        why: "the limit is reached on the worst day: it must be a queue and not an outage",
        wrong: "a naive accept loop spins at 100 % of a core, because the listener stays readable; axum sleeps a second",
        sources: &[
            "https://docs.rs/axum/latest/axum/serve/trait.Listener.html",
            "https://pkg.go.dev/net/http (Server.Serve backs off)",
        ],
        run: fd_exhaustion,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/thousand-strangers",
        promise: "1,000 connections that send nothing do not keep /fast waiting",
        judges: &[Judges::Answer],
        slot: Slot::Exclusive,
        sent: "1,000 connections without a byte; `GET /fast` 20 times on another; all leave",
        why: "an open connection is free to the client",
        wrong: "a pool of as many threads as were foreseen; `select`, which cannot count above 1,024",
        run: thousand_strangers,
        ..Scenario::BASE
    },
];

/// `count` connections that are kept after a first request each.
fn kept(bench: &Bench, count: usize) -> Result<Vec<Wire>, Failure> {
    let mut wires = Vec::new();
    for number in 1..=count {
        let mut wire = bench.connect()?;
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200 on connection {number}", answer.status());
        wires.push(wire);
    }
    Ok(wires)
}

fn too_many_connections(bench: &Bench) -> Outcome {
    let mut wires = kept(bench, 8)?;
    let mut ninth = bench.connect()?;
    // The refusal may be on its way already, and the server need not read what it does not serve.
    let _ = ninth.send_request(&bench.fast());
    let answer = ninth.answer()?;
    ensure!(answer.status() == 503, "{} instead of 503 on a ninth connection", answer.status());
    let retry = answer.response.header("retry-after");
    ensure!(retry == Some("1"), "`Retry-After` is {} and not `1`", or_none(retry));
    ensure!(answer.response.says_close(), "the 503 does not say `Connection: close`");
    let (end, _) = ninth.end(bench.patience())?;
    ensure!(end != End::Silence, "the refused connection stays open");
    for wire in &mut wires {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} on a connection that was there before", answer.status());
    }
    drop(wires.pop());
    let until = Instant::now() + bench.patience();
    while bench.ask(&bench.fast())?.status() != 200 {
        ensure!(Instant::now() < until, "a connection has left, and a new one is still refused");
        std::thread::sleep(bench.ms(10));
    }
    Ok("503 with Retry-After; served once there was room".into())
}

fn refused_in_numbers(bench: &Bench) -> Outcome {
    let mut wires = kept(bench, 4)?;
    let mut storm = bench.storm((0..200).map(|_| bench.fast()).collect())?;
    let mut worst = Duration::ZERO;
    for wire in &mut wires {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} on a connection that was there before", answer.status());
        worst = worst.max(answer.after());
    }
    ensure!(worst <= bench.answer_late(), "/fast took {worst:.1?} beside 200 refusals");
    let mut counts = [0, 0, 0];
    for shot in storm.answered()? {
        match shot.status() {
            Some(200) => counts[0] += 1,
            Some(503) => counts[1] += 1,
            None => counts[2] += 1,
            Some(other) => return Err(Failure::broken(format!("{other} over the limit"))),
        }
    }
    let [served, refused, closed] = counts;
    // Room for 4 at a time; some leave room to others while the storm lasts.
    ensure!(refused + closed > 0, "all 200 were served at a limit of 8");
    ensure!(refused >= closed, "{closed} of 200 were closed without a word, {refused} with a 503");
    Ok(format!("{served} served, {refused} times 503, {closed} closed").into())
}

fn fd_exhaustion(bench: &Bench) -> Outcome {
    const WATCHED: Duration = Duration::from_secs(1);
    serves(bench)?;
    let mut storm = bench.storm((0..200).map(|_| bench.fast()).collect())?;
    // The storm itself is work; what is judged is the waiting after it.
    storm.drive(Instant::now() + Duration::from_millis(300))?;
    let before = bench.usage()?;
    storm.drive(Instant::now() + WATCHED)?;
    // The time that is watched ends when all are answered; that would be a server without the limit.
    let waiting = storm.shots().iter().filter(|shot| !shot.is_done()).count();
    let after = bench.usage()?;
    let share = 100.0 * (after.cpu - before.cpu).as_secs_f64() / WATCHED.as_secs_f64();
    // A sound server needs 1 %; one that spins on a machine that is busy too is given far less than a core.
    ensure!(share < 10.0, "{share:.0} % of a core while {waiting} clients wait for a descriptor");
    let left_at = storm.close();
    let served_at = loop {
        let mut wire = bench.connect()?;
        if wire.ask(&bench.fast()).is_ok_and(|answer| answer.status() == 200) {
            break Instant::now();
        }
        ensure!(left_at.elapsed() < bench.ms(1000), "not serving again 1 s after all clients left");
        std::thread::sleep(Duration::from_millis(10));
    };
    let again = served_at - left_at;
    ensure!(again <= bench.ms(1000), "serving again only {again:.1?} after all clients left");
    let text = format!("{share:.0} % of a core with {waiting} waiting; serving again after {again:.1?}");
    Ok(Observed::new(text).with("cpu_percent", share).with("again_ms", again.as_secs_f64() * 1e3))
}

fn thousand_strangers(bench: &Bench) -> Outcome {
    let strangers: Vec<Wire> = (0..1000).map(|_| bench.connect()).collect::<Result<_, _>>()?;
    // The first request waits behind a thousand accepts; what is judged is the time beside strangers who are there.
    let first = bench.ask(&bench.fast())?;
    ensure!(first.status() == 200, "/fast failed beside 1,000 strangers");
    // Whoever waits for strangers to be thrown out waits for the header timeout.
    ensure!(first.after() <= bench.ms(2000), "/fast waited {:.1?} for 1,000 strangers", first.after());
    let mut worst = Duration::ZERO;
    for _ in 0..20 {
        let answer = bench.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200 beside 1,000 strangers", answer.status());
        worst = worst.max(answer.after());
    }
    ensure!(worst <= bench.answer_late(), "/fast took {worst:.1?} beside 1,000 strangers");
    drop(strangers);
    Ok(format!("/fast in {worst:.1?} at worst").into())
}
