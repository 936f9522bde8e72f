//! The fast/slow server on the threads and sockets of std.
//!
//! | idea   | here                                                                  |
//! | ------ | --------------------------------------------------------------------- |
//! | spawn  | `Builder::spawn`; dropping the `JoinHandle` orphans the thread        |
//! | race   | `Context::wait` on a child context that the work cancels when done    |
//! | timer  | the kernel's, in whatever call the thread blocks                      |
//! | cancel | asking: no thread can be stopped, only told through its context       |
//! | gone   | one thread in `epoll_wait` for `RDHUP`, for all connections           |
//! | HTTP/2 | none: answered 505, for a thread reads or works, and streams need both |

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
mod outside;
mod socket;
mod threads;
mod upstream;
mod work;

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Instant;
use std::{io, thread};

use census::{Census, worker};
use contract::{Reason, Settings, limits};
use ctx::{Cancel, Context};

use rustix::event::{EventfdFlags, PollFlags, eventfd};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use crate::connection::Dismissed;
use crate::hangup::Hangups;
use crate::outside::Resources;
use crate::threads::Permits;

// threads: fewer, because each costs a thread.
/// The most connections at once, unless flagged otherwise.
const MAX_CONNECTIONS: usize = 4_000;

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
    // threads: a thread in `poll` hears descriptors and not contexts, so each of the two rings a bell: `base_bell` and
    // `stopping_bell`.
    base_bell: OwnedFd,
    stopping_bell: OwnedFd,
    hangups: Hangups,
    // threads: no runtime keeps pools, so `workers` and `blocking` bound them.
    /// The threads of requests, the orphaned ones among them.
    workers: Arc<Permits>,
    /// Those of them that stand in for a blocking pool.
    blocking: Arc<Permits>,
}

fn main() -> ExitCode {
    if let Some(code) = worker::if_asked() {
        return code;
    }
    // threads: there is no runtime to build.
    service::run(env!("CARGO_PKG_NAME"), serve)
}

/// Serves until a signal stops it; returns whether all work has ended.
fn serve(settings: Settings) -> io::Result<bool> {
    let listener = listen(&settings)?;
    let (census, admin) = Census::start("threads", &settings, || None)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;

    let (base, cancel) = Context::background().with_cancel();
    let (stopping, stop) = Context::background().with_cancel();
    service::thread::spawn("signals", || obey(signals, stop))?;
    // threads: what elsewhere a runtime keeps is opened here.
    let server = Arc::new(open(settings, census, base, stopping)?);
    // threads: the watch over hangups is a thread, which takes `watched`.
    let watched = server.clone();
    service::thread::spawn("hangups", move || hangup::watch(&watched))?;
    let (alive, closed) = mpsc::channel();
    // threads: a request takes two threads, its connection's and its work's.
    service::thread::reserve(2)?;
    service::announce(listener.local_addr()?, admin)?;
    accept(&server, &listener, alive);
    drop(listener);
    // threads: a borrow of `closed` is enough.
    Ok(drain(&server, &closed, cancel))
}

// threads: only here, because elsewhere the runtime has its pools and hears contexts.
/// Opens the bells, the watch over hangups and the pools.
fn open(settings: Settings, census: Census, base: Context, stopping: Context) -> io::Result<Server> {
    let (base_bell, stopping_bell) = (bell(&base)?, bell(&stopping)?);
    let most = most_connections(&settings);
    let blocking = settings.blocking_threads.get();
    let workers = Permits::new((most + blocking).min(threads::MOST - most));
    let (hangups, blocking) = (Hangups::open()?, Permits::new(blocking));
    let resources = Resources::open(&settings)?;
    Ok(Server {
        settings,
        census,
        base,
        stopping,
        resources,
        base_bell,
        stopping_bell,
        hangups,
        workers,
        blocking,
    })
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
    // threads: whoever waits for the `socket` waits in `poll`, for more than it.
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

// threads: there is no executor to starve.
/// Stops the server at the first signal, and the process at the second; on a thread of its own, which hears them whatever
/// the others do.
fn obey(mut signals: Signals, stop: Cancel) {
    let mut signals = signals.forever();
    signals.next();
    stop.cancel();
    let second = signals.next().unwrap_or(SIGTERM);
    std::process::exit(128 + second);
}

// threads: only here, because threads cost address space, of which the kernel gives a process so much.
/// The most connections at once: never more than half of the threads there may be.
fn most_connections(settings: &Settings) -> usize {
    settings.max_connections(MAX_CONNECTIONS).min(threads::MOST / 2)
}

// threads: another body, because a thread waits for the listener and for the stop in one `poll`, and may be refused.
/// Accepts until the server stops. Every connection holds a clone of `alive`.
fn accept(server: &Arc<Server>, listener: &TcpListener, alive: mpsc::Sender<()>) {
    let most = most_connections(&server.settings);
    let mut dismissed = Dismissed::default();
    while server.stopping.err().is_none() {
        // A blocked `accept` would not hear the stop.
        let awaited = socket::wait(listener, PollFlags::IN, Some(&server.stopping_bell), dismissed.due());
        dismissed.close_due();
        let accepted = awaited.and_then(|_| listener.accept()).and_then(|(stream, _)| {
            stream.set_nonblocking(true)?;
            Ok(Arc::new(stream))
        });
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => {
                server.stopping.wait_timeout(limits::ACCEPT_PAUSE);
                continue;
            }
        };
        let spawned = match server.census.connection(most) {
            Some(counted) => {
                let (server, stream, alive) = (server.clone(), stream.clone(), alive.clone());
                let serve = move || connection::serve(server, stream, counted, alive);
                threads::builder("connection").spawn(serve).is_ok()
            }
            None => {
                let stream = stream.clone();
                threads::spawn(&server.workers, "turn-away", move || connection::turn_away(stream)).is_ok()
            }
        };
        // threads: without a thread for it, the connection is turned away here, where nobody may wait for its client.
        if !spawned {
            dismissed.dismiss(stream);
        }
    }
}

/// Waits for the open connections to end; past the shutdown timeout, cancels what they run and gives it a moment.
/// Returns whether all of them ended, and all work with them.
fn drain(server: &Server, closed: &mpsc::Receiver<()>, cancel: Cancel) -> bool {
    // threads: one call waits for both.
    let closed = |timeout| closed.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Disconnected);
    let mut answered = closed(server.settings.shutdown_timeout);
    if !answered {
        cancel.cancel_cause(Reason::Shutdown);
        answered = closed(limits::PARTING);
    }
    // Work that was told to stop is given a moment to do so before it counts as abandoned.
    let abandoned = Instant::now() + limits::STOPPING;
    while server.census.work() > 0 && Instant::now() < abandoned {
        thread::sleep(limits::TICK);
    }
    answered && server.census.work() == 0
}

/// Sleeps until `at`.
fn until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

// threads: only here, because elsewhere a task waits for a descriptor and for a context at once.
/// A descriptor that is readable once `ctx` is done.
fn bell(ctx: &Context) -> io::Result<OwnedFd> {
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let clapper = bell.try_clone()?;
    let ring = move || rustix::io::write(&clapper, &1_u64.to_ne_bytes());
    ctx.after_func(move || assert_eq!(ring(), Ok(8), "an eventfd takes a first 1")).keep();
    Ok(bell)
}
