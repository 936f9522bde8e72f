//! Permits: whichever way a request ends, its permit is free again, and a wait for one ends with its request.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{
    Admin, EndpointPanic, FlagRequestTimeout, Process, StylePermit, Witness,
};
use testbed::witness::Word;
use wire::{Leave, Request, Wire};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};
use crate::scenarios::shutdown::{ends_with, is_200};

const STYLE: &str = "style=permit&tick=10ms";
const ONE: &[(&str, &str)] = &[("--permits", "1"), ("--request-timeout", "20s")];
const POOL: &str = "a pool of connections is such a set of permits: what a canceled request does not give back is gone until \
                    the process is restarted";
const SLOTS: &str = "https://github.com/elixir-ecto/postgrex/pull/747";

/// The base of these scenarios: a server of their own that has one permit.
const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Witness, StylePermit, FlagRequestTimeout],
    flags: ONE,
    slot: Slot::Own,
    why: POOL,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/permit-deadline",
        promise: "a permit is free again at the deadline of its request, and a wait for one ends at its own",
        judges: &[Judges::Answer, Judges::Work],
        sent: "with `--permits 1`: `GET /slow?style=permit&work=3000ms` with `grpc-timeout: 600m`; behind it one with 200m; behind \
               both one with time enough",
        wrong: "a permit that is given back where the work ends, and not in a guard",
        sources: &[SLOTS],
        run: deadline,
        ..BASE
    },
    Scenario {
        id: "outside/permit-fin",
        promise: "a client that closes frees its permit, and one that waits for it leaves the line",
        sent: "with `--permits 1`: three times `GET /slow?style=permit`; the second closes, then the first; the third must work",
        wrong: "a permit that is handed to a waiter whose future was dropped a moment before",
        sources: &[
            "https://github.com/tokio-rs/tokio/blob/tokio-1.54.1/tokio/src/sync/batch_semaphore.rs (Drop for Acquire)",
        ],
        run: |bench| leaves(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "outside/permit-rst",
        promise: "a client that resets frees its permit, and one that waits for it leaves the line",
        sent: "with `--permits 1`: three times `GET /slow?style=permit`; the second resets, then the first; the third must work",
        wrong: "a permit that is handed to a waiter whose future was dropped a moment before",
        run: |bench| leaves(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "outside/permit-shutdown",
        promise: "a shutdown ends the wait for a permit and the work that has it: 503 for both, exit 0",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Process, Witness, StylePermit, FlagRequestTimeout],
        flags: &[("--permits", "1"), ("--request-timeout", "20s"), ("--shutdown-timeout", "400ms")],
        sent: "with `--permits 1`: `GET /slow?style=permit` twice, then SIGTERM; `--shutdown-timeout 400ms`",
        why: "a wait without a bound holds up the end of the process until it is killed",
        wrong: "a lock that is awaited outside the select",
        run: shutdown,
        ..BASE
    },
    Scenario {
        id: "outside/permit-panic",
        promise: "a handler that panics with a permit gives it back",
        needs: &[Witness, StylePermit, EndpointPanic, FlagRequestTimeout],
        sent: "with `--permits 1`: `GET /panic?style=permit`, then `GET /slow?style=permit&work=50ms`; three times",
        wrong: "a permit that is given back in a line behind the work, which a panic never reaches",
        run: panics,
        ..BASE
    },
    Scenario {
        id: "outside/permit-storm",
        promise: "after a storm of canceled waits and canceled work every permit is free, and never did more work than there are",
        needs: &[Witness, Admin, StylePermit, FlagRequestTimeout],
        flags: &[("--permits", "4"), ("--request-timeout", "20s")],
        limit: Duration::from_secs(30),
        sent: "with `--permits 4`: 3 times 100 requests of style permit that time out after 100 ms and 100 that reset after 150 ms; \
               then 4 at once, and a fifth",
        wrong: "one permit lost in a thousand cancels: the pool runs dry in a week",
        sources: &[SLOTS],
        run: storm,
        ..BASE
    },
];

/// A connection on which a request of style permit was sent.
struct Sent {
    wire: Wire,
    id: String,
    sent_at: Instant,
}

/// Sends a request of style permit with `work` to do in `timeout`, on a connection of its own.
fn send(bench: &Bench, work: u64, timeout: u64) -> Result<Sent, Failure> {
    let request = request(bench, work, timeout);
    let mut wire = bench.connect()?;
    let sent_at = wire.send_request(&request)?;
    Ok(Sent { wire, id: request.id_given().expect("slow requests are named").to_owned(), sent_at })
}

/// The same, and waits until its work has begun.
fn hold(bench: &Bench, work: u64, timeout: u64) -> Result<Sent, Failure> {
    let sent = send(bench, work, timeout)?;
    bench.work_begins(&sent.id)?;
    Ok(sent)
}

/// The same, and gives it time to get in line.
fn line_up(bench: &Bench, work: u64, timeout: u64) -> Result<Sent, Failure> {
    let sent = send(bench, work, timeout)?;
    std::thread::sleep(bench.ms(50));
    Ok(sent)
}

fn request(bench: &Bench, work: u64, timeout: u64) -> Request {
    bench.slow_for(bench.ms(work), bench.ms(timeout), STYLE)
}

/// Checks that the work of `id` was never begun; `why` it must not have been.
fn never_began(bench: &Bench, id: &str, why: &str) -> Result<(), Failure> {
    ensure!(bench.witness()?.started(id).is_none(), "work was begun {why}");
    Ok(())
}

/// Checks that `next` begins once `freed_at` has come, soon, and is answered 200. Gives the time between.
fn follows(bench: &Bench, mut next: Sent, freed_at: Instant) -> Result<Duration, Failure> {
    let began_at = bench.work_begins(&next.id)?;
    let late = bench.given_back_soon(freed_at, began_at)?;
    is_200(&next.wire.answer()?)?;
    Ok(late)
}

fn free_after(late: Duration) -> Observed {
    Observed::new(format!("free {late:.1?} later")).with("free_ms", late.as_secs_f64() * 1e3)
}

fn deadline(bench: &Bench) -> Outcome {
    let mut held = hold(bench, 3000, 600)?;
    let mut gives_up = send(bench, 100, 200)?;
    bench.is_504(&gives_up.wire.answer()?, bench.ms(200))?;
    never_began(bench, &gives_up.id, "that waited for the permit until its deadline")?;
    let next = line_up(bench, 50, 10_000)?;
    never_began(bench, &next.id, "while the one permit was taken")?;
    bench.is_504(&held.wire.answer()?, bench.ms(600))?;
    let late = follows(bench, next, held.sent_at + bench.ms(600))?;
    never_began(bench, &gives_up.id, "after its request was answered 504")?;
    Ok(free_after(late))
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let mut worst = Duration::ZERO;
    for _ in 0..3 {
        let held = hold(bench, 8000, 15_000)?;
        let gives_up = line_up(bench, 100, 15_000)?;
        let next = line_up(bench, 50, 15_000)?;
        leave.act(gives_up.wire);
        std::thread::sleep(bench.ms(20));
        never_began(bench, &next.id, "while the one permit was taken")?;
        let (left_at, _) = leave.act(held.wire);
        worst = worst.max(follows(bench, next, left_at)?);
        never_began(bench, &gives_up.id, "whose client left while it waited for the permit")?;
    }
    Ok(free_after(worst))
}

fn shutdown(bench: &Bench) -> Outcome {
    let mut held = hold(bench, 8000, 15_000)?;
    let mut waits = line_up(bench, 100, 15_000)?;
    let at = bench.server().signal(Signal::TERM);
    for sent in [&mut held, &mut waits] {
        let answer = sent.wire.answer()?;
        let reason = answer.response.field("reason");
        ensure!(
            answer.status() == 503 && reason.as_deref() == Some("shutdown"),
            "{} with reason {} instead of 503 with reason `shutdown`",
            answer.status(),
            or_none(reason)
        );
    }
    let (_, how) = bench.work_ends(&held.id, bench.patience())?;
    ensure!(how == Word::Canceled, "the work that had the permit was {how} and not canceled");
    never_began(bench, &waits.id, "that waited for the permit when the server stopped")?;
    let after = ends_with(bench, 0, at)?;
    Ok(format!("503 twice, exit 0 after {after:.0?}").into())
}

fn panics(bench: &Bench) -> Outcome {
    let mut worst = Duration::ZERO;
    for _ in 0..3 {
        let status = bench.ask(&Request::get("/panic?style=permit").id(bench.id()))?;
        match status.status() {
            500 => {}
            400 => return Err(Failure::unsupported("`/panic?style=permit`")),
            other => return Err(Failure::broken(format!("{other} instead of 500"))),
        }
        let next = send(bench, 50, 10_000)?;
        let freed_at = status.done_at.max(next.sent_at);
        worst = worst.max(follows(bench, next, freed_at)?);
    }
    Ok(free_after(worst))
}

fn storm(bench: &Bench) -> Outcome {
    const PERMITS: usize = 4;
    let before = bench.census()?.outside.permits;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut named = |timeout: u64| {
            let request = request(bench, 40, timeout);
            ids.extend(request.id_given().map(str::to_owned));
            request
        };
        let cut = (0..100).map(|_| named(100)).collect();
        let left = (0..100).map(|_| named(15_000)).collect();
        let (mut left, cut) = (bench.storm(left)?, bench.storm(cut)?);
        for shot in cut.finish()? {
            let status = shot.status().unwrap_or(0);
            ensure!(matches!(status, 200 | 504), "{} instead of 200 or 504", shot.how());
        }
        left.drive(Instant::now() + bench.ms(50))?;
        left.reset();
    }
    let back = |census: &testbed::census::Census| census.outside.permits == before;
    bench.census_until(bench.patience(), "rid of every wait and with every permit free", back)?;
    let held = (0..PERMITS).map(|_| hold(bench, 400, 10_000)).collect::<Result<Vec<_>, _>>()?;
    let next = line_up(bench, 50, 10_000)?;
    never_began(bench, &next.id, "while all permits were taken")?;
    ids.extend(held.iter().map(|held| held.id.clone()));
    for mut held in held {
        is_200(&held.wire.answer()?)?;
    }
    let ended = bench.work_begins(&next.id)?;
    ensure!(ended >= next.sent_at, "the fifth began before it was asked for");
    let most = most_at_once(bench, &ids)?;
    ensure!(most <= PERMITS, "{most} pieces of work at once with {PERMITS} permits");
    Ok(format!("{} requests, {most} at once at most, and every permit free", ids.len()).into())
}

/// Counts how much of the work of `ids` was alive at once at most, in the order in which the witness heard of it.
fn most_at_once(bench: &Bench, ids: &[String]) -> Result<usize, Failure> {
    let witness = bench.witness()?;
    let mut steps: Vec<(Instant, i64)> = Vec::new();
    for (at, word) in ids.iter().flat_map(|id| witness.events(id)) {
        match word {
            Word::Start => steps.push((at, 1)),
            Word::Beat(_) => {}
            _ => steps.push((at, -1)),
        }
    }
    steps.sort();
    let live = steps.iter().scan(0, |live, (_, step)| {
        *live += step;
        Some(*live)
    });
    Ok(live.max().unwrap_or(0).try_into().unwrap_or(0))
}
