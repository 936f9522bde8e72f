//! Four servers like the one under test, or the links of a chain, each with a witness of its own and a tap in front of it.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{
    FlagReserve, FlagUpstream, Process, StyleContext, StyleUpstream, Witness as HasWitness,
};
use testbed::chain::{self, Link};
use testbed::subject::Subject;
use testbed::witness::Word;
use wire::{Leave, Request, Wire};

use crate::ensure;
use crate::hops::{self, Hop};
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::shutdown::is_200;

/// Servers of a chain that is made of one.
const LENGTH: usize = 4;
const STYLE: &str = "style=upstream&tick=10ms";
/// The time that each link keeps of its budget; it is not doubled on a retry, because it is a flag.
const RESERVE: Duration = Duration::from_millis(50);
/// A link in Python takes its time to start beside others.
const START: Duration = Duration::from_secs(10);
pub(super) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const SERVICES: &str =
    "a request to one service is a request to a dozen, and each of them works for the first one's client";
const GRPC: &str = "https://grpc.io/docs/guides/cancellation/";

/// The base of these scenarios.
pub(super) const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Process, HasWitness, StyleContext, StyleUpstream, FlagUpstream, FlagReserve],
    limit: Duration::from_secs(30),
    why: SERVICES,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "hops/answers",
        promise: "work that is passed on by three servers is done by the fourth, once and under one name, and answered 200 by all",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=upstream&hops=3&work=200ms` with a `traceparent` to the first of four servers",
        wrong: "a hop that makes an id of its own: nobody finds the request again",
        run: answers,
        ..BASE
    },
    Scenario {
        id: "hops/budgets",
        promise: "the budget falls by the reserve at every hop",
        sent: "`GET /slow?style=upstream&hops=3&work=200ms` with `grpc-timeout: 900m` to the first of four servers with \
               `--reserve 50ms`; the request is read before each",
        why: "the last hop must be out of time first, or its answer finds nobody",
        wrong: "a timeout that every hop sets anew",
        sources: &["https://grpc.io/docs/guides/deadlines/ (deadline propagation)"],
        run: budgets,
        ..BASE
    },
    Scenario {
        id: "hops/traceparent",
        promise: "a request keeps its trace through the chain, and every call in it has a number of its own",
        sent: "`GET /slow?style=upstream&work=100ms` with `traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01` \
               to the first of four servers, twice",
        why: "by these numbers a tracing tool finds the work that a request left behind, and on which server",
        wrong: "a `traceparent` that is passed on as it came: every hop is then a child of the first client",
        sources: &["https://www.w3.org/TR/trace-context/#mutating-the-traceparent-field"],
        run: traceparent,
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

/// Starts the chain under test: the first is asked, each asks the next.
pub(super) fn chain(bench: &Bench) -> Result<Vec<Link>, Failure> {
    let subjects: Vec<&Subject> = match bench.subject.links() {
        [] => vec![&bench.subject; LENGTH],
        links => links.iter().collect(),
    };
    chain::start(&subjects, &["--request-timeout", "20s", "--reserve", "50ms"], START)
        .map_err(Failure::broken)
}

/// A request that goes through the whole chain.
fn request(bench: &Bench, links: &[Link], work: u64, timeout: u64) -> Request {
    let more = format!("{STYLE}&hops={}", links.len() - 1);
    bench.slow_for(bench.ms(work), bench.ms(timeout), &more).header("traceparent", TRACEPARENT)
}

/// Returns the id of a request that is named.
pub(super) fn id(request: &Request) -> String {
    request.id_given().expect("slow requests are named").to_owned()
}

/// Connects to the first server of the chain.
pub(super) fn connect(bench: &Bench, links: &[Link]) -> Result<Wire, Failure> {
    let address = links.first().ok_or_else(|| Failure::harness("a chain of no servers"))?.tap.address();
    Ok(Wire::connect(address, bench.give_up_at, bench.trace())?.with_host(&address.to_string()))
}

/// Returns the accounts of the request `id`, and keeps them for the run's document.
pub(super) fn account(
    bench: &Bench,
    links: &[Link],
    id: &str,
    sent_at: Instant,
) -> Result<Vec<Hop>, Failure> {
    let hops = hops::of(links, id, sent_at).map_err(|error| Failure::harness(error.to_string()))?;
    bench.note_hops(&hops);
    Ok(hops)
}

/// Fails when a link broke the chain, by what names it.
fn unbroken(guilty: Option<String>) -> Result<(), Failure> {
    guilty.map_or(Ok(()), |guilty| Err(Failure::broken(guilty)))
}

/// Waits until the work of `id` has begun in all servers.
fn all_begin(bench: &Bench, links: &[Link], id: &str, sent_at: Instant) -> Result<(), Failure> {
    for (at, link) in links.iter().enumerate() {
        if link.witness.wait_start(id, bench.patience()).is_none() {
            let hops = account(bench, links, id, sent_at)?;
            return Err(Failure::broken(format!("{} has not begun the work", hops::named(&hops, at))));
        }
    }
    Ok(())
}

/// Waits until the work of `id` has ended in all servers, as long as it may take and no longer.
fn all_end(bench: &Bench, links: &[Link], id: &str, patience: Duration) {
    let until = Instant::now() + patience;
    for link in links {
        let _ = link.witness.wait_end(id, until.saturating_duration_since(Instant::now()));
    }
    // Work that says that it has ended, and goes on, is heard now.
    std::thread::sleep(bench.outside_late() + bench.ms(50));
}

/// Checks that the last sign of work came soon after `stop_ms`, when all of it had to stop. Gives the time between.
fn silent(bench: &Bench, hops: &[Hop], stop_ms: f64) -> Result<Duration, Failure> {
    let late = |hop: &Hop| hop.last_ms.map_or(0.0, |last| last - stop_ms).max(0.0);
    let worst = (0..hops.len()).max_by(|one, other| late(&hops[*one]).total_cmp(&late(&hops[*other])));
    let worst = worst.ok_or_else(|| Failure::harness("a chain of no servers"))?;
    let took = Duration::from_secs_f64(late(&hops[worst]) / 1e3);
    let most = bench.outside_late();
    ensure!(
        took <= most,
        "{} was the last to stop, {took:.1?} late; at most {most:?} is forgiven",
        hops::named(hops, worst)
    );
    Ok(took)
}

fn answers(bench: &Bench) -> Outcome {
    let links = chain(bench)?;
    let request = request(bench, &links, 200, 5000);
    let id = id(&request);
    let mut wire = connect(bench, &links)?;
    let sent_at = wire.send_request(&request)?;
    let answer = wire.answer()?;
    // A second piece of work would have begun by then.
    std::thread::sleep(bench.ms(50));
    for link in &links {
        link.witness.wait_end(&id, bench.patience());
    }
    let hops = account(bench, &links, &id, sent_at)?;
    unbroken(hops::unpassed(&hops, RESERVE))?;
    is_200(&answer)?;
    for (at, link) in links.iter().enumerate() {
        let (who, ended) = (hops::named(&hops, at), link.witness.ended(&id).map(|(_, how)| how));
        ensure!(ended == Some(Word::Completed), "{who} says {} of the work", or_none(ended));
        let starts = link.witness.events(&id).iter().filter(|(_, word)| *word == Word::Start).count();
        ensure!(starts == 1, "{who} began the work {starts} times");
    }
    Ok(format!("200 after {:.0?}", answer.after()).into())
}

fn budgets(bench: &Bench) -> Outcome {
    let links = chain(bench)?;
    let request = request(bench, &links, 200, 900);
    let id = id(&request);
    let mut wire = connect(bench, &links)?;
    let sent_at = wire.send_request(&request)?;
    let answer = wire.answer()?;
    let hops = account(bench, &links, &id, sent_at)?;
    unbroken(hops::unpassed(&hops, RESERVE))?;
    is_200(&answer)?;
    let (calls, timeout) = (links.len() - 1, bench.ms(900));
    let last = hops.last().and_then(|hop| hop.budget_ms).unwrap_or_default();
    let budget = Duration::from_secs_f64(last / 1e3);
    let most = timeout.saturating_sub(RESERVE * calls as u32);
    ensure!(budget + bench.answer_late() >= most, "a budget of only {budget:.1?} behind {calls} hops");
    Ok(format!("{budget:.1?} of {timeout:?} for the last of {} servers", links.len()).into())
}

fn traceparent(bench: &Bench) -> Outcome {
    let links = chain(bench)?;
    let mut last = Vec::new();
    for _ in 0..2 {
        let request = request(bench, &links, 100, 5000);
        let id = id(&request);
        let mut wire = connect(bench, &links)?;
        let sent_at = wire.send_request(&request)?;
        let answer = wire.answer()?;
        let hops = account(bench, &links, &id, sent_at)?;
        ensure!(
            hops.first().and_then(|hop| hop.traceparent.as_deref()) == Some(TRACEPARENT),
            "{} was not given the traceparent",
            hops::named(&hops, 0)
        );
        unbroken(hops::untraced(&hops))?;
        is_200(&answer)?;
        last.extend(hops.last().and_then(|hop| hop.traceparent.clone()));
    }
    ensure!(
        last.len() == 2 && last[0] != last[1],
        "both requests have the same last call: {}",
        last.join(", ")
    );
    Ok(format!("the trace, and {} numbers of its calls", links.len()).into())
}

fn deadline(bench: &Bench) -> Outcome {
    let links = chain(bench)?;
    let request = request(bench, &links, 8000, 600);
    let id = id(&request);
    let mut wire = connect(bench, &links)?;
    let sent_at = wire.send_request(&request)?;
    all_begin(bench, &links, &id, sent_at)?;
    let answer = wire.answer()?;
    all_end(bench, &links, &id, bench.patience());
    let hops = account(bench, &links, &id, sent_at)?;
    unbroken(hops::untimely(&hops, bench.outside_late()))?;
    let late = bench.is_504(&answer, bench.ms(600))?;
    let last = silent(bench, &hops, bench.ms(600).as_secs_f64() * 1e3)?;
    Ok(format!("504 {late:.1?} late, the last work {last:.1?} late").into())
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let links = chain(bench)?;
    let mut worst = Duration::ZERO;
    for _ in 0..3 {
        let request = request(bench, &links, 8000, 15_000);
        let id = id(&request);
        let mut wire = connect(bench, &links)?;
        let sent_at = wire.send_request(&request)?;
        all_begin(bench, &links, &id, sent_at)?;
        let (left_at, _) = leave.act(wire);
        all_end(bench, &links, &id, bench.patience());
        let hops = account(bench, &links, &id, sent_at)?;
        unbroken(hops::unstopped(&hops, bench.outside_late()))?;
        let left_ms = left_at.saturating_duration_since(sent_at).as_secs_f64() * 1e3;
        worst = worst.max(silent(bench, &hops, left_ms)?);
    }
    Ok(format!("the last work {worst:.1?} later at most").into())
}
