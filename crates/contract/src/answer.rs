//! Every answer: its status, its headers and its JSON body, which ends in a newline.

use std::fmt::Display;
use std::time::Duration;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode, response};
use serde::Serialize;

use crate::identity::REQUEST_ID;
use crate::{Failure, Identity, Reason, Refusal};

/// An answer with its whole body; the server adds `Content-Length` and `Date`.
pub type Answer = Response<String>;

/// 200 for `/fast`.
#[must_use]
pub fn fast(identity: &Identity) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        endpoint: &'static str,
        request_id: &'a str,
    }
    json(StatusCode::OK, identity, &Body { endpoint: "fast", request_id: &identity.request_id })
}

/// 200 for `/slow`, whose work took `worked`.
#[must_use]
pub fn slow(identity: &Identity, worked: Duration) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        endpoint: &'static str,
        request_id: &'a str,
        worked_ms: u128,
    }
    let worked_ms = worked.as_millis();
    json(StatusCode::OK, identity, &Body { endpoint: "slow", request_id: &identity.request_id, worked_ms })
}

/// 200 for `/values`: the identity `found` inside the work, for the request of `identity`.
#[must_use]
pub fn values(identity: &Identity, found: Option<&Identity>) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        request_id: Option<&'a str>,
        subject: Option<&'a str>,
    }
    let request_id = found.map(|found| found.request_id.as_str());
    let subject = found.and_then(|found| found.subject.as_deref());
    json(StatusCode::OK, identity, &Body { request_id, subject })
}

/// 200 for `/upload` of `bytes` bytes.
#[must_use]
pub fn upload(identity: &Identity, bytes: usize) -> Answer {
    #[derive(Serialize)]
    struct Body {
        bytes: usize,
    }
    json(StatusCode::OK, identity, &Body { bytes })
}

/// 200 for `/fanout` whose `width` children are all done.
#[must_use]
pub fn fanout(identity: &Identity, width: u32) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        endpoint: &'static str,
        request_id: &'a str,
        children: u32,
    }
    let body = Body { endpoint: "fanout", request_id: &identity.request_id, children: width };
    json(StatusCode::OK, identity, &body)
}

/// 502 for `/fanout` whose child number `child` failed.
#[must_use]
pub fn child_failed(identity: &Identity, child: u32) -> Answer {
    error(StatusCode::BAD_GATEWAY, Reason::Child, &format!("child {child} failed"), identity)
}

/// 502 for `/slow` whose work was done by a process that failed.
#[must_use]
pub fn process_failed(identity: &Identity) -> Answer {
    error(StatusCode::BAD_GATEWAY, Reason::Child, &"the worker process failed", identity)
}

/// 502 for `/slow` whose upstream could not be reached, or gave no answer to go by.
#[must_use]
pub fn upstream_failed(identity: &Identity) -> Answer {
    error(StatusCode::BAD_GATEWAY, Reason::Upstream, &"the upstream failed", identity)
}

/// 503 for `/slow` whose database could not be reached, refused, or broke off.
#[must_use]
pub fn database_failed(identity: &Identity) -> Answer {
    error(StatusCode::SERVICE_UNAVAILABLE, Reason::Database, &"the database failed", identity)
}

/// The head of the 200 for `/stream`; its body is [`chunk`]s.
#[must_use]
pub fn stream(identity: &Identity) -> response::Builder {
    Response::builder()
        .status(StatusCode::OK)
        .header(CONTENT_TYPE, "application/json")
        .header(REQUEST_ID.clone(), header(&identity.request_id))
}

/// Chunk number `chunk` of a `/stream`, counted from 0: one JSON document on a line.
#[must_use]
pub fn chunk(chunk: u32) -> String {
    format!("{{\"chunk\":{chunk}}}\n")
}

/// The answer to a request whose context ended: 504 for its deadline, 503 for everything else.
#[must_use]
pub fn ended(identity: &Identity, reason: Reason) -> Answer {
    match reason {
        Reason::Deadline => {
            error(StatusCode::GATEWAY_TIMEOUT, reason, &ctx::Error::DeadlineExceeded, identity)
        }
        _ => error(StatusCode::SERVICE_UNAVAILABLE, reason, &ctx::Error::Canceled, identity),
    }
}

/// 500 for a handler that panicked; the connection is closed behind it.
#[must_use]
pub fn panicked(identity: &Identity) -> Answer {
    closing(error(StatusCode::INTERNAL_SERVER_ERROR, Reason::Panic, &"the handler panicked", identity))
}

/// The answer to a refused request; the id is echoed when there is one that can be.
#[must_use]
pub fn refused(identity: Option<&Identity>, refusal: &Refusal) -> Answer {
    let nobody = Identity::default();
    let mut answer = error(refusal.status(), refusal.reason(), refusal, identity.unwrap_or(&nobody));
    match refusal {
        Refusal::Method { allow } => {
            drop(answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow)))
        }
        Refusal::Busy => drop(answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"))),
        _ => {}
    }
    if refusal.closes() { closing(answer) } else { answer }
}

/// The answer to a request that was begun and came to no 200.
#[must_use]
pub fn failed(identity: &Identity, failure: &Failure) -> Answer {
    match failure {
        Failure::Ended(reason) => ended(identity, *reason),
        Failure::Refused(refusal) => refused(Some(identity), refusal),
        Failure::Child(child) => child_failed(identity, *child),
        Failure::Process => process_failed(identity),
        Failure::Upstream => upstream_failed(identity),
        Failure::Database => database_failed(identity),
    }
}

/// The same answer, saying `Connection: close`.
#[must_use]
pub fn closing<B>(mut answer: Response<B>) -> Response<B> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn error(status: StatusCode, reason: Reason, text: &impl Display, identity: &Identity) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        error: String,
        reason: &'static str,
        request_id: &'a str,
    }
    let body = Body { error: text.to_string(), reason: reason.word(), request_id: &identity.request_id };
    json(status, identity, &body)
}

fn json(status: StatusCode, identity: &Identity, body: &impl Serialize) -> Answer {
    let mut body = serde_json::to_string(body).expect("a struct of strings and numbers has a JSON form");
    body.push('\n');
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !identity.request_id.is_empty() {
        answer.headers_mut().insert(REQUEST_ID.clone(), header(&identity.request_id));
    }
    answer
}

fn header(request_id: &str) -> HeaderValue {
    HeaderValue::from_str(request_id).expect("an identity's id is printable ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { request_id: "r-1".into(), given: true, subject: Some("ann".into()), ..Identity::default() }
    }

    #[test]
    fn fast_is_the_documented_body() {
        let answer = fast(&identity());
        assert_eq!(answer.body(), "{\"endpoint\":\"fast\",\"request_id\":\"r-1\"}\n");
        assert_eq!(answer.headers()["x-request-id"], "r-1");
    }

    #[test]
    fn slow_says_how_long_it_worked() {
        let answer = slow(&identity(), Duration::from_millis(1_234));
        assert_eq!(answer.body(), "{\"endpoint\":\"slow\",\"request_id\":\"r-1\",\"worked_ms\":1234}\n");
    }

    #[test]
    fn a_504_has_gos_text_and_the_reason() {
        let answer = ended(&identity(), Reason::Deadline);
        assert_eq!(answer.status(), 504);
        let body =
            "{\"error\":\"context deadline exceeded\",\"reason\":\"deadline\",\"request_id\":\"r-1\"}\n";
        assert_eq!(answer.body(), body);
    }

    #[test]
    fn a_shutdown_is_a_503() {
        let answer = ended(&identity(), Reason::Shutdown);
        assert_eq!(answer.status(), 503);
        assert!(answer.body().contains("\"reason\":\"shutdown\""));
    }

    #[test]
    fn values_are_the_ones_found_inside() {
        assert_eq!(
            values(&identity(), Some(&identity())).body(),
            "{\"request_id\":\"r-1\",\"subject\":\"ann\"}\n"
        );
        assert_eq!(values(&identity(), None).body(), "{\"request_id\":null,\"subject\":null}\n");
    }

    #[test]
    fn a_405_says_what_is_allowed() {
        let answer = refused(Some(&identity()), &Refusal::Method { allow: "POST" });
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ALLOW]),
            (405, &HeaderValue::from_static("POST"))
        );
    }

    #[test]
    fn a_refusal_that_leaves_the_stream_in_doubt_closes() {
        for refusal in [Refusal::BodyTooLarge, Refusal::HeadTooLarge, Refusal::ReadTimeout, Refusal::Busy] {
            assert_eq!(refused(None, &refusal).headers()[CONNECTION], "close", "{refusal}");
        }
        assert!(!refused(None, &Refusal::NotFound).headers().contains_key(CONNECTION));
    }
}
