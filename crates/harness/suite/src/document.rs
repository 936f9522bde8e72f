//! The one document of a run: what ran where, every verdict, every sample. `lab check` and `lab compare` write it.

use std::path::Path;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};
use testbed::catalog::Stanza;
use testbed::machine::{Binary, Machine};
use testbed::noise::Noise;

use crate::exit::Exit;
use crate::profile::Profile;
use crate::verdict::Verdict;

mod measurement;
mod row;

pub use measurement::{Better, Gap, Measurement, Series};
pub use row::Row;

/// The version of the document's shape; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 4;

/// A whole run. Times are milliseconds, sizes bytes; what is not known is null.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// The version of this shape.
    pub schema: u32,
    /// When it began, as in an HTTP date.
    pub taken_at: String,
    /// The time that it took after the build.
    pub took_ms: u64,
    /// The command line.
    pub command: Vec<String>,
    /// The machine and the toolchain.
    pub machine: Machine,
    /// The noise floor measured just before.
    pub noise: Noise,
    /// The profile of tolerances that the scenarios were judged by.
    pub profile: Profile,
    /// Which scenarios ran.
    pub scenarios: Chosen,
    /// True when a signal ended the run: what was not judged by then is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// The servers asked for, in order.
    pub servers: Vec<Server>,
    /// The verdicts.
    pub results: Vec<Row>,
    /// The plan of the measurements; null when nothing was measured.
    #[serde(default)]
    pub plan: Option<Value>,
    /// The limits of the measurements; null when nothing was measured.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// The measurements.
    #[serde(default)]
    pub measurements: Vec<Measurement>,
    /// The measurements that could not be taken.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

/// Which scenarios ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// The number of chosen scenarios.
    pub chosen: usize,
    /// The number of all scenarios.
    pub of: usize,
    /// Why these, in a sentence's end.
    pub which: String,
}

/// A server of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// A description, in one line.
    pub about: String,
    /// The output of its version command.
    pub version: Option<String>,
    /// The server's status in this run.
    pub status: Status,
    /// The reason why it was not run, or why its results are doubtful.
    pub error: Option<String>,
    /// The file that was run.
    pub binary: Option<Binary>,
}

/// The status of a server in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Status {
    /// It was judged, measured, or both.
    Ran,
    /// A program that it needs is missing.
    Absent,
    /// It could not be run, or not without doubt.
    Error,
}

/// The limits by which figures are judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Work that goes on longer than this after its answer is a zombie; an answer later than this is late.
    pub zombie_ms: f64,
}

impl Status {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl Server {
    /// A server that ran, as far as is known.
    pub fn new(name: &str, about: &str) -> Self {
        let (name, about) = (name.to_owned(), about.to_owned());
        Self { name, about, version: None, status: Status::Ran, error: None, binary: None }
    }

    /// The same, with the reason why it was not run, or not without doubt.
    #[must_use]
    pub fn not_run(self, status: Status, why: String) -> Self {
        Self { status, error: Some(why), ..self }
    }
}

impl From<&Stanza> for Server {
    fn from(stanza: &Stanza) -> Self {
        Self::new(&stanza.name, &stanza.about)
    }
}

impl Document {
    /// A run of this process that begins now, with the repository at `root`: nothing is judged by profile `ci`, and
    /// nothing is measured, the noise neither.
    pub fn begin(root: &Path, scenarios: Chosen) -> Self {
        let command = std::env::args().collect();
        Self { taken_at: now(), command, machine: Machine::here(root), scenarios, ..Self::empty() }
    }

    /// A document in which nothing is known.
    pub fn empty() -> Self {
        Self { schema: SCHEMA, ..Self::default() }
    }

    /// The names of the servers that ran.
    pub fn names(&self) -> Vec<&str> {
        let ran = self.servers.iter().filter(|server| server.status == Status::Ran);
        ran.map(|server| server.name.as_str()).collect()
    }

    /// The areas of the scenarios, in the order of the table.
    pub fn areas(&self) -> Vec<&str> {
        let mut areas: Vec<&str> = Vec::new();
        // A row for a server that cannot be run at all is of no scenario.
        for row in self.results.iter().filter(|row| row.area() != "server") {
            if !areas.contains(&row.area()) && row.attempts + u32::from(row.verdict != Verdict::Error) > 0 {
                areas.push(row.area());
            }
        }
        areas
    }

    /// The verdicts of a server, or of all, counted in the order of a summary; zeros are left out.
    pub fn counts(&self, server: Option<&str>) -> Vec<(Verdict, usize)> {
        let wanted = |row: &&Row| server.is_none_or(|server| row.server == server);
        let count = |verdict| self.results.iter().filter(wanted).filter(|row| row.verdict == verdict).count();
        Verdict::VARIANTS.iter().map(|verdict| (*verdict, count(*verdict))).filter(|(_, n)| *n > 0).collect()
    }

    /// Returns the number of scenarios of an area that a server passed, and the number that it supports.
    pub fn score(&self, server: &str, wanted: &str) -> (usize, usize) {
        let rows = self.results.iter().filter(|row| row.server == server && row.area() == wanted);
        rows.filter(|row| row.verdict != Verdict::Unsupported)
            .fold((0, 0), |(passed, all), row| (passed + usize::from(row.verdict == Verdict::Pass), all + 1))
    }

    /// The results that are neither passed nor unsupported, each with the servers of which it is true. Servers share a row
    /// only when the verdict, the observation and the reason of the expectation are the same.
    pub fn misses(&self) -> Vec<(Vec<&str>, &Row)> {
        let mut misses: Vec<(Vec<&str>, &Row)> = Vec::new();
        for row in &self.results {
            let alike = |have: &&mut (Vec<&str>, &Row)| {
                let same =
                    (&have.1.id, have.1.verdict, &have.1.observed) == (&row.id, row.verdict, &row.observed);
                same && have.1.expected == row.expected
            };
            if matches!(row.verdict, Verdict::Pass | Verdict::Unsupported) {
                continue;
            } else if let Some((servers, _)) = misses.iter_mut().find(alike) {
                servers.push(&row.server);
            } else {
                misses.push((vec![&row.server], row));
            }
        }
        misses.sort_by_key(|(_, row)| !(row.verdict.is_red() || row.verdict == Verdict::Error));
        misses
    }

    /// True when a scenario came to a verdict, or something was measured.
    pub fn has_judged(&self) -> bool {
        self.results.iter().any(Row::is_judged) || self.series().any(|series| !series.rounds.is_empty())
    }

    /// Returns how the command that made this run ends.
    pub fn exit(&self) -> Exit {
        if self.results.iter().any(|row| row.verdict.is_red()) {
            Exit::Broken
        } else if !self.has_judged()
            || self.results.iter().any(|row| row.verdict == Verdict::Error)
            || self.servers.iter().any(|server| server.error.is_some() && server.status != Status::Absent)
            || self.gaps.iter().any(|gap| !gap.unsupported)
        {
            Exit::NotRun
        } else {
            Exit::Good
        }
    }

    /// Every series of every measurement.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.measurements.iter().flat_map(|measurement| &measurement.series)
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// A sentence that names the version, or what is missing or wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema: Option<Value>,
        }
        let version: Version = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match version.schema {
            Some(schema) if schema == SCHEMA => {}
            Some(schema) => {
                return Err(format!(
                    "its `schema` is {schema}, and this lab reads {SCHEMA}; use the lab that wrote it"
                ));
            }
            None => return Err("it has no `schema`, so it is no run of the lab".to_owned()),
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(located)
    }

    /// The document as JSON, on one line.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a run holds nothing that JSON cannot say");
        text.push('\n');
        text
    }
}

/// This moment as in an HTTP date: `Sun, 22 Nov 2026 16:34:32 GMT`.
pub fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// The message of an error, with the field that it is about.
pub fn located(error: serde_path_to_error::Error<serde_json::Error>) -> String {
    let field = error.path().to_string();
    let inner = error.into_inner();
    if field == "." { inner.to_string() } else { format!("field `{field}`: {inner}") }
}

#[cfg(test)]
mod tests;
