//! Compares each of the lab's own servers with its twin that gives requests no deadline (the cargo feature `no-deadline`):
//! `/fast` requests a second, and the server's processor time for each, in rounds A B, B A.
//!
//! `scripts/bench-deadline.sh` builds both and runs this. The two must answer late work differently, 504 and 200, or nothing
//! is measured.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use load::{Load, Pace, Row};
use measure::stats::Summary;
use testbed::capability::Supports;
use testbed::guard;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use wire::trace::Trace;
use wire::{Request, Wire};

/// Connections of the load.
const CONNECTIONS: usize = 64;

/// The two builds of a server, each a folder below the one that is given.
const BUILDS: [&str; 2] = ["with", "without"];

/// A server in both builds, and the rows of both.
struct Pair {
    name: String,
    servers: [Arc<Server>; 2],
    rows: [Vec<Row>; 2],
}

fn main() -> ExitCode {
    guard::exec_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = guard::kill_on_signals().and_then(|()| run(&arguments));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deadline_cost: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [folder, rounds, seconds, servers @ ..] = arguments else {
        return Err("takes FOLDER ROUNDS SECONDS SERVER...".into());
    };
    let number = |text: &String| text.parse::<u32>().map_err(|error| format!("`{text}`: {error}"));
    let (rounds, lasting) = (number(rounds)?, Duration::from_secs(number(seconds)?.into()));
    let mut pairs: Vec<Pair> =
        servers.iter().map(|name| start(Path::new(folder), name)).collect::<Result<_, _>>()?;
    for round in 0..rounds {
        eprintln!("deadline_cost: round {} of {rounds}", round + 1);
        for pair in &mut pairs {
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for build in order {
                let server = &pair.servers[build];
                let pace = Pace::BackToBack { lasting };
                let load =
                    Load::new(server.address(), server.pid(), Request::get("/fast"), CONNECTIONS, pace);
                pair.rows[build].push(load.run().map_err(|error| error.to_string())?.row);
            }
        }
    }
    report(&pairs);
    Ok(())
}

/// Starts both builds of a server and checks that they are not the same.
fn start(folder: &Path, name: &str) -> Result<Pair, String> {
    let mut servers = Vec::new();
    for (build, expected) in BUILDS.into_iter().zip([504, 200]) {
        let path: PathBuf = folder.join(build).join(format!("server-{name}"));
        let server = Subject::executable(name, &path, Supports::All).start(Setup::default())?;
        let status = late(&server).map_err(|error| error.to_string())?;
        if status != expected {
            return Err(format!("{name} {build} deadline answers late work {status} instead of {expected}"));
        }
        servers.push(server);
    }
    let servers = servers.try_into().map_err(|_| "there are two builds".to_owned())?;
    Ok(Pair { name: name.into(), servers, rows: Default::default() })
}

/// Returns the status of work of 200 ms under a deadline of 100 ms.
fn late(server: &Server) -> Result<u16, wire::Error> {
    let give_up_at = Instant::now() + Duration::from_secs(5);
    let mut wire = Wire::connect(server.address(), give_up_at, &Trace::default())?;
    let request = Request::get("/slow?work=200ms").timeout(Duration::from_millis(100));
    Ok(wire.ask(&request)?.status())
}

/// Prints a line for each server: medians, and their spread from the least to the most.
fn report(pairs: &[Pair]) {
    println!(
        "{:10} {:>22} {:>22} {:>8} {:>18} {:>18} {:>8}",
        "server", "a second", "without", "cost", "CPU, us each", "without", "cost"
    );
    let figures = |of: fn(&Row) -> Option<f64>, pair: &Pair| {
        pair.rows.each_ref().map(|rows| Summary::of(rows.iter().filter_map(of)))
    };
    for pair in pairs {
        let [rate, rate_without] = figures(|row| Some(row.per_second), pair);
        let [cpu, cpu_without] = figures(|row| row.cost.map(|cost| cost.cpu_us), pair);
        println!(
            "{:10} {:>22} {:>22} {:>8} {:>18} {:>18} {:>8}",
            pair.name,
            shown(rate, 0),
            shown(rate_without, 0),
            cost(rate_without, rate),
            shown(cpu, 2),
            shown(cpu_without, 2),
            cost(cpu, cpu_without)
        );
    }
    let invalid = pairs.iter().flat_map(|pair| pair.rows.iter().flatten()).filter(|row| !row.is_valid());
    println!("medians (least-most); {} rows may not be believed, but may be compared", invalid.count());
}

fn shown(summary: Option<Summary>, digits: usize) -> String {
    summary.map_or("-".into(), |s| format!("{:.digits$} ({:.digits$}-{:.digits$})", s.p50, s.min, s.max))
}

/// The share by which the median of `one` exceeds that of `other`.
fn cost(one: Option<Summary>, other: Option<Summary>) -> String {
    let share = one.zip(other).map(|(one, other)| (one.p50 / other.p50 - 1.0) * 100.0);
    share.map_or("-".into(), |share| format!("{share:+.1} %"))
}
