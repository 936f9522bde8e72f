//! The fast/slow server on smol.
//!
//! | idea   | here                                                                  |
//! | ------ | --------------------------------------------------------------------- |
//! | spawn  | `Executor::spawn`; dropping the `Task` cancels it                     |
//! | race   | `future::or`, which polls its left side first                         |
//! | timer  | `Timer::at`, which belongs to one global reactor thread               |
//! | cancel | dropping the losing future, at its next `.await`                      |
//! | gone   | an epoll descriptor for `RDHUP`, itself wrapped in `Async`            |
//! | HTTP/2 | `hyper` over tasks that `Executor::spawn` starts, a stream each       |

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

use futures_lite::future;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use smol::channel::{self, Receiver, Sender};
use smol::net::TcpListener;
use smol::{Async, Executor, Timer};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::hangup::Hangups;
use crate::outside::Resources;

/// The most connections at once, unless flagged otherwise.
const MAX_CONNECTIONS: usize = 20_000;

// smol: only here, because the global executor has one thread, and this server has as many as its flag says.
/// Runs every task of this server.
static EXECUTOR: Executor<'static> = Executor::new();

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
    // smol: the reactor does not tell of a hangup, so a descriptor of our own does.
    hangups: Hangups,
}

fn main() -> ExitCode {
    if let Some(code) = worker::if_asked() {
        return code;
    }
    service::run(env!("CARGO_PKG_NAME"), |settings: Settings| {
        resized(&settings)?;
        // smol: the thread of the reactor, if it is refused, and those of the executor are a panic.
        service::thread::reserve(settings.threads() + 1)?;
        // smol: the executor's threads are started here, and `block_on` runs none.
        for number in 0..settings.threads() {
            let run = || smol::block_on(EXECUTOR.run(future::pending::<()>()));
            service::thread::spawn(format!("smol-{number}"), run)?;
        }
        future::block_on(serve(settings))
    })
}

// smol: only here, because the size of the blocking pool is read from the environment, once.
/// Starts this program again with the size of its pools in the environment, unless it is there already.
fn resized(settings: &Settings) -> io::Result<()> {
    let (name, threads) = ("BLOCKING_MAX_THREADS", settings.blocking_threads.to_string());
    if env::var(name).is_ok_and(|set| set == threads) {
        return Ok(());
    }
    let mut args = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    again.arg0(args.next().unwrap_or_default()).args(args).env(name, threads);
    Err(again.exec())
}

/// Serves until a signal stops it; returns whether all work has ended.
async fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let (census, admin) = Census::start("smol", &settings, || None)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;

    let (base, cancel) = Context::background().with_cancel();
    let (stopping, stop) = Context::background().with_cancel();
    service::thread::spawn("signals", || obey(signals, stop))?;
    let resources = Resources::open(&settings)?;
    let server = Arc::new(Server { settings, census, base, stopping, resources, hangups: Hangups::open()? });
    // smol: dropping the task would cancel it.
    EXECUTOR.spawn(hangup::watch(server.clone())).detach();
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
    Ok(Async::new(std::net::TcpListener::from(socket))?.into())
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
            Timer::after(limits::ACCEPT_PAUSE).await;
            continue;
        };
        // smol: dropping the task would cancel the connection.
        match server.census.connection(most) {
            Some(counted) => {
                EXECUTOR.spawn(connection::serve(server.clone(), stream, counted, alive.clone())).detach();
            }
            None => EXECUTOR.spawn(connection::turn_away(stream)).detach(),
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
            Timer::after(timeout).await;
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
        Timer::after(limits::TICK).await;
    }
    answered && server.census.work() == 0
}

/// Sleeps until `at`.
fn until(at: Instant) -> Timer {
    Timer::at(at)
}
