//! The end of a server: what runs is answered, what idles is closed, and nothing holds it longer than it says.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{
    Admin, EndpointStream, EndpointUpload, KeepAlive, Process, StyleContext, Witness,
};
use testbed::witness::Word;
use wire::{Answer, End, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::shutdown::{BASE, ends, ends_with, is_200, working};

const ANSWER: &[Judges] = &[Judges::Answer];
const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "shutdown/drains",
        promise: "a request that runs when SIGTERM comes is answered, and the server exits 0",
        judges: ANSWER,
        sent: "`GET /slow?work=500ms` with `grpc-timeout: 1800m`, then SIGTERM",
        why: "a deployment is the commonest outage, and the only one that is planned",
        wrong: "a process without a handler dies at once, and every client sees a reset",
        sources: &["https://pkg.go.dev/net/http#Server.Shutdown"],
        run: drains,
        ..BASE
    },
    Scenario {
        id: "shutdown/refuses-new",
        promise: "after SIGTERM new connections are refused at once, while a request still runs",
        judges: &[Judges::Connection],
        sent: "`GET /slow?work=900ms`, SIGTERM, then connections until one is refused",
        why: "a client that is refused goes to the next server; one that waits in the backlog of this one does not",
        wrong: "servers that stop accepting but keep the listener open: the kernel goes on taking connections for it",
        run: refuses_new,
        ..BASE
    },
    Scenario {
        id: "shutdown/port-released",
        promise: "after SIGTERM another process can listen on the same port, while a request still runs",
        judges: &[Judges::Connection],
        sent: "`GET /slow?work=900ms`, SIGTERM, then `bind` and `listen` on the server's address",
        why: "the new version starts while the old one finishes",
        run: port_released,
        ..BASE
    },
    Scenario {
        id: "shutdown/idle-closed",
        promise: "after SIGTERM idle connections are closed at once, while a request still runs",
        judges: &[Judges::Connection],
        needs: &[Process, Witness, StyleContext, KeepAlive],
        sent: "3 connections that were served and are kept, `GET /slow?work=900ms` on a fourth, SIGTERM",
        why: "a keep-alive client finds out now, and not in the middle of its next request",
        wrong: "a server that waits for its clients to close waits for the idle timeout of each",
        sources: &["https://pkg.go.dev/net/http#Server.Shutdown"],
        run: idle_closed,
        ..BASE
    },
    Scenario {
        id: "shutdown/half-sent-head",
        promise: "neither a half-sent head nor a connection without a byte holds the shutdown",
        judges: &[Judges::Connection],
        needs: &[Process],
        sent: "`GET /fa` on one connection, nothing on another, SIGTERM",
        why: "one sleeping stranger must not decide how long a deployment takes",
        wrong: "hyper's graceful shutdown waits for the head until the header timeout, or for ever without one",
        sources: &["https://docs.rs/hyper-util/latest/hyper_util/server/graceful/index.html"],
        run: half_sent_head,
        ..BASE
    },
    Scenario {
        id: "shutdown/cancels-at-timeout",
        promise: "at the shutdown timeout what is left is canceled: 503 with reason `shutdown`, the work stops, exit 0",
        judges: &[Judges::Answer, Judges::Work],
        flags: SHORT,
        sent: "`GET /slow?work=6000ms`, SIGTERM; `--shutdown-timeout 400ms --request-timeout 8s`",
        why: "the supervisor's SIGKILL is next, and nobody cleans up after that",
        wrong: "hyper's, axum's and Go's graceful shutdown have no bound of their own",
        run: cancels_at_timeout,
        ..BASE
    },
    Scenario {
        id: "shutdown/deadline-while-draining",
        promise: "a deadline that passes while the server drains is answered 504 on time, and the server exits 0",
        judges: ANSWER,
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 600m`, SIGTERM meanwhile",
        why: "a server that stops still has clients with clocks",
        run: deadline_while_draining,
        ..BASE
    },
    Scenario {
        id: "shutdown/disconnect-while-draining",
        promise: "a client that leaves while the server drains cancels its work, and the server exits 0 at once",
        judges: &[Judges::Work],
        flags: &[("--request-timeout", "8s")],
        sent: "`GET /slow?work=6000ms`, SIGTERM, then RST; `--request-timeout 8s`",
        why: "work for nobody must not hold up the end",
        run: disconnect_while_draining,
        ..BASE
    },
    Scenario {
        id: "shutdown/keep-alive-closes",
        promise: "an answer given while draining says `Connection: close`, and nothing more is served behind it",
        judges: BOTH,
        sent: "`GET /slow?work=500ms`, SIGTERM, and `GET /fast` on the same connection while it works",
        why: "a client that sends its next request into a closing connection cannot tell whether it was served",
        sources: &["RFC 9112, section 9.6"],
        run: keep_alive_closes,
        ..BASE
    },
    Scenario {
        id: "shutdown/stalled-upload",
        promise: "an upload that stalls does not hold the shutdown: 503 at the shutdown timeout",
        judges: ANSWER,
        needs: &[Process, EndpointUpload],
        flags: SHORT,
        sent: "`POST /upload` with `Content-Length: 100`, 10 bytes, SIGTERM, silence; `--shutdown-timeout 400ms`",
        why: "a read that nobody can cancel outlives every timeout",
        run: stalled_upload,
        ..BASE
    },
    Scenario {
        id: "shutdown/stream-cut",
        promise: "a stream is cut at the shutdown timeout: no terminal chunk, and the server exits",
        judges: BOTH,
        needs: &[Process, EndpointStream],
        flags: SHORT,
        sent: "`GET /stream?chunks=1000&every=20ms`, SIGTERM; `--shutdown-timeout 400ms --request-timeout 8s`",
        why: "half a stream that ends like a whole one is taken for a whole one",
        run: stream_cut,
        ..BASE
    },
    Scenario {
        id: "shutdown/census-while-draining",
        promise: "the server's count is served while the server drains, and has what still runs",
        judges: ANSWER,
        needs: &[Process, Witness, StyleContext, Admin],
        sent: "`GET /slow?work=900ms`, SIGTERM, `GET /census`",
        why: "the last seconds are when one looks",
        run: census_while_draining,
        ..BASE
    },
    Scenario {
        id: "shutdown/sigint",
        promise: "SIGINT stops it as SIGTERM does: the request that runs is answered, exit 0",
        judges: ANSWER,
        sent: "`GET /slow?work=500ms` with `grpc-timeout: 1800m`, then SIGINT",
        why: "Ctrl-C is how people stop what they try out",
        run: sigint,
        ..BASE
    },
];

/// Requests that would outlast the shutdown timeout.
const SHORT: &[(&str, &str)] = &[("--shutdown-timeout", "400ms"), ("--request-timeout", "8s")];
/// The timeout that [`SHORT`] sets.
const TIMEOUT: Duration = Duration::from_millis(400);

fn drains(bench: &Bench) -> Outcome {
    drained_after(bench, Signal::TERM)
}

fn sigint(bench: &Bench) -> Outcome {
    drained_after(bench, Signal::INT)
}

fn drained_after(bench: &Bench, signal: Signal) -> Outcome {
    let (mut wire, _) = working(bench, 500, 1800)?;
    bench.server().signal(signal);
    is_200(&wire.answer()?)?;
    let after = ends_with(bench, 0, Instant::now())?;
    ensure!(after <= bench.ms(1000), "the server ended only {after:.1?} after its last answer");
    Ok(format!("200, exit 0 {after:.1?} later").into())
}

fn refuses_new(bench: &Bench) -> Outcome {
    let (mut wire, _) = working(bench, 900, 1800)?;
    let told_at = bench.server().signal(Signal::TERM);
    while bench.connect().is_ok() {
        let late = told_at.elapsed();
        ensure!(late <= bench.answer_late(), "still accepting {late:.1?} after SIGTERM");
        std::thread::sleep(Duration::from_millis(1));
    }
    let refused = told_at.elapsed();
    is_200(&wire.answer()?)?;
    ends_with(bench, 0, told_at)?;
    Ok(format!("refused {refused:.1?} after SIGTERM; the running one was answered").into())
}

fn port_released(bench: &Bench) -> Outcome {
    let (mut wire, _) = working(bench, 900, 1800)?;
    let told_at = bench.server().signal(Signal::TERM);
    let released = loop {
        match TcpListener::bind(bench.server().address()) {
            Ok(_) => break told_at.elapsed(),
            Err(error) => {
                let late = told_at.elapsed();
                ensure!(
                    late <= bench.answer_late(),
                    "the port is not free {late:.1?} after SIGTERM: {error}"
                );
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    is_200(&wire.answer()?)?;
    Ok(format!("free {released:.1?} after SIGTERM").into())
}

fn idle_closed(bench: &Bench) -> Outcome {
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut wire = bench.connect()?;
        is_200(&wire.ask(&bench.fast())?)?;
        idle.push(wire);
    }
    let (mut wire, _) = working(bench, 900, 1800)?;
    let told_at = bench.server().signal(Signal::TERM);
    let mut worst = Duration::ZERO;
    for wire in &mut idle {
        let (end, at) = wire.end(bench.answer_late())?;
        ensure!(end == End::Fin, "{end} on an idle connection {:.1?} after SIGTERM", told_at.elapsed());
        worst = worst.max(at.saturating_duration_since(told_at));
    }
    is_200(&wire.answer()?)?;
    ends_with(bench, 0, told_at)?;
    Ok(format!("closed {worst:.1?} after SIGTERM, the running one was answered").into())
}

fn half_sent_head(bench: &Bench) -> Outcome {
    let mut half = bench.connect()?;
    half.send(b"GET /fa")?;
    let mut silent = bench.connect()?;
    is_200(&bench.ask(&bench.fast())?)?;
    let told_at = bench.server().signal(Signal::TERM);
    for wire in [&mut half, &mut silent] {
        let (end, _) = wire.end(bench.ms(1500))?;
        ensure!(end != End::Silence, "still open {:.1?} after SIGTERM", told_at.elapsed());
    }
    let after = ends_with(bench, 0, told_at)?;
    ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("exit 0 after {after:.1?}").into())
}

/// Checks a 503 with reason `shutdown` that came at the shutdown timeout after `told_at`.
fn is_shutdown(bench: &Bench, answer: &Answer, told_at: Instant) -> Result<Duration, Failure> {
    ensure!(answer.status() == 503, "{} instead of 503", answer.status());
    let reason = answer.response.field("reason");
    ensure!(reason.as_deref() == Some("shutdown"), "the reason is {} and not `shutdown`", or_none(reason));
    bench.in_time(answer.first_byte_at.saturating_duration_since(told_at), TIMEOUT)
}

fn cancels_at_timeout(bench: &Bench) -> Outcome {
    let (mut wire, id) = working(bench, 6000, 7000)?;
    let told_at = bench.server().signal(Signal::TERM);
    let late = is_shutdown(bench, &wire.answer()?, told_at)?;
    let (ended_at, how) = bench.work_ends(&id, bench.patience())?;
    ensure!(how == Word::Canceled, "the work says {how}");
    let zombie = bench.stopped_soon(told_at + TIMEOUT, ended_at)?;
    ends_with(bench, 0, told_at)?;
    Ok(format!("503 {late:.1?} after the timeout, the work stopped after {zombie:.1?}, exit 0").into())
}

fn deadline_while_draining(bench: &Bench) -> Outcome {
    let (mut wire, _) = working(bench, 3000, 600)?;
    bench.server().signal(Signal::TERM);
    let late = bench.is_504(&wire.answer()?, bench.ms(600))?;
    ends_with(bench, 0, Instant::now())?;
    Ok(format!("504, {late:.1?} late, exit 0").into())
}

fn disconnect_while_draining(bench: &Bench) -> Outcome {
    let (wire, id) = working(bench, 6000, 7000)?;
    bench.server().signal(Signal::TERM);
    std::thread::sleep(bench.ms(100));
    let left_at = wire.reset();
    let (ended_at, _) = bench.work_ends(&id, bench.patience())?;
    bench.stopped_soon(left_at, ended_at)?;
    let after = ends_with(bench, 0, left_at)?;
    ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after its last client left");
    Ok(format!("exit 0 {after:.1?} after the reset").into())
}

fn keep_alive_closes(bench: &Bench) -> Outcome {
    let (mut wire, _) = working(bench, 500, 1800)?;
    bench.server().signal(Signal::TERM);
    std::thread::sleep(bench.ms(100));
    wire.send_request(&bench.fast())?;
    let answer = wire.answer()?;
    is_200(&answer)?;
    ensure!(answer.response.says_close(), "the answer does not say `Connection: close`");
    let (end, _) = wire.end(bench.ms(1500))?;
    ensure!(end != End::Silence, "the connection is still open behind the last answer");
    ensure!(wire.buffered().is_empty(), "one more request was answered behind `Connection: close`");
    ends_with(bench, 0, Instant::now())?;
    Ok(format!("200 with Connection: close, then {end}").into())
}

fn stalled_upload(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send_request(&Request::post_part("/upload", 100, *b"0123456789").id(bench.id()))?;
    // Behind this answer the server has seen the head: it was sent before.
    is_200(&bench.ask(&bench.fast())?)?;
    std::thread::sleep(bench.ms(50));
    let told_at = bench.server().signal(Signal::TERM);
    let late = is_shutdown(bench, &wire.answer()?, told_at)?;
    let after = ends_with(bench, 0, told_at)?;
    Ok(format!("503 {late:.1?} after the timeout, exit 0 after {after:.1?}").into())
}

fn stream_cut(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send_request(&Request::get("/stream?chunks=1000&every=20ms").id(bench.id()))?;
    ensure!(wire.fill(Instant::now() + bench.patience())?, "no byte of the stream");
    let told_at = bench.server().signal(Signal::TERM);
    let answer = wire.answer()?;
    ensure!(!answer.response.whole, "the stream that was cut ends like a whole one");
    let late = bench.in_time(answer.done_at - told_at, TIMEOUT)?;
    ends(bench)?;
    let after = told_at.elapsed();
    ensure!(after <= bench.ms(2000), "the server ended only {after:.1?} after SIGTERM");
    Ok(format!("cut {late:.1?} after the timeout, ended after {after:.1?}").into())
}

fn census_while_draining(bench: &Bench) -> Outcome {
    let (mut wire, _) = working(bench, 900, 1800)?;
    bench.server().signal(Signal::TERM);
    std::thread::sleep(bench.ms(100));
    let census = bench.census()?;
    ensure!(census.requests.live == 1, "{} requests live while one drains", census.requests.live);
    is_200(&wire.answer()?)?;
    Ok(census.line().into())
}
