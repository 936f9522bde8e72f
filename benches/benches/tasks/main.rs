//! Tasks that time out and tasks that are canceled, on each runtime in a process of its own.
//!
//! `cargo bench -p benches --bench tasks -- --help` lists what can be chosen. Each child checks its own answer
//! (so many ended as they should, so many left); one that fails fails the bench.

mod cases;
mod known;
mod tables;

use std::process::{Command, ExitCode};

use benches::tasks::{Case, Report, THREADS, TOO_SLOW};
use clap::Parser;

/// The number of times that a child too slow for its timeout gets twice the time.
const RETRIES: u32 = 4;

#[derive(Parser)]
#[command(about = "Counts, weighs and times tasks that time out or are canceled")]
struct Arguments {
    /// The numbers of tasks, in turn.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    tasks: Vec<usize>,
    /// The number of times each case is run; the table shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only cases whose line contains this, such as `smol` or `join-set`.
    #[arg(long, default_value = "")]
    only: String,
    /// `cargo bench` says this to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A case with what its children reported.
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) reports: Vec<Report>,
    /// From the child that counts allocations.
    pub(crate) counted: Option<Report>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut measured: Vec<Measured> = cases::all(&arguments.tasks)
        .into_iter()
        .filter(|case| case.arguments().join(" ").contains(&arguments.only))
        .map(|case| Measured { case, reports: Vec::new(), counted: None })
        .collect();
    let mut failures = Vec::new();
    for round in 0..arguments.rounds {
        eprintln!("round {} of {}: {} cases", round + 1, arguments.rounds, measured.len());
        // There and back again, so that a machine that gets slower does so for all.
        let order: Vec<usize> = (0..measured.len()).collect();
        let order: Box<dyn Iterator<Item = usize>> =
            if round % 2 == 0 { Box::new(order.into_iter()) } else { Box::new(order.into_iter().rev()) };
        for index in order {
            let row = &mut measured[index];
            match child(env!("CARGO_BIN_EXE_task-run"), row.case) {
                Ok(report) => row.reports.push(report),
                Err(failure) => failures.push(failure),
            }
            if round == 0 && cases::is_counted(&row.case) {
                match child(env!("CARGO_BIN_EXE_task-bytes"), row.case) {
                    Ok(report) => row.counted = Some(report),
                    Err(failure) => failures.push(failure),
                }
            }
        }
    }
    tables::print(&measured);
    known::print(&measured);
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a case in a process of its own; one whose machine was too slow gets more time.
fn child(program: &str, mut case: Case) -> Result<Report, String> {
    for _ in 0..RETRIES {
        let threads = THREADS.to_string();
        let output = Command::new(program)
            .args(case.arguments())
            .env("SMOL_THREADS", &threads)
            .env("ASYNC_STD_THREAD_COUNT", &threads)
            .output()
            .map_err(|error| format!("failed to start `{program}`: {error}"))?;
        if output.status.code() == Some(i32::from(TOO_SLOW)) {
            case.timeout_ms *= 2;
            continue;
        }
        let line = case.arguments().join(" ");
        let report: Report = serde_json::from_slice(&output.stdout).map_err(|error| {
            format!("{line}: no report ({error}); {}", String::from_utf8_lossy(&output.stderr))
        })?;
        return match &report.failure {
            Some(failure) => Err(format!("{line}: {failure}")),
            None => Ok(report),
        };
    }
    Err(format!("{}: the first deadline came before the last task waited", case.arguments().join(" ")))
}
