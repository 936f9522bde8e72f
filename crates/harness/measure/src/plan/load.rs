//! The measurements under load.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ms;

/// The measurement of `/fast`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Fast {
    /// Connections.
    pub connections: usize,
    /// The time for which a round asks before it counts.
    #[serde(rename = "warm_up_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub warm_up: Duration,
    /// The time for which a round counts.
    #[serde(rename = "lasting_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub lasting: Duration,
    /// Requests a second in the open loop.
    pub rate: f64,
    /// Turns of each server, back to back.
    pub throughput_turns: usize,
    /// Turns of each server, in the open loop.
    pub latency_turns: usize,
}

/// The measurement of memory by connections held.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// The numbers of held connections, one a reading, ascending.
    pub held: Vec<usize>,
    /// Turns of each server with idle connections.
    pub idle_turns: usize,
    /// Turns of each server with requests in flight.
    pub in_flight_turns: usize,
}

/// The measurement of `/fast` beside bursts of `/slow`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Strip {
    /// Requests of `/fast` a second.
    pub rate: f64,
    /// The time for which they are sent.
    #[serde(rename = "lasting_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub lasting: Duration,
    /// When the burst is sent.
    #[serde(rename = "burst_after_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub burst_after: Duration,
    /// The deadline of the burst.
    #[serde(rename = "deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub deadline: Duration,
    /// The length of a slot.
    #[serde(rename = "slot_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub slot: Duration,
    /// The bursts, a strip each.
    pub bursts: Vec<Burst>,
    /// Turns of each server and burst.
    pub turns: usize,
}

/// Requests that are let loose together.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Burst {
    /// The style of their work.
    pub style: String,
    /// The number of requests.
    pub requests: usize,
    /// The work that each asks for.
    #[serde(rename = "work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub work: Duration,
}

/// The measurement of what storms leave behind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Leak {
    /// The style of the work.
    pub style: String,
    /// Requests of each storm.
    pub requests: usize,
    /// The deadline.
    #[serde(rename = "deadline_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub deadline: Duration,
    /// The work that a request asks for.
    #[serde(rename = "work_ms", with = "ms")]
    #[schemars(with = "f64")]
    pub work: Duration,
    /// Storms on one process.
    pub rounds: usize,
    /// Turns of each server.
    pub turns: usize,
}
