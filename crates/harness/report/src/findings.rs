//! Findings of a run: tables across all its servers, and under each the reasons for their differences.
//!
//! Every cell comes from the run. A reason is shown only where the run agrees with it: the reason of a known deviation by
//! its verdict, a sentence of ours by the fates and verdicts that it is about.

use measure::results::Results;
use measure::text;
use suite::document::{Row, Server, Status};
use suite::verdict::{Level, Verdict};

mod explanations;
mod figures;
pub mod markdown;

/// Everything learned.
#[derive(Debug)]
pub struct Learned<'a> {
    /// The run.
    pub results: &'a Results,
    /// The servers, absent ones too.
    pub who: Vec<Who<'a>>,
    /// The tables, in the order in which they are read.
    pub tables: Vec<Table>,
}

/// A server of the run, and how many verdicts of each kind it got.
#[derive(Debug)]
pub struct Who<'a> {
    /// The server.
    pub server: &'a Server,
    /// The numbers of verdicts of each kind, or the reason why there are none.
    pub verdicts: String,
}

/// A table, what it is about, and what it shows.
#[derive(Debug, Default)]
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// A note on reading it.
    pub note: &'static str,
    /// The header of the first column.
    pub first: &'static str,
    /// The headers of the others.
    pub columns: Vec<String>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Why cells are what they are; a cell names a reason by its number, from 1.
    pub reasons: Vec<Reason>,
    /// The explanations under the table, in sentences.
    pub told: Vec<String>,
}

/// A line of a table.
#[derive(Debug)]
pub struct Line {
    /// Its header.
    pub head: String,
    /// The meaning of the header, if it does not say so itself.
    pub note: String,
    /// Its cells, one for each column.
    pub cells: Vec<Cell>,
}

/// A cell: a class (`good`, `odd`, `bad` or `none`) and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The color of the cell, as a class.
    pub class: &'static str,
    /// The text of the cell.
    pub text: String,
}

impl Cell {
    fn new(class: &'static str, text: impl Into<String>) -> Self {
        Self { class, text: text.into() }
    }

    /// For what was not measured or is not supported.
    fn none() -> Self {
        Self::new("none", "–")
    }
}

/// Why some cells of a table are not as promised.
#[derive(Debug)]
pub struct Reason {
    /// The servers.
    pub servers: Vec<String>,
    /// The number of cells.
    pub cells: usize,
    /// The reason, in a sentence without a full stop.
    pub text: String,
    /// Where that is written: addresses, or paths from the root of the repository.
    pub sources: Vec<String>,
    /// The observation in the first of the cells, and on which server.
    pub seen: String,
}

/// Learns what there is to learn from a run.
pub fn learn(results: &Results) -> Learned<'_> {
    let is = |wanted: &'static [&'static str]| move |row: &Row| wanted.contains(&row.area());
    let kept = |row: &Row| matches!(row.verdict, Verdict::Pass | Verdict::Unsupported);
    let missed_elsewhere = |row: &Row| {
        let shown = ["disconnect", "timeouts", "shutdown", "server"].contains(&row.area());
        !shown && results.results.iter().any(|other| other.id == row.id && !kept(other))
    };
    let disconnect = Table {
        title: "The client leaves",
        note: "Whether the work of a client that left stopped; where it was timed, the median of five.",
        told: explanations::disconnect(results),
        ..verdicts(results, is(&["disconnect"]))
    };
    let timeouts = Table {
        title: "Timeouts of a connection",
        note: "Whether each timeout ends what it is for, and nothing else.",
        ..verdicts(results, is(&["timeouts"]))
    };
    let shutdown = Table {
        title: "Shutdown",
        note: "What becomes of requests, connections and work when SIGTERM comes.",
        ..verdicts(results, is(&["shutdown"]))
    };
    let others = Table {
        title: "Where else they differ",
        note: "Every other scenario that not all of them pass.",
        ..verdicts(results, missed_elsewhere)
    };
    let figures = [figures::styles(results), figures::twins(results), figures::goroutineleak(results)];
    let tables =
        figures.into_iter().chain([figures::departures(results), disconnect, timeouts, shutdown, others]);
    Learned {
        results,
        who: results.servers.iter().map(|server| who(results, server)).collect(),
        tables: tables.filter(|table| !table.lines.is_empty()).collect(),
    }
}

fn who<'a>(results: &Results, server: &'a Server) -> Who<'a> {
    let count = |verdict| {
        let of = |row: &&Row| row.server == server.name && row.verdict == verdict;
        results.results.iter().filter(of).count()
    };
    let counts = Verdict::ALL.into_iter().map(|verdict| (count(verdict), verdict)).filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, verdict)| format!("{n} {verdict}")).collect();
    let verdicts = match (&server.error, server.status) {
        (Some(why), status @ (Status::Absent | Status::Error)) => format!("{}: {why}", status.word()),
        _ => counts.join(", "),
    };
    Who { server, verdicts }
}

/// A line for each scenario that `wanted` takes, a column for each server that was compared.
fn verdicts(results: &Results, wanted: impl Fn(&Row) -> bool) -> Table {
    let names = results.names();
    let mut table = Table {
        first: "scenario",
        columns: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Table::default()
    };
    for row in results.results.iter().filter(|row| wanted(row)) {
        if table.lines.iter().any(|line| line.head == row.id) {
            continue;
        }
        let mut cell = |name: &&str| {
            let found = results.results.iter().find(|other| other.id == row.id && other.server == **name);
            found.map_or(Cell::none(), |row| judged(row, &mut table.reasons))
        };
        let cells = names.iter().map(&mut cell).collect();
        table.lines.push(Line { head: row.id.clone(), note: row.promise.clone(), cells });
    }
    table
}

/// The cell of a verdict; one that is not as promised finds its reason, or adds it.
fn judged(row: &Row, reasons: &mut Vec<Reason>) -> Cell {
    let figure = |name: &str| row.figures.iter().find(|(have, _)| have == name).map(|(_, value)| *value);
    let timed = figure("cancel_median_ms").or_else(|| figure("zombie_ms")).map(text::span);
    match row.verdict {
        Verdict::Unsupported => Cell::none(),
        Verdict::Pass if row.level == Level::Info => {
            Cell::new("none", timed.unwrap_or_else(|| "·".to_owned()))
        }
        Verdict::Pass => Cell::new("good", timed.unwrap_or_else(|| "✓".to_owned())),
        verdict => {
            let number = number(row, reasons);
            let (class, sign) = match verdict {
                Verdict::Xfail => ("odd", "✗"),
                Verdict::Flaky => ("odd", "±"),
                Verdict::Warn => ("odd", "!"),
                other => ("bad", other.word()),
            };
            Cell::new(class, format!("{sign} [{number}]"))
        }
    }
}

/// The number of the reason of a row, from 1.
fn number(row: &Row, reasons: &mut Vec<Reason>) -> usize {
    let (text, sources) = match (&row.expected, row.verdict) {
        (Some(expected), Verdict::Xfail | Verdict::Flaky) => explained(expected),
        (_, Verdict::Warn) => (format!("a SHOULD that was not kept: {}", row.observed), Vec::new()),
        (expected, _) => {
            let known = expected.as_ref().map(|why| format!(" (expected: {why})")).unwrap_or_default();
            (format!("not explained: {}{known}", row.observed), Vec::new())
        }
    };
    let same = |reason: &Reason| reason.text == text && reason.sources == sources;
    let index = reasons.iter().position(same).unwrap_or_else(|| {
        let seen = format!("{} (on {})", row.observed, row.server);
        reasons.push(Reason { servers: Vec::new(), cells: 0, text, sources, seen });
        reasons.len() - 1
    });
    let reason = &mut reasons[index];
    reason.cells += 1;
    if !reason.servers.contains(&row.server) {
        reason.servers.push(row.server.clone());
    }
    index + 1
}

/// Takes an expectation apart: the reason, and behind its last semicolon the sources.
fn explained(expected: &str) -> (String, Vec<String>) {
    let is_source =
        |word: &str| (word.starts_with("https://") || word.starts_with("docs/")) && !word.contains(' ');
    match expected.rsplit_once("; ") {
        Some((text, sources)) if sources.split(", ").all(is_source) => {
            (text.to_owned(), sources.split(", ").map(str::to_owned).collect())
        }
        _ => (expected.to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests;
