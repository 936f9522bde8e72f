//! The deadline: an answer at it, never before, and exactly one.

use crate::scenario::Scenario;

mod answers;
mod bodies;
mod budget;
mod load;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] =
    &[answers::SCENARIOS, budget::SCENARIOS, bodies::SCENARIOS, load::SCENARIOS];
