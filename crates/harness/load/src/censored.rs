//! Requests without an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests that had no answer when patience ran out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Censored {
    /// The number of requests.
    pub count: u64,
    /// Those of them that were due and never sent.
    pub never_sent: u64,
    /// The age of the oldest, milliseconds.
    pub oldest_ms: Option<f64>,
    /// The age of the youngest, milliseconds.
    pub youngest_ms: Option<f64>,
}

impl Censored {
    /// Adds a request of this age, milliseconds.
    pub(crate) fn add(&mut self, age_ms: f64) {
        self.merge(Self { count: 1, never_sent: 0, oldest_ms: Some(age_ms), youngest_ms: Some(age_ms) });
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: Self) {
        let both = |mine: Option<f64>, theirs: Option<f64>, pick: fn(f64, f64) -> f64| match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(pick(mine, theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.count += other.count;
        self.never_sent += other.never_sent;
        self.oldest_ms = both(self.oldest_ms, other.oldest_ms, f64::max);
        self.youngest_ms = both(self.youngest_ms, other.youngest_ms, f64::min);
    }
}
