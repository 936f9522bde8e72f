//! The deadline: an answer at it, never before, and exactly one.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{EndpointStream, JsonErrors, KeepAlive, ParamWork, RequestId};
use testbed::noise::quantile;
use wire::{End, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "deadline/answers-504",
        promise: "work longer than its deadline is answered 504",
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`",
        why: "a client that is told nothing waits for its own timeout, and a proxy's comes first",
        wrong: "hyper has no timeout of a request at all; Go's `WriteTimeout` closes the connection without a word, and \
                its `TimeoutHandler` says 503",
        sources: &["https://pkg.go.dev/net/http#Server", "https://pkg.go.dev/net/http#TimeoutHandler"],
        run: answers_504,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/504-says-why",
        promise: "a 504 is JSON with `context deadline exceeded`, the reason and the request id",
        needs: &[JsonErrors, RequestId],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m` and `X-Request-Id`",
        why: "a proxy on the way sends 504 too; only the body tells whose it was",
        run: says_why,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/never-early",
        promise: "of 200 requests none is answered 504 before its deadline",
        sent: "40 times 5 `GET /slow?work=3000ms` at once, with deadlines from 50 ms to 78 ms",
        why: "an early 504 takes away time that the caller was promised",
        wrong: "timers that round down to their tick, and deadlines counted from the accept instead of the request",
        run: never_early,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/overshoot",
        promise: "how late a 504 is, alone and with 1,000 at once",
        level: crate::scenario::Level::Info,
        slot: Slot::Exclusive,
        sent: "30 times `GET /slow` one after another with `grpc-timeout: 50m`, then 1,000 at once with 1 s",
        why: "lateness is what a caller adds to every timeout of its own; it is measured and not promised",
        wrong: "tokio's timer wheel rounds up to its 1 ms tick; a socket's receive timeout is 4 to 12 ms late",
        run: overshoot,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/work-wins-a-tie",
        promise: "work that ends about at its deadline gets exactly one whole answer, 200 or 504",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[ParamWork],
        sent: "500 times `GET /slow` with a deadline of 200 ms and work of 195 to 205 ms",
        why: "two answers on one connection give the next request somebody else's",
        wrong: "a timeout layer that writes its 504 while the handler's answer is on its way",
        run: work_wins_a_tie,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/server-default",
        promise: "without a timeout from the caller the server's own deadline holds",
        flags: &[("--request-timeout", "400ms")],
        sent: "`GET /slow?work=3000ms` without a timeout header, to a server with `--request-timeout 400ms`",
        why: "most callers say nothing",
        run: server_default,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/kept-alive-after-504",
        promise: "after a 504 the connection answers the next request, and no late bytes come",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive, RequestId, ParamWork],
        sent: "`GET /slow?work=500ms` with `grpc-timeout: 150m`, silence until the work would have ended, `GET /fast`",
        why: "bytes of the first answer that come after its 504 are read as the second answer",
        wrong: "a handler that goes on writing to a connection that was taken from it",
        run: kept_alive_after_504,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/fresh-for-each-request",
        promise: "the second request on a connection has its whole deadline",
        needs: &[KeepAlive],
        sent: "`GET /slow?work=3000ms` twice on one connection, each with `grpc-timeout: 300m`",
        why: "a deadline set on the connection (`SetDeadline`, `SO_RCVTIMEO`) outlives its request",
        wrong: "Go's `SetReadDeadline` from inside a handler, when it is not reset",
        run: fresh_for_each_request,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/pipelined",
        promise: "/slow then /fast in one write: 504, then 200, in order",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m` and `GET /fast` in one write",
        why: "the second request lies in the buffer that the server looks into for an end of the connection",
        run: pipelined,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/stream-truncated",
        promise: "a /stream past its deadline has no terminal chunk, and its connection is closed",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=100&every=50ms` with `grpc-timeout: 300m`",
        why: "a terminal chunk after a timeout tells the client that the truncated body is whole",
        wrong: "a body stream that ends without an error makes hyper write the terminal chunk",
        run: stream_truncated,
        ..Scenario::BASE
    },
];

fn answers_504(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.slow(""))?;
    let late = bench.is_504(&answer, bench.deadline())?;
    ensure!(answer.response.whole, "the 504 was cut off");
    Ok(format!("504, {late:.1?} late").into())
}

fn says_why(bench: &Bench) -> Outcome {
    let id = bench.id();
    let request = Request::get(bench.slow_target(bench.ms(3000), "")).timeout(bench.deadline()).id(&id);
    let answer = bench.ask(&request)?;
    bench.is_504(&answer, bench.deadline())?;
    let response = &answer.response;
    for (field, value) in
        [("error", "context deadline exceeded"), ("reason", "deadline"), ("request_id", id.as_str())]
    {
        let found = response.field(field);
        ensure!(found.as_deref() == Some(value), "`{field}` is {} and not `{value}`", or_none(found));
    }
    ensure!(response.header("x-request-id") == Some(&id), "the 504 does not echo X-Request-Id");
    Ok("says why".into())
}

fn never_early(bench: &Bench) -> Outcome {
    // Few at once: a server with a short backlog is judged by its timers, not by its queue.
    let deadlines = [50, 57, 64, 71, 78].map(|milliseconds| bench.ms(milliseconds));
    let mut least = Duration::MAX;
    for _ in 0..40 {
        let requests = deadlines.map(|deadline| bench.slow_for(bench.ms(3000), deadline, ""));
        let shots = bench.storm(requests.into())?.finish()?;
        for (deadline, shot) in deadlines.iter().zip(&shots) {
            least = least.min(bench.shot_is_504(shot, *deadline)?);
        }
    }
    Ok(format!("200 times 504, the earliest {least:.2?} after its deadline").into())
}

fn overshoot(bench: &Bench) -> Outcome {
    let mut alone = Vec::new();
    for _ in 0..30 {
        let deadline = bench.ms(50);
        let answer = bench.ask(&bench.slow_for(bench.ms(3000), deadline, ""))?;
        ensure!(answer.status() == 504, "{} instead of 504", answer.status());
        alone.push((answer.after().as_secs_f64() - deadline.as_secs_f64()) * 1e3);
    }
    let deadline = bench.ms(1000);
    let requests = (0..1000).map(|_| bench.slow_for(bench.ms(5000), deadline, "tick=250ms")).collect();
    let mut storm = Vec::new();
    for shot in bench.storm(requests)?.finish()? {
        let after = shot.after_intended().ok_or_else(|| Failure::broken("a request got no answer"))?;
        storm.push((after.as_secs_f64() - deadline.as_secs_f64()) * 1e3);
    }
    alone.sort_by(f64::total_cmp);
    storm.sort_by(f64::total_cmp);
    // Thirty samples have no 99th percentile.
    let [a50, a100] = [0.5, 1.0].map(|part| quantile(&alone, part));
    let [s50, s99, s100] = [0.5, 0.99, 1.0].map(|part| quantile(&storm, part));
    let text = format!(
        "alone p50 {a50:.1} max {a100:.1} ms; 1,000 at once p50 {s50:.1} p99 {s99:.1} max {s100:.1} ms"
    );
    let figures = Observed::new(text).with("alone_p50_ms", a50).with("alone_max_ms", a100);
    Ok(figures.with("storm_p50_ms", s50).with("storm_p99_ms", s99).with("storm_max_ms", s100))
}

fn work_wins_a_tie(bench: &Bench) -> Outcome {
    let deadline = bench.ms(200);
    let mut counts = [0, 0];
    for _ in 0..5 {
        // Whole milliseconds, since a server need not know a finer unit: 195 to 205, each about nine times.
        let work = |index: u32| deadline - Duration::from_millis(5) + Duration::from_millis(1) * (index % 11);
        let target = |index| format!("/slow?work={}ms&tick=20ms", work(index).as_millis());
        let requests = (0..100).map(|i| Request::get(target(i)).timeout(deadline).id(bench.id())).collect();
        let mut storm = bench.storm(requests)?;
        for (index, shot) in storm.answered()?.iter().enumerate() {
            let whole = shot.response.as_ref().is_some_and(|response| response.whole);
            ensure!(whole, "no whole answer to work {index} of the tie: {}", shot.how());
            match (shot.status(), shot.after()) {
                (Some(200), _) => counts[0] += 1,
                (Some(504), Some(after)) if after >= deadline => counts[1] += 1,
                (_, after) => {
                    let (how, after) = (shot.how(), after.unwrap_or_default());
                    return Err(Failure::certain(format!(
                        "{how} after {after:.1?}, for a deadline of {deadline:?}"
                    )));
                }
            }
        }
        std::thread::sleep(bench.ms(20));
        let twice = storm.with_late_bytes();
        ensure!(twice == 0, "{twice} of 100 connections got bytes after their answer");
    }
    Ok(format!("one answer each: {} times 200, {} times 504", counts[0], counts[1]).into())
}

fn server_default(bench: &Bench) -> Outcome {
    let answer = bench.ask(&Request::get(bench.slow_target(bench.ms(3000), "")).id(bench.id()))?;
    let late = bench.is_504(&answer, Duration::from_millis(400))?;
    Ok(format!("504, {late:.1?} late").into())
}

fn kept_alive_after_504(bench: &Bench) -> Outcome {
    let (work, deadline) = (bench.ms(500), bench.ms(150));
    let mut wire = bench.connect()?;
    let answer = wire.ask(&bench.slow_for(work, deadline, ""))?;
    bench.is_504(&answer, deadline)?;
    ensure!(
        !answer.response.says_close(),
        "the 504 says `Connection: close` though the request was read whole"
    );
    let natural_end = (answer.sent_at + work + bench.ms(100)).saturating_duration_since(Instant::now());
    let stray = wire.stray(natural_end)?;
    ensure!(stray.is_empty(), "late bytes after the 504: {}", stray.escape_ascii());
    ensure!(!wire.is_over(), "the connection was closed after the 504");
    let id = bench.id();
    let next = wire.ask(&Request::get("/fast").id(&id))?;
    ensure!(next.status() == 200, "{} instead of 200 to the next request", next.status());
    ensure!(next.response.header("x-request-id") == Some(&id), "the next answer is for another request");
    Ok("the next request is answered, nothing came between".into())
}

fn fresh_for_each_request(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let mut late = Vec::new();
    for _ in 0..2 {
        let answer = wire.ask(&bench.slow(""))?;
        late.push(bench.is_504(&answer, bench.deadline())?);
    }
    Ok(format!("504 twice, {:.1?} and {:.1?} late", late[0], late[1]).into())
}

fn pipelined(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let bytes = [bench.slow("").bytes(bench.host()), bench.fast().bytes(bench.host())].concat();
    wire.send(&bytes)?;
    let first = wire.answer()?;
    let late = bench.is_504(&first, bench.deadline())?;
    let second = wire.answer()?;
    ensure!(second.status() == 200, "{} instead of 200 to the second", second.status());
    Ok(format!("504 ({late:.1?} late), then 200").into())
}

fn stream_truncated(bench: &Bench) -> Outcome {
    let deadline = bench.deadline();
    let target = format!("/stream?chunks=100&every={}ms", bench.ms(50).as_millis());
    let mut wire = bench.connect()?;
    let answer = wire.ask(&Request::get(target).timeout(deadline).id(bench.id()))?;
    ensure!(
        answer.status() == 200,
        "{} instead of 200: the head went out before the deadline",
        answer.status()
    );
    ensure!(!answer.response.whole, "the truncated body ends like a whole one");
    ensure!(!answer.response.body.is_empty(), "no chunk came before the deadline");
    let (end, at) = wire.end(Duration::ZERO)?;
    ensure!(end != End::Silence, "the connection is still open");
    let late = bench.in_time(at - answer.sent_at, deadline)?;
    Ok(format!(
        "{} bytes, no terminal chunk, {end} {late:.1?} after the deadline",
        answer.response.body.len()
    )
    .into())
}
