//! Clients that take their time with the connection itself.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Http2, ParamWork};
use wire::End;
use wire::h2::frame::PREFACE;
use wire::h2::{Code, Frame, Kind, hpack};

use super::{BASE, brief, is};
use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};

/// `--read-header-timeout` of these scenarios.
const HEADER: Duration = Duration::from_millis(500);
/// `--idle-timeout` of these scenarios.
const IDLE: Duration = Duration::from_millis(800);

const FLAGS: &[(&str, &str)] = &[("--read-header-timeout", "500ms"), ("--idle-timeout", "800ms")];

const TIMED: Scenario = Scenario { judges: &[Judges::Connection], flags: FLAGS, ..BASE };

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/preface-timeout",
        promise: "half a preface is closed at the header timeout",
        sent: "the first 10 of the preface's 24 bytes, and nothing more; `--read-header-timeout 500ms`",
        why: "until the preface is whole nobody knows what is spoken, and no timeout of either protocol has begun",
        wrong: "hyper-util's `auto` waits for the version without a bound",
        sources: &["https://github.com/hyperium/hyper/issues/3962"],
        run: preface,
        ..TIMED
    },
    Scenario {
        id: "h2/idle-goaway",
        promise: "a connection without a stream is told GOAWAY NO_ERROR at the idle timeout, and closed",
        sent: "`GET /fast`, its answer, and nothing more; `--idle-timeout 800ms`",
        why: "without GOAWAY the next request of the client and the close cross each other, and it cannot tell what became of it",
        wrong: "hyper has no idle timeout over HTTP/2",
        sources: &["RFC 9113, section 9.1"],
        run: idle,
        ..TIMED
    },
    Scenario {
        id: "h2/never-asked-goaway",
        promise: "a connection that never had a stream is closed at the idle timeout too",
        sent: "the preface and SETTINGS, and nothing more; `--idle-timeout 800ms`",
        why: "a connection that asks nothing costs a place, and is what a slow attack is made of",
        wrong: "an idle timeout that is begun at the first stream's end",
        run: never_asked,
        ..TIMED
    },
    Scenario {
        id: "h2/idle-spares-streams",
        promise: "a stream that lasts longer than the idle timeout is answered, and the timeout begins behind it",
        needs: &[Http2, ParamWork],
        flags: &[
            ("--read-header-timeout", "500ms"),
            ("--idle-timeout", "800ms"),
            ("--request-timeout", "5s"),
        ],
        sent: "`GET /slow?work=1400ms`, its answer, and nothing more; `--idle-timeout 800ms`",
        why: "a connection is idle when it has no stream, and not when no frame comes",
        wrong: "a timeout that is counted from the last frame, or from the first",
        run: idle_spares,
        ..TIMED
    },
    Scenario {
        id: "h2/half-a-head",
        promise: "a connection whose client begins fields and never ends them is closed by one of its timeouts",
        sent: "HEADERS without END_HEADERS, and nothing more; `--read-header-timeout 500ms --idle-timeout 800ms`",
        why: "while fields are open no other frame may come, so this client has stopped the connection",
        wrong: "a stream that is counted from its first frame keeps the connection from being idle",
        sources: &["RFC 9113, section 4.3"],
        run: half_a_head,
        ..TIMED
    },
];

fn preface(bench: &Bench) -> Outcome {
    let since = Instant::now();
    let mut wire = bench.connect()?;
    wire.send(&PREFACE[..10])?;
    let (end, at) = wire.end(HEADER + bench.patience())?;
    let after = at.saturating_duration_since(since);
    ensure!(end != End::Silence, "still open {after:.1?} after half a preface");
    ensure!(after >= HEADER, "early: closed after {after:.1?}, and the header timeout is {HEADER:?}");
    ensure!(after <= HEADER + bench.answer_late(), "closed only after {after:.1?}");
    ensure!(wire.buffered().is_empty(), "an answer to half a preface");
    Ok(format!("{end} after {after:.0?}").into())
}

/// Checks for GOAWAY NO_ERROR at the idle timeout, counted from `since` at the soonest and `until` at the latest, and for the
/// end behind it.
fn told_and_closed(bench: &Bench, h2: &mut wire::h2::H2, since: Instant, until: Instant) -> Outcome {
    let goaway = h2.goaway_came(IDLE + bench.patience())?;
    let Some(goaway) = goaway else {
        return Err(crate::verdict::Failure::broken("no GOAWAY at the idle timeout"));
    };
    ensure!(goaway.code == Code::NO_ERROR, "GOAWAY {} and not NO_ERROR", goaway.code);
    let (least, most) =
        (goaway.at.saturating_duration_since(since), goaway.at.saturating_duration_since(until));
    ensure!(least >= IDLE, "early: GOAWAY after {least:.1?}, and the idle timeout is {IDLE:?}");
    ensure!(most <= IDLE + bench.answer_late(), "GOAWAY only after {most:.1?}");
    let (end, _) = h2.end(bench.patience())?;
    ensure!(end != End::Silence, "still open behind GOAWAY");
    Ok(format!("GOAWAY after {most:.0?}, then {end}").into())
}

fn idle(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let answer = h2.ask(&bench.fast())?;
    is(&answer, 200)?;
    told_and_closed(bench, &mut h2, answer.sent_at, answer.done_at)
}

fn never_asked(bench: &Bench) -> Outcome {
    let since = Instant::now();
    let mut h2 = bench.h2()?;
    let opened = Instant::now();
    told_and_closed(bench, &mut h2, since, opened)
}

fn idle_spares(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let answer = h2.ask(&brief(bench, 1400))?;
    is(&answer, 200)?;
    // The stream ended at the server no sooner than its work did.
    let worked_until = answer.sent_at + bench.ms(1400);
    told_and_closed(bench, &mut h2, worked_until, answer.done_at)
}

fn half_a_head(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let block = hpack::block([(":method", "GET"), (":scheme", "http"), (":path", "/fast")]);
    let since = h2.send(&[Frame::new(Kind::HEADERS, 0, 1, block)])?;
    let (end, at) = h2.end(IDLE + bench.patience())?;
    let after = at.saturating_duration_since(since);
    ensure!(end != End::Silence, "still open {after:.1?} after half a head");
    // The connection may have been idle from its begin, which is a little sooner.
    ensure!(after + bench.ms(50) >= HEADER, "early: closed after {after:.1?}");
    ensure!(after <= IDLE + bench.answer_late(), "closed only after {after:.1?}");
    Ok(format!("{end} after {after:.0?}").into())
}
