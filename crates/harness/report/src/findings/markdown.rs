//! The same as a page of Markdown, for `docs/learned.md`.

use std::fmt::Write;

use measure::table::{Cell, Column, Reason, Table};
use measure::text::{list, tied};

use super::Learned;
use crate::markdown::{self, cell, plain};

/// Writes the page.
pub fn page(learned: &Learned<'_>) -> String {
    let (results, machine) = (learned.results, &learned.results.machine);
    let mut text = String::from(
        "<!-- Written by `lab learned` from target/lab/results.json. Do not edit. -->\n\n# What a run taught\n\n",
    );
    let chosen = &results.scenarios;
    let _ = writeln!(
        text,
        "From `lab compare` on {}: {} servers, {} of {} scenarios ({}), profile {}. {} cores, Linux {}, {}; {}.\n\n\
         Every cell below is of that run. A reason stands under a table only where the run agrees with it.\n",
        results.taken_at,
        results.servers.len(),
        chosen.chosen,
        chosen.of,
        chosen.which,
        results.profile,
        machine.cores,
        machine.kernel,
        machine.rustc.as_deref().unwrap_or("no rustc"),
        results.noise
    );
    let columns = ["what it is", "version", "verdicts"].map(Column::words);
    let mut table = Table::new("Who ran", "server", columns);
    for who in &learned.who {
        let version = who.server.version.as_deref().unwrap_or("–");
        let cells = [&who.server.about, version, &who.verdicts].map(Cell::plain);
        table.line(who.server.name.as_str(), cells.into());
    }
    let _ = write!(text, "## {}\n\n{}", table.title, markdown::table(&table, cell));
    for table in &learned.tables {
        section(&mut text, table);
    }
    text
}

fn section(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n## {}\n\n{}\n", table.title, table.note);
    let head = |head: &str| if table.first == "scenario" { linked(head) } else { cell(head) };
    text.push_str(&markdown::table(table, head));
    if table.first == "scenario" {
        let _ = writeln!(
            text,
            "\n✓ kept (or how long it took), ✗ broken as expected, ± comes and goes, ! a SHOULD that was missed, – not \
             supported."
        );
    }
    if !table.sentences.is_empty() {
        let _ = writeln!(text);
    }
    for sentence in &table.sentences {
        let _ = writeln!(text, "- {}", plain(&tied(sentence)));
    }
    if !table.reasons.is_empty() {
        let _ = writeln!(text, "\nWhy:\n");
    }
    for (number, reason) in (1..).zip(&table.reasons) {
        let _ = writeln!(text, "{number}. {}", why(reason));
    }
}

fn why(reason: &Reason) -> String {
    let servers: Vec<&str> = reason.servers.iter().map(String::as_str).collect();
    let sources: Vec<String> = reason.sources.iter().map(|source| source_link(source)).collect();
    let sources = if sources.is_empty() { String::new() } else { format!(" ({})", sources.join(", ")) };
    let seen = if reason.text.starts_with("not explained") || reason.text.starts_with("a SHOULD") {
        String::new()
    } else {
        format!(" Seen: {}.", plain(&reason.seen))
    };
    let cells = if reason.cells == 1 { String::new() } else { format!(", {} cells", reason.cells) };
    format!("**{}**{cells}: {}{sources}.{seen}", list(&servers), plain(&reason.text))
}

/// A scenario's id with a link to its description.
fn linked(id: &str) -> String {
    format!("[`{id}`](scenarios.md#{})", id.replace('/', ""))
}

fn source_link(source: &str) -> String {
    match source.strip_prefix("docs/") {
        Some(path) => format!("[{source}]({path})"),
        None => format!("<{source}>"),
    }
}
