//! Timeouts of a connection: a head that drips, a body that stalls, a reader that sleeps, a connection that idles.

use std::time::{Duration, Instant};

use wire::{End, Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

mod bodies;
mod heads;
mod idle;
mod phases;
mod readers;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] =
    &[heads::SCENARIOS, bodies::SCENARIOS, idle::SCENARIOS, phases::SCENARIOS, readers::SCENARIOS];

/// `--read-header-timeout` of these scenarios.
pub(super) const HEADER: Duration = Duration::from_millis(400);
/// `--read-timeout` of these scenarios.
pub(super) const READ: Duration = Duration::from_millis(700);
/// `--idle-timeout` of these scenarios.
pub(super) const IDLE: Duration = Duration::from_millis(1000);

/// The base of these scenarios: short timeouts, and a deadline that is later than all of them.
pub(super) const BASE: Scenario = Scenario {
    judges: &[Judges::Connection],
    flags: &[
        ("--read-header-timeout", "400ms"),
        ("--read-timeout", "700ms"),
        ("--write-timeout", "600ms"),
        ("--idle-timeout", "1000ms"),
        ("--request-timeout", "15s"),
    ],
    ..Scenario::BASE
};

/// Waits until the server closes, without an answer, at `timeout` after `since`: not before, and late within the profile.
pub(super) fn closed_at(
    bench: &Bench,
    wire: &mut Wire,
    since: Instant,
    timeout: Duration,
) -> Result<Duration, Failure> {
    let (end, at) = wire.end(timeout + bench.patience())?;
    let (after, said) =
        (at.saturating_duration_since(since), String::from_utf8_lossy(wire.buffered()).into_owned());
    ensure!(end != End::Silence, "still open after {after:.1?}; closing was due after {timeout:?}");
    ensure!(said.is_empty(), "closed with an answer: {said:?}");
    bench.in_time(after, timeout)
}

/// The outcome of a connection that was closed without an answer, `late` after its timeout.
pub(super) fn closed(late: Duration) -> Outcome {
    Ok(Observed::new(format!("closed with no answer, {late:.1?} late"))
        .with("late_ms", late.as_secs_f64() * 1e3))
}

/// Sends `drip` each 20 ms until something comes or the time is over. A server that has closed does not take it any more.
pub(super) fn drip_until_news(
    bench: &Bench,
    wire: &mut Wire,
    drip: &[u8],
    until: Instant,
) -> Result<(), Failure> {
    while Instant::now() < until && !wire.fill(Instant::now() + Duration::from_millis(20))? {
        if wire.send(drip).is_err() {
            bench.trace().say(0, "the server takes no more");
            break;
        }
    }
    Ok(())
}

/// Checks that the request is answered 200.
pub(super) fn served(bench: &Bench, request: &Request) -> Outcome {
    let answer = bench.ask(request)?;
    let after = answer.after();
    ensure!(answer.status() == 200, "{} instead of 200, {after:.1?} after sending", answer.status());
    Ok(format!("200 after {after:.0?}").into())
}
