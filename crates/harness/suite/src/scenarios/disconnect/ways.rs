//! The client leaves, in the plain ways: the kernel tells the server, and the work must hear of it.

use testbed::capability::Capability::{
    Admin, KeepAlive, Post, StyleBlocking, StyleContext, StyleDetached, StyleDrop, StylePolling, Witness,
};
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{BASE, Leave, TRIES, canceled, request, send, stops, told};

const WASTE: &str = "work for a client that has left is the commonest waste there is, and the easiest to multiply: \
    a user who reloads, a proxy that gives up, a script that resets";
const HYPER: &str =
    "https://docs.rs/hyper/1.12.0/hyper/server/conn/http1/struct.Builder.html#method.half_close";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/fin",
        promise: "a client that closes cancels its work",
        sent: "`GET /slow?work=3000ms`; 20 ms after the work began, `close`: FIN",
        why: WASTE,
        wrong: "actix by default and hyper with `half_close(true)` work on: a FIN may be a half-close",
        sources: &[HYPER],
        run: |bench| stops(bench, Leave::Fin, slow),
        ..BASE
    },
    Scenario {
        id: "disconnect/rst",
        promise: "a client that resets cancels its work",
        sent: "`GET /slow?work=3000ms`; 20 ms after the work began, `close` with linger 0: RST",
        why: WASTE,
        wrong: "hyper with `half_close(true)` reads nothing while it waits, so it does not see even a reset",
        sources: &[HYPER],
        run: |bench| stops(bench, Leave::Rst, slow),
        ..BASE
    },
    Scenario {
        id: "disconnect/half-close",
        promise: "a client that shuts down its sending half cancels its work, unless the server is told to serve it",
        judges: &[Judges::Work, Judges::Connection],
        sent: "`GET /slow?work=3000ms`; 20 ms after the work began, `shutdown(WR)`; the client goes on reading",
        why: "to the kernel a close and a half-close look alike until the next byte is sent, so a server must choose, \
              and say which",
        wrong: "actix by default and hyper with `half_close(true)` serve it; Go cancels the context and still answers",
        sources: &["RFC 9112, section 9.6", HYPER],
        run: half_close,
        ..BASE
    },
    Scenario {
        id: "disconnect/sent-and-closed",
        promise: "work of a request that is closed in the same breath is never begun, or stops",
        sent: "`GET /slow?work=3000ms` and `close`, with nothing between",
        why: "a FIN that is there before anybody watches for it makes no event later",
        wrong: "a watch that is edge-triggered and armed too late waits for ever",
        sources: &["https://man7.org/linux/man-pages/man7/epoll.7.html (EPOLLET)"],
        run: |bench| at_once(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "disconnect/sent-and-reset",
        promise: "work of a request that is reset in the same breath is never begun, or stops",
        sent: "`GET /slow?work=3000ms` and `close` with linger 0, with nothing between",
        why: "the accept, the read and the reset may come to the server as one event",
        run: |bench| at_once(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-read-fin",
        promise: "a client that closes after its body has been read cancels its work",
        needs: &[Witness, StyleContext, Post],
        sent: "`POST /slow?work=3000ms` with a body of 3 bytes, which is read; 20 ms after the work began, FIN",
        why: "most work that is worth stopping is asked for by POST, and a body that was read ends the request as a \
              stream, so that nothing of it is left to say that the client went",
        wrong: "node's request says `close` once its body has been read and never again",
        sources: &["https://github.com/fastify/fastify/issues/4690"],
        run: |bench| stops(bench, Leave::Fin, with_a_body),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-read-rst",
        promise: "a client that resets after its body has been read cancels its work",
        needs: &[Witness, StyleContext, Post],
        sent: "`POST /slow?work=3000ms` with a body of 3 bytes, which is read; 20 ms after the work began, RST",
        why: "a framework that watches the body for the end of its client is deaf from the body's end on",
        sources: &["https://github.com/fastify/fastify/issues/4690"],
        run: |bench| stops(bench, Leave::Rst, with_a_body),
        ..BASE
    },
    Scenario {
        id: "disconnect/kept-alive-fin",
        promise: "a client that closes during a later request of its connection cancels its work",
        needs: &[Witness, StyleContext, KeepAlive],
        sent: "`GET /fast` and its answer, twice; then `GET /slow?work=3000ms` on the same connection, and FIN",
        why: "most requests are not the first of their connection",
        wrong: "a watch that is set up for the first request and used up by it",
        run: |bench| stops(bench, Leave::Fin, after_others),
        ..BASE
    },
    Scenario {
        id: "disconnect/kept-alive-rst",
        promise: "a client that resets during a later request of its connection cancels its work",
        needs: &[Witness, StyleContext, KeepAlive],
        sent: "`GET /fast` and its answer, twice; then `GET /slow?work=3000ms` on the same connection, and RST",
        why: "most requests are not the first of their connection",
        run: |bench| stops(bench, Leave::Rst, after_others),
        ..BASE
    },
    Scenario {
        id: "disconnect/after-a-504",
        promise: "a client that leaves during the request behind a 504 cancels its work",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Witness, StyleContext, KeepAlive],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 60m`, its 504, then another with all the time, and FIN",
        why: "what a deadline tears down must be built again for the next request",
        run: |bench| stops(bench, Leave::Fin, after_a_504),
        ..BASE
    },
    Scenario {
        id: "disconnect/polling",
        promise: "blocking work that asks its context at every tick stops when its client leaves",
        needs: &[Witness, StylePolling],
        sent: "`GET /slow?work=3000ms&style=polling&tick=1ms`, then RST",
        why: "a thread can only be asked to stop, so somebody must ask",
        wrong: "a framework that drops the handler's future tells nobody on the blocking pool",
        sources: &["https://docs.rs/tokio/1.54.1/tokio/task/fn.spawn_blocking.html"],
        run: |bench| stops(bench, Leave::Rst, |bench, wire| styled(bench, wire, "style=polling&tick=1ms")),
        ..BASE
    },
    Scenario {
        id: "disconnect/drop",
        promise: "work that knows no context stops when its client leaves, because its future is dropped",
        needs: &[Witness, StyleDrop],
        sent: "`GET /slow?work=3000ms&style=drop`, then RST",
        why: "it is what async Rust gives for nothing, as long as somebody notices that the client left",
        wrong: "a thread cannot be dropped: it works on to its natural end",
        sources: &["https://doc.rust-lang.org/std/thread/"],
        run: |bench| stops(bench, Leave::Rst, |bench, wire| styled(bench, wire, "style=drop")),
        ..BASE
    },
    Scenario {
        id: "disconnect/detached",
        promise: "how long spawned work without a context goes on after its client has left",
        level: Level::Info,
        needs: &[Witness, StyleDetached],
        sent: "`GET /slow?work=800ms&style=detached`, then RST",
        why: "`spawn` cuts the line along which a dropped future cancels its work",
        wrong: "tokio and async-std detach when the handle is dropped; smol cancels",
        sources: &["https://docs.rs/tokio/1.54.1/tokio/task/struct.JoinHandle.html"],
        run: |bench| zombie(bench, "style=detached"),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocking",
        promise: "how long work on the blocking pool goes on after its client has left",
        level: Level::Info,
        needs: &[Witness, StyleBlocking],
        sent: "`GET /slow?work=800ms&style=blocking`, then RST",
        why: "a closure that has begun always ends by itself, and holds its thread until then",
        sources: &["https://docs.rs/tokio/1.54.1/tokio/task/fn.spawn_blocking.html"],
        run: |bench| zombie(bench, "style=blocking"),
        ..BASE
    },
    Scenario {
        id: "disconnect/blocking-is-no-request",
        promise: "blocking work that cannot stop holds neither the request nor the connection of a client that left",
        judges: &[Judges::Work, Judges::Connection],
        needs: &[Witness, Admin, StyleBlocking],
        slot: Slot::Own,
        sent: "`GET /slow?work=1500ms&style=blocking`, then RST; the server's count is read until the request is gone",
        why: "what cannot be stopped should at least be all that is left, and be counted as what it is",
        wrong: "a handler that waits for its thread keeps the connection, its buffers and its place in the limit",
        run: blocking_is_no_request,
        ..BASE
    },
];

fn slow(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    send(wire, &request(bench, ""))
}

fn styled(bench: &Bench, wire: &mut Wire, style: &str) -> Result<String, Failure> {
    send(wire, &request(bench, style))
}

fn with_a_body(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let target = bench.slow_target(bench.ms(3000), "");
    send(wire, &Request::post(target, "lab").timeout(bench.ms(1800)).id(bench.id()))
}

fn after_others(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    for _ in 0..2 {
        let status = wire.ask(&bench.fast())?.status();
        ensure!(status == 200, "/fast: {status} instead of 200");
    }
    slow(bench, wire)
}

fn after_a_504(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let timeout = bench.ms(60);
    bench.is_504(&wire.ask(&bench.slow_for(bench.ms(3000), timeout, ""))?, timeout)?;
    slow(bench, wire)
}

fn half_close(bench: &Bench) -> Outcome {
    let observed = stops(bench, Leave::HalfClose, slow)?;
    let mut wire = bench.connect()?;
    let id = slow(bench, &mut wire)?;
    bench.work_begins(&id)?;
    let left_at = wire.half_close();
    let (end, at) = wire.end(bench.patience())?;
    let after = at.saturating_duration_since(left_at);
    ensure!(
        after <= bench.answer_late(),
        "{end}: the connection is still open {after:.1?} after the half-close"
    );
    Ok(observed)
}

fn at_once(bench: &Bench, leave: Leave) -> Outcome {
    let (mut took, mut unborn) = (Vec::new(), 0);
    for _ in 0..4 * TRIES {
        let mut wire = bench.connect()?;
        let id = slow(bench, &mut wire)?;
        let (left_at, _) = leave.act(wire);
        match bench.witness()?.wait_start(&id, bench.ms(50)) {
            // Work that begins later than the client left has until then plus the profile's time.
            Some(began_at) => took.push(canceled(bench, &id, left_at.max(began_at))?),
            None => unborn += 1,
        }
    }
    let mut observed = if took.is_empty() { Observed::default() } else { told(&took) };
    observed.text = format!("never begun {unborn} times of {}; {}", 4 * TRIES, observed.text);
    Ok(observed)
}

/// Nothing is demanded of the work; its time as a zombie is reported.
fn zombie(bench: &Bench, style: &str) -> Outcome {
    let mut wire = bench.connect()?;
    let id = send(&mut wire, &bench.slow_for(bench.ms(800), bench.ms(1800), style))?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    let left_at = wire.reset();
    let (ended_at, how) = bench.work_ends(&id, bench.patience())?;
    let zombie = ended_at.saturating_duration_since(left_at).as_secs_f64() * 1e3;
    let beats = bench.witness()?.beats_after(&id, left_at);
    let text = format!("a zombie for {zombie:.0} ms ({beats} beats, {how})");
    Ok(Observed::new(text).with("zombie_ms", zombie).with("zombie_beats", beats as f64))
}

fn blocking_is_no_request(bench: &Bench) -> Outcome {
    let before = bench.census()?;
    let mut wire = bench.connect()?;
    let id = send(&mut wire, &bench.slow_for(bench.ms(1500), bench.ms(1800), "style=blocking"))?;
    bench.work_begins(&id)?;
    let left_at = wire.reset();
    let gone = |census: &testbed::census::Census| {
        census.requests.live <= before.requests.live && census.connections.live <= before.connections.live
    };
    let (census, at) = bench.census_until(bench.patience(), "rid of the request", gone)?;
    let after = bench.stopped_soon(left_at, at)?;
    let (live, zombie) = (census.work.live, census.work.zombie);
    ensure!(zombie == live, "{live} works live, and {zombie} of them counted as zombies");
    Ok(Observed::new(format!("request and connection gone {after:.1?} later, {zombie} zombie left"))
        .with("gone_ms", after.as_secs_f64() * 1e3))
}
