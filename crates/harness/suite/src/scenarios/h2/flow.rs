//! Flow control that the client does not give.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{self, EndpointStream, EndpointUpload, Http2, StyleContext, Witness};
use testbed::witness::Word;
use wire::Request;
use wire::h2::settings::Settings;
use wire::h2::{Code, Ending, Exchange, H2, Kind, Manners, flow};

use super::{BASE, FLOW, WATCHED, completed, goes_on, id, is, is_reset};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

/// `--write-timeout` of the scenarios that wait for it.
const WRITE: Duration = Duration::from_millis(600);
/// `--read-timeout` of the one that waits for it.
const READ: Duration = Duration::from_millis(600);

const STALLED: &[Capability] = &[Http2, Witness, EndpointStream];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/window-kept",
        promise: "of a body as much comes as the client gave window for, and not a byte more",
        judges: &[Judges::Connection],
        needs: &[Http2, EndpointStream],
        sent: "SETTINGS with INITIAL_WINDOW_SIZE=10, `GET /stream?chunks=30&every=1ms`; 5 bytes of window, then all",
        why: "flow control is the one promise that protects the client's memory",
        wrong: "a window that is looked at once a chunk",
        sources: &[FLOW],
        run: window_kept,
        ..BASE
    },
    Scenario {
        id: "h2/connection-window",
        promise: "when the connection's window is used up heads and PING still come, and bodies when there is window",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "`GET /fast` until 65,535 bytes of DATA have come and nothing is given back; then `GET /fast`, PING, WINDOW_UPDATE",
        why: "only DATA is flow-controlled: a connection that is out of window must not look dead",
        wrong: "one queue for all frames of a connection",
        sources: &[FLOW],
        run: connection_window,
        limit: Duration::from_secs(20),
        ..BASE
    },
    Scenario {
        id: "h2/blocked-beside-prompt",
        promise: "a stream that is blocked by its window does not hold up its neighbors",
        judges: &[Judges::Answer],
        needs: &[Http2, EndpointStream],
        sent: "`GET /stream?chunks=1000&every=1ms` without window; beside it 20 times `GET /fast`, each given window",
        why: "this is what streams are for",
        wrong: "a task for the connection that waits for one stream",
        sources: &[FLOW],
        run: blocked_beside,
        ..BASE
    },
    Scenario {
        id: "h2/no-window-times-out",
        promise: "a stream that gets no window is reset with CANCEL at the write timeout; its work stops, the connection goes on",
        judges: &[Judges::Work, Judges::Connection],
        needs: STALLED,
        flags: &[("--write-timeout", "600ms"), ("--request-timeout", "8s")],
        sent: "SETTINGS with INITIAL_WINDOW_SIZE=10, `GET /stream?chunks=10000&every=1ms`, no WINDOW_UPDATE; then `GET /fast`; \
            `--write-timeout 600ms --request-timeout 8s`",
        why: "a client that gives no window holds the work, its buffers and a slot, and costs itself nothing",
        wrong: "no library has a timeout for a stream that waits for window",
        sources: &["https://cve.org/CVERecord?id=CVE-2019-9517"],
        run: times_out,
        ..WATCHED
    },
    Scenario {
        id: "h2/deaf-client",
        promise: "a client that gives all the window there is and reads nothing is closed at the write timeout, and all work stops",
        judges: &[Judges::Work, Judges::Connection],
        needs: STALLED,
        flags: &[("--write-timeout", "600ms"), ("--request-timeout", "15s")],
        limit: Duration::from_secs(25),
        sent: "windows of 2^31-1, 20 times `GET /fast` and 50 times `GET /stream?chunks=10000&every=4ms` over a connection of \
            the smallest buffers, and nothing is read; `--write-timeout 600ms --request-timeout 15s`",
        why: "window is the client's word; what it reads is its deed",
        wrong: "a library that queues what the window allows, whatever the socket takes",
        sources: &["https://cve.org/CVERecord?id=CVE-2019-9517"],
        run: deaf,
        ..WATCHED
    },
    Scenario {
        id: "h2/stalled-upload-408",
        promise: "an upload that stalls is answered 408 at the read timeout on its stream, while its neighbors go on",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Http2, Witness, StyleContext, EndpointUpload],
        flags: &[("--read-timeout", "600ms"), ("--request-timeout", "5s")],
        sent: "`POST /upload` with `content-length: 100` and 10 bytes of DATA; beside it `GET /slow?work=1200ms`; \
            `--read-timeout 600ms`",
        why: "one slow upload must neither hold a slot for ever nor cost its neighbors anything",
        wrong: "a read timeout of the connection, which any other stream begins anew",
        run: stalled_upload,
        ..WATCHED
    },
];

fn in_patience(bench: &Bench) -> Instant {
    Instant::now() + bench.patience()
}

/// Reads until so much of a body is here.
fn came(bench: &Bench, h2: &mut H2, stream: u32, least: usize) -> Result<usize, Failure> {
    let enough = |exchange: &Exchange| exchange.body.len() >= least || exchange.ended.is_some();
    h2.read_until(in_patience(bench), |session| session.exchange(stream).is_none_or(enough))?;
    Ok(h2.exchange(stream)?.body.len())
}

fn window_kept(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2_with(Manners::stingy(10))?;
    let stream = h2.request(&Request::get("/stream?chunks=30&every=1ms").id(bench.id()))?;
    // More than the window holds is a violation, which any read reports.
    let first = came(bench, &mut h2, stream, 10)?;
    h2.listen(bench.ms(150))?;
    let more = h2.exchange(stream)?.body.len();
    ensure!((first, more) == (10, 10), "{more} bytes came into a window of 10");
    h2.grant(stream, 5)?;
    let second = came(bench, &mut h2, stream, 15)?;
    ensure!(second == 15, "{second} bytes came for 15 bytes of window");
    h2.grant(stream, 100_000)?;
    is(&h2.answer(stream)?, 200)?;
    Ok("10 bytes, 5 bytes, and the rest".into())
}

fn connection_window(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2_with(Manners { grants: false, ..Manners::default() })?;
    let long = "n".repeat(64);
    let fast = || Request::get("/fast").header("X-Request-Id", long.clone());
    let mut last = 0;
    while h2.session().receiving().available() > 2 * last {
        let answer = h2.ask(&fast())?;
        is(&answer, 200)?;
        last = answer.response.body.len();
        ensure!(last > 0, "the 200 says nothing");
        h2.forget_closed();
    }
    // What is left is less than these need together.
    let streams: Vec<_> = (0..5).map(|_| h2.request(&fast())).collect::<Result<_, _>>()?;
    for stream in &streams {
        let status = h2.status(*stream, bench.patience())?;
        let said = or_none(status);
        ensure!(status == Some(200), "{said} instead of a head on a connection that is out of window");
    }
    ensure!(h2.ping(bench.patience())?.is_some(), "no answer to PING on a connection that is out of window");
    // Any of them may have had what was left.
    let mut blocked = 0;
    for stream in &streams {
        blocked += usize::from(h2.exchange(*stream)?.ended.is_none());
    }
    ensure!(blocked > 0, "five bodies came with window for two");
    h2.grant(0, 65_535)?;
    for stream in streams {
        is(&h2.answer(stream)?, 200)?;
    }
    Ok("heads and PING without window, bodies with it".into())
}

fn blocked_beside(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2_with(Manners::stingy(0))?;
    let blocked = h2.request(&Request::get("/stream?chunks=1000&every=1ms").id(bench.id()))?;
    h2.status(blocked, bench.patience())?;
    let mut worst = Duration::ZERO;
    for _ in 0..20 {
        let stream = h2.request(&bench.fast())?;
        h2.grant(stream, 65_535)?;
        let answer = h2.answer(stream)?;
        is(&answer, 200)?;
        worst = worst.max(answer.done_at - answer.sent_at);
    }
    ensure!(worst <= bench.answer_late(), "a /fast took {worst:.1?} beside a stream that is blocked");
    Ok(format!("20 times 200, the slowest after {worst:.1?}").into())
}

fn times_out(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2_with(Manners::stingy(10))?;
    let request = Request::get("/stream?chunks=10000&every=1ms").id(bench.id());
    let stream = h2.request(&request)?;
    came(bench, &mut h2, stream, 10)?;
    let (code, at) = is_reset(bench, &mut h2, stream)?;
    let exchange = h2.exchange(stream)?;
    let (sent_at, blocked_at) = (exchange.sent_at, exchange.body_at.map_or(at, |(_, last)| last));
    ensure!(code == Code::CANCEL, "RST_STREAM {code} and not CANCEL");
    // It was blocked no sooner than it was asked for, and no later than its last byte was here.
    let (least, most) = (at.saturating_duration_since(sent_at), at.saturating_duration_since(blocked_at));
    ensure!(least >= WRITE, "early: reset after {least:.1?}, and the write timeout is {WRITE:?}");
    ensure!(most <= WRITE + bench.answer_late(), "reset only {most:.1?} after the last byte");
    let (ended_at, how) = bench.work_ends(&id(&request), bench.patience())?;
    bench.stopped_soon(at, ended_at)?;
    ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
    h2.grant(0, 65_535)?;
    let fast = h2.request(&bench.fast())?;
    h2.grant(fast, 65_535)?;
    is(&h2.answer(fast)?, 200)?;
    Ok(format!("RST_STREAM CANCEL {most:.0?} after the last byte; the connection goes on").into())
}

fn deaf(bench: &Bench) -> Outcome {
    let polite = Manners::default();
    let settings = Settings { initial_window_size: flow::LARGEST as u32, ..polite.settings };
    let mut h2 = H2::over(bench.connect_narrow()?, Manners { settings, ..polite })?;
    h2.grant(0, (flow::LARGEST - flow::INITIAL) as u32)?;
    let since = Instant::now();
    // Answers that nobody reads shut the socket's window before its buffers grow.
    for _ in 0..20 {
        h2.request(&bench.fast())?;
    }
    std::thread::sleep(Duration::from_millis(100));
    let requests: Vec<_> =
        (0..50).map(|_| Request::get("/stream?chunks=10000&every=4ms").id(bench.id())).collect();
    h2.together(&requests)?;
    for request in &requests {
        bench.work_begins(&id(request))?;
    }
    // What the kernel keeps for a client has to be full first; the deadline is far behind that.
    for request in &requests {
        let (ended_at, how) = bench.work_ends(&id(request), Duration::from_secs(11))?;
        // The connection may have been stuck before this stream began.
        let lasted = ended_at.saturating_duration_since(since);
        ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
        ensure!(lasted >= WRITE, "early: canceled after {lasted:.1?}, and the write timeout is {WRITE:?}");
    }
    let after = since.elapsed();
    ensure!(
        after < Duration::from_secs(10),
        "the work went on for {after:.1?} for a client that reads nothing"
    );
    // The streams may have timed out one by one, and the connection when it took nothing for as long.
    std::thread::sleep(WRITE + bench.answer_late());
    let (end, _) = h2.end(bench.patience())?;
    ensure!(end != wire::End::Silence, "the connection of a client that reads nothing is still open");
    Ok(format!("50 streams canceled within {after:.1?}, then {end}").into())
}

fn stalled_upload(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let neighbor = super::brief(bench, 1200);
    let beside = super::working(bench, &mut h2, &neighbor)?;
    let upload = Request::post_part("/upload", 100, *b"0123456789").id(bench.id());
    let stream = h2.request(&upload)?;
    let answer = h2.answer(stream)?;
    ensure!(answer.status() == 408, "{} instead of 408", answer.status());
    let after = answer.after();
    ensure!(after >= READ, "early: 408 after {after:.1?}, and the read timeout is {READ:?}");
    ensure!(after <= READ + bench.answer_late(), "408 only after {after:.1?}");
    let reset = h2.wait_for(bench.patience(), |seen| seen.is(Kind::RST_STREAM, stream))?;
    ensure!(reset.is_some(), "no RST_STREAM behind the 408 of a request that has not ended");
    is(&h2.answer(beside)?, 200)?;
    ensure!(
        h2.exchange(beside)?.ended.map(|(how, _)| how) == Some(Ending::Complete),
        "the neighbor was cut off"
    );
    completed(bench, &id(&neighbor))?;
    goes_on(bench, &mut h2)?;
    Ok(format!("408 after {after:.0?}; 200 beside").into())
}
