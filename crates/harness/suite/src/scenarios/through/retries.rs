//! Retries: requests that are sent a second time, and those that must not be.

use testbed::capability::Capability;
use testbed::upstream::{Reply, Shape};
use wire::Leave;

use super::timeouts::is_cut;
use super::{BASE, PAIR, arrives, behind, own_answer, send, upstream};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};

const TWICE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Capability::Through, Capability::ThroughPair],
    why: "a POST that came to an upstream may have been done: sent again it is done twice",
    sources: &["RFC 9110, section 9.2.2"],
    // An upstream that failed may be left out for a while, and then the next scenario would see no second one.
    slot: Slot::Own,
    ..BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/canceled-not-retried",
        promise: "a request whose client has left is not sent to a second upstream",
        sent: "a request by a route with two upstreams, which both say nothing; FIN, or RST",
        why: "a retry for nobody doubles the work that the cancel was to end",
        run: canceled,
        ..TWICE
    },
    Scenario {
        id: "through/closed-post-sent-once",
        promise: "a POST whose upstream reads it and closes is sent to no second one",
        sent: "a POST by a route with two upstreams; the first reads it and closes without an answer",
        run: |bench| post(bench, Shape::Close),
        ..TWICE
    },
    Scenario {
        id: "through/reset-post-sent-once",
        promise: "a POST whose upstream reads it and resets is sent to no second one",
        sent: "a POST by a route with two upstreams; the first reads it and resets",
        run: |bench| post(bench, Shape::Reset),
        ..TWICE
    },
    Scenario {
        id: "through/timed-out-post-sent-once",
        promise: "a POST whose upstream is silent longer than it may be is sent to no second one",
        sent: "a POST by a route with two upstreams that have 1 s each; both read it and say nothing",
        run: |bench| post(bench, Shape::Nothing),
        ..TWICE
    },
    Scenario {
        id: "through/kept-post-sent-once",
        promise: "a POST on a kept connection to the upstream, which is closed when it has come, is sent once",
        needs: &[Capability::Through],
        sent: "a request and its answer; then a POST, which the upstream reads and closes on",
        why: "a kept connection that ends may have ended before the request came, or after: only one of them may be tried again",
        wrong: "an intermediary that takes every end of a kept connection for an idle timeout sends a POST twice",
        sources: &["RFC 9112, section 9.3.1"],
        run: kept_post,
        ..TWICE
    },
    Scenario {
        id: "through/half-answered-not-retried",
        promise: "a request that is half answered is sent to no second upstream, and its answer is not mended",
        judges: &[Judges::Work, Judges::Answer],
        needs: &[Capability::Through, Capability::ThroughPair, Capability::ThroughRaw],
        sent: "a request by a route with two upstreams; the first sends half of its answer and closes",
        why: "half of one answer and half of another are no answer",
        run: half_answered,
        ..TWICE
    },
    Scenario {
        id: "through/closed-get-retried",
        promise: "how many upstreams a GET is sent to that are closed on",
        level: Level::Info,
        sent: "a GET by a route with two upstreams, which both close without an answer",
        why: "a GET may be sent again, and a storm of retries begins so",
        run: |bench| count(bench, Shape::Close),
        ..TWICE
    },
    Scenario {
        id: "through/timed-out-get-retried",
        promise: "how many upstreams a GET is sent to that say nothing",
        level: Level::Info,
        sent: "a GET by a route with two upstreams that have 1 s each and say nothing",
        why: "a request that is given up on and sent on doubles the load exactly when upstreams are slow",
        run: |bench| count(bench, Shape::Nothing),
        ..TWICE
    },
];

fn canceled(bench: &Bench) -> Outcome {
    for leave in [Leave::Fin, Leave::Rst, Leave::Fin, Leave::Rst] {
        let (wire, id) = send(bench, PAIR, Reply::NOTHING)?;
        arrives(bench, &id)?;
        std::thread::sleep(bench.ms(20));
        leave.act(wire);
        // Longer than an upstream of this route may be silent.
        std::thread::sleep(bench.ms(1300));
        let times = upstream(bench)?.seen(&id).len();
        ensure!(times == 1, "{leave}: it was sent {times} times");
    }
    Ok("sent once, 4 of 4".into())
}

fn post(bench: &Bench, shape: Shape) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply::of(shape), Reply::WHOLE]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post(PAIR, &id, "lab", false, usize::MAX))?;
    let status = wire.answer().map(|answer| answer.status());
    sent_once(bench, &id, status.as_ref().ok().copied())
}

/// Checks that the request came to the upstreams once, however often an intermediary waits between its tries.
fn sent_once(bench: &Bench, id: &str, status: Option<u16>) -> Outcome {
    std::thread::sleep(bench.ms(200));
    let times = upstream(bench)?.seen(id).len();
    if times != 1 {
        return Err(Failure::certain(format!("it was sent {times} times, and answered {}", or_none(status))));
    }
    ensure!(status != Some(200), "200, and the upstream had given no answer");
    Ok(format!("sent once, {}", status.map_or("no answer".to_owned(), |status| status.to_string())).into())
}

fn kept_post(bench: &Bench) -> Outcome {
    own_answer(bench)?;
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply::of(Shape::Close), Reply::WHOLE]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post("/", &id, "lab", false, usize::MAX))?;
    let status = wire.answer().map(|answer| answer.status());
    let mut observed = sent_once(bench, &id, status.ok())?;
    let kept = upstream(bench)?.seen(&id).iter().any(|seen| seen.before > 0);
    observed.text += if kept { ", on a kept connection" } else { ", on a new connection" };
    Ok(observed)
}

fn half_answered(bench: &Bench) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply::of(Shape::HalfThenClose), Reply::WHOLE]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.request(PAIR, &id, false))?;
    let (end, _) = wire.end(bench.patience())?;
    let times = behind.upstream.seen(&id).len();
    ensure!(times == 1, "it was sent {times} times");
    is_cut(&mut wire, end)?;
    Ok("sent once, cut off".into())
}

fn count(bench: &Bench, shape: Shape) -> Outcome {
    let (mut wire, id) = send(bench, PAIR, Reply::of(shape))?;
    let answer = wire.answer();
    std::thread::sleep(bench.ms(200));
    let times = upstream(bench)?.seen(&id).len();
    let status = answer.map_or("no answer".to_owned(), |answer| answer.status().to_string());
    Ok(Observed::new(format!("sent {times} times, {status}")).with("times_sent", times as f64))
}
