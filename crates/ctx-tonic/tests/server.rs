//! tonic's server and channel, over a socket.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use ctx::wire::{self, Traceparent, Tracestate};
use ctx::{Cancel, Context, Ended, Error, ManualClock};
use ctx_tonic::ContextLayer;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::client;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{self, NamedService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::{Service, service_fn};

const HOUR: Duration = Duration::from_secs(3600);
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CHILD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
/// Long enough for a call to reach its server on a busy machine.
const BRIEF: Duration = Duration::from_secs(1);

/// A codec of messages that are bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A call as the test is told of it: its context, and the `grpc-timeout` that came.
type Seen = (Context, Option<String>);

/// A service with three methods: `Echo`, `Hang`, and `Stream`, which sends one message and goes on without another.
#[derive(Clone)]
struct Lab(mpsc::UnboundedSender<Seen>);

impl NamedService for Lab {
    const NAME: &'static str = "lab.Lab";
}

impl Lab {
    fn tell(&self, request: &Request<Bytes>) {
        let header = request.metadata().get(wire::GRPC_TIMEOUT);
        let header = header.map(|value| value.to_str().expect("it is text").to_owned());
        self.0.send((ctx_tonic::context(request), header)).expect("the test listens");
    }
}

impl Service<http::Request<Body>> for Lab {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let lab = self.clone();
        Box::pin(async move {
            let mut grpc = server::Grpc::new(Raw);
            let path = request.uri().path().to_owned();
            let unary = |hangs: bool| {
                let lab = lab.clone();
                service_fn(move |request: Request<Bytes>| {
                    lab.tell(&request);
                    async move {
                        if hangs {
                            std::future::pending::<()>().await;
                        }
                        Ok(Response::new(request.into_inner()))
                    }
                })
            };
            Ok(match path.as_str() {
                "/lab.Lab/Echo" => grpc.unary(unary(false), request).await,
                "/lab.Lab/Hang" => grpc.unary(unary(true), request).await,
                _ => {
                    let stream = service_fn(move |request: Request<Bytes>| {
                        lab.tell(&request);
                        let first = tokio_stream::once(Ok(request.into_inner()));
                        std::future::ready(Ok(Response::new(first.chain(tokio_stream::pending()))))
                    });
                    grpc.server_streaming(stream, request).await
                }
            })
        })
    }
}

/// A server, what it tells, and a client's channel to it.
struct Lines {
    seen: mpsc::UnboundedReceiver<Seen>,
    stop: Cancel,
    channel: Channel,
}

async fn lines(timeout: Duration) -> Lines {
    lines_below(&Context::background(), timeout).await
}

async fn lines_below(root: &Context, timeout: Duration) -> Lines {
    let (root, stop) = root.with_cancel();
    let (tell, seen) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback works");
    let at = listener.local_addr().expect("loopback works");
    let server = Server::builder().layer(ContextLayer::new(&root, timeout)).add_service(Lab(tell));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Endpoint::from_shared(format!("http://{at}")).expect("it is a URL").connect_lazy();
    Lines { seen, stop, channel }
}

async fn unary(channel: &Channel, method: &'static str, request: Request<Bytes>) -> Result<Bytes, Status> {
    let mut client = client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    soon(client.unary(request, PathAndQuery::from_static(method), Raw)).await.map(Response::into_inner)
}

async fn stream(channel: &Channel, request: Request<Bytes>) -> Result<Streaming<Bytes>, Status> {
    let mut client = client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = PathAndQuery::from_static("/lab.Lab/Stream");
    client.server_streaming(request, path, Raw).await.map(Response::into_inner)
}

fn hello() -> Request<Bytes> {
    Request::new(Bytes::from_static(b"hello"))
}

/// Waits for what comes soon, so that a test fails where it does not come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes within 20 s")
}

/// Waits for the end of a context that the server saw.
async fn end(ctx: &Context) -> Error {
    soon(ctx.done(|at| tokio::time::sleep_until(at.into()))).await
}

#[tokio::test]
async fn the_time_left_goes_out_and_is_the_deadline_there_rounded_down() {
    let mut lines = lines(2 * HOUR).await;
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    let answer =
        ctx_tonic::call(&ctx, hello(), |request| unary(&lines.channel, "/lab.Lab/Echo", request)).await;
    assert_eq!(answer.expect("it is answered"), "hello");
    let (there, header) = soon(lines.seen.recv()).await.expect("it was called");
    let sent = wire::parse_grpc_timeout(&header.expect("it was sent")).expect("it is well formed");
    assert!(sent <= HOUR && sent > HOUR - Duration::from_secs(60), "{sent:?}");
    assert!(there.deadline().is_some());
    // The call has ended, and with it what it left behind.
    assert_eq!(end(&there).await, Error::Canceled);
}

#[tokio::test]
async fn an_interceptor_sends_the_time_left_and_none_without_a_deadline_and_fails_after_the_end() {
    let mut lines = lines(HOUR).await;
    let intercepted = |ctx: &Context| {
        let channel = tonic::service::interceptor::InterceptedService::new(
            lines.channel.clone(),
            ctx_tonic::outgoing(ctx),
        );
        async move {
            let mut client = client::Grpc::new(channel);
            client.ready().await.expect("it connects");
            client.unary(hello(), PathAndQuery::from_static("/lab.Lab/Echo"), Raw).await
        }
    };
    let (ctx, cancel) = Context::background().with_timeout(2 * HOUR);
    intercepted(&ctx).await.expect("it is answered");
    intercepted(&Context::background()).await.expect("it is answered");
    let (there, header) = soon(lines.seen.recv()).await.expect("it was called");
    assert!(wire::parse_grpc_timeout(&header.expect("it was sent")).is_some_and(|sent| sent <= 2 * HOUR));
    // The layer's own timeout is shorter, and counts.
    assert!(there.remaining().is_none_or(|left| left <= HOUR));
    assert_eq!(soon(lines.seen.recv()).await.expect("it was called").1, None);
    cancel.cancel();
    assert_eq!(intercepted(&ctx).await.expect_err("the context has ended").code(), Code::Cancelled);
}

#[tokio::test]
async fn a_timeout_that_the_caller_set_shorter_is_not_made_longer() {
    let mut lines = lines(2 * HOUR).await;
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    let mut request = hello();
    request.set_timeout(Duration::from_secs(7));
    let sent =
        ctx_tonic::call(&ctx, request, |request| unary(&lines.channel, "/lab.Lab/Echo", request)).await;
    sent.expect("it is answered");
    let (_, header) = soon(lines.seen.recv()).await.expect("it was called");
    assert_eq!(header.and_then(|sent| wire::parse_grpc_timeout(&sent)), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_cancel_resets_the_call_and_the_work_there_is_canceled() {
    let mut lines = lines(HOUR).await;
    let (ctx, cancel) = Context::background().with_cancel();
    let channel = lines.channel.clone();
    let call = tokio::spawn(async move {
        ctx_tonic::call(&ctx, hello(), |request| unary(&channel, "/lab.Lab/Hang", request)).await
    });
    let (there, _) = soon(lines.seen.recv()).await.expect("it was called");
    assert_eq!(there.err(), None);
    cancel.cancel();
    let status = soon(call).await.expect("it does not panic").expect_err("it was canceled");
    assert_eq!(status.code(), Code::Cancelled);
    assert_eq!(Ended::find(&status).expect("it is the context's").kind(), Error::Canceled);
    assert_eq!(end(&there).await, Error::Canceled);
}

#[tokio::test]
async fn a_deadline_is_exceeded_on_both_sides() {
    let mut lines = lines(HOUR).await;
    let (ctx, _cancel) = Context::background().with_timeout(BRIEF);
    let answer = ctx_tonic::call(&ctx, hello(), |request| unary(&lines.channel, "/lab.Lab/Hang", request));
    assert_eq!(answer.await.expect_err("time ran out").code(), Code::DeadlineExceeded);
    let (there, _) = soon(lines.seen.recv()).await.expect("it was called");
    end(&there).await;
    // The server counts from when it heard of the call, so that the caller's reset may come first: what was sent is no more than that.
    let latest = std::time::Instant::now() + BRIEF;
    assert!(there.deadline().expect("it was sent") <= latest);
}

#[tokio::test]
async fn the_layers_own_timeout_is_a_status_of_calls_and_of_streams() {
    let mut lines = lines(BRIEF).await;
    let status = unary(&lines.channel, "/lab.Lab/Hang", hello()).await.expect_err("time ran out");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    soon(lines.seen.recv()).await.expect("it was called");
    // On a busy machine time may run out before the stream has begun.
    let whole = async {
        let mut messages = stream(&lines.channel, hello()).await?;
        while messages.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    assert_eq!(soon(whole).await.expect_err("time ran out").code(), Code::DeadlineExceeded);
    assert_eq!(end(&soon(lines.seen.recv()).await.expect("it was called").0).await, Error::DeadlineExceeded);
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_a_stream_ends_it_with_a_status() {
    let clock = ManualClock::new();
    let mut lines = lines_below(&clock.attach(&Context::background()), HOUR).await;
    let mut messages = stream(&lines.channel, hello()).await.expect("it begins");
    assert_eq!(soon(messages.message()).await.expect("it comes").expect("it is the first"), "hello");
    clock.advance(HOUR);
    let status = soon(messages.message()).await.expect_err("time ran out");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(soon(lines.seen.recv()).await.expect("it was called").0.err(), Some(Error::DeadlineExceeded));
}

#[tokio::test]
async fn a_stream_keeps_its_context_until_it_is_dropped() {
    let mut lines = lines(HOUR).await;
    let mut messages = stream(&lines.channel, hello()).await.expect("it begins");
    soon(messages.message()).await.expect("it comes");
    let (there, _) = soon(lines.seen.recv()).await.expect("it was called");
    assert_eq!(there.err(), None);
    drop(messages);
    assert_eq!(end(&there).await, Error::Canceled);
}

#[tokio::test]
async fn the_end_of_the_root_makes_calls_and_streams_unavailable() {
    let mut lines = lines(HOUR).await;
    let channel = lines.channel.clone();
    let call = tokio::spawn(async move { unary(&channel, "/lab.Lab/Hang", hello()).await });
    soon(lines.seen.recv()).await.expect("it was called");
    let mut messages = stream(&lines.channel, hello()).await.expect("it begins");
    soon(messages.message()).await.expect("it comes");
    lines.stop.cancel();
    let status = soon(call).await.expect("it does not panic").expect_err("the server goes");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(soon(messages.message()).await.expect_err("the server goes").code(), Code::Unavailable);
}

#[tokio::test]
async fn a_malformed_timeout_is_an_error_of_the_protocol() {
    let lines = lines(HOUR).await;
    for text in ["", "1", "S", "+1S", "123456789n", "1 S"] {
        let mut request = hello();
        request.metadata_mut().insert(wire::GRPC_TIMEOUT, text.parse().expect("it is a header"));
        let status = unary(&lines.channel, "/lab.Lab/Echo", request).await.expect_err("it is malformed");
        assert_eq!(status.code(), Code::Internal, "{text}");
    }
}

/// The trace of a context: its place and what is said of it.
fn trace(ctx: &Context) -> (String, String) {
    let place = ctx.value::<Traceparent>().map(ToString::to_string);
    let state = ctx.value::<Tracestate>().map(ToString::to_string);
    (place.unwrap_or_default(), state.unwrap_or_default())
}

/// Appends these pairs to the metadata of a request.
fn with(pairs: &[(&'static str, &str)]) -> Request<Bytes> {
    let mut request = hello();
    for (name, text) in pairs {
        request.metadata_mut().append(*name, text.parse().expect("it is a header"));
    }
    request
}

#[tokio::test]
async fn a_trace_in_the_metadata_is_a_value_and_what_is_malformed_is_none() {
    let mut lines = lines(HOUR).await;
    let (place, state) = (wire::TRACEPARENT, wire::TRACESTATE);
    for (pairs, there) in [
        (&[][..], ("", "")),
        (&[(place, TRACE)], (TRACE, "")),
        (&[(place, TRACE), (state, "rojo=1,congo=2")], (TRACE, "rojo=1,congo=2")),
        (&[(place, TRACE), (state, "rojo=1"), (state, "congo=2")], (TRACE, "rojo=1,congo=2")),
        (&[(place, TRACE), (state, "ROJO=1")], (TRACE, "")),
        (&[(state, "rojo=1")], ("", "")),
        (&[(place, TRACE), (place, TRACE), (state, "rojo=1")], ("", "")),
        (&[(place, "00-4bf9"), (state, "rojo=1")], ("", "")),
    ] {
        unary(&lines.channel, "/lab.Lab/Echo", with(pairs)).await.expect("it is answered");
        let (seen, _) = soon(lines.seen.recv()).await.expect("it was called");
        assert_eq!(trace(&seen), (there.0.to_owned(), there.1.to_owned()), "{pairs:?}");
    }
}

#[tokio::test]
async fn the_trace_of_the_context_goes_out_unless_the_request_has_its_own_and_no_state_of_another() {
    let mut lines = lines(HOUR).await;
    let at = |ctx: &Context, text: &str| ctx.with_value(text.parse::<Traceparent>().expect("it is a place"));
    let none = Context::background();
    let place = at(&none, TRACE);
    let whole = place.with_value("rojo=1".parse::<Tracestate>().expect("it is a state"));
    let stale = [(wire::TRACESTATE, "old=1")];
    let own = [(wire::TRACEPARENT, OTHER), stale[0]];
    for (ctx, pairs, there) in [
        (&none, &[][..], ("", "")),
        (&place, &[], (TRACE, "")),
        (&place, &stale, (TRACE, "")),
        (&whole, &stale, (TRACE, "rojo=1")),
        (&whole, &own, (OTHER, "old=1")),
        (&at(&whole, CHILD), &[], (CHILD, "rojo=1")),
        (&at(&whole, OTHER), &[], (OTHER, "")),
    ] {
        let sent =
            ctx_tonic::call(ctx, with(pairs), |request| unary(&lines.channel, "/lab.Lab/Echo", request));
        sent.await.expect("it is answered");
        let (seen, _) = soon(lines.seen.recv()).await.expect("it was called");
        assert_eq!(trace(&seen), (there.0.to_owned(), there.1.to_owned()), "{pairs:?}");
    }
}
