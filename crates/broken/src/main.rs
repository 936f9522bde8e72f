//! The broken server: `broken --fault NAME`. Without a fault it keeps what [`broken::SUPPORTS`] lists of the contract.
//!
//! A thread a connection, which does the work of its requests itself and waits in `poll` for whatever comes first:
//! the next tick, the deadline, the client's leaving, the server's end. Each fault is one line that does otherwise.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

mod admin;
mod connection;
mod database;
mod endpoints;
mod h2;
mod lenient;
mod misled;
mod outside;
mod patience;
mod request;
mod start;
mod upstream;
mod wait;

use std::collections::HashMap;
use std::io::{self, PipeReader, PipeWriter};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use broken::Fault;
use census::{Census, worker};
use clap::Parser;
use contract::{Settings, limits};
use rustix::event::PollFlags;
use signal_hook::consts::{SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use socket2::{Domain, Socket, TcpKeepalive, Type};

use crate::connection::Conn;
use crate::database::Pool;
use crate::outside::ORPHAN;
use crate::wait::{Woken, wait};

/// The most connections at once, unless flagged otherwise.
const MAX_CONNECTIONS: usize = 4_000;
/// The threads that a fault accepts on.
const ACCEPTORS: usize = 4;
/// The connections that a fault has threads for.
const POOL: usize = 900;

#[derive(Parser)]
#[command(about = "A server that breaks one promise on purpose.")]
struct Args {
    /// The promise to break
    #[arg(long, value_enum, value_name = "NAME", default_value = "none")]
    fault: Fault,
    #[command(flatten)]
    settings: Settings,
}

/// State that all connections share.
struct Server {
    fault: Fault,
    settings: Settings,
    census: Census,
    stopping: AtomicBool,
    /// Hangs up once the server stops accepting.
    stopped: PipeReader,
    /// Hangs up once a shutdown runs out of patience.
    over: PipeReader,
    /// A fault: the lock of the server's only thread, held by the request that works.
    thread: Mutex<()>,
    /// The subject of the client that left last, which nobody needs: what a fault keeps too long.
    left: Mutex<Option<String>>,
    /// The clients of whom some request has ended badly, and how often: what a fault holds against the others.
    ended: Mutex<HashMap<String, usize>>,
    /// The number of SIGWINCH signals, which mean nothing to a server; a fault takes them for a stop.
    winced: Arc<AtomicUsize>,
    /// The number of free permits.
    free: AtomicUsize,
    pool: Pool,
    /// The number of groups that have failed, which a fault mistakes for a failure of each.
    failed: AtomicUsize,
    /// True once a client has spoken HTTP/2, which a fault takes for the end of HTTP/1.1.
    spoken: AtomicBool,
}

impl Server {
    /// Returns the number of requests of this request's client that ended badly.
    fn bad_ends(&self, id: &str) -> usize {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(client(id)).copied().unwrap_or(0)
    }

    /// A request has ended in another way than well.
    fn ends_badly(&self, id: &str) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended.entry(client(id).to_owned()).or_default() += 1;
    }

    /// Reports whether a shutdown has run out of patience.
    fn is_over(&self) -> bool {
        matches!(wait(None::<(&TcpListener, _)>, &[&self.over], Some(Instant::now())), Ok(Woken::Rung))
    }
}

/// Returns the part of an id that all requests of one client share: all but the last two of its parts.
fn client(id: &str) -> &str {
    id.rsplitn(3, '-').nth(2).unwrap_or(id)
}

fn main() -> ExitCode {
    // The fault of a worker is told by its environment.
    let worker = match std::env::var_os(ORPHAN) {
        Some(_) => worker::if_asked_orphan(),
        None => worker::if_asked(),
    };
    if let Some(code) = worker {
        return code;
    }
    // The fault cannot be asked of flags that could not be read.
    let has_fault = |name: &str| std::env::args_os().any(|arg| arg == name);
    if has_fault("panics-at-start") {
        return start::panicking(serve);
    }
    if has_fault("prints-its-log") {
        return start::printing(serve);
    }
    let code = service::run(env!("CARGO_PKG_NAME"), serve);
    if has_fault("exits-zero") { ExitCode::SUCCESS } else { code }
}

/// Serves until a signal stops it; returns whether all work has ended.
fn serve(args: Args) -> io::Result<bool> {
    let Args { fault, settings } = args;
    let listener = listen(&settings, fault)?;
    let (census, admin) = Census::start("broken", &settings, || None)?;
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let admin = match fault {
        Fault::LosesMetrics => admin::without_metrics(admin)?,
        Fault::SerializesAdmin => admin::one_by_one(admin)?,
        _ => admin,
    };
    let ((stopped, stop), (over, give_up)) = (io::pipe()?, io::pipe()?);
    let stopping = AtomicBool::new(false);
    let winced = Arc::new(AtomicUsize::new(0));
    if fault == Fault::CancelsAtSignals {
        signal_hook::flag::register_usize(SIGWINCH, winced.clone(), 1)?;
    }
    let (thread, left, failed, ended, spoken, pool) = Default::default();
    let free = AtomicUsize::new(settings.permits.get());
    let server = Arc::new(Server {
        fault,
        settings,
        census,
        stopping,
        stopped,
        over,
        thread,
        left,
        ended,
        winced,
        free,
        pool,
        failed,
        spoken,
    });
    let told = server.clone();
    service::thread::spawn("signals", move || obey(&told, signals, stop))?;
    let (alive, closed) = mpsc::channel();
    for _ in 1..if fault == Fault::SpinsOnAccept { ACCEPTORS } else { 1 } {
        let (server, listener, alive) = (server.clone(), listener.try_clone()?, alive.clone());
        thread::Builder::new().name("accept".into()).spawn(move || accept(&server, &listener, &alive))?;
    }
    // A request takes the thread of its connection.
    service::thread::reserve(1)?;
    service::announce(listener.local_addr()?, admin)?;
    accept(&server, &listener, &alive);
    drop((alive, listener));
    Ok(drain(&server, &closed, give_up))
}

fn listen(settings: &Settings, fault: Fault) -> io::Result<TcpListener> {
    let address = settings.listen;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into()).map_err(|error| contract::settings::taken("listen", address, &error))?;
    if fault != Fault::ForgetsKeepalive {
        let probes = TcpKeepalive::new().with_time(settings.tcp_keepalive).with_retries(limits::PROBES);
        socket.set_tcp_keepalive(&probes.with_interval(settings.probe_interval()))?;
    }
    if fault != Fault::ForgetsUserTimeout {
        socket.set_tcp_user_timeout(Some(settings.silence()))?;
    }
    socket.listen(limits::BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Stops the server at the first signal, and the process at the second.
fn obey(server: &Server, mut signals: Signals, stop: PipeWriter) {
    let mut signals = signals.forever();
    let first = signals.next().unwrap_or(SIGTERM);
    match server.fault {
        Fault::IgnoresSigterm => loop {
            signals.next();
        },
        Fault::DiesAtSigterm => std::process::exit(128 + first),
        _ => {}
    }
    server.stopping.store(true, Ordering::Relaxed);
    drop(stop);
    let second = signals.next().unwrap_or(SIGTERM);
    std::process::exit(if server.fault == Fault::ExitsZero { 0 } else { 128 + second });
}

fn accept(server: &Arc<Server>, listener: &TcpListener, alive: &mpsc::Sender<()>) {
    let most = match server.fault {
        Fault::KnowsNoLimit => usize::MAX,
        _ => server.settings.max_connections(MAX_CONNECTIONS),
    };
    while let Ok(Woken::Ready) = wait(Some((listener, PollFlags::IN)), &[&server.stopped], None) {
        if server.fault == Fault::HasFewThreads && server.census.connections() >= POOL {
            thread::sleep(limits::TICK);
            continue;
        }
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => {
                if server.fault != Fault::SpinsOnAccept {
                    thread::sleep(limits::ACCEPT_PAUSE);
                }
                continue;
            }
        };
        let counted = server.census.connection(most);
        let (server, alive) = (server.clone(), alive.clone());
        // Without a thread the connection is closed, which its client sees.
        let _ = thread::Builder::new().name("connection".into()).spawn(move || {
            let mut conn = Conn::new(&server, stream);
            if counted.is_some() {
                conn.serve_either()
            } else {
                conn.turn_away()
            }
            drop((counted, alive));
        });
    }
}

/// Waits for the open connections to end; past the shutdown timeout, cancels what they run.
fn drain(server: &Server, closed: &mpsc::Receiver<()>, give_up: PipeWriter) -> bool {
    let ended = |timeout| closed.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Disconnected);
    let mut answered = ended(server.settings.shutdown_timeout);
    drop(give_up);
    if !answered {
        answered = ended(limits::PARTING);
    }
    let abandoned = Instant::now() + limits::STOPPING;
    while server.census.work() > 0 && Instant::now() < abandoned {
        thread::sleep(limits::TICK);
    }
    answered && server.census.work() == 0
}
