//! Interference as tables and sentences.

use super::{Interference, Slot, worst};
use crate::results::Results;
use crate::stats::Summary;
use crate::table::{Cell, Table};
use crate::text::{alike, extremes, number, span};

/// Returns the bursts of a run: style and number of requests, in the order of the records.
pub fn bursts(results: &Results) -> Vec<(&str, usize)> {
    let mut bursts: Vec<(&str, usize)> = Vec::new();
    for one in &results.measured.interference {
        if !bursts.contains(&(one.style.as_str(), one.requests)) {
            bursts.push((&one.style, one.requests));
        }
    }
    bursts
}

/// Returns the rounds of a server beside a burst.
pub fn rounds_of<'a>(results: &'a Results, server: &str, burst: (&str, usize)) -> Vec<&'a Interference> {
    let wanted = |one: &&Interference| one.server == server && (one.style.as_str(), one.requests) == burst;
    results.measured.interference.iter().filter(wanted).collect()
}

/// Returns the slowest answer of each round, before the burst or during it.
fn slowest(rounds: &[&Interference], during: bool) -> Option<Summary> {
    Summary::of(rounds.iter().filter_map(|one| {
        let (before, beside) = one.before_and_during();
        worst(if during { &beside } else { &before })
    }))
}

/// A table for each burst.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    bursts(results).into_iter().filter_map(|burst| table(results, burst).filled()).collect()
}

fn table(results: &Results, burst: (&str, usize)) -> Table {
    let (style, requests) = (burst.0, number(burst.1 as u64));
    let title = format!("What does /fast feel of {requests} /slow in style {style} that time out beside it?");
    let columns = ["worst before", "worst during", "not answered", "sent late, p99", "over time"];
    let mut table = Table::new(title, "server", columns);
    let plan = &results.plan.interference;
    table.note = format!(
        "Asked {} times a second, come what may. Over time, by slot of {} ms, the worst latency: · under 2 ms, ░ under 10, ▒ under 50, ▓ \
         under 250, █ longer or no answer.",
        number(plan.rate as u64),
        plan.slot_ms
    );
    table.sentences = vec![compared(results, burst)];
    for name in results.names() {
        let rounds = rounds_of(results, name, burst);
        let Some(shown) = rounds.last() else { continue };
        let worst =
            |during| Cell::plain(slowest(&rounds, during).map_or("–".to_owned(), |all| span(all.p50)));
        let missing: usize = shown.slots.iter().map(|slot| slot.missing).sum();
        if !shown.row.is_valid() {
            table.sentences.push(format!("⚠ {name}: {}.", shown.row.invalid.join("; ")));
        }
        let cells = vec![
            worst(false),
            worst(true),
            Cell::fault(missing as u64),
            shown.row.lag.map_or_else(Cell::none, |lag| Cell::plain(span(lag.p99_us as f64 / 1e3))),
            Cell::plain(shown.slots.iter().map(shade).collect::<String>()),
        ];
        table.line(if shown.row.is_valid() { name.to_owned() } else { format!("{name} ⚠") }, cells);
    }
    table
}

/// A character for a slot, by its worst latency.
fn shade(slot: &Slot) -> char {
    match slot.latency_ms.map(|latency| latency.max) {
        _ if slot.missing > 0 => '█',
        None => ' ',
        Some(ms) if ms < 2.0 => '·',
        Some(ms) if ms < 10.0 => '░',
        Some(ms) if ms < 50.0 => '▒',
        Some(ms) if ms < 250.0 => '▓',
        Some(_) => '█',
    }
}

/// Says where the slowest answer during a burst was, where servers can be told apart.
pub fn compared(results: &Results, burst: (&str, usize)) -> String {
    let names = results.names();
    let rounds: Vec<(&str, Summary)> = names
        .iter()
        .filter_map(|name| Some((*name, slowest(&rounds_of(results, name, burst), true)?)))
        .collect();
    let took = |(server, worst): (&str, Summary)| format!("{} on {server}", span(worst.p50));
    match (extremes(&rounds), &rounds[..]) {
        (Some([least, most]), _) => {
            format!("During the burst the slowest answer took {}, and {}.", took(least), took(most))
        }
        (None, []) => String::new(),
        (None, [one]) => format!("During the burst the slowest answer took {}.", took(*one)),
        (None, _) => {
            let (least, most, why) = alike(&rounds);
            format!("During the burst the slowest answers took {} to {}{why}.", span(least), span(most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::everything;

    #[test]
    fn one_server_has_figures_and_is_compared_with_none() {
        let table = tables(&everything()).remove(0);
        assert_eq!(table.sentences, ["During the burst the slowest answer took 1.0 ms on x."]);
        assert_eq!(table.lines[0].cells[4].text, "··");
    }

    #[test]
    fn servers_are_told_apart_only_where_three_rounds_part() {
        let said = |slow: &[f64]| {
            let mut results = everything();
            let one = results.measured.interference.remove(0);
            results.servers.push(suite::document::Server::new("y", ""));
            for (server, rounds) in [("x", &[1.0, 2.0, 3.0][..]), ("y", slow)] {
                for worst in rounds {
                    let slot = Slot { at_ms: 50.0, latency_ms: Summary::of([*worst]), ..one.slots[0] };
                    let server = server.to_owned();
                    results.measured.interference.push(Interference {
                        server,
                        slots: vec![slot],
                        ..one.clone()
                    });
                }
            }
            compared(&results, ("drop", 500))
        };
        assert_eq!(
            said(&[70.0, 80.0, 90.0]),
            "During the burst the slowest answer took 2.0 ms on x, and 80 ms on y."
        );
        assert!(said(&[2.5, 80.0, 90.0]).contains("no server is told from another"), "they overlap");
        assert!(said(&[70.0, 80.0]).contains("no server is told from another"), "two rounds");
    }
}
