//! The fast/slow server on tokio.
//!
//! | idea   | here                                                                  |
//! | ------ | --------------------------------------------------------------------- |
//! | spawn  | `tokio::spawn`; dropping the `JoinHandle` detaches the task           |
//! | race   | `select! { biased; … }`, which polls its branches from the top        |
//! | timer  | `time::sleep_until`, on a wheel of 1 ms that is never early           |
//! | cancel | dropping the losing future, at its next `.await`                      |
//! | gone   | `ready(PRIORITY)`, which wakes at a FIN or RST behind unread bytes    |
//! | HTTP/2 | `hyper` over tasks that `tokio::spawn` starts, a stream each          |

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

mod conn;
mod connection;
mod database;
mod handler;
mod outside;
mod socket;
mod streams;
mod upstream;
mod work;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use census::{Census, worker};
use contract::{Reason, Settings, limits};
use ctx::{Cancel, Context};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{SockRef, TcpKeepalive};
// tokio: `select!` races its branches in place, where the others race futures that they name.
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;
use tokio::{runtime, select, time};

use crate::outside::Resources;

/// The most connections at once, unless flagged otherwise.
const MAX_CONNECTIONS: usize = 20_000;

/// State that all connections of this server share.
struct Server {
    settings: Settings,
    census: Census,
    /// The parent of every connection's context; canceled when a shutdown runs out of patience.
    base: Context,
    /// Done once the server stops accepting.
    stopping: Context,
    /// Resources of work that are not the server's own.
    resources: Resources,
}

// tokio: another body, because its runtime is a value that is built and shut down.
fn main() -> ExitCode {
    if let Some(code) = worker::if_asked() {
        return code;
    }
    service::run(env!("CARGO_PKG_NAME"), |settings: Settings| {
        // A runtime that is refused a thread panics, or goes on with fewer.
        service::thread::reserve(settings.threads())?;
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads())
            .max_blocking_threads(settings.blocking_threads.get())
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(serve(settings));
        // Dropping the runtime would wait for every blocking closure, however long it runs.
        runtime.shutdown_background();
        outcome
    })
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    // tokio: the runtime counts its tasks, and its `metrics` say how many.
    let metrics = runtime::Handle::current().metrics();
    let (census, admin) = Census::start("tokio", &settings, move || Some(metrics.num_alive_tasks()))?;
    let signals = Signals::new([SIGINT, SIGTERM])?;

    let (base, cancel) = Context::background().with_cancel();
    let (stopping, stop) = Context::background().with_cancel();
    service::thread::spawn("signals", || obey(signals, stop))?;
    let resources = Resources::open(&settings)?;
    // tokio: nothing else has to watch over clients.
    let server = Arc::new(Server { settings, census, base, stopping, resources });
    let (alive, closed) = mpsc::channel(1);
    service::announce(listener.local_addr()?, admin)?;
    accept(&server, &listener, alive).await;
    drop(listener);
    Ok(drain(&server, closed, cancel).await)
}

/// Opens the listener, with the backlog that a burst needs and with the probes that find a client which has vanished: every
/// connection inherits them.
fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let address = settings.listen;
    // tokio: the `socket` is one of the runtime's own.
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).map_err(|error| contract::settings::taken("listen", address, &error))?;
    let accepted = SockRef::from(&socket);
    let probes = TcpKeepalive::new().with_time(settings.tcp_keepalive).with_retries(limits::PROBES);
    accepted.set_tcp_keepalive(&probes.with_interval(settings.probe_interval()))?;
    accepted.set_tcp_user_timeout(Some(settings.silence()))?;
    socket.listen(limits::BACKLOG.cast_unsigned())
}

/// Stops the server at the first signal, and the process at the second; on a thread of its own, so that work which
/// starves the executor cannot keep the process alive.
fn obey(mut signals: Signals, stop: Cancel) {
    let mut signals = signals.forever();
    signals.next();
    stop.cancel();
    let second = signals.next().unwrap_or(SIGTERM);
    std::process::exit(128 + second);
}

/// Accepts until the server stops. Every connection holds a clone of `alive`.
async fn accept(server: &Arc<Server>, listener: &TcpListener, alive: mpsc::Sender<()>) {
    let most = server.settings.max_connections(MAX_CONNECTIONS);
    loop {
        let accepted = select! {
            biased;
            _ = server.stopping.done(until) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            time::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        match server.census.connection(most) {
            Some(counted) => {
                drop(tokio::spawn(connection::serve(server.clone(), stream, counted, alive.clone())))
            }
            None => drop(tokio::spawn(connection::turn_away(stream))),
        }
    }
}

/// Waits for the open connections to end; past the shutdown timeout, cancels what they run and gives it a moment.
/// Returns whether all of them ended, and all work with them.
async fn drain(server: &Server, mut closed: mpsc::Receiver<()>, cancel: Cancel) -> bool {
    let mut answered = select! {
        _ = closed.recv() => true,
        () = time::sleep(server.settings.shutdown_timeout) => false,
    };
    if !answered {
        cancel.cancel_cause(Reason::Shutdown);
        // tokio: `time` bounds whatever is awaited.
        answered = time::timeout(limits::PARTING, closed.recv()).await.is_ok();
    }
    // Work that was told to stop is given a moment to do so before it counts as abandoned.
    let abandoned = Instant::now() + limits::STOPPING;
    while server.census.work() > 0 && Instant::now() < abandoned {
        time::sleep(limits::TICK).await;
    }
    answered && server.census.work() == 0
}

/// Sleeps until `at`.
fn until(at: Instant) -> time::Sleep {
    time::sleep_until(at.into())
}
