//! A log that cannot be written: it costs its lines, and neither a request nor the exit.

use crate::scenario::Scenario;

mod unwritable;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[unwritable::SCENARIOS];
