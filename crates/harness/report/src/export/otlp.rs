//! A run as spans, in the JSON encoding of OTLP's `ExportTraceServiceRequest`, for any tracing tool.
//!
//! Each request that was measured is a trace: a server span from the request to its answer, and below it a span for its work,
//! in the process or outside. A request through a chain of servers is one trace, under the ids that they passed on. Work that outlives its answer is a span that outlives its parent, and is marked as an error.
//! Names are those of OpenTelemetry's semantic conventions; what these do not name stands under `deadline_lab.`. As in the
//! [timeline](super::timeline), measurements that were taken one after the other follow each other, a second apart.
//!
//! Sources: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>,
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>,
//! <https://opentelemetry.io/docs/specs/semconv/database/postgresql/>.

use std::collections::BTreeMap;
use std::time::SystemTime;

use measure::outside::{End, Outside};
use measure::results::Results;
use measure::text::span as spanned;
use measure::zombie::{Fate, Life};
use serde_json::{Value, json};
use testbed::outside::Place;

use super::timeline::{APART, group};
use crate::chain;

mod hops;
mod span;

use span::{Ids, Kind, Span};

/// The conventions that the names are of.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// The address of every server under test.
const ADDRESS: &str = "127.0.0.1";
/// The namespace of attributes that the conventions do not name.
const OWN: &str = "deadline_lab";

/// Renders the document: one line of JSON, as the protocol's file format has it.
pub fn render(results: &Results) -> String {
    let mut spans = Spans::new(results);
    let mut begin = 0.0;
    for (_, lives) in group(&results.measured.zombie, |life| life.round) {
        let last = lives.iter().map(|life| life.alive_ms().max(life.answered_ms.unwrap_or(0.0)));
        let last = last.fold(0.0, f64::max);
        for (number, life) in lives.into_iter().enumerate() {
            spans.life(life, number, begin);
        }
        begin += last + APART;
    }
    for (number, tries) in tries(&results.measured.outside) {
        let last = tries.iter().map(|one| one.over_ms.unwrap_or(0.0) + one.outlived_ms).fold(0.0, f64::max);
        for one in tries {
            spans.outside(one, number, begin);
        }
        begin += last + APART;
    }
    for (number, (row, chain)) in chain::all(results).into_iter().enumerate() {
        spans.chain(row, number, chain, begin);
        begin += chain.over_ms.max(chain.last_ms) + APART;
    }
    let mut text = spans.request().to_string();
    text.push('\n');
    text
}

/// Groups the requests of each server, style and end by their number: those of one number lie side by side.
fn tries(all: &[Outside]) -> BTreeMap<usize, Vec<&Outside>> {
    let (mut numbers, mut tries) = (BTreeMap::new(), BTreeMap::<usize, Vec<&Outside>>::new());
    for one in all {
        let number: &mut usize = numbers.entry((&one.server, &one.style, one.end.word())).or_default();
        tries.entry(*number).or_default().push(one);
        *number += 1;
    }
    tries
}

/// The spans of a run, by server.
struct Spans<'a> {
    results: &'a Results,
    /// The beginning of the run, in nanoseconds since the epoch.
    since: u64,
    by_server: BTreeMap<&'a str, Vec<Value>>,
}

impl<'a> Spans<'a> {
    fn new(results: &'a Results) -> Self {
        let taken_at = httpdate::parse_http_date(&results.taken_at).ok();
        let since = taken_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let since = since.map_or(0, |since| since.as_nanos() as u64);
        Self { results, since, by_server: BTreeMap::new() }
    }

    /// Adds a span of a server.
    fn push(&mut self, server: &'a str, span: Span) {
        self.by_server.entry(server).or_default().push(span.json(self.since));
    }

    /// The request of the protocol: a resource for each server.
    fn request(self) -> Value {
        let scope = json!({"name": "deadline-lab", "version": env!("CARGO_PKG_VERSION")});
        let resource = |(server, spans): (&str, Vec<Value>)| {
            json!({
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": server}}]},
                "scopeSpans": [{"scope": scope, "spans": spans, "schemaUrl": SCHEMA}],
                "schemaUrl": SCHEMA,
            })
        };
        json!({"resourceSpans": self.by_server.into_iter().map(resource).collect::<Vec<_>>()})
    }

    /// One request and its work in the process.
    fn life(&mut self, life: &'a Life, number: usize, begin: f64) {
        let plan = &self.results.plan.zombie;
        let mut ids = self.ids(&["zombie", &life.server, &life.style], life.round, number);
        let query = format!("style={}&work={}ms&tick={}ms", life.style, plan.work_ms, plan.tick_ms);
        let answered = life.answered_ms.unwrap_or(life.watched_ms);
        let request = served(&mut ids, &query, life.status, begin, answered)
            .event("deadline", begin + life.deadline_ms);
        let parent = request.id;
        self.push(&life.server, request);
        let Some(started) = life.started_ms else { return };
        let how = life.how.map_or("running", |how| how.word());
        let work = ids.span(Some(parent), format!("work {}", life.style), Kind::Internal);
        let work = work
            .from(begin + started, begin + life.alive_ms().max(started))
            .text(&format!("{OWN}.style"), &life.style)
            .text(&format!("{OWN}.outcome"), how)
            .number(&format!("{OWN}.heartbeats"), life.beats as u64)
            .number(&format!("{OWN}.heartbeats_after_answer"), life.beats_after as u64);
        let zombie = match life.fate(self.results.limits.zombie_ms) {
            Fate::Zombie(ms) | Fate::Endless(ms) => Some(ms),
            _ => None,
        };
        self.push(&life.server, doomed(work, zombie));
    }

    /// One request and its work outside the process.
    fn outside(&mut self, one: &'a Outside, number: usize, begin: f64) {
        let plan = &self.results.plan.outside;
        let mut ids = self.ids(&["outside", &one.server, &one.style, one.end.word()], one.round, number);
        let query = format!("style={}&work={}ms", one.style, plan.work_ms);
        // A document of before these were noted has the end that was planned.
        let (began, over) = (one.began_ms.unwrap_or(0.0), one.over_ms.unwrap_or(plan.deadline_ms as f64));
        let request = served(&mut ids, &query, one.status, begin, over);
        let request = match one.end {
            End::Deadline => request.event("deadline", begin + plan.deadline_ms as f64),
            End::Disconnect => request.event("client disconnected", begin + over),
        };
        let parent = request.id;
        self.push(&one.server, request);
        let gone = over + one.outlived_ms;
        let work = placed(&mut ids, parent, Place::of(&one.style))
            .from(begin + began.min(gone), begin + gone)
            .text(&format!("{OWN}.style"), &one.style);
        let work = match Place::of(&one.style) {
            Some(place) => work.text(&format!("{OWN}.witness"), place.witness()),
            None => work,
        };
        self.push(&one.server, doomed(work, one.is_zombie().then_some(one.outlived_ms)));
    }

    /// Returns the ids of one trace.
    fn ids(&self, of: &[&str], round: usize, number: usize) -> Ids {
        Ids::new(&(&self.results.taken_at, of, round, number))
    }
}

/// Returns the span of a request as its server's instrumentation would have it.
fn served(ids: &mut Ids, query: &str, status: Option<u16>, begin: f64, answered: f64) -> Span {
    let span = ids.span(None, "GET /slow".to_owned(), Kind::Server).from(begin, begin + answered);
    let span = span
        .text("http.request.method", "GET")
        .text("http.route", "/slow")
        .text("url.scheme", "http")
        .text("url.path", "/slow")
        .text("url.query", query)
        .text("network.protocol.version", "1.1")
        .text("server.address", ADDRESS);
    ended(span, status, 500, "connection_ended")
}

/// Adds the status, which from `wrong` on is an error, or that there was none.
fn ended(span: Span, status: Option<u16>, wrong: u16, without: &str) -> Span {
    let Some(status) = status else { return span.text("error.type", without).error("") };
    let span = span.number("http.response.status_code", status.into());
    if status >= wrong { span.text("error.type", &status.to_string()).error("") } else { span }
}

/// Returns the span of work at its place, with the names that its kind has.
fn placed(ids: &mut Ids, parent: u64, place: Option<Place>) -> Span {
    let mut span = |name: &str, kind| ids.span(Some(parent), name.to_owned(), kind);
    match place {
        Some(Place::Process) => span("process", Kind::Internal),
        Some(Place::Query) => span("SELECT postgres", Kind::Client)
            .text("db.system.name", "postgresql")
            .text("db.namespace", "postgres")
            .text("db.operation.name", "SELECT")
            .text("server.address", ADDRESS),
        Some(Place::Upstream) => {
            span("GET", Kind::Client).text("http.request.method", "GET").text("server.address", ADDRESS)
        }
        None => span("permit", Kind::Internal),
    }
}

/// Marks the span of work that outlived its request, for so many milliseconds.
fn doomed(span: Span, zombie: Option<f64>) -> Span {
    let Some(ms) = zombie else { return span.flag(&format!("{OWN}.zombie"), false) };
    let span = span.flag(&format!("{OWN}.zombie"), true).ms(&format!("{OWN}.zombie_ms"), ms);
    span.error(&format!("zombie: {} after the end of its request", spanned(ms)))
}

#[cfg(test)]
mod tests;
