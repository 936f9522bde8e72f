//! Four servers like the one under test, each with a witness of its own.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    FlagReserve, FlagUpstream, Process, StyleContext, StyleUpstream, Witness as HasWitness,
};
use testbed::server::Server;
use testbed::witness::{Witness, Word};
use wire::{Leave, Request};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::outside::upstream::{Does, Upstream, budget, connect, field, start};
use crate::scenarios::shutdown::is_200;

/// Servers of a chain.
const LENGTH: usize = 4;
const STYLE: &str = "style=upstream&tick=10ms";
const SERVICES: &str =
    "a request to one service is a request to a dozen, and each of them works for the first one's client";
const GRPC: &str = "https://grpc.io/docs/guides/cancellation/";

/// The base of these scenarios.
const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Process, HasWitness, StyleContext, StyleUpstream, FlagUpstream, FlagReserve],
    limit: Duration::from_secs(20),
    why: SERVICES,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "hops/answers",
        promise: "work that is passed on by three servers is done by the fourth, once and under one name, and answered 200 by all",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=upstream&hops=3&work=200ms` to the first of four servers",
        wrong: "a hop that makes an id of its own: nobody finds the request again",
        run: answers,
        ..BASE
    },
    Scenario {
        id: "hops/budgets",
        promise: "the budget falls by the reserve at every hop",
        sent: "`GET /slow?style=upstream&hops=3` with `grpc-timeout: 900m` through three servers with `--reserve 50ms` to an \
               upstream that reads it",
        why: "the last hop must be out of time first, or its answer finds nobody",
        wrong: "a timeout that every hop sets anew",
        sources: &["https://grpc.io/docs/guides/deadlines/ (deadline propagation)"],
        run: budgets,
        ..BASE
    },
    Scenario {
        id: "hops/deadline",
        promise: "at the deadline the first server answers 504, not early, and no server's work goes on",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=upstream&hops=3&work=8000ms` with `grpc-timeout: 600m` to the first of four servers with `--reserve 50ms`",
        wrong: "the 504 of a hop that was out of time first is passed on, and so comes early",
        sources: &[GRPC],
        run: deadline,
        ..BASE
    },
    Scenario {
        id: "hops/fin",
        promise: "a client that closes stops the work of all four servers",
        sent: "`GET /slow?style=upstream&hops=3&work=8000ms` to the first of four servers, then FIN",
        wrong: "each hop that notices a client's leaving only when it answers keeps all behind it at work",
        sources: &[GRPC],
        run: |bench| leaves(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "hops/rst",
        promise: "a client that resets stops the work of all four servers",
        sent: "`GET /slow?style=upstream&hops=3&work=8000ms` to the first of four servers, then RST",
        wrong: "each hop that notices a client's leaving only when it answers keeps all behind it at work",
        sources: &[GRPC],
        run: |bench| leaves(bench, Leave::Rst),
        ..BASE
    },
];

/// A server of a chain, and the witness of its work.
struct Hop {
    server: Server,
    witness: Witness,
}

/// Starts a chain: the first is asked, each asks the next.
fn chain(bench: &Bench) -> Result<Vec<Hop>, Failure> {
    let mut hops: Vec<Hop> = Vec::new();
    for _ in 0..LENGTH {
        let witness = Witness::listen()
            .map_err(|error| Failure::harness(format!("failed to open a witness: {error}")))?;
        let address = witness.address().to_string();
        let next = hops.last().map(|hop| hop.server.address());
        let server = start(bench, next, &["--witness", &address, "--reserve", "50ms"])?;
        hops.push(Hop { server, witness });
    }
    hops.reverse();
    Ok(hops)
}

fn request(bench: &Bench, work: u64, timeout: u64) -> Request {
    bench.slow_for(bench.ms(work), bench.ms(timeout), &format!("{STYLE}&hops={}", LENGTH - 1))
}

/// Waits until the work of `id` has begun in all servers.
fn all_begin(bench: &Bench, hops: &[Hop], id: &str) -> Result<(), Failure> {
    for (number, hop) in hops.iter().enumerate() {
        let began = hop.witness.wait_start(id, bench.patience());
        ensure!(began.is_some(), "server {} of {LENGTH} has not begun the work of {id}", number + 1);
    }
    Ok(())
}

/// Waits until the work of `id` has ended in all servers.
fn all_stop(bench: &Bench, hops: &[Hop], id: &str) -> Result<(), Failure> {
    for (number, hop) in hops.iter().enumerate() {
        let how = hop.witness.wait_end(id, bench.patience()).map(|(_, how)| how);
        ensure!(
            how == Some(Word::Canceled),
            "server {} of {LENGTH}: its work goes on, or ended otherwise than by a cancel: {}",
            number + 1,
            or_none(how)
        );
    }
    Ok(())
}

/// Waits for what would go on, and checks that nothing did in any server: the last sign of the work of each id came soon
/// behind the moment at which it had to stop. Gives the longest time between.
fn silent(bench: &Bench, hops: &[Hop], stopped: &[(String, Instant)]) -> Result<Duration, Failure> {
    std::thread::sleep(bench.outside_late() + bench.ms(50));
    let mut worst = Duration::ZERO;
    for (id, since) in stopped {
        for (number, hop) in hops.iter().enumerate() {
            let last = hop.witness.last(id).unwrap_or(*since);
            let late = bench.given_back_soon(*since, last);
            worst = worst.max(late.map_err(|failure| {
                let what = failure.text();
                Failure::broken(format!("server {} of {LENGTH}: its work went on: {what}", number + 1))
            })?);
        }
    }
    Ok(worst)
}

fn answers(bench: &Bench) -> Outcome {
    let hops = chain(bench)?;
    let request = request(bench, 200, 5000);
    let id = request.id_given().expect("slow requests are named").to_owned();
    let answer = connect(bench, &hops[0].server)?.ask(&request)?;
    is_200(&answer)?;
    // A second piece of work would have begun by then.
    std::thread::sleep(bench.ms(50));
    for (number, hop) in hops.iter().enumerate() {
        let ended = hop.witness.wait_end(&id, bench.patience());
        let ended = ended.map(|(_, how)| how);
        ensure!(
            ended == Some(Word::Completed),
            "server {} of {LENGTH} says {} of the work",
            number + 1,
            or_none(ended)
        );
        let starts = hop.witness.events(&id).iter().filter(|(_, word)| *word == Word::Start).count();
        ensure!(starts == 1, "server {} of {LENGTH} began the work {starts} times", number + 1);
    }
    Ok(format!("200 after {:.0?}", answer.after()).into())
}

fn budgets(bench: &Bench) -> Outcome {
    let end = Upstream::open(Does::Writes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))?;
    let mut servers: Vec<Server> = Vec::new();
    for _ in 1..LENGTH {
        let next = servers.last().map_or(end.address, Server::address);
        servers.push(start(bench, Some(next), &["--reserve", "50ms"])?);
    }
    let timeout = bench.ms(900);
    let first = servers.last().ok_or_else(|| Failure::harness("a chain of no servers"))?;
    let answer = connect(bench, first)?.ask(&request(bench, 200, 900))?;
    is_200(&answer)?;
    let head = end.head(bench)?;
    let budget = field(&head, "grpc-timeout").and_then(budget);
    let budget = budget.ok_or_else(|| Failure::broken(format!("no budget in {head:?}")))?;
    let most = timeout - (LENGTH as u32 - 1) * Duration::from_millis(50);
    ensure!(budget < most, "a budget of {budget:?} behind three hops, of {timeout:?}, less 50 ms each");
    ensure!(budget + bench.answer_late() >= most, "a budget of only {budget:?} behind three hops");
    Ok(format!("{budget:.1?} of {timeout:?} behind three hops").into())
}

fn deadline(bench: &Bench) -> Outcome {
    let hops = chain(bench)?;
    let request = request(bench, 8000, 600);
    let id = request.id_given().expect("slow requests are named").to_owned();
    let mut wire = connect(bench, &hops[0].server)?;
    let sent_at = wire.send_request(&request)?;
    all_begin(bench, &hops, &id)?;
    let late = bench.is_504(&wire.answer()?, bench.ms(600))?;
    all_stop(bench, &hops, &id)?;
    let last = silent(bench, &hops, &[(id, sent_at + bench.ms(600))])?;
    Ok(format!("504 {late:.1?} late, the last work {last:.1?} late").into())
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let hops = chain(bench)?;
    let mut stopped = Vec::new();
    for _ in 0..3 {
        let request = request(bench, 8000, 15_000);
        let id = request.id_given().expect("slow requests are named").to_owned();
        let mut wire = connect(bench, &hops[0].server)?;
        wire.send_request(&request)?;
        all_begin(bench, &hops, &id)?;
        let (left_at, _) = leave.act(wire);
        all_stop(bench, &hops, &id)?;
        stopped.push((id, left_at));
    }
    let worst = silent(bench, &hops, &stopped)?;
    Ok(format!("the last work {worst:.1?} later at most").into())
}
