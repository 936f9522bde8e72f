//! One keep-alive connection of a load: bytes out, answers in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use wire::response;

/// The time in which a connection must open before the load begins.
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
    /// Interim responses (1xx) that came before answers.
    pub(super) interim: u64,
}

/// Events of a connection that had something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not a whole answer yet, or nothing.
    Nothing,
    /// A whole answer.
    Answer {
        /// Its status.
        status: u16,
        /// True when the server closes the connection behind it.
        last: bool,
    },
    /// The connection ended, with no byte of an answer.
    Ended,
    /// The connection ended in the middle of an answer.
    Cut,
    /// Bytes came that are no answer.
    Malformed,
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
        Self { stream, asked: None, unsent: 0, received: Vec::new(), interim: 0 }
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
                Err(_) if self.received.is_empty() => return Heard::Ended,
                Err(_) => return Heard::Cut,
            };
            if let Some(asked) = &mut self.asked {
                asked.first_byte_at.get_or_insert_with(&now);
            }
            // Nearly every answer comes whole, in one piece, and needs no copy.
            let heard = if self.received.is_empty() {
                let heard = self.answer(&chunk[..length]);
                if heard == Heard::Nothing {
                    self.received.extend_from_slice(&chunk[..length]);
                }
                heard
            } else {
                self.received.extend_from_slice(&chunk[..length]);
                let received = std::mem::take(&mut self.received);
                let heard = self.answer(&received);
                self.received = received;
                heard
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

    /// Reads one answer from the beginning of `bytes`.
    fn answer(&mut self, bytes: &[u8]) -> Heard {
        quick(bytes).unwrap_or_else(|| self.thorough(bytes, false))
    }

    /// The connection has ended: some answers end with it.
    fn end(&mut self) -> Heard {
        if self.received.is_empty() {
            return Heard::Ended;
        }
        let received = std::mem::take(&mut self.received);
        match self.thorough(&received, true) {
            Heard::Answer { status, .. } => Heard::Answer { status, last: true },
            Heard::Nothing => Heard::Cut,
            heard => heard,
        }
    }

    /// Reads an answer by the parser that knows every framing.
    fn thorough(&mut self, bytes: &[u8], ended: bool) -> Heard {
        let mut skipped = 0;
        let mut interim = 0;
        loop {
            match response::parse(&bytes[skipped..], ended, false) {
                Ok(Some((response, used))) if response.is_interim() => {
                    interim += 1;
                    skipped += used;
                }
                Ok(Some((response, _))) if response.whole => {
                    self.interim += interim;
                    let last = response.says_close() || bytes[skipped..].starts_with(b"HTTP/1.0");
                    return Heard::Answer { status: response.status, last };
                }
                Ok(Some(_)) => return Heard::Cut,
                Ok(None) => return Heard::Nothing,
                Err(_) if ended => return Heard::Cut,
                Err(_) => return Heard::Malformed,
            }
        }
    }
}

/// Reads the answer that nearly every server gives: HTTP/1.1, few headers, a length, no interim response before it. `None`
/// leaves it to the parser that knows every framing.
fn quick(bytes: &[u8]) -> Option<Heard> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Some(Heard::Nothing),
        Err(_) => return None,
    };
    let status = head.code.filter(|status| *status >= 200 && !matches!(status, 204 | 304))?;
    if head.version != Some(1) {
        return None;
    }
    let mut body = None;
    let mut last = false;
    for header in head.headers.iter() {
        let value = || std::str::from_utf8(header.value).ok();
        if header.name.eq_ignore_ascii_case("content-length") {
            body = Some(value()?.trim().parse::<usize>().ok()?);
        } else if header.name.eq_ignore_ascii_case("connection") {
            last |= value()?.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    let whole = bytes.len() >= length.checked_add(body?)?;
    Some(if whole { Heard::Answer { status, last } } else { Heard::Nothing })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Returns the events of a link when the server sends `pieces` and then closes.
    fn hears(pieces: &[&[u8]]) -> (Vec<Heard>, u64) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let mut link = Link::open(listener.local_addr().expect("it is bound")).expect("it listens");
        let (mut server, _) = listener.accept().expect("a link connects");
        let mut heard = Vec::new();
        let mut chunk = vec![0; 16 * 1024];
        let mut hear = |link: &mut Link, heard: &mut Vec<Heard>| {
            while {
                let mut watched = [rustix::event::PollFd::new(&link.stream, rustix::event::PollFlags::IN)];
                rustix::event::poll(&mut watched, None).is_err()
            } {}
            heard.push(link.hear(&mut chunk, Instant::now));
        };
        for piece in pieces {
            server.write_all(piece).expect("the link reads");
            hear(&mut link, &mut heard);
        }
        drop(server);
        hear(&mut link, &mut heard);
        (heard, link.interim)
    }

    #[test]
    fn an_answer_is_whole_with_the_last_byte_of_its_body() {
        let bytes = b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..bytes.len() {
            assert_eq!(quick(&bytes[..cut]), Some(Heard::Nothing), "{cut}");
        }
        assert_eq!(quick(bytes), Some(Heard::Answer { status: 504, last: false }));
    }

    #[test]
    fn an_answer_says_that_it_is_the_last() {
        for connection in ["close", "Close", "foo, close", "keep-alive ,close"] {
            let bytes = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: {connection}\r\n\r\n");
            assert_eq!(
                quick(bytes.as_bytes()),
                Some(Heard::Answer { status: 200, last: true }),
                "{connection}"
            );
        }
    }

    #[test]
    fn a_chunked_answer_ends_with_its_last_chunk() {
        let (most, rest) =
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", b"X-Sum: 1\r\n\r\n");
        let answered = Heard::Answer { status: 200, last: false };
        assert_eq!(hears(&[most, rest]), (vec![Heard::Nothing, answered, Heard::Ended], 0));
    }

    #[test]
    fn an_interim_response_is_no_answer() {
        let bytes =
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let (interim, answer) = bytes.split_at(44);
        let answered = Heard::Answer { status: 200, last: false };
        assert_eq!(hears(&[bytes]), (vec![answered, Heard::Ended], 1));
        assert_eq!(hears(&[interim, answer]), (vec![Heard::Nothing, answered, Heard::Ended], 1));
    }

    #[test]
    fn many_headers_and_an_older_version_are_an_answer_all_the_same() {
        let many = (0..80).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
        let bytes = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n");
        assert_eq!(hears(&[bytes.as_bytes()]).0[0], Heard::Answer { status: 200, last: false });
        let old = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(hears(&[old]).0[0], Heard::Answer { status: 200, last: true });
        let until_end = b"HTTP/1.0 200 OK\r\n\r\nok";
        assert_eq!(hears(&[until_end]).0, [Heard::Nothing, Heard::Answer { status: 200, last: true }]);
    }

    #[test]
    fn what_ends_too_early_or_is_no_http_is_no_answer() {
        assert_eq!(hears(&[]).0, [Heard::Ended]);
        assert_eq!(
            hears(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"]).0,
            [Heard::Nothing, Heard::Cut]
        );
        assert_eq!(hears(&[b"HTTP/1.1 20"]).0, [Heard::Nothing, Heard::Cut]);
        assert_eq!(hears(&[b"what?\r\n\r\n"]).0[0], Heard::Malformed);
    }
}
