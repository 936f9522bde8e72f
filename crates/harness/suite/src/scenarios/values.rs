//! Values that belong to a request.

use crate::scenario::Scenario;

mod requests;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[requests::SCENARIOS];
