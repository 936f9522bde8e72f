//! The scenarios of all servers, side by side: nearly all of their time is waiting.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use suite::profile::Profile;
use suite::run::Row;
use suite::runner::Runner;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::verdict::Verdict;

use super::Ready;
use super::meter::Meter;

/// Judges every server by `chosen`, the gate first; gives the rows by server, in the order of the table.
pub(super) fn all(servers: Vec<Ready>, chosen: &[&'static Scenario]) -> Vec<Row> {
    let meter = Meter::start("scenarios", servers.len() * chosen.len());
    let runners: Vec<Runner> = servers
        .into_iter()
        .map(|ready| Runner::new(ready.subject, Profile::Ci, ready.expectations, chosen).keep_traces(true))
        .collect();
    let rows: Mutex<Vec<(usize, usize, Row)>> = Mutex::new(Vec::new());
    let keep = |server: usize, index: usize, row: Row| {
        meter.judged(&row);
        rows.lock().expect("no thread panics with the rows").push((server, index, row));
    };

    let mut admitted = Vec::new();
    for (server, runner) in runners.iter().enumerate() {
        let Some(gate) = chosen.iter().position(|scenario| scenario.id == scenarios::GATE) else { continue };
        let row = runner.run(chosen[gate]);
        if row.verdict == Verdict::Pass {
            admitted.push(server);
        } else {
            let name = runner.subject().name();
            let why = format!("not run: not a lab server ({})", row.observed);
            for (index, scenario) in chosen.iter().enumerate().filter(|(index, _)| *index != gate) {
                keep(server, index, Row::whole_server(name, scenario.id, Verdict::Error, why.clone()));
            }
        }
        keep(server, gate, row);
    }

    let jobs = jobs(&admitted, chosen);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..Profile::Ci.jobs().min(jobs.len()) {
            scope.spawn(|| {
                while let Some((server, index)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    keep(*server, *index, runners[*server].run(chosen[*index]));
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no thread panics with the rows");
    rows.sort_by_key(|(server, index, _)| (*server, *index));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// A server and a scenario, both by their number.
type Job = (usize, usize);

/// Every server and scenario but the gate, each scenario when its turn has come, and servers in turn.
fn jobs(servers: &[usize], chosen: &[&'static Scenario]) -> Vec<Job> {
    let mut order: Vec<usize> =
        (0..chosen.len()).filter(|index| chosen[*index].id != scenarios::GATE).collect();
    order.sort_by_key(|index| chosen[*index].turn());
    order.into_iter().flat_map(|index| servers.iter().map(move |server| (*server, index))).collect()
}

#[cfg(test)]
mod tests {
    use suite::scenario::Seat;

    use super::*;

    #[test]
    fn servers_take_turns_and_who_sits_alone_comes_last() {
        let chosen = scenarios::all();
        let jobs = jobs(&[0, 2], &chosen);
        assert_eq!(jobs.len(), 2 * (chosen.len() - 1));
        assert!(jobs.chunks(2).all(|pair| (pair[0].0, pair[1].0, pair[0].1) == (0, 2, pair[1].1)));
        assert!(jobs.iter().map(|(_, index)| chosen[*index].turn()).is_sorted());
        assert_eq!(jobs.last().map(|(_, index)| chosen[*index].seat), Some(Seat::Alone));
    }
}
