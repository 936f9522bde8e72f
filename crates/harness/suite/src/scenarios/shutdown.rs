//! The end of a server: what runs is answered, what idles is closed, and nothing holds it longer than it says.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use testbed::capability::Capability::{Process, StyleContext, Witness};
use wire::{Answer, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Scenario, Slot};

mod drain;
mod exit;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[drain::SCENARIOS, exit::SCENARIOS];

/// The base of these scenarios: a server of their own that they end.
pub(super) const BASE: Scenario =
    Scenario { slot: Slot::Own, needs: &[Process, Witness, StyleContext], ..Scenario::BASE };

/// Sends a `/slow` on a new connection and waits until its work has begun.
pub(super) fn working(bench: &Bench, work: u64, timeout: u64) -> Result<(Wire, String), Failure> {
    let request = bench.slow_for(bench.ms(work), bench.ms(timeout), "");
    let id = request.id_given().expect("slow requests are named").to_owned();
    let mut wire = bench.connect()?;
    wire.send_request(&request)?;
    bench.work_begins(&id)?;
    Ok((wire, id))
}

/// Waits for the server's end and checks its exit code. Gives the time since `since`.
pub(super) fn ends_with(bench: &Bench, code: i32, since: Instant) -> Result<Duration, Failure> {
    let status = ends(bench)?;
    // A shell shows death by signal n as 128 + n, too.
    let shown = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ensure!(shown == Some(code), "{status} instead of exit code {code}");
    Ok(since.elapsed())
}

pub(super) fn ends(bench: &Bench) -> Result<ExitStatus, Failure> {
    let patience = bench.patience();
    let ended = bench.server().wait_end(patience);
    ended.ok_or_else(|| Failure::broken(format!("the server still runs {patience:?} later")))
}

/// Checks for a whole 200.
pub(super) fn is_200(answer: &Answer) -> Result<(), Failure> {
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    ensure!(answer.response.whole, "the 200 was cut off");
    Ok(())
}
