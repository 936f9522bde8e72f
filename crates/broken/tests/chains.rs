//! The link that breaks a chain is named: a broken server stands between two that are not, in the first, the second and the
//! last place.

use std::process::ExitCode;

use broken::Fault;
use libtest_mimic::{Arguments, Failed, Trial};
use suite::document::Row;
use suite::expect::Expectations;
use suite::profile::Profile;
use suite::scenario::Scenario;
use suite::session::{Entry, Session, Settings};
use suite::verdict::Verdict;
use suite::{scenarios, slots};
use testbed::guard;
use testbed::subject::Subject;

mod shared;

use shared::{name, subject};

/// Chains at once; nearly all of their time is waiting.
const JOBS: usize = 12;

/// A fault of a link, the scenario that shows it, and what the verdict says behind the link's name.
struct Case {
    fault: Fault,
    scenario: &'static str,
    says: &'static str,
    /// The places in which it shows, from 1: who calls nobody cannot leave a call open.
    places: &'static [usize],
}

const CASES: &[Case] = &[
    Case {
        fault: Fault::PassesBudgetOn,
        scenario: "hops/budgets",
        says: "passed on a budget of",
        places: &[1, 2],
    },
    Case {
        fault: Fault::PassesTraceOn,
        scenario: "hops/traceparent",
        says: "which is no number of the call's own",
        places: &[1, 2],
    },
    Case {
        fault: Fault::PassesStateOn,
        scenario: "hops/tracestate",
        says: "passed on the tracestate",
        // The second one is given none that is malformed.
        places: &[1],
    },
    Case { fault: Fault::LeavesCalls, scenario: "hops/fin", says: "left its call open", places: &[1, 2] },
    Case { fault: Fault::LeavesCalls, scenario: "hops/rst", says: "left its call open", places: &[1, 2] },
    Case {
        fault: Fault::AnswersForUpstreams,
        scenario: "hops/deadline",
        says: "answered 200",
        places: &[1, 2],
    },
    Case {
        fault: Fault::IgnoresDisconnects,
        scenario: "hops/fin",
        says: "its work goes on",
        places: &[1, 2, 3],
    },
];

fn main() -> ExitCode {
    guard::exec_if_asked();
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert(JOBS);
    if !args.list {
        guard::kill_on_signals().expect("signals can be caught");
    }
    slots::limit(JOBS);
    let named = CASES.iter().flat_map(|case| case.places.iter().map(move |place| (case, *place)));
    let named = named.map(|(case, place)| {
        let (fault, scenario) = (name(case.fault), case.scenario);
        Trial::test(format!("{fault} as link {place} is named by {scenario}"), move || guilty(case, place))
    });
    let sound = Trial::test("a chain of sound links passes every scenario", sound);
    let conclusion = libtest_mimic::run(&args, named.chain([sound]).collect());
    guard::kill_all();
    conclusion.exit_code()
}

fn sound() -> Result<(), Failed> {
    let hops = scenarios::all().into_iter().filter(|one| one.area() == "hops").collect();
    for row in judged(&[Fault::None; 3], hops)? {
        if row.verdict != Verdict::Pass || row.hops.len() != 3 {
            return Err(told(&row).into());
        }
    }
    Ok(())
}

fn guilty(case: &Case, place: usize) -> Result<(), Failed> {
    let mut links = [Fault::None; 3];
    links[place - 1] = case.fault;
    let scenario = scenarios::all().into_iter().find(|one| one.id == case.scenario);
    let rows = judged(&links, vec![scenario.ok_or("no such scenario")?])?;
    let row = rows.first().ok_or("no row")?;
    let who = format!("link {place} of 3, `{}`, ", name(case.fault));
    let is_named = row.observed.starts_with(&who) && row.observed.contains(case.says);
    if row.verdict == Verdict::Fail && is_named { Ok(()) } else { Err(told(row).into()) }
}

fn told(row: &Row) -> String {
    format!("{} {}: {}\n{:#?}", row.id, row.verdict, row.observed, row.hops)
}

fn judged(links: &[Fault], scenarios: Vec<&'static Scenario>) -> Result<Vec<Row>, Failed> {
    let links = links.iter().map(|fault| subject(*fault)).collect::<Result<Vec<_>, _>>()?;
    let entry = Entry::new(Subject::chain(links)?, Expectations::default(), scenarios);
    let settings = Settings { profile: Profile::Ci, jobs: 4, keep_traces: false, gate: false };
    Ok(Session::new(vec![entry], settings).run(&|_| {}).remove(0))
}
