//! Work that is not in the process: a future that is dropped ends none of it by itself.

use crate::scenario::Scenario;

mod accept;
mod permit;
mod pool;
mod process;
mod query;
pub(super) mod upstream;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[
    permit::SCENARIOS,
    process::SCENARIOS,
    upstream::SCENARIOS,
    accept::SCENARIOS,
    query::SCENARIOS,
    pool::SCENARIOS,
];
