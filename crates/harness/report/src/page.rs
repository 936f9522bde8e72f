//! The report: one HTML file with everything inside, for a reader who has never heard of cancellation.

use askama::Template;
use measure::registry;
use measure::results::Results;
use measure::table::{Table, Tone};
use measure::text::{list, tied};
use suite::document::Row;
use suite::verdict::Verdict;

use crate::{findings, html, matrix};

mod chain;
pub mod curves;
pub mod gantt;
pub mod heat;
pub mod lanes;
pub mod memory;
pub mod packed;
mod pictures;
pub mod scale;
pub mod speed;
pub mod story;
pub mod watch;

/// Everything that the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    results: &'a Results,
    opening: Option<story::Opening>,
    story: Vec<story::Step>,
    /// The links to every section, by part.
    contents: Vec<(Part, Vec<Link>)>,
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
    /// Its anchor.
    id: String,
    title: String,
    pictures: String,
    /// Each table, and the same as HTML.
    tables: Vec<(Table, String)>,
    closed: bool,
}

impl Section {
    fn of(part: Part, pictures: String, mut tables: Vec<Table>) -> Result<(Link, String), String> {
        for table in &mut tables {
            // What stands below a picture is not said once more.
            table.sentences.retain(|sentence| !pictures.contains(&format!("<p>{}</p>", tied(sentence))));
        }
        let is_said = |table: &Table| !table.sentences.is_empty();
        let closed = !pictures.is_empty() || tables.iter().any(is_said);

        let title = tables.first().map_or_else(String::new, |table| table.title.clone());
        let rendered = tables.into_iter().map(|table| Ok((html::table(&table, true)?, table)));
        let tables = rendered.map(|both| both.map(|(html, table)| (table, html)));
        let link = Link::to(&title, part);
        let id = link.id.clone();
        let section = Self { id, title, pictures, tables: tables.collect::<Result<_, String>>()?, closed };
        let html = section.render().map_err(|error| format!("failed to render a section: {error}"))?;
        Ok((link, html))
    }
}

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Story,
    Stop,
    Time,
    Cost,
    Checks,
    Run,
}

impl Part {
    const ALL: [Self; 6] = [Self::Story, Self::Stop, Self::Time, Self::Cost, Self::Checks, Self::Run];

    /// Returns the part of a measurement.
    fn of(measurement: &str) -> Self {
        match measurement {
            "zombie" | "outside" | "leak" => Self::Stop,
            "overshoot" | "spread" | "disconnect" | "streams" | "resets" => Self::Time,
            _ => Self::Cost,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Story => "The story",
            Self::Stop => "Does the work stop?",
            Self::Time => "How soon?",
            Self::Cost => "What does it cost?",
            Self::Checks => "Every check",
            Self::Run => "This run",
        }
    }
}

/// A link to a section.
#[derive(Debug, Clone)]
struct Link {
    /// The part that it belongs to.
    part: Part,
    /// The anchor of the section.
    id: String,
    /// Its title as far as its first mark.
    text: String,
}

impl Link {
    fn to(title: &str, part: Part) -> Self {
        let text = title.split([',', '(', ':']).next().unwrap_or(title).trim().to_owned();
        Self { part, id: html::anchor(&text), text }
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
    let watched = watch::all(results)?;
    let story = story::steps(results).map_err(|error| format!("failed to tell the story: {error}"))?;
    let (links, sections): (Vec<Link>, Vec<String>) = sections(results)?.into_iter().unzip();
    let left_out = [matrix::not_run(results), matrix::left_out(results)].concat();
    let page = Page {
        results,
        opening: story::opening(results),
        contents: contents(
            &story,
            &watched,
            &areas,
            &links,
            [!left_out.is_empty() || !results.measured.gaps.is_empty(), has_gallery],
        ),
        story,
        sections,
        matrix: html::table(&areas, true)?,
        is_judged: !areas.lines.is_empty(),
        matrix_title: areas.title,
        matrix_sentences: areas.sentences,
        scenarios: html::table(&matrix::scenarios(results), false)?,
        watched,
        rows: packed::rows(results),
        misses_red: misses(results, true),
        misses: misses(results, false),
        left_out,
        facts: facts(results),
        has_gallery,
    };
    page.render().map_err(|error| format!("failed to render the report: {error}"))
}

/// The sections of the measurements, that of work after its answer first, and of the findings.
fn sections(results: &Results) -> Result<Vec<(Link, String)>, String> {
    let mut sections = Vec::new();
    for (name, mut tables) in registry::tables(results) {
        if name == "zombie" {
            // The headline stands in the story, and each style's sentence below its picture.
            tables[0].sentences.clear();
        }
        let pictures =
            pictures::of(name, results).map_err(|error| format!("failed to draw `{name}`: {error}"))?;
        sections.push(Section::of(Part::of(name), pictures, tables)?);
    }
    if results.measured.zombie.is_empty() {
        sections
            .insert(0, (Link { part: Part::Stop, id: String::new(), text: String::new() }, String::new()));
    }
    if let Some(table) = crate::chain::table(results) {
        let pictures =
            chain::render(results).map_err(|error| format!("failed to draw the chains: {error}"))?;
        sections.push(Section::of(Part::Stop, pictures, vec![table])?);
    }
    for mut table in findings::own(results).into_iter().flatten() {
        if table.first == "scenario" && table.sentences.is_empty() {
            table.sentences.push(counted(&table));
        }
        sections.push(Section::of(Part::Checks, String::new(), vec![table])?);
    }
    Ok(sections)
}

/// Returns of how many scenarios not every server passed.
fn counted(table: &Table) -> String {
    let is_kept = |cell: &measure::table::Cell| matches!(cell.tone, Tone::Good | Tone::None);
    let missed = table.lines.iter().filter(|line| !line.cells.iter().all(is_kept)).count();
    match missed {
        0 if table.lines.len() == 1 => "Every server passed the one scenario.".to_owned(),
        0 => format!("Every server passed all {} scenarios.", table.lines.len()),
        missed => format!("{missed} of {} scenarios did not pass on every server.", table.lines.len()),
    }
}

/// The links to every section by part, in the order of the page.
fn contents(
    story: &[story::Step],
    watched: &[watch::Watched],
    areas: &Table,
    sections: &[Link],
    [has_left_out, has_gallery]: [bool; 2],
) -> Vec<(Part, Vec<Link>)> {
    let link = |part, id: &str, text: &str| Link { part, id: id.to_owned(), text: text.to_owned() };
    let mut links: Vec<Link> = story.iter().map(|step| link(Part::Story, step.id, step.title)).collect();
    let (first, rest) = sections.split_at(sections.len().min(1));
    links.extend(first.iter().filter(|link| !link.id.is_empty()).cloned());
    links.extend(
        watched
            .iter()
            .zip(1..)
            .map(|(watch, number)| link(Part::Stop, &format!("watch-{number}"), &watch.title)),
    );
    links.extend((!areas.lines.is_empty()).then(|| link(Part::Checks, "matrix", "Scenarios passed")));
    links.extend(rest.iter().cloned());
    links.extend(has_left_out.then(|| link(Part::Run, "left-out", "What is not in this report")));
    links.extend(has_gallery.then(|| link(Part::Run, "gallery", "Servers on other people's frameworks")));
    links.push(link(Part::Run, "machine", "Where this was measured"));
    let of = |part: Part| (part, links.iter().filter(|link| link.part == part).cloned().collect::<Vec<_>>());
    Part::ALL.into_iter().map(of).filter(|(_, links)| !links.is_empty()).collect()
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
