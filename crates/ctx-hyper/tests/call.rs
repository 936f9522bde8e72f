//! Calls to a peer that reads, answers, stalls or stops in the middle.

use std::time::Duration;

use ctx::wire::{self, Traceparent, Tracestate};
use ctx::{Context, Ended, ManualClock};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep_until};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CHILD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const HOUR: Duration = Duration::from_secs(3600);

fn sleep(at: std::time::Instant) -> Sleep {
    sleep_until(at.into())
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("/")
        .header("host", "x")
        .header(wire::GRPC_TIMEOUT, "9H")
        .body(Empty::new())
        .expect("loopback works")
}

/// A connection, and the peer at its other end.
async fn pair() -> (TokioIo<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let client =
        TcpStream::connect(listener.local_addr().expect("loopback works")).await.expect("loopback works");
    (TokioIo::new(client), listener.accept().await.expect("loopback works").0)
}

/// Waits for what comes soon, so that a test fails where it does not come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes within 20 s")
}

async fn read_head(peer: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(peer.read_u8()).await.expect("loopback works"));
    }
    String::from_utf8(head).expect("loopback works")
}

#[tokio::test]
async fn the_peer_is_told_the_time_left_and_its_answer_comes_back() {
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    let (client, mut peer) = pair().await;
    let peer = tokio::spawn(async move {
        let head = read_head(&mut peer).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        head
    });
    let answer = soon(ctx_hyper::send(&ctx, client, request(), sleep)).await.unwrap();
    assert_eq!(soon(answer.into_body().collect()).await.unwrap().to_bytes(), "ok");
    let head = soon(peer).await.unwrap();
    let value =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    let grpc = wire::parse_grpc_timeout(value(wire::GRPC_TIMEOUT)).unwrap();
    let envoy = wire::parse_envoy_timeout(value(wire::ENVOY_TIMEOUT_MS)).unwrap();
    assert!(
        [grpc, envoy].iter().all(|left| *left <= HOUR && *left > HOUR - Duration::from_secs(60)),
        "{head}"
    );
}

/// Calls a peer, and returns the values of the header as the peer reads them.
async fn sent(ctx: &Context, request: Request<Empty<Bytes>>, name: &str) -> Vec<String> {
    let (client, mut peer) = pair().await;
    let peer = tokio::spawn(async move {
        let head = read_head(&mut peer).await;
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("loopback works");
        head
    });
    soon(ctx_hyper::send(ctx, client, request, sleep)).await.expect("loopback works");
    let head = soon(peer).await.expect("loopback works");
    let values = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_trace_of_the_context_goes_out_unless_the_request_has_its_own() {
    let ctx = Context::background().with_value(TRACE.parse::<Traceparent>().unwrap());
    let state = |text: &str| text.parse::<Tracestate>().unwrap();
    let with_state = ctx.with_value(state("rojo=1,congo=2"));
    let child = CHILD.parse::<Traceparent>().unwrap();
    let restarted = with_state.with_value(OTHER.parse::<Traceparent>().unwrap());
    let stale = || {
        let mut request = request();
        request.headers_mut().insert(wire::TRACESTATE, "old=1".parse().unwrap());
        request
    };
    let own = || {
        let mut request = stale();
        request.headers_mut().insert(wire::TRACEPARENT, OTHER.parse().unwrap());
        request
    };
    let cases = [
        (&Context::background(), request(), None, None),
        (&ctx, request(), Some(TRACE), None),
        (&ctx, stale(), Some(TRACE), None),
        (&with_state, request(), Some(TRACE), Some("rojo=1,congo=2")),
        (&with_state, stale(), Some(TRACE), Some("rojo=1,congo=2")),
        (&with_state, own(), Some(OTHER), Some("old=1")),
        // Further on in the same trace the state stays; where another begins, it is left out.
        (&with_state.with_value(child), request(), Some(CHILD), Some("rojo=1,congo=2")),
        (&restarted, request(), Some(OTHER), None),
        (&restarted.with_value(state("new=1")), request(), Some(OTHER), Some("new=1")),
        (&Context::background(), stale(), None, None),
    ];
    for (ctx, request, place, state) in cases {
        assert_eq!(sent(ctx, request.clone(), wire::TRACEPARENT).await, Vec::from_iter(place));
        assert_eq!(sent(ctx, request, wire::TRACESTATE).await, Vec::from_iter(state));
    }
    // A state without a place is no trace.
    let alone = Context::background().with_value("rojo=1".parse::<Tracestate>().unwrap());
    assert_eq!(sent(&alone, request(), wire::TRACESTATE).await, [""; 0]);
}

#[tokio::test]
async fn a_cancel_closes_the_connection_while_the_peer_works() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (client, mut peer) = pair().await;
    let call = tokio::spawn(async move { ctx_hyper::send(&ctx, client, request(), sleep).await.map(drop) });
    assert!(!read_head(&mut peer).await.contains("\r\ncontext"));
    cancel.cancel();
    assert_eq!(soon(peer.read(&mut [0])).await.unwrap(), 0);
    let error = soon(call).await.unwrap().unwrap_err();
    assert_eq!(Ended::find(&error).unwrap().kind(), ctx::Error::Canceled);
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_the_body_fails_it_and_closes_the_connection() {
    let clock = ManualClock::new();
    let (ctx, _cancel) = clock.attach(&Context::background()).with_timeout(HOUR);
    let (client, mut peer) = pair().await;
    let peer = tokio::spawn(async move {
        read_head(&mut peer).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await.unwrap();
        soon(peer.read(&mut [0])).await.unwrap()
    });
    let answer = soon(ctx_hyper::send(&ctx, client, request(), sleep)).await.unwrap();
    let mut body = answer.into_body();
    assert!(soon(body.frame()).await.is_some_and(|frame| frame.is_ok()));
    clock.advance(HOUR);
    let error = soon(body.frame()).await.unwrap().unwrap_err();
    assert!(Ended::find(&error).unwrap().is_timeout());
    // Though the body is kept.
    assert_eq!(soon(peer).await.unwrap(), 0);
    drop(body);
}

#[tokio::test]
async fn a_deadline_that_nobody_asks_about_fails_the_call_or_its_body() {
    let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(50));
    let (client, mut peer) = pair().await;
    let peer = tokio::spawn(async move {
        let (mut head, mut read) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && soon(peer.read(&mut read)).await.is_ok_and(|count| count > 0) {
            head.push(read[0]);
        }
        _ = peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
        soon(peer.read(&mut read)).await.unwrap_or(0)
    });
    // On a busy machine time may run out before the answer has begun.
    let whole = async { ctx_hyper::send(&ctx, client, request(), sleep).await?.into_body().collect().await };
    assert!(Ended::find(&soon(whole).await.unwrap_err()).unwrap().is_timeout());
    assert_eq!(soon(peer).await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_is_dropped_closes_the_connection_and_a_peer_that_leaves_is_an_error() {
    let ctx = Context::background();
    let (client, mut peer) = pair().await;
    let peer = tokio::spawn(async move {
        read_head(&mut peer).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await.unwrap();
        soon(peer.read(&mut [0])).await.unwrap()
    });
    drop(soon(ctx_hyper::send(&ctx, client, request(), sleep)).await.unwrap());
    assert_eq!(soon(peer).await.unwrap(), 0);
    let (client, peer) = pair().await;
    drop(peer);
    let error = soon(ctx_hyper::send(&ctx, client, request(), sleep)).await.unwrap_err();
    assert!(matches!(error, ctx_hyper::Error::Hyper(_)), "{error:?}");
}
