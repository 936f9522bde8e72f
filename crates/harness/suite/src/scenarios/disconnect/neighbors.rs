//! Clients that disconnect while others are served.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{RequestId, StyleContext, StyleSpin, Witness};
use testbed::witness::Word;
use wire::Request;

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{BASE, canceled, request, send, told};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/others-untouched",
        promise: "one client of 50 leaves, and the other 49 get their answers",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Witness, StyleContext, RequestId],
        sent: "50 connections, each `GET /slow?work=600ms` with `grpc-timeout: 1800m`; the 25th resets",
        why: "a cancel that reaches too far is worse than one that does not come",
        wrong: "one context for the listener, a shared flag, a pool's connection torn down with its neighbors",
        run: others_untouched,
        ..BASE
    },
    Scenario {
        id: "disconnect/in-a-crowd",
        promise: "one client leaves while 500 others wait, and its work hears of it as soon as if it were alone",
        slot: Slot::Exclusive,
        sent: "500 connections, each `GET /slow?work=1500ms&tick=500ms`; meanwhile 5 more, one by one, that reset",
        why: "a watch that walks over all connections is prompt as long as there are few",
        wrong: "a loop that polls every socket each so many milliseconds",
        run: in_a_crowd,
        ..BASE
    },
    Scenario {
        id: "disconnect/all-at-once",
        promise: "300 clients reset at once, and all their work is canceled",
        slot: Slot::Exclusive,
        sent: "300 connections, each `GET /slow?work=1500ms&tick=500ms`; once all work, RST on all",
        why: "clients leave together: a proxy dies, a page is closed, a deployment ends",
        run: all_at_once,
        ..BASE
    },
    Scenario {
        id: "disconnect/spinning-neighbour",
        promise: "while a neighbor spins on one of two threads, a client that leaves still cancels its work (best of 3)",
        level: Level::Should,
        needs: &[Witness, StyleContext, StyleSpin],
        flags: &[("--threads", "2")],
        slot: Slot::Exclusive,
        sent: "`GET /slow?style=spin&work=700ms`, then `GET /slow?work=3000ms` that resets; `--threads 2`",
        why: "one request that burns the CPU must not blind the server to its clients",
        wrong: "a runtime whose threads take turns at the reactor may leave it to the one that spins",
        sources: &["https://github.com/tokio-rs/tokio/issues/4730"],
        run: spinning_neighbour,
        ..BASE
    },
];

fn others_untouched(bench: &Bench) -> Outcome {
    const LEAVER: usize = 25;
    let mut wires = Vec::new();
    for _ in 0..50 {
        let mut wire = bench.connect()?;
        let id = send(&mut wire, &bench.slow_for(bench.ms(600), bench.ms(1800), ""))?;
        wires.push((wire, id));
    }
    for (_, id) in &wires {
        bench.work_begins(id)?;
    }
    let (leaver, id) = wires.remove(LEAVER);
    let left_at = leaver.reset();
    let took = canceled(bench, &id, left_at)?;
    for (mut wire, id) in wires {
        let answer = wire.answer()?;
        let echoed = answer.response.header("x-request-id");
        ensure!(answer.status() == 200, "{} instead of 200 for {id}, which did not leave", answer.status());
        ensure!(echoed == Some(&id), "the answer to {id} is for {}", or_none(echoed));
        let (_, how) = bench.work_ends(&id, bench.patience())?;
        ensure!(how == Word::Completed, "the work of {id} was {how}");
    }
    let mut observed = told(&[took]);
    observed.text = format!("49 times 200; the 50th {}", observed.text);
    Ok(observed)
}

/// Resets a `/slow` whose work has begun; gives when, and how long it took to be canceled.
fn one_resets(bench: &Bench) -> Result<(Instant, Duration), Failure> {
    let mut wire = bench.connect()?;
    let id = send(&mut wire, &request(bench, ""))?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    let left_at = wire.reset();
    Ok((left_at, canceled(bench, &id, left_at)?))
}

/// `/slow` that lasts and beats seldom, so many times.
fn lasting(bench: &Bench, count: usize) -> Vec<Request> {
    let lasts = |_| bench.slow_for(bench.ms(1500), bench.ms(1800), "tick=500ms");
    (0..count).map(lasts).collect()
}

fn in_a_crowd(bench: &Bench) -> Outcome {
    let requests = lasting(bench, 500);
    let last = requests.last().and_then(Request::id_given).unwrap_or_default().to_owned();
    let mut storm = bench.storm(requests)?;
    storm.drive(Instant::now() + bench.ms(50))?;
    bench.work_begins(&last)?;
    let took: Vec<_> = (0..5).map(|_| Ok(one_resets(bench)?.1)).collect::<Result<_, Failure>>()?;
    storm.reset();
    Ok(told(&took))
}

fn all_at_once(bench: &Bench) -> Outcome {
    let requests = lasting(bench, 300);
    let ids: Vec<_> =
        requests.iter().map(|request| request.id_given().unwrap_or_default().to_owned()).collect();
    let mut storm = bench.storm(requests)?;
    storm.drive(Instant::now() + bench.ms(50))?;
    for id in &ids {
        bench.work_begins(id)?;
    }
    let left_at = storm.reset();
    let mut took = Vec::new();
    for id in &ids {
        let (ended_at, how) = bench.work_ends(id, bench.patience())?;
        ensure!(how == Word::Canceled, "the work of {id} says {how} and not that it was canceled");
        took.push(ended_at.saturating_duration_since(left_at));
    }
    // The kernel takes its time for 300 resets; what is judged is that none waits for its own end.
    let (worst, most) = (took.iter().max().copied().unwrap_or_default(), bench.stop_late() + bench.ms(250));
    ensure!(worst <= most, "the last work went on for {worst:.1?}; at most {most:?} is forgiven");
    Ok(told(&took))
}

fn spinning_neighbour(bench: &Bench) -> Outcome {
    let mut last = Ok(Duration::ZERO);
    for _ in 0..3 {
        let mut neighbor = bench.connect()?;
        let id = send(&mut neighbor, &bench.slow_for(bench.ms(700), bench.ms(1800), "style=spin"))?;
        bench.work_begins(&id)?;
        let left = one_resets(bench);
        // The next try must not find two of them.
        let (spun_until, _) = bench.work_ends(&id, bench.patience())?;
        // A server that begins nothing while one spins has not been asked the question.
        last = left.and_then(|(left_at, took)| {
            ensure!(left_at < spun_until, "its work began only when the neighbor no longer spun");
            Ok(took)
        });
        if last.is_ok() {
            break;
        }
    }
    Ok(told(&[last?]))
}
