//! Figures of work outside the process: `scripts/long.sh outside` runs it.
//!
//! `outside [--canceled N] [--each N] [--budgets N] [--only PART,...] [--chain SERVER,...]... FOLDER SERVER...`: PART is one of
//! `queries`, `processes`, `permits`, `chain` and `pool`; FOLDER holds the servers' programs, and a figure of one server is
//! that of `server-SERVER`. A link of a chain may also be a server of the list that is built. Without `--chain`, a chain goes
//! through all servers and once more through the first.

mod chain;
mod figures;
mod queries;
mod resources;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use testbed::capability::Supports;
use testbed::catalog::{self, Catalog};
use testbed::guard;
use testbed::server::{Server, Started};
use testbed::subject::{Subject, Trial};
use wire::trace::Trace;
use wire::{Request, Wire};

/// The failure of any step.
type Failed = Box<dyn Error>;

/// Counts of a run.
struct Counts {
    /// Canceled queries in the pool of one server.
    canceled: u64,
    /// Cancels of each kind whose time is taken.
    each: usize,
    /// Requests through the chain whose budgets are read.
    budgets: usize,
}

fn main() -> ExitCode {
    guard::exec_if_asked();
    let done = guard::kill_on_signals().map_err(Failed::from).and_then(|()| run());
    guard::kill_all();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outside: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failed> {
    let mut counts = Counts { canceled: 100_000, each: 300, budgets: 10_000 };
    let (mut only, mut chains) = (String::new(), Vec::new());
    let mut args = std::env::args().skip(1).peekable();
    while let Some(flag) = args.next_if(|arg| arg.starts_with("--")) {
        let value = args.next().ok_or("a flag takes a value")?;
        match flag.as_str() {
            "--canceled" => counts.canceled = value.parse()?,
            "--each" => counts.each = value.parse()?,
            "--budgets" => counts.budgets = value.parse()?,
            "--only" => only = value,
            "--chain" => chains.push(value),
            _ => return Err(format!("unknown flag `{flag}`").into()),
        }
    }
    let folder = PathBuf::from(args.next().ok_or("no folder of servers")?);
    let names: Vec<String> = args.collect();
    let subjects: Vec<Subject> = names.iter().map(|name| subject(&folder, name)).collect();
    println!(
        "| figure | server | n | p50 ms | p99 ms | max ms | |\n| --- | --- | --- | --- | --- | --- | --- |"
    );
    let has = |part: &str| only.is_empty() || only.split(',').any(|one| one == part);
    for subject in &subjects {
        if has("queries") {
            queries::gone(subject, counts.each)?;
        }
        if has("processes") {
            resources::processes(subject, counts.each)?;
        }
        if has("permits") {
            resources::permits(subject)?;
        }
    }
    if chains.is_empty() {
        chains.extend(names.first().map(|first| format!("{},{first}", names.join(","))));
    }
    for chain in chains.iter().filter(|_| has("chain")) {
        let links = chain.split(',').map(|name| link(&folder, name)).collect::<Result<Vec<_>, _>>()?;
        let links: Vec<&Subject> = links.iter().collect();
        chain::leaves(&links, counts.each)?;
        chain::deadlines(&links, counts.each)?;
        chain::budgets(&links, counts.budgets)?;
    }
    for subject in subjects.iter().filter(|_| has("pool")) {
        queries::pool(subject, counts.canceled)?;
    }
    Ok(())
}

fn subject(folder: &Path, name: &str) -> Subject {
    Subject::executable(name, &folder.join(format!("server-{name}")), Supports::All)
}

/// Returns a server of the folder, or else one of the list.
fn link(folder: &Path, name: &str) -> Result<Subject, Failed> {
    if folder.join(format!("server-{name}")).is_file() {
        return Ok(subject(folder, name));
    }
    let root = catalog::root()?;
    Ok(Subject::listed(Catalog::read(&root)?.find(name)?, &root, None)?)
}

/// Starts a server with these flags.
fn start(subject: &Subject, flags: &[&str]) -> Result<Server, Failed> {
    let args: Vec<_> = ["--request-timeout", "60s"].iter().chain(flags).map(std::ffi::OsStr::new).collect();
    match subject.try_start(&Trial { args: &args, ..Trial::default() }, Duration::from_secs(10))? {
        Started::Serves(server) => Ok(server),
        Started::Ended { stderr, .. } => Err(format!("{} does not serve: {stderr}", subject.name()).into()),
    }
}

/// Connects to a server.
fn connect(server: &Server) -> Result<Wire, Failed> {
    Ok(Wire::connect(server.address(), give_up(), &Trace::default())?.with_host(server.host()))
}

/// Sends a request; returns its connection and when it was sent.
fn send(server: &Server, request: &Request) -> Result<(Wire, Instant), Failed> {
    let mut wire = connect(server)?;
    let sent_at = wire.send_request(request)?;
    Ok((wire, sent_at))
}

/// The time after which one step is given up.
fn give_up() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
