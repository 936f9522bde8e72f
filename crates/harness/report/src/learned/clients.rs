//! Findings about clients: those that disconnect, those that wait, and a profile that does not see the work of the former.

use measure::disconnect::{ACTIONS, said};
use measure::results::Results;
use measure::stats::Summary;
use measure::table::{Cell, Column, Table, Tone};
use measure::text::{list, span};
use suite::document::Row;
use suite::verdict::Verdict;

use super::who::who;
use super::{Finding, LINES, Source};
use crate::findings;

/// The ways to disconnect that the finding shows, by the names of the measurement.
const SHOWN: [&str; 8] = [
    "FIN",
    "RST",
    "shutdown(WR)",
    "GET GET, FIN",
    "GET, later GET, FIN",
    "GET, later GET, RST",
    "POST, part unread, FIN",
    "POST, whole unread, FIN",
];

/// The servers that hear of a client that disconnects, by way.
pub(super) fn disconnect(results: &Results) -> Result<Finding, String> {
    let measured = |name: &&str| results.measured.disconnect.iter().any(|one| one.server == **name);
    let names: Vec<&str> = results.names().into_iter().filter(measured).collect();
    if names.is_empty() {
        return Err("no client disconnected".to_owned());
    }
    // Every try was canceled, or none was; what comes and goes is neither.
    let heard = |name: &str, action: &str| {
        results.measured.heard_of(name, action).map(|heard| (heard.canceled, heard.tries))
    };
    let all = |name: &str, wanted: fn((usize, usize)) -> bool| {
        let mut found = ACTIONS.iter().filter_map(|action| heard(name, action.name));
        found.all(wanted)
    };
    let every: Vec<&str> =
        names.iter().copied().filter(|name| all(name, |(heard, tries)| heard == tries)).collect();
    let none: Vec<&str> = names.iter().copied().filter(|name| all(name, |(heard, _)| heard == 0)).collect();
    let columns = ["the work stops on", "sometimes on", "never on", "median"];
    let mut table = Table::new("", "the client sends, and disconnects by", columns.map(Column::words));
    for way in SHOWN {
        let asked: Vec<&str> = names.iter().copied().filter(|name| heard(name, way).is_some()).collect();
        let pick = |wanted: fn((usize, usize)) -> bool| {
            let found: Vec<&str> =
                asked.iter().copied().filter(|name| heard(name, way).is_some_and(wanted)).collect();
            who(&found, &asked)
        };
        let took = results
            .measured
            .disconnect
            .iter()
            .filter(|one| one.action == way)
            .filter_map(|one| one.canceled_ms());
        let median = Summary::of(took).map_or_else(|| "–".to_owned(), |took| span(took.p50));
        let cells = [
            pick(|(heard, tries)| heard == tries),
            pick(|(heard, tries)| 0 < heard && heard < tries),
            pick(|(heard, _)| heard == 0),
            median,
        ];
        table.line(said(way), cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: format!(
            "Of {} servers {} stop for every client that disconnects, and {} for none",
            names.len(),
            every.len(),
            none.len()
        ),
        table,
        reason: "Most servers learn of the end of a connection by reading, and while a handler runs they read no further than the \
                 next byte. A request that came later, or a body that nobody has read, hides the end behind it.",
        source: Source {
            name: "a disconnect behind unread bytes, in hyper's code and with a program that shows it",
            at: "findings/hyper-disconnect-behind-unread-bytes.md",
        },
        more: "disconnect",
    })
}

/// Go's profile of leaked goroutines beside the heartbeats.
pub(super) fn profile(results: &Results) -> Result<Finding, String> {
    let rows: Vec<&Row> = results
        .results
        .iter()
        .filter(|row| row.id == "leak/goroutineleak" && !row.figures.is_empty())
        .collect();
    let figure = |row: &Row, name: &str| {
        row.figures.iter().find(|(have, _)| have == name).map_or(f64::NAN, |(_, value)| *value)
    };
    if rows.is_empty() {
        return Err("no server with that profile was asked".to_owned());
    }
    if rows.iter().any(|row| figure(row, "zombies") < 1.0 || figure(row, "leaked_goroutines") > 0.0) {
        return Err("the profile saw some of the work, or there was none".to_owned());
    }
    let columns = ["zombies, by the server's count", "the work went on for", "leaked goroutines, by Go"];
    let mut table = Table::new("", "server", columns);
    for row in rows.iter().take(LINES) {
        let cells = vec![
            Cell::new(Tone::Bad, format!("{:.0}", figure(row, "zombies"))),
            Cell::new(Tone::Bad, span(figure(row, "zombie_ms"))),
            Cell::plain(format!("{:.0}", figure(row, "leaked_goroutines"))),
        ];
        table.line(row.server.as_str(), cells);
    }
    Ok(Finding {
        title: "A clean profile of leaks is no proof: Go's `goroutineleak` counts none while a zombie works"
            .to_owned(),
        table,
        reason: "The profile lists goroutines that nothing can wake any more, which a collection of garbage finds. Work that \
                 sleeps, or computes, for a client that has left is woken as always.",
        source: Source {
            name: "`runtime/pprof`: the profile runs a collection that detects leaks, and lists what it found (writeGoroutineLeak)",
            at: "https://cs.opensource.google/go/go/+/refs/tags/go1.27.3:src/runtime/pprof/pprof.go",
        },
        more: "work",
    })
}

/// Returns the reason why a promise is not kept, without its kind and its sources, or what was seen.
fn because(row: &Row) -> String {
    let Some(expected) = &row.expected else { return row.observed.clone() };
    let (text, _) = findings::explained(expected);
    text.split_once(": ").map_or(text.clone(), |(_, why)| why.to_owned())
}

/// The opposite error: an answer that is lost although its client waits.
pub(super) fn spared(results: &Results) -> Result<Finding, String> {
    let rows: Vec<&Row> =
        results.results.iter().filter(|row| row.area() == "spared" && row.is_judged()).collect();
    if rows.is_empty() {
        return Err("the area `spared` was not judged".to_owned());
    }
    let is_kept = |row: &Row| matches!(row.verdict, Verdict::Pass | Verdict::Xpass);
    let kept = rows.iter().filter(|row| is_kept(row)).count();
    let mut table = Table::new("", "promise", ["kept by", "not kept by", "for"].map(Column::words));
    let mut ids: Vec<&str> = rows.iter().filter(|row| !is_kept(row)).map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let misses = |id: &str| rows.iter().filter(|row| row.id == id && !is_kept(row)).count();
    ids.sort_by_key(|id| std::cmp::Reverse(misses(id)));
    for id in ids.iter().take(LINES) {
        let of: Vec<&&Row> = rows.iter().filter(|row| row.id == *id).collect();
        let broken: Vec<&Row> = of.iter().copied().copied().filter(|row| !is_kept(row)).collect();
        let names: Vec<&str> = broken.iter().map(|row| row.server.as_str()).collect();
        let promise = of.first().map_or(*id, |row| row.promise.as_str());
        let why = broken.first().map_or_else(String::new, |row| because(row));
        let cells = [format!("{} of {}", of.len() - broken.len(), of.len()), list(&names), why];
        table.line(promise, cells.map(Cell::plain).into());
    }
    if table.lines.is_empty() {
        let cells = [format!("{kept} of {}", rows.len()), "–".to_owned(), "–".to_owned()];
        table.line("every promise of the area", cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: format!(
            "Work whose client waits is mostly left alone: {kept} of {} checks are kept",
            rows.len()
        ),
        table,
        reason: "Whoever looks for clients that have left can take one that is silent, slow, or only done with sending for one of \
                 them. What breaks here is mostly a timeout of the connection that also ends an answer.",
        source: Source {
            name: "Go's `http.Server`: WriteTimeout is reset when the head of the next request is read, and not by the handler",
            at: "https://pkg.go.dev/net/http#Server",
        },
        more: "spared",
    })
}
