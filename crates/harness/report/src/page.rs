//! The report: one HTML file with everything inside, for a reader who has never heard of cancellation.

use askama::Template;
use measure::results::Results;
use measure::zombie::STYLES;
use measure::zombie::{Fate, How, Life};
use suite::document::Row;
use suite::verdict::Verdict;

use crate::summary;
use crate::{findings, html, matrix};
use measure::text::{self, number, span, tied};

pub mod curves;
pub mod gantt;
pub mod heat;
pub mod memory;
pub mod packed;
pub mod scale;
pub mod speed;
pub mod watch;

use curves::{LatePicture, StormPicture};
use gantt::Gantt;
use speed::BarPicture;

/// Everything that the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    results: &'a Results,
    deadline: String,
    work: String,
    verdict: Vec<String>,
    gantts: Vec<Gantt>,
    matrix: String,
    matrix_title: String,
    matrix_sentences: Vec<String>,
    is_judged: bool,
    /// The rows that the cells open.
    rows: String,
    misses_red: Vec<Miss<'a>>,
    misses: Vec<Miss<'a>>,
    scenarios: String,
    left_out: Vec<String>,
    tails: Vec<Tail<'a>>,
    late: Vec<Late<'a>>,
    late_pictures: Vec<LatePicture>,
    late_told: Vec<String>,
    storms: Vec<StormOf<'a>>,
    watched: Vec<watch::Watched>,
    learned: String,
    speed: Vec<BarPicture>,
    memories: Vec<memory::MemoryPicture>,
    heats: Vec<heat::HeatPicture>,
    facts: Vec<(&'static str, String)>,
}

/// The run's findings, as a part of the page.
#[derive(Template)]
#[template(path = "learned.html")]
struct LearnedPart {
    tables: Vec<findings::Table>,
}

/// A row of a table: its header, and cells with a class each.
struct Line<'a> {
    head: &'a str,
    cells: Vec<(&'static str, String)>,
}

/// A result that is neither passed nor unsupported.
struct Miss<'a> {
    class: &'static str,
    servers: String,
    row: &'a Row,
}

/// The worst life of a server and style.
struct Tail<'a> {
    life: &'a Life,
    class: &'static str,
    fate: String,
    late: String,
    beat: String,
    end: String,
    how: &'static str,
}

/// A line of the table of lateness.
struct Late<'a> {
    server: &'a str,
    at_once: String,
    deadline: String,
    answers: String,
    early: usize,
    figures: [String; 3],
}

/// The storms of one style.
struct StormOf<'a> {
    style: &'a str,
    pictures: Vec<StormPicture>,
    rows: Vec<Line<'a>>,
    told: Vec<String>,
}

/// Renders the report.
///
/// # Errors
/// When the template cannot be filled.
pub fn render(results: &Results) -> Result<String, String> {
    let areas = matrix::areas(results);
    let page = Page {
        results,
        deadline: planned(results.plan.zombie.deadline_ms),
        work: planned(results.plan.zombie.work_ms),
        verdict: summary::verdict(results).iter().map(|text| tied(text)).collect(),
        gantts: gantt::all(results),
        matrix: html::table(&areas, true)?,
        is_judged: !areas.lines.is_empty(),
        matrix_title: areas.title,
        matrix_sentences: areas.sentences,
        rows: packed::rows(results),
        misses_red: misses(results, true),
        misses: misses(results, false),
        scenarios: html::table(&matrix::scenarios(results), false)?,
        left_out: [matrix::not_run(results), matrix::left_out(results)].concat(),
        tails: tails(results),
        late: late(results),
        late_pictures: curves::late(results),
        late_told: summary::overshoot(results).iter().map(|text| tied(text)).collect(),
        storms: storms(results),
        watched: watch::all(results)?,
        speed: speed::all(results),
        memories: memory::all(results),
        heats: heat::all(results),
        learned: LearnedPart { tables: findings::learn(results).tables }
            .render()
            .map_err(|error| format!("failed to render what was learned: {error}"))?,
        facts: facts(results),
    };
    page.render().map_err(|error| format!("failed to render the report: {error}"))
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
        .map(|(servers, row)| Miss {
            class: matrix::tone(row.verdict).class(),
            servers: text::list(&servers),
            row,
        })
        .collect()
}

/// The class of a server's line: its color and its dashes, the same in all pictures, so that 30 lines can be told apart.
fn ink(results: &Results, server: &str) -> String {
    let place = results.names().iter().position(|name| *name == server).unwrap_or(0);
    format!("ink-{} dash-{}", place % 6, place % 5)
}

fn tails(results: &Results) -> Vec<Tail<'_>> {
    let limit = results.limits.zombie_ms;
    let mut tails = Vec::new();
    for style in STYLES {
        for name in results.names() {
            let worst = summary::worst(results, name, style);
            let lives = results.measured.lives_of(name, style);
            let Some(life) = lives.into_iter().find(|life| Some(life.fate(limit)) == worst) else { continue };
            let (class, fate) = match life.fate(limit) {
                Fate::Stopped(_) => ("good", "stopped".to_owned()),
                Fate::Zombie(ms) => ("bad", format!("zombie for {}", span(ms))),
                Fate::Endless(ms) => ("bad", format!("zombie for more than {}", span(ms))),
                Fate::HeldAnswer(ms) => ("odd", format!("held up its own 504 for {}", span(ms))),
                Fate::Unborn => ("none", "no start heard".to_owned()),
                Fate::NoTimeout => ("odd", "no 504".to_owned()),
            };
            let after = |ms: Option<f64>| Some(span(ms? - life.answered_ms?));
            let beat = if life.beats_after > 0 { after(life.last_beat_ms) } else { None };
            tails.push(Tail {
                life,
                class,
                fate,
                late: life.late_ms().map_or("-".to_owned(), span),
                beat: beat.unwrap_or_else(|| "none".to_owned()),
                end: after(life.ended_ms).unwrap_or_else(|| "not seen".to_owned()),
                how: life.how.map_or("not seen", How::word),
            });
        }
    }
    tails
}

fn late(results: &Results) -> Vec<Late<'_>> {
    let line = |o: &'_ measure::overshoot::Overshoot| {
        let figures = o.summary_ms.map(|s| {
            let say = |ms: f64| format!("{ms:.2} ms");
            [say(s.p50), text::percentile(s.p99, say), say(s.max)]
        });
        (o.summary_ms.map_or(0, |summary| summary.count), figures.unwrap_or_default())
    };
    results
        .measured
        .overshoot
        .iter()
        .map(|o| {
            let (count, figures) = line(o);
            Late {
                server: &o.server,
                at_once: number(o.at_once as u64),
                deadline: span(o.deadline_ms),
                answers: number(count as u64),
                early: o.early,
                figures,
            }
        })
        .collect()
}

fn storms(results: &Results) -> Vec<StormOf<'_>> {
    let styles = results.plan.storm.styles.iter();
    let storms = styles.map(|style| StormOf {
        style,
        pictures: curves::storms(results, style),
        rows: results.names().into_iter().filter_map(|name| storm_line(results, name, style)).collect(),
        told: summary::storms(results, style).iter().map(|text| tied(text)).collect(),
    });
    storms.filter(|storm| !storm.rows.is_empty()).collect()
}

fn storm_line<'a>(results: &Results, name: &'a str, style: &str) -> Option<Line<'a>> {
    let storm = summary::representative(&results.measured.storms_of(name, style))?;
    let (before, peak, after) = (storm.before(), storm.peak(), storm.after());
    let left = storm.left_behind();
    let mut cells = vec![
        ("", number(peak.work)),
        (if left > 0 { "bad" } else { "good" }, number(left)),
        ("", storm.quiesce_ms().map_or("never".to_owned(), |ms| span(ms.max(0.0)))),
        ("", format!("{:.1}", storm.zombie_area())),
    ];
    let way =
        |of: &dyn Fn(measure::storm::Reading) -> String| ("", [before, peak, after].map(of).join(" → "));
    cells.push(way(&|reading| number(reading.threads)));
    cells.push(way(&|reading| number(reading.descriptors)));
    cells.push(way(&|reading| format!("{:.1}", reading.pss as f64 / 1e6)));
    Some(Line { head: name, cells })
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
