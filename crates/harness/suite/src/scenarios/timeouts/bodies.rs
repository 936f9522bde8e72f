//! Bodies that come late, and the work that the read timeout must spare.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{EndpointUpload, JsonErrors, StyleContext, Witness};
use wire::{Answer, End, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::timeouts::{BASE, READ, drip_until_news, served};

const RESETS: &str = "a timeout that each byte sets back never comes";
const GO: &[&str] = &["https://pkg.go.dev/net/http#Server (ReadTimeout)"];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "timeouts/body-408",
        promise: "a body that stalls is answered 408 at the read timeout, and the connection is closed",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Content-Length: 100` and 10 bytes, silence; `--read-timeout 700ms`",
        why: "an upload that nobody finishes holds a request, its deadline and its buffers",
        wrong: "hyper, axum and actix have no timeout of a body; Go with its defaults has none either",
        sources: GO,
        run: |bench| body(bench, Duration::ZERO, &upload(bench)),
        ..BASE
    },
    Scenario {
        id: "timeouts/body-trickle-408",
        promise: "a body that drips is answered 408 at the read timeout, however the bytes come",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Content-Length: 100` and 10 bytes, then one each 20 ms; `--read-timeout 700ms`",
        why: RESETS,
        wrong: "socket timeouts count from the last byte, not from the start",
        sources: GO,
        run: |bench| body(bench, Duration::from_millis(20), &upload(bench)),
        ..BASE
    },
    Scenario {
        id: "timeouts/body-of-slow-408",
        promise: "the work of a request whose body is late never starts: 408",
        judges: &[Judges::Answer, Judges::Work, Judges::Connection],
        needs: &[Witness, StyleContext],
        sent: "`POST /slow?work=3000ms` with `Content-Length: 100` and 10 bytes, silence; `--read-timeout 700ms`",
        why: "work on half a request is work for nothing",
        run: body_of_slow,
        ..BASE
    },
    Scenario {
        id: "timeouts/body-408-says-why",
        promise: "the 408 says `Connection: close`, the reason `timeout` and the request's id",
        judges: &[Judges::Answer],
        needs: &[EndpointUpload, JsonErrors],
        sent: "`POST /upload` with `Content-Length: 100` and 10 bytes, silence; `--read-timeout 700ms`",
        why: "a client that is told retries on a new connection; one that is not blames the network",
        sources: &["RFC 9110, section 15.5.9"],
        run: body_says_why,
        ..BASE
    },
    Scenario {
        id: "timeouts/read-spares-work",
        promise: "the read timeout ends with the request's last byte: work that lasts longer is answered 200",
        judges: &[Judges::Answer],
        needs: &[Witness, StyleContext],
        sent: "`POST /slow?work=1100ms` with 3 bytes; `--read-timeout 700ms`",
        why: "it bounds the client's sending, and not the server's work",
        wrong: "a timeout around the whole connection, or a socket's read timeout that strikes while nobody need send",
        run: |bench| served(bench, &Request::post("/slow?work=1100ms", "lab").id(bench.id())),
        ..BASE
    },
];

fn upload(bench: &Bench) -> Request {
    Request::post_part("/upload", 100, *b"0123456789").id(bench.id())
}

/// Sends a part of a body, then a byte each `drip` unless that is zero; the answer must be a 408 at the read timeout,
/// and the connection must end.
fn body(bench: &Bench, drip: Duration, request: &Request) -> Outcome {
    let (late, end, _) = late_body(bench, drip, request)?;
    Ok(format!("408, {late:.1?} late, then {end}").into())
}

fn late_body(bench: &Bench, drip: Duration, request: &Request) -> Result<(Duration, End, Answer), Failure> {
    let since = Instant::now();
    let mut wire = bench.connect()?;
    wire.send_request(request)?;
    if !drip.is_zero() {
        drip_until_news(bench, &mut wire, b"x", since + 2 * READ)?;
    }
    let answer = wire.answer()?;
    let after = answer.first_byte_at.saturating_duration_since(since);
    ensure!(answer.status() == 408, "{} instead of 408, after {after:.1?}", answer.status());
    let late = bench.in_time(after, READ)?;
    let (end, at) = wire.end(bench.patience())?;
    ensure!(end != End::Silence, "the connection is open {:.1?} after the 408", at - answer.first_byte_at);
    Ok((late, end, answer))
}

fn body_of_slow(bench: &Bench) -> Outcome {
    let request = Request::post_part("/slow?work=3000ms", 100, *b"0123456789").id(bench.id());
    let (late, end, _) = late_body(bench, Duration::ZERO, &request)?;
    let began = bench.witness()?.wait_start(request.id_given().unwrap_or_default(), bench.ms(100));
    ensure!(began.is_none(), "the work began on half a request");
    Ok(format!("408, {late:.1?} late, then {end}; no work").into())
}

fn body_says_why(bench: &Bench) -> Outcome {
    let request = upload(bench);
    let (_, _, answer) = late_body(bench, Duration::ZERO, &request)?;
    let response = answer.response;
    ensure!(response.says_close(), "the 408 does not say `Connection: close`");
    let (reason, id) = (response.field("reason"), response.field("request_id"));
    ensure!(
        reason.as_deref() == Some("timeout"),
        "the reason is {} and not `timeout`: {}",
        or_none(reason),
        response.text()
    );
    ensure!(id.as_deref() == request.id_given(), "the request id is {}: {}", or_none(id), response.text());
    Ok(response.text().trim_end().into())
}
