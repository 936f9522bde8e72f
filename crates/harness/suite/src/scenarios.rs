//! The one table of scenarios. Tests, `lab check`, the report and the documentation are made from it.

use crate::scenario::Scenario;

pub mod accounts;
pub mod baseline;
pub mod bodies;
pub mod bounds;
pub mod budget;
pub mod crowd;
pub mod deadline;
pub mod disconnect;
pub mod faults;
pub mod group;
pub mod heads;
pub mod input;
pub mod leak;
pub mod load;
pub mod patience;
pub mod policy;
pub mod readers;
pub mod runtime;
pub mod shutdown;
pub mod signals;
pub mod timeouts;
pub mod unread;
pub mod values;
pub mod work;

/// The areas in the order of the table.
const AREAS: &[&[Scenario]] = &[
    baseline::SCENARIOS,
    input::SCENARIOS,
    deadline::SCENARIOS,
    budget::SCENARIOS,
    bodies::SCENARIOS,
    load::SCENARIOS,
    work::SCENARIOS,
    accounts::SCENARIOS,
    disconnect::SCENARIOS,
    unread::SCENARIOS,
    crowd::SCENARIOS,
    patience::SCENARIOS,
    policy::SCENARIOS,
    timeouts::SCENARIOS,
    readers::SCENARIOS,
    values::SCENARIOS,
    group::SCENARIOS,
    heads::SCENARIOS,
    bounds::SCENARIOS,
    faults::SCENARIOS,
    shutdown::SCENARIOS,
    signals::SCENARIOS,
    leak::SCENARIOS,
    runtime::SCENARIOS,
];

/// The scenario that gates all others: without it, "not a lab server".
pub const GATE: &str = "baseline/fast-200";

/// Every scenario, the gate first.
pub fn all() -> Vec<&'static Scenario> {
    AREAS.iter().copied().flatten().collect()
}

/// The scenarios that a pattern selects (see [`pattern::selects`](crate::pattern::selects)).
///
/// # Errors
/// When it selects none, with the areas there are.
pub fn select(patterns: &str) -> Result<Vec<&'static Scenario>, String> {
    let found: Vec<_> =
        all().into_iter().filter(|scenario| crate::pattern::selects(patterns, scenario.id)).collect();
    if found.is_empty() {
        let mut areas: Vec<_> = all().iter().map(|scenario| scenario.area()).collect();
        areas.dedup();
        return Err(format!("no scenario matches `{patterns}`; the areas are: {}", areas.join(", ")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_spelled_area_slash_slug() {
        let mut seen = BTreeSet::new();
        for scenario in all() {
            let id = scenario.id;
            assert!(seen.insert(id), "`{id}` stands twice");
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-');
            assert!(id.matches('/').count() == 1 && id.chars().all(plain), "`{id}`");
        }
    }

    #[test]
    fn the_gate_comes_first() {
        assert_eq!(all().first().map(|scenario| scenario.id), Some(GATE));
    }

    #[test]
    fn every_scenario_says_what_it_promises_sends_and_why() {
        for scenario in all() {
            for (what, text) in
                [("promise", scenario.promise), ("sent", scenario.sent), ("why", scenario.why)]
            {
                assert!(!text.is_empty() && !text.ends_with('.'), "{} has a bad `{what}`", scenario.id);
            }
            assert!(!scenario.promise.contains('\n'), "{}", scenario.id);
        }
    }

    #[test]
    fn needs_are_of_a_known_kind() {
        const WORDS: &[&str] = &[
            "admin",
            "witness",
            "process",
            "routing",
            "keep-alive",
            "request-id",
            "json-errors",
            "timeout-header",
            "head",
            "post",
            "methods",
        ];
        const KINDS: &[&str] = &["style:", "endpoint:/", "param:", "flag:--", "beyond:"];
        for scenario in all() {
            for need in scenario.needs {
                let known = WORDS.contains(need) || KINDS.iter().any(|kind| need.starts_with(kind));
                assert!(known, "{} needs `{need}`", scenario.id);
            }
            assert!(scenario.flags.iter().all(|(name, _)| name.starts_with("--")), "{}", scenario.id);
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_names_the_areas() {
        assert!(select("nope/*").unwrap_err().contains("baseline, deadline"));
        assert_eq!(select("baseline/fast-200").unwrap().len(), 1);
    }
}
