//! The start of a server: what it is told, and what the system refuses it.

use crate::scenario::Scenario;

mod refused;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[refused::SCENARIOS];
