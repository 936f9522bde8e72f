//! The work stops: not only is the client told so.

use crate::scenario::Scenario;

/// The area's scenarios.
pub const SCENARIOS: &[Scenario] = &[];
