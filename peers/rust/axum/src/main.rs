//! The fast/slow server on axum, as people write it: a peer of the lab's own servers.
//!
//! The deadline is tower-http's `Timeout`, which drops the handler's future and answers 504 with no body. Whether a client
//! has left is hyper's to notice. What axum has no counterpart for, among it every timeout of a connection, is not here.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

mod deadline;
mod handlers;
mod work;

use std::convert::Infallible;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use census::Census;
use contract::{Settings, limits};

use axum::extract::Extension;
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Router, middleware};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::{runtime, time};

fn main() -> ExitCode {
    service::run(env!("CARGO_PKG_NAME"), |settings: Settings| {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads())
            .max_blocking_threads(settings.blocking_threads.get())
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(serve(settings));
        runtime.shutdown_background();
        outcome
    })
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let metrics = runtime::Handle::current().metrics();
    let (census, admin) = Census::start("axum", &settings, move || Some(metrics.num_alive_tasks()))?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    service::announce(listener.local_addr()?, admin)?;

    let (stop, stopping) = oneshot::channel();
    service::thread::spawn("signals", || obey(signals, stop))?;
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
        .layer(middleware::from_fn_with_state((census, timeout), deadline::limited))
}
