//! `schedules --seeds 100000`: runs seeds until one breaks a promise. `schedules --replay SEED`: shows its steps.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use schedules::{Ends, Fault, run};

#[derive(Parser)]
#[command(about = "Runs a server on ctx and hyper in orders that seeds choose")]
struct Options {
    /// The number of seeds to run.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The fault to put in.
    #[arg(long)]
    fault: Option<Fault>,
    /// Runs this seed alone, and prints its steps.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    replay: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seed) = options.replay {
        let run = run(seed, options.fault, true);
        run.lines.iter().for_each(|line| println!("{line}"));
        return report(run.seed, options.fault, run.violation.map(|violation| violation.to_string()));
    }
    let begin = Instant::now();
    let (mut steps, mut ends) = (0, Ends::default());
    for seed in options.from..options.from + options.seeds {
        let run = run(seed, options.fault, false);
        steps += run.steps;
        ends += run.ends;
        if let Some(violation) = run.violation {
            return report(seed, options.fault, Some(violation.to_string()));
        }
    }
    let took = begin.elapsed();
    println!("{} seeds, {steps} steps, {:.1} s: no promise broken", options.seeds, took.as_secs_f64());
    println!("{ends:?}");
    ExitCode::SUCCESS
}

fn report(seed: u64, fault: Option<Fault>, violation: Option<String>) -> ExitCode {
    let Some(violation) = violation else {
        println!("seed {seed}: no promise broken");
        return ExitCode::SUCCESS;
    };
    println!("seed {seed}{}: {violation}", fault.map(|fault| format!(" with {fault:?}")).unwrap_or_default());
    ExitCode::FAILURE
}
