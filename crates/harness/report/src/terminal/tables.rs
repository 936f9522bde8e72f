//! The output of `lab compare`: of each part the conclusion, the table, how it was measured, and its pictures.

use std::fmt::Write;

use measure::disconnect::{self, ACTIONS};
use measure::registry;
use measure::results::Results;
use measure::table::Table;
use suite::document::Gap;

use super::pictures;
use super::render::{self, wrap};
use crate::matrix;

/// Everything that is printed of a run.
pub fn print(results: &Results, color: bool) -> String {
    let mut printed = Printed { text: String::new(), color };
    let mut matrix = matrix::areas(results);
    let misses = matrix::misses(results);
    if misses.is_empty() {
        matrix.sentences.push("Every scenario passed.".to_owned());
    }
    printed.table(&matrix);
    printed.list("Scenarios that did not pass", &misses);
    for (name, tables) in registry::tables(results) {
        for table in &tables {
            printed.table(table);
        }
        for picture in pictures::of(name, results) {
            printed.table(&picture);
        }
    }
    printed.list("Gaps", &gaps(results));
    printed.list("Where", &place(results));
    printed.text
}

/// The text that is printed, part by part.
struct Printed {
    text: String,
    color: bool,
}

impl Printed {
    /// Adds a table between its sentences and its note, if it has lines.
    fn table(&mut self, table: &Table) {
        if !table.lines.is_empty() {
            self.title(&table.title);
            self.sentences(&table.sentences);
            self.text += &render::table(table, self.color);
            self.sentences(std::slice::from_ref(&table.note));
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
        let (bold, plain) = if self.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.text, "\n{bold}{}{plain}", wrap(title, ""));
    }

    fn sentences(&mut self, sentences: &[String]) {
        for sentence in sentences.iter().filter(|sentence| !sentence.is_empty()) {
            let _ = writeln!(self.text, "{}", wrap(sentence, "  "));
        }
    }
}

/// Returns a sentence for each thing that could not be measured, or run.
fn gaps(results: &Results) -> Vec<String> {
    // The sentences of the disconnects tell these.
    let is_told =
        |gap: &&Gap| gap.unsupported && ACTIONS.iter().any(|action| gap.what == disconnect::gap(action.name));
    let gap = |gap: &Gap| {
        let what = if gap.unsupported { "not measured" } else { "NOT MEASURED" };
        format!("{}: {} {what}: {}", gap.server, gap.what, gap.why)
    };
    let gaps = results.measured.gaps.iter().filter(|gap| !is_told(gap)).map(gap);
    gaps.chain(matrix::not_run(results)).collect()
}

/// Returns the machine of the run, and how long it took.
fn place(results: &Results) -> Vec<String> {
    let machine = &results.machine;
    let rustc = machine.rustc.as_deref().unwrap_or("no rustc");
    vec![
        format!("{} cores, kernel {}, {rustc}; {}.", machine.cores, machine.kernel, results.noise),
        format!("{:.0} s after the build.", results.took_ms as f64 / 1e3),
    ]
}

#[cfg(test)]
mod tests;
