//! The least that makes a server one of the lab's: it answers, and its answers are well-formed.

use crate::ensure;
use crate::scenario::{Bench, Judges, Level, Outcome, Scenario};

/// The area's scenarios.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "baseline/fast-200",
    promise: "/fast answers 200 at once",
    level: Level::Must,
    judges: &[Judges::Answer],
    sent: "`GET /fast`",
    why: "it gates all others: a server that does not do this is no lab server",
    run: fast_200,
    ..Scenario::BASE
}];

fn fast_200(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let after = bench.in_time(answer.after(), std::time::Duration::ZERO)?;
    Ok(format!("200 after {after:.1?}").into())
}
