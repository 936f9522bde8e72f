//! Work of other clients: an event of one client stops nobody's work but its own.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{EndpointPanic, KeepAlive, ParamWork, Process, TimeoutHeader};
use wire::{Leave, Request};

use super::{WORK, request, spared};
use crate::ensure;
use crate::scenario::{Bench, Failure, Outcome, Scenario, Slot};
use crate::scenarios::spared;

const OTHERS: &str = "each request's context is its own: what ends one must not end its neighbors";
const SHARED: &str =
    "a token, a timer or a channel that several requests share without anybody having meant it";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "spared/neighbor-fin",
        promise: "a neighbor that closes its connection stops nobody else's work",
        sent: "two connections with `GET /slow?work=400ms` each; the other one sends FIN",
        why: OTHERS,
        wrong: SHARED,
        run: |bench| beside_leaving(bench, Leave::Fin),
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-rst",
        promise: "a neighbor that resets its connection stops nobody else's work",
        sent: "two connections with `GET /slow?work=400ms` each; the other one sends RST",
        why: OTHERS,
        wrong: SHARED,
        run: |bench| beside_leaving(bench, Leave::Rst),
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-half-close",
        promise: "a neighbor that half-closes its connection stops nobody else's work",
        sent: "two connections with `GET /slow?work=400ms` each; the other one calls `shutdown(WR)`",
        why: OTHERS,
        wrong: SHARED,
        run: |bench| beside_leaving(bench, Leave::HalfClose),
        ..spared::BASE
    },
    Scenario {
        id: "spared/many-neighbors-reset",
        promise: "fifty neighbors that reset at once stop nobody else's work",
        sent: "51 connections with `GET /slow?work=400ms` each; fifty of them send RST at once",
        why: OTHERS,
        wrong: SHARED,
        run: |bench| {
            let mut burst = bench.storm((0..50).map(|_| request(bench)).collect())?;
            spared(bench, &request(bench), |_| {
                burst.drive(Instant::now() + bench.ms(50))?;
                burst.reset();
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-panics",
        promise: "a neighbor whose handler panics stops nobody else's work",
        needs: &[ParamWork, EndpointPanic],
        sent: "`GET /slow?work=400ms`; on another connection `GET /panic`",
        why: OTHERS,
        wrong: "a poisoned lock, or an executor thread that dies and takes its tasks along",
        run: |bench| {
            spared(bench, &request(bench), |_| {
                // Whether it is answered 500 or closed is judged elsewhere.
                let _ = bench.ask(&Request::get("/panic").id(bench.id()));
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-times-out",
        promise: "a neighbor that times out stops nobody else's work",
        needs: &[ParamWork, TimeoutHeader],
        sent: "`GET /slow?work=400ms`; on another connection `GET /slow?work=3000ms` with `grpc-timeout: 100m`",
        why: OTHERS,
        wrong: SHARED,
        run: |bench| beside(bench, &bench.slow_for(bench.ms(3000), bench.ms(100), ""), 504),
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-is-refused",
        promise: "a neighbor whose request is refused stops nobody else's work",
        sent: "`GET /slow?work=400ms`; on another connection `GET /slow?work=never`",
        why: OTHERS,
        run: |bench| beside(bench, &Request::get("/slow?work=never").id(bench.id()), 400),
        ..spared::BASE
    },
    Scenario {
        id: "spared/neighbor-idles-out",
        promise: "a neighbor whose connection idles out stops nobody else's work",
        needs: &[ParamWork, KeepAlive],
        slot: Slot::Own,
        flags: &[("--idle-timeout", "150ms")],
        sent: "`GET /fast` on one connection, then nothing; on another `GET /slow?work=400ms`; `--idle-timeout 150ms`",
        why: OTHERS,
        run: |bench| {
            let mut idle = bench.connect()?;
            idle.ask(&bench.fast())?;
            let observed = spared(bench, &request(bench), |_| Ok(()))?;
            idle.end(bench.patience())?;
            Ok(observed)
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/signals",
        promise: "signals that are not meant for the server stop no work",
        needs: &[ParamWork, Process],
        slot: Slot::Own,
        sent: "`GET /slow?work=400ms`; once its work has begun, SIGWINCH, SIGCHLD, SIGURG and SIGCONT to the server",
        why: "a terminal that is resized, a child that ended elsewhere: the kernel's system calls return early, and that \
            is all",
        wrong: "`EINTR` taken for an error of the socket",
        run: |bench| {
            spared(bench, &request(bench), |_| {
                for signal in [Signal::WINCH, Signal::CHILD, Signal::URG, Signal::CONT] {
                    bench.server().signal(signal);
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(())
            })
        },
        ..spared::BASE
    },
];

/// Checks that work is spared while a neighbor leaves.
fn beside_leaving(bench: &Bench, leave: Leave) -> Outcome {
    let mut neighbor = bench.connect()?;
    neighbor.send_request(&bench.slow_for(bench.ms(WORK), bench.ms(1800), ""))?;
    let mut kept = None;
    spared(bench, &request(bench), |_| {
        kept = leave.act(neighbor).1;
        Ok(())
    })
}

/// Checks that work is spared while a neighbor's request is answered with `status`.
fn beside(bench: &Bench, other: &Request, status: u16) -> Outcome {
    spared(bench, &request(bench), |_| {
        let answer = bench.ask(other)?;
        let got = answer.status();
        ensure!(got == status, "{got} instead of {status} for the neighbor");
        Ok::<(), Failure>(())
    })
}
