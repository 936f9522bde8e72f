//! Tables across all servers of a run, and under each the reasons for their differences.
//!
//! Every cell comes from the run. A reason is shown only where the run agrees with it: the reason of a known deviation by
//! its verdict, a sentence of ours by the fates and verdicts that it is about.

use measure::results::Results;
use measure::table::{Cell, Line, Reason, Table, Tone};
use measure::text::span;
use suite::document::{Row, Server, Status};
use suite::verdict::{Level, Verdict};

mod explanations;
mod figures;

/// The tables of no measurement: figures across servers, and verdicts by area.
pub fn own(results: &Results) -> [Vec<Table>; 2] {
    let filled = |tables: Vec<Table>| tables.into_iter().filter_map(Table::filled).collect();
    [
        filled(vec![figures::twins(results), figures::goroutineleak(results)]),
        filled(areas(results).into_iter().map(|(_, table)| table).collect()),
    ]
}

/// The tables of areas with a heading of their own, and of what differs elsewhere.
fn areas(results: &Results) -> Vec<(&'static str, Table)> {
    let is = |wanted: &'static str| move |row: &Row| row.area() == wanted;
    let kept = |row: &Row| matches!(row.verdict, Verdict::Pass | Verdict::Unsupported);
    let missed_elsewhere = |row: &Row| {
        let shown = ["disconnect", "timeouts", "shutdown", "server"].contains(&row.area());
        !shown && results.results.iter().any(|other| other.id == row.id && !kept(other))
    };
    let titled = |title: &str, note: &str, table: Table| Table {
        title: title.to_owned(),
        note: note.to_owned(),
        ..table
    };
    let note = "Whether the work of a client that left stopped; where it was timed, the median of five.";
    let mut disconnect = titled("The client leaves", note, verdicts(results, is("disconnect")));
    disconnect.sentences = explanations::disconnect(results);
    let timeouts = titled(
        "Timeouts of a connection",
        "Whether each timeout ends what it is for, and nothing else.",
        verdicts(results, is("timeouts")),
    );
    let shutdown = titled(
        "Shutdown",
        "What becomes of requests, connections and work when SIGTERM comes.",
        verdicts(results, is("shutdown")),
    );
    let elsewhere = titled(
        "Where else they differ",
        "Every other scenario that not all of them pass.",
        verdicts(results, missed_elsewhere),
    );
    vec![("disconnect", disconnect), ("timeouts", timeouts), ("shutdown", shutdown), ("", elsewhere)]
}

/// Returns the verdicts of one area, in a table; none when nothing of it was judged.
pub fn area(results: &Results, area: &str) -> Option<Table> {
    let known = areas(results).into_iter().find(|(have, _)| *have == area).map(|(_, table)| table);
    let other =
        || Table { title: format!("The area `{area}`"), ..verdicts(results, |row| row.area() == area) };
    known.unwrap_or_else(other).filled()
}

/// Returns the numbers of a server's verdicts of each kind, or the reason why there are none.
pub fn verdicts_of(results: &Results, server: &Server) -> String {
    if let (Some(why), status @ (Status::Absent | Status::Error)) = (&server.error, server.status) {
        return format!("{}: {why}", status.word());
    }
    let counts = results.counts(Some(&server.name));
    let counts: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    counts.join(", ")
}

/// A line for each scenario that `wanted` takes, a column for each server that was compared.
fn verdicts(results: &Results, wanted: impl Fn(&Row) -> bool) -> Table {
    let names = results.names();
    let mut table = Table::by_server("", "scenario", &names);
    for row in results.results.iter().filter(|row| wanted(row)) {
        if table.lines.iter().any(|line| line.head == row.id) {
            continue;
        }
        let mut cell = |name: &&str| {
            let found = results.results.iter().find(|other| other.id == row.id && other.server == **name);
            found.map_or_else(Cell::none, |row| judged(row, &mut table.reasons))
        };
        let cells = names.iter().map(&mut cell).collect();
        table.lines.push(Line { head: row.id.clone(), note: row.promise.clone(), cells });
    }
    table
}

/// The cell of a verdict; one that is not as promised finds its reason, or adds it.
fn judged(row: &Row, reasons: &mut Vec<Reason>) -> Cell {
    let figure = |name: &str| row.figures.iter().find(|(have, _)| have == name).map(|(_, value)| *value);
    let timed = figure("cancel_median_ms").or_else(|| figure("zombie_ms")).map(span);
    match row.verdict {
        Verdict::Unsupported => Cell::none(),
        Verdict::Pass if row.level == Level::Info => {
            Cell::new(Tone::None, timed.unwrap_or_else(|| "·".to_owned()))
        }
        Verdict::Pass => Cell::new(Tone::Good, timed.unwrap_or_else(|| "✓".to_owned())),
        verdict => {
            let number = number(row, reasons);
            let (tone, sign) = match verdict {
                Verdict::Xfail => (Tone::Odd, "✗"),
                Verdict::Flaky => (Tone::Odd, "±"),
                Verdict::Warn => (Tone::Odd, "!"),
                other => (Tone::Bad, other.word()),
            };
            Cell::new(tone, format!("{sign} [{number}]"))
        }
    }
}

/// The number of the reason of a row, from 1.
fn number(row: &Row, reasons: &mut Vec<Reason>) -> usize {
    let (text, sources) = match (&row.expected, row.verdict) {
        (Some(expected), Verdict::Xfail | Verdict::Flaky) => explained(expected),
        (_, Verdict::Warn) => (format!("recommended, and not kept: {}", row.observed), Vec::new()),
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
pub(crate) fn explained(expected: &str) -> (String, Vec<String>) {
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
