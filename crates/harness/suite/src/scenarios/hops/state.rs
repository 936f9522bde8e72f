//! `tracestate`, which goes through a chain beside `traceparent` or not at all.

use wire::Request;

use super::chain::{BASE, TRACEPARENT, account, chain, connect, id};
use crate::ensure;
use crate::hops;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Outcome, Scenario};
use crate::scenarios::shutdown::is_200;
use testbed::chain::Link;
use testbed::tap::Exchange;

const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
const RECOMMENDATION: &str = "https://www.w3.org/TR/trace-context/#tracestate-header";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "hops/tracestate",
    promise: "a `tracestate` goes through the chain beside its `traceparent`; one that is malformed, or alone, ends at the first server",
    sent: "`GET /slow?style=upstream&work=50ms` to the first of four servers: with a `traceparent` and \
           `tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE`, with the same in two fields, with `tracestate: ROJO=1,congo`, and \
           with a `tracestate` alone",
    why: "a tracing system keeps there what it needs to join its spans: without it, a zombie is in nobody's trace",
    wrong: "headers that are copied as they came: what one server took for malformed, the next one has to read again",
    sources: &[RECOMMENDATION],
    run: tracestate,
    ..BASE
}];

/// A request, and what has to be passed on of it.
struct Case {
    what: &'static str,
    parent: bool,
    states: &'static [&'static str],
    passed: Option<&'static str>,
}

const CASES: [Case; 4] = [
    Case { what: "a tracestate", parent: true, states: &[STATE], passed: Some(STATE) },
    Case {
        what: "a tracestate in two fields",
        parent: true,
        states: &["rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE"],
        passed: Some(STATE),
    },
    Case { what: "a malformed tracestate", parent: true, states: &["ROJO=1,congo"], passed: None },
    Case { what: "a tracestate without a traceparent", parent: false, states: &[STATE], passed: None },
];

fn tracestate(bench: &Bench) -> Outcome {
    let links = chain(bench)?;
    for case in &CASES {
        let more = format!("style=upstream&tick=10ms&hops={}", links.len() - 1);
        let mut request = bench.slow_for(bench.ms(50), bench.ms(5000), &more);
        if case.parent {
            request = request.header("traceparent", TRACEPARENT);
        }
        for state in case.states {
            request = request.header("tracestate", *state);
        }
        let (seen, hops) = through(bench, &links, &request)?;
        for (at, exchange) in seen.iter().enumerate().skip(1) {
            let who = hops::named(&hops, at - 1);
            let state = exchange.tracestate.as_deref().map(|state| state.replace([' ', '\t'], ""));
            ensure!(
                state.as_deref() == case.passed,
                "{who} passed on the tracestate {} of {}, and not {}",
                or_none(state),
                case.what,
                or_none(case.passed)
            );
            ensure!(
                exchange.traceparent.is_some() == case.parent,
                "{who} passed on the traceparent {} beside {}",
                or_none(exchange.traceparent.clone()),
                case.what
            );
        }
    }
    Ok(format!("{} requests through {} servers", CASES.len(), links.len()).into())
}

/// Sends the request through the chain, and returns what went by in front of each link, and the account of each.
fn through(
    bench: &Bench,
    links: &[Link],
    request: &Request,
) -> Result<(Vec<Exchange>, Vec<hops::Hop>), Failure> {
    let mut wire = connect(bench, links)?;
    let sent_at = wire.send_request(request)?;
    is_200(&wire.answer()?)?;
    let id = id(request);
    let hops = account(bench, links, &id, sent_at)?;
    let seen: Vec<Exchange> = links.iter().filter_map(|link| link.tap.seen(&id).into_iter().next()).collect();
    ensure!(seen.len() == links.len(), "only {} of {} servers were asked", seen.len(), links.len());
    Ok((seen, hops))
}
