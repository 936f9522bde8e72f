//! Each broken server fails exactly the scenarios that its fault names: the harness sees what it should, and nothing else.
//!
//! The faultless server must pass everything that needs no machine to itself. A fault must fail what it names, except for
//! what needs the machine to itself where something else tells, and it must pass some of the others that share a server:
//! other ones for the next fault, so that every scenario is seen to pass beside some fault. That a fault fails nothing
//! else is what `LAB_BROKEN=beside` proves, which tries every fault on every scenario that needs no machine to itself, and
//! `LAB_BROKEN=all`, which tries the storms too.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use broken::{Fault, SUPPORTS};
use clap::ValueEnum;
use libtest_mimic::{Arguments, Failed, Trial};
use suite::expect::Expectations;
use suite::profile::Profile;
use suite::run::Row;
use suite::runner::Runner;
use suite::scenario::{Level, Scenario, Seat};
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::capability::Supports;
use testbed::catalog::{self, Stanza};
use testbed::guard;
use testbed::subject::Subject;

/// One scenario of so many is tried on a fault that does not name it.
const SAMPLE: usize = 12;
/// Scenarios at once, of all faults together; nearly all of their time is waiting.
const JOBS: usize = 24;

/// The faults that take longest to show.
const LONG: &[Fault] = &[Fault::WaitsForReaders, Fault::IgnoresDisconnects, Fault::None];

/// How much is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breadth {
    /// What a fault names, and a sample of the others.
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
        guard::limit_descriptors(None).expect("the limit can be raised to what the system allows");
    }
    let permits = Arc::new(Permits::new(JOBS));
    let trial = |fault: Fault| {
        let permits = permits.clone();
        Trial::test(format!("{} fails exactly its own scenarios", name(fault)), move || {
            judge(fault, &permits)
        })
    };
    // Who waits longest begins first.
    let mut faults = Fault::value_variants().to_vec();
    faults.sort_by_key(|fault| !LONG.contains(fault));
    let trials = faults.into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    guard::kill_all();
    conclusion.exit_code()
}

fn name(fault: Fault) -> String {
    let value = fault.to_possible_value().expect("no fault is hidden");
    value.get_name().to_owned()
}

/// Runs what the fault's server supports, and compares what failed with what must.
fn judge(fault: Fault, permits: &Permits) -> Result<(), Failed> {
    let expected: BTreeSet<&str> = fault.fails().iter().copied().collect();
    let subject = subject(fault)?;
    let planned = planned(fault, &subject, &expected);
    let runner = Runner::new(subject.clone(), Profile::Ci, Expectations::default(), &planned);
    let failed = all(&runner, &planned, &expected, permits);
    // A surprise is looked at once more, with the machine to itself: what stays is none of the load's doing.
    let surprise = |scenario: &&&Scenario| failed.contains_key(scenario.id) != expected.contains(scenario.id);
    let surprises: Vec<_> = planned.iter().filter(surprise).copied().collect();
    let again = Runner::new(subject, Profile::Ci, Expectations::default(), &surprises);
    let mut wrong = Vec::new();
    for scenario in surprises {
        let _machine = permits.take(JOBS);
        let row = again.run(scenario);
        if is_failure(&row) != expected.contains(scenario.id) {
            let trace = row.trace.join("\n  ");
            wrong.push(format!("{} {}: {}\n  {trace}", scenario.id, row.verdict, row.observed));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn subject(fault: Fault) -> Result<Subject, Failed> {
    let stanza = Stanza {
        name: name(fault),
        about: String::new(),
        build: None,
        run: format!("{} --fault {}", env!("CARGO_BIN_EXE_broken"), name(fault)),
        version: None,
        needs: Vec::new(),
        supports: Supports::Only(
            SUPPORTS.iter().map(|word| word.parse().expect("it is a capability")).collect(),
        ),
        peer: false,
    };
    Ok(Subject::listed(&stanza, &catalog::root()?, None)?)
}

/// The scenarios to run.
fn planned(fault: Fault, subject: &Subject, expected: &BTreeSet<&str>) -> Vec<&'static Scenario> {
    let supported = |scenario: &&Scenario| scenario.lacking(|need| subject.supports(need)).is_none();
    let mut planned: Vec<_> = scenarios::all().into_iter().filter(supported).collect();
    match Breadth::asked() {
        Breadth::All => return planned,
        Breadth::Beside => {
            planned.retain(|scenario| scenario.seat != Seat::Alone);
            return planned;
        }
        Breadth::Sample => {}
    }
    let named = |scenario: &Scenario| expected.contains(scenario.id);
    let is_light = |scenario: &Scenario| matches!(scenario.seat, Seat::Shared | Seat::Own);
    let only_alone = !planned.iter().any(|scenario| named(scenario) && is_light(scenario));
    let first = fault.fails().first().copied();
    let mut number = fault as usize;
    planned.retain(|scenario| match scenario.seat {
        Seat::Shared => {
            number += 1;
            fault == Fault::None || named(scenario) || number.is_multiple_of(SAMPLE)
        }
        Seat::Own => fault == Fault::None || named(scenario),
        Seat::Half | Seat::Alone => only_alone && first == Some(scenario.id),
    });
    planned
}

/// Whether a promise was found broken, of whatever level; what only informs promises nothing.
fn is_failure(row: &Row) -> bool {
    matches!(row.verdict, Verdict::Fail | Verdict::Error)
        || (row.verdict == Verdict::Warn && row.level == Level::Should)
}

/// Runs the scenarios side by side; gives what was seen of those that failed.
///
/// What must fail is tried once, because a second try takes twice as long and more to fail, unless time does not matter.
fn all(
    runner: &Runner,
    planned: &[&'static Scenario],
    expected: &BTreeSet<&str>,
    permits: &Permits,
) -> BTreeMap<&'static str, String> {
    let sample = Breadth::asked() == Breadth::Sample;
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..JOBS.min(planned.len()) {
            scope.spawn(|| {
                while let Some(scenario) = planned.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _permit = permits.take(1);
                    let row = match sample && expected.contains(scenario.id) {
                        true => runner.run_up_to(scenario, 1),
                        false => runner.run(scenario),
                    };
                    if is_failure(&row) {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(scenario.id, row.observed);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// So many permits to run a scenario.
struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

/// Permits taken, given back on drop.
struct Taken<'a>(&'a Permits, usize);

impl Permits {
    fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), freed: Condvar::new() }
    }

    fn take(&self, count: usize) -> Taken<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.freed.wait_while(free, |free| *free < count).unwrap_or_else(PoisonError::into_inner);
        *free -= count;
        Taken(self, count)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += self.1;
        self.0.freed.notify_all();
    }
}
