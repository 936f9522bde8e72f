//! A connection's stream as requests see it: the bytes go through, and the connection's clock hears of them.

use std::io::{self, Write};
use std::mem;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use contract::body::Decoder;
use contract::{Closing, OnDisconnect, Overdue, wire};

use http::request::Parts;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::conn::{Conn, End};

/// The stream of a connection, shared with the connection that watches it.
pub(crate) struct Socket {
    pub(crate) stream: Arc<TcpStream>,
    pub(crate) conn: Arc<Conn>,
    // threads: the `stream` outlives its connection's task, and what was read beyond a head is kept here, where hyper keeps
    // it for the others.
    pub(crate) ahead: Vec<u8>,
}

// threads: only here, because hyper sizes the reads of the others.
/// The number of bytes that are read at once.
const READ: usize = 8 * 1024;

impl Socket {
    // threads: no `speaks_http2`, because a preface is a head of another version, which is answered 505.

    // threads: no `poll_read_ahead`, because no preface is looked for.

    // threads: no `withholds_end`, because there are no streams that would outlast it.

    // threads: no `withholds`, because the heads are parsed here, and what is refused is said once.

    // threads: another body, because a write that would wait is an error and not a state.
    /// Tells the clock what became of a write.
    fn wrote(&self, written: io::Result<usize>) -> io::Result<usize> {
        match &written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.conn.clock.blocked(Instant::now());
            }
            _ => self.conn.clock.wrote(),
        }
        written
    }

    // threads: only here, because hyper reads the heads of the others.
    /// Waits for the next head; an error says how the connection ends without one.
    pub(crate) fn head(&mut self) -> Result<Parts, End> {
        let conn = self.conn.clone();
        loop {
            match wire::head(&self.ahead) {
                Ok(Some((head, length))) => {
                    self.ahead.drain(..length);
                    return Ok(head);
                }
                Ok(None) => {}
                Err(refusal) => return Err(End::Refuse(refusal)),
            }
            match self.fill(&conn.server.stopping_bell, conn.clock.deadline()) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(conn.over()),
            }
        }
    }

    // threads: no `poll_read`, because the thread blocks until there is something to read.
    // threads: only here, because the thread blocks until there is something to read.
    /// Reads what comes, and returns how much, 0 at the end; the error `TimedOut` says that `bell` rang, or that it is
    /// past `at`.
    fn fill(&mut self, bell: &OwnedFd, at: Option<Instant>) -> io::Result<usize> {
        self.ahead.reserve(READ);
        loop {
            let Woken::Ready(_) = wait(&*self.stream, PollFlags::IN, Some(bell), at)? else {
                return Err(io::ErrorKind::TimedOut.into());
            };
            let had = self.ahead.len();
            match rustix::io::read(&*self.stream, rustix::buffer::spare_capacity(&mut self.ahead)) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                read => {
                    let read = read?;
                    if read > 0 {
                        self.conn.clock.received(Instant::now(), &self.ahead[had..]);
                    }
                    return Ok(read);
                }
            }
        }
    }

    // threads: no `poll_write`, because the thread blocks until everything is written.
    // threads: only here, because the thread blocks until everything is written.
    /// Writes all of `bytes`; an error says how the connection ends whose client does not take them.
    pub(crate) fn write(&self, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            match self.wrote((&*self.stream).write(bytes)) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unblock()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(self.conn.over()),
            }
        }
        Ok(())
    }

    // threads: only here, because the thread blocks until everything is written.
    /// Waits until the client takes more; a client that has left, as far as the server's settings care, never will.
    fn unblock(&self) -> Result<(), End> {
        let clock = &self.conn.clock;
        let sign = match self.conn.server.settings.on_disconnect {
            OnDisconnect::Cancel => PollFlags::RDHUP,
            OnDisconnect::Serve | OnDisconnect::Detach => PollFlags::empty(),
        };
        match wait(&*self.stream, PollFlags::OUT | sign, None, clock.deadline()) {
            Ok(Woken::Ready(ready)) if ready == PollFlags::RDHUP => Err(self.conn.over()),
            Ok(Woken::Ready(_)) => Ok(()),
            Ok(Woken::Rung | Woken::Late) => match clock.overdue(Instant::now()) {
                Some(Overdue::Write) => Err(End::Close(Closing::Reset)),
                Some(Overdue::Header | Overdue::Idle | Overdue::Stream) => Err(self.conn.over()),
                None => Ok(()),
            },
            Err(_) => Err(self.conn.over()),
        }
    }

    // threads: no `poll_flush`, because nothing is held back.
    // threads: no `poll_shutdown`, because the connection shuts the stream down itself.
}

// threads: only here, because hyper takes the bodies of the others out of their streams.
/// The body of a request, on its way.
pub(crate) struct Incoming<'a> {
    socket: &'a mut Socket,
    decoder: Decoder,
    /// True when the client waits for leave to send it.
    awaits_continue: bool,
}

impl<'a> Incoming<'a> {
    // threads: only here, because hyper takes the bodies of the others out of their streams.
    /// The body that follows `head`; an error says how the connection ends where that is in doubt.
    pub(crate) fn of(head: &Parts, socket: &'a mut Socket) -> Result<Self, End> {
        let decoder = Decoder::of(head).map_err(End::Refuse)?;
        Ok(Self { socket, decoder, awaits_continue: wire::awaits_continue(head) })
    }

    // threads: only here, because hyper takes the bodies of the others out of their streams.
    /// Reports whether nothing more comes.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.decoder.is_whole()
    }

    // threads: only here, because hyper takes the bodies of the others out of their streams.
    /// Waits for more of the body and returns its size, or `None` at the end; the error `TimedOut` says that the
    /// server's patience is over, or that it is past `at`.
    pub(crate) fn frame(&mut self, at: Instant) -> io::Result<Option<usize>> {
        while !self.decoder.is_whole() {
            let size = self.take().map_err(|refusal| io::Error::new(io::ErrorKind::InvalidData, refusal))?;
            if size > 0 {
                return Ok(Some(size));
            }
            if self.decoder.is_whole() {
                break;
            }
            if mem::take(&mut self.awaits_continue) && self.socket.write(wire::CONTINUE).is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let conn = self.socket.conn.clone();
            if self.socket.fill(&conn.server.base_bell, Some(at))? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(None)
    }

    // threads: only here, because hyper takes the bodies of the others out of their streams.
    /// Takes what has been read of the body, and returns how much payload that was.
    fn take(&mut self) -> Result<usize, contract::Refusal> {
        let mut rest = &self.socket.ahead[..];
        let mut size = 0;
        loop {
            match self.decoder.take(&mut rest)? {
                [] => break,
                piece => size += piece.len(),
            }
        }
        let taken = self.socket.ahead.len() - rest.len();
        self.socket.ahead.drain(..taken);
        Ok(size)
    }
}

// threads: only here, because elsewhere the reactor waits.
/// The event that ended a wait.
pub(crate) enum Woken {
    /// The descriptor is ready, or broken, in this way.
    Ready(PollFlags),
    /// The bell rang.
    Rung,
    /// The time came.
    Late,
}

// threads: only here, because elsewhere the reactor waits.
/// Blocks until `fd` is ready for one of `events`, `bell` rings, or `at` has passed; a descriptor that is ready wins.
pub(crate) fn wait(
    fd: impl AsFd,
    events: PollFlags,
    bell: Option<&OwnedFd>,
    at: Option<Instant>,
) -> io::Result<Woken> {
    let awaited = PollFd::new(&fd, events);
    let bell = bell.map(|bell| PollFd::new(bell, PollFlags::IN));
    let mut fds = [awaited.clone(), bell.clone().unwrap_or(awaited)];
    let fds = &mut fds[..1 + usize::from(bell.is_some())];
    loop {
        let now = Instant::now();
        let timeout = at.map(|at| Timespec::try_from(at.saturating_duration_since(now)));
        // A time too far to be told is never waited for in vain: it does not come.
        let timeout = timeout.and_then(Result::ok);
        match poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if at.is_some_and(|at| at <= Instant::now()) => return Ok(Woken::Late),
            Ok(0) => {}
            Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::Ready(fds[0].revents())),
            Ok(_) => return Ok(Woken::Rung),
        }
    }
}
