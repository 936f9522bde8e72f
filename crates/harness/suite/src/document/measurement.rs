//! Measurements as plain data: what any program can read without knowing how they were taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One measurement of all servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Its name: `overshoot`, `zombie`, `disconnect`, ….
    pub name: String,
    /// Its samples, by server and quantity.
    pub series: Vec<Series>,
    /// Everything that was recorded, in the measurement's own shape.
    pub records: Vec<Value>,
}

/// The samples of one quantity of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// The server.
    pub server: String,
    /// The quantity, in words.
    pub what: String,
    /// The unit of every value.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// A difference up to this, in the same unit, is none: the machine's noise, or what the lab forgives.
    pub least: f64,
    /// Added to a value it makes the latency of an answer; null when a value is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_from: Option<f64>,
    /// The values: a list for each round.
    pub rounds: Vec<Vec<f64>>,
    /// When each round began, in milliseconds since the run did; empty where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds_at_ms: Vec<f64>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better.
    Less,
    /// More is better.
    More,
}

/// A round that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The server.
    pub server: String,
    /// The measurement that is missing.
    pub what: String,
    /// True when the server does not claim to support it, or does not let it come to that; no fault of anybody's.
    pub unsupported: bool,
    /// The reason.
    pub why: String,
}
