//! Sends random and mutated request heads to servers, and checks that none panics, hangs, leaks or serves garbage.
//!
//! Every head follows from the seed and its number alone, so a finding is sent again by `--seed S --from N --count 1`.
//! `scripts/fuzz-heads.sh` builds what it needs and runs it.

mod heads;
mod shoot;
mod strict;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use testbed::capability::Supports;
use testbed::catalog::{self, Catalog};
use testbed::census::Census;
use testbed::proc::{self, Usage};
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use testbed::{build, guard};

use crate::shoot::{Plan, Tally};

/// Descriptors and threads that may stay: a timer's, a pool's.
const SLACK: u64 = 40;

/// Sends random and mutated request heads to servers.
#[derive(Parser)]
struct Args {
    /// Number of heads for each server
    #[arg(default_value_t = 100_000)]
    count: u64,
    /// Servers of the list, or paths of executables [default: all of the lab's own]
    servers: Vec<String>,
    /// Seed of every head [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first head
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Connections at once
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// Seconds after which a server has had enough
    #[arg(long, default_value_t = 900)]
    limit: u64,
    /// Print each head and what came of it
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    guard::exec_if_asked();
    let args = Args::parse();
    let outcome = guard::kill_on_signals().and_then(|()| run(&args));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    let now = std::time::UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?;
    let seed = args.seed.unwrap_or(now.as_secs());
    println!("seed {seed}: heads {} to {}", args.from, args.from + args.count - 1);
    let mut clean = true;
    for subject in subjects(&args.servers)? {
        let server = subject.start(Setup { flags: &[("--request-timeout", "1s")], ..Setup::default() })?;
        let plan = Plan {
            seed,
            numbers: args.from..args.from + args.count,
            jobs: args.jobs,
            end_at: Instant::now() + Duration::from_secs(args.limit),
            verbose: args.verbose,
        };
        clean &= judge(subject.name(), &server, &plan)?;
    }
    Ok(clean)
}

/// The servers to shoot at, built.
fn subjects(names: &[String]) -> Result<Vec<Subject>, String> {
    let root = catalog::root()?;
    let catalog = Catalog::read(&root)?;
    let own = catalog.servers.iter().filter(|stanza| !stanza.peer).map(|stanza| stanza.name.clone());
    let names = if names.is_empty() { own.collect() } else { names.to_vec() };
    let subject = |name: &String| {
        if name.contains('/') {
            return Ok(Subject::executable(name, Path::new(name), Supports::All));
        }
        let stanza = catalog.find(name)?;
        build::build(stanza, &root, |_| {})?;
        Subject::listed(stanza, &root, None)
    };
    names.iter().map(subject).collect()
}

/// Returns the server's counts while it has no requests.
fn at_rest(server: &Server) -> Result<(Census, Usage), String> {
    let admin = server.admin().ok_or("the server has no census")?;
    let census = Census::read(admin).map_err(|failure| failure.to_string())?;
    let usage = proc::usage(server.pid().ok_or("not our process")?).map_err(|failure| failure.to_string())?;
    Ok((census, usage))
}

/// Shoots, waits until the server is at rest, and prints what was seen; true when nothing is wrong.
fn judge(name: &str, server: &Arc<Server>, plan: &Plan) -> Result<bool, String> {
    let (_, before) = at_rest(server)?;
    let start_at = Instant::now();
    let tally = shoot::all(server.address(), plan);
    let took = start_at.elapsed();
    let mut wrong = tally.findings.clone();
    if let Some(death) = server.died() {
        println!("{name}: {death}");
        return Ok(false);
    }
    let (census, after) = settled(server, &before)?;
    if !(census.is_quiet() && census.contexts.live == 0 && census.connections.live == 0) {
        wrong.push(format!("not at rest: {}", census.line()));
    }
    if after.descriptors > before.descriptors + SLACK {
        wrong.push(format!("{} descriptors after {}", after.descriptors, before.descriptors));
    }
    let panics = census.work.panicked + census.requests.ended.get("panic").copied().unwrap_or(0);
    if panics > 0 || server.stderr_tail().contains("panic on thread") {
        wrong.push(format!("{panics} panics; its stderr ends:\n{}", server.stderr_tail()));
    }
    report(name, &tally, took, (&before, &after), &census);
    for finding in &wrong {
        println!("  WRONG {finding}");
    }
    Ok(wrong.is_empty())
}

/// The census and the usage once everything is given back, or after five seconds.
fn settled(server: &Server, before: &Usage) -> Result<(Census, Usage), String> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let (census, usage) = at_rest(server)?;
        let rest = census.is_quiet() && census.contexts.live == 0 && census.connections.live == 0;
        if (rest && usage.descriptors <= before.descriptors + SLACK) || Instant::now() >= until {
            return Ok((census, usage));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn report(name: &str, tally: &Tally, took: Duration, (before, after): (&Usage, &Usage), census: &Census) {
    let answers: Vec<_> = tally.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
    println!(
        "{name}: {} heads in {took:.1?}, {} of them invalid and {} of those served; {} hangs",
        tally.shots, tally.invalid, tally.served_garbage, tally.hangs
    );
    println!("  answers {{{}}}, closed without one {}", answers.join(", "), tally.closed);
    println!(
        "  descriptors {} -> {}, threads {} -> {}, memory {} -> {} kB; {}",
        before.descriptors,
        after.descriptors,
        before.threads,
        after.threads,
        before.pss_anon / 1024,
        after.pss_anon / 1024,
        census.line()
    );
}
