//! The findings and the pages of all figures as Markdown.

use std::fmt::Write;
use std::path::Path;

use measure::results::Results;
use measure::table::{Reason, Table};
use measure::text::{list, tied};

use super::{Area, Finding, Learned};
use crate::markdown::{self, cell, plain};

/// The folder of the pages of all figures, from `docs`.
pub const FOLDER: &str = "results/learned";

/// The first line of every page.
const MARK: &str = "<!-- Written by `lab learned --write` from a run's results.json. Do not edit. -->\n\n";

/// Writes the page of the findings; `areas` are the pages with all figures.
pub fn page(results: &Results, learned: &Learned, areas: &[Area]) -> String {
    let count = learned.findings.len();
    let mut text = format!(
        "{MARK}# What a run taught: {count} findings\n\nEach is a sentence, the figures of one run that show it, the reason, and \
         where that is written. A finding that the run does not show is not here.\n\n{}\n",
        origin(results)
    );
    let links: Vec<String> =
        areas.iter().map(|area| format!("[{}]({FOLDER}/{}.md)", lower(area.title), area.name)).collect();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let _ = writeln!(text, "\nAll figures: {}.", list(&links));
    for (number, finding) in (1..).zip(&learned.findings) {
        one(&mut text, number, finding);
    }
    limits(&mut text, results, learned);
    text
}

/// Writes one finding.
fn one(text: &mut String, number: usize, finding: &Finding) {
    let Finding { title, table, reason, source, more } = finding;
    let _ = writeln!(text, "\n## {number}. {}\n", plain(&tied(title)));
    text.push_str(&markdown::table(table, cell));
    let _ = writeln!(
        text,
        "\nWhy: {}\n\nSource: [{}]({}). All figures: [{more}]({FOLDER}/{more}.md).",
        tied(reason),
        source.name,
        source.at
    );
}

/// Writes what the run cannot say.
fn limits(text: &mut String, results: &Results, learned: &Learned) {
    text.push_str("\n## What this run does not show\n\n");
    for (about, why) in &learned.left_out {
        let _ = writeln!(text, "- Nothing on {about}: {}.", plain(&tied(why)));
    }
    let load = results.machine.load.map_or_else(String::new, |load| {
        format!(" The load of the machine was {load:.1} when the run began: times are as good as that.")
    });
    let _ = writeln!(
        text,
        "- Client and servers shared {} cores and the loopback interface, so times tell servers apart, and not one machine from \
         another.{load}\n- One version of each server was tried, in the configuration that [the list](../servers.toml) names.",
        results.machine.cores
    );
}

/// Writes a page with all figures of an area.
pub fn area(results: &Results, area: &Area) -> String {
    let mut text = format!("{MARK}# {}: all figures\n\n{}\n", area.title, origin(results));
    let _ = writeln!(
        text,
        "\nWhat is to be learned from them stands in [the findings](../../learned.md). Every cell is of that run; a reason stands \
         under a table only where the run agrees with it."
    );
    for table in &area.tables {
        section(&mut text, table);
    }
    text
}

/// Returns the run in a sentence: when, of what, and on which machine.
fn origin(results: &Results) -> String {
    let (machine, chosen) = (&results.machine, &results.scenarios);
    let load = machine.load.map_or_else(String::new, |load| format!(", load {load:.1}"));
    format!(
        "From `lab compare` on {}: {} servers, {} of {} scenarios ({}), limits of profile {}, {}. {} cores, Linux {}, {}{load}; {}.",
        results.taken_at,
        results.servers.len(),
        chosen.chosen,
        chosen.of,
        chosen.which,
        results.profile,
        build(results),
        machine.cores,
        machine.kernel,
        machine.rustc.as_deref().unwrap_or("no rustc"),
        results.noise
    )
}

/// Returns the profile of cargo by which the lab and its servers were built, as their paths say it.
fn build(results: &Results) -> String {
    let profile = |path: &Path| match path.parent().and_then(Path::file_name)?.to_str()? {
        profile @ ("release" | "debug") => Some(profile.to_owned()),
        _ => None,
    };
    let lab = results.command.first().and_then(|path| profile(Path::new(path)));
    let binaries = results.servers.iter().filter_map(|server| server.binary.as_ref());
    let mut servers: Vec<String> = binaries.filter_map(|binary| profile(&binary.path)).collect();
    servers.sort();
    servers.dedup();
    let (lab, servers) = (lab.as_deref().unwrap_or("unknown"), servers.join(" and "));
    match &servers[..] {
        "" => format!("the lab's build: {lab}"),
        servers => format!("the lab's build: {lab}, the Rust servers': {servers}"),
    }
}

/// Returns a heading as words of a sentence.
fn lower(title: &str) -> String {
    if title.starts_with("HTTP") {
        return title.to_owned();
    }
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn section(text: &mut String, table: &Table) {
    let note = if table.note.is_empty() { String::new() } else { format!("{}\n\n", plain(&table.note)) };
    let _ = write!(text, "\n## {}\n\n{note}", table.title);
    let head = |head: &str| if table.first == "scenario" { linked(head) } else { cell(head) };
    text.push_str(&markdown::table(table, head));
    if table.first == "scenario" {
        let _ = writeln!(
            text,
            "\n✓ kept (or how long it took), ✗ broken as expected, ± comes and goes, ! a recommendation that was not kept, – not \
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
    let seen =
        if reason.text.starts_with("not explained") || reason.text.starts_with("recommended, and not kept") {
            String::new()
        } else {
            format!(" Seen: {}.", plain(&reason.seen))
        };
    let cells = if reason.cells == 1 { String::new() } else { format!(", {} cells", reason.cells) };
    format!("**{}**{cells}: {}{sources}.{seen}", list(&servers), plain(&reason.text))
}

/// A scenario's id with a link to its description.
fn linked(id: &str) -> String {
    format!("[`{id}`](../../scenarios.md#{})", id.replace('/', ""))
}

fn source_link(source: &str) -> String {
    match source.strip_prefix("docs/") {
        Some(path) => format!("[{source}](../../{path})"),
        None => format!("<{source}>"),
    }
}
