//! A request's way through a chain of servers, hop by hop, and the link that broke the chain.
//!
//! The accounts come from outside: from the [`tap`](testbed::tap) in front of each server, which sees what it is asked, when
//! its caller leaves and what it answers, and from the witness of its work. A run's document keeps them with the row of their
//! scenario.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testbed::chain::Link;
use testbed::witness::Word;

/// One server's part in a request. Times are milliseconds since the request was sent to the first server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// The server's name.
    pub server: String,
    /// The request's id.
    pub request_id: String,
    /// The `traceparent` that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_ms: Option<f64>,
    /// The budget that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<f64>,
    /// When its work began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<f64>,
    /// The last sign of its work: its begin, a beat or its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<f64>,
    /// The end of its work: completed, canceled or panicked; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// When its caller closed or reset the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<f64>,
    /// When it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<f64>,
    /// The status of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// The accounts that an attempt has noted.
pub(crate) type Noted = Arc<Mutex<Vec<Hop>>>;

/// Collects what is known so far of the request `id`, which was sent at `sent_at`.
///
/// # Errors
/// When the lab could not hear all that was said so far.
pub fn of(links: &[Link], id: &str, sent_at: Instant) -> io::Result<Vec<Hop>> {
    let since = |at: Instant| at.saturating_duration_since(sent_at).as_secs_f64() * 1e3;
    let hop = |link: &Link| {
        let (server, request_id) = (link.name.clone(), id.to_owned());
        let mut hop = Hop { server, request_id, ..Hop::default() };
        if let Some(seen) = link.tap.seen(id).into_iter().next() {
            hop.traceparent = seen.traceparent;
            hop.asked_ms = Some(since(seen.asked_at));
            hop.budget_ms = seen.budget.map(|budget| budget.as_secs_f64() * 1e3);
            hop.left_ms = seen.left_at.map(since);
            (hop.answered_ms, hop.status) = (seen.answered_at.map(since), seen.status);
        }
        link.witness.catch_up()?;
        hop.began_ms = link.witness.started(id).map(since);
        hop.last_ms = link.witness.last(id).map(since);
        hop.ended = link.witness.ended(id).map(|(_, how): (_, Word)| how.to_string());
        Ok(hop)
    };
    links.iter().map(hop).collect()
}

/// Names the link that did not pass on what it was given, less `reserve` of its budget; `None` when all did.
pub fn unpassed(hops: &[Hop], reserve: Duration) -> Option<String> {
    let reserve = reserve.as_secs_f64() * 1e3;
    let kept = |at: usize| {
        let (given, passed) = (&hops[at], &hops[at + 1]);
        let Some(budget) = passed.asked_ms.and(passed.budget_ms) else {
            let what = if passed.asked_ms.is_some() { "passed on no budget" } else { "did not ask the next" };
            return Some(what.to_owned());
        };
        // Both are rounded down to a microsecond.
        let most = given.budget_ms.map(|budget| budget - reserve + 0.001);
        if most.is_some_and(|most| budget > most) {
            let given = given.budget_ms.unwrap_or_default();
            return Some(format!(
                "passed on a budget of {budget:.1} ms, of {given:.1} ms and with a reserve of {reserve:.0} ms"
            ));
        }
        (trace(given) != trace(passed)).then(|| "did not pass on the trace".to_owned())
    };
    let (at, how) = (0..hops.len().saturating_sub(1)).find_map(|at| kept(at).map(|how| (at, how)))?;
    Some(format!("{} {how}", named(hops, at)))
}

/// The parts of a `traceparent`: the trace with its version, the number of the caller, the flags.
fn traced(hop: &Hop) -> Option<(&str, &str, &str)> {
    let text = hop.traceparent.as_deref()?;
    Some((text.get(..36)?, text.get(36..52)?, text.get(52..)?))
}

fn trace(hop: &Hop) -> Option<&str> {
    traced(hop).map(|(trace, ..)| trace)
}

/// Names the link that passed on another trace, or a number in it that is not its call's own; `None` when none did.
pub fn untraced(hops: &[Hop]) -> Option<String> {
    let broke = |at: usize| {
        let (given, passed) = (traced(&hops[at])?, traced(&hops[at + 1]));
        let Some((trace, number, flags)) = passed else { return Some("passed on no traceparent".to_owned()) };
        if (trace, flags) != (given.0, given.2) {
            return Some(format!("passed on {trace}…{flags} of {}…{}", given.0, given.2));
        }
        let mut before = hops[..=at].iter().filter_map(traced).map(|(_, number, _)| number);
        let is_own = number.bytes().any(|byte| byte != b'0') && before.all(|before| before != number);
        (!is_own).then(|| format!("passed on {number}, which is no number of the call's own"))
    };
    let (at, how) = (0..hops.len().saturating_sub(1)).find_map(|at| broke(at).map(|how| (at, how)))?;
    Some(format!("{} {how}", named(hops, at)))
}

/// Names the link at which the cancel stopped, when the client of the first has left: the first that was told and worked on, or
/// that ended its own work and not its call. `None` when each stopped within `late` of being told.
pub fn unstopped(hops: &[Hop], late: Duration) -> Option<String> {
    let late = late.as_secs_f64() * 1e3;
    let mut told_before = 0.0;
    for (at, hop) in hops.iter().enumerate() {
        let before = at.saturating_sub(1);
        let Some(told) = hop.left_ms else {
            return Some(format!("{} ended its own work and left its call open", named(hops, before)));
        };
        if at > 0 && told - told_before > late {
            let after = told - told_before;
            return Some(format!("{} closed its call {after:.1} ms after it was told", named(hops, before)));
        }
        told_before = told;
        let who = named(hops, at);
        match (&hop.ended, hop.last_ms.map(|last| last - told)) {
            (None, _) => return Some(format!("{who} was told after {told:.1} ms, and its work goes on")),
            (Some(_), Some(after)) if after > late => {
                return Some(format!("{who} was told after {told:.1} ms and worked on for {after:.1} ms"));
            }
            (Some(how), _) if how != CANCELED => {
                return Some(format!("{who} was told after {told:.1} ms, and its work was {how}"));
            }
            _ => {}
        }
    }
    None
}

/// Names the link that did not keep its own deadline, from the last to the first: one that answered early or not with 504, or that
/// worked on for longer than `late`. `None` when each kept its own.
pub fn untimely(hops: &[Hop], late: Duration) -> Option<String> {
    let late = late.as_secs_f64() * 1e3;
    let broke = |hop: &Hop| {
        let deadline = hop.asked_ms? + hop.budget_ms?;
        match (hop.status, hop.answered_ms) {
            (Some(status), _) if status != 504 => return Some(format!("answered {status} instead of 504")),
            (_, Some(at)) if at < deadline => {
                return Some(format!("answered {:.1} ms before its own deadline", deadline - at));
            }
            _ => {}
        }
        let after = hop.last_ms? - deadline;
        match hop.ended.as_deref() {
            None => Some(format!("works on {after:.1} ms after its own deadline")),
            Some(_) if after > late => Some(format!("worked on for {after:.1} ms after its own deadline")),
            Some(CANCELED) => None,
            Some(how) => Some(format!("says that its work was {how} at its deadline")),
        }
    };
    let (at, how) = (0..hops.len()).rev().find_map(|at| broke(&hops[at]).map(|how| (at, how)))?;
    Some(format!("{} {how}", named(hops, at)))
}

/// The word of work that was told to stop.
const CANCELED: &str = "canceled";

/// A link as a verdict names it.
pub fn named(hops: &[Hop], at: usize) -> String {
    let name = hops.get(at).map_or("", |hop| hop.server.as_str());
    format!("link {} of {}, `{name}`,", at + 1, hops.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(50);
    const RESERVE: Duration = Duration::from_millis(5);

    /// Three links that were left one after another, 1 ms apart.
    fn left() -> Vec<Hop> {
        let hop = |at: f64| Hop {
            server: format!("s{at}"),
            asked_ms: Some(at),
            budget_ms: Some(500.0 - at * 10.0),
            began_ms: Some(at),
            left_ms: Some(100.0 + at),
            last_ms: Some(100.5 + at),
            ended: Some(CANCELED.to_owned()),
            ..Hop::default()
        };
        [0.0, 1.0, 2.0].map(hop).into()
    }

    /// The same at the deadline: each answers at its own.
    fn timed_out() -> Vec<Hop> {
        let answered = |hop: Hop| {
            let at = hop.asked_ms.unwrap() + hop.budget_ms.unwrap();
            Hop { left_ms: None, answered_ms: Some(at), last_ms: Some(at), status: Some(504), ..hop }
        };
        left().into_iter().map(answered).collect()
    }

    fn changed(mut hops: Vec<Hop>, at: usize, change: impl FnOnce(&mut Hop)) -> Vec<Hop> {
        change(&mut hops[at]);
        hops
    }

    #[test]
    fn a_chain_that_stops_link_by_link_has_no_guilty_one() {
        assert_eq!(unstopped(&left(), LATE), None);
        assert_eq!(untimely(&timed_out(), LATE), None);
        assert_eq!(unpassed(&left(), RESERVE), None);
    }

    #[test]
    fn a_link_that_was_told_and_works_on_is_named_and_none_behind_it() {
        let mut hops = changed(left(), 1, |hop| hop.ended = None);
        (hops[2].ended, hops[2].left_ms) = (None, None);
        let told = "link 2 of 3, `s1`, was told after 101.0 ms, and its work goes on";
        assert_eq!(unstopped(&hops, LATE).as_deref(), Some(told));
    }

    #[test]
    fn a_link_that_left_its_call_open_is_named_and_not_the_one_that_was_never_told() {
        let hops = changed(left(), 2, |hop| (hop.ended, hop.left_ms) = (None, None));
        let told = "link 2 of 3, `s1`, ended its own work and left its call open";
        assert_eq!(unstopped(&hops, LATE).as_deref(), Some(told));
        let hops = changed(left(), 2, |hop| (hop.last_ms, hop.left_ms) = (Some(301.0), Some(300.0)));
        let told = "link 2 of 3, `s1`, closed its call 199.0 ms after it was told";
        assert_eq!(unstopped(&hops, LATE).as_deref(), Some(told));
    }

    #[test]
    fn work_that_goes_on_after_it_was_told_or_completes_is_named() {
        let hops = changed(left(), 2, |hop| hop.last_ms = Some(202.0));
        assert!(
            unstopped(&hops, LATE)
                .unwrap()
                .ends_with("`s2`, was told after 102.0 ms and worked on for 100.0 ms")
        );
        let hops = changed(left(), 2, |hop| hop.ended = Some("completed".to_owned()));
        assert!(unstopped(&hops, LATE).unwrap().ends_with("and its work was completed"));
    }

    #[test]
    fn of_links_that_break_the_deadline_the_last_is_named() {
        let hops = changed(timed_out(), 2, |hop| hop.status = Some(503));
        let hops = changed(hops, 1, |hop| hop.status = Some(502));
        let told = "link 3 of 3, `s2`, answered 503 instead of 504";
        assert_eq!(untimely(&hops, LATE).as_deref(), Some(told));
        let hops = changed(timed_out(), 1, |hop| hop.answered_ms = Some(400.0));
        let told = "link 2 of 3, `s1`, answered 91.0 ms before its own deadline";
        assert_eq!(untimely(&hops, LATE).as_deref(), Some(told));
        let hops = changed(timed_out(), 1, |hop| hop.last_ms = Some(600.0));
        assert!(untimely(&hops, LATE).unwrap().ends_with("worked on for 109.0 ms after its own deadline"));
        let hops = changed(timed_out(), 0, |hop| hop.ended = Some("completed".to_owned()));
        assert!(untimely(&hops, LATE).unwrap().ends_with("says that its work was completed at its deadline"));
    }

    #[test]
    fn a_link_that_passes_on_all_its_budget_or_nothing_is_named() {
        let hops = changed(left(), 2, |hop| hop.budget_ms = Some(490.0));
        assert!(
            unpassed(&hops, RESERVE)
                .unwrap()
                .starts_with("link 2 of 3, `s1`, passed on a budget of 490.0 ms")
        );
        let hops = changed(left(), 1, |hop| hop.budget_ms = None);
        assert_eq!(unpassed(&hops, RESERVE).unwrap(), "link 1 of 3, `s0`, passed on no budget");
        let hops = changed(left(), 1, |hop| hop.asked_ms = None);
        assert_eq!(unpassed(&hops, RESERVE).unwrap(), "link 1 of 3, `s0`, did not ask the next");
        let hops = changed(left(), 0, |hop| hop.traceparent = Some(placed("1", 1)));
        assert_eq!(unpassed(&hops, RESERVE).unwrap(), "link 1 of 3, `s0`, did not pass on the trace");
    }

    /// A `traceparent` of this trace and number.
    fn placed(trace: &str, number: u64) -> String {
        format!("00-{trace:0>32}-{number:016x}-01")
    }

    fn traces(places: [String; 3]) -> Vec<Hop> {
        let hops = left().into_iter().zip(places);
        hops.map(|(hop, place)| Hop { traceparent: Some(place), ..hop }).collect()
    }

    #[test]
    fn a_link_that_loses_the_trace_or_takes_another_s_number_is_named() {
        assert_eq!(untraced(&traces([placed("a", 1), placed("a", 2), placed("a", 3)])), None);
        assert_eq!(untraced(&left()), None, "a request without a trace begins none");
        let same = untraced(&traces([placed("a", 1), placed("a", 2), placed("a", 2)])).unwrap();
        assert_eq!(
            same,
            "link 2 of 3, `s1`, passed on 0000000000000002, which is no number of the call's own"
        );
        let first = untraced(&traces([placed("a", 1), placed("a", 2), placed("a", 1)])).unwrap();
        assert!(first.starts_with("link 2 of 3, `s1`, passed on 0000000000000001"), "{first}");
        let other = untraced(&traces([placed("a", 1), placed("b", 2), placed("b", 3)])).unwrap();
        assert!(other.starts_with("link 1 of 3, `s0`, passed on 00-"), "{other}");
        let none = changed(traces([placed("a", 1), placed("a", 2), placed("a", 3)]), 2, |hop| {
            hop.traceparent = None
        });
        assert_eq!(untraced(&none).unwrap(), "link 2 of 3, `s1`, passed on no traceparent");
    }
}
