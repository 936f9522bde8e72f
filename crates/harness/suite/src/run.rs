//! Results, for people and machines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use testbed::noise::Noise;

use crate::profile::Profile;
use crate::verdict::{Level, Verdict};

/// One scenario's result on one server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The server's name.
    pub server: String,
    /// The scenario's id.
    pub id: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, in a sentence.
    pub observed: String,
    /// How much the promise binds.
    pub level: Level,
    /// The promise.
    pub promise: String,
    /// Named numbers.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "as_map",
        deserialize_with = "from_map"
    )]
    #[schemars(with = "BTreeMap<String, Option<f64>>")]
    pub figures: Vec<(String, f64)>,
    /// Why a deviation is expected, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// How many times it was tried.
    pub attempts: u32,
    /// How long it took, without waiting for its seat.
    pub took_ms: u64,
    /// What was sent and what came back, if kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

impl Row {
    /// A row for a server that could not be judged at all.
    pub fn whole_server(server: &str, id: &str, verdict: Verdict, observed: impl Into<String>) -> Self {
        Self {
            server: server.to_owned(),
            id: id.to_owned(),
            verdict,
            observed: observed.into(),
            level: Level::Must,
            promise: "the server can be judged".to_owned(),
            figures: Vec::new(),
            expected: None,
            attempts: 0,
            took_ms: 0,
            trace: Vec::new(),
        }
    }
}

fn as_map<S: serde::Serializer>(figures: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|(name, value)| (name, value)))
}

/// The order of the map's names is kept, and a figure that is no number is null.
fn from_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, f64)>, D::Error> {
    let map = serde_json::Map::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(name, value)| (name, value.as_f64().unwrap_or(f64::NAN))).collect())
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// The profile of tolerances.
    pub profile: Profile,
    /// The noise floor measured just before.
    pub noise: Noise,
    /// The kernel's release.
    pub kernel: String,
    /// Cores available.
    pub cores: usize,
    /// The servers that were asked for.
    pub servers: Vec<Judged>,
    /// The results.
    pub results: Vec<Row>,
}

/// A server of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// What its version command printed.
    pub version: Option<String>,
    /// `judged`, `absent` or `error`.
    pub status: &'static str,
}

impl Run {
    /// The verdicts of a server, counted, in the order of a summary; zeros are left out.
    pub fn counts(&self, server: Option<&str>) -> Vec<(Verdict, usize)> {
        let wanted = |row: &&Row| server.is_none_or(|server| row.server == server);
        let count = |verdict| self.results.iter().filter(wanted).filter(|row| row.verdict == verdict).count();
        Verdict::ALL.map(|verdict| (verdict, count(verdict))).into_iter().filter(|(_, n)| *n > 0).collect()
    }

    /// 1 when a promise was broken, 2 when something could not be judged, else 0.
    pub fn exit_code(&self) -> u8 {
        if self.results.iter().any(|row| row.verdict.is_red()) {
            1
        } else if self.results.iter().any(|row| row.verdict == Verdict::Error) {
            2
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(verdicts: &[Verdict]) -> Run {
        let results = verdicts.iter().map(|verdict| Row::whole_server("x", "a/b", *verdict, "")).collect();
        let (noise, kernel) = (Noise::default(), String::new());
        Run { profile: Profile::Ci, noise, kernel, cores: 2, servers: Vec::new(), results }
    }

    #[test]
    fn a_broken_promise_outweighs_an_error() {
        assert_eq!(run(&[Verdict::Pass, Verdict::Error, Verdict::Fail]).exit_code(), 1);
        assert_eq!(run(&[Verdict::Pass, Verdict::Error]).exit_code(), 2);
        assert_eq!(run(&[Verdict::Xpass]).exit_code(), 1);
        assert_eq!(
            run(&[Verdict::Warn, Verdict::Xfail, Verdict::Flaky, Verdict::Unsupported]).exit_code(),
            0
        );
    }

    #[test]
    fn counts_leave_out_zeros() {
        let run = run(&[Verdict::Fail, Verdict::Pass, Verdict::Pass]);
        assert_eq!(run.counts(Some("x")), [(Verdict::Pass, 2), (Verdict::Fail, 1)]);
        assert_eq!(run.counts(Some("y")), []);
    }
}
