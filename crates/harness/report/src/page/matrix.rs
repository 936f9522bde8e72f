//! The fifth picture: scenarios by servers. A cell opens what stands behind it: its scenarios, and what each of them sent
//! and received, which [`packed`](super::packed) holds.

use measure::registry;
use measure::results::Results;
use suite::document::Row;
use suite::verdict::Verdict;

/// A row of the matrix, or of the table of scenarios.
#[derive(Debug)]
pub struct Line<'a> {
    /// The server, or the scenario.
    pub head: &'a str,
    /// A remark on the row.
    pub note: &'a str,
    /// Its cells.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, PartialEq)]
pub struct Cell {
    /// The grade of the cell: `good`, `odd`, `bad` or `none`.
    pub class: &'static str,
    /// The text of the cell.
    pub text: String,
    /// The details that the cell opens, if it has any.
    pub opens: Option<Opens>,
}

/// The details that a cell opens.
#[derive(Debug, PartialEq)]
pub enum Opens {
    /// The scenarios of an area on a server.
    Area {
        /// The server's name.
        server: String,
        /// The area.
        area: String,
    },
    /// One scenario on one server: the number of its row.
    Row(usize),
}

/// Returns the grade of a verdict, as a class.
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
    let cell = |name: &str, wanted: &str| {
        let rows: Vec<&Row> =
            results.results.iter().filter(|row| row.server == name && row.area() == wanted).collect();
        if rows.is_empty() {
            return Cell { class: "none", text: "not run".to_owned(), opens: None };
        }
        let badness = |class: &&str| ["none", "good", "odd", "bad"].iter().position(|c| c == class);
        let worst = rows.iter().map(|row| class(row.verdict)).max_by_key(badness);
        let (passed, all) = results.score(name, wanted);
        let opens = Some(Opens::Area { server: name.to_owned(), area: wanted.to_owned() });
        let text = if all == 0 { "–".to_owned() } else { format!("{passed} of {all}") };
        Cell { class: worst.unwrap_or("none"), text, opens }
    };
    let servers = results.servers.iter();
    servers
        .map(|server| Line {
            head: &server.name,
            note: server.error.as_deref().unwrap_or(""),
            cells: results.areas().into_iter().map(|area| cell(&server.name, area)).collect(),
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
                    opens: Some(Opens::Row(index)),
                },
                None => Cell { class: "none", text: "not run".to_owned(), opens: None },
            }
        };
        let cells = results.names().iter().map(cell).collect();
        lines.push(Line { head: &row.id, note: &row.promise, cells });
    }
    lines
}

/// Returns a summary of the matrix, in a sentence.
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

/// Returns the rows that stand in no section, each with its reason.
pub fn left_out(results: &Results) -> Vec<String> {
    let (asked, recorded) = (results.plan.asked(), results.measured.recorded());
    let why = |name: &str| match results.measured.gaps.iter().find(|gap| gap.what.starts_with(name)) {
        _ if !asked.contains(&name) => "this run did not ask for it".to_owned(),
        Some(gap) => format!("{}: {}", gap.server, gap.why),
        None => "no server brought any".to_owned(),
    };
    let missing = registry::ALL.iter().filter(|(name, _)| !recorded.contains(name));
    let missing = missing.map(|(name, about)| format!("{}: {}.", about.trim_end_matches('.'), why(name)));
    let scenarios = results.areas().is_empty().then(|| "Scenarios: this run judged none.".to_owned());
    scenarios.into_iter().chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, whole};

    use super::*;

    #[test]
    fn every_cell_opens_what_it_is_about() {
        let results = whole();
        let names = results.names();
        for line in scenarios(&results) {
            for (name, cell) in names.iter().zip(&line.cells) {
                let Some(Opens::Row(row)) = cell.opens else { panic!("{cell:?}") };
                let row = &results.results[row];
                assert_eq!((row.id.as_str(), row.server.as_str()), (line.head, *name));
            }
        }
        for line in areas(&results) {
            let opens = Opens::Area { server: line.head.to_owned(), area: "work".to_owned() };
            assert_eq!(line.cells[0].opens, Some(opens));
        }
    }

    #[test]
    fn what_was_not_measured_is_said_with_its_reason() {
        assert_eq!(left_out(&empty(&["x"])).len(), 1 + registry::ALL.len());
        assert_eq!(left_out(&whole()).len(), registry::ALL.len() - 3, "it has lives, latenesses and storms");
        let mut results = empty(&["x"]);
        results.plan.storm.rounds = 0;
        assert!(left_out(&results)[2].ends_with("this run did not ask for it."));
    }
}
