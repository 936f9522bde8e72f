use std::collections::BTreeMap;

use measure::fixtures::{empty, outside, whole};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use suite::document::Row;
use suite::verdict::Verdict;

use super::*;
use crate::chain::tests::left;

fn run() -> Results {
    let mut results = whole();
    results.taken_at = "Sun, 22 Nov 2026 16:34:32 GMT".to_owned();
    results.measured.outside = vec![
        outside("tokio", "query-dropped", End::Deadline, 600.0),
        outside("tokio", "process", End::Disconnect, 2.0),
        outside("tokio", "upstream", End::Deadline, 0.0),
    ];
    results
}

/// The run as the protocol's own types read it.
fn parsed() -> ExportTraceServiceRequest {
    serde_json::from_str(&render(&run())).unwrap()
}

fn spans(of: &ResourceSpans) -> Vec<Span> {
    of.scope_spans.iter().flat_map(|scope| scope.spans.clone()).collect()
}

fn all() -> Vec<Span> {
    parsed().resource_spans.iter().flat_map(spans).collect()
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    let value = serde_json::to_value(found.value.as_ref()?).unwrap();
    value.as_object()?.values().next().cloned()
}

/// Checks that everything of `ours` is in `theirs`, which also writes out what is left to its default.
fn contains(theirs: &Value, ours: &Value, place: &str) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in ours {
                let place = format!("{place}.{key}");
                contains(theirs.get(key).unwrap_or_else(|| panic!("{place} is unknown")), value, &place);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            assert_eq!(theirs.len(), ours.len(), "{place}");
            theirs.iter().zip(ours).for_each(|(theirs, ours)| contains(theirs, ours, place));
        }
        _ => assert_eq!(theirs, ours, "{place}"),
    }
}

#[test]
fn the_protocol_s_own_types_read_every_field_and_write_it_again() {
    let ours: Value = serde_json::from_str(&render(&run())).unwrap();
    contains(&serde_json::to_value(parsed()).unwrap(), &ours, "");
}

#[test]
fn ids_are_whole_and_no_span_has_another_s() {
    let spans = all();
    assert!(spans.iter().all(|span| span.trace_id.len() == 16 && span.span_id.len() == 8));
    let mut ids: Vec<_> = spans.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
}

#[test]
fn every_piece_of_work_is_below_its_request_in_the_same_trace() {
    let spans = all();
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
    let (requests, work): (Vec<&Span>, Vec<&Span>) =
        spans.iter().partition(|span| span.kind() == SpanKind::Server);
    assert_eq!((requests.len(), work.len()), (5, 5), "two lives and three outside");
    assert!(requests.iter().all(|span| span.parent_span_id.is_empty()));
    for span in work {
        let parent = by_id[&span.parent_span_id];
        assert_eq!((parent.kind(), &parent.trace_id), (SpanKind::Server, &span.trace_id));
    }
}

#[test]
fn a_zombie_outlives_its_parent_and_is_an_error() {
    let spans = all();
    let parent = |span: &Span| spans.iter().find(|one| one.span_id == span.parent_span_id).unwrap();
    let mut zombies = 0;
    for span in spans.iter().filter(|span| span.kind() != SpanKind::Server) {
        let over = span.end_time_unix_nano.saturating_sub(parent(span).end_time_unix_nano);
        let is_zombie = attribute(span, "deadline_lab.zombie") == Some(json!(true));
        assert_eq!(is_zombie, over > 25_000_000, "{}", span.name);
        let code = span.status.as_ref().map(|status| status.code());
        assert_eq!(is_zombie, code == Some(StatusCode::Error), "{}", span.name);
        zombies += u32::from(is_zombie);
    }
    assert_eq!(zombies, 2, "the thread's work and the query");
}

#[test]
fn a_request_has_the_names_of_the_conventions() {
    let spans = all();
    let request = spans.iter().find(|span| span.kind() == SpanKind::Server).unwrap();
    assert_eq!(request.name, "GET /slow");
    for (key, value) in [
        ("http.request.method", json!("GET")),
        ("url.path", json!("/slow")),
        ("url.scheme", json!("http")),
        ("http.response.status_code", json!("504")),
        ("error.type", json!("504")),
        ("server.address", json!("127.0.0.1")),
    ] {
        assert_eq!(attribute(request, key), Some(value), "{key}");
    }
    assert_eq!(request.status.as_ref().map(|status| status.message.as_str()), Some(""));
    let lasted = request.end_time_unix_nano - request.start_time_unix_nano;
    assert_eq!((lasted, request.events[0].name.as_str()), (301_000_000, "deadline"));
    let query = spans.iter().find(|span| span.name == "SELECT postgres").unwrap();
    assert_eq!(attribute(query, "db.system.name"), Some(json!("postgresql")));
    assert_eq!(query.kind(), SpanKind::Client);
}

#[test]
fn a_chain_is_one_trace_under_the_ids_that_were_passed_on() {
    let mut results = empty(&["tokio"]);
    let row = Row::whole_server("tokio", "hops/fin", Verdict::Pass, "stopped");
    results.results = vec![Row { hops: left(), ..row }];
    let request: ExportTraceServiceRequest = serde_json::from_str(&render(&results)).unwrap();
    let services: Vec<_> = request.resource_spans.iter().map(|of| spans(of).len()).collect();
    assert_eq!(services, [1, 8], "the client's call; then two calls, three requests and three works");
    let spans: Vec<Span> = request.resource_spans.iter().flat_map(spans).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == "0af7651916cd43dd8448eb211c80319c"));
    let mut calls: Vec<&Span> = spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    calls.sort_by_key(|call| call.start_time_unix_nano);
    let ids: Vec<String> = calls.iter().map(|call| hex(&call.span_id)).collect();
    assert_eq!(ids, ["b7ad6b7169203330", "b7ad6b7169203331", "b7ad6b7169203332"]);
    let mut above: Vec<u8> = Vec::new();
    for call in calls {
        assert_eq!(call.parent_span_id, above, "a call is below the request for which it was made");
        let request = spans.iter().find(|span| span.parent_span_id == call.span_id).unwrap();
        assert_eq!(request.kind(), SpanKind::Server);
        above = request.span_id.clone();
    }
}

#[test]
fn the_run_begins_when_it_was_taken() {
    let first = all().iter().map(|span| span.start_time_unix_nano).min();
    assert_eq!(first, Some(1_795_365_272_000_000_000));
    assert_eq!(render(&run()), render(&run()), "and is rendered alike every time");
}
