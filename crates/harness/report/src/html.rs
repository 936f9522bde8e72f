//! Tables as HTML, for the page.

use std::collections::HashSet;

use askama::Template;
use measure::table::{Align, Cell, Column, Line, Opens, Table};
use measure::text::tied;

/// A table with its caption.
#[derive(Template)]
#[template(path = "table.html")]
struct Html<'a> {
    table: &'a Table,
    caption: String,
    /// True when cells open details above the page.
    opens: bool,
    /// The anchor of each cell.
    anchors: Vec<Vec<String>>,
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
    let html = Html { table, caption, opens, anchors: anchors(table) };
    html.render().map_err(|error| format!("failed to render the table `{}`: {error}", table.title))
}

/// Returns the anchors of a table's cells: `tokio:work/drop` for one that opens details, else table, line and column.
fn anchors(table: &Table) -> Vec<Vec<String>> {
    let title = anchor(table.title.split(['(', ':']).next().unwrap_or_default());
    let mut taken = HashSet::new();
    let mut free = |wanted: String| {
        let numbered =
            |number: usize| if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
        (1..).map(numbered).find(|name| taken.insert(name.clone())).expect("some number is free")
    };
    let mut of = |line: &Line| {
        let cell = |(cell, column): (&Cell, &Column)| match cell.opens {
            Some(Opens::Row(_) | Opens::Area { .. }) => free(format!("{}:{}", column.name, line.head)),
            _ => free(format!("{title}:{}:{}", anchor(&line.head), anchor(&column.name))),
        };
        line.cells.iter().zip(&table.columns).map(cell).collect()
    };
    table.lines.iter().map(&mut of).collect()
}

/// Returns a text as an anchor: its letters and digits in lower case, everything else as single hyphens.
pub fn anchor(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
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
    use measure::table::Tone;

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
            "<td id=\"took:a&#60;b\" class=\"bad\"><button data-row=\"3\">12\u{a0}ms</button></td>",
            "<td id=\"times:a-b:why\" class=\"left\">slow</td>",
        ] {
            assert!(html.contains(part), "{part} is not in\n{html}");
        }
        model.lines[0].cells[0].opens = Some(Opens::Part("why".into()));
        let linked = table(&model, false).unwrap();
        assert!(linked.contains("<a href=\"#why\">12\u{a0}ms</a>") && !linked.contains("class=\"cells\""));
        assert!(!html.contains("a<b") && html.contains("<table class=\"cells\">"), "{html}");
    }

    #[test]
    fn every_cell_has_an_anchor_of_its_own() {
        let mut model = Table::new("Times, in ms (all)", "server", ["a", "b"]);
        for _ in 0..2 {
            model.line("x y", vec![Cell::plain(1), Cell::plain(2)]);
        }
        let anchors = anchors(&model).concat();
        assert_eq!(
            anchors,
            ["times-in-ms:x-y:a", "times-in-ms:x-y:b", "times-in-ms:x-y:a-2", "times-in-ms:x-y:b-2"]
        );
    }

    #[test]
    fn a_wide_table_says_that_it_scrolls() {
        let with =
            |columns: &[&str]| table(&Table::new("T", "server", columns.iter().copied()), false).unwrap();
        assert!(
            !with(&["a", "b", "c"]).contains("hint")
                && with(&["a", "b", "c", "d"]).contains("class=\"hint\"")
        );
        assert!(with(&["a"; 9]).contains("class=\"hint many\""));
    }

    #[test]
    fn the_note_is_the_caption_behind_the_title() {
        let model = Table { note: "How to read it.".into(), ..Table::new("Times", "server", ["a"]) };
        assert!(table(&model, false).unwrap().contains("<caption>Times: How to read it.</caption>"));
        assert!(table(&model, true).unwrap().contains("<caption>How to read it.</caption>"));
    }
}
