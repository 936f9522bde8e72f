//! The intermediary gives up on its upstream: the client must be told, and so must the upstream.

use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::upstream::{Reply, Shape};
use wire::{End, Wire};

use super::{BASE, BRIEF, BRIEFLY, Caller, arrives, behind, ms, send, told, upstream};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario};

const TIMES: Scenario = Scenario {
    needs: &[Capability::Through, Capability::ThroughBrief],
    why: "a timeout of the intermediary is the one that most requests end by, and it has two sides",
    ..BASE
};
const RAW: &[Capability] = &[Capability::Through, Capability::ThroughBrief, Capability::ThroughRaw];

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/gives-up-504",
        promise: "a client whose upstream is silent longer than it may is answered 504",
        sent: "a request by a route that gives its upstream 1 s; the upstream says nothing",
        why: "a client that is told nothing waits for its own timeout; one that is told 502 looks for the fault elsewhere",
        wrong: "some have one status for all that goes wrong behind them",
        sources: &["RFC 9110, section 15.6.5"],
        run: gives_up,
        ..TIMES
    },
    Scenario {
        id: "through/gives-up-tells-upstream",
        promise: "an upstream that its intermediary has given up on is told when the client is",
        judges: &[Judges::Work],
        sent: "a request by a route that gives its upstream 1 s; the upstream says nothing",
        why: "work for a request that has been answered 504 is the waste that a timeout was meant to end",
        run: tells_upstream,
        ..TIMES
    },
    Scenario {
        id: "through/gives-up-mid-answer",
        promise: "a client whose upstream stalls in the middle of an answer sees it cut off, and the upstream is told",
        judges: &[Judges::Answer, Judges::Work],
        needs: RAW,
        sent: "a request by a route that gives its upstream 1 s; the upstream sends half of its body and stalls",
        why: "a cut answer that looks whole is wrong data",
        run: |bench| mid_answer(bench, Shape::Half),
        ..TIMES
    },
    Scenario {
        id: "through/gives-up-mid-stream",
        promise: "a client whose stream stalls sees it cut off, without its last chunk, and the upstream is told",
        judges: &[Judges::Answer, Judges::Work],
        needs: RAW,
        sent: "a request by a route that gives its upstream 1 s; the upstream sends three events and stalls",
        why: "a stream that is ended in order by somebody else is taken for one that is complete",
        run: |bench| mid_answer(bench, Shape::StalledEvents { every: Duration::from_millis(20), count: 3 }),
        ..TIMES
    },
    Scenario {
        id: "through/stream-outlives-timeout",
        promise: "a stream that goes on is not cut off by the time that an upstream has to say something",
        level: Level::Should,
        sent: "a request by a route that gives its upstream 1 s; the upstream sends an event each 400 ms for 2 s",
        why: "an answer of a model takes minutes, and a bound on the whole of it is another knob than one on silence",
        wrong: "a bound on the whole exchange is the only one that some have",
        run: outlives,
        ..TIMES
    },
    Scenario {
        id: "through/gives-up-on-a-post-once",
        promise: "a POST that its intermediary has given up on was sent once",
        judges: &[Judges::Work],
        sent: "a POST by a route that gives its upstream 1 s; the upstream reads it and says nothing",
        why: "the upstream has it, and may have done it: sent again it is done twice",
        sources: &["RFC 9110, section 9.2.2"],
        run: once,
        ..TIMES
    },
    Scenario {
        id: "through/own-answer-after-504",
        promise: "the requests behind a 504 get their own answers, though the upstream answers the first one late",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "a request by a route that gives its upstream 1 s; the upstream answers after 1.3 s, whatever it was told; \
               five more requests while it does",
        why: "a late answer on a connection that is used again goes to the next caller",
        run: after_504,
        ..TIMES
    },
];

/// Waits for the answer, which has to come between half and three times the time that the upstream has: some look at their
/// clock once a second.
fn answer(wire: &mut Wire, bench: &Bench) -> Result<wire::Answer, Failure> {
    let answer = wire.answer()?;
    let (after, most) = (answer.after(), 3 * BRIEFLY + bench.answer_late());
    ensure!(after >= BRIEFLY / 2, "{} after {after:.1?}, when the upstream has {BRIEFLY:?}", answer.status());
    ensure!(after <= most, "{} only after {after:.1?}, when the upstream has {BRIEFLY:?}", answer.status());
    Ok(answer)
}

fn gives_up(bench: &Bench) -> Outcome {
    let (mut wire, _) = send(bench, BRIEF, Reply::NOTHING)?;
    let answer = answer(&mut wire, bench)?;
    ensure!(answer.status() == 504, "{} instead of 504", answer.status());
    let after = answer.after().as_secs_f64() * 1e3;
    Ok(Observed::new(format!("504 after {after:.0} ms")).with("given_up_ms", after))
}

fn tells_upstream(bench: &Bench) -> Outcome {
    let (mut wire, id) = send(bench, BRIEF, Reply::NOTHING)?;
    let first_byte_at = answer(&mut wire, bench)?.first_byte_at;
    let after = told(bench, &id, first_byte_at, "its client has an answer")?;
    Ok(format!("told {} after the client", ms(after)).into())
}

fn mid_answer(bench: &Bench, shape: Shape) -> Outcome {
    let (mut wire, id) = send(bench, BRIEF, Reply::of(shape))?;
    arrives(bench, &id)?;
    let seen_at = Instant::now();
    let most = 3 * BRIEFLY + bench.answer_late();
    let (end, at) = wire.end(most)?;
    is_cut(&mut wire, end)?;
    ensure!(end != End::Silence, "the client was told nothing within {most:.1?}");
    let after = told(bench, &id, at, "its client's connection was ended")?;
    Ok(format!("cut off after {}, upstream told {} later", ms(at - seen_at), ms(after)).into())
}

/// Checks that what came, and how it ended, cannot be taken for a whole answer.
pub(super) fn is_cut(wire: &mut Wire, end: End) -> Result<(), Failure> {
    // An answer that is whole is there without waiting; of one that is not, nothing more would come.
    let parsed = wire::response::parse(wire.buffered(), end != End::Silence, false);
    let Ok(Some((response, _))) = parsed else { return Ok(()) };
    let framed =
        response.header("content-length").is_some() || response.header("transfer-encoding").is_some();
    // A body that only the connection's end ends is cut by a reset alone.
    let looks_whole = response.whole && (framed || end == End::Fin);
    if response.status == 200 && looks_whole {
        return Err(Failure::certain(format!("a cut answer that looks whole: {:?}", response.text())));
    }
    Ok(())
}

fn outlives(bench: &Bench) -> Outcome {
    let shape = Shape::Events { every: Duration::from_millis(400), count: Some(5) };
    let (mut wire, _) = send(bench, BRIEF, Reply::of(shape))?;
    let response = wire.answer()?.response;
    let events = response.text().matches("event ").count();
    ensure!(
        response.status == 200 && response.whole,
        "{} with {events} of 5 events, cut off",
        response.status
    );
    Ok("5 events in 2 s".into())
}

fn once(bench: &Bench) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply::NOTHING]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post(BRIEF, &id, "lab", false, usize::MAX))?;
    let status = answer(&mut wire, bench)?.status();
    std::thread::sleep(bench.ms(100));
    let times = behind.upstream.seen(&id).len();
    ensure!(times == 1, "it was sent {times} times, and answered {status}");
    Ok(format!("sent once, {status}").into())
}

fn after_504(bench: &Bench) -> Outcome {
    let reply = Reply { minds: false, ..Reply::late(BRIEFLY + bench.ms(300)) };
    let (mut wire, id) = send(bench, BRIEF, reply)?;
    let answer = answer(&mut wire, bench)?;
    let (status, closes) = (answer.status(), answer.response.says_close());
    let mut caller = if closes { Caller::new(bench) } else { Caller::on(bench, wire) };
    for _ in 0..5 {
        caller.own_answer()?;
        std::thread::sleep(bench.ms(100));
    }
    let late = upstream(bench)?.seen(&id).iter().any(|seen| seen.answered_at.is_some());
    Ok(format!(
        "{status}, then 5 own answers; the late one {}",
        if late { "was sent" } else { "had nowhere to go" }
    )
    .into())
}
