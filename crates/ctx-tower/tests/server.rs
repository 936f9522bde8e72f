//! axum's server, asked over a socket.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use ctx::wire::{Traceparent, Tracestate};
use ctx::{Cancel, Cause, Context, Error};
use ctx_tower::{ContextLayer, Ctx};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tower_layer::Layer;
use tower_service::Service;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// A server whose `/work` waits for ever; it tells the context of each request. `/kept` does too, and a task keeps its
/// request. `/call` asks its `/trace` in turn, and `/restart` does in another trace.
struct Server {
    at: std::net::SocketAddr,
    contexts: mpsc::UnboundedReceiver<Context>,
    stop: Cancel,
}

async fn server(timeout: Duration) -> Server {
    let (root, stop) = ctx_tokio::attach(&Context::background()).with_cancel();
    let (tell, contexts) = mpsc::unbounded_channel();
    let work = move |Ctx(ctx): Ctx| async move {
        tell.send(ctx).expect("the test listens");
        std::future::pending::<()>().await;
    };
    let kept = |request: Request| async move {
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(request);
        });
        std::future::pending::<()>().await;
    };
    let trace = |Ctx(ctx): Ctx| async move {
        let place = ctx.value::<Traceparent>().map(ToString::to_string);
        let state = ctx.value::<Tracestate>().map(ToString::to_string);
        format!("{} {}", place.unwrap_or_default(), state.unwrap_or_default())
    };
    let stream = |Ctx(ctx): Ctx| async move {
        let alive = move || Bytes::from(format!("{:?};", ctx.err()));
        let frames = futures_lite::stream::repeat_with(move || Ok::<_, std::io::Error>(alive()));
        Body::from_stream(futures_lite::StreamExt::take(frames, 3)).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let at = listener.local_addr().expect("loopback works");
    let call = move |ctx: Context| async move {
        let io = TokioIo::new(TcpStream::connect(at).await.expect("loopback works"));
        let request =
            Request::get("/trace").header("host", "x").body(Body::empty()).expect("it is a request");
        let sleep = |at: std::time::Instant| tokio::time::sleep_until(at.into());
        ctx_hyper::send(&ctx, io, request, sleep).await.expect("it answers").map(Body::new)
    };
    let restart =
        move |Ctx(ctx): Ctx| call(ctx.with_value(OTHER.parse::<Traceparent>().expect("it is a place")));
    let app = Router::new()
        .route("/work", any(work))
        .route("/kept", any(kept))
        .route("/trace", get(trace))
        .route("/call", get(move |Ctx(ctx): Ctx| call(ctx)))
        .route("/restart", get(restart))
        .route("/stream", get(stream))
        .layer(ContextLayer::new(&root, timeout));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { at, contexts, stop }
}

async fn ask(server: &Server, path: &str, headers: &str) -> TcpStream {
    let mut client = TcpStream::connect(server.at).await.expect("loopback works");
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    client.write_all(head.as_bytes()).await.expect("loopback works");
    client
}

async fn answer(mut client: TcpStream) -> String {
    let mut text = String::new();
    soon(client.read_to_string(&mut text)).await.expect("loopback works");
    text
}

/// Reads the head of an answer, and no byte more.
async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(client.read_u8()).await.expect("loopback works"));
    }
    String::from_utf8(head).expect("it is ASCII")
}

/// Waits for what comes soon, so that a test fails where it does not come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes within 20 s")
}

#[tokio::test]
async fn work_that_takes_too_long_is_answered_504_and_dropped() {
    let mut server = server(Duration::from_millis(100)).await;
    let text = answer(ask(&server, "/work", "grpc-timeout: 1H\r\n").await).await;
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    assert_eq!(soon(server.contexts.recv()).await.unwrap().err(), Some(Error::DeadlineExceeded));
}

#[tokio::test]
async fn the_callers_budget_counts_if_it_is_the_smaller_one() {
    for header in ["grpc-timeout: 100m\r\n", "x-envoy-expected-rq-timeout-ms: 100\r\ngrpc-timeout: 1H\r\n"] {
        let mut server = server(Duration::from_secs(3600)).await;
        let text = answer(ask(&server, "/work", header).await).await;
        assert!(text.starts_with("HTTP/1.1 504"), "{text}");
        assert_eq!(soon(server.contexts.recv()).await.unwrap().err(), Some(Error::DeadlineExceeded));
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let mut server = server(Duration::from_secs(3600)).await;
    let client = ask(&server, "/work", "").await;
    let ctx = soon(server.contexts.recv()).await.unwrap();
    assert_eq!(ctx.err(), None);
    drop(client);
    assert_eq!(soon(ctx.done(|_| std::future::pending::<()>())).await, Error::Canceled);
}

#[tokio::test]
async fn a_server_that_stops_answers_503() {
    let mut server = server(Duration::from_secs(3600)).await;
    let client = ask(&server, "/work", "").await;
    let ctx = soon(server.contexts.recv()).await.unwrap();
    server.stop.cancel_cause(Cause::msg("signal 15"));
    assert!(answer(client).await.starts_with("HTTP/1.1 503"));
    assert_eq!(ctx.cause().unwrap().to_string(), "signal 15");
}

#[tokio::test]
async fn a_malformed_or_repeated_budget_is_answered_400() {
    let server = server(Duration::from_secs(3600)).await;
    for header in ["grpc-timeout: soon\r\n", "grpc-timeout: 1S\r\ngrpc-timeout: 1S\r\n"] {
        assert!(answer(ask(&server, "/work", header).await).await.starts_with("HTTP/1.1 400"));
    }
}

#[tokio::test]
async fn a_trace_is_a_value_here_and_behind_a_call_and_what_is_malformed_is_none() {
    let server = server(Duration::from_secs(3600)).await;
    let parent = format!("traceparent: {TRACE}\r\n");
    for (headers, place, state) in [
        (String::new(), "", ""),
        (parent.clone(), TRACE, ""),
        (format!("{parent}tracestate: rojo=1,congo=2\r\n"), TRACE, "rojo=1,congo=2"),
        (format!("{parent}tracestate: rojo=1\r\ntracestate: congo=2\r\n"), TRACE, "rojo=1,congo=2"),
        (format!("{parent}tracestate: ROJO=1,congo\r\n"), TRACE, ""),
        (format!("{parent}tracestate: rojo=1\r\ntracestate: rojo=2\r\n"), TRACE, ""),
        ("tracestate: rojo=1\r\n".into(), "", ""),
        (format!("{parent}{parent}tracestate: rojo=1\r\n"), "", ""),
        ("traceparent: 00-4bf9\r\ntracestate: rojo=1\r\n".into(), "", ""),
    ] {
        for path in ["/trace", "/call"] {
            let text = answer(ask(&server, path, &headers).await).await;
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
            assert_eq!(body, Some(format!("{place} {state}").as_str()), "{path} with {headers}: {text}");
        }
        // What was said of the old trace does not go along.
        let text = answer(ask(&server, "/restart", &headers).await).await;
        assert!(text.ends_with(&format!("\r\n\r\n{OTHER} ")), "/restart with {headers}: {text}");
    }
}

#[tokio::test]
async fn a_body_keeps_its_context_alive() {
    let server = server(Duration::from_secs(3600)).await;
    let text = answer(ask(&server, "/stream", "").await).await;
    assert_eq!(text.matches("None;").count(), 3, "{text}");
}

#[tokio::test]
async fn a_504_over_a_body_that_was_not_read_closes_its_connection() {
    let server = server(Duration::from_millis(100)).await;
    let post = |path| format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n0123456789");
    let mut client = TcpStream::connect(server.at).await.unwrap();
    client.write_all(post("/work").as_bytes()).await.unwrap();
    // It ends, though the client has not asked for that.
    let text = answer(client).await;
    assert!(text.starts_with("HTTP/1.1 504") && text.contains("connection: close\r\n"), "{text}");
    // Where a task keeps the body, hyper says nothing by itself, and waits for the rest.
    let mut client = TcpStream::connect(server.at).await.unwrap();
    client.write_all(post("/kept").as_bytes()).await.unwrap();
    let text = head(&mut client).await;
    assert!(text.starts_with("HTTP/1.1 504") && text.contains("connection: close\r\n"), "{text}");
}

#[tokio::test]
async fn a_504_over_a_request_that_was_read_keeps_its_connection() {
    let server = server(Duration::from_millis(100)).await;
    let mut client = TcpStream::connect(server.at).await.unwrap();
    client.write_all(b"GET /work HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 504"));
    client.write_all(b"GET /work HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(answer(client).await.starts_with("HTTP/1.1 504"));
}

#[tokio::test]
async fn the_end_of_a_body_ends_its_context_though_the_body_is_kept() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let whole = move |Ctx(ctx): Ctx| async move {
        tell.send(ctx).expect("the test listens");
        "whole"
    };
    let root = ctx_tokio::attach(&Context::background());
    let app: Router = Router::new().route("/", get(whole));
    let mut service = ContextLayer::new(&root, Duration::from_secs(3600)).layer(app);
    let answer = service.call(Request::new(Body::empty())).await.unwrap();
    let ctx = told.recv().await.unwrap();
    let mut body = answer.into_body();
    assert!(body.frame().await.is_some_and(|frame| frame.is_ok()) && ctx.err().is_none());
    assert!(body.frame().await.is_none());
    assert_eq!(ctx.err(), Some(Error::Canceled));
    drop(body);
}
