//! Judges the answer of a server to what it says that it has. A wrong one is a failure here, and never a reason to call other
//! scenarios `unsupported`.

use crate::scenario::Scenario;

mod endpoints;
mod requests;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[requests::SCENARIOS, endpoints::SCENARIOS];

/// The reason why a wrong answer must not go unseen.
const WHY: &str =
    "a server whose wrong answer counted as a lack would excuse itself from every scenario that needs this";

/// The fields that these scenarios have in common.
const BASE: Scenario = Scenario { why: WHY, ..Scenario::BASE };
