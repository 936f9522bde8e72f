//! One connection: its bytes, its clock and its end.

use std::io::{self, PipeReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use broken::Fault;
use contract::body::Decoder;
use contract::{Clock, Failure, Identity, OnDisconnect, Reason, Refusal, answer, limits, outcome, wire};
use ctx::Context;
use http::header::{CONNECTION, DATE, HeaderValue};
use http::request::Parts;
use http::{Method, Version};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::Server;

/// A connection and what was read of it and not yet used.
pub(crate) struct Conn<'a> {
    pub(crate) server: &'a Server,
    pub(crate) stream: TcpStream,
    pub(crate) clock: Clock,
    /// The first request's identity, which nobody needs: what a fault keeps too long.
    pub(crate) first: Option<Identity>,
    ahead: Vec<u8>,
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor is ready, or broken.
    Ready,
    /// The bell rang.
    Rung,
    /// The time came.
    Late,
}

/// The connection ends without an answer, or with this refusal.
pub(crate) type End = Option<Refusal>;

impl<'a> Conn<'a> {
    pub(crate) fn new(server: &'a Server, stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(server.fault != Fault::WaitsForAcks);
        let clock = Clock::start(&server.settings, Instant::now());
        Self { server, stream, clock, first: None, ahead: Vec::new() }
    }

    /// Answers requests until the client leaves, patience ends, or the server stops.
    pub(crate) fn serve(&mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) | Err(None) => return,
                Err(Some(_)) if self.server.fault == Fault::ServesGarbage => {
                    let garbage = answer::closing(answer::fast(&Identity::default()));
                    return self.part(&wire::bytes(&garbage, false));
                }
                Err(Some(refusal)) => {
                    return self.part(&wire::bytes(&answer::refused(None, &refusal), false));
                }
            }
        }
    }

    pub(crate) fn turn_away(&mut self) {
        self.part(&wire::bytes(&answer::refused(None, &Refusal::Busy), false));
    }

    /// Reads one request and writes its answer; false when the connection is over.
    fn turn(&mut self) -> Result<bool, End> {
        let head = self.head()?;
        let mut decoder = Decoder::of(&head)?;
        let is_head = head.method == Method::HEAD;
        let Some(mut answer) = self.handle(&head, &mut decoder) else { return Ok(false) };
        let unread = !decoder.is_whole();
        if unread || !wire::keeps_alive(&head) || self.server.stopping.load(Ordering::Relaxed) {
            answer = answer::closing(answer);
        }
        let last = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
        if !last && head.version == Version::HTTP_10 {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        answer.headers_mut().insert(DATE, wire::date(SystemTime::now()));
        let bytes = wire::bytes(&answer, is_head);
        if unread && self.server.fault != Fault::ResetsUnread {
            self.part(&bytes);
        } else {
            self.write(&bytes);
        }
        Ok(!last)
    }

    /// Waits for the next head; an error says how the connection ends without one.
    fn head(&mut self) -> Result<Parts, End> {
        loop {
            if let Some((head, length)) = wire::head(&self.ahead)? {
                self.ahead.drain(..length);
                return Ok(head);
            }
            if !matches!(self.fill(&self.server.stopped, self.clock.deadline()), Ok(1..)) {
                return Err(None);
            }
        }
    }

    /// Reads what comes and returns how much, 0 at the end; `TimedOut` says that `bell` rang or `at` has passed.
    fn fill(&mut self, bell: &PipeReader, at: Option<Instant>) -> io::Result<usize> {
        if wait(Some((&self.stream, PollFlags::IN)), bell, at)? != Woken::Ready {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut chunk = [0; 8 * 1024];
        let read = self.stream.read(&mut chunk)?;
        self.ahead.extend_from_slice(&chunk[..read]);
        self.clock.received(Instant::now(), &chunk[..read]);
        if self.server.fault == Fault::PatientWithTrickles {
            self.clock = Clock::start(&self.server.settings, Instant::now());
        }
        Ok(read)
    }

    /// Reads the body to its end and returns its size.
    pub(crate) fn body(
        &mut self,
        ctx: &Context,
        head: &Parts,
        decoder: &mut Decoder,
        read_by: Instant,
    ) -> Result<usize, Failure> {
        let mut awaits_continue = wire::awaits_continue(head);
        let late = ctx.deadline().map_or(read_by, |deadline| deadline.min(read_by));
        let mut size = 0;
        loop {
            let mut rest = &self.ahead[..];
            while let piece @ [_, ..] = decoder.take(&mut rest)? {
                size += piece.len();
            }
            self.ahead.drain(..self.ahead.len() - rest.len());
            if size > limits::BODY {
                return Err(Refusal::BodyTooLarge.into());
            }
            if decoder.is_whole() {
                return Ok(size);
            }
            if std::mem::take(&mut awaits_continue) {
                self.write(wire::CONTINUE);
            }
            match self.fill(&self.server.over, Some(late)) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    outcome::live(ctx)?;
                    let patient = Instant::now() < read_by;
                    return Err(if patient { Reason::Shutdown.into() } else { Refusal::ReadTimeout.into() });
                }
                Ok(0) | Err(_) => return Err(Reason::Disconnect.into()),
            }
        }
    }

    /// Waits until `at`; the client's leaving, as far as the settings care, and the server's end come first.
    pub(crate) fn pause(&self, at: Instant) -> Result<(), Reason> {
        let client = match self.server.settings.on_disconnect {
            _ if self.server.fault == Fault::IgnoresDisconnects => None,
            OnDisconnect::Cancel => Some((&self.stream, PollFlags::RDHUP)),
            // A reset is reported unasked.
            OnDisconnect::Serve => Some((&self.stream, PollFlags::empty())),
            OnDisconnect::Detach => None,
        };
        match wait(client, &self.server.over, Some(at)) {
            Ok(Woken::Late) => Ok(()),
            Ok(Woken::Rung) => Err(Reason::Shutdown),
            Ok(Woken::Ready) | Err(_) => Err(Reason::Disconnect),
        }
    }

    /// Writes all of `bytes`; a client that does not take them has left, as the next read tells.
    fn write(&mut self, bytes: &[u8]) {
        let head = if self.server.fault == Fault::WaitsForAcks { bytes.len() / 2 } else { 0 };
        let _ = self.stream.write_all(&bytes[..head]).and_then(|()| self.stream.write_all(&bytes[head..]));
    }

    /// Writes the last answer and closes so that the close does not destroy it on its way.
    fn part(&mut self, bytes: &[u8]) {
        self.write(bytes);
        let _ = self.stream.shutdown(Shutdown::Write);
        let closed = Instant::now() + limits::LINGER;
        let mut unread = [0; 4096];
        while let Some(left) = closed.checked_duration_since(Instant::now())
            && self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).is_ok()
            && self.stream.read(&mut unread).is_ok_and(|read| read > 0)
        {}
    }
}

/// Blocks until `awaited` is ready, `bell` rings, or `at` has passed; a descriptor that is ready wins.
pub(crate) fn wait(
    awaited: Option<(impl AsFd, PollFlags)>,
    bell: &PipeReader,
    at: Option<Instant>,
) -> io::Result<Woken> {
    let bell = PollFd::new(bell, PollFlags::IN);
    let awaited = awaited.as_ref().map(|(fd, events)| PollFd::new(fd, *events));
    let mut fds = [bell.clone(), awaited.clone().unwrap_or(bell)];
    let fds = &mut fds[..1 + usize::from(awaited.is_some())];
    loop {
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if at.is_some_and(|at| at <= Instant::now()) => return Ok(Woken::Late),
            Ok(0) => {}
            Ok(_) if fds.get(1).is_some_and(|fd| !fd.revents().is_empty()) => return Ok(Woken::Ready),
            Ok(_) => return Ok(Woken::Rung),
        }
    }
}
