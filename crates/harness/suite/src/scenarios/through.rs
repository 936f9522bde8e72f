//! An intermediary between the lab's client and the lab's upstream: does it pass on that a client has left, that an upstream
//! has, and nothing that nobody sent?

use std::time::{Duration, Instant};

use testbed::behind::Behind;
use testbed::capability::Capability;
use testbed::upstream::{Reply, Seen, Upstream};
use wire::Wire;

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Scenario};

mod answers;
mod expect;
mod headers;
mod leaves_first;
mod readers;
mod retries;
mod reuse;
mod shutdown;
mod timeouts;
mod ways;

/// The area's scenarios, by topic, each with the title of its table.
pub(super) const TOPICS: &[(&str, &[Scenario])] = &[
    ("Answers come, whole and in time", answers::SCENARIOS),
    ("The client leaves", ways::SCENARIOS),
    ("The intermediary gives up", timeouts::SCENARIOS),
    ("Deadlines and names go through", headers::SCENARIOS),
    ("Nothing is sent twice", retries::SCENARIOS),
    ("The upstream leaves first", leaves_first::SCENARIOS),
    ("Each client gets its own answer", reuse::SCENARIOS),
    ("The client does not read", readers::SCENARIOS),
    ("The client waits to be asked for its body", expect::SCENARIOS),
    ("The intermediary is stopped", shutdown::SCENARIOS),
];

/// The base of these scenarios: an intermediary, which is judged by its client's answer and by its upstream.
pub(super) const BASE: Scenario =
    Scenario { judges: &[Judges::Answer], needs: &[Capability::Through], ..Scenario::BASE };

/// The route whose upstream has 1 s to say something.
pub(super) const BRIEF: &str = "/brief/";
/// The time that the route gives its upstream.
pub(super) const BRIEFLY: Duration = Duration::from_secs(1);
/// The route with two upstreams.
pub(super) const PAIR: &str = "/pair/";

/// The upstream.
pub(super) fn upstream(bench: &Bench) -> Result<&Upstream, Failure> {
    Ok(&bench.behind()?.upstream)
}

/// Sends a request by the route `path`, to be answered so; gives its connection and id.
pub(super) fn send(bench: &Bench, path: &str, reply: Reply) -> Result<(Wire, String), Failure> {
    let (id, behind) = (bench.id(), bench.behind()?);
    behind.upstream.answer(&id, [reply]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.request(path, &id, is_stream(reply)))?;
    Ok((wire, id))
}

/// Reports whether a gateway for models has to be asked for a stream to get this answer.
pub(super) fn is_stream(reply: Reply) -> bool {
    use testbed::upstream::Shape::{CutEvents, Events};
    matches!(reply.shape, Events { .. } | CutEvents { .. })
}

/// Waits until the request has come to the upstream.
pub(super) fn arrives(bench: &Bench, id: &str) -> Result<Seen, Failure> {
    let seen = upstream(bench)?.wait(id, bench.patience(), |_| true);
    seen.ok_or_else(|| Failure::broken("the request did not come to the upstream"))
}

/// Checks that the upstream is told within the profile's time of `since`; gives the time between.
pub(super) fn told(bench: &Bench, id: &str, since: Instant, what: &str) -> Result<Duration, Failure> {
    let seen = upstream(bench)?.wait(id, bench.ms(1500), |seen| seen.told.is_some());
    let Some((_, at)) = seen.and_then(|seen| seen.told) else {
        return Err(Failure::broken(format!("the upstream was never told: {what}")));
    };
    let (after, most) = (at.saturating_duration_since(since), bench.stop_late());
    ensure!(after <= most, "the upstream was told {after:.1?} later: {what}; at most {most:?} is forgiven");
    Ok(after)
}

/// A client that asks one request after another, on one connection unless an answer says that it is closed.
pub(super) struct Caller<'a> {
    bench: &'a Bench,
    wire: Option<Wire>,
    /// Connections opened so far.
    pub(super) opened: usize,
}

impl<'a> Caller<'a> {
    pub(super) fn new(bench: &'a Bench) -> Self {
        Self { bench, wire: None, opened: 0 }
    }

    /// The same on a connection that is open.
    pub(super) fn on(bench: &'a Bench, wire: Wire) -> Self {
        Self { bench, wire: Some(wire), opened: 1 }
    }

    /// Sends a request and checks that its own answer comes; gives what the upstream saw.
    pub(super) fn own_answer(&mut self) -> Result<Seen, Failure> {
        let (id, behind) = (self.bench.id(), self.bench.behind()?);
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => {
                self.opened += 1;
                self.bench.connect()?
            }
        };
        let answer = wire.ask(&behind.request("/", &id, false))?;
        is_answer_of(&answer.response, &id)?;
        self.wire = (!answer.response.says_close()).then_some(wire);
        arrives(self.bench, &id)
    }
}

/// Sends a request on a connection of its own and checks that its own answer comes; gives what the upstream saw.
pub(super) fn own_answer(bench: &Bench) -> Result<Seen, Failure> {
    Caller::new(bench).own_answer()
}

/// Checks that a response is the upstream's whole answer to the request of that id.
pub(super) fn is_answer_of(response: &wire::Response, id: &str) -> Result<(), Failure> {
    let (status, text) = (response.status, response.text());
    ensure!(status == 200, "{status} instead of 200: {text:?}");
    ensure!(response.whole, "the answer was cut off");
    if !text.contains(&format!("\"{id}\"")) {
        return Err(Failure::certain(format!("the answer of another request: {text:?} for {id}")));
    }
    Ok(())
}

/// A time in milliseconds, for a sentence.
pub(super) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Returns the upstream of the intermediary.
pub(super) fn behind(bench: &Bench) -> Result<&Behind, Failure> {
    bench.behind()
}
