//! Storms, round after round: what a request took is given back.

use crate::scenario::Scenario;

pub(super) mod storms;
mod zombies;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[storms::SCENARIOS, zombies::SCENARIOS];
