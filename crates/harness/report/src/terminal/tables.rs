//! The output of `lab compare`: of each part the conclusion, the table, how it was measured, and its pictures.

use std::fmt::Write;

use measure::disconnect::{self, ACTIONS};
use measure::registry;
use measure::results::Results;
use measure::table::{Cell, Table, Tone};
use measure::text::{ABOUT, BARE_IS, list};
use suite::document::{Gap, Row};
use suite::verdict::Verdict;

use super::render::{self, Screen, wrap_to};
use super::{compact, pictures};
use crate::conclusion::{self, Length, Point};
use crate::matrix;

/// The share of a run that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The conclusion and four tables: for a file or another program.
    Terse,
    /// The conclusion, and a screen for each question: for a terminal.
    Screens,
    /// All of it, with pictures and how it was measured.
    Details,
}

/// Where the rest is.
const MORE: &str = "More: `lab report RESULTS.json --details` has every sentence and how it was measured, report.html the pictures.";
/// The measurements whose tables a terse output has.
const KEY: [&str; 3] = ["zombie", "storm", "disconnect"];
/// The most lines of a conclusion where lines have 100 columns.
const CONCLUSION: usize = 10;
/// The sentences beside a table of a screen, of those that conclude and of those that doubt, and how the latter begin.
const BESIDE: usize = 2;
const DOUBTED: [char; 2] = ['⚠', '~'];

/// Returns what is printed of a run: the conclusion first.
pub fn print(results: &Results, screen: Screen, depth: Depth) -> String {
    let mut printed = Printed { text: conclusion(results, screen), screen, depth };
    let mut matrix = matrix::areas(results);
    if depth != Depth::Details {
        matrix = compact::areas(matrix, results, screen);
    }
    let misses = matrix::misses(results);
    if misses.is_empty() {
        matrix.sentences.push("Every scenario passed.".to_owned());
    }
    printed.table(&matrix);
    match depth {
        Depth::Details => printed.list("Scenarios that did not pass", &misses),
        _ => {
            printed.list("Scenarios that failed without being expected to", &unexpected(results));
            printed.list("Scenarios that failed as expected, or only warn", &excused(results));
        }
    }
    for (name, tables) in registry::tables(results) {
        if depth == Depth::Terse && !KEY.contains(&name) {
            continue;
        }
        for table in tables {
            let is_folded = name == "disconnect" && depth != Depth::Details;
            printed.table(&if is_folded { compact::disconnects(table, results, screen) } else { table });
        }
        for picture in pictures::of(name, results).iter().filter(|_| depth == Depth::Details) {
            printed.table(picture);
        }
    }
    printed.list("Gaps", &gaps(results, depth));
    if depth != Depth::Terse {
        printed.list("Where", &place(results));
    }
    if depth != Depth::Details {
        printed.text += &format!("\n{}\n", wrap_to(MORE, "", screen.width));
    }
    printed.text
}

/// Returns the conclusion: a heading and at most ten lines where lines have 100 columns.
pub fn conclusion(results: &Results, screen: Screen) -> String {
    let lengths = [Length::Full, Length::Short, Length::Shortest];
    let fits = |points: &[Point]| lines(points, Screen::FILE).lines().count() <= CONCLUSION;
    let mut points = Vec::new();
    for length in lengths {
        points = conclusion::points(results, length);
        if fits(&points) {
            break;
        }
    }
    if !fits(&points) {
        points = without_spare(&points, fits);
    }
    let title = wrap_to(conclusion::TITLE, "", screen.width);
    format!("\n{}\n{}", bold(&title, screen), lines(&points, screen))
}

/// Returns the points that a conclusion cannot do without, and of the others those that fit beside them.
fn without_spare(points: &[Point], fits: impl Fn(&[Point]) -> bool) -> Vec<Point> {
    let mut left_out: Vec<&str> = conclusion::SPARE.to_vec();
    let kept = |left_out: &[&str]| -> Vec<Point> {
        points.iter().filter(|point| !left_out.contains(&point.label.as_str())).cloned().collect()
    };
    for spare in conclusion::SPARE {
        let fewer: Vec<&str> = left_out.iter().copied().filter(|label| *label != spare).collect();
        if fits(&kept(&fewer)) {
            left_out = fewer;
        }
    }
    kept(&left_out)
}

/// Returns the lines of a conclusion: a label, and its sentence beside it.
fn lines(points: &[Point], screen: Screen) -> String {
    let longest = points.iter().map(|point| point.label.chars().count()).max().unwrap_or(0);
    let indent = " ".repeat(longest + 3);
    let mut text = String::new();
    for point in points {
        let sentence = wrap_to(&point.text, &indent, screen.width);
        let label = format!("{:<longest$}", point.label);
        let label = match (screen.color, point.tone) {
            (true, Tone::Good) => format!("\x1b[32m{label}\x1b[0m"),
            (true, Tone::Odd) => format!("\x1b[33m{label}\x1b[0m"),
            (true, Tone::Bad) => format!("\x1b[1;31m{label}\x1b[0m"),
            _ => label,
        };
        let _ = writeln!(text, " {label}  {}", sentence.trim_start());
    }
    text
}

fn bold(text: &str, screen: Screen) -> String {
    if screen.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// The text that is printed, part by part.
struct Printed {
    text: String,
    screen: Screen,
    depth: Depth,
}

impl Printed {
    /// Adds a table between its sentences and its note, if it has lines; the less depth, the less of them.
    fn table(&mut self, table: &Table) {
        let table = measured(table);
        if table.lines.is_empty() {
            return;
        }
        self.title(&table.title);
        match self.depth {
            Depth::Terse => self.parts(&firsts(table)),
            Depth::Screens => {
                let (doubted, told): (Vec<&String>, Vec<&String>) =
                    table.sentences.iter().partition(|one| one.starts_with(DOUBTED));
                let beside = told.into_iter().take(BESIDE).chain(doubted.into_iter().take(BESIDE));
                self.sentences(&beside.cloned().collect::<Vec<_>>());
                self.parts(&firsts(table));
            }
            Depth::Details => {
                self.sentences(&table.sentences);
                self.text += &render::table(&table, self.screen);
                self.sentences(std::slice::from_ref(&table.note));
            }
        }
    }

    /// Adds as many parts of a table as a screen has room for, and the names of the columns in the others.
    fn parts(&mut self, table: &Table) {
        const ROOM: usize = 30;
        // A part has a header, and a blank line before it.
        let most = (ROOM / (table.lines.len() + 2)).max(1);
        let (text, left) = render::table_of_parts(table, self.screen, most);
        self.text += &text;
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        if !left.is_empty() {
            self.sentences(&[format!("Left out at this width: {}.", list(&left))]);
        }
    }

    /// Adds sentences under a title, if there are any.
    fn list(&mut self, title: &str, sentences: &[String]) {
        if !sentences.is_empty() {
            self.title(title);
            self.sentences(sentences);
        }
    }

    fn title(&mut self, title: &str) {
        let title = bold(&wrap_to(title, "", self.screen.width), self.screen);
        let _ = writeln!(self.text, "\n{title}");
    }

    fn sentences(&mut self, sentences: &[String]) {
        for sentence in sentences.iter().filter(|sentence| !sentence.is_empty()) {
            let _ = writeln!(self.text, "{}", wrap_to(sentence, "  ", self.screen.width));
        }
    }
}

/// Returns the table without the lines and columns in which nothing was measured.
fn measured(table: &Table) -> Table {
    let is_empty = |cell: &Cell| *cell == Cell::none() || cell.text.is_empty();
    let mut table = table.clone();
    table.lines.retain(|line| !line.cells.iter().all(is_empty));
    let kept: Vec<bool> = (0..table.columns.len())
        .map(|column| !table.lines.iter().all(|line| line.cells.get(column).is_none_or(is_empty)))
        .collect();
    let mut keep = kept.iter();
    table.columns.retain(|_| *keep.next().unwrap_or(&true));
    for line in &mut table.lines {
        let mut keep = kept.iter();
        line.cells.retain(|_| *keep.next().unwrap_or(&true));
    }
    table
}

/// Returns the table with the first line of each cell: what further lines hold are details.
fn firsts(mut table: Table) -> Table {
    for cell in table.lines.iter_mut().flat_map(|line| &mut line.cells) {
        cell.text = cell.text.lines().next().unwrap_or_default().to_owned();
    }
    table
}

/// Returns a sentence for each check that failed and was not expected to.
fn unexpected(results: &Results) -> Vec<String> {
    let misses = matrix::misses(results);
    let is_red = |verdict: Verdict| verdict.is_red() || verdict == Verdict::Error;
    let rows = results.misses().into_iter().map(|(_, row)| row.verdict);
    misses.into_iter().zip(rows).filter(|(_, verdict)| is_red(*verdict)).map(|(miss, _)| miss).collect()
}

/// Returns a sentence for each of the first checks that lower a score and are not red, and the number of the others.
fn excused(results: &Results) -> Vec<String> {
    const SHOWN: usize = 5;
    let is_excused = |verdict: Verdict| matches!(verdict, Verdict::Xfail | Verdict::Flaky | Verdict::Warn);
    let misses: Vec<_> = results.misses().into_iter().filter(|(_, row)| is_excused(row.verdict)).collect();
    let line = |(servers, row): &(Vec<&str>, &Row)| {
        let why = row.expected.as_ref().unwrap_or(&row.observed);
        format!("{} on {}: {why}", row.id, list(servers))
    };
    let more = misses.len().saturating_sub(SHOWN);
    let others = (more > 0).then(|| format!("and {more} more."));
    misses.iter().take(SHOWN).map(line).chain(others).collect()
}

/// Returns a sentence for each thing that could not be measured, or run.
///
/// A part that a server cannot have is a detail.
fn gaps(results: &Results, depth: Depth) -> Vec<String> {
    // The sentences of the disconnects tell these.
    let is_told =
        |gap: &&Gap| gap.unsupported && ACTIONS.iter().any(|action| gap.what == disconnect::gap(action.name));
    let gap = |gap: &Gap| {
        let what = if gap.unsupported { "not measured" } else { "NOT MEASURED" };
        format!("{}: {} {what}: {}", gap.server, gap.what, gap.why)
    };
    let is_shown = |gap: &&Gap| depth == Depth::Details || !gap.unsupported;
    let gaps = results.measured.gaps.iter().filter(is_shown).filter(|gap| !is_told(gap)).map(gap);
    gaps.chain(matrix::not_run(results)).collect()
}

/// Returns the machine of the run, and how long it took.
fn place(results: &Results) -> Vec<String> {
    let machine = &results.machine;
    let rustc = machine.rustc.as_deref().unwrap_or("no rustc");
    vec![
        format!("{} cores, kernel {}, {rustc}; {}.", machine.cores, machine.kernel, results.noise),
        format!("{:.0} s after the build.", results.took_ms as f64 / 1e3),
        signs(results),
    ]
}

/// Returns the meaning of the marks in the tables of speed and memory; empty where there are none.
fn signs(results: &Results) -> String {
    let measured = &results.measured;
    let has_marks = !measured.throughput.is_empty() || !measured.footprint.is_empty();
    if has_marks { format!("{ABOUT} {BARE_IS}") } else { String::new() }
}

#[cfg(test)]
mod tests;
