//! The one table of scenarios. Tests, `lab check`, the report and the documentation are made from it.

use crate::pattern;
use crate::questions;
use crate::scenario::Scenario;

mod baseline;
mod closing;
mod deadline;
mod disconnect;
mod faults;
mod group;
mod h2;
mod hops;
mod leak;
mod log;
mod outside;
mod probe;
mod shutdown;
mod spared;
mod start;
mod through;
mod timeouts;
mod values;
mod vanish;
mod work;

/// The areas in the order of the table: each a module, whose files are its topics.
const AREAS: &[&[&[Scenario]]] = &[
    baseline::SCENARIOS,
    probe::SCENARIOS,
    deadline::SCENARIOS,
    work::SCENARIOS,
    disconnect::SCENARIOS,
    outside::SCENARIOS,
    hops::SCENARIOS,
    spared::SCENARIOS,
    timeouts::SCENARIOS,
    closing::SCENARIOS,
    values::SCENARIOS,
    group::SCENARIOS,
    h2::SCENARIOS,
    faults::SCENARIOS,
    start::SCENARIOS,
    log::SCENARIOS,
    shutdown::SCENARIOS,
    vanish::SCENARIOS,
    leak::SCENARIOS,
];

/// The area whose subject is an intermediary, with the lab's own upstream behind it.
const THROUGH: &[(&str, &[Scenario])] = through::TOPICS;

/// The scenario that gates the area `through`: without it, "no intermediary".
pub const THROUGH_GATE: &str = "through/answers-200";

/// The id of the scenario that gates all others: a server that fails it is no lab server.
pub const GATE: &str = "baseline/fast-200";

/// The scenario that gates all others.
pub fn gate() -> &'static Scenario {
    all().into_iter().find(|scenario| scenario.id == GATE).expect("the gate is in the table")
}

/// Every scenario, the gate first.
pub fn all() -> Vec<&'static Scenario> {
    AREAS.iter().copied().flatten().copied().flatten().collect()
}

/// Every scenario for intermediaries, their gate first.
pub fn through() -> Vec<&'static Scenario> {
    THROUGH.iter().flat_map(|(_, scenarios)| *scenarios).collect()
}

/// The scenarios for intermediaries by topic, each with a title.
pub fn through_topics() -> &'static [(&'static str, &'static [Scenario])] {
    THROUGH
}

/// The scenarios for servers, and those for intermediaries behind them.
pub fn every() -> Vec<&'static Scenario> {
    all().into_iter().chain(through()).collect()
}

/// The scenarios for servers that a pattern selects (see [`pattern::selects`]); [`questions::SET`] stands for those of its
/// four questions.
///
/// # Errors
/// When one of them selects none, with the nearest id and the areas there are.
pub fn select(patterns: &str) -> Result<Vec<&'static Scenario>, String> {
    select_from(all(), patterns)
}

/// Those of `all` that a pattern selects.
///
/// # Errors
/// As [`select`].
pub fn select_from(all: Vec<&'static Scenario>, patterns: &str) -> Result<Vec<&'static Scenario>, String> {
    let is_idle = |one: &&str| !all.iter().any(|scenario| selects(one, scenario));
    if let Some(idle) = patterns.split(',').map(str::trim).find(is_idle) {
        let mut areas: Vec<_> = all.iter().map(|scenario| scenario.area()).collect();
        areas.dedup();
        let (nearest, areas) = (nearest(idle), areas.join(", "));
        return Err(format!(
            "no scenario matches `{idle}`; the nearest is `{nearest}`; the areas are: {areas}; `{}` is the set of four questions",
            questions::SET
        ));
    }
    Ok(all.into_iter().filter(|scenario| selects(patterns, scenario)).collect())
}

fn selects(patterns: &str, scenario: &Scenario) -> bool {
    let of_set =
        || patterns.split(',').any(|one| one.trim() == questions::SET) && questions::of(scenario).is_some();
    pattern::selects(patterns, scenario.id) || of_set()
}

/// The id or area that differs least from a pattern.
pub fn nearest(pattern: &str) -> &'static str {
    let distance = |name: &&str| strsim::damerau_levenshtein(name, pattern);
    // Of an id and its area the id comes first, so that it wins a tie.
    every().into_iter().flat_map(|one| [one.id, one.area()]).min_by_key(distance).unwrap_or(GATE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use testbed::capability::Capability;

    use super::*;

    #[test]
    fn ids_are_unique_and_spelled_area_slash_slug() {
        let mut seen = BTreeSet::new();
        for scenario in every() {
            let id = scenario.id;
            assert!(seen.insert(id), "`{id}` stands twice");
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-');
            assert!(id.matches('/').count() == 1 && id.chars().all(plain), "`{id}`");
        }
    }

    /// The ids in the source of each area's folder, with the folder's name.
    fn ids_by_folder() -> Vec<(String, String)> {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scenarios");
        let list = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found = Vec::new();
        for folder in list(Path::new(sources)).filter(|path| path.is_dir()) {
            let area = folder.file_name().unwrap().to_str().unwrap();
            for file in list(&folder) {
                let text = std::fs::read_to_string(&file).unwrap();
                let ids = text.split("id: \"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(ids.map(|id| (area.to_owned(), id.to_owned())));
            }
        }
        found
    }

    #[test]
    fn every_scenario_stands_in_the_folder_of_its_area() {
        let found = ids_by_folder();
        for (area, id) in &found {
            assert_eq!(id.split('/').next(), Some(area.as_str()), "`{id}` stands in `{area}/`");
        }
        let written: BTreeSet<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
        let table: BTreeSet<&str> = every().iter().map(|scenario| scenario.id).collect();
        assert_eq!(written, table, "left: ids in the folders; right: ids in the table");
    }

    #[test]
    fn the_gate_comes_first() {
        assert_eq!(all().first().map(|scenario| scenario.id), Some(GATE));
        assert_eq!(through().first().map(|scenario| scenario.id), Some(THROUGH_GATE));
    }

    #[test]
    fn every_scenario_says_what_it_promises_sends_and_why() {
        for scenario in every() {
            for (what, text) in
                [("promise", scenario.promise), ("sent", scenario.sent), ("why", scenario.why)]
            {
                assert!(!text.is_empty() && !text.ends_with('.'), "{} has a bad `{what}`", scenario.id);
            }
            assert!(!scenario.promise.contains('\n'), "{}", scenario.id);
        }
    }

    #[test]
    fn no_text_has_a_word_that_the_lab_alone_knows() {
        for scenario in every() {
            let texts = [scenario.promise, scenario.sent, scenario.why, scenario.wrong];
            // A name between backticks is an endpoint or a flag, and keeps its name.
            for text in texts.iter().flat_map(|text| text.split('`').step_by(2)) {
                let found = ["witness", "census", "SHOULD"].iter().find(|word| text.contains(*word));
                assert_eq!(found, None, "{} says: {text}", scenario.id);
            }
        }
    }

    #[test]
    fn every_flag_is_a_capability() {
        for scenario in every() {
            for (name, _) in scenario.flags {
                assert!(Capability::flag(name).is_some(), "{} has the flag `{name}`", scenario.id);
            }
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_names_the_areas() {
        assert!(select("nope/*").unwrap_err().contains("baseline, probe, deadline"));
        assert_eq!(select("baseline/fast-200").unwrap().len(), 1);
        let error = select("baseline/fast-200, wrok").unwrap_err();
        assert!(error.starts_with("no scenario matches `wrok`; the nearest is `work`; "), "{error}");
    }
}
