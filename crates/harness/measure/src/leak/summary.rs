//! Leaks as a table.

use crate::results::Results;
use crate::stats::Line;
use crate::table::{Cell, Column, Table};
use crate::text::number;

/// The change per storm.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let Some(first) = results.measured.leak.first() else { return Vec::new() };
    let memory = [Column::of("heap and stacks", "kB"), Column::of("fit", "R²")];
    let columns = ["storms", "work", "threads", "descriptors"].map(Column::from).into_iter().chain(memory);
    let mut table = Table::new("What does storm after storm leave behind?", "server", columns);
    table.note = format!(
        "The change per storm of {} requests, style {}: a line through all storms but the first, which pays for what later ones \
         find. A leak has a slope and a good fit; an allocator's habits have neither for long.",
        number(first.requests as u64),
        first.style
    );
    let slope = |line: Option<Line>, unit: f64| {
        // Adding zero takes the sign off a zero that was rounded from below.
        let say =
            |line: Line| Cell::plain(format!("{:+.1}", (line.slope / unit * 10.0).round() / 10.0 + 0.0));
        line.map_or_else(Cell::none, say)
    };
    for leak in &results.measured.leak {
        let fit = |line: Line| Cell::plain(format!("{:.2}", line.r2));
        let cells = vec![
            Cell::plain(leak.rounds.len()),
            slope(leak.work, 1.0),
            slope(leak.threads, 1.0),
            slope(leak.descriptors, 1.0),
            slope(leak.anonymous, 1e3),
            leak.anonymous.map_or_else(Cell::none, fit),
        ];
        table.line(&leak.server, cells);
    }
    vec![table]
}
