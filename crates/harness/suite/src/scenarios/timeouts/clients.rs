//! Patience has an end: a head that drips, a body that stalls, a reader that sleeps, a connection that idles.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{EndpointUpload, JsonErrors, KeepAlive, StyleContext, Witness};
use wire::{Answer, End, Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::timeouts::{BASE, HEADER, IDLE, READ};

const SLOWLORIS: &str =
    "one client with a few thousand connections that say next to nothing keeps everybody else out";
const RESETS: &str = "a timeout that each byte sets back never comes";
const HEADERS: &str = "hyper has a timeout of heads only when it is given a timer, and hyper-util's `auto` and \
    `axum::serve` have none before the first bytes; socket timeouts count from the last byte";
const HYPER: &[&str] = &[
    "https://docs.rs/hyper/1.12.0/hyper/server/conn/http1/struct.Builder.html#method.header_read_timeout",
    "https://github.com/hyperium/hyper/issues/3962",
];
const GO: &[&str] = &["https://pkg.go.dev/net/http#Server (ReadTimeout)"];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "timeouts/header-slowloris",
        promise: "a head that stalls is closed at the header timeout, with no answer",
        sent: "`GET /fa`, silence; `--read-header-timeout 400ms`",
        why: SLOWLORIS,
        wrong: HEADERS,
        sources: HYPER,
        run: |bench| stalls(bench, b"GET /fa"),
        ..BASE
    },
    Scenario {
        id: "timeouts/header-trickle",
        promise: "a head that drips is closed at the header timeout, counted from the accept, however the bytes come",
        sent: "`GET /fast HTTP/1.1`, then a byte of a header each 20 ms; `--read-header-timeout 400ms`",
        why: RESETS,
        wrong: HEADERS,
        sources: HYPER,
        run: |bench| drips(bench, b"GET /fast HTTP/1.1\r\nX-Drip: ", b"x"),
        ..BASE
    },
    Scenario {
        id: "timeouts/empty-lines",
        promise: "empty lines before a head do not set the header timeout back",
        sent: "CR LF each 20 ms and nothing else; `--read-header-timeout 400ms`",
        why: "a robust parser skips empty lines, and an attacker sends them",
        wrong: "a parser that throws them away and begins to wait anew",
        sources: &["RFC 9112, section 2.2"],
        run: |bench| drips(bench, b"", b"\r\n"),
        ..BASE
    },
    Scenario {
        id: "timeouts/first-byte-never",
        promise: "a new connection that says nothing is closed at the header timeout",
        sent: "nothing; `--read-header-timeout 400ms`",
        why: SLOWLORIS,
        wrong: HEADERS,
        sources: HYPER,
        run: |bench| stalls(bench, b""),
        ..BASE
    },
    Scenario {
        id: "timeouts/header-just-in-time",
        promise: "a head in three pieces that is whole before the header timeout is served",
        judges: &[Judges::Answer],
        sent: "`GET /fast` in three pieces, 100 ms apart; `--read-header-timeout 400ms`",
        why: "a timeout that is met too early turns away the clients with the worst lines",
        run: just_in_time,
        ..BASE
    },
    Scenario {
        id: "timeouts/header-behind-a-request",
        promise: "half a head that came in the segment of the request before is closed at the header timeout",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` and `GET /fa` in one write, silence; `--read-header-timeout 400ms --idle-timeout 1000ms`",
        why: "no new byte comes to start the clock, so the connection looks idle and is not",
        wrong: "a server that starts the header timeout at the first read grants the idle timeout instead, which is long",
        run: behind_a_request,
        ..BASE
    },
    Scenario {
        id: "timeouts/header-on-a-kept-connection",
        promise: "a later head that stalls is closed at the header timeout, counted from its first byte",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` and its answer; 300 ms later `GET /fa`, silence; `--read-header-timeout 400ms`",
        why: "the slowloris who first asks politely",
        wrong: "one timer for both idling and heads closes it too early or too late",
        sources: HYPER,
        run: on_a_kept_connection,
        ..BASE
    },
    Scenario {
        id: "timeouts/slowloris-crowd",
        promise: "200 clients with half a head are all closed on time, and /fast is served meanwhile",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "200 connections, each `GET /fa`; then `GET /fast` on another; `--read-header-timeout 400ms`",
        why: SLOWLORIS,
        wrong: "a thread or a place in a bounded pool for each connection, from its first byte",
        run: crowd,
        ..BASE
    },
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
    Scenario {
        id: "timeouts/idle",
        promise: "a kept connection without a next request is closed silently at the idle timeout",
        needs: &[KeepAlive],
        sent: "`GET /fast` and its answer, silence; `--idle-timeout 1000ms`",
        why: "clients forget their connections; servers pay for them",
        wrong: "hyper's one timer is for heads and for idling alike",
        sources: HYPER,
        run: idle,
        ..BASE
    },
    Scenario {
        id: "timeouts/idle-spares-work",
        promise: "a connection is never idle while its request runs: work longer than the idle timeout is answered 200",
        judges: &[Judges::Answer],
        needs: &[Witness, StyleContext],
        sent: "`GET /slow?work=1400ms`; `--idle-timeout 1000ms`",
        why: "nothing moves on the wire, and still somebody waits",
        wrong: "a timer of silence that knows nothing of requests",
        run: |bench| served(bench, &Request::get("/slow?work=1400ms").id(bench.id())),
        ..BASE
    },
    Scenario {
        id: "timeouts/idle-starts-anew",
        promise: "each answer starts the idle timeout anew",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` four times, 600 ms apart, on one connection; `--idle-timeout 1000ms`",
        why: "a connection in use is no idle one, however old it is",
        run: idle_starts_anew,
        ..BASE
    },
];

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Waits until the server closes, without an answer, at `timeout` after `since`: not before, and late within the profile.
pub(super) fn closed_at(
    bench: &Bench,
    wire: &mut Wire,
    since: Instant,
    timeout: Duration,
) -> Result<Duration, Failure> {
    let (end, at) = wire.end(timeout + bench.patience())?;
    let (after, said) =
        (at.saturating_duration_since(since), String::from_utf8_lossy(wire.buffered()).into_owned());
    ensure!(end != End::Silence, "still open after {after:.1?}; closing was due after {timeout:?}");
    ensure!(said.is_empty(), "closed with an answer: {said:?}");
    bench.in_time(after, timeout)
}

fn closed(late: Duration) -> Outcome {
    Ok(crate::scenario::Observed::new(format!("closed with no answer, {late:.1?} late"))
        .with("late_ms", ms(late)))
}

fn stalls(bench: &Bench, bytes: &[u8]) -> Outcome {
    let since = Instant::now();
    let mut wire = bench.connect()?;
    wire.send(bytes)?;
    closed(closed_at(bench, &mut wire, since, HEADER)?)
}

fn drips(bench: &Bench, first: &[u8], drip: &[u8]) -> Outcome {
    let since = Instant::now();
    let mut wire = bench.connect()?;
    wire.send(first)?;
    drip_until_news(bench, &mut wire, drip, since + 4 * HEADER)?;
    closed(closed_at(bench, &mut wire, since, HEADER)?)
}

/// Sends `drip` each 20 ms until something comes or the time is over. A server that has closed does not take it any more.
fn drip_until_news(bench: &Bench, wire: &mut Wire, drip: &[u8], until: Instant) -> Result<(), Failure> {
    while Instant::now() < until && !wire.fill(Instant::now() + Duration::from_millis(20))? {
        if wire.send(drip).is_err() {
            bench.trace().say(0, "the server takes no more");
            break;
        }
    }
    Ok(())
}

fn just_in_time(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    for piece in [&b"GET /fa"[..], b"st HTTP/1.1\r\nHo", b"st: lab\r\n\r\n"] {
        wire.send(piece)?;
        if !piece.ends_with(b"\r\n\r\n") {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let status = wire.answer()?.status();
    ensure!(status == 200, "{status} instead of 200");
    Ok("200".into())
}

fn behind_a_request(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let sent_at = wire.send(&[bench.fast().bytes(bench.host()), b"GET /fa".to_vec()].concat())?;
    let status = wire.answer()?.status();
    ensure!(status == 200, "/fast: {status} instead of 200");
    closed(closed_at(bench, &mut wire, sent_at, HEADER)?)
}

fn on_a_kept_connection(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let status = wire.ask(&bench.fast())?.status();
    ensure!(status == 200, "/fast: {status} instead of 200");
    std::thread::sleep(Duration::from_millis(300));
    let sent_at = wire.send(b"GET /fa")?;
    closed(closed_at(bench, &mut wire, sent_at, HEADER)?)
}

fn crowd(bench: &Bench) -> Outcome {
    let since = Instant::now();
    let mut wires = Vec::new();
    for _ in 0..200 {
        let mut wire = bench.connect()?;
        wire.send(b"GET /fa")?;
        wires.push(wire);
    }
    let opened = since.elapsed();
    let answer = bench.ask(&bench.fast())?;
    let took = answer.after();
    ensure!(
        answer.status() == 200 && took <= bench.answer_late(),
        "/fast: {} after {took:.1?}",
        answer.status()
    );
    let mut worst = Duration::ZERO;
    for mut wire in wires {
        let late = closed_at(bench, &mut wire, since, HEADER)?;
        worst = worst.max(late.saturating_sub(opened));
    }
    Ok(format!("200 closed, the last {worst:.1?} late; /fast after {took:.1?}").into())
}

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
    ensure!(reason.as_deref() == Some("timeout"), "reason {reason:?}: {}", response.text());
    ensure!(id.as_deref() == request.id_given(), "request_id {id:?}: {}", response.text());
    Ok(response.text().trim_end().into())
}

fn served(bench: &Bench, request: &Request) -> Outcome {
    let answer = bench.ask(request)?;
    let after = answer.after();
    ensure!(answer.status() == 200, "{} instead of 200, {after:.1?} after sending", answer.status());
    Ok(format!("200 after {after:.0?}").into())
}

fn idle(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let answer = wire.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    closed(closed_at(bench, &mut wire, answer.sent_at, IDLE)?)
}

fn idle_starts_anew(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let mut last = None;
    for _ in 0..4 {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200", answer.status());
        last = Some(answer.sent_at);
        std::thread::sleep(Duration::from_millis(600));
    }
    let since = last.expect("there were four answers");
    closed(closed_at(bench, &mut wire, since, IDLE)?)
}
