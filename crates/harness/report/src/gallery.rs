//! The gallery: servers on other people's frameworks, each asked the same four questions, as a document and as a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use measure::table::{self, Column, Table};
use serde::{Deserialize, Serialize};
use suite::document::Row;
use suite::questions;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::adapters::{Adapter, Question, Red, Variant};
use testbed::machine::Machine;

use crate::markdown;

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

    /// The answer to the question, in a word or a fraction, bold where it is red; a dagger stands for a body that stalls.
    pub fn answer(&self) -> String {
        let dagger = if self.beyond.is_empty() { "" } else { " †" };
        match (self.judged, self.failed.len()) {
            (0, _) => format!("–{dagger}"),
            (_, 0) => format!("yes{dagger}"),
            (judged, failed) if judged == failed => format!("**no**{dagger}"),
            (judged, failed) => format!("**in {} of {judged}**{dagger}", judged - failed),
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

    /// The page: a table of every server and question, and each red cell with its cause and its mend.
    pub fn page(&self, adapters: &[Adapter]) -> String {
        let mut text = format!("{HEAD}\n");
        self.summary(&mut text, adapters);
        self.table(&mut text, adapters);
        self.reds(&mut text, adapters);
        self.absent(&mut text, adapters);
        text
    }

    fn summary(&self, text: &mut String, adapters: &[Adapter]) {
        let shown: Vec<&Shown> = self.servers.values().filter(|shown| shown.absent.is_none()).collect();
        let all = variants(adapters).count();
        let mut languages: Vec<&str> = variants(adapters)
            .filter(|(adapter, variant)| self.was_judged(adapter, variant))
            .map(|(adapter, _)| adapter.language.as_str())
            .collect();
        languages.sort_unstable();
        languages.dedup();
        let green = |question: &Question| {
            shown.iter().filter(|shown| shown.cell(*question).is_some_and(Cell::is_green)).count()
        };
        let _ =
            writeln!(text, "{} of {all} servers were judged, in {} languages.", shown.len(), languages.len());
        let counts: Vec<String> =
            Question::ALL.iter().map(|question| format!("{} {}", green(question), question.verb())).collect();
        let _ = writeln!(text, "Of them, {}.", counts.join("; "));
        let unique = |of: fn(&Shown) -> &str| -> Vec<&str> {
            let all: BTreeSet<&str> = shown.iter().map(|shown| of(shown)).collect();
            all.into_iter().collect()
        };
        let (runs, machines) = (unique(|shown| &shown.taken_at), unique(|shown| &shown.machine));
        let taken = match runs[..] {
            [one] => format!("in one run, {one}"),
            _ => format!("in {} runs; the table has the day of each server's", runs.len()),
        };
        let _ = writeln!(text, "They were judged on {}, {taken}.\n", machines.join("; "));
    }

    fn was_judged(&self, adapter: &Adapter, variant: &Variant) -> bool {
        let name = format!("{}/{}", adapter.name, variant.name);
        self.servers.get(&name).is_some_and(|shown| shown.absent.is_none())
    }

    fn table(&self, text: &mut String, adapters: &[Adapter]) {
        let heads: Vec<&str> = Question::ALL.iter().map(|question| question.heading()).collect();
        let columns = [&["what it is"], &heads[..], &["judged"]].concat();
        let mut table = Table::new("", "server", columns.into_iter().map(Column::words));
        for (adapter, variant) in variants(adapters) {
            let name = format!("{}/{}", adapter.name, variant.name);
            let (cells, when) = match self.servers.get(&name) {
                None => (vec!["–".to_owned(); heads.len()], "not run".to_owned()),
                Some(shown) if shown.absent.is_some() => {
                    (vec!["–".to_owned(); heads.len()], "absent".to_owned())
                }
                Some(shown) => (
                    Question::ALL
                        .iter()
                        .map(|question| shown.cell(*question).map_or("–".to_owned(), Cell::answer))
                        .collect(),
                    day(&shown.taken_at).to_owned(),
                ),
            };
            let about = format!("{}, {}: {}", adapter.language, adapter.framework, variant.about);
            let cells = [vec![about], cells, vec![when]].concat();
            table.line(format!("`{name}`"), cells.iter().map(table::Cell::plain).collect());
        }
        text.push_str(&markdown::table_of_markup(&table));
    }

    /// A section for each server with a red cell.
    fn reds(&self, text: &mut String, adapters: &[Adapter]) {
        text.push_str("\n## Why, and what mends it\n");
        for (adapter, variant) in variants(adapters) {
            let name = format!("{}/{}", adapter.name, variant.name);
            let Some(shown) = self.servers.get(&name) else { continue };
            let missed: Vec<_> = shown.cells.iter().filter(|(_, cell)| cell.has_missed()).collect();
            if missed.is_empty() {
                continue;
            }
            let versions: Vec<String> =
                adapter.versions.iter().map(|(package, version)| format!("{package} {version}")).collect();
            let _ = writeln!(
                text,
                "\n### `{name}`\n\n{}; written as <{}> does.\n",
                versions.join(", "),
                variant.source
            );
            for (question, cell) in missed {
                let _ = writeln!(text, "- **{}** {}", question.heading(), seen(cell));
                match red(variant, *question) {
                    Some(red) => self.explained(text, adapter, *question, red),
                    None => text.push_str("  - cause: not known yet; `lab check --run` with `--trace` shows every byte\n  - mend: none known, and none tried\n"),
                }
            }
        }
    }

    fn explained(&self, text: &mut String, adapter: &Adapter, question: Question, red: &Red) {
        let _ = writeln!(text, "  - cause: {} (<{}>)", red.cause, red.source);
        let tried = red.tried.as_ref().map(|tried| format!("; tried: {tried}")).unwrap_or_default();
        let Some(mend) = &red.mend else {
            let _ = writeln!(text, "  - mend: none known{tried}");
            return;
        };
        let name = if mend.contains('/') { mend.clone() } else { format!("{}/{mend}", adapter.name) };
        let proven = match self.servers.get(&name).and_then(|shown| shown.cell(question)) {
            Some(cell) if cell.is_whole() => format!("all {} scenarios pass there", cell.judged),
            Some(cell) if cell.is_green() => "but a body that stalls holds its answer, too".to_owned(),
            Some(cell) if cell.is_red() => {
                format!("but it fails {} of {} there too", cell.failed.len(), cell.judged)
            }
            _ => "not judged here".to_owned(),
        };
        let _ = writeln!(text, "  - mend: `{name}` ({proven}){tried}");
    }

    fn absent(&self, text: &mut String, adapters: &[Adapter]) {
        let absent: Vec<(&str, &str)> = variants(adapters)
            .filter_map(|(adapter, variant)| {
                let (name, shown) =
                    self.servers.get_key_value(&format!("{}/{}", adapter.name, variant.name))?;
                Some((name.as_str(), shown.absent.as_deref()?))
            })
            .collect();
        if absent.is_empty() {
            return;
        }
        text.push_str("\n## Absent\n\n");
        for (name, why) in absent {
            let _ = writeln!(text, "- `{name}`: {}", why.lines().next().unwrap_or_default());
        }
    }
}

const HEAD: &str = "# The gallery

Does the work stop, in other people's frameworks? Written by `lab gallery`; `lab docs --check` fails when it is stale.

Each server is an adapter in [`peers/`](../peers/README.md), asked those scenarios of the set `stranger` that it supports: of `deadline` what judges the
answer alone, of `work` and `disconnect` what a witness hears, of `spared` everything. `lab check --run COMMAND --only stranger` asks the same of any other
server. Two servers are judged side by side, for at most 90 s each. *Yes* means that every scenario passed that was judged; *in 9 of 11* that two failed;
*no* that all did; *–* that none was judged. A red cell is explained below, with the server that mends it where one is known.

† The answer waits for a body that the client has announced and does not send (`deadline/stalled-body`, `deadline/expect-continue`). We know of
no framework here whose documentation says that the deadline of a handler ends the reading of a body, so that this makes no cell red; cause and mend stand below all the same.
";

/// Every server of the adapters.
fn variants(adapters: &[Adapter]) -> impl Iterator<Item = (&Adapter, &Variant)> {
    adapters.iter().flat_map(|adapter| adapter.variants.iter().map(move |variant| (adapter, variant)))
}

/// Returns the manifest's explanation of a question.
fn red(variant: &Variant, question: Question) -> Option<&Red> {
    variant.reds.iter().find(|red| red.question == question)
}

/// The scenarios that failed: the first with what was seen, the others by their ids.
fn seen(cell: &Cell) -> String {
    let listed = |failed: &BTreeMap<String, String>| {
        let mut failed = failed.iter();
        let first = failed.next().map(|(id, observed)| format!("`{id}`: {observed}")).unwrap_or_default();
        let others: Vec<String> = failed.map(|(id, _)| format!("`{id}`")).collect();
        let others = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
        format!("{first}{others}")
    };
    let red = cell
        .is_red()
        .then(|| format!("fails {} of {}: {}", cell.failed.len(), cell.judged, listed(&cell.failed)));
    let beyond = (!cell.beyond.is_empty()).then(|| format!("† {}", listed(&cell.beyond)));
    red.into_iter().chain(beyond).collect::<Vec<_>>().join("; ")
}

/// The day of an HTTP date.
fn day(taken_at: &str) -> &str {
    taken_at.get(5..16).unwrap_or(taken_at)
}

#[cfg(test)]
mod tests;
