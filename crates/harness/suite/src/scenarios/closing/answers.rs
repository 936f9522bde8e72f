//! Behind an answer: what its client still sends does not destroy it.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Admin, EndpointStream, KeepAlive, StyleContext, TimeoutHeader};
use wire::End;

use super::{BASE, CHUNKS, ENDLESS, LINGER, begin_stream, is_reset, is_whole, read_slowly};
use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario, Slot};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "closing/empty-line-behind",
        promise: "the last answer of a connection reaches a slow reader whole, though an empty line lies unread behind its request",
        sent: "`GET /stream?chunks=1000&every=1ms` with `Connection: close`, then CR LF; read slowly over the smallest buffers",
        run: |bench| arrives_whole(bench, "HTTP/1.1\r\nHost: lab\r\nConnection: close", b"\r\n"),
        ..BASE
    },
    Scenario {
        id: "closing/request-behind",
        promise: "the last answer of a connection reaches a slow reader whole, though a second request lies unread behind the first",
        sent: "`GET /stream?chunks=1000&every=1ms` with `Connection: close`, then `GET /fast`; read slowly over the smallest buffers",
        run: |bench| {
            let behind = b"GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n";
            arrives_whole(bench, "HTTP/1.1\r\nHost: lab\r\nConnection: close", behind)
        },
        ..BASE
    },
    Scenario {
        id: "closing/http-10",
        promise: "an answer in HTTP/1.0 reaches a slow reader whole and ends in order, though an empty line lies unread behind its request",
        sent: "`GET /stream?chunks=1000&every=1ms HTTP/1.0`, then CR LF; read slowly over the smallest buffers",
        run: |bench| arrives_whole(bench, "HTTP/1.0", b"\r\n"),
        ..BASE
    },
    Scenario {
        id: "closing/cut-stream",
        promise: "what a /stream sent before its deadline arrives, though a second request lies unread behind: a FIN and no RST",
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=100&every=50ms` with `grpc-timeout: 300m`; 100 ms later `GET /fast`",
        run: cut_stream,
        ..BASE
    },
    Scenario {
        id: "closing/504",
        promise: "a 504 with `Connection: close` arrives and is followed by a FIN, though a second request lies unread behind",
        needs: &[StyleContext, TimeoutHeader],
        sent: "`GET /slow?work=3000ms` with `Connection: close` and `grpc-timeout: 300m`; 100 ms later `GET /fast`",
        run: late_answer,
        ..BASE
    },
    Scenario {
        id: "closing/refused-head",
        promise: "the refusal of what is no request arrives and is followed by a FIN, though more lies unread behind",
        needs: &[],
        sent: "`GET /fast HTTP/9.9` and 400,000 bytes behind it",
        run: refused_head,
        ..BASE
    },
    Scenario {
        id: "closing/refused-connections",
        promise: "a connection over the limit gets its 503 whole and then a FIN, though its request lies unread, also when there is nothing \
            left to serve the refusals with",
        needs: &[KeepAlive],
        flags: &[("--max-connections", "1"), ("--blocking-threads", "1")],
        slot: Slot::Own,
        sent: "`GET /fast` and its answer, kept; on 20 more connections `GET /fast`; `--max-connections 1 --blocking-threads 1`",
        wrong: "a server that closes what it turns away at once",
        run: refused_connections,
        ..BASE
    },
    Scenario {
        id: "closing/is-bounded",
        promise: "a client that goes on sending behind its last answer is let go within a second",
        judges: &[Judges::Connection],
        needs: &[Admin],
        slot: Slot::Own,
        sent: "`GET /fast` with `Connection: close`; once it is answered a byte each 20 ms, and no close",
        why: "who reads on for the sake of an answer must not be kept by a client that never stops",
        wrong: "a server that reads to the end of the stream, whenever that comes",
        run: is_bounded,
        ..BASE
    },
    Scenario {
        id: "closing/cut-http-10",
        promise: "a /stream in HTTP/1.0 past its deadline is reset: a FIN would tell that it is whole",
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=100&every=50ms HTTP/1.0` with `grpc-timeout: 300m`",
        why: ENDLESS,
        wrong: "servers that close in order whatever came before",
        run: cut_http_10,
        ..BASE
    },
];

fn arrives_whole(bench: &Bench, version: &str, behind: &[u8]) -> Outcome {
    let (mut wire, id) = begin_stream(bench, version, behind)?;
    let answer = read_slowly(bench, &mut wire, &id)?;
    is_whole(&mut wire, &answer)?;
    ensure!(wire.buffered().is_empty(), "more was answered behind the last answer");
    Ok(format!("{CHUNKS} chunks, then FIN").into())
}

/// `GET` of a stream that its deadline cuts, as far as its head.
fn cut(bench: &Bench, version: &str) -> String {
    let (every, deadline) = (bench.ms(50).as_millis(), bench.deadline().as_millis());
    format!("GET /stream?chunks=100&every={every}ms {version}\r\ngrpc-timeout: {deadline}m\r\n")
}

fn cut_stream(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send(format!("{}Host: lab\r\n\r\n", cut(bench, "HTTP/1.1")).as_bytes())?;
    std::thread::sleep(bench.ms(100));
    wire.send_request(&bench.fast())?;
    let answer = wire.answer()?;
    ensure!(!answer.response.whole, "the truncated body ends like a whole one");
    let (end, _) = wire.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of FIN after {} bytes", answer.response.body.len());
    Ok(format!("{} bytes, no terminal chunk, FIN", answer.response.body.len()).into())
}

fn late_answer(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send_request(&bench.slow("").header("Connection", "close"))?;
    std::thread::sleep(bench.ms(100));
    wire.send_request(&bench.fast())?;
    let answer = wire.answer()?;
    ensure!(answer.status() == 504, "{} instead of 504", answer.status());
    let (end, _) = wire.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of FIN");
    Ok("504, then FIN".into())
}

fn refused_head(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let head = b"GET /fast HTTP/9.9\r\nHost: lab\r\n\r\n".to_vec();
    wire.send(&[head, vec![b'x'; 400_000]].concat())?;
    let answer = wire.answer()?;
    let (status, whole) = (answer.status(), answer.response.whole);
    ensure!(matches!(status, 400..=599) && whole, "{status}, whole: {whole}");
    let (end, _) = wire.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of FIN");
    Ok(format!("{status}, then FIN").into())
}

fn refused_connections(bench: &Bench) -> Outcome {
    let mut kept = bench.connect()?;
    let status = kept.ask(&bench.fast())?.status();
    ensure!(status == 200, "/fast: {status} instead of 200");
    let mut refused = Vec::new();
    for _ in 0..20 {
        let mut wire = bench.connect()?;
        wire.send_request(&bench.fast())?;
        refused.push(wire);
    }
    for (number, wire) in (1..).zip(&mut refused) {
        let answer = wire.answer()?;
        let (status, whole) = (answer.status(), answer.response.whole);
        ensure!(status == 503 && whole, "connection {number}: {status}, whole: {whole}");
        let (end, _) = wire.end(bench.patience())?;
        ensure!(end == End::Fin, "connection {number}: {end} instead of FIN");
    }
    Ok("20 times 503, then FIN".into())
}

fn is_bounded(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let answer = wire.ask(&bench.fast().header("Connection", "close"))?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let since = Instant::now();
    while bench.census()?.connections.live > 0 {
        let held = since.elapsed();
        ensure!(held <= LINGER + bench.answer_late(), "still held {held:.1?} after its last answer");
        std::thread::sleep(Duration::from_millis(20));
        // A connection that the server has given up takes no more, and that is the promise.
        let _ = wire.send(b"x");
    }
    Ok(format!("let go {:.0?} after its last answer", since.elapsed()).into())
}

fn cut_http_10(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let sent_at = wire.send(format!("{}\r\n", cut(bench, "HTTP/1.0")).as_bytes())?;
    let at = is_reset(bench, &mut wire)?;
    let late = bench.in_time(at.saturating_duration_since(sent_at), bench.deadline())?;
    Ok(format!("reset, {late:.1?} after the deadline").into())
}
