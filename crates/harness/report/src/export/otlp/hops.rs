//! The spans of a chain: for each hop its caller's call, its request and its work.

use suite::document::Row;
use suite::hops::Hop;

use super::span::{Kind, Span};
use super::{ADDRESS, OWN, Spans, doomed, ended, served};
use crate::chain::{Chain, told};

/// The service of the lab's own client.
const CLIENT: &str = "deadline-lab";

impl<'a> Spans<'a> {
    /// One request through a chain. The ids are those that were passed on in `traceparent`: the number in it is that of the
    /// caller's call.
    pub(super) fn chain(&mut self, row: &'a Row, number: usize, chain: Chain<'a>, begin: f64) {
        let mut ids = self.ids(&["chain", &row.server, &row.id], 0, number);
        if let Some((trace, _)) = chain.hops.first().and_then(passed) {
            ids.join(trace);
        }
        let (mut above, mut service) = (None, CLIENT);
        for hop in chain.hops {
            let Some(asked) = hop.asked_ms else { break };
            let over = hop.answered_ms.or(told(hop)).unwrap_or(chain.over_ms).max(asked);
            let mut call = ids.span(above, "GET".to_owned(), Kind::Client).from(begin + asked, begin + over);
            // The trace is the first one's: a hop that began another is still below its caller.
            if let Some((_, number)) = passed(hop) {
                call.id = number;
            }
            let below = call.id;
            self.push(service, outcome(call, hop));
            let request =
                served(&mut ids, "style=upstream", hop.status, begin + asked, over - asked).below(below);
            above = Some(request.id);
            self.push(&hop.server, noted(request, hop, begin));
            if let (Some(began), Some(last)) = (hop.began_ms, hop.last_ms) {
                let work = ids.span(above, "work".to_owned(), Kind::Internal);
                let work = work.from(begin + began, begin + last.max(began));
                let work = work.text(&format!("{OWN}.outcome"), hop.ended.as_deref().unwrap_or("running"));
                let is_zombie = chain.is_zombie(hop, self.results.limits.zombie_ms);
                self.push(&hop.server, doomed(work, is_zombie.then_some(last - chain.over_ms)));
            }
            service = &hop.server;
        }
    }
}

/// Adds to a request what is known of it: its budget, and when its caller left.
fn noted(request: Span, hop: &Hop, begin: f64) -> Span {
    let request = request.text(&format!("{OWN}.request_id"), &hop.request_id);
    let request = match hop.budget_ms {
        Some(budget) => request.ms(&format!("{OWN}.budget_ms"), budget),
        None => request,
    };
    match told(hop) {
        Some(told) => request.event("client disconnected", begin + told),
        None => request,
    }
}

/// Adds to a call what became of it.
fn outcome(call: Span, hop: &Hop) -> Span {
    let call = call.text("http.request.method", "GET").text("server.address", ADDRESS);
    ended(call, hop.status, 400, "canceled")
}

/// Returns the trace and the number in the `traceparent` that a hop was given.
fn passed(hop: &Hop) -> Option<(u128, u64)> {
    let mut parts = hop.traceparent.as_deref()?.split('-').skip(1);
    let trace = u128::from_str_radix(parts.next()?, 16).ok()?;
    Some((trace, u64::from_str_radix(parts.next()?, 16).ok()?))
}
