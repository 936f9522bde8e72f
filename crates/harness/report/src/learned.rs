//! The findings of a run as a page for `docs/learned.md`: each a sentence, a small table, a reason and a source.
//!
//! A finding stands only where the run shows it; one that the run does not show is left out, and the page says why. The large
//! tables stand on pages of their own, one an area.

use measure::results::Results;
use measure::table::Table;

mod areas;
mod beyond;
pub mod check;
mod clients;
mod markdown;
mod who;
mod work;

pub use areas::{Area, areas};
pub use markdown::{FOLDER, area, page};

/// The most findings of a page: the first of those that a run shows.
pub const FINDINGS: usize = 10;
/// The most columns of a finding's table, the first among them.
pub const COLUMNS: usize = 6;
/// The most lines of a finding's table.
pub const LINES: usize = 10;

/// One finding.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The finding, in a sentence without a full stop.
    pub title: String,
    /// The figures of the run that show it.
    pub table: Table,
    /// The reason, in a sentence or two.
    pub reason: &'static str,
    /// Where the reason is written.
    pub source: Source,
    /// The name of the page with all figures, without its ending.
    pub more: &'static str,
}

/// A text that a reason is taken from.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// Its address, or its path from `docs`.
    pub at: &'static str,
}

/// A finding that a run may show: what it is about, and how it is read from the run.
struct Question {
    about: &'static str,
    /// Returns the finding, or the reason why the run does not show it.
    read: fn(&Results) -> Result<Finding, String>,
}

/// The questions, in the order of the page.
const QUESTIONS: [Question; 11] = [
    Question { about: "the styles of work", read: work::styles },
    Question { about: "the cost of a zombie", read: work::storm },
    Question { about: "work that never yields", read: work::spin },
    Question { about: "timeouts of a connection", read: work::timeouts },
    Question { about: "clients that disconnect", read: clients::disconnect },
    Question { about: "Go's profile of leaks", read: clients::profile },
    Question { about: "work whose client waits", read: clients::spared },
    Question { about: "work outside the process", read: beyond::outside },
    Question { about: "HTTP/2", read: beyond::streams },
    Question { about: "the cost of a deadline", read: beyond::cost },
    Question { about: "the memory of a request", read: beyond::memory },
];

/// The findings of a run, and those that it does not show: what each is about, and why it is left out.
#[derive(Debug)]
pub struct Learned {
    /// The findings, in the order of the page.
    pub findings: Vec<Finding>,
    /// The others.
    pub left_out: Vec<(&'static str, String)>,
}

/// Reads the findings from a run.
pub fn learn(results: &Results) -> Learned {
    let mut learned = Learned { findings: Vec::new(), left_out: Vec::new() };
    for question in QUESTIONS {
        match (question.read)(results) {
            Ok(_) if learned.findings.len() == FINDINGS => {}
            Ok(mut finding) => {
                without_empty_columns(&mut finding.table);
                learned.findings.push(finding);
            }
            Err(why) => learned.left_out.push((question.about, why)),
        }
    }
    learned
}

/// Takes out the columns in which every cell is a dash.
fn without_empty_columns(table: &mut Table) {
    for column in (0..table.columns.len()).rev() {
        if table.lines.iter().all(|line| line.cells[column].text == "–") {
            table.columns.remove(column);
            for line in &mut table.lines {
                line.cells.remove(column);
            }
        }
    }
}

#[cfg(test)]
mod tests;
