//! One scenario's result on one server.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use testbed::capability::Capability;

use crate::hops::Hop;
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
    /// The observation, in a sentence.
    pub observed: String,
    /// The level of the promise.
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
    /// The needs of the scenario that the server lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub lacks: Vec<Capability>,
    /// Why a deviation is expected, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The number of attempts.
    pub attempts: u32,
    /// The time that it took, without waiting for its slot.
    pub took_ms: u64,
    /// The request through a chain of servers that decided the verdict, hop by hop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// The bytes that were sent and received, if kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

impl Row {
    /// The part of the id before the slash.
    pub fn area(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(area, _)| area)
    }

    /// True when the scenario was tried and came to a verdict on the server.
    pub fn is_judged(&self) -> bool {
        self.attempts > 0 && !matches!(self.verdict, Verdict::Unsupported | Verdict::Error)
    }

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
            lacks: Vec::new(),
            expected: None,
            attempts: 0,
            took_ms: 0,
            hops: Vec::new(),
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
