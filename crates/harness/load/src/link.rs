//! One keep-alive connection of a load: bytes out, answers in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use wire::response;

/// How long opening a connection may take before the load begins.
const OPEN: Duration = Duration::from_secs(5);

/// A request that was sent and has no answer yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) intended_at: Instant,
    pub(super) sent_at: Instant,
    pub(super) first_byte_at: Option<Instant>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: TcpStream,
    pub(super) asked: Option<Asked>,
    unsent: usize,
    received: Vec<u8>,
}

/// What became of a connection that had something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not a whole answer yet, or nothing.
    Nothing,
    /// A whole answer.
    Answer {
        /// Its status.
        status: u16,
        /// Whether the server closes the connection behind it.
        last: bool,
    },
    /// The connection ended, with no whole answer.
    Ended,
}

impl Link {
    /// Connects and waits for it.
    pub(super) fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, OPEN)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self::on(stream))
    }

    /// Connects and does not wait: what is written before the connection is open leaves when it is.
    pub(super) fn reopen(to: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                Err(error)
            }
            _ => Ok(Self::on(socket.into())),
        }
    }

    fn on(stream: TcpStream) -> Self {
        Self { stream, asked: None, unsent: 0, received: Vec::new() }
    }

    /// Sends `request`, which was due at `intended_at`.
    pub(super) fn ask(&mut self, request: &[u8], intended_at: Instant, sent_at: Instant) {
        self.asked = Some(Asked { intended_at, sent_at, first_byte_at: None });
        self.unsent = request.len();
        self.push(request);
    }

    /// Writes what is left of the request, as far as the socket takes it.
    pub(super) fn push(&mut self, request: &[u8]) {
        while self.unsent > 0 {
            match self.stream.write(&request[request.len() - self.unsent..]) {
                Ok(length) => self.unsent -= length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Either the socket is full, and an event says when it is not, or it is broken, and reading says so.
                Err(_) => return,
            }
        }
    }

    /// Reads what is there. `now` gives the moment that counts as the first byte's.
    pub(super) fn hear(&mut self, chunk: &mut [u8], now: impl Fn() -> Instant) -> Heard {
        loop {
            let length = match self.stream.read(chunk) {
                Ok(0) => return self.end(),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Heard::Nothing;
                }
                Err(_) => return Heard::Ended,
            };
            if let Some(asked) = &mut self.asked {
                asked.first_byte_at.get_or_insert_with(&now);
            }
            // Nearly every answer comes whole, in one piece, and needs no copy.
            let heard = if self.received.is_empty() {
                let heard = answer(&chunk[..length]);
                if heard == Heard::Nothing {
                    self.received.extend_from_slice(&chunk[..length]);
                }
                heard
            } else {
                self.received.extend_from_slice(&chunk[..length]);
                answer(&self.received)
            };
            if heard != Heard::Nothing {
                self.received.clear();
                return heard;
            }
            // A stream that gave less than it was asked for is empty: the next bytes raise an event of their own.
            if length < chunk.len() {
                return Heard::Nothing;
            }
        }
    }

    /// The connection has ended: some answers end with it.
    fn end(&mut self) -> Heard {
        match response::parse(&self.received, true, false) {
            Ok(Some((response, _))) if response.whole => {
                Heard::Answer { status: response.status, last: true }
            }
            _ => Heard::Ended,
        }
    }
}

/// Reads one answer from the beginning of `bytes`.
fn answer(bytes: &[u8]) -> Heard {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Heard::Nothing,
        Err(_) => return Heard::Ended,
    };
    let value = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let last = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let Some(body) = value("content-length").and_then(|value| value.trim().parse::<usize>().ok()) else {
        // Chunked, or until the end: rare here, and read by the parser that knows it all.
        return match response::parse(bytes, false, false) {
            Ok(Some((response, _))) => Heard::Answer { status: response.status, last },
            Ok(None) => Heard::Nothing,
            Err(_) => Heard::Ended,
        };
    };
    match head.code {
        Some(status) if bytes.len() >= length + body => Heard::Answer { status, last },
        Some(_) => Heard::Nothing,
        None => Heard::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_the_last_byte_of_its_body() {
        let bytes = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..bytes.len() {
            assert_eq!(answer(&bytes[..cut]), Heard::Nothing, "{cut}");
        }
        assert_eq!(answer(bytes), Heard::Answer { status: 504, last: false });
    }

    #[test]
    fn an_answer_says_that_it_is_the_last() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert_eq!(answer(bytes), Heard::Answer { status: 200, last: true });
    }

    #[test]
    fn a_chunked_answer_ends_with_its_last_chunk() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(answer(&bytes[..bytes.len() - 1]), Heard::Nothing);
        assert_eq!(answer(bytes), Heard::Answer { status: 200, last: false });
    }

    #[test]
    fn what_is_no_answer_ends_the_connection() {
        assert_eq!(answer(b"what?\r\n\r\n"), Heard::Ended);
    }
}
