//! Tables as HTML, for the page.

use askama::Template;
use measure::table::{Align, Cell, Opens, Table};
use measure::text::tied;

/// A table with its caption.
#[derive(Template)]
#[template(path = "table.html")]
struct Html<'a> {
    table: &'a Table,
    caption: String,
    /// True when cells open details above the page.
    opens: bool,
}

/// Returns a table; its caption is the note on reading it, behind the title unless a heading above the table says that.
///
/// # Errors
/// When the template cannot be filled.
pub fn table(table: &Table, is_titled: bool) -> Result<String, String> {
    let caption = match (is_titled, table.note.is_empty()) {
        (_, true) => table.title.clone(),
        (true, false) => table.note.clone(),
        (false, false) => format!("{}: {}", table.title, table.note),
    };
    let is_pressed = |cell: &Cell| matches!(cell.opens, Some(Opens::Row(_) | Opens::Area { .. }));
    let opens = table.lines.iter().flat_map(|line| &line.cells).any(is_pressed);
    let html = Html { table, caption, opens };
    html.render().map_err(|error| format!("failed to render the table `{}`: {error}", table.title))
}

impl Html<'_> {
    /// Returns the classes of a cell.
    fn classes(&self, cell: &Cell, align: &Align) -> String {
        let left = if *align == Align::Left { " left" } else { "" };
        format!("{}{left}", cell.tone.class()).trim_start().to_owned()
    }

    /// Returns the text of a cell, its figures tied to their units.
    fn text(&self, cell: &Cell) -> String {
        tied(&cell.text)
    }
}

#[cfg(test)]
mod tests {
    use measure::table::{Column, Tone};

    use super::*;

    #[test]
    fn cells_are_graded_aligned_and_escaped() {
        let columns = [Column::of("took", "ms"), Column::words("why")];
        let mut model = Table::new("Times", "server", columns);
        model.line("a<b", vec![Cell::new(Tone::Bad, "12 ms"), Cell::plain("slow")]);
        model.lines[0].cells[0].opens = Some(Opens::Row(3));
        let html = table(&model, false).unwrap();
        for part in [
            "<caption>Times</caption>",
            "<th scope=\"col\">took, ms</th><th scope=\"col\" class=\"left\">why</th>",
            "<td class=\"bad\"><button data-row=\"3\">12\u{a0}ms</button></td><td class=\"left\">slow</td>",
        ] {
            assert!(html.contains(part), "{part} is not in\n{html}");
        }
        model.lines[0].cells[0].opens = Some(Opens::Part("why".into()));
        let linked = table(&model, false).unwrap();
        assert!(linked.contains("<a href=\"#why\">12\u{a0}ms</a>") && !linked.contains("class=\"cells\""));
        assert!(!html.contains("a<b") && html.contains("<table class=\"cells\">"), "{html}");
    }

    #[test]
    fn the_note_is_the_caption_behind_the_title() {
        let model = Table { note: "How to read it.".into(), ..Table::new("Times", "server", ["a"]) };
        assert!(table(&model, false).unwrap().contains("<caption>Times: How to read it.</caption>"));
        assert!(table(&model, true).unwrap().contains("<caption>How to read it.</caption>"));
    }
}
