//! A client leaves an intermediary: is the upstream told, and when?
//!
//! The scenarios judge it, and the measurement of the same name counts it, by the same ways to leave.

use std::time::{Duration, Instant};

use testbed::behind::Behind;
use testbed::server::Server;
use testbed::upstream::{Reply, Shape};
use wire::trace::Trace;
use wire::{Leave, Request, Wire};

use crate::verdict::Failure;

/// From one event of a stream to the next.
pub const EVERY: Duration = Duration::from_millis(20);

/// A way to disconnect: the client's bytes, and its leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The end of the ids of its scenarios.
    pub slug: &'static str,
    /// Its name in every table.
    pub name: &'static str,
    sends: Sends,
    leave: Leave,
    /// True when the upstream reads the body.
    reads: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sends {
    /// One request.
    Get,
    /// Two requests in one write.
    Pipelined,
    /// A request, and a second one when the first has come to the upstream.
    Later,
    /// A POST with its whole body.
    Whole,
    /// A POST with a part of its body.
    Part,
}

const GET: Way = Way { slug: "fin", name: "FIN", sends: Sends::Get, leave: Leave::Fin, reads: true };
const PART: Way = Way { sends: Sends::Part, reads: false, ..GET };

/// Every way to leave, in the order of every table.
pub const WAYS: [Way; 11] = [
    GET,
    Way { slug: "rst", name: "RST", leave: Leave::Rst, ..GET },
    Way { slug: "half-close", name: "shutdown(WR)", leave: Leave::HalfClose, ..GET },
    Way { slug: "pipelined-fin", name: "GET GET, FIN", sends: Sends::Pipelined, ..GET },
    Way { slug: "pipelined-rst", name: "GET GET, RST", sends: Sends::Pipelined, leave: Leave::Rst, ..GET },
    Way { slug: "later-fin", name: "GET, later GET, FIN", sends: Sends::Later, ..GET },
    Way { slug: "later-rst", name: "GET, later GET, RST", sends: Sends::Later, leave: Leave::Rst, ..GET },
    Way { slug: "part-fin", name: "POST, part unread, FIN", ..PART },
    Way { slug: "part-rst", name: "POST, part unread, RST", leave: Leave::Rst, ..PART },
    Way { slug: "part-read-fin", name: "POST, part read, FIN", reads: true, ..PART },
    Way { slug: "whole-fin", name: "POST, whole, FIN", sends: Sends::Whole, ..GET },
];

/// The part of the answer that the upstream has sent when the client disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Stalled,
    /// The head and half of the body.
    Half,
    /// An event stream, which goes on.
    Stream,
}

/// The fate of the upstream's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its connection was ended this long after the client left.
    After(Duration),
    /// A client that left half was answered whole.
    Served,
    /// It never came to the upstream, and did not come after the client had left.
    NotAsked,
    /// Its connection stayed open as long as it was watched.
    Never,
}

/// The time for which each part of a departure is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until the request comes to the upstream; what comes later counts as kept back.
    pub arrival: Duration,
    /// From its coming to the client's leaving.
    pub settle: Duration,
    /// From its leaving on: an upstream that is not told by then never is.
    pub watch: Duration,
    /// The end of all waiting.
    pub give_up_at: Instant,
}

/// Has one client leave in this way while the upstream is in that state, and watches the upstream.
///
/// # Errors
/// When the request does not come to the upstream, or its connection ends before the client leaves.
pub fn depart(
    server: &Server,
    way: &Way,
    state: State,
    id: &str,
    times: Times,
    trace: &Trace,
) -> Result<Told, Failure> {
    let behind = server.behind().ok_or_else(|| Failure::unsupported("no upstream"))?;
    let upstream = &behind.upstream;
    upstream.answer(id, [way.reply(state, times)]);
    let mut wire = Wire::connect(server.address(), times.give_up_at, trace)?;
    wire.send(&way.bytes(behind, state, id, server.host()))?;
    let arrived = upstream.wait(id, times.arrival, |_| true).is_some();
    if !arrived && way.sends != Sends::Part {
        let within = times.arrival;
        return Err(Failure::broken(format!("the request did not come to the upstream within {within:.1?}")));
    }
    if way.sends == Sends::Later {
        wire.send(&second(behind, id).bytes(server.host()))?;
    }
    std::thread::sleep(times.settle);
    // With bytes unread a close is a reset to the kernel.
    while !wire.is_over() && wire.fill(Instant::now())? {}
    if wire.is_over() {
        return Err(Failure::broken("the intermediary ended the connection before its client left"));
    }
    let (left_at, mut kept) = way.leave.act(wire);
    let over = |seen: &testbed::upstream::Seen| seen.told.is_some() || seen.answered_at.is_some();
    let Some(seen) = upstream.wait(id, times.watch, over) else {
        let came = !upstream.seen(id).is_empty();
        return Ok(if came { Told::Never } else { Told::NotAsked });
    };
    if let Some((end, at)) = seen.told {
        trace.say(0, &format!("the upstream was told: {end:?}"));
        return Ok(Told::After(at.saturating_duration_since(left_at)));
    }
    let served = kept.as_mut().is_some_and(|wire| {
        wire.answer().is_ok_and(|answer| answer.status() == 200 && answer.response.whole)
    });
    Ok(if served { Told::Served } else { Told::Never })
}

/// The request that a client sends behind the one that is judged.
fn second(behind: &Behind, id: &str) -> Request {
    behind.request("/", &format!("{id}-second"), false)
}

impl Way {
    /// The way with that slug.
    pub fn of(slug: &str) -> Option<&'static Self> {
        WAYS.iter().find(|way| way.slug == slug)
    }

    /// True for a request that an intermediary may keep back, because its body is not whole.
    pub fn may_be_kept_back(&self) -> bool {
        self.sends == Sends::Part
    }

    fn bytes(&self, behind: &Behind, state: State, id: &str, host: &str) -> Vec<u8> {
        let stream = state == State::Stream;
        match self.sends {
            Sends::Get | Sends::Later => behind.request("/", id, stream).bytes(host),
            Sends::Pipelined => {
                [behind.request("/", id, stream).bytes(host), second(behind, id).bytes(host)].concat()
            }
            Sends::Whole => behind.post("/", id, "lab", stream, usize::MAX).bytes(host),
            Sends::Part => behind.post("/", id, &"x".repeat(100), stream, 10).bytes(host),
        }
    }

    fn reply(&self, state: State, times: Times) -> Reply {
        // Who leaves half may be answered, so an answer comes in time to be seen.
        let (after, count) = match self.leave {
            Leave::HalfClose => {
                (times.watch / 3, Some((times.watch.as_millis() / 3 / EVERY.as_millis()) as u32))
            }
            Leave::Fin | Leave::Rst => (Duration::ZERO, None),
        };
        let half_close = self.leave == Leave::HalfClose;
        let reply = match state {
            State::Stalled if half_close => Reply::late(after),
            State::Stalled => Reply::NOTHING,
            State::Half if half_close => Reply::of(Shape::Halves(after)),
            State::Half => Reply::of(Shape::Half),
            State::Stream => Reply::of(Shape::Events { every: EVERY, count }),
        };
        Reply { reads: self.reads, awaits: self.sends != Sends::Part, ..reply }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_way_has_a_slug_and_a_name_of_its_own() {
        let slugs: BTreeSet<_> = WAYS.iter().map(|way| way.slug).collect();
        let names: BTreeSet<_> = WAYS.iter().map(|way| way.name).collect();
        assert_eq!((slugs.len(), names.len()), (WAYS.len(), WAYS.len()));
    }
}
