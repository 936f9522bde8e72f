//! Every function comes to the verdict on record, and its documentation says what is recorded.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let packages = match cancel_safety::packages() {
        Ok(packages) => Arc::new(packages),
        Err(error) => {
            eprintln!("failed to ask cargo for the packages: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for case in cancel_safety::all() {
        let name = format!("{}::{} ({})", case.package, case.item, case.moved);
        let packages = packages.clone();
        trials.push(Trial::test(name, move || {
            case.verify_claim(&packages).map_err(Failed::from)?;
            case.judge(&(case.check)()).map_err(Failed::from)
        }));
    }
    let document = move || -> Result<(), Failed> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/findings/cancel-safety.md");
        let fresh = cancel_safety::document(&packages)? == std::fs::read_to_string(path)?;
        if fresh { Ok(()) } else { Err("it is stale: run `cargo run -p cancel-safety`".into()) }
    };
    trials.push(Trial::test("docs/findings/cancel-safety.md is fresh", document));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
