//! Each broken intermediary fails exactly the scenarios that its fault names, and the faultless one none.
//!
//! A fault must fail what it names, and pass some of the other scenarios: other ones for the next fault, so that every
//! scenario is seen to pass beside some fault. `LAB_BROKEN=all` tries every fault on every scenario. Each scenario has a
//! process of its own, since what one fault leaves behind would break the next scenario too.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use broken::proxy::Fault;
use clap::ValueEnum;
use libtest_mimic::{Arguments, Failed, Trial};
use suite::document::Row;
use suite::expect::Expectations;
use suite::profile::Profile;
use suite::runner::Runner;
use suite::scenario::{Level, Scenario};
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::capability::Capability;
use testbed::proxies::Proxy;
use testbed::subject::Subject;
use testbed::{catalog, guard};

/// One scenario of so many is tried on a fault that does not name it.
const SAMPLE: usize = 8;
/// Scenarios of one fault at once, and faults at once; nearly all of their time is waiting.
const JOBS: usize = 8;
const FAULTS: usize = 4;

fn main() -> ExitCode {
    guard::exec_if_asked();
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(FAULTS);
    if !args.list {
        guard::kill_on_signals().expect("signals can be caught");
    }
    let judged = |fault: Fault| {
        Trial::test(format!("{} fails exactly its own scenarios", fault.name()), move || judge(fault))
    };
    let mut trials: Vec<Trial> = Fault::value_variants().iter().copied().map(judged).collect();
    trials.push(Trial::test("every_scenario_that_judges_an_intermediary_is_failed_by_some_fault", covered));
    let conclusion = libtest_mimic::run(&args, trials);
    guard::kill_all();
    conclusion.exit_code()
}

/// Runs the scenarios, and compares what failed with what must.
fn judge(fault: Fault) -> Result<(), Failed> {
    let expected = fault.fails();
    let planned = planned(fault, &expected);
    let surprise = |scenario: &'static Scenario| {
        let must_fail = expected.contains(scenario.id);
        let row = run(fault, scenario, if must_fail { 1 } else { 2 });
        (is_failure(&row) != must_fail).then_some(row)
    };
    let (next, again) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..JOBS.min(planned.len()) {
            scope.spawn(|| {
                while let Some(scenario) = planned.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if surprise(scenario).is_some() {
                        again.lock().expect("no thread panics with the list").push(*scenario);
                    }
                }
            });
        }
    });
    // A surprise is looked at once more, with no other scenario of its fault beside it.
    let again = again.into_inner().expect("no thread panics with the list");
    let wrong: Vec<String> = again.into_iter().filter_map(surprise).map(|row| told(&row)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn told(row: &Row) -> String {
    format!("{} {}: {}\n  {}", row.id, row.verdict, row.observed, row.trace.join("\n  "))
}

/// The scenarios to run.
fn planned(fault: Fault, expected: &BTreeSet<String>) -> Vec<&'static Scenario> {
    let mut planned = scenarios::through();
    if fault != Fault::None && std::env::var("LAB_BROKEN").as_deref() != Ok("all") {
        let mut number = fault as usize;
        planned.retain(|scenario| {
            number += 1;
            expected.contains(scenario.id) || number.is_multiple_of(SAMPLE)
        });
    }
    planned
}

fn run(fault: Fault, scenario: &'static Scenario, most: u32) -> Row {
    let program = env!("CARGO_BIN_EXE_broken-proxy");
    let words = "--listen {listen} --upstream {upstream} --second {second}";
    let command = format!("{program} {words} --fault {}", fault.name());
    let supports = [Capability::ThroughBrief, Capability::ThroughPair];
    let root = catalog::root().expect("the tests run inside the repository");
    let subject = Subject::through(&Proxy::command(&command, None, &supports), &root);
    Runner::new(subject, Profile::Ci, Expectations::default(), &[scenario]).run_up_to(scenario, most)
}

/// Reports whether a row is a failure, of any level; a scenario that only informs promises nothing.
fn is_failure(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Fail | Verdict::Error)
        || (row.verdict == Verdict::Warn && row.level == Level::Should)
}

/// Fails unless each scenario that demands something of an intermediary is failed by a fault.
fn covered() -> Result<(), Failed> {
    let failed: BTreeSet<String> = Fault::value_variants().iter().flat_map(|fault| fault.fails()).collect();
    let demands =
        |scenario: &&&Scenario| scenario.level != Level::Info && scenario.id != scenarios::THROUGH_GATE;
    let judging = scenarios::through();
    let unproved: Vec<_> = judging
        .iter()
        .filter(demands)
        .map(|scenario| scenario.id)
        .filter(|id| !failed.contains(*id))
        .collect();
    let known: BTreeSet<_> = judging.iter().map(|scenario| scenario.id).collect();
    let unknown: Vec<_> = failed.iter().filter(|id| !known.contains(id.as_str())).collect();
    if unproved.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    Err(format!("failed by no fault: {unproved:?}; named and not there: {unknown:?}").into())
}
