//! Clients that disconnect in the middle of a stream.

use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::capability::Capability::{EndpointStream, Witness};
use wire::Wire;

use crate::ensure;
use crate::scenario::{Bench, Failure, Outcome, Scenario};
use crate::scenarios::disconnect::{BASE, BLOCKED, Leave, canceled, stream, told, unread_stream};

const WRITES: &str = "a server that learns of the end from a write that fails learns it one chunk later, or never \
    when the next chunk is long in coming";
const STREAM: &[Capability] = &[Witness, EndpointStream];
/// Enough time to fill every buffer between a stream and a client that does not read.
const PATIENT: &[(&str, &str)] = &[("--request-timeout", "15s"), ("--write-timeout", "15s")];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/mid-stream",
        promise: "a client that closes while /stream writes cancels the work",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=20ms`; after the first chunk FIN",
        why: "the head of the answer is long gone, and the costly part is still to come",
        wrong: "servers that notice at the second write that fails: the first one still fills a buffer",
        run: |bench| streaming(bench, Leave::Fin, 20, 5),
        ..BASE
    },
    Scenario {
        id: "disconnect/mid-stream-rst",
        promise: "a client that resets while /stream writes cancels the work",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=20ms`; after the first chunk RST",
        why: "the head of the answer is long gone, and the costly part is still to come",
        run: |bench| streaming(bench, Leave::Rst, 20, 5),
        ..BASE
    },
    Scenario {
        id: "disconnect/quiet-stream-fin",
        promise: "a client that closes between two chunks of a slow /stream cancels the work, long before the next",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=700ms`; after the first chunk FIN",
        why: WRITES,
        wrong: "a handler that writes to the socket itself and waits in between looks at nothing while it waits",
        run: |bench| streaming(bench, Leave::Fin, 700, 1),
        ..BASE
    },
    Scenario {
        id: "disconnect/quiet-stream-half-close",
        promise: "a half-close between two chunks of a slow /stream cancels the work, long before the next",
        needs: STREAM,
        sent: "`GET /stream?chunks=50&every=700ms`; after the first chunk `shutdown(WR)`",
        why: "no write ever fails after a half-close: the end of input is the only sign there is",
        run: |bench| streaming(bench, Leave::HalfClose, 700, 1),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocked-stream-rst",
        promise: "a client that stopped reading and then resets cancels the work of its /stream",
        needs: BLOCKED,
        flags: PATIENT,
        limit: Duration::from_secs(25),
        sent: "`GET /stream?chunks=10000&every=1ms` behind 20 of `GET /fast` over a connection of the smallest buffers, \
            nothing read until the chunks stop coming; then RST; `--request-timeout 15s --write-timeout 15s`",
        why: "a server that waits for room to write must go on listening for the end",
        wrong: "hyper does not read while its answer waits to be written",
        run: |bench| blocked(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocked-stream-half-close",
        promise: "a client that stopped reading and then shuts down its sending half cancels the work of its /stream",
        needs: BLOCKED,
        flags: PATIENT,
        limit: Duration::from_secs(25),
        sent: "the same, and `shutdown(WR)` at the end; `--request-timeout 15s --write-timeout 15s`",
        why: "the window is shut, so no write will ever tell",
        wrong: "hyper does not read while its answer waits to be written",
        run: |bench| blocked(bench, Leave::HalfClose),
        ..BASE
    },
];

/// Leaves behind the first chunk of a stream with a chunk each `every` milliseconds, so many `tries`.
fn streaming(bench: &Bench, leave: Leave, every: u64, tries: usize) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..tries {
        let mut wire = bench.connect()?;
        let id = stream(bench, &mut wire, &format!("chunks=50&every={}ms", bench.ms(every).as_millis()))?;
        let until = Instant::now() + bench.patience();
        while !wire.buffered().windows(7).any(|window| window == b"\"chunk\"") {
            ensure!(!wire.is_over() && Instant::now() < until, "no chunk came");
            wire.fill(until)?;
        }
        let (left_at, _kept) = leave.act(wire);
        took.push(canceled(bench, &id, left_at)?);
    }
    Ok(told(&took))
}

fn blocked(bench: &Bench, leave: Leave) -> Outcome {
    let (wire, id, chunks) = blocked_stream(bench)?;
    let (left_at, _kept) = leave.act(wire);
    let mut observed = told(&[canceled(bench, &id, left_at)?]);
    observed.text = format!("blocked after {chunks} chunks; {}", observed.text);
    Ok(observed)
}

/// The same, once nobody takes its chunks any more; gives their number too.
fn blocked_stream(bench: &Bench) -> Result<(Wire, String, usize), Failure> {
    let (wire, id) = unread_stream(bench)?;
    let (witness, until) = (bench.witness()?, Instant::now() + Duration::from_secs(8));
    while Instant::now() < until {
        let events = witness.events(&id);
        let last = events.last().map_or(until, |(at, _)| *at);
        if last.elapsed() > bench.ms(200) {
            let ended = witness.ended(&id);
            ensure!(ended.is_none(), "the stream ended before anybody blocked it");
            return Ok((wire, id, events.len() - 1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::broken("a client that reads nothing was sent chunk after chunk for 8 s"))
}
