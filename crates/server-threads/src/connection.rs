//! One connection: its context, the watch over its client and its clock, and its end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

use census::Connection;
use contract::{Clock, Closing, Reason, Refusal, answer, limits, wire};

use either::Either;
use http::header::{CONNECTION, DATE, HeaderValue};
use http::{Method, Request, Response, Version};
use rustix::event::PollFlags;
use socket2::SockRef;

use crate::conn::{Conn, End};
use crate::handler::Body;
use crate::socket::{Incoming, Socket, Woken, wait};
use crate::{Server, handler};

/// Serves one connection until it ends.
pub(crate) fn serve(
    server: Arc<Server>,
    stream: Arc<TcpStream>,
    _counted: Connection,
    _alive: mpsc::Sender<()>,
) {
    let _ = stream.set_nodelay(true);
    // threads: nothing of an `exchange` outlives its connection.
    match exchange(server, &stream) {
        End::Close(Closing::AtOnce) => {}
        End::Close(Closing::Linger) => linger(&stream),
        End::Close(Closing::Reset) => drop(SockRef::from(&stream).set_linger(Some(Duration::ZERO))),
        End::Refuse(refusal) => refuse(&stream, &refusal),
    }
}

// threads: another body, because a thread reads, works and writes in turn: nothing is raced.
/// Answers requests until the client leaves, patience ends, or the server stops.
fn exchange(server: Arc<Server>, stream: &Arc<TcpStream>) -> End {
    let (ctx, cancel) = server.base.with_cancel();
    let cancel = Arc::new(cancel);
    let clock = Clock::start(&server.settings, Instant::now());
    let conn = Arc::new(Conn { server, ctx, clock });
    let mut socket = Socket { stream: stream.clone(), conn: conn.clone(), ahead: Vec::new() };
    // threads: the watch over hangups cancels, so the connection only has to be on its list.
    let Ok(_hangup) = conn.server.hangups.add(stream, &conn.server.settings, &cancel) else {
        return conn.over();
    };
    loop {
        if let Err(end) = turn(&conn, &mut socket) {
            if conn.clock.is_busy() {
                cancel.cancel_cause(Reason::Disconnect);
            }
            return end;
        }
    }
}

// threads: no `over_http1`, because the loop above is all of it.

// threads: only here, because hyper reads the requests of the others and writes their answers.
/// Reads one request and writes its answer; an error says how the connection ends.
fn turn(conn: &Arc<Conn>, socket: &mut Socket) -> Result<(), End> {
    let head = socket.head()?;
    let (is_head, version, kept) = (head.method == Method::HEAD, head.version, wire::keeps_alive(&head));
    let body = Incoming::of(&head, socket)?;
    let Some(response) = handler::handle(conn, Request::from_parts(head, body)) else {
        return Err(conn.over());
    };
    let closes = !kept || conn.server.stopping.err().is_some();
    let last = deliver(socket, response, is_head, version, closes)?;
    if last { Err(conn.over()) } else { Ok(()) }
}

// threads: only here, because hyper reads the requests of the others and writes their answers.
/// Writes an answer and returns whether it was the connection's last.
fn deliver(
    socket: &Socket,
    mut response: Response<Body>,
    is_head: bool,
    version: Version,
    closes: bool,
) -> Result<bool, End> {
    let chunked = version != Version::HTTP_10;
    if closes || (response.body().is_right() && !chunked) {
        response = answer::closing(response);
    }
    let last = response.headers().get(CONNECTION).is_some_and(|value| value == "close");
    if !last && version == Version::HTTP_10 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    response.headers_mut().insert(DATE, wire::date(SystemTime::now()));
    let (head, body) = response.into_parts();
    let chunks = match body {
        Either::Left(text) => {
            socket.write(&wire::bytes(&Response::from_parts(head, text), is_head))?;
            return Ok(last);
        }
        Either::Right(chunks) => chunks,
    };
    socket.write(&wire::streamed(&Response::from_parts(head, ()), chunked))?;
    for chunk in chunks {
        let chunk = chunk.map_err(|_| socket.conn.over())?;
        socket.write(if chunked { wire::chunk(&chunk) } else { chunk }.as_bytes())?;
    }
    socket.write(if chunked { wire::LAST_CHUNK } else { "" }.as_bytes())?;
    socket.conn.clock.flushed();
    Ok(last)
}

// threads: no `ended_by`, because each step says itself how the connection ends.

// threads: no `gone`, because a thread of its own watches over all clients.

// threads: no `overdue`, because every wait for the socket ends when the clock's patience does.

// threads: another body, because the wait and its end are one call.
/// Closes a connection so that the close does not destroy an answer on its way: says that nothing more comes, then
/// reads what the client still sends, for a moment.
fn linger(stream: &TcpStream) {
    let _ = SockRef::from(stream).shutdown(Shutdown::Write);
    let closed = Instant::now() + limits::LINGER;
    let mut unread = vec![0; 4096];
    while let Ok(Woken::Ready(_)) = wait(stream, PollFlags::IN, None, Some(closed))
        && Instant::now() < closed
    {
        match (&mut &*stream).read(&mut unread) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

/// Answers what is no request, or a connection over the limit, and closes.
pub(crate) fn refuse(stream: &TcpStream, refusal: &Refusal) {
    let answer = wire::bytes(&answer::refused(None, refusal), false);
    // A client that takes no more has answers enough to read: it is not waited for.
    let _ = SockRef::from(stream).send(&answer);
    linger(stream);
}

/// Turns away a connection over the limit.
pub(crate) fn turn_away(stream: Arc<TcpStream>) {
    refuse(&stream, &Refusal::Busy);
}

// threads: only here, because there may be no thread left to turn a connection away on.
/// Connections that were turned away and are read once more before they are closed, so that the close destroys no answer.
#[derive(Default)]
pub(crate) struct Dismissed {
    line: VecDeque<(Instant, Arc<TcpStream>)>,
}

// threads: only here, because there may be no thread left to turn a connection away on.
/// The most of them that are kept at once: one more closes the first.
const DISMISSED: usize = 1024;

impl Dismissed {
    // threads: only here, because there may be no thread left to turn a connection away on.
    /// Turns away a connection at once.
    pub(crate) fn dismiss(&mut self, stream: Arc<TcpStream>) {
        let answer = wire::bytes(&answer::refused(None, &Refusal::Busy), false);
        let _ = SockRef::from(&*stream).send(&answer);
        let _ = stream.shutdown(Shutdown::Write);
        self.line.push_back((Instant::now() + limits::LINGER, stream));
        if self.line.len() > DISMISSED {
            self.close_first();
        }
    }

    // threads: only here, because there may be no thread left to turn a connection away on.
    /// The time at which the first of them is to be closed.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.line.front().map(|(due, _)| *due)
    }

    // threads: only here, because there may be no thread left to turn a connection away on.
    /// Closes those whose time has come.
    pub(crate) fn close_due(&mut self) {
        let now = Instant::now();
        while self.due().is_some_and(|due| due <= now) {
            self.close_first();
        }
    }

    // threads: only here, because there may be no thread left to turn a connection away on.
    /// Closes the first, once what its client has sent is read, as far as that is little.
    fn close_first(&mut self) {
        let mut unread = [0; 16 * 1024];
        if let Some((_, stream)) = self.line.pop_front() {
            let _ = (&mut &*stream).read(&mut unread);
        }
    }
}

impl Drop for Dismissed {
    // threads: only here, because there may be no thread left to turn a connection away on.
    fn drop(&mut self) {
        while !self.line.is_empty() {
            self.close_first();
        }
    }
}
