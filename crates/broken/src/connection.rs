//! One connection: its bytes, its clock and its end.

use std::io::{self, PipeReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use broken::Fault;
use contract::body::Decoder;
use contract::{
    Answer, Clock, Closing, Failure, Identity, OnDisconnect, Reason, Refusal, answer, limits, outcome, wire,
};
use ctx::Context;
use http::header::{CONNECTION, DATE, HeaderValue};
use http::request::Parts;
use http::{Method, Version};
use rustix::event::PollFlags;
use rustix::net::sockopt;

use crate::patience::Guess;
use crate::wait::{Woken, wait};
use crate::{Server, lenient};

/// The time for which a fault keeps a connection whose client can ask nothing more: past every scenario's patience.
const HALF_CLOSED: Duration = Duration::from_secs(20);

/// A connection and what was read of it and not yet used.
pub(crate) struct Conn<'a> {
    pub(crate) server: &'a Arc<Server>,
    pub(crate) stream: TcpStream,
    pub(crate) clock: Clock,
    /// The first request's identity, which nobody needs: what a fault keeps too long.
    pub(crate) first: Option<Identity>,
    /// When the stream that is under way is truncated.
    pub(crate) streams_until: Option<Instant>,
    /// Held by the work of a stream in HTTP/2 that this connection stands for.
    pub(crate) slot: Option<Arc<()>>,
    pub(crate) accepted_at: Instant,
    pub(crate) ahead: Vec<u8>,
    /// True when the first bytes of the first head were read to tell the protocol.
    pub(crate) is_looked_at: bool,
    /// True when the answer went out before its request was read whole.
    unread: bool,
    /// True when the connection is to be reset.
    reset: bool,
    /// The phase that a fault infers from the client's bytes.
    pub(crate) guess: Guess,
    /// True when a fault has stopped watching for the end of the client.
    pub(crate) deaf: bool,
    /// The number of requests that were read.
    pub(crate) requests: usize,
    /// The id of the last request.
    pub(crate) last_id: String,
}

/// The connection ends without an answer, or with this refusal.
pub(crate) type End = Option<Refusal>;

impl<'a> Conn<'a> {
    pub(crate) fn new(server: &'a Arc<Server>, stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(server.fault != Fault::WaitsForAcks);
        // A connection that would block the thread is waited for in `poll`; one that cannot be told so does block it.
        let _ = stream.set_nonblocking(true);
        let accepted_at = Instant::now();
        let clock = Clock::start(&server.settings, accepted_at);
        Self {
            server,
            stream,
            clock,
            first: None,
            streams_until: None,
            slot: None,
            accepted_at,
            ahead: Vec::new(),
            is_looked_at: false,
            unread: false,
            reset: false,
            guess: Guess::start(accepted_at),
            deaf: false,
            requests: 0,
            last_id: String::new(),
        }
    }

    /// Answers requests until the client leaves, patience ends, or the server stops.
    pub(crate) fn serve(&mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) | Err(None) => return self.close(),
                Err(Some(_)) if self.server.fault == Fault::ServesGarbage => {
                    let garbage = answer::closing(answer::fast(&Identity::default()));
                    return self.part(&wire::bytes(&garbage, false));
                }
                Err(Some(refusal)) if self.server.fault == Fault::ResetsUnread => {
                    let _ = self.write(&wire::bytes(&answer::refused(None, &refusal), false));
                    return;
                }
                Err(Some(refusal)) => {
                    return self.part(&wire::bytes(&answer::refused(None, &refusal), false));
                }
            }
        }
    }

    pub(crate) fn turn_away(&mut self) {
        if self.server.fault == Fault::LeaksRefused {
            std::mem::forget(std::fs::File::open("/dev/null"));
        }
        let bytes = wire::bytes(&answer::refused(None, &Refusal::Busy), false);
        if self.server.fault == Fault::ResetsUnread {
            // The request is on its way: it is unread when the connection is dropped.
            std::thread::sleep(limits::ACCEPT_PAUSE);
            let _ = self.write(&bytes);
        } else {
            self.part(&bytes);
        }
    }

    /// Reads one request and writes its answer; false when the connection is over.
    fn turn(&mut self) -> Result<bool, End> {
        let head = self.head()?;
        self.requests += 1;
        let fault = self.server.fault;
        let mut decoder = Decoder::of(&head)?;
        let is_head = head.method == Method::HEAD && fault != Fault::AnswersHeadWithBody;
        let Some(mut answer) = self.handle(&head, &mut decoder) else { return Ok(false) };
        let unread = !decoder.is_whole();
        let kept = match fault {
            Fault::KeepsHttp10 if head.version == Version::HTTP_10 => true,
            Fault::ClosesEveryTime => false,
            _ => wire::keeps_alive(&head),
        };
        if unread || !kept || self.server.stopping.load(Ordering::Relaxed) {
            answer = answer::closing(answer);
        }
        self.name(&head, &mut answer);
        let last = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
        if !last && head.version == Version::HTTP_10 && fault != Fault::KeepsHttp10 {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        answer.headers_mut().insert(DATE, wire::date(SystemTime::now()));
        self.unread = unread;
        let bytes = wire::bytes(&answer, is_head);
        Ok(self.write(&bytes).is_ok() && !last)
    }

    /// Closes the connection so that its client can tell what it got, but for the faults.
    fn close(&mut self) {
        let lingers = match self.server.fault {
            Fault::ResetsUnread => !self.unread,
            Fault::LingersForBodiesAlone => self.unread,
            _ => true,
        };
        match self.clock.closing() {
            Closing::Linger if lingers && !self.reset => self.part(b""),
            Closing::Reset => drop(sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))),
            Closing::Linger | Closing::AtOnce => {}
        }
    }

    /// Writes another id over the one that the answer has, if a fault wants it so.
    fn name(&self, head: &Parts, answer: &mut Answer) {
        let id = match self.server.fault {
            Fault::StampsOneId => Some(HeaderValue::from_static("lab-1")),
            Fault::ReflectsIds => head.headers.get("x-request-id").cloned(),
            _ => None,
        };
        if let Some(id) = id {
            answer.headers_mut().insert("x-request-id", id);
        }
    }

    /// Waits for the next head; an error says how the connection ends without one.
    fn head(&mut self) -> Result<Parts, End> {
        let mut reads = usize::from(std::mem::take(&mut self.is_looked_at));
        loop {
            if self.server.fault == Fault::RefusesEmptyLines && self.ahead.starts_with(b"\r\n") {
                return Err(Some(Refusal::Malformed("malformed request head")));
            }
            if self.server.fault == Fault::TrustsItsParser {
                lenient::head(&mut self.ahead);
            }
            if let Some((head, length)) = wire::head(&self.ahead)? {
                self.ahead.drain(..length);
                return Ok(head);
            }
            if self.server.fault == Fault::ReadsOnce && reads > 0 {
                return Err(Some(Refusal::Malformed("malformed request head")));
            }
            reads += 1;
            match self.fill(&self.server.stopped, self.patience()) {
                Ok(1..) => {}
                Ok(0) if self.server.fault == Fault::KeepsHalfClosed && self.slot.is_none() => {
                    let at = Instant::now() + HALF_CLOSED;
                    let _ = wait(None::<(&TcpStream, _)>, &[&self.server.stopped], Some(at));
                    return Err(None);
                }
                Ok(0) | Err(_) => {
                    if self.server.fault == Fault::EndsNeighbors {
                        self.server.ends_badly(&self.last_id);
                    }
                    return Err(None);
                }
            }
        }
    }

    /// Reads what comes and returns how much, 0 at the end; `TimedOut` says that `bell` rang or `at` has passed.
    pub(crate) fn fill(&mut self, bell: &PipeReader, at: Option<Instant>) -> io::Result<usize> {
        let mut chunk = [0; 8 * 1024];
        let read = loop {
            if wait(Some((&self.stream, PollFlags::IN)), &[bell], at)? != Woken::Ready {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => break read?,
            }
        };
        self.ahead.extend_from_slice(&chunk[..read]);
        let now = Instant::now();
        self.clock.received(now, &chunk[..read]);
        self.guess.received(now, &chunk[..read]);
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
            if self.server.fault == Fault::TrustsItsParser {
                lenient::trailers(&mut self.ahead);
            }
            let mut rest = &self.ahead[..];
            while let piece @ [_, ..] = decoder.take(&mut rest)? {
                size += piece.len();
            }
            self.ahead.drain(..self.ahead.len() - rest.len());
            if size > limits::BODY && self.server.fault != Fault::TakesAnySize {
                return Err(Refusal::BodyTooLarge.into());
            }
            if decoder.is_whole() {
                return Ok(size);
            }
            if std::mem::take(&mut awaits_continue) {
                // A client that does not take it has left, as the next read tells.
                let _ = self.write(wire::CONTINUE);
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
        let at = self.patience_at_work().map_or(at, |end| end.min(at));
        if self.is_taken_for_gone() {
            return Err(Reason::Disconnect);
        }
        match wait(self.leaving(), &[&self.server.over], Some(at)) {
            Ok(Woken::Late) => Ok(()),
            Ok(Woken::Rung) => Err(Reason::Shutdown),
            Ok(Woken::Ready) | Err(_) => Err(Reason::Disconnect),
        }
    }

    /// Returns the socket and the events that tell of a disconnect, as far as the settings care.
    pub(crate) fn leaving(&self) -> Option<(&TcpStream, PollFlags)> {
        match self.server.settings.on_disconnect {
            _ if self.deaf || self.server.fault == Fault::IgnoresDisconnects => None,
            _ if self.server.fault == Fault::AlwaysCancels => Some((&self.stream, PollFlags::RDHUP)),
            OnDisconnect::Cancel if self.server.fault == Fault::TakesBytesForEnds => {
                Some((&self.stream, PollFlags::RDHUP | PollFlags::IN))
            }
            OnDisconnect::Cancel if self.server.fault == Fault::TakesUrgencyForEnds => {
                Some((&self.stream, PollFlags::RDHUP | PollFlags::PRI))
            }
            OnDisconnect::Cancel => Some((&self.stream, PollFlags::RDHUP)),
            // A reset is reported unasked.
            OnDisconnect::Serve => Some((&self.stream, PollFlags::empty())),
            OnDisconnect::Detach => None,
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The client has left, or took nothing until patience ended: the connection is reset when it is dropped.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let half = if self.server.fault == Fault::WaitsForAcks { bytes.len() / 2 } else { 0 };
        let (head, tail) = bytes.split_at(half);
        for mut part in [head, tail] {
            while !part.is_empty() {
                match self.stream.write(part) {
                    Ok(written) => {
                        self.clock.wrote();
                        part = &part[written..];
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room()?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Waits until the client takes more.
    fn room(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let patient = self.server.fault != Fault::WaitsForReaders;
        let late = patient.then(|| now + self.server.settings.write_timeout);
        let gives_up = self.streams_until.and(self.patience_at_work());
        let at = late.into_iter().chain(self.streams_until).chain(gives_up).min();
        let left = self.streams_until.and(self.leaving()).map_or(PollFlags::empty(), |(_, left)| left);
        let woken = wait(Some((&self.stream, PollFlags::OUT | left)), &[&self.server.over], at)?;
        if woken == Woken::Late && gives_up.is_some_and(|end| end <= Instant::now()) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if woken != Woken::Ready {
            let _ = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
            self.reset = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.streams_until.is_some() && self.pause(now) == Err(Reason::Disconnect) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Writes the last answer and closes so that the close does not destroy it on its way.
    fn part(&mut self, bytes: &[u8]) {
        let _ = self.write(bytes);
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.shutdown(Shutdown::Write);
        let bound = if self.server.fault == Fault::LingersForEver { HALF_CLOSED } else { limits::LINGER };
        let closed = Instant::now() + bound;
        let mut unread = [0; 4096];
        while let Some(left) = closed.checked_duration_since(Instant::now())
            && self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).is_ok()
            && self.stream.read(&mut unread).is_ok_and(|read| read > 0)
        {}
    }
}
