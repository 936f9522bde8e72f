//! Tables as Markdown.

use std::fmt::Write;

use measure::table::{Align, Table};
use measure::text::tied;

/// Returns the lines of a table of plain text; `head` renders the header of each line.
pub fn table(table: &Table, head: impl Fn(&str) -> String) -> String {
    lines(table, head, |text| cell(&tied(text)))
}

/// Returns the lines of a table whose texts are Markdown themselves.
pub fn table_of_markup(table: &Table) -> String {
    lines(table, inside, inside)
}

fn lines(table: &Table, head: impl Fn(&str) -> String, text: impl Fn(&str) -> String) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| text(&column.head())).collect();
    let rule = |align| if align == Align::Left { "---" } else { "---:" };
    let rules: Vec<&str> = table.columns.iter().map(|column| rule(column.align)).collect();
    let mut lines =
        format!("| {} | {} |\n| --- | {} |\n", text(&table.first), columns.join(" | "), rules.join(" | "));
    for line in &table.lines {
        let cells: Vec<String> = line.cells.iter().map(|one| text(&one.text)).collect();
        let _ = writeln!(lines, "| {} | {} |", head(&line.head), cells.join(" | "));
    }
    lines
}

/// Returns a plain text as a cell: it cannot end the cell, nor become markup.
pub fn cell(text: &str) -> String {
    inside(&plain(&text.replace('\n', ", ")))
}

/// Returns a plain text that cannot become markup.
pub fn plain(text: &str) -> String {
    text.replace('<', "&lt;").replace('*', "\\*").replace('\n', " ")
}

/// Returns Markdown that cannot end the cell it stands in.
fn inside(markup: &str) -> String {
    markup.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use measure::table::{Cell, Column};

    use super::*;

    fn model() -> Table {
        let mut model = Table::new("", "server", [Column::of("took", "ms"), Column::words("why")]);
        model.line("a", vec![Cell::plain("1\n2 ms"), Cell::plain("*a|b<c*")]);
        model
    }

    #[test]
    fn plain_text_cannot_end_its_cell_nor_become_markup() {
        assert_eq!(
            table(&model(), |head| format!("`{head}`")),
            "| server | took, ms | why |\n| --- | ---: | --- |\n| `a` | 1, 2\u{a0}ms | \\*a\\|b&lt;c\\* |\n"
        );
    }

    #[test]
    fn markup_stays_and_cannot_end_its_cell() {
        assert!(table_of_markup(&model()).ends_with("| a | 1 2 ms | *a\\|b<c* |\n"));
    }
}
