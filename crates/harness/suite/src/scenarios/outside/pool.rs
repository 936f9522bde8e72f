//! The pool of connections to a database: no slot is lost, no hang, and no cancel hits another request's query.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use testbed::postgres;
use wire::Answer;
use wire::burst::Burst;

use super::query::{self, Front, STYLE, database, front, front_at};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::outside::upstream::connect;
use crate::scenarios::shutdown::is_200;

/// Connections of the pool.
const SLOTS: usize = 8;
const LOST: &str = "https://github.com/elixir-ecto/postgrex/pull/747";
const CANCEL: &str = "https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS";
const POOL: &str =
    "a connection that a canceled request does not give back is gone until the process is restarted";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/query-slots",
        promise: "after a burst of canceled queries all eight connections serve queries again, and a ninth waits",
        sent: "3 times 40 requests of style query that reset 60 ms after the first runs, beside 40 that time out after 100 ms; then 8 \
               at once, and a ninth",
        why: POOL,
        wrong: "a driver that gives a connection up whose query was canceled, and its slot with it",
        sources: &[LOST],
        run: slots,
        ..query::BASE
    },
    Scenario {
        id: "outside/query-neighbors",
        promise: "no cancel hits the query of another request",
        judges: &[Judges::Answer, Judges::Work],
        sent: "200 requests with `work=40ms` and `grpc-timeout: 39m`, so that most cancels cross the end of their query, beside 200 \
               with `work=40ms` and time enough",
        why: "a cancel names a connection and no query: one that comes late stops whatever runs there next",
        wrong: "a pool that lends a connection again as soon as its query has ended, while the cancel is on its way",
        sources: &[CANCEL],
        run: neighbors,
        ..query::BASE
    },
    Scenario {
        id: "outside/query-refused",
        promise: "a database that is down, or refuses the password, is a 503 with reason `database` at once",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=query` with a database on a closed port, with a wrong password, and with the right one",
        why: "who waits for a database that is down takes the service down with it",
        wrong: "a server that does not start without its database, or a pool that tries until the deadline",
        run: refused,
        ..query::BASE
    },
    Scenario {
        id: "outside/query-dies",
        promise: "a connection that breaks in the middle is a 503 with reason `database` at once, and the next request has a new one",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=query&work=8000ms`, then `pg_terminate_backend` for it; then the same for all idle connections",
        why: "a database that restarts breaks every connection of every pool",
        wrong: "a pool that lends a connection which was closed while it was idle: one failed request for each of them",
        run: dies,
        ..query::BASE
    },
    Scenario {
        id: "outside/query-mute",
        promise: "a database that accepts and says nothing is a 504 at the deadline, for more requests than there are slots",
        judges: &[Judges::Answer],
        sent: "20 times `GET /slow?style=query` with `grpc-timeout: 300m` to a listener that never answers, then one more",
        why: POOL,
        wrong: "a log-in without a deadline holds its slot for ever",
        run: mute,
        ..query::BASE
    },
];

fn slots(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let mut count = 0;
    for _ in 0..3 {
        let cut = (0..40).map(|_| front.request(bench.ms(8000), bench.ms(100))).collect::<Vec<_>>();
        let left = (0..40).map(|_| front.request(bench.ms(8000), bench.ms(15_000))).collect::<Vec<_>>();
        count += cut.len() + left.len();
        let to = front.server.address();
        let mut left = Burst::launch(to, left, bench.give_up_at)?;
        // A request that is left before its query runs would have nothing to cancel.
        let until = Instant::now() + bench.patience();
        while front.activity.running(&front.name)? == 0 {
            ensure!(Instant::now() < until, "none of 40 queries runs within {:.0?}", bench.patience());
            left.drive(Instant::now() + bench.ms(5))?;
        }
        let cut = Burst::launch(to, cut, bench.give_up_at)?;
        left.drive(Instant::now() + bench.ms(60))?;
        left.reset();
        for shot in cut.finish()? {
            bench.shot_is_504(&shot, bench.ms(100))?;
        }
    }
    all_serve(bench, &mut front)?;
    Ok(format!("{count} canceled, and all {SLOTS} connections serve").into())
}

/// Checks that eight queries run at once, that a ninth waits, and that each is answered 200.
fn all_serve(bench: &Bench, front: &mut Front) -> Result<(), Failure> {
    front.activity.until_running(bench, &front.name, 0)?;
    let mut held = Vec::new();
    for _ in 0..SLOTS {
        // Long enough that all eight are seen at once on a busy machine.
        held.push(front.send(bench, bench.ms(1200), bench.ms(15_000))?);
    }
    front.activity.until_running(bench, &front.name, SLOTS)?;
    let ninth = front.send(bench, bench.ms(50), bench.ms(15_000))?;
    std::thread::sleep(bench.ms(50));
    ensure!(front.activity.running(&ninth.id)? == 0, "a ninth query runs beside {SLOTS} others");
    for mut sent in held.into_iter().chain([ninth]) {
        is_200(&sent.wire.answer()?)?;
    }
    Ok(())
}

fn neighbors(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let to = front.server.address();
    let (mut ended, mut met) = (0, 0);
    for _ in 0..10 {
        // A query that is canceled at its end is the one whose cancel may come too late. Durations are not doubled on a
        // retry: the crossing is what counts.
        let work = Duration::from_millis(40);
        let named = |timeout| front.request(work, timeout);
        let crossing = (0..20).map(|_| named(work - Duration::from_millis(1))).collect();
        let others = (0..20).map(|_| named(bench.ms(15_000))).collect();
        let crossing = Burst::launch(to, crossing, bench.give_up_at)?;
        let others = Burst::launch(to, others, bench.give_up_at)?;
        for shot in crossing.finish()? {
            let status = shot.status().unwrap_or(0);
            ensure!(matches!(status, 200 | 504), "{} for a query that crosses its cancel", shot.how());
            ended += usize::from(status == 504);
        }
        for shot in others.finish()? {
            ensure!(shot.status() == Some(200), "{} for a query that nobody canceled", shot.how());
            met += 1;
        }
    }
    all_serve(bench, &mut front)?;
    Ok(format!("{ended} canceled, and {met} of {met} others answered 200").into())
}

/// Checks that the answer is a 503 with reason `database`, at once.
fn is_503(bench: &Bench, answer: &Answer, since: Instant, what: &str) -> Result<Duration, Failure> {
    let reason = answer.response.field("reason");
    ensure!(
        answer.status() == 503 && reason.as_deref() == Some("database"),
        "{} with reason {} for {what}, and not 503 with `database`",
        answer.status(),
        or_none(reason)
    );
    let late = answer.first_byte_at.saturating_duration_since(since);
    // The password is checked by work of the processor.
    let most = bench.outside_late() + bench.answer_late() + bench.ms(100);
    ensure!(late <= most, "503 only {late:.1?} after {what}");
    Ok(late)
}

fn refused(bench: &Bench) -> Outcome {
    let postgres = database()?;
    let closed =
        postgres::closed().map_err(|error| Failure::harness(format!("failed to find a port: {error}")))?;
    let mut cases = vec![("a closed port", format!("postgres://lab@{closed}/postgres"), false)];
    if let Some([right, wrong]) = postgres.guarded_urls() {
        cases.extend([("a wrong password", wrong, false), ("the right password", right, true)]);
    }
    let mut told = Vec::new();
    for (what, url, serves) in &cases {
        let server = front_at(bench, url, &[])?;
        // More often than there are slots.
        for _ in 0..=SLOTS {
            let answer =
                connect(bench, &server)?.ask(&bench.slow_for(bench.ms(10), bench.ms(9000), STYLE))?;
            if *serves {
                is_200(&answer)?;
            } else {
                is_503(bench, &answer, answer.sent_at, what)?;
            }
        }
        told.push(format!("{} for {what}", if *serves { 200 } else { 503 }));
    }
    Ok(told.join(", ").into())
}

fn dies(bench: &Bench) -> Outcome {
    let mut front = front(bench, &[])?;
    let mut sent = front.working(bench, 8000, 15_000)?;
    let of = |id: &str| {
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND starts_with(query, '/* {id}')"
        )
    };
    let ended_at = Instant::now();
    let ended = front.activity.ask(&of(&sent.id))?;
    ensure!(ended.len() == 1, "{} connections of one query", ended.len());
    let late = is_503(bench, &sent.wire.answer()?, ended_at, "the end of its connection")?;
    let mut held = Vec::new();
    for _ in 0..SLOTS {
        held.push(front.send(bench, bench.ms(100), bench.ms(15_000))?);
    }
    for mut sent in held {
        is_200(&sent.wire.answer()?)?;
    }
    // All of them are idle now, and all of them end.
    let idle = front.activity.ask(&of(&front.name))?.len();
    ensure!(idle > 0, "the server keeps no connection");
    until_closed(bench, &mut front)?;
    for _ in 0..=SLOTS {
        is_200(&front.send(bench, bench.ms(10), bench.ms(9000))?.wire.answer()?)?;
    }
    all_serve(bench, &mut front)?;
    Ok(format!("503 {late:.1?} later, and 200 after {idle} idle connections ended").into())
}

/// Waits until no connection is left that has served a query of this scenario.
fn until_closed(bench: &Bench, front: &mut Front) -> Result<(), Failure> {
    let until = Instant::now() + bench.patience();
    let left = format!("SELECT pid FROM pg_stat_activity WHERE starts_with(query, '/* {}')", front.name);
    while !front.activity.ask(&left)?.is_empty() {
        ensure!(Instant::now() < until, "PostgreSQL keeps connections that it was told to end");
        std::thread::sleep(Duration::from_millis(1));
    }
    // The server hears of it as soon as the kernel has told its runtime.
    std::thread::sleep(bench.ms(20));
    Ok(())
}

fn mute(bench: &Bench) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    let address = address.ok_or_else(|| Failure::harness("failed to open a listener"))?;
    let server = front_at(bench, &format!("postgres://lab@{address}/postgres"), &[])?;
    let requests = (0..20).map(|_| bench.slow_for(bench.ms(100), bench.ms(300), STYLE)).collect();
    let storm = Burst::launch(server.address(), requests, bench.give_up_at)?;
    for shot in storm.finish()? {
        bench.shot_is_504(&shot, bench.ms(300))?;
    }
    let late = bench.is_504(
        &connect(bench, &server)?.ask(&bench.slow_for(bench.ms(100), bench.ms(300), STYLE))?,
        bench.ms(300),
    )?;
    Ok(format!("504 to 21 requests, the last {late:.1?} late").into())
}
