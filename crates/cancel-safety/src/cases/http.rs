//! HTTP clients and bodies, and what tower puts in front of services.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use drop_at_await::{Outcome, Report};
use futures::channel::mpsc;
use futures::stream::StreamExt;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt};

use super::of;
use crate::case::Case;
use crate::case::Claim::{Nothing, Safe};
use crate::case::Invariant::{Bytes as NoByteLost, Closed, Permits, State};
use crate::tools::{MESSAGE, UsedUp, alone, check, in_tokio, now, passes_on, reads, whole_message};

pub(super) fn cases() -> Vec<Case> {
    const HTTP1: &str = "hyper/src/client/conn/http1.rs";
    let sender = |item, method| of("hyper", item, method);
    let service = |item| of("tower", item, "tower/trait.ServiceExt.html#method.ready");
    vec![
        sender(
            "client::conn::http1::SendRequest::send_request",
            "hyper/client/conn/http1/struct.SendRequest.html#method.send_request",
        )
        .says(Safe, "hyper/src/lib.rs", "")
        .moving("1 request, and the next one", State)
        .keeps(send_request),
        sender(
            "client::conn::http1::SendRequest::send_request",
            "hyper/client/conn/http1/struct.SendRequest.html#method.send_request",
        )
        .says(Safe, "hyper/src/lib.rs", "")
        .moving("1 request, its answer in 2 parts", Closed)
        .loses("the close, when the whole answer has come", send_request_closes)
        .found("hyper-dropped-request-leaves-the-connection-open.md"),
        sender(
            "client::conn::http1::SendRequest::ready",
            "hyper/client/conn/http1/struct.SendRequest.html#method.ready",
        )
        .says(Nothing, HTTP1, "pub async fn ready(")
        .moving("1 request after another", State)
        .keeps(sender_ready),
        of("http-body-util", "BodyExt::frame", "http_body_util/trait.BodyExt.html#method.frame")
            .says(Nothing, "http-body-util/src/lib.rs", "fn frame(")
            .moving("16 bytes, frame by frame", NoByteLost)
            .keeps(frame),
        of("http-body-util", "BodyExt::collect", "http_body_util/trait.BodyExt.html#method.collect")
            .says(Nothing, "http-body-util/src/lib.rs", "fn collect(")
            .moving("16 bytes of a body that is kept", NoByteLost)
            .loses("the frames collected so far", collect),
        service("ServiceExt::ready on limit::ConcurrencyLimit, the clone dropped too")
            .says(Nothing, "tower/src/util/mod.rs", "fn ready(")
            .moving("2 clones, 1 place", Permits)
            .keeps(limit_dropped),
        service("ServiceExt::ready on limit::ConcurrencyLimit, the clone kept")
            .says(Nothing, "tower/src/util/mod.rs", "fn ready(")
            .moving("2 clones, 1 place", Permits)
            .loses("the place: it goes to a clone that no longer waits", limit_kept)
            .found("tower-ready-keeps-a-place.md"),
    ]
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("/").header("host", "a").body(Empty::new()).expect("the request is whole")
}

/// A client whose server is the test; its connection is driven by a task.
async fn client() -> (http1::SendRequest<Empty<Bytes>>, DuplexStream) {
    let (near, far) = duplex(4096);
    let (sender, connection) =
        http1::handshake(TokioIo::new(near)).await.expect("a new connection has no error");
    tokio::spawn(connection);
    (sender, far)
}

/// Answers requests, each in two parts and with its number.
struct Server {
    far: DuplexStream,
    requests: Vec<u8>,
    answered: usize,
    /// The part that is still to be written.
    rest: Option<&'static [u8]>,
}

impl Server {
    fn new(far: DuplexStream) -> Self {
        Self { far, requests: Vec::new(), answered: 0, rest: None }
    }

    /// Writes the rest of an answer, or the first part of the next one, or reads the next request.
    fn step(&mut self) -> bool {
        if let Some(rest) = self.rest.take() {
            return now(self.far.write_all(rest)).is_some();
        }
        let read = now(self.far.read_buf(&mut self.requests));
        let come = self.requests.windows(4).filter(|window| window == b"\r\n\r\n").count();
        if self.answered == come {
            // A connection that is closed asks for nothing more.
            return !matches!(read, Some(Ok(0)));
        }
        self.answered += 1;
        self.rest = Some(b"content-length: 0\r\n\r\n");
        let head = format!("HTTP/1.1 200 OK\r\nnumber: {}\r\n", self.answered);
        now(self.far.write_all(head.as_bytes())).is_some()
    }
}

/// Lets the connection's task see what happened.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn send_request() -> Report {
    in_tokio(async |run| {
        let (mut sender, far) = client().await;
        let mut server = Server::new(far);
        drop(run.drive_beside(sender.send_request(request()), |_| server.step()).await);
        settle().await;
        match run.drive_beside(sender.send_request(request()), |_| server.step()).await {
            Outcome::Completed(Ok(response)) => check(
                response.headers().get("number").is_some_and(|number| number == "2"),
                "an answer: it is another's",
            ),
            Outcome::Completed(Err(error)) => {
                check(error.is_canceled(), &format!("the next answer: {error}"))
            }
            _ => Ok(()),
        }
    })
}

fn send_request_closes() -> Report {
    in_tokio(async |run| {
        let (mut sender, far) = client().await;
        let mut server = Server::new(far);
        let sent = run.drive_beside(sender.send_request(request()), |_| server.step()).await;
        settle().await;
        let closed = sender.is_closed();
        check(closed == sent.is_canceled(), &format!("{sent:?}, and the connection is closed: {closed}"))
    })
}

fn sender_ready() -> Report {
    in_tokio(async |run| {
        let (mut sender, far) = client().await;
        let (mut server, first) = (Server::new(far), sender.send_request(request()));
        let outcome = run.retry(async || sender.ready().await.is_ok(), |_| server.step()).await;
        drop(first);
        check(outcome.completed() == Some(true), "the readiness")
    })
}

/// A body whose frames are sent by the test.
fn body() -> (mpsc::UnboundedSender<Bytes>, impl hyper::body::Body<Data = Bytes, Error = Infallible> + Unpin)
{
    let (sender, frames) = mpsc::unbounded();
    (sender, StreamBody::new(frames.map(|data| Ok(Frame::data(data)))))
}

fn frame() -> Report {
    alone(|run| {
        let (sender, mut body) = body();
        let read = async || Some(body.frame().await?.ok()?.into_data().ok()?.to_vec());
        reads(run, read, |bytes| sender.unbounded_send(Bytes::copy_from_slice(bytes)).is_ok())
    })
}

fn collect() -> Report {
    alone(|run| {
        let (sender, mut body) = body();
        let (mut sender, mut frames) = (Some(sender), MESSAGE.chunks(5));
        let outcome = run.retry(
            async || (&mut body).collect().await.ok(),
            |_| match frames.next() {
                Some(part) => {
                    sender.as_ref().is_some_and(|sender| sender.unbounded_send(part.into()).is_ok())
                }
                None => sender.take().is_some(),
            },
        );
        let collected = outcome.completed().flatten().map(|collected| collected.to_bytes());
        whole_message(&collected.unwrap_or_default())
    })
}

/// A service that does nothing.
#[derive(Clone)]
struct Idle;

impl Service<()> for Idle {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(()))
    }
}

/// Two clones of a service that has one place, which is taken.
struct Clones {
    first: ConcurrencyLimit<Idle>,
    second: ConcurrencyLimit<Idle>,
    place: Arc<Semaphore>,
}

impl Clones {
    fn new() -> Self {
        let place = Arc::new(Semaphore::new(1));
        let first = ConcurrencyLimit::with_semaphore(Idle, place.clone());
        Self { second: first.clone(), first, place }
    }
}

fn limit_dropped() -> Report {
    alone(|run| {
        let Clones { mut first, mut second, place } = Clones::new();
        let mut held = place.try_acquire().ok();
        let first = async move { first.ready().await.map(drop) };
        passes_on(run, first, second.ready(), UsedUp::Never, || drop(held.take()))
    })
}

fn limit_kept() -> Report {
    alone(|run| {
        let Clones { mut first, mut second, place } = Clones::new();
        let mut held = place.try_acquire().ok();
        // A clone that is ready and not called keeps its place, so one that completes is called.
        let call = async { first.ready().await?.call(()).await };
        passes_on(run, call, second.ready(), UsedUp::Never, || drop(held.take()))
    })
}
