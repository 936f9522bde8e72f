//! Heads that come late: one that stalls, one that drips, and the connection that waits for one.

use std::time::{Duration, Instant};

use testbed::capability::Capability::KeepAlive;

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};
use crate::scenarios::timeouts::{BASE, HEADER, closed, closed_at, drip_until_news};

const SLOWLORIS: &str =
    "one client with a few thousand connections that say next to nothing keeps everybody else out";
const RESETS: &str = "a timeout that each byte sets back never comes";
const HEADERS: &str = "hyper has a timeout of heads only when it is given a timer, and hyper-util's `auto` and \
    `axum::serve` have none before the first bytes; socket timeouts count from the last byte";
const HYPER: &[&str] = &[
    "https://docs.rs/hyper/1.12.0/hyper/server/conn/http1/struct.Builder.html#method.header_read_timeout",
    "https://github.com/hyperium/hyper/issues/3962",
];

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
];

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
