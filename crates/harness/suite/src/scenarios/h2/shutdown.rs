//! The end of a server, as its clients in HTTP/2 see it.

use std::time::Instant;

use rustix::process::Signal;
use testbed::capability::Capability::{Http2, Process, StyleContext, Witness};
use testbed::witness::Word;
use wire::End;
use wire::h2::{Code, Ending};

use super::{WATCHED, brief, id, is, working};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};
use crate::scenarios::shutdown::ends_with;

/// The common part of these scenarios: a server of their own that they end.
const ENDED: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Connection],
    needs: &[Http2, Process, Witness, StyleContext],
    slot: Slot::Own,
    ..WATCHED
};

const GRACE: &str = "RFC 9113, section 6.8";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/sigterm-drains",
        promise: "at SIGTERM the client is told GOAWAY NO_ERROR at once, its stream is answered, and the server exits 0",
        sent: "`GET /slow?work=600ms`, then SIGTERM",
        why: "GOAWAY is what HTTP/2 has for a deployment: the client opens its next stream elsewhere, and loses nothing",
        wrong: "a server that closes behind its last answer without a word",
        sources: &[GRACE],
        run: drains,
        ..ENDED
    },
    Scenario {
        id: "h2/sigterm-idle",
        promise: "at SIGTERM a connection without a stream is told GOAWAY and closed at once, while another still works",
        sent: "`GET /fast` on one connection, `GET /slow?work=900ms` on another, then SIGTERM",
        why: "a connection lives for hours; whoever waits for its client to close waits as long",
        wrong: "a server that waits for the idle timeout of each of its connections",
        sources: &[GRACE],
        run: idle,
        ..ENDED
    },
    Scenario {
        id: "h2/sigterm-refuses",
        promise: "behind GOAWAY no stream is served that it does not take, and none holds the server",
        sent: "`GET /slow?work=900ms`, SIGTERM, and `GET /slow?work=5000ms` on the same connection once GOAWAY names a last stream",
        why: "what was not taken can be sent again elsewhere, and only the server can say so",
        wrong: "a server that drains for as long as its client asks",
        sources: &[GRACE],
        run: refuses,
        ..ENDED
    },
    Scenario {
        id: "h2/sigterm-timeout",
        promise: "at the shutdown timeout a stream is answered 503 or reset, its work stops, and the server exits",
        judges: &[Judges::Answer, Judges::Work],
        flags: &[("--shutdown-timeout", "400ms"), ("--request-timeout", "8s")],
        sent: "`GET /slow?work=6000ms`, SIGTERM; `--shutdown-timeout 400ms --request-timeout 8s`",
        why: "the supervisor's SIGKILL is next",
        wrong: "hyper's graceful shutdown has no bound of its own",
        run: timeout,
        ..ENDED
    },
];

/// Waits for the server's GOAWAY NO_ERROR, which has to come soon after `told_at`.
fn goaway(bench: &Bench, h2: &mut wire::h2::H2, told_at: Instant) -> Result<std::time::Duration, Failure> {
    let goaway = h2.goaway_came(bench.patience())?;
    let goaway = goaway.ok_or_else(|| Failure::broken("no GOAWAY after SIGTERM"))?;
    ensure!(goaway.code == Code::NO_ERROR, "GOAWAY {} and not NO_ERROR after SIGTERM", goaway.code);
    let after = goaway.at.saturating_duration_since(told_at);
    ensure!(after <= bench.answer_late(), "GOAWAY only {after:.1?} after SIGTERM");
    Ok(after)
}

fn drains(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let stream = working(bench, &mut h2, &brief(bench, 600))?;
    let told_at = bench.server().signal(Signal::TERM);
    let after = goaway(bench, &mut h2, told_at)?;
    ensure!(h2.exchange(stream)?.ended.is_none(), "the stream had ended before GOAWAY");
    is(&h2.answer(stream)?, 200)?;
    let (end, _) = h2.end(bench.patience())?;
    ensure!(end == End::Fin, "{end} instead of a close behind the last answer");
    let exits = ends_with(bench, 0, Instant::now())?;
    Ok(format!("GOAWAY after {after:.1?}, 200, exit 0 {exits:.1?} later").into())
}

fn idle(bench: &Bench) -> Outcome {
    let (mut idle, mut busy) = (bench.h2()?, bench.h2()?);
    is(&idle.ask(&bench.fast())?, 200)?;
    let stream = working(bench, &mut busy, &brief(bench, 900))?;
    let told_at = bench.server().signal(Signal::TERM);
    goaway(bench, &mut idle, told_at)?;
    let (end, at) = idle.end(bench.patience())?;
    let after = at.saturating_duration_since(told_at);
    ensure!(end != End::Silence, "the idle connection is still open {after:.1?} after SIGTERM");
    // A server may linger for what its client still sends.
    let most = bench.answer_late() + bench.ms(500);
    ensure!(after <= most, "the idle connection was closed only {after:.1?} after SIGTERM");
    is(&busy.answer(stream)?, 200)?;
    ends_with(bench, 0, told_at)?;
    Ok(format!("the idle one closed {after:.0?} after SIGTERM, the other answered").into())
}

fn refuses(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let running = brief(bench, 900);
    let stream = working(bench, &mut h2, &running)?;
    let told_at = bench.server().signal(Signal::TERM);
    goaway(bench, &mut h2, told_at)?;
    // The first GOAWAY may take every stream, so that none that is under way is lost; the next one names the last.
    h2.listen(bench.ms(200))?;
    let last = h2.session().goaway().map_or(0, |(_, last)| last.last);
    ensure!(last < 1 << 30, "200 ms after SIGTERM GOAWAY still takes every stream");
    let late = bench.slow_for(bench.ms(5000), bench.ms(1900), "");
    let refused = h2.request(&late)?;
    is(&h2.answer(stream)?, 200)?;
    ends_with(bench, 0, told_at)?;
    h2.end(bench.patience())?;
    let exchange = h2.exchange(refused)?;
    let status = exchange.head.as_ref().map(|(status, _)| *status);
    ensure!(status.is_none(), "a stream behind GOAWAY was answered {}", or_none(status));
    let began = bench.witness()?.started(&id(&late));
    ensure!(began.is_none(), "the work of a stream behind GOAWAY began");
    let how = or_none(exchange.ended.map(|(how, _)| how));
    Ok(format!("200 for the one that ran; {how} for the one behind GOAWAY").into())
}

fn timeout(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = bench.slow_for(bench.ms(6000), bench.ms(7000), "");
    let stream = working(bench, &mut h2, &request)?;
    let told_at = bench.server().signal(Signal::TERM);
    let ended = h2.ending(stream, bench.patience())?;
    let (timeout, status) = (std::time::Duration::from_millis(400), h2.exchange(stream)?.head.clone());
    let Some((how, at)) = ended else {
        return Err(Failure::broken("the stream outlasts the shutdown timeout"));
    };
    let answered = status.as_ref().map(|(status, _)| *status);
    ensure!(
        matches!((how, answered), (Ending::Complete, Some(503)) | (Ending::Reset(_), _)),
        "{how} and {} instead of 503 or RST_STREAM",
        or_none(answered)
    );
    let after = at.saturating_duration_since(told_at);
    ensure!(after >= timeout, "early: {after:.1?} after SIGTERM, and the shutdown timeout is {timeout:?}");
    ensure!(after <= timeout + bench.answer_late(), "only {after:.1?} after SIGTERM");
    let (ended_at, word) = bench.work_ends(&id(&request), bench.patience())?;
    ensure!(word == Word::Canceled, "the work says {word} and not that it was canceled");
    bench.stopped_soon(at, ended_at)?;
    ends_with(bench, 0, told_at)?;
    let answered = or_none(answered);
    Ok(format!("answered {answered}, ended by {how} {after:.0?} after SIGTERM, exit 0").into())
}
