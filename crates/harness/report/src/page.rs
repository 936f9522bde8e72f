//! The report: one HTML file with everything inside, for a reader who has never heard of cancellation.

use askama::Template;
use measure::registry;
use measure::results::Results;
use measure::table::Table;
use measure::text::{list, tied};
use measure::zombie::summary::headline;
use suite::document::Row;
use suite::verdict::Verdict;

use crate::{findings, html, matrix};

pub mod curves;
pub mod gantt;
pub mod heat;
pub mod memory;
pub mod packed;
mod pictures;
pub mod scale;
pub mod speed;
pub mod watch;

/// Everything that the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    results: &'a Results,
    deadline: String,
    work: String,
    verdict: Vec<String>,
    /// A section for each measurement, and behind them the findings.
    sections: Vec<String>,
    matrix: String,
    matrix_title: String,
    matrix_sentences: Vec<String>,
    is_judged: bool,
    scenarios: String,
    watched: Vec<watch::Watched>,
    /// The rows that the cells open.
    rows: String,
    misses_red: Vec<Miss<'a>>,
    misses: Vec<Miss<'a>>,
    left_out: Vec<String>,
    facts: Vec<(&'static str, String)>,
    /// True when the gallery's page stands beside this one.
    has_gallery: bool,
}

/// A heading, pictures, and tables with their sentences.
#[derive(Template)]
#[template(path = "section.html")]
struct Section {
    title: String,
    pictures: String,
    /// Each table, and the same as HTML.
    tables: Vec<(Table, String)>,
    closed: bool,
}

impl Section {
    fn of(pictures: String, tables: Vec<Table>, closed: bool) -> Result<String, String> {
        let title = tables.first().map_or_else(String::new, |table| table.title.clone());
        let rendered = tables.into_iter().map(|table| Ok((html::table(&table, true)?, table)));
        let tables = rendered.map(|both| both.map(|(html, table)| (table, html)));
        let section = Self { title, pictures, tables: tables.collect::<Result<_, String>>()?, closed };
        section.render().map_err(|error| format!("failed to render a section: {error}"))
    }
}

/// A result that is neither passed nor unsupported.
struct Miss<'a> {
    class: &'static str,
    servers: String,
    row: &'a Row,
}

/// Renders the report.
///
/// # Errors
/// When the template cannot be filled.
pub fn render(results: &Results) -> Result<String, String> {
    render_beside(results, false)
}

/// Renders the report, with a link to the gallery's page where that stands beside it.
///
/// # Errors
/// When the template cannot be filled.
pub fn render_beside(results: &Results, has_gallery: bool) -> Result<String, String> {
    let areas = matrix::areas(results);
    let page = Page {
        results,
        deadline: planned(results.plan.zombie.deadline_ms),
        work: planned(results.plan.zombie.work_ms),
        verdict: headline(results).iter().map(|text| tied(text)).collect(),
        sections: sections(results)?,
        matrix: html::table(&areas, true)?,
        is_judged: !areas.lines.is_empty(),
        matrix_title: areas.title,
        matrix_sentences: areas.sentences,
        scenarios: html::table(&matrix::scenarios(results), false)?,
        watched: watch::all(results)?,
        rows: packed::rows(results),
        misses_red: misses(results, true),
        misses: misses(results, false),
        left_out: [matrix::not_run(results), matrix::left_out(results)].concat(),
        facts: facts(results),
        has_gallery,
    };
    page.render().map_err(|error| format!("failed to render the report: {error}"))
}

/// The sections of the measurements, that of work after its answer first, and of the findings.
fn sections(results: &Results) -> Result<Vec<String>, String> {
    let mut sections = Vec::new();
    for (name, mut tables) in registry::tables(results) {
        if name == "zombie" {
            // The headline stands on top of the page, and each style's sentence below its picture.
            tables[0].sentences.clear();
        }
        let pictures =
            pictures::of(name, results).map_err(|error| format!("failed to draw `{name}`: {error}"))?;
        sections.push(Section::of(pictures, tables, true)?);
    }
    if results.measured.zombie.is_empty() {
        sections.insert(0, String::new());
    }
    for table in findings::own(results).into_iter().flatten() {
        let closed = table.first == "scenario";
        sections.push(Section::of(String::new(), vec![table], closed)?);
    }
    Ok(sections)
}

/// A planned duration, which is a round one.
fn planned(ms: u64) -> String {
    tied(&if ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") })
}

/// Returns the promises that were not kept: those that must not be overlooked, or the rest.
fn misses(results: &Results, red: bool) -> Vec<Miss<'_>> {
    let is_red = |verdict: Verdict| verdict.is_red() || verdict == Verdict::Error;
    let misses = results.misses().into_iter().filter(|(_, row)| is_red(row.verdict) == red);
    misses
        .map(|(servers, row)| Miss { class: matrix::tone(row.verdict).class(), servers: list(&servers), row })
        .collect()
}

/// The class of a server's line: its color and its dashes, the same in all pictures, so that 30 lines can be told apart.
fn ink(results: &Results, server: &str) -> String {
    let place = results.names().iter().position(|name| *name == server).unwrap_or(0);
    format!("ink-{} dash-{}", place % 6, place % 5)
}

fn facts(results: &Results) -> Vec<(&'static str, String)> {
    let (machine, unknown) = (&results.machine, || "unknown".to_owned());
    let mut facts = vec![
        ("taken", format!("{}, in {:.0} s after the build", results.taken_at, results.took_ms as f64 / 1e3)),
        ("command", results.command.join(" ")),
        ("processor", format!("{}, {} cores", machine.cpu.clone().unwrap_or_else(unknown), machine.cores)),
        ("memory", machine.memory.map_or_else(unknown, |bytes| format!("{:.1} GB", bytes as f64 / 1e9))),
        ("load before the run", machine.load.map_or_else(unknown, |load| format!("{load:.2}"))),
        ("kernel", machine.kernel.clone()),
        ("compiler", machine.rustc.clone().unwrap_or_else(unknown)),
        ("noise floor", results.noise.to_string()),
        (
            "a zombie is",
            format!("work that goes on for more than {} ms after its answer", results.limits.zombie_ms),
        ),
    ];
    for server in &results.servers {
        let version = server.version.as_deref().unwrap_or("no version");
        let binary = server.binary.as_ref().map_or_else(unknown, |b| format!("SHA-256 {}", b.sha256));
        facts.push(("server", format!("{}: {version}; {}; {binary}", server.name, server.about)));
    }
    facts
}

#[cfg(test)]
pub(crate) mod tests;
