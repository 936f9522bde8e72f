//! A request that fans out: its children end with it, and none outlives its group.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Admin, EndpointFanout, Witness};
use testbed::witness::Word;
use wire::{Answer, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{Leave, send, told};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Work];
const BASE: Scenario = Scenario { judges: BOTH, needs: &[Witness, EndpointFanout], ..Scenario::BASE };

const STRUCTURE: &str = "structured concurrency: when the call is over nothing of it goes on, so what comes next can \
    rely on it";
const DROPPED: &str = "dropping a tokio `JoinSet` aborts the children and returns before their destructors have run; \
    `join_all` of spawned tasks lets the others run on";
const SOURCES: &[&str] = &[
    "https://docs.rs/tokio/1.54.1/tokio/task/struct.JoinSet.html",
    "https://pkg.go.dev/golang.org/x/sync/errgroup#Group.Wait",
];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "group/all-done",
        promise: "a group whose children all complete is answered 200, after the last of them",
        sent: "`GET /fanout?width=8&work=150ms`",
        why: STRUCTURE,
        run: all_done,
        ..BASE
    },
    Scenario {
        id: "group/one-child",
        promise: "a group of one child is a group: it completes, fails and is canceled like any other",
        sent: "`GET /fanout?width=1&work=50ms`, then with `fail=0`, then with `work=3000ms` and `grpc-timeout: 100m`",
        why: "the smallest case is the one that a shortcut gets wrong",
        run: one_child,
        ..BASE
    },
    Scenario {
        id: "group/fail-cancels-siblings",
        promise: "a child that fails cancels its siblings: 502 that names it, at once, and none of them works on",
        sent: "`GET /fanout?width=8&work=3000ms&tick=20ms&fail=3`",
        why: "work whose result is already void",
        wrong: "`join_all` waits for the longest child; `try_join_all` drops the futures but not what they spawned",
        sources: SOURCES,
        run: fail_cancels,
        ..BASE
    },
    Scenario {
        id: "group/none-outlives-the-answer",
        promise: "when the answer is here no child is alive any more: neither work nor context (20 tries)",
        needs: &[Admin, EndpointFanout],
        slot: Slot::Own,
        sent: "20 times `GET /fanout?width=50&work=3000ms&tick=5ms&fail=7`; the server's count right behind each answer",
        why: STRUCTURE,
        wrong: DROPPED,
        sources: SOURCES,
        run: none_outlives,
        ..BASE
    },
    Scenario {
        id: "group/fail-beats-deadline",
        promise: "a child that fails before the deadline is a 502, though the siblings had time left",
        sent: "`GET /fanout?width=4&work=3000ms&tick=50ms&fail=0` with `grpc-timeout: 900m`",
        why: "the first cause is the one to report; the cancel that follows from it is not",
        wrong: "the siblings' `canceled` is reported instead of the failure that canceled them",
        run: fail_beats_deadline,
        ..BASE
    },
    Scenario {
        id: "group/deadline-beats-fail",
        promise: "a child that would fail after the deadline is canceled before: 504",
        sent: "`GET /fanout?width=4&work=3000ms&tick=900ms&fail=0` with `grpc-timeout: 300m`",
        why: "the first cause is the one to report",
        run: deadline_beats_fail,
        ..BASE
    },
    Scenario {
        id: "group/deadline-cancels-all",
        promise: "the deadline cancels every child: 504 on time, and none works on",
        sent: "`GET /fanout?width=8&work=3000ms` with `grpc-timeout: 300m`",
        why: STRUCTURE,
        wrong: DROPPED,
        sources: SOURCES,
        run: deadline_cancels,
        ..BASE
    },
    Scenario {
        id: "group/disconnect-cancels-all",
        promise: "a client that leaves cancels every child",
        judges: &[Judges::Work],
        sent: "`GET /fanout?width=8&work=3000ms`; 20 ms after all children began, RST",
        why: "the waste of a client that left, times the width",
        wrong: "the handler's future is dropped, and its spawned children are not",
        sources: SOURCES,
        run: |bench| disconnect_cancels(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "group/half-close-cancels-all",
        promise: "a client that half-closes cancels every child",
        judges: &[Judges::Work],
        sent: "`GET /fanout?width=8&work=3000ms`; 20 ms after all children began, `shutdown(WR)`",
        why: "the waste of a client that left, times the width",
        run: |bench| disconnect_cancels(bench, Leave::HalfClose),
        ..BASE
    },
    Scenario {
        id: "group/thousand-children",
        promise: "a thousand children all hear of the deadline: 504, and none is left",
        slot: Slot::Exclusive,
        needs: &[Witness, Admin, EndpointFanout],
        sent: "`GET /fanout?width=1000&work=3000ms&tick=1000ms` with `grpc-timeout: 600m`",
        why: "a cancel that walks a list under a lock, or wakes one at a time, shows at this width",
        run: thousand_children,
        ..BASE
    },
    Scenario {
        id: "group/spares-other-groups",
        promise: "a group that fails leaves another group alone, also on the same connection",
        sent: "`GET /fanout?width=4&work=300ms` on one connection; on another `GET /fanout?width=4&work=3000ms&tick=20ms\
            &fail=0` and, behind its 502, `GET /fanout?width=4&work=50ms`",
        why: "a cancel that reaches too far is worse than one that does not come",
        run: spares_others,
        ..BASE
    },
    Scenario {
        id: "group/zero-budget-starts-no-child",
        promise: "a group with no time left is answered 504, and no child starts",
        sent: "`GET /fanout?width=8&work=3000ms` with `grpc-timeout: 0m`",
        why: "a fan-out that is late multiplies the lateness",
        run: zero_budget,
        ..BASE
    },
];

/// `/fanout` under a fresh id.
fn fanout(bench: &Bench, width: usize, work: Duration, more: &str) -> Request {
    let join = if more.is_empty() { "" } else { "&" };
    let target = format!("/fanout?width={width}&work={}ms{join}{more}", work.as_millis());
    Request::get(target).id(bench.id())
}

/// When each of the children of `id` began, and when and how it ended.
struct Children {
    started: Vec<Instant>,
    ended: Vec<(Instant, Word)>,
}

fn heard(bench: &Bench, id: &str) -> Result<Children, Failure> {
    let events = bench.witness()?.events(id);
    Ok(Children {
        started: events.iter().filter(|(_, word)| *word == Word::Start).map(|(at, _)| *at).collect(),
        ended: events.into_iter().filter(|(_, word)| word.is_end()).collect(),
    })
}

/// Waits until `width` children of `id` have begun.
fn all_begin(bench: &Bench, id: &str, width: usize) -> Result<(), Failure> {
    let begun = || heard(bench, id).ok().filter(|children| children.started.len() >= width);
    let seen = bench.witness()?.wait(bench.patience(), begun);
    ensure!(seen.is_some(), "only {} of {width} children began", heard(bench, id)?.started.len());
    Ok(())
}

/// Waits until as many children of `id` have ended as began; gives how they ended, the last one last.
fn all_end(bench: &Bench, id: &str) -> Result<Vec<(Instant, Word)>, Failure> {
    let ended = || heard(bench, id).ok().filter(|children| children.ended.len() >= children.started.len());
    let seen = bench.witness()?.wait(bench.patience(), ended);
    seen.map(|children| children.ended).ok_or_else(|| Failure::broken(format!("children of {id} work on")))
}

/// Checks that `width` children began and that all ended by the time the answer came, give or take the way of a datagram;
/// gives how many ended in this way.
fn over_by(bench: &Bench, id: &str, answer: &Answer, width: usize, how: Word) -> Result<usize, Failure> {
    let ended = all_end(bench, id)?;
    ensure!(ended.len() == width, "{} children and not {width}", ended.len());
    let last = ended.last().map_or(answer.first_byte_at, |(at, _)| *at);
    bench.stopped_soon(answer.first_byte_at, last)?;
    Ok(ended.iter().filter(|(_, word)| *word == how).count())
}

fn status(answer: &Answer, expected: u16) -> Result<(), Failure> {
    let (status, after) = (answer.status(), answer.after());
    ensure!(status == expected, "{status} instead of {expected}, {after:.1?} after sending");
    Ok(())
}

fn all_done(bench: &Bench) -> Outcome {
    let request = fanout(bench, 8, bench.ms(150), "");
    let answer = bench.ask(&request)?;
    status(&answer, 200)?;
    let after = answer.after();
    ensure!(after >= bench.ms(150), "answered after {after:.1?}, before the children can have been done");
    let done = over_by(bench, request.id_given().unwrap_or_default(), &answer, 8, Word::Completed)?;
    ensure!(done == 8, "{done} of 8 children completed");
    Ok(format!("8 done, 200 after {after:.0?}").into())
}

fn one_child(bench: &Bench) -> Outcome {
    let done = fanout(bench, 1, bench.ms(50), "");
    status(&bench.ask(&done)?, 200)?;
    let failed = fanout(bench, 1, bench.ms(3000), "fail=0");
    status(&bench.ask(&failed)?, 502)?;
    let timeout = bench.ms(100);
    let late = fanout(bench, 1, bench.ms(3000), "").timeout(timeout);
    bench.is_504(&bench.ask(&late)?, timeout)?;
    for request in [done, failed, late] {
        let ended = all_end(bench, request.id_given().unwrap_or_default())?;
        ensure!(ended.len() == 1, "{} children and not 1", ended.len());
    }
    Ok("200, 502, 504".into())
}

/// Sends a group of which one child fails after its first tick; gives the time from that to the answer.
fn fails(
    bench: &Bench,
    request: &Request,
    child: usize,
    tick: Duration,
    width: usize,
) -> Result<Duration, Failure> {
    let answer = bench.ask(request)?;
    status(&answer, 502)?;
    let late = bench.in_time(answer.after(), tick)?;
    let text = answer.response.text();
    ensure!(text.contains(&child.to_string()), "the 502 does not name child {child}: {text}");
    let reason = answer.response.field("reason");
    ensure!(reason.as_deref() == Some("child"), "the reason is {} and not `child`: {text}", or_none(reason));
    let canceled = over_by(bench, request.id_given().unwrap_or_default(), &answer, width, Word::Canceled)?;
    ensure!(canceled >= width - 1, "{canceled} of {} siblings were canceled", width - 1);
    Ok(late)
}

fn fail_cancels(bench: &Bench) -> Outcome {
    let tick = bench.ms(20);
    let more = format!("tick={}ms&fail=3", tick.as_millis());
    let late = fails(bench, &fanout(bench, 8, bench.ms(3000), &more), 3, tick, 8)?;
    Ok(format!("502 {late:.1?} after the failure, 7 siblings canceled").into())
}

fn fail_beats_deadline(bench: &Bench) -> Outcome {
    let tick = bench.ms(50);
    let more = format!("tick={}ms&fail=0", tick.as_millis());
    let request = fanout(bench, 4, bench.ms(3000), &more).timeout(bench.ms(900));
    let late = fails(bench, &request, 0, tick, 4)?;
    Ok(format!("502 {late:.1?} after the failure").into())
}

fn deadline_beats_fail(bench: &Bench) -> Outcome {
    let more = format!("tick={}ms&fail=0", bench.ms(900).as_millis());
    deadline(bench, &fanout(bench, 4, bench.ms(3000), &more), 4)
}

fn deadline_cancels(bench: &Bench) -> Outcome {
    deadline(bench, &fanout(bench, 8, bench.ms(3000), ""), 8)
}

fn deadline(bench: &Bench, request: &Request, width: usize) -> Outcome {
    let request = request.clone().timeout(bench.deadline());
    let answer = bench.ask(&request)?;
    let late = bench.is_504(&answer, bench.deadline())?;
    let canceled = over_by(bench, request.id_given().unwrap_or_default(), &answer, width, Word::Canceled)?;
    ensure!(canceled == width, "{canceled} of {width} children were canceled");
    Ok(format!("504 {late:.1?} late, {width} children canceled").into())
}

fn none_outlives(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    for _ in 0..20 {
        let answer = wire.ask(&fanout(bench, 50, bench.ms(3000), "tick=5ms&fail=7"))?;
        let work = bench.census()?.work;
        status(&answer, 502)?;
        ensure!(work.live == 0 && work.zombie == 0, "{} children live behind the answer", work.live);
        ensure!(work.started % 50 == 0, "{} children began in groups of 50", work.started);
    }
    Ok("20 groups of 50, none left behind any answer".into())
}

fn disconnect_cancels(bench: &Bench, leave: Leave) -> Outcome {
    const WIDTH: usize = 8;
    let mut took = Vec::new();
    for _ in 0..5 {
        let mut wire = bench.connect()?;
        let id = send(&mut wire, &fanout(bench, WIDTH, bench.ms(3000), "").timeout(bench.ms(1800)))?;
        all_begin(bench, &id, WIDTH)?;
        std::thread::sleep(bench.ms(20));
        let (left_at, _kept) = leave.act(wire);
        let ended = all_end(bench, &id)?;
        let last = ended.last().map_or(left_at, |(at, _)| *at);
        took.push(bench.stopped_soon(left_at, last)?);
        let canceled = ended.iter().filter(|(_, how)| *how == Word::Canceled).count();
        ensure!(canceled == WIDTH, "{canceled} of {WIDTH} children were canceled");
    }
    let mut observed = told(&took);
    observed.text = format!("{WIDTH} children {}", observed.text);
    Ok(observed)
}

fn thousand_children(bench: &Bench) -> Outcome {
    const WIDTH: usize = 1000;
    let before = bench.census()?.work;
    let timeout = bench.ms(600);
    let more = format!("tick={}ms", bench.ms(1000).as_millis());
    let answer = bench.ask(&fanout(bench, WIDTH, bench.ms(3000), &more).timeout(timeout))?;
    // A thousand works take their time to be told; what is judged is that the answer waits for all and comes.
    status(&answer, 504)?;
    let after = answer.after();
    ensure!(after >= timeout, "early: {after:.1?} for a deadline of {timeout:?}");
    // 0.2 ms a child: on threads each is woken, says so, ends and is joined, and a processor does one after the other.
    let most = timeout + bench.answer_late() + bench.ms(200);
    ensure!(after <= most, "answered {after:.1?} after sending; at most {most:?} is forgiven");
    let work = bench.census()?.work;
    let (started, canceled) = (work.started - before.started, work.canceled - before.canceled);
    ensure!((started, canceled) == (1000, 1000), "{started} began and {canceled} were canceled, of 1000");
    ensure!(work.live == 0, "{} children live behind the answer", work.live);
    Ok(format!("504 {:.1?} late, 1000 canceled", after - timeout).into())
}

fn spares_others(bench: &Bench) -> Outcome {
    let bystander = fanout(bench, 4, bench.ms(300), "");
    let mut other = bench.connect()?;
    other.send_request(&bystander)?;
    let mut wire = bench.connect()?;
    let tick = bench.ms(20);
    let more = format!("tick={}ms&fail=0", tick.as_millis());
    status(&wire.ask(&fanout(bench, 4, bench.ms(3000), &more))?, 502)?;
    status(&wire.ask(&fanout(bench, 4, bench.ms(50), ""))?, 200)?;
    let answer = other.answer()?;
    status(&answer, 200)?;
    let done = over_by(bench, bystander.id_given().unwrap_or_default(), &answer, 4, Word::Completed)?;
    ensure!(done == 4, "{done} of the bystander's 4 children completed");
    Ok("502, then 200 and 200".into())
}

fn zero_budget(bench: &Bench) -> Outcome {
    let request = fanout(bench, 8, bench.ms(3000), "").timeout_text("0m");
    let answer = bench.ask(&request)?;
    status(&answer, 504)?;
    let began = bench.witness()?.wait_start(request.id_given().unwrap_or_default(), bench.ms(100));
    ensure!(began.is_none(), "a child began");
    Ok(format!("504 after {:.1?}, no child", answer.after()).into())
}
