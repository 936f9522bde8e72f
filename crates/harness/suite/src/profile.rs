//! Profiles: the lateness that is forgiven. Lower bounds are strict in every profile: a 504 is never early.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

/// A named set of upper bounds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Display, EnumString, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = unknown)]
pub enum Profile {
    /// Loose, for a noisy box with two cores; a miss is tried once more with everything doubled.
    #[default]
    Ci,
    /// Tight, for a quiet box; one try.
    Lab,
}

impl Profile {
    /// Returns the lateness of an answer after its deadline that is allowed.
    pub fn answer_late(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ci => 400,
            Self::Lab => 50,
        })
    }

    /// Returns the time for which work may go on after it was told to stop.
    pub fn stop_late(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ci => 250,
            Self::Lab => 10,
        })
    }

    /// Returns the time for which work outside the server may go on after it was told to stop.
    pub fn outside_late(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ci => 500,
            Self::Lab => 50,
        })
    }

    /// Returns the number of attempts at a scenario.
    pub fn attempts(self) -> u32 {
        match self {
            Self::Ci => 2,
            Self::Lab => 1,
        }
    }

    /// Returns the number of scenarios that may run side by side; nearly all of their time is waiting.
    pub fn jobs(self) -> usize {
        match self {
            Self::Ci => 16,
            Self::Lab => 4,
        }
    }
}

fn unknown(profile: &str) -> String {
    format!("`{profile}` is no profile: ci or lab")
}
