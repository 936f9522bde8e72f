//! A request that fans out: its children end with it, and none outlives its group.

use crate::scenario::Scenario;

mod fanout;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[fanout::SCENARIOS];
