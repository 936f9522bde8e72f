//! A tap between two links of a chain: passes a connection's bytes on as they are, and notes what goes by and when.
//!
//! A tap tells who broke a chain: a link that was not told cannot stop, and a link that ended its own work may still have
//! left its call open. A FIN is passed on as a FIN and a reset as a reset, so that a link hears what it would hear without it.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use socket2::SockRef;

/// The largest head that is read for its fields.
const HEAD: usize = 16 << 10;

/// One request that went by.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// When its head was whole.
    pub asked_at: Instant,
    /// The budget that it was given, from `grpc-timeout`.
    pub budget: Option<Duration>,
    /// Its `traceparent`.
    pub traceparent: Option<String>,
    /// Its `tracestate`; several fields of that name are one list.
    pub tracestate: Option<String>,
    /// When the caller closed or reset its connection.
    pub left_at: Option<Instant>,
    /// When the first byte of the answer went by.
    pub answered_at: Option<Instant>,
    /// The status of the answer.
    pub status: Option<u16>,
}

type Seen = Arc<Mutex<HashMap<String, Vec<Exchange>>>>;

/// A tap in front of one server; it takes no more connections once it is dropped.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    seen: Seen,
    stop: Arc<AtomicBool>,
}

impl Tap {
    /// Opens a tap in front of the server at `next`.
    ///
    /// # Errors
    /// When the socket or the thread cannot be made.
    pub fn open(next: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let tap = Self { address: listener.local_addr()?, seen: Seen::default(), stop: Arc::default() };
        let (seen, stop) = (Arc::clone(&tap.seen), Arc::clone(&tap.stop));
        thread::Builder::new().name("tap".into()).spawn(move || {
            for caller in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let seen = Arc::clone(&seen);
                // A connection that cannot be served is closed, which its caller hears.
                let _ = thread::Builder::new().name("tap".into()).spawn(move || pass(caller, next, &seen));
            }
        })?;
        Ok(tap)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request of this id that went by, in the order it came.
    pub fn seen(&self, id: &str) -> Vec<Exchange> {
        self.seen.lock().get(id).cloned().unwrap_or_default()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread waits for a connection, so it is given one.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

/// The requests that went by, and the place of one connection's among them.
struct Note {
    seen: Seen,
    id: String,
    at: usize,
}

impl Note {
    fn request(seen: &Seen, head: &[u8]) -> Option<Self> {
        let (id, exchange) = read(head)?;
        let mut all = seen.lock();
        let same = all.entry(id.clone()).or_default();
        same.push(exchange);
        Some(Self { seen: Arc::clone(seen), id, at: same.len() - 1 })
    }

    fn with(&self, what: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = self.seen.lock().get_mut(&self.id).and_then(|all| all.get_mut(self.at)) {
            what(exchange);
        }
    }

    fn left(&self) {
        self.with(|exchange| {
            exchange.left_at.get_or_insert_with(Instant::now);
        });
    }

    fn answered(&self, bytes: &[u8]) {
        self.with(|exchange| {
            if exchange.answered_at.is_none() {
                (exchange.answered_at, exchange.status) = (Some(Instant::now()), status(bytes));
            }
        });
    }
}

/// Passes one connection on. Only its first request is noted: a link closes its connection behind each call.
fn pass(mut caller: TcpStream, next: SocketAddr, seen: &Seen) -> io::Result<()> {
    let mut server = TcpStream::connect(next)?;
    for stream in [&caller, &server] {
        stream.set_nodelay(true)?;
    }
    let head = head(&mut caller)?;
    let note = Note::request(seen, &head);
    let (left, answered) = (
        || note.as_ref().map_or((), Note::left),
        |bytes: &[u8]| note.as_ref().map_or((), |note| note.answered(bytes)),
    );
    server.write_all(&head)?;
    let (mut chunk, mut caller_sends) = ([0; 16 << 10], true);
    loop {
        let (asks, replies) = readable(&caller, caller_sends, &server)?;
        if asks {
            match caller.read(&mut chunk) {
                Ok(0) => {
                    left();
                    caller_sends = false;
                    server.shutdown(Shutdown::Write)?;
                }
                Ok(read) => server.write_all(&chunk[..read])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    left();
                    return reset(&server);
                }
            }
        }
        if replies {
            match server.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    answered(&chunk[..read]);
                    if caller.write_all(&chunk[..read]).is_err() {
                        left();
                        return reset(&server);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return reset(&caller),
            }
        }
    }
}

/// Waits until one of them can be read, the caller only as long as it `sends`.
fn readable(caller: &TcpStream, sends: bool, server: &TcpStream) -> io::Result<(bool, bool)> {
    let wanted = |wants| if wants { PollFlags::IN } else { PollFlags::empty() };
    let mut both = [PollFd::new(caller, wanted(sends)), PollFd::new(server, PollFlags::IN)];
    loop {
        match poll(&mut both, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            // What is not asked for comes all the same: a caller that has closed and is now reset.
            Ok(_) if !sends && !both[0].revents().is_empty() && both[1].revents().is_empty() => {
                reset(server)?;
                return Err(ErrorKind::ConnectionReset.into());
            }
            Ok(_) => return Ok((sends && !both[0].revents().is_empty(), !both[1].revents().is_empty())),
        }
    }
}

/// Has the stream reset, and not closed, once it is dropped.
fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Reads to the end of a head, or to the end of what is sent.
fn head(caller: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
    while head.len() < HEAD && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match caller.read(&mut chunk)? {
            0 => break,
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(head)
}

/// Returns the id of the request with this head, and its account as it begins.
fn read(head: &[u8]) -> Option<(String, Exchange)> {
    let text = String::from_utf8_lossy(head);
    let fields = |wanted: &str| {
        let wanted = wanted.to_owned();
        let fields = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values = fields.filter(move |(name, _)| name.eq_ignore_ascii_case(&wanted));
        values.map(|(_, value)| value.trim().to_owned())
    };
    let field = |wanted: &str| fields(wanted).next();
    let states: Vec<String> = fields("tracestate").collect();
    let exchange = Exchange {
        asked_at: Instant::now(),
        budget: field("grpc-timeout").as_deref().and_then(budget),
        traceparent: field("traceparent"),
        tracestate: (!states.is_empty()).then(|| states.join(",")),
        left_at: None,
        answered_at: None,
        status: None,
    };
    Some((field("x-request-id")?, exchange))
}

/// Reads a `grpc-timeout`.
fn budget(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "n" => Some(Duration::from_nanos(number)),
        "u" => Some(Duration::from_micros(number)),
        "m" => Some(Duration::from_millis(number)),
        "S" => Some(Duration::from_secs(number)),
        "M" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "H" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// Reads the status at the start of an answer.
fn status(answer: &[u8]) -> Option<u16> {
    let code = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A server that is called through a tap, the tap, and the caller's and the server's end of one connection.
    fn through(request: &[u8]) -> (Tap, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tap = Tap::open(listener.local_addr().unwrap()).unwrap();
        let mut caller = TcpStream::connect(tap.address()).unwrap();
        caller.write_all(request).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for stream in [&caller, &server] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut heard = vec![0; request.len()];
        server.read_exact(&mut heard).unwrap();
        assert_eq!(heard, request);
        (tap, caller, server)
    }

    const ASKED: &[u8] =
        b"GET /slow HTTP/1.1\r\nHost: x\r\ngrpc-timeout: 250m\r\nX-Request-Id: a-1\r\nTraceparent: t\r\n\r\n";

    #[test]
    fn a_request_and_its_answer_go_by_unchanged_and_are_noted() {
        let (tap, mut caller, mut server) = through(ASKED);
        server.write_all(b"HTTP/1.1 504 Gateway Timeout\r\n\r\n").unwrap();
        drop(server);
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HTTP/1.1 504 Gateway Timeout\r\n\r\n");
        let [exchange] = &tap.seen("a-1")[..] else { panic!("one request went by") };
        assert_eq!((exchange.budget, exchange.status), (Some(Duration::from_millis(250)), Some(504)));
        assert_eq!(exchange.traceparent.as_deref(), Some("t"));
        assert!(exchange.left_at.is_none() && exchange.answered_at >= Some(exchange.asked_at));
    }

    #[test]
    fn a_fin_is_passed_on_as_a_fin_and_noted() {
        let (tap, caller, mut server) = through(ASKED);
        drop(caller);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        assert!(tap.seen("a-1")[0].left_at.is_some());
    }

    #[test]
    fn a_reset_is_passed_on_as_a_reset_and_noted() {
        let (tap, caller, mut server) = through(ASKED);
        reset(&caller).unwrap();
        drop(caller);
        assert_eq!(server.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(tap.seen("a-1")[0].left_at.is_some());
    }

    #[test]
    fn a_budget_is_read_in_every_unit() {
        for (text, millis) in [("2S", 2000), ("3m", 3), ("5000u", 5), ("1M", 60_000), ("1H", 3_600_000)] {
            assert_eq!(budget(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "m", "5", "5x", "-1m"] {
            assert_eq!(budget(text), None, "{text}");
        }
    }
}
