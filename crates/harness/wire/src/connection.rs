//! The misbehaving client: sends bytes as they are, sees FIN, RST and silence apart, and never gives up first.
//!
//! It sets no timer that could answer for the server. The one limit it knows is the watchdog's, and reaching
//! it is a broken promise ("no answer"), never a status.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::trace::Trace;
use crate::{Error, Request, Response, response};

mod raw;

/// A response and when it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The response.
    pub response: Response,
    /// Just before the request's first byte was handed to the kernel, so that no answer can look early.
    pub sent_at: Instant,
    /// When the first byte of the response was read: call [`Wire::answer`] before it can come.
    pub first_byte_at: Instant,
    /// When its last byte was here.
    pub done_at: Instant,
}

impl Answer {
    /// From sending to the first byte of the answer.
    pub fn after(&self) -> Duration {
        self.first_byte_at - self.sent_at
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.response.status
    }
}

/// The ways in which a connection ends, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub enum End {
    /// The server closed in order.
    #[strum(to_string = "FIN")]
    Fin,
    /// The server reset the connection.
    #[strum(to_string = "RST")]
    Reset,
    /// Nothing came in the time that was watched.
    #[strum(to_string = "silence")]
    Silence,
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    number: u64,
    host: String,
    buffer: Vec<u8>,
    arrived_at: Option<Instant>,
    /// When the last bytes came.
    filled_at: Instant,
    sent_at: Instant,
    ended: Option<(End, Instant)>,
    give_up_at: Instant,
    trace: Trace,
    /// True when the trace shows bytes; frames are shown by their reader.
    shows_bytes: bool,
}

impl Wire {
    /// Connects to `to`; nothing on this connection waits past `give_up_at`.
    ///
    /// # Errors
    /// When the server refuses or does not accept.
    pub fn connect(to: SocketAddr, give_up_at: Instant, trace: &Trace) -> Result<Self, Error> {
        Self::connect_with(to, give_up_at, trace, |_| Ok(()))
    }

    /// The same with the smallest buffers there are on both sides, so that a client that does not read is felt soon.
    ///
    /// # Errors
    /// As [`Wire::connect`].
    pub fn connect_narrow(to: SocketAddr, give_up_at: Instant, trace: &Trace) -> Result<Self, Error> {
        Self::connect_with(to, give_up_at, trace, |socket| {
            socket.set_recv_buffer_size(2304)?;
            // The kernel gives a sender room for so many segments: small ones shrink the server's buffer.
            socket.set_tcp_mss(256)
        })
    }

    /// The same with a small window and small segments: a client that reads steadily is one that the server must wait for.
    ///
    /// # Errors
    /// As [`Wire::connect`].
    pub fn connect_slow(to: SocketAddr, give_up_at: Instant, trace: &Trace) -> Result<Self, Error> {
        Self::connect_with(to, give_up_at, trace, |socket| {
            socket.set_recv_buffer_size(8 * 1024)?;
            socket.set_tcp_mss(256)
        })
    }

    fn connect_with(
        to: SocketAddr,
        give_up_at: Instant,
        trace: &Trace,
        prepare: impl FnOnce(&Socket) -> std::io::Result<()>,
    ) -> Result<Self, Error> {
        let refused = |source| Error::Connect { to, source };
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))
            .and_then(|socket| prepare(&socket).map(|()| socket))
            .map_err(|source| Error::Local { what: "create a socket", source })?;
        let limit = give_up_at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.connect_timeout(&to.into(), limit).map_err(refused)?;
        socket.set_tcp_nodelay(true).map_err(refused)?;
        socket.set_write_timeout(Some(limit)).map_err(refused)?;
        Ok(Self::on(socket.into(), to, give_up_at, trace))
    }

    /// The same on a stream that is connected to `to`, however it came to be.
    ///
    /// # Errors
    /// When the system refuses to set it up.
    pub fn over(
        stream: TcpStream,
        to: SocketAddr,
        give_up_at: Instant,
        trace: &Trace,
    ) -> Result<Self, Error> {
        let limit = give_up_at.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let ready = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(limit)));
        ready.map_err(|source| Error::Local { what: "set up a socket", source })?;
        Ok(Self::on(stream, to, give_up_at, trace))
    }

    fn on(stream: TcpStream, to: SocketAddr, give_up_at: Instant, trace: &Trace) -> Self {
        let number = trace.next_connection();
        trace.say(number, "connected");
        Self {
            stream,
            number,
            host: to.to_string(),
            buffer: Vec::new(),
            arrived_at: None,
            filled_at: Instant::now(),
            sent_at: Instant::now(),
            ended: None,
            give_up_at,
            trace: trace.clone(),
            shows_bytes: true,
        }
    }

    /// Sends `bytes` as they are, in one write if the kernel takes them.
    ///
    /// # Errors
    /// When the connection is gone or the server stops reading.
    pub fn send(&mut self, bytes: &[u8]) -> Result<Instant, Error> {
        self.trace.bytes(self.number, '>', bytes);
        self.sent_at = Instant::now();
        self.stream.write_all(bytes).map_err(Error::Send)?;
        Ok(self.sent_at)
    }

    /// Sends one request as it is, in one write if the kernel takes it.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub fn send_request(&mut self, request: &Request) -> Result<Instant, Error> {
        self.send(&request.bytes(&self.host))
    }

    /// Sends one byte as TCP's urgent data, beside the stream.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_urgent(&mut self, byte: u8) -> Result<(), Error> {
        self.trace.say(self.number, "client: one byte of urgent data");
        SockRef::from(&self.stream).send_out_of_band(&[byte]).map(drop).map_err(Error::Send)
    }

    /// Calls the server by `host` instead of by its address, in the `Host` of every request from now on.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The authority of the server (`127.0.0.1:8080`), for bytes that are no [`Request`].
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// As [`Wire::send`] and [`Wire::answer`].
    pub fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        self.send_request(request)?;
        if request.is_head() { self.answer_to_head() } else { self.answer() }
    }

    /// Reads the next response, past interim ones (1xx); its time counts from the last [`Wire::send`].
    ///
    /// # Errors
    /// When none comes, or something that is no response, or the connection ends before its first byte.
    pub fn answer(&mut self) -> Result<Answer, Error> {
        self.read_answer(false)
    }

    /// Reads the next response, to a HEAD request: it has no body whatever it announces.
    ///
    /// # Errors
    /// As [`Wire::answer`].
    pub fn answer_to_head(&mut self) -> Result<Answer, Error> {
        self.read_answer(true)
    }

    fn read_answer(&mut self, head_only: bool) -> Result<Answer, Error> {
        loop {
            let parsed = response::parse(&self.buffer, self.ended.is_some(), head_only);
            if let Some((response, used)) = parsed.map_err(Error::Malformed)? {
                let first_byte_at = self.arrived_at.unwrap_or_else(Instant::now);
                self.buffer.drain(..used);
                self.arrived_at = (!self.buffer.is_empty()).then_some(first_byte_at);
                // The time of an answer is that of its final response.
                if response.is_interim() {
                    continue;
                }
                let done_at = Instant::now();
                return Ok(Answer { response, sent_at: self.sent_at, first_byte_at, done_at });
            }
            if let Some((end, at)) = self.ended {
                let after = at.saturating_duration_since(self.sent_at);
                return Err(Error::Ended { how: end, after });
            }
            if !self.fill(self.give_up_at)? {
                let waited = self.sent_at.elapsed();
                return Err(Error::Silent { waited });
            }
        }
    }

    /// Waits for the connection's end, at most `within`; bytes that come before it are kept.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn end(&mut self, within: Duration) -> Result<(End, Instant), Error> {
        let until = (Instant::now() + within).min(self.give_up_at);
        while self.ended.is_none() {
            if !self.fill(until)? {
                return Ok((End::Silence, Instant::now()));
            }
        }
        Ok(self.ended.expect("the loop ends when the connection has ended"))
    }

    /// Waits `within` for bytes that nobody asked for; gives those that came.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn stray(&mut self, within: Duration) -> Result<&[u8], Error> {
        let until = (Instant::now() + within).min(self.give_up_at);
        while self.ended.is_none() && self.fill(until)? {}
        Ok(&self.buffer)
    }

    /// True once the server has closed or reset the connection, as far as was read.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// When the last bytes were sent, from the moment before.
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// Bytes that came and belong to no response read so far.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads what is there, waiting until `until`; false when nothing came.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub fn fill(&mut self, until: Instant) -> Result<bool, Error> {
        self.sip(until, 16 * 1024)
    }

    /// The same, and reads no more than `most` bytes.
    ///
    /// # Errors
    /// As [`Wire::fill`].
    pub fn sip(&mut self, until: Instant, most: usize) -> Result<bool, Error> {
        if self.ended.is_some() {
            return Ok(true);
        }
        if !readable(&self.stream, until)? {
            return Ok(false);
        }
        let mut chunk = [0; 16 * 1024];
        let most = most.min(chunk.len());
        let read = self.stream.read(&mut chunk[..most]);
        let now = Instant::now();
        match read {
            Ok(0) => self.note_end(End::Fin, now),
            Ok(length) => {
                self.arrived_at.get_or_insert(now);
                self.filled_at = now;
                self.buffer.extend_from_slice(&chunk[..length]);
                if self.shows_bytes {
                    self.trace.bytes(self.number, '<', &chunk[..length]);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.note_end(End::Reset, now),
        }
        Ok(true)
    }

    fn note_end(&mut self, end: End, at: Instant) {
        self.trace.say(self.number, if end == End::Fin { "server closed" } else { "server reset" });
        self.ended = Some((end, at));
    }

    /// Closes the sending half: FIN, while answers can still be read.
    pub fn half_close(&self) -> Instant {
        self.trace.say(self.number, "client: shutdown(WR)");
        let at = Instant::now();
        // An error means that the connection is gone already, which the next read tells.
        let _ = self.stream.shutdown(Shutdown::Write);
        at
    }

    /// Closes the connection in order: FIN.
    pub fn close(self) -> Instant {
        self.trace.say(self.number, "client: close");
        Instant::now()
    }

    /// Resets the connection: RST (linger 0).
    pub fn reset(self) -> Instant {
        self.trace.say(self.number, "client: reset");
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Instant::now()
    }
}

/// Waits until `stream` has bytes, has ended or has failed; false at `until`.
fn readable(stream: &TcpStream, until: Instant) -> Result<bool, Error> {
    ready(stream, PollFlags::IN, until).map(|ready| !ready.is_empty())
}

/// Waits for any of `events` on `stream`, its end or its failure; gives none at `until`.
fn ready(stream: &TcpStream, events: PollFlags, until: Instant) -> Result<PollFlags, Error> {
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    let mut watched = [PollFd::new(stream, events)];
    match rustix::event::poll(&mut watched, Some(&timeout)) {
        Ok(_) => Ok(watched[0].revents()),
        // Interrupted: the caller's loop comes back with what time is left.
        Err(Errno::INTR) => Ok(events),
        Err(error) => Err(Error::Local { what: "poll a socket", source: error.into() }),
    }
}
