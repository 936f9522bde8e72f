//! A client: its requests, its end, and the answers it gets.

use std::cell::RefCell;
use std::rc::Rc;

use fastrand::Rng;

use crate::server::Kind;
use crate::socket::Wire;
use crate::verdict::Violation;

/// The ways in which a client ends its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It closes once it has all its answers.
    Polite,
    /// It closes its sending side behind its last request, and still wants its answers.
    Half,
    /// It closes wherever it is.
    Fin,
    /// It resets wherever it is.
    Reset,
}

/// One client of the server.
pub(crate) struct Client {
    pub(crate) wire: Rc<RefCell<Wire>>,
    /// Every request in full.
    bytes: Vec<u8>,
    sent: usize,
    /// The part of `bytes` that is sent before the end.
    limit: usize,
    end: End,
    ended: bool,
    requests: Vec<(u32, Kind)>,
    received: Vec<u8>,
    answers: Vec<(u16, u32)>,
    parsed: usize,
}

impl Client {
    /// Makes a client of one to four requests, numbered from `first`.
    pub(crate) fn new(rng: &mut Rng, first: u32, half_close: bool) -> Self {
        let mut bytes = Vec::new();
        // hyper sees the end of a client best behind a single request.
        let count = if rng.bool() { 1 } else { rng.u32(2..=4) };
        let requests: Vec<(u32, Kind)> = (first..first + count)
            .map(|id| {
                let kind = Kind::ALL[rng.usize(..Kind::ALL.len())];
                request(&mut bytes, rng, id, kind);
                (id, kind)
            })
            .collect();
        let end = match rng.u8(..8) {
            0..3 => End::Polite,
            3 if half_close => End::Half,
            3..6 => End::Fin,
            _ => End::Reset,
        };
        let limit = match end {
            End::Polite | End::Half => bytes.len(),
            End::Fin | End::Reset if rng.u8(..4) > 0 => bytes.len(),
            End::Fin | End::Reset => rng.usize(..=bytes.len()),
        };
        Self {
            wire: Rc::default(),
            bytes,
            sent: 0,
            limit,
            end,
            ended: false,
            requests,
            received: Vec::new(),
            answers: Vec::new(),
            parsed: 0,
        }
    }

    pub(crate) fn can_send(&self) -> bool {
        !self.ended && self.sent < self.limit
    }

    pub(crate) fn can_end(&self) -> bool {
        let done = self.answers.len() == self.requests.len()
            || self.wire.borrow().closed && self.wire.borrow().waiting_for_client() == 0;
        !self.ended && self.sent == self.limit && (self.end != End::Polite || done)
    }

    pub(crate) fn can_take(&self) -> bool {
        !(self.ended && self.end == End::Reset) && self.wire.borrow().waiting_for_client() > 0
    }

    /// Sends up to `most` bytes.
    pub(crate) fn send(&mut self, most: usize) {
        let to = self.limit.min(self.sent + most);
        self.wire.borrow_mut().deliver(&self.bytes[self.sent..to]);
        self.sent = to;
    }

    /// Closes or resets.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        match self.end {
            End::Reset => self.wire.borrow_mut().reset(),
            End::Polite | End::Half | End::Fin => self.wire.borrow_mut().finish(),
        }
    }

    /// Takes up to `most` bytes of answers.
    ///
    /// # Errors
    ///
    /// When they are no answers to its requests.
    pub(crate) fn take(&mut self, most: usize) -> Result<(), Violation> {
        let taken = self.wire.borrow_mut().take(most);
        self.received.extend(taken);
        while let Some((status, id, length)) = answer(&self.received[self.parsed..])? {
            self.parsed += length;
            self.answers.push((status, id));
            let asked = self.requests.get(self.answers.len() - 1).map(|(id, _)| *id);
            if asked != Some(id) {
                return Err(Violation::WrongAnswer(format!(
                    "an answer to request {id} came instead of {asked:?}"
                )));
            }
        }
        Ok(())
    }

    /// Checks at the end of the run that what had to be answered was.
    pub(crate) fn finish(&self, stopped: bool) -> Result<(), Violation> {
        let unanswered = self.requests.get(self.answers.len());
        // A body that was not read to its end closes the connection, and a stop does.
        let closes =
            |(asked, answered): (&(u32, Kind), &(u16, u32))| asked.1 == Kind::Upload && answered.0 != 200;
        let closed = stopped || self.requests.iter().zip(&self.answers).any(closes);
        match unanswered {
            Some((id, _)) if matches!(self.end, End::Polite | End::Half) && !closed => {
                Err(Violation::WrongAnswer(format!("request {id} has no answer")))
            }
            _ => Ok(()),
        }
    }
}

/// Appends a request: its kind, number, deadline in milliseconds and ticks of work.
fn request(bytes: &mut Vec<u8>, rng: &mut Rng, id: u32, kind: Kind) {
    let (deadline, ticks) = (rng.u32(1..20), rng.u32(..5));
    let body = if kind == Kind::Upload { &b"0123456789"[..rng.usize(..=10)] } else { b"" };
    let method = if kind == Kind::Upload { "POST" } else { "GET" };
    let name = kind.name();
    let length =
        if kind == Kind::Upload { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    let head = format!("{method} /{name}/{id}/{deadline}/{ticks} HTTP/1.1\r\nhost: a\r\n{length}\r\n");
    bytes.extend(head.as_bytes());
    bytes.extend(body);
}

/// Reads one whole answer: its status, the request it names, and its length.
fn answer(bytes: &[u8]) -> Result<Option<(u16, u32, usize)>, Violation> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let wrong = || Violation::WrongAnswer(format!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| wrong())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let length: Option<usize> = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let (status, length) = status.zip(length).ok_or_else(wrong)?;
    let Some(body) = bytes.get(end + 4..end + 4 + length) else { return Ok(None) };
    let id = std::str::from_utf8(body).ok().and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
    Ok(Some((status, id, end + 4 + length)))
}
