//! A check that cannot fail is worthless: each scenario that demands something is failed by a fault, or by a peer of which
//! that is expected.

use std::collections::{BTreeMap, BTreeSet};

use broken::{Fault, SUPPORTS};
use clap::ValueEnum;
use suite::expect::Expectations;
use suite::scenario::{Level, Scenario};
use suite::verdict::Kind;
use suite::{pattern, scenarios};
use testbed::capability::Capability;
use testbed::catalog::{self, Catalog};

/// The scenarios that nothing fails, each with its reason.
const EXCEPT: &[(&str, &str)] =
    &[("probe/style-detached", "the broken server has no work that outlives its request")];

/// The ids of what judges.
fn judging() -> BTreeMap<&'static str, &'static Scenario> {
    let all = scenarios::all().into_iter().filter(|scenario| scenario.level != Level::Info);
    all.map(|scenario| (scenario.id, scenario)).collect()
}

/// Returns the scenarios that `faults` fail, and those that the servers of the list are expected to fail.
fn failed(faults: impl IntoIterator<Item = Fault>) -> BTreeSet<&'static str> {
    let root = catalog::root().expect("the tests run inside the repository");
    let mut failed: BTreeSet<&str> = faults.into_iter().flat_map(Fault::fails).collect();
    for server in Catalog::read(&root).expect("the list of servers is well formed").servers {
        let supported = |scenario: &Scenario| {
            scenario.lacking(|need| need == Capability::Process || server.can(need)).is_empty()
        };
        for expected in Expectations::read(&root, &server.name).expect("expectations are well formed").all() {
            let hits = |scenario: &&Scenario| {
                pattern::matches(&expected.pattern, scenario.id) && supported(scenario)
            };
            if expected.kind == Kind::Xfail {
                failed.extend(scenarios::all().into_iter().filter(hits).map(|scenario| scenario.id));
            }
        }
    }
    failed
}

/// Returns the scenarios that judge and are failed by none of `faults` and by no server of the list.
fn unproved(faults: impl IntoIterator<Item = Fault>) -> BTreeSet<&'static str> {
    let failed = failed(faults);
    judging().into_keys().filter(|id| !failed.contains(id)).collect()
}

#[test]
fn every_scenario_that_judges_is_failed_by_some_server() {
    let excepted = EXCEPT.iter().map(|(id, _)| *id).collect();
    assert_eq!(unproved(Fault::value_variants().iter().copied()), excepted);
}

#[test]
fn a_scenario_whose_only_fault_is_taken_away_is_found() {
    let without =
        |fault: Fault| unproved(Fault::value_variants().iter().copied().filter(move |other| *other != fault));
    assert!(without(Fault::BeatsUnasked).contains("work/unnamed-is-silent"));
}

#[test]
fn a_fault_names_scenarios_that_are_there_and_that_the_broken_server_can_be_asked() {
    let judging = judging();
    for fault in Fault::value_variants() {
        for id in [fault.fails(), fault.may_fail().to_vec()].concat() {
            let scenario =
                judging.get(id).unwrap_or_else(|| panic!("{fault:?} names `{id}`, which judges nothing"));
            let lacking =
                scenario.lacking(|need| need == Capability::Process || SUPPORTS.contains(&need.word()));
            assert_eq!(lacking, [], "{fault:?} names `{id}`, which is never run");
        }
    }
}

#[test]
fn a_scenario_that_luck_decides_is_not_asked_of_a_fault() {
    for fault in Fault::value_variants() {
        let asked = fault.fails();
        let both: Vec<_> = fault.may_fail().iter().filter(|id| asked.contains(id)).collect();
        assert!(both.is_empty(), "{fault:?} must fail, and may pass: {both:?}");
    }
}
