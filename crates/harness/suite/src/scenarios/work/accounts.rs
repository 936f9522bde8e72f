//! The two witnesses agree: what the work says of itself and what the census counts.

use std::time::Duration;

use testbed::capability::Capability::{
    Admin, ParamTick, ParamWork, RequestId, StyleContext, StyleDetached, Witness,
};
use testbed::witness::Word;
use wire::Request;

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario, Slot};

const WORK: &[Judges] = &[Judges::Work];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "work/cleanup-ran",
        promise: "the guards inside canceled work were dropped before the server counts it as canceled",
        judges: WORK,
        needs: &[Admin, Witness, StyleContext],
        slot: Slot::Own,
        sent: "20 times `GET /slow?style=context&work=3000ms` with `grpc-timeout: 300m`, the server's count meanwhile",
        why: "work that counts as canceled but holds its locks and files is still there",
        wrong: "`abort` returns before the task is gone; dropping a `JoinSet` returns before the children's destructors ran",
        run: cleanup_ran,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/completes-once",
        promise: "work that fits starts once, beats once a tick, and completes once",
        judges: WORK,
        needs: &[Witness, StyleContext, ParamTick],
        sent: "`GET /slow?work=200ms&tick=20ms` with `grpc-timeout: 1500m`",
        why: "work that is retried or doubled behind the caller's back charges a card twice",
        run: completes_once,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/one-end-each",
        promise: "of 100 canceled works each starts once and ends once",
        judges: WORK,
        needs: &[Witness, StyleContext],
        sent: "100 times `GET /slow?style=context&work=3000ms` at once with `grpc-timeout: 300m`",
        why: "an end that is told twice releases twice what was taken once",
        run: one_end_each,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/counted",
        promise: "a timed-out request is counted: answered 504, ended by its deadline, its work canceled",
        judges: WORK,
        needs: &[Admin, StyleContext],
        slot: Slot::Own,
        sent: "5 times `GET /slow?style=context` with `grpc-timeout: 300m`, the server's count before and after",
        why: "a timeout that no counter shows is noticed by its victims only",
        run: counted,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/zombie-is-counted",
        promise: "work that outlives its request is counted as a zombie until it ends",
        judges: WORK,
        needs: &[Admin, StyleDetached],
        slot: Slot::Own,
        sent: "`GET /slow?style=detached&work=900ms` with `grpc-timeout: 300m`, the server's count until the work ends",
        why: "the first step to stopping zombies is to see them",
        wrong: "request counters fall back to zero at the 504, and the dashboard is green",
        run: zombie_is_counted,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/contexts-released",
        promise: "after a storm of 100 timeouts no context, request or work is left",
        judges: WORK,
        needs: &[Admin, StyleContext],
        slot: Slot::Own,
        sent: "100 times `GET /slow?style=context` at once with `grpc-timeout: 300m`, then the server's count",
        why: "a context that its parent still holds is a leak of one entry per request",
        wrong: "Go's `go vet` warns of a lost `cancel` for this reason",
        sources: &["https://pkg.go.dev/cmd/vet (lostcancel)"],
        run: contexts_released,
        ..Scenario::BASE
    },
    Scenario {
        id: "work/unnamed-is-silent",
        promise: "work of a request without X-Request-Id sends no heartbeats",
        judges: WORK,
        needs: &[Witness, RequestId, ParamWork],
        sent: "`GET /slow?work=50ms` without `X-Request-Id`",
        why: "heartbeats are for those who asked to hear them",
        run: unnamed_is_silent,
        ..Scenario::BASE
    },
];

fn named(bench: &Bench, count: usize) -> (Vec<String>, Vec<Request>) {
    let requests: Vec<_> = (0..count).map(|_| bench.slow("style=context&tick=50ms")).collect();
    (requests.iter().filter_map(|request| request.id_given().map(str::to_owned)).collect(), requests)
}

fn cleanup_ran(bench: &Bench) -> Outcome {
    let before = bench.census()?.work;
    let (ids, requests) = named(bench, 20);
    let mut storm = bench.storm(requests)?;
    for shot in storm.answered()? {
        bench.shot_is_504(shot, bench.deadline())?;
    }
    let all = |census: &testbed::census::Census| census.work.canceled >= before.canceled + 20;
    let (census, _) = bench.census_until(bench.patience(), "all canceled", all)?;
    let live = census.work.live - before.live.min(census.work.live);
    ensure!(live == 0, "20 canceled, and {live} of them still live: {}", census.line());
    for id in &ids {
        // Only the datagram's way is waited for.
        let (_, how) = bench.work_ends(id, bench.ms(200))?;
        ensure!(how == Word::Canceled, "{id} says {how}");
    }
    Ok("20 canceled, every guard was dropped".into())
}

fn completes_once(bench: &Bench) -> Outcome {
    let request =
        bench.slow_for(bench.ms(200), bench.ms(1500), &format!("tick={}ms", bench.ms(20).as_millis()));
    let id = request.id_given().expect("slow requests are named").to_owned();
    let answer = bench.ask(&request)?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    bench.work_ends(&id, bench.patience())?;
    std::thread::sleep(bench.ms(50));
    let words: Vec<_> = bench.witness()?.events(&id).into_iter().map(|(_, word)| word).collect();
    let beats = words.iter().filter(|word| matches!(word, Word::Beat(_))).count();
    let once = words.first() == Some(&Word::Start) && words.last() == Some(&Word::Completed);
    let heard: Vec<String> = words.iter().map(Word::to_string).collect();
    ensure!(once && words.len() == beats + 2, "its heartbeats were {}", heard.join(", "));
    ensure!(beats == 10, "{beats} beats in 10 ticks");
    Ok("one start, 10 beats, one end".into())
}

fn one_end_each(bench: &Bench) -> Outcome {
    let (ids, requests) = named(bench, 100);
    for shot in bench.storm(requests)?.finish()? {
        bench.shot_is_504(&shot, bench.deadline())?;
    }
    for id in &ids {
        bench.work_ends(id, bench.patience())?;
    }
    std::thread::sleep(bench.ms(100));
    for id in &ids {
        let words: Vec<_> = bench.witness()?.events(id).into_iter().map(|(_, word)| word).collect();
        let starts = words.iter().filter(|word| **word == Word::Start).count();
        let ends = words.iter().filter(|word| word.is_end()).count();
        ensure!((starts, ends) == (1, 1), "{id}: {starts} starts, {ends} ends");
    }
    Ok("100 starts, 100 ends".into())
}

fn counted(bench: &Bench) -> Outcome {
    let before = bench.census()?;
    let (_, requests) = named(bench, 5);
    for shot in bench.storm(requests)?.finish()? {
        bench.shot_is_504(&shot, bench.deadline())?;
    }
    let (after, _) = bench.census_until(bench.patience(), "quiet", |census| census.is_quiet())?;
    let grown = |map: fn(&testbed::census::Census) -> u64| map(&after) - map(&before);
    let figures = [
        ("requests started", grown(|census| census.requests.started)),
        ("answered 504", grown(|census| census.requests.answered.get("504").copied().unwrap_or(0))),
        ("ended by deadline", grown(|census| census.requests.ended.get("deadline").copied().unwrap_or(0))),
        ("work started", grown(|census| census.work.started)),
        ("work canceled", grown(|census| census.work.canceled)),
    ];
    for (what, count) in figures {
        ensure!(count == 5, "{count} {what} and not 5");
    }
    Ok("5 started, answered 504, ended by deadline, canceled".into())
}

fn zombie_is_counted(bench: &Bench) -> Outcome {
    let before = bench.census()?.work;
    let answer = bench.ask(&bench.slow_for(bench.ms(900), bench.deadline(), "style=detached"))?;
    bench.is_504(&answer, bench.deadline())?;
    let one_more = |census: &testbed::census::Census| census.work.zombie == before.zombie + 1;
    bench.census_until(bench.ms(300), "a zombie", one_more)?;
    let (_, at) =
        bench.census_until(bench.patience(), "over", |census| census.work.zombie == before.zombie)?;
    Ok(format!("1 zombie for about {:.0?}", at - answer.first_byte_at).into())
}

fn contexts_released(bench: &Bench) -> Outcome {
    bench.ask(&bench.fast())?;
    std::thread::sleep(Duration::from_millis(50));
    let before = bench.census()?;
    let (_, requests) = named(bench, 100);
    for shot in bench.storm(requests)?.finish()? {
        bench.shot_is_504(&shot, bench.deadline())?;
    }
    let (connections, contexts) = (before.connections.live, before.contexts.live);
    let back = |census: &testbed::census::Census| {
        census.is_quiet() && census.connections.live <= connections && census.contexts.live <= contexts
    };
    let (after, _) = bench.census_until(bench.patience(), "back where it was", back)?;
    Ok(after.line().into())
}

fn unnamed_is_silent(bench: &Bench) -> Outcome {
    let answer = bench.ask(&Request::get(bench.slow_target(bench.ms(50), "")).timeout(bench.ms(1500)))?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let made = answer.response.header("x-request-id").unwrap_or_default().to_owned();
    std::thread::sleep(bench.ms(100));
    let heard = bench.witness()?.events(&made).len();
    ensure!(heard == 0, "{heard} heartbeats came of `{made}`, which nobody named");
    Ok("silent".into())
}
