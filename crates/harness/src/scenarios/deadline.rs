//! The deadline holds whatever else goes on.

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};

/// The area's scenarios.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    id: "deadline/answers-504",
    promise: "work longer than its deadline is answered 504",
    judges: &[Judges::Answer],
    sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`",
    why: "a client that is told nothing waits for its own timeout, and a proxy's comes first",
    wrong: "hyper and axum have no timeout of a request at all",
    run: answers_504,
    ..Scenario::BASE
}];

fn answers_504(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.slow(""))?;
    let late = bench.is_504(&answer, bench.deadline())?;
    ensure!(answer.response.whole, "the 504 was cut off");
    Ok(format!("504, {late:.1?} late").into())
}
