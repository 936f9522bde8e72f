//! Everything of a run as one document: what ran where, every verdict, every raw sample.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::profile::Profile;
use suite::run::Row;
use suite::verdict::Verdict;
use testbed::machine::{Binary, Machine};
use testbed::noise::Noise;

use crate::plan::Plan;
use crate::schedule::Measured;

/// The version of the document's shape; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// A whole run. Times are milliseconds, sizes bytes; what is not known is null.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Results {
    /// The version of this shape: 1.
    pub schema: u32,
    /// When it began, as in an HTTP date.
    pub taken_at: String,
    /// How long it took after the build.
    pub took_ms: u64,
    /// The command line.
    pub command: Vec<String>,
    /// The machine and the toolchain.
    pub machine: Machine,
    /// The noise floor measured just before.
    pub noise: Noise,
    /// What counts as what.
    pub limits: Limits,
    /// The profile of tolerances that the scenarios were judged by.
    pub profile: Profile,
    /// Which scenarios ran.
    pub scenarios: Chosen,
    /// What was measured, and how often.
    pub plan: Plan,
    /// The servers asked for, in order.
    pub servers: Vec<Compared>,
    /// The verdicts.
    pub results: Vec<Row>,
    /// The measurements.
    pub measured: Measured,
}

/// What counts as what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Work that goes on longer than this after its answer is a zombie; an answer later than this is late.
    pub zombie_ms: f64,
}

impl Limits {
    /// Two ticks, in which work that looks at its context stops, and what the scheduler adds; at least 25 ms.
    pub fn zombie(plan: &Plan, noise: &Noise) -> Self {
        let ticks = 2.0 * plan.tail.tick.as_secs_f64() * 1e3;
        Self { zombie_ms: (ticks + noise.max_ms).max(25.0).round() }
    }
}

/// Which scenarios ran.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Chosen {
    /// How many.
    pub chosen: usize,
    /// Of how many.
    pub of: usize,
    /// Why these, in a sentence's end.
    pub which: String,
}

/// A server of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// What its version command printed.
    pub version: Option<String>,
    /// What became of it.
    pub status: Status,
    /// What kept it from being compared, or makes the comparison doubtful.
    pub error: Option<String>,
    /// The file that was judged and measured.
    pub binary: Option<Binary>,
}

/// What became of a server of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was judged and measured.
    Compared,
    /// A program that it needs is missing.
    Absent,
    /// It could not be compared, or not without doubt.
    Error,
}

impl Status {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compared => "compared",
            Self::Absent => "absent",
            Self::Error => "error",
        }
    }
}

impl Results {
    /// The names of the servers that were compared.
    pub fn names(&self) -> Vec<&str> {
        let compared = self.servers.iter().filter(|server| server.status == Status::Compared);
        compared.map(|server| server.name.as_str()).collect()
    }

    /// The areas of the scenarios, in the order of the table.
    pub fn areas(&self) -> Vec<&str> {
        let mut areas: Vec<&str> = Vec::new();
        // A row for a server that cannot be run at all is of no scenario.
        for row in self.results.iter().filter(|row| area(row) != "server") {
            if !areas.contains(&area(row)) && row.attempts + u32::from(row.verdict != Verdict::Error) > 0 {
                areas.push(area(row));
            }
        }
        areas
    }

    /// How many scenarios of an area a server passed, and of how many that it supports.
    pub fn score(&self, server: &str, wanted: &str) -> (usize, usize) {
        let rows = self.results.iter().filter(|row| row.server == server && area(row) == wanted);
        rows.filter(|row| row.verdict != Verdict::Unsupported)
            .fold((0, 0), |(passed, all), row| (passed + usize::from(row.verdict == Verdict::Pass), all + 1))
    }

    /// What a reader must see, neither passed nor unsupported: a row and the servers of which it is true.
    pub fn misses(&self) -> Vec<(Vec<&str>, &Row)> {
        let mut misses: Vec<(Vec<&str>, &Row)> = Vec::new();
        for row in &self.results {
            let alike = |have: &&mut (Vec<&str>, &Row)| {
                (&have.1.id, have.1.verdict, &have.1.observed) == (&row.id, row.verdict, &row.observed)
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

    /// 1 when a promise was broken, 2 when something could not be run, else 0.
    pub fn exit_code(&self) -> u8 {
        if self.results.iter().any(|row| row.verdict.is_red()) || self.measured.early() > 0 {
            1
        } else if self.results.iter().any(|row| row.verdict == Verdict::Error)
            || self.servers.iter().any(|server| server.error.is_some() && server.status != Status::Absent)
            || self.measured.gaps.iter().any(|gap| !gap.unsupported)
        {
            2
        } else {
            0
        }
    }

    /// Reads a document back.
    ///
    /// # Errors
    /// A sentence that names what is missing or wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            let inner = error.into_inner();
            if field == "." { inner.to_string() } else { format!("field `{field}`: {inner}") }
        })
    }

    /// The document.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a run holds nothing that JSON cannot say");
        text.push('\n');
        text
    }
}

/// A moment as in an HTTP date: `Sun, 22 Nov 2026 16:34:32 GMT`.
pub fn http_date(at: std::time::SystemTime) -> String {
    httpdate::fmt_http_date(at)
}

/// The part of a row's id before the slash.
pub fn area(row: &Row) -> &str {
    row.id.split_once('/').map_or(row.id.as_str(), |(area, _)| area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{empty, life};

    #[test]
    fn servers_that_miss_alike_share_a_line_and_the_red_ones_come_first() {
        let row = |server, verdict, seen: &str| Row::whole_server(server, "a/b", verdict, seen);
        let mut results = empty(&["x", "y", "z"]);
        results.results = vec![
            row("x", Verdict::Warn, "slow"),
            row("x", Verdict::Fail, "early"),
            row("y", Verdict::Pass, "fine"),
            row("z", Verdict::Fail, "early"),
        ];
        let misses: Vec<_> =
            results.misses().into_iter().map(|(servers, row)| (servers.join("+"), row.verdict)).collect();
        assert_eq!(misses, [("x+z".to_owned(), Verdict::Fail), ("x".to_owned(), Verdict::Warn)]);
        assert_eq!((results.score("x", "a"), results.exit_code()), ((0, 2), 1));
    }

    #[test]
    fn a_document_is_read_back_as_it_was_written() {
        let mut results = empty(&["x"]);
        let mut row = Row::whole_server("x", "a/b", Verdict::Pass, "ok");
        row.figures = vec![("z_ms".to_owned(), 1.5), ("a_ms".to_owned(), f64::NAN)];
        results.results = vec![row, Row::whole_server("x", "a/c", Verdict::Xfail, "late")];
        results.measured.tails = vec![life("x", "drop", 2699.0)];
        results.plan.flags = vec![("--threads".to_owned(), "2".to_owned())];
        let text = results.json();
        assert_eq!(Results::parse(&text).unwrap().json(), text);
        assert_eq!(Results::parse("{}").unwrap_err(), "missing field `schema` at line 1 column 2");
    }

    #[test]
    fn a_server_that_could_not_run_outweighs_nothing_but_is_not_forgotten() {
        let mut results = empty(&["x"]);
        assert_eq!(results.exit_code(), 0);
        results.servers[0].error = Some("failed to build".to_owned());
        assert_eq!(results.exit_code(), 2);
    }
}
