//! The demands of the lab on a server that it judges: flags, parameters, the form of errors, and who calls.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Json, Request};
use axum::http::{HeaderName, StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
use ctx::{Ended, wire};
use serde_json::json;

use crate::pool::Pool;

#[path = "../../../../peers/rust/witness.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is written to be copied beside a server of any kind")]
mod witness;
pub(crate) use witness::Work;

/// The arguments.
pub(crate) struct App {
    pub(crate) listen: SocketAddr,
    pub(crate) request_timeout: Duration,
    /// The time that a call keeps of its request's for the answer.
    pub(crate) reserve: Duration,
    upstream: Option<String>,
    pool: Option<Pool>,
}

/// A way to work, with all that it takes.
pub(crate) enum Style {
    /// Units of waiting.
    Context(Work),
    /// A call to the upstream at this address.
    Upstream(&'static str, Request),
    /// A query.
    Query(Query<'static>),
}

/// A query, and the database.
pub(crate) struct Query<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) sql: String,
}

impl App {
    /// Reads the arguments, which stand for the life of the process.
    pub(crate) fn of_arguments() -> &'static Self {
        let flag = |name: &str| std::env::args().find_map(|word| Some(word.strip_prefix(name)?.to_owned()));
        let time =
            |name, preset| flag(name).and_then(|text| length(&text)).unwrap_or(Duration::from_millis(preset));
        let parse = |url: String| Pool::new(url.parse().expect("--database takes a URL"));
        Box::leak(Box::new(Self {
            listen: flag("--listen=").and_then(|at| at.parse().ok()).expect("--listen=ADDR is given"),
            request_timeout: time("--request-timeout=", 2000),
            reserve: time("--reserve=", 5),
            upstream: flag("--upstream="),
            pool: flag("--database=").map(parse),
        }))
    }

    /// Reads the style and its parameters, and the body; a style that lacks its flag is refused like an unknown one.
    pub(crate) async fn style(&'static self, request: Request) -> Result<Style, Failed> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let header = |name: &str| head.headers.get(name)?.to_str().ok();
        let given = |name| query.split('&').find_map(|pair| pair.strip_prefix(name));
        match (given("style="), &self.upstream, &self.pool) {
            (Some("upstream"), Some(at), _) => {
                let path = format!("/slow?{}", query.replace("style=upstream", "style=context"));
                let mut request = Request::get(path).body(Body::empty())?;
                // The trace goes out with the context.
                let passed = ["host", "x-request-id"].map(HeaderName::from_static);
                let passed = passed
                    .into_iter()
                    .filter_map(|name| Some((name.clone(), head.headers.get(&name)?.clone())));
                request.headers_mut().extend(passed);
                Ok(Style::Upstream(at, request))
            }
            (Some("query"), _, Some(pool)) => {
                let time = given("work=").map_or(Some(Duration::from_secs(5)), length);
                let time = time.ok_or("parameter `work` takes a duration")?.as_secs_f64();
                // A comment must not end before its end.
                let id = header("x-request-id").filter(|id| !id.contains(['*', '/'])).unwrap_or_default();
                Ok(Style::Query(Query { pool, sql: format!("/* {id} */ SELECT pg_sleep({time})") }))
            }
            _ => {
                let work = Work::new(query, header)?;
                if work.reads {
                    to_bytes(body, 1 << 20).await?;
                }
                Ok(Style::Context(work))
            }
        }
    }
}

/// Reads a length of time such as `300ms`, which `grpc-timeout` calls `300m`.
fn length(text: &str) -> Option<Duration> {
    wire::parse_grpc_timeout(&text.replace("us", "u").replace("ms", "m").replace('s', "S"))
}

/// Answers as the upstream has answered: its 200 is a 200, its 504 a 504, and anything else a failure.
pub(crate) fn passed_on(status: StatusCode, body: &[u8]) -> Result<String, Failed> {
    match status {
        StatusCode::OK => Ok(String::from_utf8_lossy(body).into_owned()),
        StatusCode::GATEWAY_TIMEOUT => Err(ctx::Error::DeadlineExceeded.into()),
        other => Err(std::io::Error::other(format!("the upstream answered {other}")).into()),
    }
}

/// The caller: a value of the request's context.
#[derive(Clone)]
pub(crate) struct Caller {
    id: Option<String>,
    subject: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Failed> {
        let one = |name: &str| {
            let mut values =
                head.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
            let (value, more) = (values.next(), values.next());
            let fits = value.is_none_or(|value| (1..=256).contains(&value.len()) && !value.contains('\t'));
            if fits && more.is_none() { Ok(value.map(str::to_owned)) } else { Err("a header is malformed") }
        };
        Ok(Self { id: one("x-request-id")?, subject: one("x-subject")? })
    }
}

impl IntoResponse for Caller {
    fn into_response(self) -> Response {
        Json(json!({ "request_id": self.id, "subject": self.subject })).into_response()
    }
}

/// An error with its answer: 504 when a context has ended, 503 from the database, 502 from the upstream, else 400.
pub(crate) struct Failed(StatusCode, &'static str, String);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failed {
    fn from(error: E) -> Self {
        let error = error.into();
        let (status, reason) = if Ended::find(&*error).is_some() {
            (StatusCode::GATEWAY_TIMEOUT, "deadline")
        } else if error.is::<ctx_tokio_postgres::Error>() {
            (StatusCode::SERVICE_UNAVAILABLE, "database")
        } else if error.is::<ctx_hyper::Error>() || error.is::<std::io::Error>() {
            (StatusCode::BAD_GATEWAY, "upstream")
        } else {
            (StatusCode::BAD_REQUEST, "bad-request")
        };
        Self(status, reason, error.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let Self(status, reason, error) = self;
        (status, Json(json!({ "error": error, "reason": reason }))).into_response()
    }
}
