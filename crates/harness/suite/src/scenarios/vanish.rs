//! The client vanishes: its link is cut, no FIN and no RST ever comes, and the server has to find out by itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testbed::capability::Capability::{Process, StyleContext, Witness};
use testbed::link::Link;
use testbed::witness::Word;
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

mod lossy;
mod noticed;
mod spared;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[noticed::SCENARIOS, spared::SCENARIOS, lossy::SCENARIOS];

/// `--tcp-keepalive` of these scenarios, in seconds.
const KEEPALIVE: u64 = 3;

/// The base of these scenarios: a server that can be reached by a link, and that nothing but its keepalive ends.
const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Witness, StyleContext, Process],
    flags: &[
        ("--listen", "0.0.0.0:0"),
        ("--tcp-keepalive", "3s"),
        ("--request-timeout", "60s"),
        ("--read-timeout", "60s"),
        ("--write-timeout", "60s"),
    ],
    limit: Duration::from_secs(30),
    sources: &["RFC 9293, section 3.8.4", "tcp(7), TCP_KEEPIDLE and TCP_USER_TIMEOUT"],
    ..Scenario::BASE
};

/// Makes a link. Without the right to, the scenario is unsupported.
fn link() -> Result<Link, Failure> {
    Link::open().map_err(|why| Failure::unsupported(&why))
}

/// Connects from the far end of the link.
fn connect(bench: &Bench, link: &Link) -> Result<Wire, Failure> {
    let to = SocketAddr::from((link.near(), bench.server().address().port()));
    let stream = link.connect(to.port(), bench.patience());
    let stream = stream.map_err(|error| Failure::broken(format!("no connection to {to}: {error}")))?;
    Ok(Wire::over(stream, to, bench.give_up_at, bench.trace())?)
}

/// Cuts the link; gives the moment before.
fn cut(bench: &Bench, link: &Link) -> Result<Instant, Failure> {
    let cut_at = link.cut().map_err(Failure::harness)?;
    bench.trace().say(0, "the link is cut");
    Ok(cut_at)
}

/// The bound on noticing with `--tcp-keepalive` of so many seconds: twice as long, and a second.
fn promised(bench: &Bench, keepalive: u64) -> Duration {
    Duration::from_secs(2 * keepalive) + bench.ms(1000)
}

/// `GET /slow` with 40 s of work, and nothing of the client's that ends it.
fn long(bench: &Bench) -> Request {
    Request::get("/slow?work=40s").id(bench.id())
}

/// Checks that the work of each id is canceled within the keepalive's promise; gives the longest time it took.
fn noticed(bench: &Bench, ids: &[String], cut_at: Instant, keepalive: u64) -> Outcome {
    let most = promised(bench, keepalive);
    let mut longest = Duration::ZERO;
    for id in ids {
        // One that takes longer is told apart from one that never ends.
        let within = (cut_at + most + bench.ms(1000)).saturating_duration_since(Instant::now());
        let (ended_at, how) = bench.work_ends(id, within)?;
        ensure!(ended_at >= cut_at, "the work had ended ({how}) before the client vanished");
        let after = ended_at - cut_at;
        ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
        ensure!(after <= most, "canceled {after:.1?} after the client vanished; promised are {most:?}");
        longest = longest.max(after);
    }
    let seconds = longest.as_secs_f64();
    let of = if ids.len() > 1 { format!(", the last of {}", ids.len()) } else { String::new() };
    Ok(Observed::new(format!("noticed after {seconds:.1} s{of}")).with("noticed_s", seconds))
}
