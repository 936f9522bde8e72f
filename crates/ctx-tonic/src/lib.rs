//! gRPC over tonic under a [`Context`].
//!
//! | side | what | how |
//! | --- | --- | --- |
//! | server | deadline | the smaller of the layer's timeout and the caller's `grpc-timeout`; then `DEADLINE_EXCEEDED`, in the middle of a stream too |
//! | server | cancel | the caller resets the call or leaves: tonic drops its future or stream, and with it the context is canceled |
//! | server | shutdown | the end of the layer's root ends every call with `UNAVAILABLE` |
//! | server | trace | a `traceparent`, and the `tracestate` beside it, are values of the context; what is malformed counts as absent |
//! | client | deadline | the time left goes out as `grpc-timeout` |
//! | client | trace | the context's trace goes out as `traceparent` and `tracestate`, unless the request has a `traceparent` |
//! | client | cancel | the end of the context drops the call, which resets it |
//!
//! tonic's own server answers `CANCELLED` once the caller's `grpc-timeout` has passed, whatever lies within. The caller's
//! own deadline is no later, so [`call`] returns `DEADLINE_EXCEEDED` there, whichever of the two answers comes first.
//!
//! ```no_run
//! use std::time::Duration;
//! use ctx::Context;
//! use ctx_tonic::ContextLayer;
//! use tonic::{Request, Response, Status, transport::Server};
//!
//! // In a handler: the context of the call, for all that it does.
//! async fn hello(request: Request<String>) -> Result<Response<String>, Status> {
//!     let ctx = ctx_tonic::context(&request);
//!     Ok(Response::new(format!("{:?} left", ctx.remaining())))
//! }
//!
//! let server = Server::builder().layer(ContextLayer::new(&Context::background(), Duration::from_secs(2)));
//! ```

use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use ctx::{Context, DoneOwned, Ended, Scope, wire};
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep_until};
use tonic::{Code, Request, Status, metadata::MetadataMap};
use tower_layer::Layer;
use tower_service::Service;

/// Returns the context of a call; without the layer, the background.
pub fn context<T>(request: &Request<T>) -> Context {
    request.extensions().get().cloned().unwrap_or_default()
}

/// Returns the status for a context that ended; [`Ended::find`] gets the end back from it.
#[must_use]
pub fn status(ended: &Ended) -> Status {
    let code = if ended.is_timeout() { Code::DeadlineExceeded } else { Code::Cancelled };
    let mut status = Status::new(code, ended.to_string());
    status.set_source(std::sync::Arc::new(ended.clone()));
    status
}

/// Makes a client's interceptor, which sends the time left of `ctx` as `grpc-timeout`, and its trace; it ends no call: see [`call`].
pub fn outgoing(ctx: &Context) -> impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone + use<> {
    let ctx = ctx.clone();
    move |mut request| {
        ctx.check().map_err(|ended| status(&ended))?;
        announce(&ctx, request.metadata_mut());
        Ok(request)
    }
}

/// Sends a call under `ctx`: the request says the time left and the trace, and the end of the context resets the call.
///
/// The function `send` is handed what a client's method takes: `call(ctx, request, |request| client.say_hello(request))`.
/// A stream that is returned is no longer under the context: `ctx-stream` has `take_until_end`.
///
/// # Errors
///
/// The status of the call, or of the context that ended first.
pub async fn call<M, T, F: Future<Output = Result<T, Status>>>(
    ctx: &Context,
    mut request: Request<M>,
    send: impl FnOnce(Request<M>) -> F,
) -> Result<T, Status> {
    announce(ctx, request.metadata_mut());
    let answer = ctx.run(send(request), sleep).await;
    answer.unwrap_or_else(|kind| Err(status(&ctx.ended().unwrap_or_else(|| kind.into()))))
}

fn sleep(at: Instant) -> Sleep {
    sleep_until(at.into())
}

/// Writes the time left and the trace into the metadata of a request; a shorter time and a trace that are there stay.
fn announce(ctx: &Context, metadata: &mut MetadataMap) {
    let there =
        metadata.get(wire::GRPC_TIMEOUT).and_then(|text| wire::parse_grpc_timeout(text.to_str().ok()?));
    let left = ctx.remaining().filter(|left| there.is_none_or(|there| *left < there));
    let mut lines = Vec::from_iter(left.map(|left| (wire::GRPC_TIMEOUT, wire::format_grpc_timeout(left))));
    if !metadata.contains_key(wire::TRACEPARENT) {
        // A state that stands there alone belongs to no trace.
        metadata.remove(wire::TRACESTATE);
        lines.extend(ctx.trace_headers());
    }
    for (name, text) in lines {
        metadata.insert(name, text.parse().expect("a duration and a trace are ASCII without line breaks"));
    }
}

/// A layer for tonic's server that gives each call a context below its root; see the [crate].
#[derive(Clone, Debug)]
pub struct ContextLayer {
    root: Context,
    timeout: Duration,
}

impl ContextLayer {
    /// Makes a layer whose calls, streams included, take at most `timeout` and end with `root`.
    #[must_use]
    pub fn new(root: &Context, timeout: Duration) -> Self {
        Self { root: root.clone(), timeout }
    }

    /// Returns the status for the end of a call's context.
    fn end(&self, ended: &Ended) -> Status {
        self.root.err().map_or_else(|| status(ended), |_| Status::unavailable("the server is going away"))
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService { inner, layer: self.clone() }
    }
}

/// A service whose calls have a context; made by [`ContextLayer`].
#[derive(Clone, Debug)]
pub struct ContextService<S> {
    inner: S,
    layer: ContextLayer,
}

impl<S, B, R> Service<http::Request<B>> for ContextService<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Under<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let all = |name| request.headers().get_all(name).iter();
        let budget = all(wire::GRPC_TIMEOUT).next().map(|text| wire::parse_grpc_timeout(text.to_str().ok()?));
        if budget == Some(None) {
            // As grpc-go answers it.
            return Box::pin(async { Ok(Under::only(Status::internal("malformed grpc-timeout"))) });
        }
        let layer = self.layer.clone();
        let timeout = budget.flatten().map_or(layer.timeout, |budget| budget.min(layer.timeout));
        let root = layer.root.with_trace(all(wire::TRACEPARENT), all(wire::TRACESTATE));
        let scope = Scope::from(root.with_timeout(timeout));
        request.extensions_mut().insert(Context::clone(&scope));
        let work = self.inner.call(request);
        Box::pin(async move {
            match scope.run(work, sleep).await {
                Ok(answer) => answer.map(|answer| answer.map(|body| Under::live(body, scope, layer))),
                Err(kind) => Ok(Under::only(layer.end(&scope.ended().unwrap_or_else(|| kind.into())))),
            }
        })
    }
}

/// The body of an answer, which keeps its call's context until it has ended or is dropped; the end of the context ends
/// it with that status.
#[derive(Debug)]
pub struct Under<R>(Option<Live<R>>);

type End = DoneOwned<fn(Instant) -> Sleep, Sleep>;

#[derive(Debug)]
struct Live<R> {
    body: Pin<Box<R>>,
    end: Pin<Box<End>>,
    scope: Scope,
    layer: ContextLayer,
}

impl<R> Under<R> {
    fn live(body: R, scope: Scope, layer: ContextLayer) -> Self {
        let end = scope.done_owned(sleep as fn(Instant) -> Sleep);
        Self(Some(Live { body: Box::pin(body), end: Box::pin(end), scope, layer }))
    }

    /// Makes an answer that is a status alone.
    fn only(status: Status) -> http::Response<Self> {
        status.into_http::<()>().map(|()| Self(None))
    }
}

impl<R: Body> Body for Under<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let slot = &mut self.get_mut().0;
        let Some(live) = slot else { return Poll::Ready(None) };
        if let Poll::Ready(kind) = live.end.as_mut().poll(cx) {
            let status = live.layer.end(&live.scope.ended().unwrap_or_else(|| kind.into()));
            *slot = None;
            let mut trailers = status.into_http::<()>().into_parts().0.headers;
            trailers.remove(http::header::CONTENT_TYPE);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let frame = live.body.as_mut().poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            *slot = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|live| live.body.is_end_stream())
    }
}
