//! The other error: work is stopped while its client waits. Each client here is quiet, odd or slow, and still there.

use std::time::Duration;

use testbed::capability::Capability::{ParamWork, Post};
use testbed::capability::{self, Capability};
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

mod bodies;
mod clients;
mod neighbors;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[clients::SCENARIOS, bodies::SCENARIOS, neighbors::SCENARIOS];

/// The base of these scenarios: an answer that must be whole, of work that must be done to its end.
const BASE: Scenario =
    Scenario { judges: &[Judges::Answer, Judges::Work], needs: &[ParamWork], ..Scenario::BASE };

/// The capabilities that a request with a body needs.
const BODY: &[Capability] = &[ParamWork, Post];

/// The length of the work that must be spared, in milliseconds, unless said.
const WORK: u64 = 400;

/// `GET /slow` with 400 ms of work and a deadline that is far: 1.8 s.
fn request(bench: &Bench) -> Request {
    lasting(bench, bench.ms(WORK))
}

/// `GET /slow` with this much work and a deadline far behind it.
fn lasting(bench: &Bench, work: Duration) -> Request {
    bench.slow_for(work, 2 * work + bench.ms(1000), "")
}

/// Sends the request on a connection of its own, does `meanwhile` once its work has begun, and checks that the work is
/// spared.
fn spared(
    bench: &Bench,
    request: &Request,
    meanwhile: impl FnOnce(&mut Wire) -> Result<(), Failure>,
) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send_request(request)?;
    begun(bench, request)?;
    meanwhile(&mut wire)?;
    whole(bench, &mut wire, request)
}

/// Waits until the work has begun, by the witness's word where there is one.
fn begun(bench: &Bench, request: &Request) -> Result<(), Failure> {
    if hears(bench) {
        bench.work_begins(request.id_given().unwrap_or_default())?;
    } else {
        std::thread::sleep(bench.ms(50));
    }
    Ok(())
}

/// Checks that the request is answered 200, and that its work was done once and to its end.
fn whole(bench: &Bench, wire: &mut Wire, request: &Request) -> Outcome {
    let id = request.id_given().unwrap_or_default();
    let answer = wire.answer().map_err(|error| Failure::broken(format!("{error}{}", fate(bench, id))))?;
    ensure!(answer.status() == 200, "{} instead of 200{}", answer.status(), fate(bench, id));
    ensure!(answer.response.whole, "the answer is cut short{}", fate(bench, id));
    if let Some(named) = answer.response.field("request_id") {
        ensure!(named == id, "the answer is for {named} and not for {id}");
    }
    if hears(bench) {
        bench.completed_once(id)?;
    }
    Ok(format!("200 after {:.0?}, and the work is whole", answer.after()).into())
}

/// Says what the witness heard of work that should have been spared.
fn fate(bench: &Bench, id: &str) -> String {
    let Ok(witness) = bench.witness() else { return String::new() };
    match (witness.wait_start(id, Duration::ZERO), witness.ended(id)) {
        (Some(began_at), Some((ended_at, how))) => {
            let after = ended_at.saturating_duration_since(began_at);
            format!(": the work was {how} {after:.1?} after it began, while its client waited")
        }
        (Some(_), None) => ": the work goes on".to_owned(),
        (None, _) => String::new(),
    }
}

/// True when the work's heartbeats can be heard.
fn hears(bench: &Bench) -> bool {
    bench.subject.supports(capability::Capability::Witness)
}
