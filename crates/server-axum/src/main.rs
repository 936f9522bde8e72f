//! The fast/slow server on axum, as people write it: a peer of the lab's own servers.
//!
//! The deadline is tower-http's `Timeout`, which drops the handler's future and answers 504 with no body. Whether a client
//! has left is hyper's to notice. What axum has no counterpart for, among it every timeout of a connection, is not here.

mod handlers;
mod work;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use census::Census;
use contract::{Call, Identity, Settings, answer, limits};
use ctx::Context;

use axum::body::{Body, HttpBody};
use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Router, middleware};
use http_body_util::BodyExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::{runtime, time};
use tower::ServiceExt;
use tower_http::timeout::{DeadlineBody, Timeout};

use crate::handlers::Asked;

fn main() -> ExitCode {
    let settings = Settings::of_process(env!("CARGO_PKG_NAME"));
    contract::settings::log_panics();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(settings.threads())
        .max_blocking_threads(settings.blocking_threads.get())
        .enable_all()
        .build();
    contract::settings::exit(runtime.and_then(|runtime| {
        let outcome = runtime.block_on(serve(settings));
        runtime.shutdown_background();
        outcome
    }))
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let metrics = runtime::Handle::current().metrics();
    let (census, admin) = Census::start("axum", &settings, move || Some(metrics.num_alive_tasks()))?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    contract::settings::announce(listener.local_addr()?, admin)?;

    let (stop, stopping) = oneshot::channel();
    thread::Builder::new().name("signals".into()).spawn(|| obey(signals, stop))?;
    let (drain, draining) = oneshot::channel::<()>();
    let app = app(census, settings.request_timeout);
    // One service a connection, so that the connection is counted for as long as it lives.
    let per_connection = tower::service_fn(move |incoming: IncomingStream<'_, TcpListener>| {
        let _ = incoming.io().set_nodelay(true);
        let service = app.clone().layer(Extension(Arc::new(census.connection(usize::MAX))));
        async { Ok::<_, Infallible>(service) }
    });
    let serving =
        axum::serve(listener, per_connection).with_graceful_shutdown(async { drop(draining.await) });
    let serving = tokio::spawn(serving.into_future());
    let _ = stopping.await;
    drop(drain);
    // axum waits for its connections without bound, so the patience is ours.
    let drained = time::timeout(settings.shutdown_timeout, serving).await;
    Ok(drained.is_ok() && census.work() == 0)
}

fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let address = settings.listen;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).map_err(|error| contract::settings::taken("listen", address, &error))?;
    socket.listen(limits::BACKLOG.cast_unsigned())
}

/// Stops the server at the first signal, and the process at the second.
fn obey(mut signals: Signals, stop: oneshot::Sender<Infallible>) {
    let mut signals = signals.forever();
    signals.next();
    drop(stop);
    let second = signals.next().unwrap_or(SIGTERM);
    std::process::exit(128 + second);
}

/// The routes, under their deadline.
fn app(census: Census, timeout: Duration) -> Router {
    Router::new()
        .route("/fast", get(handlers::fast))
        .route("/slow", get(handlers::slow).post(handlers::slow))
        .route("/values", get(handlers::values))
        .route("/upload", post(handlers::upload))
        .route("/stream", get(handlers::stream))
        .route("/panic", get(handlers::panic))
        .layer(middleware::from_fn_with_state((census, timeout), limited))
}

/// Reads what is asked for, and gives it no longer than its deadline.
async fn limited(
    State((census, timeout)): State<(Census, Duration)>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let call = match Call::read(&head, || census.make_id()) {
        Ok(call) => call,
        Err(refusal) => {
            let identity = Identity::read(&head.headers, || census.make_id()).ok();
            return answer::refused(identity.as_ref(), &refusal).map(Body::new).into_response();
        }
    };
    let timeout = call.budget.map_or(timeout, |budget| budget.min(timeout));
    let identity = call.identity.clone();
    // The context ends when the guard is dropped, with the answer or before it: nobody else ends it.
    let (ctx, guard) = Context::background().with_value(census.scope(call.identity)).with_cancel();
    let mut counted = census.request(&ctx, &identity);
    request = Request::from_parts(head, body);
    request.extensions_mut().insert(Asked { endpoint: call.endpoint, ctx, job: counted.job() });
    let limited = Timeout::with_status_code(next, StatusCode::GATEWAY_TIMEOUT, timeout);
    let Ok(mut response) = limited.oneshot(request).await;
    if let Ok(id) = identity.request_id.parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    counted.answered(response.status());
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    // `Timeout` ends with the head; a stream has a deadline of its own, and keeps the guards until it is out.
    let left = timeout.saturating_sub(began.elapsed());
    let guards = (guard, counted);
    response.map(|body| {
        Body::new(DeadlineBody::new(left, body).map_frame(move |frame| {
            let _ = &guards;
            frame
        }))
    })
}
