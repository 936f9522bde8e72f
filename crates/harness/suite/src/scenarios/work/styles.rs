//! The work stops: not only is the client told so.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    StyleBlocking, StyleContext, StyleDetached, StyleDrop, StylePolling, StyleSpin, Witness,
};
use testbed::witness::Word;
use wire::Answer;

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Work];
const STOPS: &str = "a 504 sets the client free; only stopped work sets the server free";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "work/context",
        promise: "work that waits for its context stops at the deadline",
        judges: BOTH,
        needs: &[Witness, StyleContext],
        sent: "`GET /slow?style=context&work=1500ms` with `grpc-timeout: 300m`",
        why: STOPS,
        wrong: "a context that is made and never handed on",
        run: |bench| stops(bench, "context", Duration::ZERO),
        ..Scenario::BASE
    },
    Scenario {
        id: "work/drop",
        promise: "work that knows no context stops when it is dropped at the deadline",
        judges: BOTH,
        needs: &[Witness, StyleDrop],
        sent: "`GET /slow?style=drop&work=1500ms` with `grpc-timeout: 300m`",
        why: STOPS,
        wrong: "a thread cannot be dropped: it works on to its natural end",
        run: |bench| stops(bench, "drop", Duration::ZERO),
        ..Scenario::BASE
    },
    Scenario {
        id: "work/polling",
        promise: "blocking work that asks its context at every tick stops at the first tick after the deadline",
        judges: BOTH,
        needs: &[Witness, StylePolling],
        sent: "`GET /slow?style=polling&work=1500ms&tick=2ms` with `grpc-timeout: 300m`",
        why: "it is the only way for a thread to stop",
        wrong: "a flag that is set when the future is dropped and read by nobody",
        run: |bench| stops(bench, "polling&tick=2ms", Duration::from_millis(2)),
        ..Scenario::BASE
    },
    Scenario {
        id: "work/detached",
        promise: "how long spawned work without a context goes on after its 504",
        level: Level::Info,
        judges: BOTH,
        needs: &[Witness, StyleDetached],
        sent: "`GET /slow?style=detached&work=1000ms` with `grpc-timeout: 300m`",
        why: "`spawn` cuts the line along which a dropped future cancels its work",
        wrong: "tokio and async-std detach when the handle is dropped; smol cancels, unless told to detach",
        run: |bench| zombie(bench, "detached"),
        ..Scenario::BASE
    },
    Scenario {
        id: "work/blocking",
        promise: "how long work on the blocking pool goes on after its 504",
        level: Level::Info,
        judges: BOTH,
        needs: &[Witness, StyleBlocking],
        sent: "`GET /slow?style=blocking&work=1000ms` with `grpc-timeout: 300m`",
        why: "a closure that has begun always ends by itself, and holds its thread until then",
        sources: &["https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html"],
        run: |bench| zombie(bench, "blocking"),
        ..Scenario::BASE
    },
    Scenario {
        id: "work/spin",
        promise: "how long work that never yields goes on past its deadline",
        level: Level::Info,
        judges: BOTH,
        needs: &[Witness, StyleSpin],
        slot: crate::scenario::Slot::Exclusive,
        sent: "`GET /slow?style=spin&work=700ms` with `grpc-timeout: 300m`",
        why: "nothing can stop a loop that never looks: not a dropped future, not a deadline",
        run: spin,
        ..Scenario::BASE
    },
];

/// Sends work of that style and length; gives the request's id and its answer.
fn send(bench: &Bench, style: &str, work: Duration) -> Result<(String, Answer), Failure> {
    let request = bench.slow_for(work, bench.deadline(), &format!("style={style}"));
    let id = request.id_given().expect("slow requests are named").to_owned();
    Ok((id, bench.ask(&request)?))
}

/// Work of that style must be told, and must stop within the profile's time and one `tick`.
fn stops(bench: &Bench, style: &str, tick: Duration) -> Outcome {
    let (id, answer) = send(bench, style, bench.ms(1500))?;
    let late = bench.is_504(&answer, bench.deadline())?;
    ensure!(bench.witness()?.started(&id).is_some(), "504, but no heartbeat said that the work started");
    let (ended_at, how) = bench.work_ends(&id, bench.patience())?;
    let told_at = answer.first_byte_at + tick;
    let zombie = bench.stopped_soon(told_at, ended_at)?;
    ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
    std::thread::sleep(bench.ms(50));
    let beats = bench.witness()?.beats_after(&id, ended_at);
    ensure!(beats == 0, "{beats} beats after the work said that it had ended");
    let zombie = zombie.as_secs_f64() * 1e3;
    Ok(Observed::new(format!("504 {late:.1?} late, stopped {zombie:.1} ms after it"))
        .with("zombie_ms", zombie))
}

/// Nothing is demanded of the work; the answer must come on time, and the zombie is timed.
fn zombie(bench: &Bench, style: &str) -> Outcome {
    let (id, answer) = send(bench, style, bench.ms(1000))?;
    let late = bench.is_504(&answer, bench.deadline())?;
    timed(bench, &id, &answer, late)
}

fn spin(bench: &Bench) -> Outcome {
    let (id, answer) = send(bench, "spin", bench.ms(700))?;
    let (status, after) = (answer.status(), answer.after());
    let Some(late) = after.checked_sub(bench.deadline()).filter(|_| status == 504) else {
        return Err(Failure::broken(format!("{status} after {after:.1?}")));
    };
    timed(bench, &id, &answer, late)
}

/// Waits for the natural end of the work and says how long it was a zombie.
fn timed(bench: &Bench, id: &str, answer: &Answer, late: Duration) -> Outcome {
    let (ended_at, how) = bench.work_ends(id, bench.patience())?;
    let past = |at: Instant| at.saturating_duration_since(answer.first_byte_at).as_secs_f64() * 1e3;
    let (zombie, beats) = (past(ended_at), bench.witness()?.beats_after(id, answer.first_byte_at));
    let text = format!("504 {late:.1?} late, then a zombie for {zombie:.0} ms ({beats} beats, {how})");
    Ok(Observed::new(text).with("zombie_ms", zombie).with("zombie_beats", beats as f64))
}
