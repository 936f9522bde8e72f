//! The gallery: servers on other people's frameworks, each asked the same four questions, as a document and as a page.

use std::collections::BTreeMap;
use std::path::Path;

use measure::table::Tone;
use serde::{Deserialize, Serialize};
use suite::document::Row;
use suite::questions;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::adapters::{Adapter, Question, Red, Variant};
use testbed::files;
use testbed::machine::Machine;

mod markdown;
mod page;
mod shown;

pub use page::FILE;

/// The results, at the root of the repository.
pub const RESULTS: &str = "docs/results/gallery.json";

/// The mark of an answer that a body that stalls holds back.
const DAGGER: &str = " †";

/// The version of the document's shape.
pub const SCHEMA: u32 = 1;

/// The results of the gallery: of each server the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gallery {
    /// The version of this shape.
    pub schema: u32,
    /// Each server's last result, by its name.
    pub servers: BTreeMap<String, Shown>,
}

/// The results of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// When, as in an HTTP date.
    pub taken_at: String,
    /// The machine, in a few words.
    pub machine: String,
    /// Why it could not be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// The time that judging it took, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// The result of each question.
    #[serde(default)]
    pub cells: BTreeMap<Question, Cell>,
}

/// The result of one question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The number of scenarios that were judged, without those of `beyond`.
    pub judged: usize,
    /// Those that failed, with what was seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
    /// Those that failed and do not make the answer a no, with what was seen: see [`questions::is_beyond`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beyond: BTreeMap<String, String>,
    /// The number of scenarios that could not be judged, because the harness failed or its time was up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The scenarios of the four questions that the patterns select.
///
/// # Errors
/// When a pattern selects no scenario.
pub fn asked(patterns: &str) -> Result<Vec<&'static Scenario>, String> {
    let mut asked = scenarios::select(patterns)?;
    asked.retain(|one| questions::of(one).is_some());
    Ok(asked)
}

impl Cell {
    /// True when a scenario failed.
    pub fn is_red(&self) -> bool {
        !self.failed.is_empty()
    }

    /// True when scenarios were judged, and all of them passed.
    pub fn is_green(&self) -> bool {
        self.judged > 0 && self.failed.is_empty()
    }

    /// True when every scenario passed that was judged, those too that count for no answer.
    pub fn is_whole(&self) -> bool {
        self.is_green() && self.beyond.is_empty()
    }

    /// True when a scenario failed, be it one that counts for no answer.
    pub fn has_missed(&self) -> bool {
        self.is_red() || !self.beyond.is_empty()
    }

    /// Returns the answer to the question, in a word or a fraction; a dagger stands for a body that stalls.
    pub fn answer(&self) -> String {
        let dagger = if self.beyond.is_empty() { "" } else { DAGGER };
        match (self.judged, self.failed.len()) {
            (0, _) => format!("–{dagger}"),
            (_, 0) => format!("yes{dagger}"),
            (judged, failed) if judged == failed => format!("no{dagger}"),
            (judged, failed) => format!("in {} of {judged}{dagger}", judged - failed),
        }
    }

    /// Returns the grade of the answer.
    fn tone(&self) -> Tone {
        match (self.judged, self.is_red(), self.beyond.is_empty()) {
            (_, true, _) => Tone::Bad,
            (_, _, false) => Tone::Odd,
            (0, ..) => Tone::None,
            _ => Tone::Good,
        }
    }
}

impl Shown {
    /// The result of a server that was judged: these rows, of which only the scenarios of a question count.
    pub fn judged(taken_at: &str, machine: &Machine, took_ms: u64, rows: &[Row]) -> Self {
        let mut cells: BTreeMap<Question, Cell> =
            Question::ALL.iter().map(|question| (*question, Cell::default())).collect();
        for row in rows {
            let Some(question) = questions::of_id(&row.id) else { continue };
            let cell = cells.entry(question).or_default();
            let observed = row.observed.lines().next().unwrap_or_default().to_owned();
            match row.verdict {
                Verdict::Unsupported => {}
                Verdict::Error => cell.errors += 1,
                Verdict::Fail | Verdict::Xpass if questions::is_beyond(&row.id) => {
                    cell.beyond.insert(row.id.clone(), observed);
                }
                Verdict::Fail | Verdict::Xpass => {
                    cell.judged += 1;
                    cell.failed.insert(row.id.clone(), observed);
                }
                Verdict::Pass | Verdict::Warn | Verdict::Xfail | Verdict::Flaky => cell.judged += 1,
            }
        }
        Self { took_ms, cells, ..Self::absent(taken_at, machine, None) }
    }

    /// The result of a server that could not be judged, and why.
    pub fn absent(taken_at: &str, machine: &Machine, why: Option<String>) -> Self {
        let machine = format!("{} cores, Linux {}", machine.cores, machine.kernel);
        Self { taken_at: taken_at.to_owned(), machine, absent: why, took_ms: 0, cells: BTreeMap::new() }
    }

    /// Returns the result of a question.
    pub fn cell(&self, question: Question) -> Option<&Cell> {
        self.cells.get(&question)
    }
}

impl Gallery {
    /// Reads the results that the repository at `root` keeps: none where there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read, and what is wrong with it.
    pub fn kept(root: &Path) -> Result<Self, String> {
        let path = root.join(RESULTS);
        let Some(text) = files::read_if_any(&path)? else { return Ok(Self::default()) };
        Self::parse(&text).map_err(|error| format!("`{}`: {error}", path.display()))
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let gallery: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match gallery.schema {
            SCHEMA => Ok(gallery),
            other => Err(format!("its `schema` is {other}, and this lab reads {SCHEMA}")),
        }
    }

    /// The document, a value a line.
    pub fn json(&self) -> String {
        let versioned = Self { schema: SCHEMA, servers: self.servers.clone() };
        let mut text =
            serde_json::to_string_pretty(&versioned).expect("a result is made of texts and numbers");
        text.push('\n');
        text
    }

    /// Returns the disagreements of the manifests and this run: a red cell that no manifest explains, and one that it
    /// explains and that is green.
    pub fn surprises(&self, adapters: &[Adapter]) -> Vec<String> {
        let mut surprises = Vec::new();
        for (adapter, variant) in variants(adapters) {
            let name = format!("{}/{}", adapter.name, variant.name);
            let Some(shown) = self.servers.get(&name) else { continue };
            for question in Question::ALL {
                let cell = shown.cell(*question);
                let red = red(variant, *question);
                let (told, flaky) = (red.is_some(), red.is_some_and(|red| red.flaky));
                let missed = cell.iter().flat_map(|cell| cell.failed.iter().chain(&cell.beyond)).next();
                if let (Some((id, observed)), false) = (missed, told) {
                    surprises.push(format!(
                        "{name} fails `{}`, which its manifest does not explain: {id}: {observed}",
                        question.word()
                    ));
                } else if cell.is_some_and(Cell::is_whole) && told && !flaky {
                    surprises.push(format!(
                        "{name} passes `{}`, which its manifest says that it fails",
                        question.word()
                    ));
                }
            }
        }
        surprises
    }
}

/// Every server of the adapters.
fn variants(adapters: &[Adapter]) -> impl Iterator<Item = (&Adapter, &Variant)> {
    adapters.iter().flat_map(|adapter| adapter.variants.iter().map(move |variant| (adapter, variant)))
}

/// Returns the manifest's explanation of a question.
fn red(variant: &Variant, question: Question) -> Option<&Red> {
    variant.reds.iter().find(|red| red.question == question)
}

#[cfg(test)]
mod tests;
