//! The deadline holds while a body stalls, drips, or is read by nobody.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{EndpointUpload, ParamBody, Post, StyleContext};
use wire::{End, Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "deadline/stalled-body",
        promise: "a body that stalls does not hold up the 504",
        needs: &[Post],
        sent: "`POST /slow?work=3000ms` with `Content-Length: 100` and `grpc-timeout: 300m`, 10 bytes, silence",
        why: "one stalled client a connection is all it takes to fill a server that waits for bodies",
        wrong: "Go with its defaults never answers: the handler waits in `Read` for ever, whatever its context says",
        sources: &["https://pkg.go.dev/net/http#Server (ReadTimeout: zero means no timeout)"],
        run: stalled_body,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/stalled-upload",
        promise: "an upload that stalls is answered 504 at its deadline",
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Content-Length: 100` and `grpc-timeout: 300m`, 10 bytes, silence",
        why: "reading is work too",
        run: stalled_upload,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/trickled-upload",
        promise: "an upload that drips is answered 504 at its deadline, however often a byte comes",
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Content-Length: 100` and `grpc-timeout: 300m`, a byte each 20 ms",
        why: "a timeout that each byte sets back never comes",
        wrong: "socket timeouts count from the last byte, not from the start",
        run: trickled_upload,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/chunked-body-stalls",
        promise: "a chunked body that never ends is answered 504 at its deadline",
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Transfer-Encoding: chunked` and `grpc-timeout: 300m`, one chunk, silence",
        why: "a body without a length has no end to wait for",
        run: chunked_body_stalls,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/unread-body-close",
        promise: "a 504 with an unread body says `Connection: close`, arrives whole, then FIN and no RST",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[StyleContext, Post, ParamBody],
        sent: "`POST /slow?work=3000ms&body=ignore` with 400,000 bytes and `grpc-timeout: 300m`",
        why: "closing a socket with unread bytes sends RST, which destroys the 504 on its way",
        wrong: "hyper closes without saying so",
        sources: &["RFC 9112, section 9.6"],
        run: unread_body_close,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/partial-body-close",
        promise: "a 504 with a body half sent and unread says `Connection: close`, and the server closes",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[StyleContext, Post, ParamBody],
        sent: "`POST /slow?work=3000ms&body=ignore` with `Content-Length: 100` and `grpc-timeout: 300m`, 10 bytes, silence",
        why: "the rest of the body would be read as the next request",
        wrong: "a server that keeps the connection reads the client's next bytes as body, or the body as a request",
        sources: &["RFC 9112, section 9.3"],
        run: partial_body_close,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/expect-continue",
        promise: "a client that waits for `100 Continue` and then stalls gets its 504 on time",
        needs: &[Post],
        sent: "`POST /slow?work=3000ms` with `Expect: 100-continue`, `Content-Length: 100` and `grpc-timeout: 300m`, no body",
        why: "both sides may wait for each other",
        sources: &["RFC 9110, section 10.1.1"],
        run: expect_continue,
        ..Scenario::BASE
    },
];

/// Reads the 504 on `wire`; interim answers may come first.
fn is_504(
    bench: &Bench,
    wire: &mut Wire,
    sent_at: Instant,
) -> Result<(Duration, bool), crate::scenario::Failure> {
    loop {
        let mut answer = wire.answer()?;
        if answer.status() >= 200 {
            answer.sent_at = sent_at;
            let late = bench.is_504(&answer, bench.deadline())?;
            ensure!(answer.response.whole, "the 504 was cut off");
            return Ok((late, answer.response.says_close()));
        }
    }
}

fn stalled_body(bench: &Bench) -> Outcome {
    stalled(bench, &bench.slow_target(bench.ms(3000), ""))
}

fn stalled_upload(bench: &Bench) -> Outcome {
    stalled(bench, "/upload")
}

fn stalled(bench: &Bench, target: &str) -> Outcome {
    let mut wire = bench.connect()?;
    let request = Request::post_part(target, 100, *b"0123456789").timeout(bench.deadline()).id(bench.id());
    let sent_at = wire.send_request(&request)?;
    let (late, _) = is_504(bench, &mut wire, sent_at)?;
    Ok(format!("504, {late:.1?} late").into())
}

fn trickled_upload(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let request = Request::post_part("/upload", 100, *b"0").timeout(bench.deadline()).id(bench.id());
    let sent_at = wire.send_request(&request)?;
    let mut drips = 0;
    // 60 drips of 20 ms are four deadlines.
    while drips < 60 && !wire.fill(Instant::now() + bench.ms(20))? {
        wire.send(b"x")?;
        drips += 1;
    }
    let (late, _) = is_504(bench, &mut wire, sent_at)?;
    Ok(format!("504, {late:.1?} late, after {drips} drips").into())
}

fn chunked_body_stalls(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let request = Request::get("/upload").method("POST").header("Transfer-Encoding", "chunked");
    let sent_at = wire.send(
        &[request.timeout(bench.deadline()).id(bench.id()).bytes(bench.host()), b"3\r\nabc\r\n".to_vec()]
            .concat(),
    )?;
    let (late, _) = is_504(bench, &mut wire, sent_at)?;
    Ok(format!("504, {late:.1?} late").into())
}

fn unread_body_close(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let target = bench.slow_target(bench.ms(3000), "body=ignore");
    let request = Request::post(target, vec![b'x'; 400_000]).timeout(bench.deadline()).id(bench.id());
    let sent_at = wire.send_request(&request)?;
    let (late, says_close) = is_504(bench, &mut wire, sent_at)?;
    ensure!(says_close, "the 504 does not say `Connection: close`");
    let (end, at) = wire.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of FIN, {:.0?} after the request", at - sent_at);
    Ok(format!("504 ({late:.1?} late) with `Connection: close`, then FIN").into())
}

fn partial_body_close(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let target = bench.slow_target(bench.ms(3000), "body=ignore");
    let request = Request::post_part(target, 100, *b"0123456789").timeout(bench.deadline()).id(bench.id());
    let sent_at = wire.send_request(&request)?;
    let (late, says_close) = is_504(bench, &mut wire, sent_at)?;
    ensure!(says_close, "the 504 does not say `Connection: close`");
    let (end, at) = wire.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of FIN, {:.0?} after the request", at - sent_at);
    Ok(format!(
        "504 ({late:.1?} late) with `Connection: close`, then FIN {:.0?} after the request",
        at - sent_at
    )
    .into())
}

fn expect_continue(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let target = bench.slow_target(bench.ms(3000), "");
    let request = Request::post_part(target, 100, *b"").header("Expect", "100-continue");
    let sent_at = wire.send_request(&request.timeout(bench.deadline()).id(bench.id()))?;
    let (late, _) = is_504(bench, &mut wire, sent_at)?;
    Ok(format!("504, {late:.1?} late").into())
}
