//! A service on axum whose deadlines, disconnects, values and outbound calls all go through `ctx`:
//! `lab check --run 'target/release/examples/service {port}'` judges it.

use axum::body::{Bytes, to_bytes};
use axum::extract::{Json, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::get};
use ctx::Context;
use ctx_tower::{ContextLayer, Ctx};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::{net, time};

#[path = "../../../peers/rust/witness.rs"]
#[expect(dead_code, unreachable_pub, reason = "it is written to be copied beside a server of any kind")]
mod witness;

type Answer = Result<String, (StatusCode, String)>;

/// The caller, a value of the request's context.
#[derive(Clone)]
struct Caller(Option<String>, Option<String>);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("a port is given");
    let root = ctx_tokio::attach(&Context::background());
    let app = Router::new()
        .route("/fast", get(async || "fast\n"))
        .route("/slow", get(slow).post(slow))
        .route("/values", get(values))
        .route("/relay", get(relay))
        .with_state(port)
        .layer(ContextLayer::new(&root, Duration::from_secs(2)));
    let listener = net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, app).await
}

async fn slow(Ctx(ctx): Ctx, RawQuery(query): RawQuery, headers: HeaderMap, request: Request) -> Answer {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let query = query.unwrap_or_default();
    let mut work = witness::Work::new(&query, header).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    if work.reads {
        let read = to_bytes(request.into_body(), 1 << 20).await;
        read.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    }
    // A task of its own, which nothing but its context stops.
    let task = tokio::spawn(async move {
        while work.more() {
            ctx.run_timed(time::sleep(work.pause())).await?;
        }
        Ok::<_, ctx::Error>("slow\n".to_owned())
    });
    task.await.expect("it does not panic").map_err(|error| (StatusCode::GATEWAY_TIMEOUT, error.to_string()))
}

/// A task finds the caller in its context.
async fn values(Ctx(ctx): Ctx, headers: HeaderMap) -> Result<Json<serde_json::Value>, StatusCode> {
    let header = |name: &str| {
        let mut values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        let (value, more) = (values.next(), values.next());
        let fits = value.is_none_or(|value| (1..=256).contains(&value.len()) && !value.contains('\t'));
        if fits && more.is_none() { Ok(value.map(str::to_owned)) } else { Err(StatusCode::BAD_REQUEST) }
    };
    let ctx = ctx.with_value(Caller(header("x-request-id")?, header("x-subject")?));
    let task = tokio::spawn(async move { ctx.value::<Caller>().cloned() });
    let Caller(id, subject) = task.await.expect("it does not panic").expect("it was put there");
    Ok(Json(serde_json::json!({ "request_id": id, "subject": subject })))
}

/// A call to another service, here to itself: it sends the time left, and its end closes the connection.
async fn relay(Ctx(ctx): Ctx, State(port): State<u16>, RawQuery(query): RawQuery) -> Answer {
    let bad = |error: &dyn std::error::Error| (StatusCode::BAD_GATEWAY, error.to_string());
    let (ctx, _call) = ctx.with_reserve(Duration::from_millis(50));
    let stream = net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| bad(&error))?;
    let request =
        axum::http::Request::get(format!("/slow?{}", query.unwrap_or_default())).header("host", "x");
    let request = request.body(String::new()).map_err(|error| bad(&error))?;
    let answer = ctx_hyper::send(&ctx, TokioIo::new(stream), request, |at| time::sleep_until(at.into()));
    let body = answer.await.map_err(|error| bad(&error))?.into_body();
    let body: Bytes = body.collect().await.map_err(|error| bad(&error))?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
