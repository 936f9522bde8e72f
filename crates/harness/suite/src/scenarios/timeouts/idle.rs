//! Connections that wait for their next request.

use std::time::Duration;

use testbed::capability::Capability::{KeepAlive, StyleContext, Witness};
use wire::Request;

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};
use crate::scenarios::timeouts::{BASE, IDLE, closed, closed_at, served};

const HYPER: &[&str] = &[
    "https://docs.rs/hyper/1.12.0/hyper/server/conn/http1/struct.Builder.html#method.header_read_timeout",
    "https://github.com/hyperium/hyper/issues/3962",
];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
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

fn idle(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let answer = wire.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    closed(closed_at(bench, &mut wire, answer.sent_at, IDLE)?)
}
