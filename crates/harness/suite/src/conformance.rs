//! The table as tests: each scenario is a trial of its own, under cargo test and under nextest.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use testbed::catalog::{Catalog, root};
use testbed::guard;
use testbed::subject::Subject;

use crate::expect::Expectations;
use crate::profile::Profile;
use crate::scenario::Scenario;
use crate::scenarios;
use crate::session::{Entry, Session, Settings};
use crate::verdict::Verdict;

/// Judges the server `name` of the list, built at `executable`, with every scenario as a test.
///
/// The profile is `ci` unless `LAB_PROFILE` says otherwise. It is the whole `main` of a server's conformance test.
pub fn conformance(name: &str, executable: &str) -> ExitCode {
    guard::exec_if_asked();
    match prepare(name, executable) {
        Ok(conclusion) => conclusion,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(2)
        }
    }
}

fn prepare(name: &str, executable: &str) -> Result<ExitCode, String> {
    let mut args = Arguments::from_args();
    let root = root()?;
    let catalog = Catalog::read(&root)?;
    let subject = Subject::listed(catalog.find(name)?, &root, Some(Path::new(executable)))?;
    let expectations = Expectations::read(&root, name)?;
    let profile = std::env::var("LAB_PROFILE").map_or(Ok(Profile::Ci), |text| text.parse())?;
    let mut planned = scenarios::all();
    planned.sort_by_key(|scenario| scenario.turn());
    if !args.list {
        guard::kill_on_signals()?;
        guard::raise_descriptors()?;
    }
    // Scenarios wait much more than they work.
    args.test_threads.get_or_insert_with(|| profile.jobs());
    // Under nextest a process runs one of them; which one is for the filter to say, so nothing is stopped early.
    let entry = Entry::new(subject, expectations, planned.clone());
    let settings = Settings { profile, jobs: profile.jobs(), keep_traces: false, gate: false };
    let session = Arc::new(Session::new(vec![entry], settings));
    let trials = planned.into_iter().map(|scenario| trial(&session, scenario)).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    drop(session);
    guard::kill_all();
    Ok(conclusion.exit_code())
}

fn trial(session: &Arc<Session>, scenario: &'static Scenario) -> Trial {
    let session = Arc::clone(session);
    Trial::test(format!("{}: {}", scenario.id, scenario.promise), move || {
        let row = session.judge(0, scenario);
        match row.verdict {
            Verdict::Fail | Verdict::Xpass | Verdict::Error => {
                let expected = row.expected.map(|why| format!("\nexpected: {why}")).unwrap_or_default();
                let trace = row.trace.join("\n");
                Err(Failed::from(format!("{}: {}{expected}\n{trace}", row.verdict, row.observed)))
            }
            _ => Ok(()),
        }
    })
}
