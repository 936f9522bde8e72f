//! The work stops when its request has ended.

use crate::scenario::Scenario;

mod accounts;
mod styles;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[styles::SCENARIOS, accounts::SCENARIOS];
