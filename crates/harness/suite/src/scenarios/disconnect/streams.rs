//! The client leaves: in the middle of a stream, amid others, and with the accounts to settle.

use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::capability::Capability::{
    Admin, EndpointStream, KeepAlive, RequestId, StyleContext, StyleSpin, Witness,
};
use testbed::census::Census;
use testbed::witness::Word;
use wire::{End, Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Outcome, Scenario, Seat};
use crate::scenarios::disconnect::{
    BASE, BLOCKED, Leave, canceled, request, send, stream, told, unread_stream,
};

const WRITES: &str = "a server that learns of the end from a write that fails learns it one chunk later, or never \
    when the next chunk is long in coming";
const STREAM: &[Capability] = &[Witness, EndpointStream];
/// Enough time to fill every buffer between a stream and a client that does not read.
const PATIENT: &[(&str, &str)] = &[("--request-timeout", "15s"), ("--write-timeout", "15s")];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/mid-stream",
        promise: "a client that closes while /stream writes cancels the work",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=20ms`; after the first chunk FIN",
        why: "the head of the answer is long gone, and the costly part is still to come",
        wrong: "servers that notice at the second write that fails: the first one still fills a buffer",
        run: |bench| streaming(bench, Leave::Fin, 20, 5),
        ..BASE
    },
    Scenario {
        id: "disconnect/mid-stream-rst",
        promise: "a client that resets while /stream writes cancels the work",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=20ms`; after the first chunk RST",
        why: "the head of the answer is long gone, and the costly part is still to come",
        run: |bench| streaming(bench, Leave::Rst, 20, 5),
        ..BASE
    },
    Scenario {
        id: "disconnect/quiet-stream-fin",
        promise: "a client that closes between two chunks of a slow /stream cancels the work, long before the next",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=700ms`; after the first chunk FIN",
        why: WRITES,
        wrong: "a handler that writes to the socket itself and waits in between looks at nothing while it waits",
        run: |bench| streaming(bench, Leave::Fin, 700, 1),
        ..BASE
    },
    Scenario {
        id: "disconnect/quiet-stream-half-close",
        promise: "a half-close between two chunks of a slow /stream cancels the work, long before the next",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=700ms`; after the first chunk `shutdown(WR)`",
        why: "no write ever fails after a half-close: the end of input is the only sign there is",
        run: |bench| streaming(bench, Leave::HalfClose, 700, 1),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocked-stream-rst",
        promise: "a client that stopped reading and then resets cancels the work of its /stream",
        needs: BLOCKED,
        flags: PATIENT,
        limit: Duration::from_secs(25),
        sent: "`GET /stream?chunks=10000&every=1ms` behind 20 of `GET /fast` over a connection of the smallest buffers, \
            nothing read until the chunks stop coming; then RST; `--request-timeout 15s --write-timeout 15s`",
        why: "a server that waits for room to write must go on listening for the end",
        wrong: "hyper does not read while its answer waits to be written",
        run: |bench| blocked(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocked-stream-half-close",
        promise: "a client that stopped reading and then shuts down its sending half cancels the work of its /stream",
        needs: BLOCKED,
        flags: PATIENT,
        limit: Duration::from_secs(25),
        sent: "the same, and `shutdown(WR)` at the end; `--request-timeout 15s --write-timeout 15s`",
        why: "the window is shut, so no write will ever tell",
        wrong: "hyper does not read while its answer waits to be written",
        run: |bench| blocked(bench, Leave::HalfClose),
        ..BASE
    },
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
        seat: Seat::Alone,
        sent: "500 connections, each `GET /slow?work=1500ms&tick=500ms`; meanwhile 5 more, one by one, that reset",
        why: "a watch that walks over all connections is prompt as long as there are few",
        wrong: "a loop that polls every socket each so many milliseconds",
        run: in_a_crowd,
        ..BASE
    },
    Scenario {
        id: "disconnect/all-at-once",
        promise: "300 clients reset at once, and all their work is canceled",
        seat: Seat::Alone,
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
        seat: Seat::Alone,
        sent: "`GET /slow?style=spin&work=700ms`, then `GET /slow?work=3000ms` that resets; `--threads 2`",
        why: "one request that burns the CPU must not blind the server to its clients",
        wrong: "a runtime whose threads take turns at the reactor may leave it to the one that spins",
        sources: &["https://github.com/tokio-rs/tokio/issues/4730"],
        run: spinning_neighbour,
        ..BASE
    },
    Scenario {
        id: "disconnect/accounts",
        promise: "a client that left is counted once as a disconnect and as no answer, and nothing of it stays",
        needs: &[Witness, Admin, StyleContext],
        seat: Seat::Own,
        sent: "`GET /slow?work=3000ms` three times, ended by FIN, by RST and by `shutdown(WR)`; the census before and after",
        why: "a disconnect that is logged as a 504 or a 200 hides the clients' impatience from whoever looks for it",
        wrong: "servers that make up a status (499, 503) and count an answer that nobody got",
        run: accounts,
        ..BASE
    },
    Scenario {
        id: "disconnect/idle-half-close",
        promise: "a connection with no request that the client half-closes is closed at once",
        judges: &[Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` and its answer, then `shutdown(WR)`; on another connection `shutdown(WR)` alone; on a third \
            behind `GET /fa`",
        why: "no request can come any more, so the connection only takes up room until the idle timeout",
        run: idle_half_close,
        ..BASE
    },
];

/// Leaves behind the first chunk of a stream with a chunk each `every` milliseconds, so many `tries`.
fn streaming(bench: &Bench, leave: Leave, every: u64, tries: usize) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..tries {
        let mut wire = bench.connect()?;
        let id = stream(bench, &mut wire, &format!("chunks=50&every={}ms", bench.ms(every).as_millis()))?;
        let until = Instant::now() + bench.patience();
        while !wire.buffered().windows(7).any(|window| window == b"\"chunk\"") {
            ensure!(!wire.is_over() && Instant::now() < until, "no chunk came");
            wire.fill(until)?;
        }
        let (left_at, _kept) = leave.act(wire);
        took.push(canceled(bench, &id, left_at)?);
    }
    Ok(told(&took))
}

fn blocked(bench: &Bench, leave: Leave) -> Outcome {
    let (wire, id, chunks) = blocked_stream(bench)?;
    let (left_at, _kept) = leave.act(wire);
    let mut observed = told(&[canceled(bench, &id, left_at)?]);
    observed.text = format!("blocked after {chunks} chunks; {}", observed.text);
    Ok(observed)
}

/// The same, once nobody takes its chunks any more; gives their number too.
fn blocked_stream(bench: &Bench) -> Result<(Wire, String, usize), Failure> {
    let (wire, id) = unread_stream(bench)?;
    let (witness, until) = (bench.witness()?, Instant::now() + Duration::from_secs(8));
    while Instant::now() < until {
        let events = witness.events(&id);
        let last = events.last().map_or(until, |(at, _)| *at);
        if last.elapsed() > bench.ms(200) {
            let ended = witness.ended(&id);
            ensure!(ended.is_none(), "the stream ended ({ended:?}) before anybody blocked it");
            return Ok((wire, id, events.len() - 1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::broken("a client that reads nothing was sent chunk after chunk for 8 s"))
}

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
        ensure!(echoed == Some(&id), "the answer to {id} is for {}", echoed.unwrap_or("none"));
        let ended = bench.witness()?.wait_end(&id, bench.patience());
        ensure!(ended.is_some_and(|(_, how)| how == Word::Completed), "{id} ended {ended:?}");
    }
    let mut observed = told(&[took]);
    observed.text = format!("49 times 200; the 50th {}", observed.text);
    Ok(observed)
}

/// Resets a `/slow` whose work has begun; gives how long it took to be canceled.
fn one_resets(bench: &Bench) -> Result<Duration, Failure> {
    let mut wire = bench.connect()?;
    let id = send(&mut wire, &request(bench, ""))?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    canceled(bench, &id, wire.reset())
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
    let took: Vec<_> = (0..5).map(|_| one_resets(bench)).collect::<Result<_, _>>()?;
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
        last = one_resets(bench);
        // The next try must not find two of them.
        bench.work_ends(&id, bench.patience())?;
        if last.is_ok() {
            break;
        }
    }
    Ok(told(&[last?]))
}

fn accounts(bench: &Bench) -> Outcome {
    let ended = |census: &Census| census.requests.ended.get("disconnect").copied().unwrap_or(0);
    let before = bench.census()?;
    for leave in [Leave::Fin, Leave::Rst, Leave::HalfClose] {
        let mut wire = bench.connect()?;
        let id = send(&mut wire, &request(bench, ""))?;
        bench.work_begins(&id)?;
        let (left_at, _kept) = leave.act(wire);
        canceled(bench, &id, left_at)?;
    }
    let settled = |census: &Census| {
        let left = (census.requests.live, census.work.live, census.contexts.live, census.connections.live);
        left == (before.requests.live, before.work.live, before.contexts.live, before.connections.live)
    };
    let (census, _) = bench.census_until(bench.patience(), "back where it was", settled)?;
    let (left, answered) = (ended(&census) - ended(&before), &census.requests.answered);
    ensure!(left == 3, "{left} disconnects counted instead of 3: {:?}", census.requests.ended);
    ensure!(*answered == before.requests.answered, "answers counted that nobody got: {answered:?}");
    let canceled = census.work.canceled - before.work.canceled;
    ensure!(canceled == 3, "{canceled} works counted as canceled instead of 3");
    Ok("3 disconnects, no answer, nothing left".into())
}

fn idle_half_close(bench: &Bench) -> Outcome {
    let mut worst = Duration::ZERO;
    for (what, bytes) in
        [("a kept", None), ("a silent", Some(&b""[..])), ("a half-sent", Some(&b"GET /fa"[..]))]
    {
        let mut wire = bench.connect()?;
        match bytes {
            Some(bytes) => drop(wire.send(bytes)?),
            None => drop(wire.ask(&bench.fast())?),
        }
        std::thread::sleep(bench.ms(30));
        let left_at = wire.half_close();
        let (end, at) = wire.end(bench.patience())?;
        let after = at.saturating_duration_since(left_at);
        ensure!(
            end != End::Silence && after <= bench.answer_late(),
            "{what} connection: {end} after {after:.1?}"
        );
        worst = worst.max(after);
    }
    Ok(format!("all three closed within {worst:.1?}").into())
}
