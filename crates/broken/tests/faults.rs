//! Each broken server fails exactly the scenarios that its fault names: the harness sees what it should, and nothing else.
//!
//! The faultless server must pass everything that needs no machine to itself. A fault must fail what it names, except for
//! what needs the machine to itself where something else tells, and it must pass some of the others that share a server:
//! other ones for the next fault, so that every scenario is seen to pass beside some fault. That a fault fails nothing
//! else is what `LAB_BROKEN=beside` proves, which tries every fault on every scenario that needs no machine to itself, and
//! `LAB_BROKEN=all`, which tries the storms too. `LAB_BROKEN_ONLY=PATTERN` leaves out the scenarios that it does not
//! select, and what must fail of them is then not asked for.

use std::collections::BTreeSet;
use std::process::ExitCode;

use broken::Fault;
use clap::ValueEnum;
use libtest_mimic::{Arguments, Failed, Trial};
use suite::document::Row;
use suite::expect::Expectations;
use suite::profile::Profile;
use suite::scenario::{Level, Scenario, Slot};
use suite::session::{Entry, Session, Settings};
use suite::verdict::Verdict;
use suite::{pattern, scenarios, slots};
use testbed::capability::Capability;
use testbed::subject::Subject;
use testbed::{guard, postgres};

mod shared;

use shared::{name, subject};

/// One scenario of so many is tried on a fault that does not name it.
const SAMPLE: usize = 12;
/// Scenarios at once, of all faults together; nearly all of their time is waiting.
const JOBS: usize = 24;

/// The faults that take longest to show.
const LONG: &[Fault] = &[Fault::WaitsForReaders, Fault::IgnoresDisconnects, Fault::None];

/// The scenarios that are tried on a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// The scenarios that a fault names, and a sample of the others.
    Sample,
    /// Everything that needs no machine to itself.
    Beside,
    /// Everything.
    All,
}

impl Breadth {
    fn asked() -> Self {
        match std::env::var("LAB_BROKEN").as_deref() {
            Ok("all") => Self::All,
            Ok("beside") => Self::Beside,
            _ => Self::Sample,
        }
    }
}

fn main() -> ExitCode {
    guard::exec_if_asked();
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(JOBS);
    if !args.list {
        guard::kill_on_signals().expect("signals can be caught");
        guard::raise_descriptors().expect("the limit can be raised to what the system allows");
    }
    slots::limit(JOBS);
    let trial = |fault: Fault| {
        Trial::test(format!("{} fails exactly its own scenarios", name(fault)), move || judge(fault))
    };
    // Who waits longest begins first.
    let mut faults = Fault::value_variants().to_vec();
    faults.sort_by_key(|fault| !LONG.contains(fault));
    let trials = faults.into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    guard::kill_all();
    conclusion.exit_code()
}

/// Runs what the fault's server supports, and compares what failed with what must.
fn judge(fault: Fault) -> Result<(), Failed> {
    let expected: BTreeSet<&str> = fault.fails().into_iter().collect();
    let subject = subject(fault)?;
    let planned = planned(fault, &subject, &expected);
    let mut entry = Entry::new(subject.clone(), Expectations::default(), planned.clone());
    // What must fail is tried once, because a second try takes twice as long and more to fail, unless time does not matter.
    if Breadth::asked() == Breadth::Sample {
        entry.once = expected.clone();
    }
    let decided_by_luck = |row: &&Row| fault.may_fail().contains(&row.id.as_str());
    let is_surprise =
        |row: &&Row| !decided_by_luck(row) && is_failure(row) != expected.contains(row.id.as_str());
    let rows = run(entry);
    let surprises: BTreeSet<&str> = rows.iter().filter(is_surprise).map(|row| row.id.as_str()).collect();
    // A surprise is looked at once more, with the machine to itself: what stays is none of the load's doing.
    let again = planned.into_iter().filter(|scenario| surprises.contains(scenario.id)).collect();
    let again = Entry { alone: true, ..Entry::new(subject, Expectations::default(), again) };
    let wrong: Vec<String> = run(again).iter().filter(is_surprise).map(told).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn run(entry: Entry) -> Vec<Row> {
    let settings = Settings { profile: Profile::Ci, jobs: JOBS, keep_traces: false, gate: false };
    Session::new(vec![entry], settings).run(&|_| {}).remove(0)
}

fn told(row: &Row) -> String {
    format!("{} {}: {}\n  {}", row.id, row.verdict, row.observed, row.trace.join("\n  "))
}

/// The scenarios to run.
fn planned(fault: Fault, subject: &Subject, expected: &BTreeSet<&str>) -> Vec<&'static Scenario> {
    let only = std::env::var("LAB_BROKEN_ONLY").unwrap_or_else(|_| "*".to_owned());
    // The reason is in the rows of every run without one.
    let has_database = postgres::shared().is_ok();
    let asked = |scenario: &&Scenario| {
        let can_run = has_database || !scenario.needs.contains(&Capability::FlagDatabase);
        can_run
            && pattern::selects(&only, scenario.id)
            && scenario.lacking(|need| subject.supports(need)).is_empty()
    };
    let mut planned: Vec<_> = scenarios::all().into_iter().filter(asked).collect();
    match Breadth::asked() {
        Breadth::All => return planned,
        Breadth::Beside => {
            planned.retain(|scenario| scenario.slot != Slot::Exclusive);
            return planned;
        }
        Breadth::Sample => {}
    }
    let named = |scenario: &Scenario| expected.contains(scenario.id);
    let is_light = |scenario: &Scenario| matches!(scenario.slot, Slot::Shared | Slot::Own);
    let only_alone = !planned.iter().any(|scenario| named(scenario) && is_light(scenario));
    let first = fault.fails().first().copied();
    let mut number = fault as usize;
    planned.retain(|scenario| match scenario.slot {
        Slot::Shared => {
            number += 1;
            fault == Fault::None || named(scenario) || number.is_multiple_of(SAMPLE)
        }
        Slot::Own => fault == Fault::None || named(scenario),
        Slot::Half | Slot::Exclusive => only_alone && first == Some(scenario.id),
    });
    planned
}

/// Reports whether a row is a failure, of any level; a scenario that only informs promises nothing.
fn is_failure(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Fail | Verdict::Error)
        || (row.verdict == Verdict::Warn && row.level == Level::Should)
}
