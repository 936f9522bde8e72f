//! The client that has a timeout of its own, as Python's `urlopen(url, timeout=…)` has: it gives up and asks again.

use std::time::Instant;

use wire::Request;

use crate::ensure;
use crate::scenario::{Bench, Failure, Outcome, Scenario};
use crate::scenarios::disconnect::{self, canceled};

/// The number of the client's tries.
const TRIES: usize = 5;

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "disconnect/urlopen-gives-up",
    promise: "a client that gives up after its own timeout and asks again, five times, never has two works running",
    flags: &[("--request-timeout", "9s")],
    sent: "five times `GET /slow?work=3000ms` with `Connection: close`; 200 ms after the work began, `close` (FIN), and \
           as long again as work may take to stop. It is what `urlopen(url, timeout=0.2)` in a loop of retries puts on the \
           wire: no header carries its timeout; `--request-timeout 9s`",
    why: "`disconnect/fin` asks whether one departure is noticed; this asks what a retrying client costs a server that does \
          not notice: each try leaves its work behind, and a client that only wanted one answer keeps several works busy",
    wrong: "a timeout on the client's side alone: the server is told nothing but a FIN, and one that does not look for it \
            works on for every try",
    sources: &["https://docs.python.org/3/library/urllib.request.html#urllib.request.urlopen"],
    run: urlopen_gives_up,
    ..disconnect::BASE
}];

fn urlopen_gives_up(bench: &Bench) -> Outcome {
    let mut left = Vec::new();
    for _ in 0..TRIES {
        let mut wire = bench.connect()?;
        // No deadline is asked for, as urlopen asks for none: the server's own is far.
        let target = bench.slow_target(bench.ms(3000), "");
        let request = Request::get(target).id(bench.id()).header("Connection", "close");
        let id = disconnect::send(&mut wire, &request)?;
        bench.work_begins(&id)?;
        std::thread::sleep(bench.ms(200));
        left.push((id, wire.close()));
        // A client waits a little before it asks again; so long the server has to notice.
        std::thread::sleep(bench.stop_late());
    }
    let running = most_at_once(bench, &left)?;
    ensure!(running <= 1, "{running} works ran at once for one client that asked {TRIES} times");
    let took =
        left.iter().map(|(id, left_at)| canceled(bench, id, *left_at)).collect::<Result<Vec<_>, _>>()?;
    Ok(disconnect::told(&took))
}

/// Returns the number of units of work that ran when the last try was given up, its own among them.
fn most_at_once(bench: &Bench, left: &[(String, Instant)]) -> Result<usize, Failure> {
    let witness = bench.witness()?;
    let (_, last_at) = left.last().expect("there was a try");
    let mut running = 0;
    for (id, _) in left {
        let ended = witness.wait_end(id, bench.patience());
        running += usize::from(ended.is_none_or(|(at, _)| at >= *last_at));
    }
    Ok(running)
}
