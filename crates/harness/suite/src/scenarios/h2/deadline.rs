//! Deadlines, each for its stream.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    EndpointStream, Http2, ParamWork, Post, StyleContext, StyleSpin, TimeoutHeader, Witness,
};
use wire::Request;
use wire::h2::wrong::body;
use wire::h2::{Code, Ending, Manners};

use super::{BASE, LIMIT, WATCHED, goes_on, id, is, is_reset};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];
/// The rule for answers that come before the end of their request.
const EARLY: &str = "RFC 9113, section 8.1";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/answers-504",
        promise: "work longer than its deadline is answered 504 on its stream, on time, with the reason",
        needs: &[Http2, ParamWork],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`",
        why: "gRPC is HTTP/2, and its deadlines are these",
        wrong: "hyper, axum and Go's net/http have no timeout of a stream",
        sources: &["https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"],
        run: answers_504,
        ..BASE
    },
    Scenario {
        id: "h2/hundred-deadlines",
        promise: "100 streams of one connection with deadlines 10 ms apart are each answered at their own: none early, none late",
        needs: &[Http2, ParamWork, TimeoutHeader],
        sent: "100 times `GET /slow?work=3000ms` in one write, with `grpc-timeout` from 100 ms to 1,090 ms",
        why: "a deadline belongs to a request, and no longer to a connection",
        wrong: "one timer a connection; timers that are rounded to a common tick",
        run: hundred_deadlines,
        ..BASE
    },
    Scenario {
        id: "h2/zero-budget",
        promise: "a stream without budget is answered 504, and its work is never begun",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Http2, Witness, StyleContext, TimeoutHeader],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 0m`",
        why: "a caller whose time is up has stopped waiting before it asked",
        run: zero_budget,
        ..WATCHED
    },
    Scenario {
        id: "h2/goes-on-after-504",
        promise: "behind a 504 the connection goes on, and nothing more comes on its stream",
        judges: BOTH,
        needs: &[Http2, ParamWork],
        sent: "`GET /slow?work=900ms` with `grpc-timeout: 300m`, its 504, 800 ms of listening, `GET /fast`",
        why: "99 other streams may be on that connection",
        wrong: "a timeout that is made for HTTP/1.1 and closes",
        sources: &["https://pkg.go.dev/net/http#Server (WriteTimeout)"],
        run: goes_on_after_504,
        ..BASE
    },
    Scenario {
        id: "h2/504-stops-work",
        promise: "work whose stream was answered 504 stops",
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`",
        why: "the answer is not the point: the work is",
        wrong: "a handler that is answered for and runs on",
        run: stops_work,
        ..WATCHED
    },
    Scenario {
        id: "h2/stalled-body-504",
        promise: "a body that stalls on its stream is answered 504 on time, then RST_STREAM NO_ERROR, and the connection goes on",
        judges: BOTH,
        needs: &[Http2, Post, ParamWork],
        sent: "`POST /slow?work=3000ms` with `content-length: 100`, 10 bytes of DATA, `grpc-timeout: 300m`; then `GET /fast`",
        why: "without the reset the client may go on sending a body that nobody reads, and the stream stays open",
        wrong: "a handler that reads the body before it looks at its deadline",
        sources: &[EARLY],
        run: stalled_body,
        ..BASE
    },
    Scenario {
        id: "h2/unread-body-504",
        promise: "a 504 to a request whose body nobody reads comes on time, then RST_STREAM NO_ERROR, and the connection goes on",
        judges: BOTH,
        needs: &[Http2, Post, ParamWork],
        sent: "`POST /slow?work=3000ms&body=ignore` with 60,000 bytes of DATA and no end, `grpc-timeout: 300m`; then `GET /fast`",
        why: "what was read of the stream counts against the connection's window: who drops it has to give it back",
        wrong: "window of a body that is dropped is lost, until the connection has none",
        sources: &[EARLY, "RFC 9113, section 6.9"],
        run: unread_body,
        ..BASE
    },
    Scenario {
        id: "h2/stream-truncated",
        promise: "a /stream past its deadline ends in RST_STREAM and not in END_STREAM, and the connection goes on",
        judges: BOTH,
        needs: &[Http2, EndpointStream, TimeoutHeader],
        sent: "`GET /stream?chunks=1000&every=20ms` with `grpc-timeout: 300m`; then `GET /fast`",
        why: "half a body that ends like a whole one is taken for a whole one",
        wrong: "a body that is dropped and ended in order",
        sources: &[EARLY],
        run: truncated,
        ..BASE
    },
    Scenario {
        id: "h2/504-without-window",
        promise: "a 504 comes on time on a stream that has no window: its head needs none",
        needs: &[Http2, ParamWork],
        sent: "SETTINGS with INITIAL_WINDOW_SIZE=0, `GET /slow?work=3000ms` with `grpc-timeout: 300m`; window 200 ms later",
        why: "a client that is out of window is the one that waits for the status",
        wrong: "a head that waits for its body",
        sources: &["RFC 9113, section 6.9: only DATA is flow-controlled"],
        run: without_window,
        ..BASE
    },
    Scenario {
        id: "h2/late-work-is-504",
        promise: "work that never yields and ends past its deadline is answered 504 over HTTP/2, late, and never 200",
        needs: &[Http2, StyleSpin],
        slot: Slot::Half,
        sent: "`GET /slow?style=spin&work=600ms` with `grpc-timeout: 200m`",
        why: "a 200 after the deadline is an answer that the caller has stopped waiting for",
        wrong: "`timeout` of tokio and async-std polls the work first, and a work that is ready wins however late it is",
        sources: &["https://docs.rs/tokio/latest/tokio/time/fn.timeout.html"],
        run: late_work,
        ..BASE
    },
];

fn answers_504(bench: &Bench) -> Outcome {
    let answer = bench.h2()?.ask(&bench.slow(""))?;
    let late = bench.is_504(&answer, bench.deadline())?;
    is(&answer, 504)?;
    let said = answer.response.text();
    let text = Some(said.trim()).filter(|said| !said.is_empty());
    ensure!(said.contains("deadline"), "the 504 says {}", or_none(text));
    Ok(format!("504, {late:.1?} late").into())
}

fn hundred_deadlines(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let deadlines: Vec<_> = (0..LIMIT as u64).map(|number| bench.ms(100 + 10 * number)).collect();
    let requests: Vec<_> =
        deadlines.iter().map(|deadline| bench.slow_for(bench.ms(3000), *deadline, "")).collect();
    let streams = h2.together(&requests)?;
    let mut worst = Duration::ZERO;
    for (stream, deadline) in streams.into_iter().zip(deadlines) {
        let answer = h2.answer(stream)?;
        worst = worst.max(bench.is_504(&answer, deadline)?);
    }
    let observed = Observed::new(format!("100 times 504, none early, at most {worst:.1?} late"));
    Ok(observed.with("late_max_ms", worst.as_secs_f64() * 1e3))
}

fn zero_budget(bench: &Bench) -> Outcome {
    let request = bench.slow_for(bench.ms(3000), Duration::ZERO, "");
    let answer = bench.h2()?.ask(&request)?;
    is(&answer, 504)?;
    let began = bench.witness()?.wait_start(&id(&request), bench.ms(150));
    ensure!(began.is_none(), "the work began");
    Ok("504, and no work".into())
}

fn goes_on_after_504(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let stream = h2.request(&bench.slow_for(bench.ms(900), bench.deadline(), ""))?;
    let answer = h2.answer(stream)?;
    bench.is_504(&answer, bench.deadline())?;
    let place = h2.log().len();
    h2.listen(bench.ms(800))?;
    let more = h2.log().since(place).find(|seen| seen.frame.stream == stream);
    if let Some(seen) = more {
        return Err(Failure::broken(format!("{} behind the 504", seen.frame)));
    }
    goes_on(bench, &mut h2)?;
    Ok("nothing behind the 504, and the connection goes on".into())
}

fn stops_work(bench: &Bench) -> Outcome {
    let request = bench.slow("");
    let answer = bench.h2()?.ask(&request)?;
    bench.is_504(&answer, bench.deadline())?;
    let (ended_at, how) = bench.work_ends(&id(&request), bench.patience())?;
    let after = bench.stopped_soon(answer.first_byte_at, ended_at)?;
    Ok(format!("{how} {after:.1?} after the 504").into())
}

/// Checks for a 504 on time, RST_STREAM NO_ERROR behind it, and a connection that goes on.
fn refused_body(bench: &Bench, h2: &mut wire::h2::H2, stream: u32) -> Outcome {
    let answer = h2.answer(stream)?;
    let late = bench.is_504(&answer, bench.deadline())?;
    let patience = bench.patience();
    let reset = h2.wait_for(patience, |seen| seen.is(wire::h2::Kind::RST_STREAM, stream))?;
    ensure!(reset.is_some(), "no RST_STREAM behind the 504 of a request that has not ended");
    let code = h2.exchange(stream)?.reset.map(|(code, _)| code);
    ensure!(code == Some(Code::NO_ERROR), "RST_STREAM {} and not NO_ERROR behind the 504", or_none(code));
    goes_on(bench, h2)?;
    Ok(format!("504, {late:.1?} late, RST_STREAM NO_ERROR, and the connection goes on").into())
}

fn stalled_body(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let target = bench.slow_target(bench.ms(3000), "");
    let request = Request::post_part(target, 100, *b"0123456789").timeout(bench.deadline()).id(bench.id());
    let stream = h2.request(&request)?;
    refused_body(bench, &mut h2, stream)
}

fn unread_body(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let target = bench.slow_target(bench.ms(3000), "body=ignore");
    let mut seen = Observed::default();
    // One after the other they send more than the connection's window holds.
    for _ in 0..3 {
        let request = Request::get(target.clone()).method("POST").timeout(bench.deadline()).id(bench.id());
        let stream = h2.open(&request)?;
        // The window is looked at, for a server may have announced a smaller one.
        let room = h2.exchange(stream)?.sending.available().min(h2.session().sending().available());
        h2.send(&body(stream, room.min(60_000)))?;
        seen = refused_body(bench, &mut h2, stream)?;
    }
    let room = h2.session().sending().available();
    ensure!(room > 0, "three bodies that nobody read have used up the connection's window");
    Ok(seen)
}

fn truncated(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = Request::get("/stream?chunks=1000&every=20ms").timeout(bench.deadline()).id(bench.id());
    let stream = h2.request(&request)?;
    let (code, at) = is_reset(bench, &mut h2, stream)?;
    let exchange = h2.exchange(stream)?;
    let status = exchange.head.as_ref().map(|(status, _)| *status);
    ensure!(status == Some(200), "{} instead of 200", or_none(status));
    ensure!(!exchange.body.is_empty(), "no chunk came");
    let late = bench.in_time(at.saturating_duration_since(exchange.sent_at), bench.deadline())?;
    goes_on(bench, &mut h2)?;
    Ok(format!("RST_STREAM {code} {late:.1?} past the deadline, and the connection goes on").into())
}

fn without_window(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2_with(Manners::stingy(0))?;
    let stream = h2.request(&bench.slow(""))?;
    let status = h2.status(stream, bench.patience())?;
    let exchange = h2.exchange(stream)?;
    ensure!(status == Some(504), "{} instead of 504 on a stream without window", or_none(status));
    let after = exchange.first_byte_at.unwrap_or_else(Instant::now) - exchange.sent_at;
    let late = bench.in_time(after, bench.deadline())?;
    h2.listen(bench.ms(200))?;
    h2.grant(stream, 65_535)?;
    let ended = h2.ending(stream, bench.patience())?.map(|(how, _)| how);
    ensure!(ended == Some(Ending::Complete), "{} instead of the body when there was window", or_none(ended));
    Ok(format!("504, {late:.1?} late, and its body when there was window").into())
}

fn late_work(bench: &Bench) -> Outcome {
    let request = bench.slow_for(bench.ms(600), bench.ms(200), "style=spin");
    let answer = bench.h2()?.ask(&request)?;
    is(&answer, 504)?;
    let after = answer.after();
    ensure!(after >= bench.ms(200), "early: {after:.1?}");
    Ok(format!("504 after {after:.0?}").into())
}
