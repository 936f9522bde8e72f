//! The other error: a stream that is stopped while its client waits.

use testbed::capability::Capability::{EndpointPanic, Http2, StyleContext, Witness};
use wire::h2::{Code, Frame, Kind};
use wire::{Leave, Request};

use super::{BASE, STATES, WATCHED, brief, completed, goes_on, id, is, request, working};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Judges, Outcome, Scenario};
use crate::scenarios::disconnect::{canceled, told};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Work];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/neighbors-spared",
        promise: "one stream of 50 is reset, and the other 49 get their answers",
        judges: BOTH,
        sent: "50 times `GET /slow?work=600ms` on one connection; the 25th is reset once all work",
        why: "a cancel that reaches too far is worse than one that does not come",
        wrong: "one context for the connection; a reset that ends the connection's task",
        sources: &[STATES],
        run: neighbors,
        ..WATCHED
    },
    Scenario {
        id: "h2/connections-spared",
        promise: "a connection that is reset takes no stream of another along",
        judges: BOTH,
        sent: "`GET /slow?work=600ms` on each of two connections; RST on one of them",
        why: "streams are numbered from 1 on every connection",
        wrong: "a table of streams that is shared by connections",
        run: connections,
        ..WATCHED
    },
    Scenario {
        id: "h2/frames-are-no-leave",
        promise: "PING, WINDOW_UPDATE, PRIORITY, SETTINGS and a frame of unknown type leave the work alone",
        judges: BOTH,
        sent: "`GET /slow?work=600ms`; while it works PING, WINDOW_UPDATE on stream and connection, PRIORITY, SETTINGS, \
            and a frame of type 0xbe, each twice",
        why: "a client that waits says so by such frames all the time",
        wrong: "a watch that takes whatever comes during a request for its end",
        sources: &["RFC 9113, section 5.5"],
        run: frames,
        ..WATCHED
    },
    Scenario {
        id: "h2/silence-is-no-leave",
        promise: "a client that sends nothing while its stream works is waited for",
        judges: BOTH,
        flags: &[
            ("--idle-timeout", "300ms"),
            ("--read-header-timeout", "300ms"),
            ("--request-timeout", "5s"),
        ],
        sent: "`GET /slow?work=1200ms`, and nothing more; `--idle-timeout 300ms --read-header-timeout 300ms`",
        why: "a connection with a stream is not idle, however silent",
        wrong: "an idle timeout that is counted from the last frame",
        run: silence,
        ..WATCHED
    },
    Scenario {
        id: "h2/late-reset-harmless",
        promise: "RST_STREAM for a stream that has ended, and a second one for one that was reset, are harmless",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "`GET /fast` and its answer, then RST_STREAM for it; `GET /slow?work=3000ms` and RST_STREAM twice; then `GET /fast`",
        why: "the client's reset and the server's last frame cross each other on their way",
        wrong: "a stream that is forgotten at its end is taken for one that never was",
        sources: &["RFC 9113, section 5.1: closed"],
        run: late_reset,
        ..WATCHED
    },
    Scenario {
        id: "h2/panic-spares-neighbors",
        promise: "a handler that panics is answered 500 on its stream; its neighbors and the connection go on",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Http2, Witness, StyleContext, EndpointPanic],
        sent: "`GET /slow?work=500ms`, `GET /panic` beside it, three times; then `GET /fast`, all on one connection",
        why: "a panic is of one request, and the connection may be of a hundred",
        wrong: "a panic that unwinds through the connection's task",
        run: panics,
        ..BASE
    },
];

fn neighbors(bench: &Bench) -> Outcome {
    const LEAVER: usize = 25;
    let mut h2 = bench.h2()?;
    let mut all = Vec::new();
    for _ in 0..50 {
        let request = brief(bench, 600);
        all.push((h2.request(&request)?, id(&request)));
    }
    for (_, id) in &all {
        bench.work_begins(id)?;
    }
    let (leaver, left) = all.remove(LEAVER);
    let took = canceled(bench, &left, h2.reset(leaver, Code::CANCEL)?)?;
    for (stream, id) in all {
        let answer = h2.answer(stream)?;
        is(&answer, 200)?;
        let named = answer.response.field("request_id");
        // A server that names no request in its answers may be judged by its work alone.
        ensure!(
            named.as_ref().is_none_or(|named| *named == id),
            "the answer to {id} is for {}",
            or_none(named)
        );
        completed(bench, &id)?;
    }
    let mut observed = told(&[took]);
    observed.text = format!("49 times 200; the 50th {}", observed.text);
    Ok(observed)
}

fn connections(bench: &Bench) -> Outcome {
    let (mut leaver, mut stayer) = (bench.h2()?, bench.h2()?);
    let (left, stays) = (request(bench, ""), brief(bench, 600));
    working(bench, &mut leaver, &left)?;
    let stream = working(bench, &mut stayer, &stays)?;
    let (left_at, _) = leaver.leave(Leave::Rst);
    let took = canceled(bench, &id(&left), left_at)?;
    is(&stayer.answer(stream)?, 200)?;
    completed(bench, &id(&stays))?;
    Ok(told(&[took]))
}

fn frames(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = brief(bench, 600);
    let stream = working(bench, &mut h2, &request)?;
    for _ in 0..2 {
        for frame in [
            Frame::ping([7; 8]),
            Frame::window_update(stream, 1_000),
            Frame::window_update(0, 1_000),
            Frame::priority(stream, 0, 15),
            Frame::settings(&[(wire::h2::settings::id::MAX_CONCURRENT_STREAMS, 50)]),
            Frame::new(Kind(0xbe), 0xff, stream, *b"what is this"),
        ] {
            h2.send(&[frame])?;
            h2.listen(bench.ms(10))?;
        }
    }
    is(&h2.answer(stream)?, 200)?;
    completed(bench, &id(&request))?;
    goes_on(bench, &mut h2)?;
    Ok("200, and the work completed".into())
}

fn silence(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    // The work is longer than the flags, on a retry too.
    let request = brief(bench, 1200);
    let stream = working(bench, &mut h2, &request)?;
    is(&h2.answer(stream)?, 200)?;
    completed(bench, &id(&request))?;
    Ok("200 after a silence of four times the idle timeout".into())
}

fn late_reset(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let fast = h2.request(&bench.fast())?;
    is(&h2.answer(fast)?, 200)?;
    h2.reset(fast, Code::CANCEL)?;
    goes_on(bench, &mut h2)?;
    let slow = request(bench, "");
    let stream = working(bench, &mut h2, &slow)?;
    let took = canceled(bench, &id(&slow), h2.reset(stream, Code::CANCEL)?)?;
    h2.reset(stream, Code::CANCEL)?;
    goes_on(bench, &mut h2)?;
    Ok(told(&[took]))
}

fn panics(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = brief(bench, 500);
    let stream = working(bench, &mut h2, &request)?;
    for _ in 0..3 {
        let answer = h2.ask(&Request::get("/panic").id(bench.id()))?;
        ensure!(answer.status() == 500, "{} instead of 500", answer.status());
    }
    is(&h2.answer(stream)?, 200)?;
    completed(bench, &id(&request))?;
    goes_on(bench, &mut h2)?;
    Ok("three times 500, and 200 beside".into())
}
