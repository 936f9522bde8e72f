//! HTTP/2: what is promised for a connection holds for a stream, and what only HTTP/2 has.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Http2, StyleContext, Witness};
use testbed::witness::Word;
use wire::h2::{Code, Ending, H2};
use wire::{Answer, Request};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Scenario};

mod answers;
mod attacks;
mod connection;
mod deadline;
mod floods;
mod flow;
mod leaks;
mod limits;
mod reset;
mod shutdown;
mod spared;
mod timeouts;
mod wrong;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[
    answers::SCENARIOS,
    deadline::SCENARIOS,
    reset::SCENARIOS,
    connection::SCENARIOS,
    spared::SCENARIOS,
    flow::SCENARIOS,
    timeouts::SCENARIOS,
    shutdown::SCENARIOS,
    limits::SCENARIOS,
    attacks::SCENARIOS,
    floods::SCENARIOS,
    wrong::SCENARIOS,
    leaks::SCENARIOS,
];

/// The common part of these scenarios: a server that speaks HTTP/2.
const BASE: Scenario = Scenario { needs: &[Http2], ..Scenario::BASE };

/// The common part of scenarios whose work is watched.
const WATCHED: Scenario =
    Scenario { judges: &[Judges::Work], needs: &[Http2, Witness, StyleContext], ..Scenario::BASE };

/// The streams, and the pieces of work, that one connection may have at once.
const LIMIT: usize = 100;

/// The rules of a stream's states.
const STATES: &str = "RFC 9113, section 5.1";
/// The rules of flow control.
const FLOW: &str = "RFC 9113, section 5.2";

/// A `/slow` whose deadline is far: 1.8 s.
fn request(bench: &Bench, more: &str) -> Request {
    bench.slow_for(bench.ms(3000), bench.ms(1800), more)
}

/// A `/slow` whose work is done in `work` milliseconds, with 1.8 s to do it in.
fn brief(bench: &Bench, work: u64) -> Request {
    bench.slow_for(bench.ms(work), bench.ms(1800), "")
}

/// The name of a request.
fn id(request: &Request) -> String {
    request.id_given().expect("the request is named").to_owned()
}

/// Sends the request and waits until its work has begun; gives its stream.
fn working(bench: &Bench, h2: &mut H2, request: &Request) -> Result<u32, Failure> {
    let stream = h2.request(request)?;
    bench.work_begins(&id(request))?;
    Ok(stream)
}

/// Checks for a whole answer of that status.
fn is(answer: &Answer, status: u16) -> Result<(), Failure> {
    let (got, after) = (answer.status(), answer.after());
    ensure!(got == status, "{got} instead of {status}, {after:.1?} after sending");
    ensure!(answer.response.whole, "the {status} was cut off");
    Ok(())
}

/// Checks that the connection goes on: a `/fast` on it is answered.
fn goes_on(bench: &Bench, h2: &mut H2) -> Result<(), Failure> {
    let answer = h2.ask(&bench.fast());
    let answer = answer.map_err(|error| Failure::broken(format!("the connection did not go on: {error}")))?;
    is(&answer, 200)?;
    match h2.session().goaway() {
        None => Ok(()),
        Some((goaway, _)) => {
            Err(Failure::broken(format!("GOAWAY {} on a connection that is fine", goaway.code)))
        }
    }
}

/// Checks that the work of `id` came to its natural end, once.
fn completed(bench: &Bench, id: &str) -> Result<(), Failure> {
    let (_, how) = bench.work_ends(id, bench.patience())?;
    ensure!(how == Word::Completed, "the work of {id} says {how} and not that it completed");
    let ends = bench.witness()?.events(id).iter().filter(|(_, word)| word.is_end()).count();
    ensure!(ends == 1, "the work of {id} ended {ends} times");
    Ok(())
}

/// Waits until the server resets the stream, and gives the code and the time.
fn is_reset(bench: &Bench, h2: &mut H2, stream: u32) -> Result<(Code, Instant), Failure> {
    let patience = bench.patience();
    match h2.ending(stream, patience)? {
        Some((Ending::Reset(code), at)) => Ok((code, at)),
        Some((other, _)) => Err(Failure::broken(format!("{other} instead of RST_STREAM"))),
        None => Err(Failure::broken(format!("no RST_STREAM within {patience:.0?}"))),
    }
}

/// The most pieces of work of `ids` that were under way at once, by their own words.
fn most_at_once(bench: &Bench, ids: &[String]) -> Result<usize, Failure> {
    let witness = bench.witness()?;
    let mut steps: Vec<(Instant, bool)> = Vec::new();
    for id in ids {
        let events = witness.events(id);
        let begun = events.iter().filter(|(_, word)| *word == Word::Start);
        let ended = events.iter().filter(|(_, word)| word.is_end());
        steps.extend(begun.map(|(at, _)| (*at, true)));
        steps.extend(ended.map(|(at, _)| (*at, false)));
    }
    // Of two words that were heard at once the end counts first.
    steps.sort();
    let (mut now, mut most) = (0_usize, 0);
    for (_, begins) in steps {
        now = if begins { now + 1 } else { now.saturating_sub(1) };
        most = most.max(now);
    }
    Ok(most)
}

/// Waits until no work of `ids` is under way any more; gives the time of the last end.
fn all_end(bench: &Bench, ids: &[String], within: Duration) -> Result<Option<Instant>, Failure> {
    let witness = bench.witness()?;
    let mut last = None;
    let until = Instant::now() + within;
    for id in ids {
        let open = || {
            let events = witness.events(id);
            let begun = events.iter().filter(|(_, word)| *word == Word::Start).count();
            let ended = events.iter().filter(|(_, word)| word.is_end()).count();
            (ended >= begun).then(|| events.last().map(|(at, _)| *at))
        };
        let left = until.saturating_duration_since(Instant::now());
        let over = witness.wait(left, open);
        let Some(at) = over else {
            return Err(Failure::broken(format!("the work of {id} goes on {within:.1?} later")));
        };
        last = last.max(at);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_needs_http2() {
        for scenario in SCENARIOS.iter().copied().flatten() {
            assert!(scenario.needs.contains(&Http2), "{}", scenario.id);
        }
    }
}
