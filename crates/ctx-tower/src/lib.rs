//! A layer of tower that gives each request a [`Context`], and an extractor that hands it to handlers of axum.
//!
//! | what | how |
//! | --- | --- |
//! | deadline | the smaller of the layer's timeout and the caller's `grpc-timeout` or `x-envoy-expected-rq-timeout-ms`; then 504 |
//! | disconnect | the server drops the answer's future or body, and with it the context is canceled |
//! | shutdown | the end of the layer's root ends every request with 503 |
//! | trace | a `traceparent`, and the `tracestate` beside it, are values of the context; what is malformed counts as absent |
//!
//! The body of an answer keeps its context until it has ended or is dropped.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use ctx_tower::{ContextLayer, Ctx};
//!
//! async fn hello(Ctx(ctx): Ctx) -> String {
//!     format!("{:?} left\n", ctx.remaining())
//! }
//!
//! let root = ctx_tokio::attach(&ctx::Context::background());
//! let app: Router = Router::new().route("/", get(hello)).layer(ContextLayer::new(&root, Duration::from_secs(2)));
//! ```

use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use ctx::{Context, Error, Scope, wire};
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Gives each request a context below its root; see the [crate].
#[derive(Clone, Debug)]
pub struct ContextLayer {
    root: Context,
    timeout: Duration,
}

impl ContextLayer {
    /// Makes a layer whose requests take at most `timeout` and end with `root`, which carries the runtime's timer
    /// ([`Context::with_timer`]).
    #[must_use]
    pub fn new(root: &Context, timeout: Duration) -> Self {
        Self { root: root.clone(), timeout }
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService { inner, layer: self.clone() }
    }
}

/// A service whose requests have a context; made by [`ContextLayer`].
#[derive(Clone, Debug)]
pub struct ContextService<S> {
    inner: S,
    layer: ContextLayer,
}

impl<S, B, R> Service<Request<B>> for ContextService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: Body,
    R: Default,
{
    type Response = Response<Kept<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(budget) = budget(request.headers()) else {
            return Box::pin(async { Ok(status(StatusCode::BAD_REQUEST, false)) });
        };
        let header = |name| request.headers().get_all(name);
        let root = self.layer.root.with_trace(header(wire::TRACEPARENT), header(wire::TRACESTATE));
        let timeout = budget.map_or(self.layer.timeout, |budget| budget.min(self.layer.timeout));
        let scope = Scope::from(root.with_timeout(timeout));
        request.extensions_mut().insert(Context::clone(&scope));
        // What of the body is unread now is never read: on a connection that went on, it would be the next request.
        let close = request.version() < Version::HTTP_2 && !request.body().is_end_stream();
        let work = self.inner.call(request);
        Box::pin(async move {
            match scope.run_timed(work).await {
                Ok(answer) => answer.map(|answer| answer.map(|body| Kept { body, scope: Some(scope) })),
                Err(Error::DeadlineExceeded) => Ok(status(StatusCode::GATEWAY_TIMEOUT, close)),
                Err(Error::Canceled) => Ok(status(StatusCode::SERVICE_UNAVAILABLE, close)),
            }
        })
    }
}

/// Makes an answer without a body, after which the connection is closed if `close`.
fn status<R: Default>(status: StatusCode, close: bool) -> Response<Kept<R>> {
    let mut answer = Response::new(Kept { body: R::default(), scope: None });
    *answer.status_mut() = status;
    if close {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Returns the smaller of the caller's budgets, if it names any; `None` if one is malformed or given twice.
fn budget(headers: &HeaderMap) -> Option<Option<Duration>> {
    let read = |name, parse: fn(&str) -> Option<Duration>| {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else { return Some(None) };
        values.next().is_none().then(|| value.to_str().ok().and_then(parse)).flatten().map(Some)
    };
    let grpc = read(wire::GRPC_TIMEOUT, wire::parse_grpc_timeout)?;
    let envoy = read(wire::ENVOY_TIMEOUT_MS, wire::parse_envoy_timeout)?;
    Some(grpc.into_iter().chain(envoy).min())
}

pin_project! {
    /// A body that keeps its request's context until it has ended or is dropped.
    #[derive(Debug, Default)]
    pub struct Kept<R> {
        #[pin]
        body: R,
        scope: Option<Scope>,
    }
}

impl<R: Body> Body for Kept<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            *this.scope = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Extracts the request's context in handlers of axum; without the layer, the background.
#[cfg(feature = "axum")]
#[derive(Clone, Debug)]
pub struct Ctx(pub Context);

#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequestParts<S> for Ctx {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.extensions.get().cloned().unwrap_or_default()))
    }
}
