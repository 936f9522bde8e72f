//! RST_STREAM: a client that leaves one stream.

use std::time::Duration;

use testbed::capability::Capability::{
    EndpointFanout, EndpointStream, Http2, Post, StyleContext, StyleDrop, StylePolling, Witness,
};
use testbed::noise::quantile;
use testbed::witness::Word;
use wire::Request;
use wire::h2::wrong::body;
use wire::h2::{Code, Frame, H2, Kind, Manners};

use super::{STATES, WATCHED, all_end, completed, goes_on, id, request, working};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{TRIES, canceled, told};

const WASTE: &str =
    "a browser sends one for each request that a user left, and a proxy for each client that did";
const BOTH: &[Judges] = &[Judges::Work, Judges::Connection];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/reset",
        promise: "RST_STREAM CANCEL cancels the work of its stream, and the connection goes on",
        judges: BOTH,
        sent: "five times `GET /slow?work=3000ms` on one connection; each time, 20 ms after the work began, RST_STREAM CANCEL",
        why: WASTE,
        wrong: "a reset that is noticed when the answer is written",
        sources: &[STATES],
        run: |bench| resets(bench, Code::CANCEL, ""),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-time",
        promise: "how long work takes to be canceled after RST_STREAM",
        level: Level::Info,
        slot: Slot::Exclusive,
        limit: Duration::from_secs(30),
        sent: "200 times `GET /slow?work=3000ms&tick=500ms` on one connection, and RST_STREAM CANCEL once its work has begun",
        why: "of all ways to leave it is the cheapest to notice",
        run: time,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-any-code",
        promise: "RST_STREAM cancels the work whatever code it carries, a code that no RFC knows among them",
        judges: BOTH,
        sent: "15 times `GET /slow?work=3000ms` on one connection, reset with each code of the RFC and with 0xdeadbeef",
        why: "the code is for people; the stream is over with any",
        wrong: "NO_ERROR taken for the end of the request's body, which it is only from a server",
        sources: &["RFC 9113, section 7"],
        run: any_code,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-polling",
        promise: "RST_STREAM stops blocking work that asks its context at every tick",
        needs: &[Http2, Witness, StylePolling],
        sent: "five times `GET /slow?work=3000ms&style=polling&tick=1ms`, and RST_STREAM CANCEL",
        why: "a thread can only be asked to stop, so somebody must ask",
        wrong: "a framework that drops the handler's future tells nobody on the blocking pool",
        run: |bench| resets(bench, Code::CANCEL, "style=polling&tick=1ms"),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-drop",
        promise: "RST_STREAM stops work that knows no context, because its future is dropped",
        needs: &[Http2, Witness, StyleDrop],
        sent: "five times `GET /slow?work=3000ms&style=drop`, and RST_STREAM CANCEL",
        why: "it is what async Rust gives for nothing",
        run: |bench| resets(bench, Code::CANCEL, "style=drop"),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-before-body",
        promise: "a request that is reset before its body cancels its work",
        needs: &[Http2, Witness, StyleContext, Post],
        sent: "`POST /slow?work=3000ms&body=ignore` without END_STREAM and without DATA; then RST_STREAM CANCEL",
        why: "a stream that still expects DATA is read in another way than one that does not",
        wrong: "a reset that only ends the body's reader",
        sources: &[STATES],
        run: |bench| posted(bench, 0, false),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-mid-body",
        promise: "a request that is reset in the middle of its body cancels its work, though nobody reads the body",
        needs: &[Http2, Witness, StyleContext, Post],
        sent: "`POST /slow?work=3000ms&body=ignore` with 20,000 bytes of DATA and no end; then RST_STREAM CANCEL",
        why: "over HTTP/1.1 an unread body hides the client's leave",
        wrong: "a reset that waits behind DATA that nobody takes",
        run: |bench| posted(bench, 20_000, false),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-after-body",
        promise: "a request that is reset behind its whole body cancels its work, though nobody read the body",
        needs: &[Http2, Witness, StyleContext, Post],
        sent: "`POST /slow?work=3000ms&body=ignore` with 20,000 bytes of DATA and END_STREAM; then RST_STREAM CANCEL",
        why: "the stream is half-closed: all that can still come of the client is its reset",
        wrong: "a stream whose reading half is done with is not looked at any more",
        run: |bench| posted(bench, 20_000, true),
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-mid-stream",
        promise: "a /stream that is reset while it is sent stops, and the connection goes on",
        judges: BOTH,
        needs: &[Http2, Witness, EndpointStream],
        sent: "`GET /stream?chunks=50&every=20ms`; RST_STREAM CANCEL behind the first chunk",
        why: "a download that is left is the largest waste of all",
        run: mid_stream,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-blocked",
        promise: "a /stream that has no window and is reset stops",
        needs: &[Http2, Witness, EndpointStream],
        sent: "SETTINGS with INITIAL_WINDOW_SIZE=10, `GET /stream?chunks=1000&every=1ms`; once 10 bytes are here, RST_STREAM CANCEL",
        why: "a sender that waits for window must go on listening for the end",
        wrong: "a task that waits for window and for nothing else",
        sources: &["RFC 9113, section 5.2"],
        run: blocked,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-in-one-write",
        promise: "work whose request and reset come in one write is never begun, or stops",
        judges: BOTH,
        sent: "50 times HEADERS of `GET /slow?work=3000ms` and RST_STREAM CANCEL, all in one write",
        why: "this is rapid reset in small: the server sees both at once",
        wrong: "a handler that is spawned before the reset is looked at and told of it never",
        sources: &["CVE-2023-44487"],
        run: in_one_write,
        ..WATCHED
    },
    Scenario {
        id: "h2/reset-group",
        promise: "RST_STREAM cancels every child of a group",
        needs: &[Http2, Witness, EndpointFanout],
        sent: "`GET /fanout?width=8&work=3000ms`; RST_STREAM CANCEL once all children have begun",
        why: "the waste of a stream that was left, times the width",
        wrong: "the handler's future is dropped, and its spawned children are not",
        run: group,
        ..WATCHED
    },
    Scenario {
        id: "h2/serve-reset",
        promise: "under `--on-disconnect serve` END_STREAM is no leave, and RST_STREAM is one",
        flags: &[("--on-disconnect", "serve")],
        sent: "`GET /slow?work=300ms` with END_STREAM, and its answer; then `GET /slow?work=3000ms`, RST_STREAM CANCEL; \
            `--on-disconnect serve`",
        why: "every GET half-closes its stream, so what is a question over HTTP/1.1 is none here",
        run: serve,
        ..WATCHED
    },
    Scenario {
        id: "h2/detach-completes",
        promise: "under `--on-disconnect detach` the work of a stream that is reset comes to its end, once",
        flags: &[("--on-disconnect", "detach")],
        sent: "`GET /slow?work=400ms`, then RST_STREAM CANCEL; `--on-disconnect detach`",
        why: "work that must not be done by halves is told apart by its policy, and not by its protocol",
        wrong: "hyper drops the handler's future at the reset, whatever the policy",
        run: detach,
        ..WATCHED
    },
];

/// Resets one stream after another while its work runs; each time the work is canceled.
fn resets(bench: &Bench, code: Code, more: &str) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let request = request(bench, more);
        let stream = working(bench, &mut h2, &request)?;
        std::thread::sleep(bench.ms(20));
        took.push(canceled(bench, &id(&request), h2.reset(stream, code)?)?);
    }
    goes_on(bench, &mut h2)?;
    Ok(told(&took))
}

fn time(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let request = request(bench, "tick=500ms");
        let stream = working(bench, &mut h2, &request)?;
        let took_ms = canceled(bench, &id(&request), h2.reset(stream, Code::CANCEL)?)?.as_secs_f64() * 1e3;
        took.push(took_ms);
    }
    took.sort_by(f64::total_cmp);
    let (median, p99) = (quantile(&took, 0.5), quantile(&took, 0.99));
    let observed = Observed::new(format!("canceled after {median:.2} ms (median of 200), {p99:.2} ms (p99)"));
    Ok(observed.with("cancel_median_ms", median).with("cancel_p99_ms", p99))
}

fn any_code(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut took = Vec::new();
    for code in Code::all().chain([Code(0xdead_beef)]) {
        let request = request(bench, "");
        let stream = working(bench, &mut h2, &request)?;
        let after = canceled(bench, &id(&request), h2.reset(stream, code)?);
        took.push(after.map_err(|failure| Failure::broken(format!("RST_STREAM {code}: {failure}")))?);
    }
    goes_on(bench, &mut h2)?;
    Ok(told(&took))
}

/// Resets a POST of which `length` bytes were sent, and its end or not.
fn posted(bench: &Bench, length: usize, ends: bool) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let request = request(bench, "body=ignore").method("POST");
        let stream = h2.open(&request)?;
        h2.send(&body(stream, length))?;
        if ends {
            h2.send(&[Frame::data(stream, [], true)])?;
        }
        bench.work_begins(&id(&request))?;
        std::thread::sleep(bench.ms(20));
        took.push(canceled(bench, &id(&request), h2.reset(stream, Code::CANCEL)?)?);
    }
    goes_on(bench, &mut h2)?;
    Ok(told(&took))
}

fn stream(bench: &Bench, query: &str) -> Request {
    Request::get(format!("/stream?{query}")).id(bench.id())
}

fn mid_stream(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let request = stream(bench, &format!("chunks=50&every={}ms", bench.ms(20).as_millis()));
        let stream = h2.request(&request)?;
        let chunk = h2.wait_for(bench.patience(), |seen| seen.is(Kind::DATA, stream))?;
        ensure!(chunk.is_some(), "no chunk came");
        took.push(canceled(bench, &id(&request), h2.reset(stream, Code::CANCEL)?)?);
    }
    goes_on(bench, &mut h2)?;
    Ok(told(&took))
}

fn blocked(bench: &Bench) -> Outcome {
    let mut h2: H2 = bench.h2_with(Manners::stingy(10))?;
    let request = stream(bench, "chunks=1000&every=1ms");
    let stream = h2.request(&request)?;
    h2.read_until(h2_deadline(bench), |session| {
        session.exchange(stream).is_some_and(|exchange| exchange.body.len() >= 10)
    })?;
    let came = h2.exchange(stream)?.body.len();
    ensure!(came == 10, "{came} bytes came into a window of 10");
    std::thread::sleep(bench.ms(100));
    let mut observed = told(&[canceled(bench, &id(&request), h2.reset(stream, Code::CANCEL)?)?]);
    observed.text = format!("blocked behind 10 bytes; {}", observed.text);
    Ok(observed)
}

/// The moment until which a scenario waits for what must come soon.
fn h2_deadline(bench: &Bench) -> std::time::Instant {
    std::time::Instant::now() + bench.patience()
}

fn in_one_write(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let (mut frames, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let request = request(bench, "");
        let (stream, mut opening) = h2.prepare(&request);
        frames.append(&mut opening);
        frames.push(Frame::reset(stream, Code::CANCEL));
        ids.push(id(&request));
    }
    let sent_at = h2.send(&frames)?;
    // The server has seen them all when it answers what came behind them, unless it takes 50 resets in one write for an
    // attack and says so.
    let answered = h2.flood(&[Frame::ping([7; 8])], bench.patience(), true)? == 1
        && h2.wait_for(bench.patience(), |seen| seen.frame == Frame::ping_ack([7; 8]))?.is_some();
    let told_off = h2.is_over() || h2.session().goaway().is_some();
    ensure!(answered || told_off, "no answer to a PING behind 50 resets");
    // A handler that is spawned before its reset is looked at may begin behind the PING's answer.
    let witness = bench.witness()?;
    let count = || ids.iter().filter(|id| witness.started(id).is_some()).count();
    let _ = witness.wait(bench.ms(200), || (count() == ids.len()).then_some(()));
    let last = all_end(bench, &ids, bench.patience())?;
    let begun = count();
    if let Some(last) = last {
        bench.stopped_soon(sent_at, last)?;
    }
    let end = if told_off { "; then GOAWAY" } else { "" };
    Ok(format!("{begun} of 50 began, and all of them stopped{end}").into())
}

fn group(bench: &Bench) -> Outcome {
    const WIDTH: usize = 8;
    let mut h2 = bench.h2()?;
    let target = format!("/fanout?width={WIDTH}&work={}ms", bench.ms(3000).as_millis());
    let request = Request::get(target).timeout(bench.ms(1800)).id(bench.id());
    let (stream, id, witness) = (h2.request(&request)?, id(&request), bench.witness()?);
    let count =
        |wanted: fn(Word) -> bool| witness.events(&id).iter().filter(|(_, word)| wanted(*word)).count();
    let all = witness.wait(bench.patience(), || (count(|word| word == Word::Start) == WIDTH).then_some(()));
    ensure!(all.is_some(), "not all of {WIDTH} children began");
    let reset_at = h2.reset(stream, Code::CANCEL)?;
    all_end(bench, std::slice::from_ref(&id), bench.patience())?;
    let ended = count(Word::is_end);
    let last = witness.events(&id).iter().filter(|(_, word)| word.is_end()).map(|(at, _)| *at).max();
    ensure!(ended == WIDTH, "{ended} ends of {WIDTH} children");
    let after = bench.stopped_soon(reset_at, last.unwrap_or(reset_at))?;
    goes_on(bench, &mut h2)?;
    Ok(told(&[after]))
}

fn serve(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let served = super::brief(bench, 300);
    super::is(&h2.ask(&served)?, 200)?;
    completed(bench, &id(&served))?;
    resets(bench, Code::CANCEL, "")
}

fn detach(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let request = super::brief(bench, 400);
    let stream = working(bench, &mut h2, &request)?;
    std::thread::sleep(bench.ms(20));
    h2.reset(stream, Code::CANCEL)?;
    completed(bench, &id(&request))?;
    goes_on(bench, &mut h2)?;
    Ok("reset, and the work completed once".into())
}
