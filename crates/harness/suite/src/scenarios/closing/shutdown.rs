//! At the end of a server: the process exits, and what it wrote arrives all the same.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{EndpointStream, KeepAlive, Process, Witness};
use wire::Wire;

use super::super::shutdown;
use super::{BASE, ENDLESS, begin_stream, is_reset, is_whole, read_slowly};
use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario, Slot};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "closing/stopped-http-10",
        promise: "a /stream in HTTP/1.0 that is cut at the shutdown timeout is reset: a FIN would tell that it is whole",
        needs: &[Process, EndpointStream],
        flags: &[("--shutdown-timeout", "400ms"), ("--request-timeout", "30s")],
        slot: Slot::Own,
        sent: "`GET /stream?chunks=10000&every=20ms HTTP/1.0`, SIGTERM; `--shutdown-timeout 400ms`",
        why: ENDLESS,
        wrong: "a process that exits, for the kernel closes its sockets in order",
        run: stopped_http_10,
        ..BASE
    },
    Scenario {
        id: "closing/slow-readers",
        promise: "20 slow readers of streams that run when SIGTERM comes get all of them, though a second request lies unread behind \
            each, and the server exits 0",
        needs: &[Process, Witness, EndpointStream],
        flags: &[("--shutdown-timeout", "15s"), ("--request-timeout", "30s")],
        slot: Slot::Own,
        sent: "20 times `GET /stream?chunks=1000&every=1ms`, then `GET /fast`, SIGTERM; read slowly over the smallest buffers",
        run: slow_readers,
        ..BASE
    },
    Scenario {
        id: "closing/clients-that-go-on",
        promise: "20 clients that go on sending and never close do not hold the shutdown: it exits 0 within 1.5 s",
        judges: &[Judges::Connection],
        needs: &[Process, KeepAlive],
        slot: Slot::Own,
        sent: "20 times `GET /fast` and its answer, SIGTERM, then an empty line each 20 ms on each connection",
        why: "the supervisor's SIGKILL comes, and it takes the answers of others along",
        wrong: "a server that waits for its clients to close",
        run: clients_that_go_on,
        ..BASE
    },
];

fn stopped_http_10(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send(b"GET /stream?chunks=10000&every=20ms HTTP/1.0\r\n\r\n")?;
    while !String::from_utf8_lossy(wire.buffered()).contains("{\"chunk\":0}\n") {
        ensure!(wire.fill(Instant::now() + bench.patience())? && !wire.is_over(), "no chunk of the stream");
    }
    let told_at = bench.server().signal(Signal::TERM);
    let at = is_reset(bench, &mut wire)?;
    let late = bench.in_time(at.saturating_duration_since(told_at), Duration::from_millis(400))?;
    shutdown::ends(bench)?;
    Ok(format!("reset, {late:.1?} after the shutdown timeout").into())
}

fn slow_readers(bench: &Bench) -> Outcome {
    let behind = bench.fast().bytes(bench.host());
    let streams = (0..20).map(|_| begin_stream(bench, "HTTP/1.1\r\nHost: lab", &behind));
    let streams = streams.collect::<Result<Vec<_>, _>>()?;
    let told_at = bench.server().signal(Signal::TERM);
    let read = |(mut wire, id): (Wire, String)| {
        let answer = read_slowly(bench, &mut wire, &id)?;
        is_whole(&mut wire, &answer)
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = streams.into_iter().map(|stream| scope.spawn(|| read(stream))).collect();
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader returns its failure"))
    })?;
    let after = shutdown::ends_with(bench, 0, told_at)?;
    Ok(format!("20 streams whole, exit 0 {after:.1?} after SIGTERM").into())
}

fn clients_that_go_on(bench: &Bench) -> Outcome {
    let mut wires = Vec::new();
    for _ in 0..20 {
        let mut wire = bench.connect()?;
        let status = wire.ask(&bench.fast())?.status();
        ensure!(status == 200, "/fast: {status} instead of 200");
        wires.push(wire);
    }
    let told_at = bench.server().signal(Signal::TERM);
    let until = told_at + bench.ms(1500);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while Instant::now() < until {
                // A connection that the server has given up takes no more.
                wires.iter_mut().for_each(|wire| drop(wire.send(b"\r\n")));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let after = shutdown::ends_with(bench, 0, told_at)?;
        ensure!(after <= bench.ms(1500), "the server ended only {after:.1?} after SIGTERM");
        Ok(format!("exit 0 after {after:.1?}").into())
    })
}
