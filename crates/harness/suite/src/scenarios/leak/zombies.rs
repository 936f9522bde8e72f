//! The runtimes' treatment of work that nobody waits for, and the reports of their own tools.

use std::time::Instant;

use testbed::capability::Capability::{Admin, BeyondGoroutineleak, StyleDetached, StyleDrop, Witness};
use testbed::noise::quantile;
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};

/// The path of Go's leak profile under the admin address, in its readable form.
const PROFILE: &str = "/debug/pprof/goroutineleak?debug=1";

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[ZOMBIES, GOROUTINELEAK];

const ZOMBIES: Scenario = Scenario {
    id: "leak/zombies-of-100",
    promise: "how many of 100 works that know no context go on after their request has timed out, and for how long",
    level: Level::Info,
    judges: &[Judges::Work],
    needs: &[Witness, StyleDrop],
    slot: Slot::Own,
    sent: "100 times `GET /slow?style=drop&work=1500ms` at once with `grpc-timeout: 300m`; each work is timed from its own \
           answer",
    why: "a crowd this small is served in time by every server, so what differs is the approach and not the speed: a \
          dropped future stops, a thread does not",
    wrong: "a timeout that answers while the thread works on: 100 timeouts are 100 zombies",
    sources: &["https://docs.python.org/3/library/threading.html#timer-objects"],
    run: zombies_of_100,
    ..Scenario::BASE
};

const GOROUTINELEAK: Scenario = Scenario {
    id: "leak/goroutineleak",
    promise: "what Go's own leak profile says of work that outlives its request, beside what the heartbeats of the work say",
    level: Level::Info,
    judges: &[Judges::Work],
    needs: &[Admin, Witness, StyleDetached, BeyondGoroutineleak],
    slot: Slot::Own,
    sent: "`GET /slow?style=detached&work=1500ms`; 20 ms after the work began, RST; once the server counts a zombie, \
           `GET /debug/pprof/goroutineleak?debug=1` on the admin address",
    why: "the profile finds goroutines that can never be woken again, and never names a wrong one; work that sleeps, \
          reads or computes for nobody can be woken, so it is no leak to it",
    wrong: "a leak profile that says 0 is taken for a proof that all work has stopped",
    sources: &["https://pkg.go.dev/runtime/pprof#Profile"],
    run: goroutineleak,
    ..Scenario::BASE
};

fn zombies_of_100(bench: &Bench) -> Outcome {
    let request = || bench.slow_for(bench.ms(1500), bench.deadline(), "style=drop&tick=50ms");
    let shots = bench.storm((0..100).map(|_| request()).collect())?.finish()?;
    let witness = bench.witness()?;
    let mut tails = Vec::new();
    for shot in &shots {
        let (Some(id), Some(answered_at)) = (&shot.id, shot.first_byte_at.or(shot.done_at)) else { continue };
        if witness.started(id).is_some() {
            let (ended_at, _) = bench.work_ends(id, bench.patience())?;
            tails.push(ended_at.saturating_duration_since(answered_at).as_secs_f64() * 1e3);
        }
    }
    ensure!(tails.len() == shots.len(), "only {} of {} works began", tails.len(), shots.len());
    tails.sort_by(f64::total_cmp);
    let zombies = tails.iter().filter(|tail| **tail > bench.stop_late().as_secs_f64() * 1e3).count();
    let (median, worst) = (quantile(&tails, 0.5), quantile(&tails, 1.0));
    let text = format!(
        "{zombies} of 100 are zombies; on after the answer for {median:.0} ms (median), {worst:.0} (worst)"
    );
    Ok(Observed::new(text)
        .with("zombies", zombies as f64)
        .with("zombie_ms", median)
        .with("zombie_worst_ms", worst))
}

fn goroutineleak(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let request = bench.slow_for(bench.ms(1500), bench.ms(1800), "style=detached");
    let id = request.id_given().expect("slow requests are named").to_owned();
    wire.send_request(&request)?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    let left_at = wire.reset();
    let (census, _) = bench.census_until(bench.ms(1000), "a zombie", |census| census.work.zombie > 0)?;
    let leaked = leaked(bench)?;
    let asked_at = Instant::now();
    let (ended_at, how) = bench.work_ends(&id, bench.patience())?;
    ensure!(ended_at > asked_at, "the work ended before the profile was read");
    let zombies = census.work.zombie;
    let zombie = ended_at.saturating_duration_since(left_at).as_secs_f64() * 1e3;
    let beats = bench.witness()?.beats_after(&id, left_at);
    let text = format!(
        "the server counts {zombies} zombie, the profile {leaked} leaked goroutines; the work went on for {zombie:.0} ms \
         ({beats} beats, {how})"
    );
    Ok(Observed::new(text)
        .with("leaked_goroutines", leaked as f64)
        .with("zombies", zombies as f64)
        .with("zombie_ms", zombie))
}

/// Returns the number of goroutines that the profile calls leaked.
fn leaked(bench: &Bench) -> Result<u64, Failure> {
    let admin = bench.server().admin().ok_or_else(|| Failure::unsupported("no admin address"))?;
    let mut wire = Wire::connect(admin, bench.give_up_at, bench.trace())?;
    let answer = wire.ask(&Request::get(PROFILE).header("Connection", "close"))?;
    let text = String::from_utf8_lossy(&answer.response.body).into_owned();
    let first = text.lines().next().unwrap_or_default();
    let total =
        first.strip_prefix("goroutineleak profile: total ").and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| Failure::broken(format!("the profile begins `{first}`")))
}
