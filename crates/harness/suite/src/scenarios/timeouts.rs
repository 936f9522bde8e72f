//! Timeouts of a connection: a head that drips, a body that stalls, a reader that sleeps, a connection that idles.

use std::time::Duration;

use crate::scenario::{Judges, Scenario};

mod clients;
mod phases;
mod readers;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[clients::SCENARIOS, phases::SCENARIOS, readers::SCENARIOS];

/// `--read-header-timeout` of these scenarios.
pub(super) const HEADER: Duration = Duration::from_millis(400);
/// `--read-timeout` of these scenarios.
pub(super) const READ: Duration = Duration::from_millis(700);
/// `--idle-timeout` of these scenarios.
pub(super) const IDLE: Duration = Duration::from_millis(1000);

/// The base of these scenarios: short timeouts, and a deadline that is later than all of them.
pub(super) const BASE: Scenario = Scenario {
    judges: &[Judges::Connection],
    flags: &[
        ("--read-header-timeout", "400ms"),
        ("--read-timeout", "700ms"),
        ("--write-timeout", "600ms"),
        ("--idle-timeout", "1000ms"),
        ("--request-timeout", "15s"),
    ],
    ..Scenario::BASE
};
