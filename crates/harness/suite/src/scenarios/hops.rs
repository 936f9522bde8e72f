//! A deadline that crosses processes: a chain of servers, each of which asks the next.

use crate::scenario::Scenario;

mod chain;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[chain::SCENARIOS];
