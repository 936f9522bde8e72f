//! The least that makes a server one of the lab's: it answers, and its answers are well-formed.

use crate::scenario::Scenario;

mod answers;
mod input;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[answers::SCENARIOS, input::SCENARIOS];
