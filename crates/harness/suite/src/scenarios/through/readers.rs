//! A client that does not read: how much the intermediary takes in its place, and whether it hears of its leaving.

use std::time::Duration;

use testbed::capability::Capability;
use testbed::upstream::{FLOOD, Reply, Shape};

use super::{BASE, behind, ms, told, upstream};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario};

const NEEDS: &[Capability] = &[Capability::Through, Capability::ThroughRaw];

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/slow-reader-bounded",
        promise: "an intermediary stops taking an answer that its client does not read",
        level: Level::Should,
        judges: &[Judges::Connection],
        needs: NEEDS,
        limit: Duration::from_secs(15),
        sent: "a request whose answer has no end; the client reads nothing",
        why: "what an intermediary takes in a client's place it keeps in memory or on disk, and the upstream works for a reader \
              who is not there",
        wrong: "an answer is taken as fast as it comes, so that its upstream is free soon: good for few threads, bad for work \
                that nobody reads",
        run: bounded,
        ..BASE
    },
    Scenario {
        id: "through/slow-reader-leaves",
        promise: "a client that does not read and resets has its upstream told",
        judges: &[Judges::Work],
        needs: NEEDS,
        sent: "a request whose answer has no end; the client reads nothing, and resets after 300 ms",
        why: "an intermediary that waits until it can write waits for a reader who has left",
        run: leaves,
        ..BASE
    },
];

/// Asks for a flood and reads none of it.
fn flood(bench: &Bench) -> Result<(wire::Wire, String), Failure> {
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply::of(Shape::Flood)]);
    let mut wire = bench.connect_narrow()?;
    wire.send_request(&behind.request("/", &id, false))?;
    let begun = behind.upstream.wait(&id, bench.patience(), |seen| seen.sent_bytes() > 0);
    begun.map(|_| (wire, id)).ok_or_else(|| Failure::broken("the request did not come to the upstream"))
}

fn bounded(bench: &Bench) -> Outcome {
    let (wire, id) = flood(bench)?;
    let taken = || -> Result<usize, Failure> {
        let seen = upstream(bench)?.seen(&id);
        Ok(seen.first().map_or(0, testbed::upstream::Seen::sent_bytes))
    };
    let (mut last, mut still) = (0, 0);
    // It has stopped when nothing more was taken for 300 ms.
    while still < 6 {
        std::thread::sleep(bench.ms(50));
        let now = taken()?;
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    drop(wire);
    let mib = last as f64 / f64::from(1 << 20);
    ensure!(last < FLOOD / 2, "{mib:.1} MiB were taken that the client did not read, of {} MiB", FLOOD >> 20);
    Ok(Observed::new(format!("{mib:.1} MiB taken")).with("taken_mib", mib))
}

fn leaves(bench: &Bench) -> Outcome {
    let (wire, id) = flood(bench)?;
    std::thread::sleep(bench.ms(300));
    let left_at = wire.reset();
    let after = told(bench, &id, left_at, "its client has reset")?;
    Ok(format!("told after {}", ms(after)).into())
}
