//! Tables by servers that would be parted, folded into a line for each server.

use measure::disconnect::{ACTIONS, Heard, said};
use measure::results::Results;
use measure::table::{Cell, Column, Table, Tone};
use measure::text::span;
use suite::document::Status;

use super::render::{self, Screen};

/// Returns the table of the areas, or where it would be parted, a line for each server with the areas it did not pass.
pub(super) fn areas(table: Table, results: &Results, screen: Screen) -> Table {
    if render::parts(&table, screen) < 2 {
        return table;
    }
    let mut folded =
        Table::new(table.title, "server", [Column::of("passed", ""), Column::words("not all of")]);
    for server in &results.servers {
        let scores = results.areas().into_iter().map(|area| (area, results.score(&server.name, area)));
        let (mut passed, mut all, mut short) = (0, 0, Vec::new());
        for (area, (good, of)) in scores {
            (passed, all) = (passed + good, all + of);
            short.extend((good < of).then(|| format!("{area} {good}/{of}")));
        }
        let score = match (all, server.status) {
            (0, Status::Ran) => Cell::none(),
            (0, status) => Cell::new(Tone::None, status.word()),
            _ => Cell::plain(format!("{passed}/{all}")),
        };
        let short = Cell::plain(short.join(", "));
        folded.line(&server.name, vec![score, short]);
    }
    Table { sentences: table.sentences, note: table.note, ..folded }
}

/// Returns the first of these, and the number of the others.
fn some(missed: &[&str]) -> String {
    const SHOWN: usize = 2;
    match missed.len().saturating_sub(SHOWN) {
        0 => missed.join("; "),
        more => format!("{}; and {more} more", missed[..SHOWN].join("; ")),
    }
}

/// Returns the table of disconnects, or where it would be parted, a line for each server.
pub(super) fn disconnects(table: Table, results: &Results, screen: Screen) -> Table {
    if render::parts(&table, screen) < 2 {
        // A sentence for each server says what its column does.
        return Table { sentences: Vec::new(), ..table };
    }
    let columns =
        [Column::of("canceled in", ""), Column::of("median / worst", ""), Column::words("runs on after")];
    let mut folded = Table::new("Does the work hear that its client disconnected?", "server", columns);
    for name in table.columns.iter().map(|column| column.name.as_str()) {
        let heard = |action: &measure::disconnect::Action| {
            Some((said(action.name), results.measured.heard_of(name, action.name)?))
        };
        let ways: Vec<(String, Heard)> = ACTIONS.iter().filter_map(heard).collect();
        let missed: Vec<&str> = ways
            .iter()
            .filter(|(_, way)| way.canceled < way.tries)
            .map(|(action, _)| action.as_str())
            .collect();
        let tone = if missed.is_empty() { Tone::Good } else { Tone::Bad };
        let took = results.measured.canceled_of(name);
        let took = took
            .map_or_else(Cell::none, |took| Cell::plain(format!("{} / {}", span(took.p50), span(took.max))));
        let count = Cell::new(tone, format!("{} of {}", ways.len() - missed.len(), ways.len()));
        folded.line(name, vec![count, took, Cell::plain(some(&missed))]);
    }
    Table { note: table.note, ..folded }
}
