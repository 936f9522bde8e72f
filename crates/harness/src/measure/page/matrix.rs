//! The fifth picture: scenarios by servers. A cell opens what stands behind it: its scenarios, and what each of them sent
//! and received.

use crate::measure::plan::STYLES;
use crate::measure::results::{Results, area};
use crate::report::Row;
use crate::verdict::Verdict;

/// All traces of a page together have at most so many characters, so that the page stays small.
const TRACES: usize = 1_000_000;
/// The most of one trace, when it shows a promise that was not kept.
const TRACE: usize = 12_000;

/// A row of the matrix, or of the table of scenarios.
#[derive(Debug)]
pub struct Line<'a> {
    /// The server, or the scenario.
    pub head: &'a str,
    /// What there is to say of it.
    pub note: &'a str,
    /// Its cells.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, PartialEq)]
pub struct Cell {
    /// How good it is: `good`, `odd`, `bad` or `none`.
    pub class: &'static str,
    /// What it says.
    pub text: String,
    /// The id of the card that it opens, if there is one.
    pub opens: Option<String>,
}

/// The scenarios of a server and an area.
#[derive(Debug)]
pub struct Card<'a> {
    /// Its id.
    pub id: String,
    /// The server.
    pub server: &'a str,
    /// The area.
    pub area: &'a str,
    /// The scenarios.
    pub details: Vec<Detail<'a>>,
}

/// One scenario on one server.
#[derive(Debug)]
pub struct Detail<'a> {
    /// The id of its card.
    pub id: String,
    /// How good its verdict is.
    pub class: &'static str,
    /// What came of it.
    pub row: &'a Row,
    /// What was sent and received, as much as there is room for.
    pub trace: String,
}

/// How good a verdict is, as a class.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail | Verdict::Xpass | Verdict::Error => "bad",
        Verdict::Warn | Verdict::Xfail | Verdict::Flaky => "odd",
        Verdict::Unsupported => "none",
    }
}

/// Servers by areas.
pub fn areas(results: &Results) -> Vec<Line<'_>> {
    let cell = |server: usize, name: &str, wanted: &str| {
        let rows: Vec<&Row> =
            results.results.iter().filter(|row| row.server == name && area(row) == wanted).collect();
        if rows.is_empty() {
            return Cell { class: "none", text: "not run".to_owned(), opens: None };
        }
        let badness = |class: &&str| ["none", "good", "odd", "bad"].iter().position(|c| c == class);
        let worst = rows.iter().map(|row| class(row.verdict)).max_by_key(badness);
        let (passed, all) = results.score(name, wanted);
        let opens = Some(card_id(server, wanted));
        Cell { class: worst.unwrap_or("none"), text: format!("{passed} of {all}"), opens }
    };
    let servers = results.servers.iter().enumerate();
    servers
        .map(|(index, server)| Line {
            head: &server.name,
            note: server.error.as_deref().unwrap_or(""),
            cells: results.areas().into_iter().map(|area| cell(index, &server.name, area)).collect(),
        })
        .collect()
}

/// Scenarios by servers.
pub fn scenarios(results: &Results) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in results.results.iter().filter(|row| row.attempts > 0 || row.verdict == Verdict::Unsupported) {
        if lines.iter().any(|line| line.head == row.id) {
            continue;
        }
        let cell = |name: &&str| {
            let same = |(_, other): &(usize, &Row)| other.id == row.id && other.server == **name;
            match results.results.iter().enumerate().find(same) {
                Some((index, row)) => Cell {
                    class: class(row.verdict),
                    text: row.verdict.to_string(),
                    opens: Some(detail_id(index)),
                },
                None => Cell { class: "none", text: "not run".to_owned(), opens: None },
            }
        };
        let cells = results.names().iter().map(cell).collect();
        lines.push(Line { head: &row.id, note: &row.promise, cells });
    }
    lines
}

/// What the cells open: a card for each server and area, with the scenarios in it.
pub fn cards(results: &Results) -> Vec<Card<'_>> {
    let room = TRACES / results.results.len().max(1);
    let mut cards = Vec::new();
    for (index, server) in results.servers.iter().enumerate() {
        for wanted in results.areas() {
            let rows = results.results.iter().enumerate();
            let details: Vec<Detail<'_>> = rows
                .filter(|(_, row)| row.server == server.name && area(row) == wanted)
                .map(|(index, row)| Detail {
                    id: detail_id(index),
                    class: class(row.verdict),
                    row,
                    trace: trace(row, if row.verdict == Verdict::Pass { room.min(TRACE) } else { TRACE }),
                })
                .collect();
            if !details.is_empty() {
                let id = card_id(index, wanted);
                cards.push(Card { id, server: &server.name, area: wanted, details });
            }
        }
    }
    cards
}

/// The first lines of a trace, as many as there is room for.
fn trace(row: &Row, room: usize) -> String {
    let mut text = String::new();
    for (index, line) in row.trace.iter().enumerate() {
        if text.len() + line.len() > room {
            text += &format!("({} more lines in results.json)\n", row.trace.len() - index);
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn card_id(server: usize, area: &str) -> String {
    format!("area-{server}-{area}")
}

fn detail_id(row: usize) -> String {
    format!("row-{row}")
}

/// What the matrix shows, in a sentence.
pub fn told(results: &Results) -> String {
    let rows = || results.results.iter().filter(|row| row.attempts > 0);
    let count = |wanted: fn(Verdict) -> bool| rows().filter(|row| wanted(row.verdict)).count();
    let (all, kept) = (count(|v| v != Verdict::Unsupported), count(|v| v == Verdict::Pass));
    let mut told = format!("{kept} of {all} promises that a server claims to support were kept");
    let expected = count(|verdict| verdict == Verdict::Xfail);
    if expected > 0 {
        told += &format!("; {expected} were broken as announced");
    }
    let red = count(|verdict| verdict.is_red() || verdict == Verdict::Error);
    if red > 0 {
        told += &format!("; {red} were broken, or could not be judged");
    }
    told + "."
}

/// What stands in no section, and why.
pub fn left_out(results: &Results) -> Vec<String> {
    let measured = &results.measured;
    let why = |turns: usize, word: &str| match turns {
        0 => "this run did not ask for it".to_owned(),
        _ => match measured.gaps.iter().find(|gap| gap.what.contains(word)) {
            Some(gap) => format!("{}: {}", gap.server, gap.why),
            None => "no server brought any".to_owned(),
        },
    };
    let plan = &results.plan;
    let mut missing = Vec::new();
    if !measured.tails.iter().any(|life| STYLES.contains(&life.style.as_str())) {
        missing.push(format!("Requests and their work: {}.", why(plan.tail.turns, "tail")));
    }
    if measured.storms.is_empty() {
        missing.push(format!("A storm of requests that time out: {}.", why(plan.storm.turns, "storm")));
    }
    if measured.overshoot.iter().all(|overshoot| overshoot.summary_ms.is_none()) {
        missing.push(format!("Lateness of the 504: {}.", why(plan.overshoot.turns, "overshoot")));
    }
    if measured.throughput.is_empty() && measured.latency.is_empty() {
        missing.push(format!("Speed of /fast: {}.", why(plan.fast.throughput_turns, "/fast")));
    }
    if measured.memory.is_empty() {
        let turns = plan.memory.idle_turns + plan.memory.in_flight_turns;
        missing.push(format!("Memory by connections: {}.", why(turns, "memory")));
    }
    if measured.strips.is_empty() {
        missing.push(format!("What /fast feels of a burst: {}.", why(plan.strip.turns, "/fast beside")));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::words::tests::{empty, whole};

    #[test]
    fn every_cell_opens_a_card_that_exists() {
        let results = whole();
        let cards = cards(&results);
        let ids: Vec<&str> = cards
            .iter()
            .flat_map(|card| [&card.id].into_iter().chain(card.details.iter().map(|detail| &detail.id)))
            .map(String::as_str)
            .collect();
        let (areas, scenarios) = (areas(&results), scenarios(&results));
        let cells: Vec<&Cell> = areas.iter().chain(&scenarios).flat_map(|line| &line.cells).collect();
        assert!(cells.len() >= 2);
        assert!(cells.iter().all(|cell| ids.contains(&cell.opens.as_deref().unwrap_or("none"))));
    }

    #[test]
    fn a_long_trace_is_cut_and_says_so() {
        let mut row = Row::whole_server("x", "a/b", Verdict::Pass, "");
        row.trace = vec!["12345".to_owned(); 4];
        assert_eq!(trace(&row, 13), "12345\n12345\n(2 more lines in results.json)\n");
        assert_eq!(trace(&row, 99).lines().count(), 4);
    }

    #[test]
    fn what_was_not_measured_is_said_with_its_reason() {
        assert_eq!(left_out(&empty(&["x"])).len(), 6);
        assert_eq!(left_out(&whole()).len(), 3, "whole but for loads, memory and strips");
        let mut results = empty(&["x"]);
        results.plan.storm.turns = 0;
        assert!(left_out(&results)[1].ends_with("this run did not ask for it."));
    }
}
