//! Requests, answers and the frames about them.

use std::time::{Duration, Instant};

use super::client::H2;
use super::code::Code;
use super::exchange::{Ending, Exchange};
use super::frame::{self, Frame, Kind, flag};
use super::{hpack, message};
use crate::{Answer, Error, Request};

impl H2 {
    /// Takes the next stream for `request`, and gives the frames that are to be sent for it: HEADERS, CONTINUATION if they are
    /// long, and DATA as far as the windows are open.
    ///
    /// The request ends unless it announces more body than it has.
    pub fn prepare(&mut self, request: &Request) -> (u32, Vec<Frame>) {
        let stream = self.session.open(request.is_head(), Instant::now());
        let body = request.body();
        let announced =
            request.headers().iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let ends =
            announced.is_none_or(|(_, length)| length.parse().is_ok_and(|length| body.len() >= length));
        let block = hpack::block(message::fields(request));
        let mut frames = self.headers(stream, &block, ends && body.is_empty());
        let room = self.room(stream).min(body.len());
        let mut parts = body[..room].chunks(self.most()).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none() && room == body.len();
            frames.push(Frame::data(stream, part, ends && last));
        }
        (stream, frames)
    }

    /// The HEADERS of a block, with CONTINUATION as far as it is longer than a frame may be.
    fn headers(&self, stream: u32, block: &[u8], ends: bool) -> Vec<Frame> {
        let most = self.most();
        let (first, rest) = block.split_at(block.len().min(most));
        let mut frames = vec![Frame::headers(stream, first, ends)];
        frames.extend(rest.chunks(most).map(|part| Frame::continuation(stream, part, false)));
        if let [first, .., last] = frames.as_mut_slice() {
            first.flags &= !flag::END_HEADERS;
            last.flags |= flag::END_HEADERS;
        }
        frames
    }

    /// Sends one request on a stream of its own.
    ///
    /// # Errors
    /// As [`H2::send`]; and when the server gives no window for the body.
    pub fn request(&mut self, request: &Request) -> Result<u32, Error> {
        let (stream, frames) = self.prepare(request);
        let sent: usize =
            frames.iter().filter(|frame| frame.kind == Kind::DATA).map(|frame| frame.payload.len()).sum();
        let ended = frames.iter().any(Frame::ends_stream);
        self.send(&frames)?;
        let rest = &request.body()[sent..];
        if !rest.is_empty() {
            self.body(stream, rest, !ended)?;
        }
        Ok(stream)
    }

    /// Sends these requests in one write, each on a stream of its own, and returns their streams.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn together(&mut self, requests: &[Request]) -> Result<Vec<u32>, Error> {
        let (streams, frames): (Vec<u32>, Vec<Vec<Frame>>) =
            requests.iter().map(|request| self.prepare(request)).unzip();
        self.send(&frames.concat())?;
        Ok(streams)
    }

    /// Sends the request's head, and leaves its stream open for a body.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn open(&mut self, request: &Request) -> Result<u32, Error> {
        let stream = self.session.open(request.is_head(), Instant::now());
        let frames = self.headers(stream, &hpack::block(message::fields(request)), false);
        self.send(&frames)?;
        Ok(stream)
    }

    /// Takes the next stream for fields that need not be those of a request, and sends them: a `block` in HPACK, that `ends` the
    /// stream or not.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn open_raw(&mut self, block: impl AsRef<[u8]>, ends: bool) -> Result<u32, Error> {
        let stream = self.session.open(false, Instant::now());
        let frames = self.headers(stream, block.as_ref(), ends);
        self.send(&frames)?;
        Ok(stream)
    }

    /// Sends a part of a body as the windows allow, and waits for them; stops when the server has no more use for it.
    ///
    /// # Errors
    /// As [`H2::send`] and [`H2::read`]; and when the server gives no window.
    pub fn body(&mut self, stream: u32, mut part: &[u8], ends: bool) -> Result<(), Error> {
        let begun_at = Instant::now();
        loop {
            let room = self.room(stream).min(self.most()).min(part.len());
            if room > 0 || part.is_empty() {
                let (now, rest) = part.split_at(room);
                self.send(&[Frame::data(stream, now, ends && rest.is_empty())])?;
                part = rest;
                if part.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let more = self.read(self.give_up_at())?;
            if self.exchange(stream)?.ended.is_some() {
                return Ok(());
            }
            if !more {
                return Err(Error::Silent { waited: begun_at.elapsed() });
            }
        }
    }

    /// The bytes of DATA that the server takes on the stream now.
    fn room(&self, stream: u32) -> usize {
        let connection = self.session.sending().available();
        self.session.exchange(stream).map_or(0, |exchange| exchange.sending.available().min(connection))
    }

    /// The largest payload that the server takes.
    fn most(&self) -> usize {
        self.session.theirs().map_or(frame::MAX_PAYLOAD, |theirs| theirs.max_frame_size as usize)
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// As [`H2::request`] and [`H2::answer`].
    pub fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        let stream = self.request(request)?;
        self.answer(stream)
    }

    /// Reads the answer of a stream to its end; one that is cut off is not whole.
    ///
    /// # Errors
    /// When there is none: the stream or the connection ended before its head, or nothing came.
    pub fn answer(&mut self, stream: u32) -> Result<Answer, Error> {
        let give_up_at = self.give_up_at();
        self.read_until(give_up_at, |session| {
            session.exchange(stream).is_none_or(|exchange| exchange.ended.is_some())
        })?;
        let exchange = self.exchange(stream)?;
        let sent_at = exchange.sent_at;
        match (exchange.response().zip(exchange.first_byte_at), exchange.ended) {
            (_, None) => Err(Error::Silent { waited: sent_at.elapsed() }),
            (Some((response, first_byte_at)), Some((_, done_at))) => {
                Ok(Answer { response, sent_at, first_byte_at, done_at })
            }
            (None, Some((how, at))) => {
                Err(Error::Unanswerable { how, after: at.saturating_duration_since(sent_at) })
            }
        }
    }

    /// Waits for the end of a stream, at most `within`.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn ending(&mut self, stream: u32, within: Duration) -> Result<Option<(Ending, Instant)>, Error> {
        let until = self.until(within);
        self.read_until(until, |session| {
            session.exchange(stream).is_none_or(|exchange| exchange.ended.is_some())
        })?;
        Ok(self.exchange(stream)?.ended)
    }

    /// Waits for the head of a stream's answer, at most `within`; gives its status.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn status(&mut self, stream: u32, within: Duration) -> Result<Option<u16>, Error> {
        let until = self.until(within);
        self.read_until(until, |session| {
            session
                .exchange(stream)
                .is_none_or(|exchange| exchange.head.is_some() || exchange.ended.is_some())
        })?;
        Ok(self.exchange(stream)?.head.as_ref().map(|(status, _)| *status))
    }

    /// Returns the exchange of a stream so far.
    ///
    /// # Errors
    /// When no request was sent on it, or it is forgotten.
    pub fn exchange(&self, stream: u32) -> Result<&Exchange, Error> {
        self.session.exchange(stream).ok_or(Error::NoStream(stream))
    }

    /// Resets a stream.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn reset(&mut self, stream: u32, code: Code) -> Result<Instant, Error> {
        self.send(&[Frame::reset(stream, code)])
    }

    /// Grants window: to a stream, or to the connection for stream 0.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn grant(&mut self, stream: u32, increment: u32) -> Result<Instant, Error> {
        self.send(&[Frame::window_update(stream, increment)])
    }

    /// Says that no more streams of the server are taken, of which there are none.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn goaway(&mut self, code: Code) -> Result<Instant, Error> {
        self.send(&[Frame::goaway(0, code, b"")])
    }

    /// Asks whether the server is there, and waits at most `within` for the answer; gives the time between.
    ///
    /// # Errors
    /// As [`H2::send`] and [`H2::read`].
    pub fn ping(&mut self, within: Duration) -> Result<Option<Duration>, Error> {
        let place = self.log().len();
        let opaque = (place as u64).to_be_bytes();
        let sent_at = self.send(&[Frame::ping(opaque)])?;
        let is_answer = |frame: &Frame| *frame == Frame::ping_ack(opaque);
        let answer = self.wait_since(place, within, |seen| is_answer(&seen.frame))?;
        Ok(answer.map(|seen| seen.at.saturating_duration_since(sent_at)))
    }
}
