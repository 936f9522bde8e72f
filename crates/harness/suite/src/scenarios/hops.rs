//! A deadline that crosses processes: a chain of servers, each of which asks the next.

use crate::scenario::Scenario;

mod chain;
mod state;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[chain::SCENARIOS, state::SCENARIOS];
