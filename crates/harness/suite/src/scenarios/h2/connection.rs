//! The end of a connection, from the client's side: all its streams go with it, or none.

use wire::Leave;
use wire::h2::{Code, Ending};

use super::{STATES, WATCHED, brief, completed, id, is, request, working};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::disconnect::{canceled, told};

/// Streams of a connection that is left.
const STREAMS: usize = 5;

const LOST: &str = "a proxy that dies takes hundreds of streams along, and none of them is reset";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/connection-fin",
        promise: "a client that closes the connection cancels the work of all its streams",
        sent: "5 times `GET /slow?work=3000ms` on one connection; once all work, FIN",
        why: LOST,
        wrong: "a server that notices a FIN when it writes",
        run: |bench| left(bench, Leave::Fin),
        ..WATCHED
    },
    Scenario {
        id: "h2/connection-rst",
        promise: "a client that resets the connection cancels the work of all its streams",
        sent: "5 times `GET /slow?work=3000ms` on one connection; once all work, RST",
        why: LOST,
        run: |bench| left(bench, Leave::Rst),
        ..WATCHED
    },
    Scenario {
        id: "h2/connection-half-close",
        promise: "a client that shuts down its sending half cancels the work of all its streams",
        sent: "5 times `GET /slow?work=3000ms` on one connection; once all work, `shutdown(WR)`, and the client reads on",
        why: "half a connection is none in HTTP/2: it can carry no WINDOW_UPDATE and no acknowledgement",
        wrong: "a server that takes it for what it is in HTTP/1.1, and waits",
        run: |bench| left(bench, Leave::HalfClose),
        ..WATCHED
    },
    Scenario {
        id: "h2/goaway-serves",
        promise: "a client that says GOAWAY has not left: its streams are answered",
        judges: &[Judges::Answer, Judges::Work],
        sent: "5 times `GET /slow?work=400ms` on one connection; once all work, GOAWAY NO_ERROR",
        why: "GOAWAY is how a client says that it will ask nothing more, and what it asked for still counts",
        wrong: "a server that takes it for a close; one that closes before its answers are out",
        sources: &["RFC 9113, section 6.8"],
        run: |bench| goaway(bench, Code::NO_ERROR),
        ..WATCHED
    },
    Scenario {
        id: "h2/goaway-then-fin",
        promise: "a client that says GOAWAY with an error and then closes has left: the work of its streams is canceled",
        sent: "`GET /slow?work=3000ms`; once it works, GOAWAY INTERNAL_ERROR and FIN in turn",
        why: "this is how a client goes that failed in order",
        sources: &["RFC 9113, section 5.4.1"],
        run: goaway_fin,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-then-fin",
        promise: "streams that are reset and streams that are lost with their connection all stop",
        sent: "5 times `GET /slow?work=3000ms` on one connection; RST_STREAM on two of them, and FIN behind it",
        why: "the two ways to leave come together when a client shuts down",
        sources: &[STATES],
        run: reset_then_fin,
        ..WATCHED
    },
];

fn left(bench: &Bench, leave: Leave) -> Outcome {
    let mut h2 = bench.h2()?;
    let requests: Vec<_> = (0..STREAMS).map(|_| request(bench, "")).collect();
    for request in &requests {
        working(bench, &mut h2, request)?;
    }
    std::thread::sleep(bench.ms(20));
    let (left_at, _kept) = h2.leave(leave);
    let took: Result<Vec<_>, Failure> =
        requests.iter().map(|request| canceled(bench, &id(request), left_at)).collect();
    Ok(told(&took?))
}

fn goaway(bench: &Bench, code: Code) -> Outcome {
    let mut h2 = bench.h2()?;
    let requests: Vec<_> = (0..STREAMS).map(|_| brief(bench, 400)).collect();
    let mut streams = Vec::new();
    for request in &requests {
        streams.push(working(bench, &mut h2, request)?);
    }
    h2.goaway(code)?;
    for (request, stream) in requests.iter().zip(streams) {
        is(&h2.answer(stream)?, 200)?;
        let ended = h2.exchange(stream)?.ended.map(|(how, _)| how);
        ensure!(ended == Some(Ending::Complete), "{} instead of a whole answer", or_none(ended));
        completed(bench, &id(request))?;
    }
    Ok(format!("{STREAMS} times 200 behind the client's GOAWAY").into())
}

fn goaway_fin(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = request(bench, "");
    working(bench, &mut h2, &request)?;
    h2.goaway(Code::INTERNAL_ERROR)?;
    let (left_at, _) = h2.leave(Leave::Fin);
    // A server may take the error for the leave that it announces.
    let (ended_at, how) = bench.work_ends(&id(&request), bench.patience())?;
    let after = bench.stopped_soon(left_at, ended_at)?;
    Ok(format!("{how} {after:.1?} after FIN").into())
}

fn reset_then_fin(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let requests: Vec<_> = (0..STREAMS).map(|_| request(bench, "")).collect();
    let mut streams = Vec::new();
    for request in &requests {
        streams.push(working(bench, &mut h2, request)?);
    }
    let left_at = h2.reset(streams[1], Code::CANCEL)?;
    h2.reset(streams[3], Code::CANCEL)?;
    h2.leave(Leave::Fin);
    let took: Result<Vec<_>, Failure> =
        requests.iter().map(|request| canceled(bench, &id(request), left_at)).collect();
    Ok(told(&took?))
}
