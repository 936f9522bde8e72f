//! The Deadline Lab's command: judges servers, explains scenarios, writes their documentation.
//!
//! Results go to stdout, progress and errors to stderr. [`suite::exit`] has the exit statuses.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic when nobody reads; say with `progress`"
)]

use std::process::ExitCode;

use clap::Parser;
use suite::exit::Exit;

mod args;
mod chain;
mod check;
mod compare;
mod diff;
mod gallery;
mod kept;
mod learned;
mod list;
mod load;
mod play;
mod prepare;
mod progress;
mod report;
mod show;
mod through;
mod watch;

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
        args::Command::Export(args) => report::export(&args),
        args::Command::Learned(args) => learned::learned(&args),
        args::Command::Diff(args) => diff::diff(&args),
        args::Command::Gallery(args) => gallery::gallery(&args),
        args::Command::Show(args) => show::show(&args),
        args::Command::Play(args) => play::play(&args),
        args::Command::Load(args) => load::load(&args),
        args::Command::Watch(args) => watch::watch(&args),
        args::Command::Explain { name } => list::explain(&name),
        args::Command::Docs { check, run } => list::docs(check, run.as_deref()),
    };
    testbed::guard::kill_all();
    let exit = outcome.unwrap_or_else(|error| {
        progress::say(&error);
        Exit::NotRun
    });
    if exit == Exit::Good && progress::lost() { Exit::NotRun.into() } else { exit.into() }
}
