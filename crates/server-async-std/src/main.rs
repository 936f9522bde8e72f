//! The fast/slow server on async-std.
//!
//! | idea   | here                                                                  |
//! | ------ | --------------------------------------------------------------------- |
//! | spawn  | `task::spawn`; dropping the `JoinHandle` detaches the task            |
//! | race   | `future::or`, which polls its left side first                         |
//! | timer  | `task::sleep`, which belongs to one global reactor thread             |
//! | cancel | dropping the losing future, at its next `.await`                      |
//! | gone   | an epoll descriptor for `RDHUP`, itself wrapped in `Async`            |
//! | HTTP/2 | `hyper` over tasks that `task::spawn` starts, a stream each           |

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

mod conn;
mod connection;
mod database;
mod handler;
mod hangup;
mod hyper_io;
mod outside;
mod socket;
mod streams;
mod upstream;
mod work;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;
use std::{env, io};

use census::{Census, worker};
use contract::{Reason, Settings, limits};
use ctx::{Cancel, Context};

use async_std::channel::{self, Receiver, Sender};
use async_std::net::TcpListener;
use async_std::task;
use futures_lite::future;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::hangup::Hangups;
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
    // async-std: the reactor does not tell of a hangup, so a descriptor of our own does.
    hangups: Hangups,
}

fn main() -> ExitCode {
    if let Some(code) = worker::if_asked() {
        return code;
    }
    service::run(env!("CARGO_PKG_NAME"), |settings: Settings| {
        resized(&settings)?;
        // async-std: the thread of the reactor, if it is refused, and those of the executor are a panic.
        service::thread::reserve(settings.threads() + 1)?;
        task::block_on(serve(settings))
    })
}

// async-std: only here, because the sizes of its pools are read from the environment, once.
/// Starts this program again with the size of its pools in the environment, unless it is there already.
fn resized(settings: &Settings) -> io::Result<()> {
    // async-std: the `sizes` of both pools are read from there.
    let sizes = [
        ("ASYNC_STD_THREAD_COUNT", settings.threads().to_string()),
        ("BLOCKING_MAX_THREADS", settings.blocking_threads.to_string()),
    ];
    if sizes.iter().all(|(name, size)| env::var(name).as_ref() == Ok(size)) {
        return Ok(());
    }
    let mut args = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    again.arg0(args.next().unwrap_or_default()).args(args).envs(sizes);
    Err(again.exec())
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let (census, admin) = Census::start("async-std", &settings, || None)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;

    let (base, cancel) = Context::background().with_cancel();
    let (stopping, stop) = Context::background().with_cancel();
    service::thread::spawn("signals", || obey(signals, stop))?;
    let resources = Resources::open(&settings)?;
    let server = Arc::new(Server { settings, census, base, stopping, resources, hangups: Hangups::open()? });
    task::spawn(hangup::watch(server.clone()));
    let (alive, closed) = channel::bounded(1);
    service::announce(listener.local_addr()?, admin)?;
    accept(&server, &listener, alive).await;
    drop(listener);
    Ok(drain(&server, closed, cancel).await)
}

/// Opens the listener, with the backlog that a burst needs and with the probes that find a client which has vanished: every
/// connection inherits them.
fn listen(settings: &Settings) -> io::Result<TcpListener> {
    let address = settings.listen;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).map_err(|error| contract::settings::taken("listen", address, &error))?;
    let accepted = SockRef::from(&socket);
    let probes = TcpKeepalive::new().with_time(settings.tcp_keepalive).with_retries(limits::PROBES);
    accepted.set_tcp_keepalive(&probes.with_interval(settings.probe_interval()))?;
    accepted.set_tcp_user_timeout(Some(settings.silence()))?;
    socket.listen(limits::BACKLOG)?;
    Ok(std::net::TcpListener::from(socket).into())
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
async fn accept(server: &Arc<Server>, listener: &TcpListener, alive: Sender<()>) {
    let most = server.settings.max_connections(MAX_CONNECTIONS);
    loop {
        let stopped = async {
            server.stopping.done(until).await;
            None
        };
        let accepted = async { Some(listener.accept().await) };
        let Some(accepted) = future::or(stopped, accepted).await else { return };
        let Ok((stream, _)) = accepted else {
            task::sleep(limits::ACCEPT_PAUSE).await;
            continue;
        };
        match server.census.connection(most) {
            Some(counted) => {
                drop(task::spawn(connection::serve(server.clone(), stream, counted, alive.clone())))
            }
            None => drop(task::spawn(connection::turn_away(stream))),
        }
    }
}

/// Waits for the open connections to end; past the shutdown timeout, cancels what they run and gives it a moment.
/// Returns whether all of them ended, and all work with them.
async fn drain(server: &Server, closed: Receiver<()>, cancel: Cancel) -> bool {
    let closed = async |timeout| {
        let ended = async {
            let _ = closed.recv().await;
            true
        };
        let late = async {
            task::sleep(timeout).await;
            false
        };
        future::or(ended, late).await
    };
    let mut answered = closed(server.settings.shutdown_timeout).await;
    if !answered {
        cancel.cancel_cause(Reason::Shutdown);
        answered = closed(limits::PARTING).await;
    }
    // Work that was told to stop is given a moment to do so before it counts as abandoned.
    let abandoned = Instant::now() + limits::STOPPING;
    while server.census.work() > 0 && Instant::now() < abandoned {
        task::sleep(limits::TICK).await;
    }
    answered && server.census.work() == 0
}

/// Sleeps until `at`.
fn until(at: Instant) -> impl Future<Output = ()> + Send {
    task::sleep(at.saturating_duration_since(Instant::now()))
}
