//! Plain requests, a stream each.

use std::time::Duration;

use testbed::capability::Capability::{
    EndpointStream, EndpointUpload, EndpointValues, Head, Http2, Methods, ParamWork, RequestId, Routing,
};
use wire::h2::H2;
use wire::{Answer, Request};

use super::{BASE, LIMIT, goes_on, id, is};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/fast-200",
        promise: "/fast answers 200 over HTTP/2 with prior knowledge, and names the request",
        needs: &[Http2, RequestId],
        sent: "the preface, SETTINGS and `GET /fast` with `x-request-id`",
        why: "everything else in this area is built on it",
        wrong: "a server that speaks HTTP/2 only behind TLS, or only after an upgrade",
        sources: &["RFC 9113, section 3.3"],
        run: fast_200,
        ..BASE
    },
    Scenario {
        id: "h2/beside-http1",
        promise: "HTTP/1.1 and HTTP/2 are served on one port at once, to each client what it speaks",
        sent: "`GET /fast` five times in turn on a connection in HTTP/1.1 and on one in HTTP/2, both kept open",
        why: "the preface decides for its connection, and for no other",
        wrong: "a mode of the server instead of one of the connection",
        sources: &["RFC 9113, section 3.4"],
        run: beside_http1,
        ..BASE
    },
    Scenario {
        id: "h2/hundred-at-once",
        promise: "100 requests in one write are all answered, each with its own answer",
        needs: &[Http2, RequestId],
        sent: "100 times `GET /fast` in one write, a stream each",
        why: "this is what a multiplexed connection is for, and 100 is what the server announces",
        wrong: "a limit that is one too small; answers that change streams",
        run: hundred_at_once,
        ..BASE
    },
    Scenario {
        id: "h2/statuses",
        promise: "404, 405, 400 and HEAD are answered over HTTP/2 as over HTTP/1.1",
        needs: &[Http2, Routing, Methods, Head, ParamWork],
        sent: "`GET /no-such-path`, `DELETE /fast`, `GET /slow?work=no-such-duration`, `HEAD /fast`, on one connection",
        why: "one promise, two protocols",
        wrong: "a second router for the second protocol; a body behind a HEAD",
        run: statuses,
        ..BASE
    },
    Scenario {
        id: "h2/values-apart",
        promise: "the values of streams that run side by side are not mixed up",
        needs: &[Http2, EndpointValues],
        sent: "30 times `GET /values` in one write, with `x-subject` ann, bob and none in turn",
        why: "what was one request a connection is now a hundred: whatever was kept with the connection is shared",
        wrong: "values that are kept with the connection, or with the thread",
        run: values_apart,
        ..BASE
    },
    Scenario {
        id: "h2/limit-announced",
        promise: "the server announces at most 100 concurrent streams",
        judges: &[Judges::Connection],
        sent: "the preface and SETTINGS",
        why: "the protocol itself sets no limit, so a server that announces none has to take what comes",
        wrong: "the default of the RFC is no limit, and of some libraries too",
        sources: &["RFC 9113, section 6.5.2"],
        run: limit_announced,
        ..BASE
    },
    Scenario {
        id: "h2/upload",
        promise: "a body of several windows is read to its end; one over the limit is answered 413, and the connection goes on",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Http2, EndpointUpload],
        sent: "`POST /upload` with 300,000 bytes, then with 1,048,577, as the server gives window; then `GET /fast`",
        why: "window is given by the reader, so a server that does not read must not be one that hangs",
        wrong: "a server that gives no window; one that reads on after its 413, or closes for it",
        sources: &["RFC 9113, section 8.1"],
        run: upload,
        ..BASE
    },
    Scenario {
        id: "h2/stream-whole",
        promise: "a /stream arrives whole, chunk by chunk, and ends with END_STREAM",
        needs: &[Http2, EndpointStream],
        sent: "`GET /stream?chunks=5&every=50ms`",
        why: "there are no chunks in HTTP/2: END_STREAM alone tells the end from a cut",
        wrong: "a server that collects the body before it sends it",
        sources: &["RFC 9113, section 8.1"],
        run: stream_whole,
        ..BASE
    },
];

fn named(answer: &Answer) -> Option<&str> {
    answer.response.header("x-request-id")
}

fn fast_200(bench: &Bench) -> Outcome {
    let request = bench.fast();
    let answer = bench.h2()?.ask(&request)?;
    is(&answer, 200)?;
    ensure!(named(&answer) == request.id_given(), "the answer is named {}", or_none(named(&answer)));
    ensure!(!answer.response.body.is_empty(), "the 200 says nothing");
    Ok(format!("200 after {:.1?}", answer.after()).into())
}

fn beside_http1(bench: &Bench) -> Outcome {
    let (mut wire, mut h2) = (bench.connect()?, bench.h2()?);
    for _ in 0..5 {
        let old = wire.ask(&bench.fast())?;
        ensure!(old.status() == 200, "{} instead of 200 over HTTP/1.1", old.status());
        is(&h2.ask(&bench.fast())?, 200)?;
        if old.response.says_close() {
            wire = bench.connect()?;
        }
    }
    // A connection that begins after another has spoken HTTP/2.
    let status = bench.ask(&bench.fast())?.status();
    ensure!(status == 200, "{status} instead of 200 on a new connection in HTTP/1.1");
    Ok("11 times 200".into())
}

fn hundred_at_once(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let requests: Vec<_> = (0..LIMIT).map(|_| bench.fast()).collect();
    let streams = h2.together(&requests)?;
    for (request, stream) in requests.iter().zip(streams) {
        let answer = h2.answer(stream)?;
        is(&answer, 200)?;
        ensure!(
            named(&answer) == request.id_given(),
            "{} was answered as {}",
            id(request),
            or_none(named(&answer))
        );
    }
    Ok("100 times 200".into())
}

fn statuses(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let unknown = h2.ask(&Request::get("/no-such-path"))?;
    is(&unknown, 404)?;
    let method = h2.ask(&bench.fast().method("DELETE"))?;
    is(&method, 405)?;
    ensure!(method.response.header("allow").is_some(), "the 405 does not say what is allowed");
    let parameter = h2.ask(&Request::get("/slow?work=no-such-duration"))?;
    is(&parameter, 400)?;
    ensure!(parameter.response.text().contains("work"), "the 400 does not name the parameter");
    let head = h2.ask(&bench.fast().method("HEAD"))?;
    is(&head, 200)?;
    ensure!(head.response.body.is_empty(), "a body behind the answer to HEAD");
    goes_on(bench, &mut h2)?;
    Ok("404, 405, 400, and 200 without a body".into())
}

fn values_apart(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let subjects = [Some("ann"), Some("bob"), None];
    let requests: Vec<_> = (0..30)
        .map(|number| {
            let request = Request::get("/values").id(bench.id());
            let subject = subjects[number % subjects.len()];
            subject.map_or(request.clone(), |subject| request.header("X-Subject", subject))
        })
        .collect();
    let streams = h2.together(&requests)?;
    for (number, stream) in streams.into_iter().enumerate() {
        let answer = h2.answer(stream)?;
        is(&answer, 200)?;
        let (subject, named) = (answer.response.field("subject"), answer.response.field("request_id"));
        let wanted = subjects[number % subjects.len()];
        ensure!(
            subject.as_deref() == wanted,
            "stream {stream} saw the subject {} and not {}",
            or_none(subject),
            or_none(wanted)
        );
        let wanted = requests[number].id_given();
        ensure!(named.as_deref() == wanted, "stream {stream} saw the id {}", or_none(named));
    }
    Ok("30 requests saw their own values".into())
}

fn limit_announced(bench: &Bench) -> Outcome {
    let h2 = bench.h2()?;
    match h2.session().theirs().and_then(|theirs| theirs.max_concurrent_streams) {
        Some(most) if (1..=LIMIT as u32).contains(&most) => Ok(format!("{most} streams").into()),
        Some(most) => {
            Err(Failure::certain(format!("{most} streams are announced, and at most {LIMIT} promised")))
        }
        None => Err(Failure::certain("no limit on streams is announced")),
    }
}

fn upload(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let answer = h2.ask(&Request::post("/upload", vec![b'x'; 300_000]).id(bench.id()))?;
    is(&answer, 200)?;
    ensure!(answer.response.text().contains("300000"), "the body is said to be {}", answer.response.text());
    let answer = h2.ask(&Request::post("/upload", vec![b'x'; 1_048_577]).id(bench.id()))?;
    ensure!(answer.status() == 413, "{} instead of 413", answer.status());
    goes_on(bench, &mut h2)?;
    Ok("200 for 300,000 bytes, 413 for 1,048,577, and the connection goes on".into())
}

fn stream_whole(bench: &Bench) -> Outcome {
    let mut h2: H2 = bench.h2()?;
    let every = bench.ms(50);
    let target = format!("/stream?chunks=5&every={}ms", every.as_millis());
    let stream = h2.request(&Request::get(target).id(bench.id()))?;
    is(&h2.answer(stream)?, 200)?;
    let exchange = h2.exchange(stream)?;
    let lines = exchange.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    ensure!(lines == 5, "{lines} chunks and not 5");
    let spread = exchange.body_at.map_or(Duration::ZERO, |(first, last)| last - first);
    ensure!(spread >= every, "the chunks came all at once: within {spread:.1?}");
    Ok(format!("5 chunks over {spread:.0?}, END_STREAM").into())
}
