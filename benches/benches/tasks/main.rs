//! Tasks that time out and tasks that are canceled, on each runtime in a process of its own.
//!
//! `cargo bench -p benches --bench tasks -- --help` lists what can be chosen. Each child checks its own answer
//! (so many ended as they should, so many left); one that fails fails the bench.

mod cases;
mod known;
mod progress;
mod tables;

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use benches::tasks::{Case, Report, THREADS, TOO_SLOW};
use clap::Parser;
use progress::Progress;
use signal_hook::consts::SIGINT;

/// The number of times that a child too slow for its timeout gets twice the time.
const RETRIES: u32 = 4;
/// The exit status of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

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
    /// One round of 1,000 and 10,000 tasks: a minute.
    #[arg(long)]
    quick: bool,
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
    let mut arguments = Arguments::parse();
    if arguments.quick {
        (arguments.rounds, arguments.tasks) = (1, vec![1_000, 10_000]);
    }
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = signal_hook::flag::register(SIGINT, Arc::clone(&stop)) {
        eprintln!("Ctrl-C keeps nothing: {error}");
    }
    let mut measured: Vec<Measured> = cases::all(&arguments.tasks)
        .into_iter()
        .filter(|case| case.arguments().join(" ").contains(&arguments.only))
        .map(|case| Measured { case, reports: Vec::new(), counted: None })
        .collect();
    let cases: Vec<Case> = measured.iter().map(|row| row.case).collect();
    let mut progress = Progress::new(&cases, arguments.rounds);
    let mut failures = Vec::new();
    for (round, index) in order(arguments.rounds, measured.len()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let row = &mut measured[index];
        progress.begin(&row.case, round);
        let failed = take(row, round);
        if stop.load(Ordering::Relaxed) {
            // Ctrl-C ends the child too, which is no failure of the case.
            break;
        }
        progress.end(row);
        failures.extend(failed);
    }
    tables::print(&measured);
    known::print(&measured);
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if stop.load(Ordering::Relaxed) {
        println!("\nInterrupted: the tables have what was measured until then ({progress}).");
        return ExitCode::from(INTERRUPTED);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the round and the case of each step: there and back again, so that a machine that gets slower does so for all.
fn order(rounds: usize, cases: usize) -> Vec<(usize, usize)> {
    let turn = |round: usize| {
        (0..cases).map(move |step| (round, if round.is_multiple_of(2) { step } else { cases - 1 - step }))
    };
    (0..rounds).flat_map(turn).collect()
}

/// Runs a case once, and in the first round once more to count its allocations; returns what failed.
fn take(row: &mut Measured, round: usize) -> Vec<String> {
    let mut failures = Vec::new();
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
    failures
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
