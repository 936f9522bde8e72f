//! The client leaves: the kernel tells the server, and the work must hear of it.

use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::capability::Capability::{EndpointStream, KeepAlive, StyleContext, Witness};
use testbed::noise::quantile;
use testbed::witness::Word;
pub(super) use wire::Leave;
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

mod accounts;
mod client_timeout;
mod neighbors;
mod policy;
mod streams;
mod unread;
mod ways;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[
    ways::SCENARIOS,
    unread::SCENARIOS,
    streams::SCENARIOS,
    neighbors::SCENARIOS,
    accounts::SCENARIOS,
    client_timeout::SCENARIOS,
    policy::SCENARIOS,
];

/// The base of these scenarios: work that listens to its context, and a witness who hears it.
pub(super) const BASE: Scenario =
    Scenario { judges: &[Judges::Work], needs: &[Witness, StyleContext], ..Scenario::BASE };

/// The capabilities that a stream needs which is to be blocked.
pub(super) const BLOCKED: &[Capability] = &[Witness, EndpointStream, KeepAlive];

/// Tries of a scenario whose figure is a time to cancel.
pub(super) const TRIES: usize = 5;

/// Sends what `send` says on a connection of its own and leaves 20 ms after the work of the id that it gives has begun;
/// five times. Each time the work must be canceled within the profile's time.
pub(super) fn stops(
    bench: &Bench,
    leave: Leave,
    send: impl Fn(&Bench, &mut Wire) -> Result<String, Failure>,
) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let mut wire = bench.connect()?;
        let id = send(bench, &mut wire)?;
        bench.work_begins(&id)?;
        std::thread::sleep(bench.ms(20));
        let (left_at, _kept) = leave.act(wire);
        took.push(canceled(bench, &id, left_at)?);
    }
    Ok(told(&took))
}

/// Checks that the work of `id` is canceled within the profile's time of `left_at`. Gives the time between.
pub(super) fn canceled(bench: &Bench, id: &str, left_at: Instant) -> Result<Duration, Failure> {
    let (ended_at, how) = bench.work_ends(id, bench.patience())?;
    ensure!(ended_at >= left_at, "the work had ended ({how}) before the client left");
    let after = bench.stopped_soon(left_at, ended_at)?;
    ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
    Ok(after)
}

/// Says how long work took to be canceled, as a sentence and as figures.
pub(super) fn told(took: &[Duration]) -> Observed {
    let mut took: Vec<_> = took.iter().map(|took| took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let (median, worst) = (quantile(&took, 0.5), quantile(&took, 1.0));
    let text = format!("canceled after {median:.2} ms (median of {}), {worst:.2} ms (worst)", took.len());
    Observed::new(text).with("cancel_median_ms", median).with("cancel_worst_ms", worst)
}

/// A `/slow` whose deadline is far: 1.8 s.
pub(super) fn request(bench: &Bench, more: &str) -> Request {
    bench.slow_for(bench.ms(3000), bench.ms(1800), more)
}

/// Sends the request and gives its id.
pub(super) fn send(wire: &mut Wire, request: &Request) -> Result<String, Failure> {
    wire.send_request(request)?;
    Ok(request.id_given().expect("the request is named").to_owned())
}

/// A stream whose client reads nothing; gives its id.
pub(super) fn unread_stream(bench: &Bench) -> Result<(Wire, String), Failure> {
    let mut wire = bench.connect_narrow()?;
    // Answers that nobody reads shut the window first: with no segment under way the kernel has no reason to give the
    // server's buffer more room.
    let unread: Vec<u8> = (0..20).flat_map(|_| bench.fast().bytes(bench.host())).collect();
    wire.send(&unread)?;
    std::thread::sleep(Duration::from_millis(100));
    let id = stream(bench, &mut wire, "chunks=10000&every=1ms")?;
    bench.work_begins(&id)?;
    Ok((wire, id))
}

pub(super) fn stream(bench: &Bench, wire: &mut Wire, query: &str) -> Result<String, Failure> {
    send(wire, &Request::get(format!("/stream?{query}")).id(bench.id()))
}
