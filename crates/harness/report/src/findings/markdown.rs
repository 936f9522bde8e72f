//! The same as a page of Markdown, for `docs/learned.md`.

use std::fmt::Write;

use super::{Learned, Reason, Table};
use measure::text::{list, tied};

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
    let _ = writeln!(
        text,
        "## Who ran\n\n| server | what it is | version | verdicts |\n| --- | --- | --- | --- |"
    );
    for who in &learned.who {
        let version = who.server.version.as_deref().unwrap_or("–");
        let cells = [&who.server.name, &who.server.about, version, &who.verdicts].map(cell);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for table in &learned.tables {
        section(&mut text, table);
    }
    text
}

fn section(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n## {}\n\n{}\n", table.title, table.note);
    let rule = vec!["---"; table.columns.len() + 1].join(" | ");
    let columns: Vec<String> = table.columns.iter().map(|column| cell(column)).collect();
    let _ = writeln!(text, "| {} | {} |\n| {rule} |", table.first, columns.join(" | "));
    for line in &table.lines {
        let head = if table.first == "scenario" { linked(&line.head) } else { cell(&line.head) };
        let cells: Vec<String> = line.cells.iter().map(|one| cell(&tied(&one.text))).collect();
        let _ = writeln!(text, "| {head} | {} |", cells.join(" | "));
    }
    if table.first == "scenario" {
        let _ = writeln!(
            text,
            "\n✓ kept (or how long it took), ✗ broken as expected, ± comes and goes, ! a SHOULD that was missed, – not \
             supported."
        );
    }
    if !table.told.is_empty() {
        let _ = writeln!(text);
    }
    for sentence in &table.told {
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

/// A text that cannot break out of its cell, nor become markup.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|").replace('\n', " ")
}

/// A text that cannot become markup.
fn plain(text: &str) -> String {
    text.replace('<', "&lt;").replace('*', "\\*").replace('\n', " ")
}
