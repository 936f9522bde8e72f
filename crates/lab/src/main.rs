//! The Deadline Lab's command: judges servers, explains scenarios, writes their documentation.
//!
//! Results go to stdout, progress and errors to stderr. Exit status: 0, or 1 when a scenario failed, or 2 when
//! something could not be run, or 3 when one run is worse than another.

use std::process::ExitCode;

use clap::Parser;

mod args;
mod check;
mod compare;
mod diff;
mod gallery;
mod list;
mod load;
mod prepare;
mod progress;
mod report;
mod show;
mod through;

fn main() -> ExitCode {
    testbed::guard::exec_if_asked();
    testbed::floor::serve_if_asked();
    let outcome = match args::Args::parse().command {
        args::Command::List(args) => list::list(&args),
        args::Command::Check(args) => check::check(&args),
        args::Command::Through(args) => through::through(&args),
        args::Command::Proxies(args) => through::page(&args),
        args::Command::Compare(args) => compare::compare(&args),
        args::Command::Report(args) => report::report(&args),
        args::Command::Learned(args) => report::learned(&args),
        args::Command::Diff(args) => diff::diff(&args),
        args::Command::Gallery(args) => gallery::gallery(&args),
        args::Command::Show(args) => show::show(&args),
        args::Command::Load(args) => load::load(&args),
        args::Command::Explain { id } => list::explain(&id),
        args::Command::Docs { check, run } => list::docs(check, run.as_deref()),
    };
    testbed::guard::kill_all();
    outcome.unwrap_or_else(|error| {
        eprintln!("lab: {error}");
        ExitCode::from(2)
    })
}
