//! The output of `lab compare`: a table for each question, and under it the meaning. Never wider than 100 columns.

use std::fmt::Write;

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};
use measure::results::Results;
use measure::zombie::Fate;
use measure::zombie::STYLES;

use super::leave;
use super::pictures;
use super::render::{self, wrap};
use crate::matrix;
use crate::summary;
use measure::text::{self, megabytes, number, span};

mod held;
mod speed;

/// The widest line.
pub const WIDTH: u16 = 100;

/// Everything that is printed of a run.
pub fn print(results: &Results, color: bool) -> String {
    let mut printed = Printed { text: String::new(), color };
    let mut matrix = matrix::areas(results);
    let misses = matrix::misses(results);
    matrix.sentences.extend(if misses.is_empty() {
        vec!["Every scenario passed.".to_owned()]
    } else {
        misses
    });
    printed.table(&matrix);
    printed.section(
        "Does the work stop? (how long it went on after its 504 had been read)",
        zombies(results, color),
        summary::verdict(results).into_iter().chain(summary::tails(results)).collect(),
    );
    printed.section("Requests and their work, over time", pictures::gantt(results, color), Vec::new());
    printed.section(
        "How late is the 504? (from the deadline to its first byte)",
        overshoot(results, color),
        summary::overshoot(results),
    );
    printed.section(
        "Lateness as a curve (further left is earlier)",
        pictures::late(results, color),
        Vec::new(),
    );
    printed.parts(
        "Does the work hear that its client left? (median / worst time to cancel)",
        leave::tables(results, color),
        leave::words(results),
    );
    for style in &results.plan.storm.styles {
        storm(&mut printed, results, style);
    }
    for (title, table, sentences) in
        speed::sections(results, color).into_iter().chain(held::sections(results, color))
    {
        printed.section(&title, table, sentences);
    }
    printed.section("Gaps", None, gaps(results));
    printed.section("Where", None, place(results));
    printed.text
}

/// The text that is printed, section by section.
struct Printed {
    text: String,
    color: bool,
}

impl Printed {
    /// Adds a section, if there is something in it.
    fn section(&mut self, title: &str, table: Option<Table>, sentences: Vec<String>) {
        if table.is_none() && sentences.is_empty() {
            return;
        }
        let (bold, plain) = if self.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.text, "\n{bold}{}{plain}", wrap(title, ""));
        if let Some(mut table) = table {
            fit(&mut table);
            let _ = writeln!(self.text, "{}", table.trim_fmt());
        }
        for sentence in sentences {
            let _ = writeln!(self.text, "{}", wrap(&sentence, "  "));
        }
    }

    /// Adds a table with its sentences, if it has lines.
    fn table(&mut self, table: &measure::table::Table) {
        if !table.lines.is_empty() {
            self.section(&table.title, None, table.sentences.clone());
            self.text += &render::table(table, self.color);
            if !table.note.is_empty() {
                let _ = writeln!(self.text, "{}", wrap(&table.note, "  "));
            }
        }
    }

    /// Adds a section for each part of a table that is too wide, and the sentences under the last.
    fn parts(&mut self, title: &str, tables: Vec<Table>, mut sentences: Vec<String>) {
        let last = tables.len();
        for (number, table) in (1..).zip(tables) {
            let title = if number == 1 { title } else { "The same, for the other servers" };
            let sentences = if number == last { std::mem::take(&mut sentences) } else { Vec::new() };
            self.section(title, Some(table), sentences);
        }
    }
}

/// Adds the storms of one style, in figures and over time.
fn storm(printed: &mut Printed, results: &Results, style: &str) {
    let title = format!(
        "A storm of {} requests that time out, work in style {style} (before → peak → after)",
        number(results.plan.storm.requests as u64)
    );
    printed.section(&title, storms(results, style, printed.color), summary::storms(results, style));
    let title = format!("The same storm over time, style {style}");
    printed.section(&title, pictures::storms(results, style, printed.color), Vec::new());
}

/// A sentence for each thing that could not be measured, or run.
fn gaps(results: &Results) -> Vec<String> {
    // What stands beside its own table needs no second place.
    let gaps = results.measured.gaps.iter().filter(|gap| !leave::tells(gap)).map(|gap| {
        let what = if gap.unsupported { "not measured" } else { "NOT MEASURED" };
        format!("{}: {} {what}: {}", gap.server, gap.what, gap.why)
    });
    gaps.chain(matrix::not_run(results)).collect()
}

/// The machine of the run, and how long it took.
fn place(results: &Results) -> Vec<String> {
    let machine = &results.machine;
    let rustc = machine.rustc.as_deref().unwrap_or("no rustc");
    vec![
        format!("{} cores, kernel {}, {rustc}; {}.", machine.cores, machine.kernel, results.noise),
        format!("{:.0} s after the build.", results.took_ms as f64 / 1e3),
    ]
}

/// Returns an empty table with a header, in the style of them all.
pub fn table(header: &[&str], color: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Dim)));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (column, _) in table.column_iter_mut().zip(header).filter(|(_, title)| **title == "server") {
        // A name broken in two is no name.
        column.set_constraint(ColumnConstraint::ContentWidth).set_cell_alignment(CellAlignment::Left);
    }
    table
}

/// Takes what a wide table lacks from the space between its columns, before any cell is broken.
fn fit(table: &mut Table) {
    let content: u16 = table.column_max_content_widths().iter().sum();
    let columns = u16::try_from(table.column_count()).unwrap_or(u16::MAX);
    if content.saturating_add(columns.saturating_mul(2)) > WIDTH {
        for column in table.column_iter_mut() {
            column.set_padding((1, 0));
        }
    }
}

/// Returns a cell that is red where colors are on.
pub fn red(text: impl ToString) -> Cell {
    Cell::new(text).fg(Color::Red).add_attribute(Attribute::Bold)
}

/// Parts the servers of a table in which each has a column, so that every part fits a width.
pub(super) fn abreast<'a>(names: &[&'a str], first: usize, cell: usize, most: u16) -> Vec<Vec<&'a str>> {
    // A space stands on each side of a cell, except at the end of the line.
    let width = |names: &[&str]| first + 1 + names.iter().map(|name| name.len().max(cell) + 2).sum::<usize>();
    let mut parts: Vec<Vec<&str>> = Vec::new();
    for name in names {
        let fits = |part: &&mut Vec<&str>| width(&[part, &[*name][..]].concat()) <= usize::from(most);
        match parts.last_mut().filter(fits) {
            Some(last) => last.push(name),
            None => parts.push(vec![name]),
        }
    }
    parts
}

/// Servers by styles: whether the work stopped, and if not, for how long it went on.
fn zombies(results: &Results, color: bool) -> Option<Table> {
    if results.measured.zombie.is_empty() {
        return None;
    }
    let mut header = vec!["server"];
    header.extend(STYLES);
    let mut table = table(&header, color);
    for name in results.names() {
        let mut cells = vec![Cell::new(name)];
        for style in STYLES {
            let worst = summary::worst(results, name, style);
            let lives = results.measured.lives_of(name, style);
            let beats = lives.iter().map(|life| life.beats_after).max().unwrap_or(0);
            cells.push(match worst {
                Some(Fate::Stopped(ms)) => Cell::new(format!("stops\n{}", span(ms))).fg(Color::Green),
                Some(Fate::Zombie(ms)) => red(format!("ZOMBIE {}\n{beats} beats", span(ms))),
                Some(Fate::Endless(ms)) => red(format!("ZOMBIE > {}\n{beats} beats", span(ms))),
                Some(Fate::HeldAnswer(ms)) => {
                    Cell::new(format!("504 late\nby {}", span(ms))).fg(Color::Yellow)
                }
                Some(Fate::Unborn) => Cell::new("no start\nheard"),
                Some(Fate::NoTimeout) => Cell::new("no 504"),
                None => Cell::new("-"),
            });
        }
        table.add_row(cells);
    }
    Some(table)
}

fn overshoot(results: &Results, color: bool) -> Option<Table> {
    let all = &results.measured.overshoot;
    if all.is_empty() {
        return None;
    }
    let header = ["server", "at once", "deadline", "answers", "early", "p50", "p99", "worst"];
    let mut table = table(&header, color);
    for o in all {
        let mut cells = vec![
            Cell::new(&o.server),
            Cell::new(number(o.at_once as u64)),
            Cell::new(span(o.deadline_ms)),
            Cell::new(number(o.summary_ms.map_or(0, |summary| summary.count) as u64)),
            if o.early > 0 { red(o.early) } else { Cell::new(0) },
        ];
        if let Some(figures) = o.summary_ms {
            let say = |ms: f64| format!("{ms:.2} ms");
            let p99 = text::percentile(figures.p99, say);
            cells.extend([say(figures.p50), p99, say(figures.max)].map(Cell::new));
        }
        table.add_row(cells);
    }
    Some(table)
}

/// A line for each server: before, at the peak, after.
fn storms(results: &Results, style: &str, color: bool) -> Option<Table> {
    let header = ["server", "live work", "left over", "quiet after", "threads", "descriptors", "PSS, MB"];
    let mut table = table(&header, color);
    for name in results.names() {
        let Some(storm) = summary::representative(&results.measured.storms_of(name, style)) else { continue };
        let (before, peak, after) = (storm.before(), storm.peak(), storm.after());
        let way = |of: fn(&measure::storm::Reading) -> u64| {
            format!("{} → {} → {}", number(of(&before)), number(of(&peak)), number(of(&after)))
        };
        let size = |bytes: u64| megabytes(bytes).trim_end_matches(" MB").to_owned();
        let left = storm.left_behind();
        table.add_row(vec![
            Cell::new(name),
            Cell::new(way(|reading| reading.work)),
            if left > 0 { red(number(left)) } else { Cell::new(0).fg(Color::Green) },
            Cell::new(storm.quiesce_ms().map_or("never".to_owned(), |ms| span(ms.max(0.0)))),
            Cell::new(way(|reading| reading.threads)),
            Cell::new(way(|reading| reading.descriptors)),
            Cell::new(format!("{} → {} → {}", size(before.pss), size(peak.pss), size(after.pss))),
        ]);
    }
    (table.row_count() > 0).then_some(table)
}

#[cfg(test)]
mod tests;
