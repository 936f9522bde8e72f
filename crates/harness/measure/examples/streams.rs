//! Measures servers over HTTP/2, side by side: throughput and memory over one connection and over 64, 504s of 1,000 streams,
//! the time to cancel after RST_STREAM, and the cost of a rapid reset of one second.
//!
//! `scripts/long/streams.sh` builds all and runs this. Throughput is h2load's (nghttp2), everything else that of the client that
//! the scenarios use. Each part runs on a server of its own, servers in turn, A B C and C B A.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use load::cost::Cost;
use measure::stats::{Line, Summary, ms_between};
use testbed::capability::Supports;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use testbed::{guard, proc};
use wire::Request;
use wire::h2::{Code, Frame, H2};
use wire::trace::Trace;

/// Streams that a server has on one connection at once.
const LIMIT: usize = 100;
/// Rounds of the throughput.
const ROUNDS: usize = 4;
/// Longest time that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The parts, each with the titles of its rows and its rounds.
const PARTS: [(&[&str], usize, Part); 6] = [
    (
        &["`/fast` a second, 1 connection of 100 streams", "the same, server's CPU of a request, µs"],
        ROUNDS,
        |server| throughput(server, 1, LIMIT),
    ),
    (
        &["`/fast` a second, 64 connections of 2 streams", "the same, server's CPU of a request, µs"],
        ROUNDS,
        |server| throughput(server, 64, 2),
    ),
    (&["memory of a stream in flight, 1 connection, bytes"], ROUNDS, |server| footprint(server, 1)),
    (&["memory of a stream in flight, 64 connections, bytes"], ROUNDS, |server| footprint(server, 64)),
    (&["504 of 1,000 streams on 1 connection, late by, ms"], 1, overshoot),
    (&["from RST_STREAM to stopped work, of 1,000, ms"], 1, cancel),
];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
/// Takes samples of a server, a list for each title.
type Part = fn(&Server) -> Outcome<Vec<Vec<f64>>>;

fn main() -> ExitCode {
    guard::exec_if_asked();
    let servers: Vec<String> = std::env::args().skip(1).collect();
    match guard::kill_on_signals().map_err(Into::into).and_then(|()| run(&servers)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streams: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures the programs at these paths, and prints a table.
fn run(paths: &[String]) -> Outcome<()> {
    let name = |path: &String| {
        let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        file.trim_start_matches("server-").to_owned()
    };
    let names: Vec<String> = paths.iter().map(name).collect();
    println!("| | {} |\n| --- |{}", names.join(" | "), " --- |".repeat(names.len()));
    for (titles, rounds, part) in PARTS {
        let mut samples = vec![vec![Vec::new(); paths.len()]; titles.len()];
        for round in 0..rounds {
            let order: Vec<usize> = (0..paths.len()).collect();
            let order = if round % 2 == 0 { order } else { order.into_iter().rev().collect() };
            for index in order {
                eprintln!("streams: {}: {}, round {} of {rounds}", titles[0], names[index], round + 1);
                let found = part(&*start(&names[index], &paths[index])?)?;
                for (row, mut found) in samples.iter_mut().zip(found) {
                    row[index].append(&mut found);
                }
            }
        }
        for (title, row) in titles.iter().zip(samples) {
            println!("| {title} | {} |", row.into_iter().map(shown).collect::<Vec<_>>().join(" | "));
        }
    }
    let mut rows = [const { Vec::new() }; 4];
    for (name, path) in names.iter().zip(paths) {
        eprintln!("streams: a rapid reset: {name}");
        for (row, figure) in rows.iter_mut().zip(reset(&*start(name, path)?)?) {
            row.push(format!("{figure:.0}"));
        }
    }
    let titles = ["resets that it took", "work that began", "most at once", "CPU of the server, ms"];
    for (title, row) in titles.into_iter().zip(rows) {
        println!("| rapid reset of 1 s: {title} | {} |", row.join(" | "));
    }
    println!("\nMedian (least-most); 504s and cancels: median, p99, and the greatest.");
    Ok(())
}

fn start(name: &str, path: &str) -> Outcome<Arc<Server>> {
    let flags = [("--request-timeout", "120s")];
    let setup = Setup { flags: &flags, ..Setup::default() };
    Ok(Subject::executable(name, Path::new(path), Supports::All).start(setup)?)
}

fn shown(samples: Vec<f64>) -> String {
    let Some(summary) = Summary::of(samples) else { return "-".into() };
    let digits = if summary.max < 100.0 { 2 } else { 0 };
    match summary.p99 {
        Some(p99) => format!("{:.2}, {p99:.2}, {:.2}", summary.p50, summary.max),
        None => format!("{:.*} ({:.*}-{:.*})", digits, summary.p50, digits, summary.min, digits, summary.max),
    }
}

fn connect(server: &Server) -> Outcome<H2> {
    Ok(H2::connect(server.address(), Instant::now() + 3 * PATIENCE, &Trace::default())?)
}

/// Requests a second, and the server's processor time for each in microseconds.
fn throughput(server: &Server, connections: usize, streams: usize) -> Outcome<Vec<Vec<f64>>> {
    let url = format!("http://{}/fast", server.address());
    let load = |requests: usize| -> Outcome<f64> {
        let (c, m, n) = (connections.to_string(), streams.to_string(), requests.to_string());
        let done = Command::new("h2load").args(["-t1", "-c", &c, "-m", &m, "-n", &n, &url]).output()?;
        let said = String::from_utf8_lossy(&done.stdout);
        let good = said.lines().any(|line| line.starts_with(&format!("status codes: {n} 2xx")));
        let rate =
            said.lines().find_map(|line| line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok());
        rate.filter(|_| good).ok_or_else(|| format!("h2load says: {said}").into())
    };
    let (pid, requests) = (server.pid().ok_or("no process")?, 60_000);
    load(requests / 10)?;
    let before = Cost::read(pid)?;
    let rate = load(requests)?;
    let cpu = Cost::read(pid)?.since(&before).cpu.as_secs_f64() * 1e6 / requests as f64;
    Ok(vec![vec![rate], vec![cpu]])
}

/// The slope of the memory over the number of streams that work, in bytes.
fn footprint(server: &Server, connections: usize) -> Outcome<Vec<Vec<f64>>> {
    let (pid, witness) = (server.pid().ok_or("no process")?, server.witness().ok_or("no witness")?);
    let mut all = (0..connections).map(|_| connect(server)).collect::<Outcome<Vec<_>>>()?;
    let mut points = Vec::new();
    for step in 0..=4 {
        if step > 0 {
            for (number, h2) in all.iter_mut().enumerate() {
                for stream in 0..LIMIT / 4 {
                    let id = format!("footprint-{step}-{number}-{stream}");
                    h2.request(&work(&id, PATIENCE))?;
                }
                let last = format!("footprint-{step}-{number}-{}", LIMIT / 4 - 1);
                witness.wait_start(&last, PATIENCE).ok_or("work did not begin")?;
            }
        }
        // What is freed behind a burst is given back in a moment.
        std::thread::sleep(Duration::from_millis(200));
        points.push(((step * connections * (LIMIT / 4)) as f64, proc::usage(pid)?.pss_anon as f64));
    }
    Ok(vec![vec![Line::through(&points).ok_or("no line")?.slope]])
}

/// `/slow` of a minute, whose work says little.
fn work(id: &str, timeout: Duration) -> Request {
    Request::get("/slow?work=60s&tick=20s").timeout(timeout).id(id)
}

/// The lateness of 1,000 504s on one connection, in waves of as many streams as it may have.
fn overshoot(server: &Server) -> Outcome<Vec<Vec<f64>>> {
    let (mut h2, mut late, deadline) = (connect(server)?, Vec::new(), Duration::from_millis(300));
    for wave in 0..10 {
        let request = |number| work(&format!("wave-{wave}-{number}"), deadline);
        for stream in h2.together(&(0..LIMIT).map(request).collect::<Vec<_>>())? {
            let answer = h2.answer(stream)?;
            if answer.status() != 504 {
                return Err(format!("{} instead of 504", answer.status()).into());
            }
            let exchange = h2.exchange(stream)?;
            let first = exchange.first_byte_at.ok_or("an answer without a byte")?;
            late.push(ms_between(exchange.sent_at + deadline, first));
        }
        h2.forget_closed();
    }
    Ok(vec![late])
}

/// The times from RST_STREAM to the end of work, in milliseconds.
fn cancel(server: &Server) -> Outcome<Vec<Vec<f64>>> {
    let (mut h2, witness) = (connect(server)?, server.witness().ok_or("no witness")?);
    let mut took = Vec::new();
    for number in 0..1_000 {
        let id = format!("cancel-{number}");
        let stream = h2.request(&work(&id, PATIENCE))?;
        witness.wait_start(&id, PATIENCE).ok_or("work did not begin")?;
        let reset_at = h2.reset(stream, Code::CANCEL)?;
        let (ended_at, _) = witness.wait_end(&id, PATIENCE).ok_or("work did not end")?;
        took.push(ms_between(reset_at, ended_at));
        h2.listen(Duration::ZERO)?;
        h2.forget_closed();
    }
    Ok(vec![took])
}

/// Resets streams as fast as it can for one second; gives resets, work that began, the most at once, and the server's CPU in
/// milliseconds.
fn reset(server: &Server) -> Outcome<[f64; 4]> {
    let (pid, witness) = (server.pid().ok_or("no process")?, server.witness().ok_or("no witness")?);
    let (before, since, mut resets) = (proc::usage(pid)?, Instant::now(), 0_usize);
    let mut h2 = connect(server)?;
    while since.elapsed() < Duration::from_secs(1) {
        let mut frames = Vec::new();
        for _ in 0..LIMIT {
            resets += 1;
            let (stream, mut opening) = h2.prepare(&work(&format!("reset-{resets}"), PATIENCE));
            frames.append(&mut opening);
            frames.push(Frame::reset(stream, Code::CANCEL));
        }
        h2.flood(&frames, Duration::from_secs(1), true)?;
        h2.listen(Duration::ZERO)?;
        h2.forget_closed();
        if h2.is_over() || h2.session().goaway().is_some() {
            h2 = connect(server)?;
        }
    }
    std::thread::sleep(Duration::from_millis(500));
    let cpu = proc::usage(pid)?.cpu.saturating_sub(before.cpu);
    let mut steps = Vec::new();
    for (_, events) in witness.since(since, "reset-") {
        steps.extend(events.into_iter().filter_map(|(at, word)| match word {
            testbed::witness::Word::Start => Some((at, 1_i64)),
            word => word.is_end().then_some((at, -1)),
        }));
    }
    steps.sort();
    let begun = steps.iter().filter(|(_, by)| *by > 0).count();
    let (mut now, mut most) = (0, 0);
    for (_, by) in steps {
        now += by;
        most = most.max(now);
    }
    Ok([resets as f64, begun as f64, most as f64, cpu.as_secs_f64() * 1e3])
}
