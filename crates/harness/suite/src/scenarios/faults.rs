//! Broken and hostile requests, panics, and limits that are reached: the server goes on.

use std::time::Instant;

use wire::{Answer, End, Wire, response};

use crate::ensure;
use crate::scenario::{Bench, Failure, Scenario};

mod admin;
mod bodies;
mod bytes;
mod heads;
mod limits;
mod odd;
mod panics;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[
    heads::SCENARIOS,
    bytes::SCENARIOS,
    bodies::SCENARIOS,
    panics::SCENARIOS,
    limits::SCENARIOS,
    admin::SCENARIOS,
    odd::SCENARIOS,
];

/// Sends `bytes` on a new connection and waits for an answer or the end, for less than any timeout of the server.
///
/// # Errors
/// When nothing comes, or something that is no response.
pub(super) fn reply(bench: &Bench, bytes: &[u8]) -> Result<(Wire, Option<Answer>), Failure> {
    let mut wire = bench.connect()?;
    // A server may refuse before it has read everything, and the rest then has nowhere to go.
    let _ = wire.send(bytes);
    let until = Instant::now() + bench.ms(2000);
    while Instant::now() < until && !wire.is_over() {
        if response::parse(wire.buffered(), false, false).is_ok_and(|found| found.is_some()) {
            break;
        }
        wire.fill(until)?;
    }
    if wire.is_over() && wire.buffered().is_empty() {
        return Ok((wire, None));
    }
    let answered = response::parse(wire.buffered(), wire.is_over(), false);
    let hung = Failure::broken(format!("neither answered nor closed: {}", response::preview(bytes)));
    match answered {
        Ok(None) => Err(hung),
        _ => Ok(wire.answer().map(|answer| (wire, Some(answer)))?),
    }
}

/// Checks that `bytes` are answered with one of `statuses` or not at all, and that the connection ends either way.
/// Gives the status, 0 for none.
pub(super) fn is_refused(bench: &Bench, bytes: &[u8], statuses: &[u16]) -> Result<u16, Failure> {
    let (mut wire, answer) = reply(bench, bytes)?;
    let Some(answer) = answer else { return Ok(0) };
    let (status, shown) = (answer.status(), response::preview(bytes));
    ensure!(statuses.contains(&status), "{status} and not one of {statuses:?} for {shown}");
    let (end, _) = wire.end(bench.ms(2000))?;
    ensure!(end != End::Silence, "the connection is still open after the {status} for {shown}");
    ensure!(wire.buffered().is_empty(), "more than one answer for {shown}");
    Ok(status)
}

/// Checks that the server still answers.
pub(super) fn serves(bench: &Bench) -> Result<(), Failure> {
    let answer = bench.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200 for /fast", answer.status());
    Ok(())
}
