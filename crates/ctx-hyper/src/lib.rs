//! A call over hyper's HTTP/1 client under a [`Context`]: it sends the time left and the trace, and closes its connection
//! when the context ends.
//!
//! hyper's `send_request`, dropped, leaves its connection open, and the server at work. Here the connection is part of
//! the call and of the answer's body: nothing is spawned, and what is dropped is closed.
//!
//! ```no_run
//! use ctx::Context;
//! use hyper_util::rt::TokioIo;
//! use tokio::{net::TcpStream, time};
//!
//! # async fn call(ctx: &Context) -> Result<(), Box<dyn std::error::Error>> {
//! let stream = TcpStream::connect("127.0.0.1:8080").await?;
//! let request = http::Request::get("/").header("host", "localhost").body(String::new())?;
//! let answer = ctx_hyper::send(ctx, TokioIo::new(stream), request, |at| time::sleep_until(at.into())).await?;
//! # Ok(())
//! # }
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context as Task, Poll};
use std::time::Instant;

use ctx::{Context, Ended, wire};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::rt::{Read, Write};

/// Why a call has no answer, or its body no end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The context ended first.
    Ended(Ended),
    /// The connection or the peer failed.
    Hyper(hyper::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to call over HTTP")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(match self {
            Self::Ended(ended) => ended,
            Self::Hyper(error) => error,
        })
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        Self::Hyper(error)
    }
}

/// Sends a request over a connection of its own, with what is left of the time in `grpc-timeout` and
/// `x-envoy-expected-rq-timeout-ms`, and returns the answer, whose body is under the context too.
///
/// The context's trace goes out as headers, by [`Context::trace_headers`]. A request that has a `traceparent` keeps its own,
/// with the `tracestate` that it has.
///
/// `sleep` is the runtime's own sleep-until.
///
/// # Errors
///
/// How the context ended, or what hyper says.
///
/// # Cancellation safety
///
/// Dropped, the call closes the connection.
pub async fn send<T, B, S, F>(
    ctx: &Context,
    io: T,
    mut request: Request<B>,
    mut sleep: S,
) -> Result<Response<Under>, Error>
where
    T: Read + Write + Unpin + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
    S: FnMut(Instant) -> F + Send + 'static,
    F: Future + Send + 'static,
{
    announce(ctx, request.headers_mut());
    let work = async {
        let (mut sender, connection) = http1::handshake(io).await?;
        let mut line = Line::new(connection);
        let mut answer = pin!(sender.send_request(request));
        let answer = std::future::poll_fn(|cx| {
            line.turn(cx);
            answer.as_mut().poll(cx)
        });
        Ok::<_, hyper::Error>((answer.await?, line))
    };
    let (answer, line) = ctx
        .run(work, &mut sleep)
        .await
        .map_err(|kind| Error::Ended(ctx.ended().unwrap_or_else(|| kind.into())))??;
    let end = Box::pin(ctx.done_owned(sleep));
    let ctx = ctx.clone();
    Ok(answer.map(|body| Under { body, line, end, ctx }))
}

/// Writes the time left and the trace into the headers of a request.
fn announce(ctx: &Context, headers: &mut HeaderMap) {
    let mut lines =
        vec![(wire::GRPC_TIMEOUT, ctx.grpc_timeout()), (wire::ENVOY_TIMEOUT_MS, ctx.envoy_timeout())];
    if !headers.contains_key(wire::TRACEPARENT) {
        // One that stands there alone belongs to no trace.
        headers.remove(wire::TRACESTATE);
        lines.extend(ctx.trace_headers().into_iter().map(|(name, value)| (name, Some(value))));
    }
    for (name, value) in lines {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// A connection that is polled by whoever waits for its answer.
struct Line(Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>);

impl Line {
    fn new<T, B>(connection: Connection<T, B>) -> Self
    where
        T: Read + Write + Unpin + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self(Some(Box::pin(connection)))
    }

    /// Polls the connection; what becomes of it, the answer or the body says.
    fn turn(&mut self, cx: &mut Task<'_>) {
        if self.0.as_mut().is_some_and(|line| line.as_mut().poll(cx).is_ready()) {
            self.0 = None;
        }
    }
}

/// The body of an answer: it fails when its context ends, and closes the connection when it is dropped.
pub struct Under {
    body: Incoming,
    line: Line,
    end: Pin<Box<dyn Future<Output = ctx::Error> + Send>>,
    ctx: Context,
}

impl fmt::Debug for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Under").field("body", &self.body).field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

impl Body for Under {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ctx.err().is_some() || self.end.as_mut().poll(cx).is_ready() {
            self.line.0 = None;
            return Poll::Ready(self.ctx.ended().map(|ended| Err(Error::Ended(ended))));
        }
        self.line.turn(cx);
        Pin::new(&mut self.body).poll_frame(cx).map_err(Error::Hyper)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
