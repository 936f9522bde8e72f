//! `GET /census` and `GET /metrics`, on a thread that shares nothing with the runtime.
//!
//! The thread serves its clients side by side, each for a bounded time, and the oldest makes room when there are too many.
//! A client that sends its head byte by byte, or does not read, takes nothing from the others.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use contract::{Answer, Refusal, answer, limits, settings, wire};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Census;
use crate::counts::Snapshot;

/// The longest time for a client to send its whole head, and again to take the answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most clients at once.
const CLIENTS: usize = 64;

/// Listens on `address` and serves `census` on a new thread for as long as the process lives.
pub(crate) fn start(
    address: SocketAddr,
    census: Census,
    tasks: impl Fn() -> Option<usize> + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).map_err(|error| settings::taken("admin", address, &error))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    service::thread::spawn("census", move || {
        let mut clients = VecDeque::new();
        loop {
            turn(&listener, &mut clients, &|| census.snapshot(tasks()));
        }
    })?;
    Ok(address)
}

/// Waits until a client comes or something can be done for one, and does it.
fn turn(listener: &TcpListener, clients: &mut VecDeque<Client>, snapshot: &impl Fn() -> Snapshot) {
    let mut fds = vec![PollFd::new(listener, PollFlags::IN)];
    fds.extend(clients.iter().map(|client| PollFd::new(&client.stream, client.awaits())));
    let first = clients.iter().map(|client| client.until).min();
    let left = first.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    // An interrupted wait finds nothing ready, and is begun again.
    let polled = poll(&mut fds, timeout.as_ref());
    let ready: Vec<_> = fds.iter().map(|fd| polled.is_ok() && !fd.revents().is_empty()).collect();
    drop(fds);
    let now = Instant::now();
    let mut ready = ready.into_iter();
    let comes = ready.next() == Some(true);
    clients.retain_mut(|client| {
        let ready = ready.next() == Some(true);
        // The loss of a client that leaves or stalls is its own.
        now < client.until && (!ready || client.step(now, snapshot).unwrap_or_else(|error| blocks(&error)))
    });
    if comes && let Some(client) = accept(listener, now) {
        if clients.len() == CLIENTS {
            clients.pop_front();
        }
        clients.push_back(client);
    }
}

/// Accepts a client; pauses when the process has no descriptor left for it.
fn accept(listener: &TcpListener, now: Instant) -> Option<Client> {
    let accepted = listener.accept().and_then(|(stream, _)| {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Client { stream, state: State::Reads(Vec::new()), until: now + PATIENCE })
    });
    if accepted.as_ref().is_err_and(|error| !blocks(error)) {
        thread::sleep(limits::ACCEPT_PAUSE);
    }
    accepted.ok()
}

/// One client of the admin endpoint.
struct Client {
    stream: TcpStream,
    state: State,
    /// The end of the patience with what it is doing.
    until: Instant,
}

enum State {
    /// Its head is being read.
    Reads(Vec<u8>),
    /// The answer is being written; these bytes of it are left.
    Writes(VecDeque<u8>),
    /// The answer is out; it is read from until it closes, because a close with bytes unread would destroy the answer.
    Parts,
}

impl Client {
    fn awaits(&self) -> PollFlags {
        match self.state {
            State::Reads(_) | State::Parts => PollFlags::IN,
            State::Writes(_) => PollFlags::OUT,
        }
    }

    /// Reads once or writes once; returns whether the client stays.
    fn step(&mut self, now: Instant, snapshot: &impl Fn() -> Snapshot) -> io::Result<bool> {
        let mut chunk = [0; 1024];
        match &mut self.state {
            State::Reads(head) => {
                let read = self.stream.read(&mut chunk)?;
                head.extend_from_slice(&chunk[..read]);
                let answer = match wire::head(head) {
                    Ok(None) => return Ok(read > 0),
                    Ok(Some((head, _))) => {
                        wire::bytes(&answered(&head, snapshot), head.method == Method::HEAD)
                    }
                    Err(refusal) => wire::bytes(&answer::closing(answer::refused(None, &refusal)), false),
                };
                (self.state, self.until) = (State::Writes(answer.into()), now + PATIENCE);
                // Nearly always there is room for it at once.
                self.write(now)?;
            }
            State::Writes(_) => self.write(now)?,
            State::Parts => return Ok(self.stream.read(&mut chunk)? > 0),
        }
        Ok(true)
    }

    /// Writes what the client takes of its answer.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        let State::Writes(rest) = &mut self.state else { return Ok(()) };
        match self.stream.write(rest.make_contiguous()) {
            Ok(written) => drop(rest.drain(..written)),
            Err(error) if blocks(&error) => {}
            Err(error) => return Err(error),
        }
        if rest.is_empty() {
            self.stream.shutdown(Shutdown::Write)?;
            (self.state, self.until) = (State::Parts, now + limits::LINGER);
        }
        Ok(())
    }
}

/// Reports whether the error only says that the socket was not ready.
fn blocks(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The answer to a request with this head.
fn answered(head: &Parts, snapshot: impl Fn() -> Snapshot) -> Answer {
    let answer = match (&head.method, head.uri.path()) {
        (&Method::GET | &Method::HEAD, "/census") => json(&snapshot()),
        (&Method::GET | &Method::HEAD, "/metrics") => {
            text(snapshot().prometheus(), "text/plain; version=0.0.4")
        }
        (&Method::GET | &Method::HEAD, _) => answer::refused(None, &Refusal::NotFound),
        _ => answer::refused(None, &Refusal::Method { allow: "GET, HEAD" }),
    };
    answer::closing(answer)
}

fn json(snapshot: &Snapshot) -> Answer {
    let mut body = serde_json::to_string(snapshot).expect("a struct of numbers has a JSON form");
    body.push('\n');
    text(body, "application/json")
}

fn text(body: String, kind: &'static str) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
