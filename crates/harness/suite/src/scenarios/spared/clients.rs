//! Clients that are silent, chatty, slow or old, and wait for their answer all the same.

use std::time::Duration;

use testbed::capability::Capability::{KeepAlive, ParamWork, TimeoutHeader};
use wire::{Request, Wire};

use super::{begun, lasting, request, spared, whole};
use crate::ensure;
use crate::scenario::{Bench, Outcome, Scenario, Slot};
use crate::scenarios::spared;

const QUIET: &str =
    "a client that waits for its answer has nothing to say: silence is how waiting looks on the wire";
const BEHIND: &str =
    "bytes behind a request are the next request, or its beginning: they say that the client is there";
const TIMER: &str =
    "a timeout of the connection watches the client's bytes, and while work runs the client owes none";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "spared/silent-2s",
        promise: "a client that is silent for 2 s gets its answer, and the work is done",
        slot: Slot::Own,
        flags: &[("--request-timeout", "20s")],
        sent: "`GET /slow?work=2000ms`, then nothing; `--request-timeout 20s`",
        why: QUIET,
        wrong: "a read timeout that goes on while the handler runs, and its error taken for the client's leaving",
        run: |bench| spared(bench, &lasting(bench, Duration::from_secs(2)), |_| Ok(())),
        ..spared::BASE
    },
    Scenario {
        id: "spared/silent-20s",
        promise: "a client that is silent for 20 s gets its answer, and the work is done",
        slot: Slot::Own,
        limit: Duration::from_secs(40),
        flags: &[("--request-timeout", "60s")],
        sent: "`GET /slow?work=20000ms`, then nothing; `--request-timeout 60s`",
        why: "an export, a report, a model's answer: nothing is said for as long as it takes",
        wrong: "an idle, read or keep-alive timeout of some seconds that nobody meant for running requests",
        run: |bench| spared(bench, &lasting(bench, Duration::from_secs(20)), |_| Ok(())),
        ..spared::BASE
    },
    Scenario {
        id: "spared/next-request-behind",
        promise: "a second request in the same segment stops no work: both are answered, in order",
        needs: &[ParamWork, KeepAlive],
        sent: "`GET /slow?work=400ms` and `GET /fast` in one write",
        why: BEHIND,
        wrong: "a watch for the client's leaving that reads, and takes whatever it gets for an end",
        run: |bench| {
            let first = request(bench);
            let mut wire = bench.connect()?;
            wire.send(&[first.bytes(bench.host()), bench.fast().bytes(bench.host())].concat())?;
            followed(bench, &mut wire, &first, 1)
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/next-request-later",
        promise: "a second request that comes while the first one's work runs stops nothing: both are answered",
        needs: &[ParamWork, KeepAlive],
        sent: "`GET /slow?work=400ms`; once its work has begun, `GET /fast`",
        why: BEHIND,
        wrong: "a connection that becomes readable is taken for one that ends",
        run: |bench| behind(bench, 1),
        ..spared::BASE
    },
    Scenario {
        id: "spared/ten-requests-behind",
        promise: "ten requests behind one whose work runs stop nothing: all are answered, in order",
        needs: &[ParamWork, KeepAlive],
        sent: "`GET /slow?work=400ms`; once its work has begun, ten times `GET /fast` in one write",
        why: BEHIND,
        run: |bench| behind(bench, 10),
        ..spared::BASE
    },
    Scenario {
        id: "spared/empty-line-behind",
        promise: "an empty line behind a request stops no work",
        sent: "`GET /slow?work=400ms`; once its work has begun, `\\r\\n`",
        why: "old clients send an empty line behind a body, and RFC 9112 (section 2.2) asks servers to ignore it",
        sources: &["RFC 9112, section 2.2"],
        run: |bench| {
            spared(bench, &request(bench), |wire| {
                wire.send(b"\r\n")?;
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/half-a-head-behind",
        promise: "half of a next request stops no work",
        sent: "`GET /slow?work=400ms`; once its work has begun, `GET /fa`",
        why: BEHIND,
        run: |bench| {
            spared(bench, &request(bench), |wire| {
                wire.send(b"GET /fa")?;
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/half-close-served",
        promise: "under `serve` a client that says it will ask no more gets its answer",
        flags: &[("--on-disconnect", "serve")],
        sent: "`GET /slow?work=400ms`; once its work has begun, `shutdown(WR)`; `--on-disconnect serve`",
        why: "the end of what a client sends is not the end of the client",
        sources: &["RFC 9112, section 9.6"],
        run: |bench| {
            spared(bench, &request(bench), |wire| {
                wire.half_close();
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/reused-connection",
        promise: "the second request on a connection has its work done like the first",
        needs: &[ParamWork, KeepAlive],
        sent: "`GET /slow?work=100ms`, its answer; `GET /slow?work=400ms`",
        why: "keep-alive is what every pool of connections does",
        wrong: "a signal of the first request's end that the second one inherits",
        run: |bench| reused(bench, &lasting(bench, bench.ms(100)), 200),
        ..spared::BASE
    },
    Scenario {
        id: "spared/reused-after-504",
        promise: "a request on a connection whose last one timed out has its work done",
        needs: &[ParamWork, KeepAlive, TimeoutHeader],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 100m`, its 504; `GET /slow?work=400ms`",
        why: "a deadline belongs to one request",
        wrong: "a timer or a token of the connection that stays fired",
        run: |bench| reused(bench, &bench.slow_for(bench.ms(3000), bench.ms(100), ""), 504),
        ..spared::BASE
    },
    Scenario {
        id: "spared/http-10",
        promise: "a client that speaks HTTP/1.0 gets its answer, and the work is done",
        sent: "`GET /slow?work=400ms HTTP/1.0`",
        why: "reverse proxies speak HTTP/1.0 upstream unless told otherwise",
        run: |bench| {
            let modern = request(bench);
            let text =
                String::from_utf8_lossy(&modern.bytes(bench.host())).replacen("HTTP/1.1", "HTTP/1.0", 1);
            let mut wire = bench.connect()?;
            wire.send(text.as_bytes())?;
            whole(bench, &mut wire, &modern)
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/urgent-data",
        promise: "a byte of TCP's urgent data stops no work",
        sent: "`GET /slow?work=400ms`; once its work has begun, one byte with `MSG_OOB`",
        why: "urgent data raises the same event as exceptional conditions (`POLLPRI`), and says nothing of leaving",
        wrong: "a watch that waits for `POLLPRI` or `EPOLLRDHUP` together and asks not which it got",
        sources: &["RFC 6093", "https://docs.rs/tokio/1.54.1/tokio/io/struct.Interest.html"],
        run: |bench| {
            spared(bench, &request(bench), |wire| {
                wire.send_urgent(b'!')?;
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/idle-timeout",
        promise: "an idle timeout shorter than the work stops no work",
        slot: Slot::Own,
        flags: &[("--idle-timeout", "150ms")],
        sent: "`GET /slow?work=400ms`; `--idle-timeout 150ms`",
        why: TIMER,
        run: |bench| spared(bench, &request(bench), |_| Ok(())),
        ..spared::BASE
    },
    Scenario {
        id: "spared/header-timeout",
        promise: "a header timeout shorter than the work stops no work",
        slot: Slot::Own,
        flags: &[("--read-header-timeout", "150ms")],
        sent: "`GET /slow?work=400ms`; `--read-header-timeout 150ms`",
        why: TIMER,
        run: |bench| spared(bench, &request(bench), |_| Ok(())),
        ..spared::BASE
    },
    Scenario {
        id: "spared/read-timeout",
        promise: "a read timeout shorter than the work stops no work of a request that was read",
        slot: Slot::Own,
        flags: &[("--read-timeout", "150ms")],
        sent: "`GET /slow?work=400ms`; `--read-timeout 150ms`",
        why: TIMER,
        wrong: "Go's `ReadTimeout` is a deadline of the connection: its background read fails and cancels the request",
        sources: &["https://github.com/golang/go/issues/16100"],
        run: |bench| spared(bench, &request(bench), |_| Ok(())),
        ..spared::BASE
    },
    Scenario {
        id: "spared/write-timeout",
        promise: "a write timeout shorter than the work stops no work: nothing is being written yet",
        slot: Slot::Own,
        flags: &[("--write-timeout", "150ms")],
        sent: "`GET /slow?work=400ms`; `--write-timeout 150ms`",
        why: "a write timeout watches a response on its way out, and there is none yet",
        wrong: "Go's `WriteTimeout` counts from the request's head and silently drops the answer of longer work",
        sources: &["https://pkg.go.dev/net/http#Server"],
        run: |bench| spared(bench, &request(bench), |_| Ok(())),
        ..spared::BASE
    },
];

/// Checks that the work of `first` is spared and that so many requests behind it are answered.
fn followed(bench: &Bench, wire: &mut Wire, first: &Request, count: usize) -> Outcome {
    let observed = whole(bench, wire, first)?;
    for number in 1..=count {
        let answer = wire.answer()?;
        ensure!(answer.status() == 200, "{} instead of 200 for request {number} behind it", answer.status());
    }
    Ok(observed)
}

/// Sends so many requests behind one whose work has begun.
fn behind(bench: &Bench, count: usize) -> Outcome {
    let first = request(bench);
    let mut wire = bench.connect()?;
    wire.send_request(&first)?;
    begun(bench, &first)?;
    wire.send(&(0..count).flat_map(|_| bench.fast().bytes(bench.host())).collect::<Vec<_>>())?;
    followed(bench, &mut wire, &first, count)
}

/// Sends a request on a connection that has served `first`, which must have been answered with `status`.
fn reused(bench: &Bench, first: &Request, status: u16) -> Outcome {
    let mut wire = bench.connect()?;
    let answer = wire.ask(first)?;
    ensure!(answer.status() == status, "{} instead of {status} for the first request", answer.status());
    let second = request(bench);
    wire.send_request(&second)?;
    whole(bench, &mut wire, &second)
}
