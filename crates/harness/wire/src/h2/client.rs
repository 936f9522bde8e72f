//! One connection: frames out, frames in, and nothing sent that was not asked for but what its manners say.
//!
//! Like [`Wire`], it sets no timer that could answer for the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::frame::{self, Frame, Kind, PREFACE};
use super::hpack::Decoder;
use super::log::{Log, Seen, Side};
use super::session::{GoAway, Manners, Session};
use super::violation::Violation;
use crate::connection::{End, Wire};
use crate::response::preview;
use crate::trace::Trace;
use crate::{Error, Leave};

/// The most frames of one write that the trace spells out.
const SPELLED: usize = 4;

/// One connection in HTTP/2.
#[derive(Debug)]
pub struct H2 {
    wire: Wire,
    pub(super) session: Session,
    log: Log,
    largest: usize,
    /// The bytes at the front of what came that are read.
    read: usize,
}

impl H2 {
    /// Connects to `to` with the best of manners; nothing on this connection waits past `give_up_at`.
    ///
    /// # Errors
    /// As [`Wire::connect`] and [`H2::over`].
    pub fn connect(to: SocketAddr, give_up_at: Instant, trace: &Trace) -> Result<Self, Error> {
        Self::over(Wire::connect(to, give_up_at, trace)?, Manners::default())
    }

    /// Speaks HTTP/2 over a connection on which nothing has been sent: the preface and SETTINGS, and waits for the server's.
    ///
    /// # Errors
    /// [`Error::NotHttp2`] when the server answers with something else; else when it closes, or says nothing.
    pub fn over(wire: Wire, manners: Manners) -> Result<Self, Error> {
        let mut h2 = Self::unopened(wire, manners);
        let mut bytes = PREFACE.to_vec();
        let settings = manners.settings.frame();
        settings.write(&mut bytes);
        h2.wire.note("> the preface");
        h2.push(&[settings], &bytes)?;
        h2.settings_came()?;
        Ok(h2)
    }

    /// The same without a byte sent; what goes out and comes in is read as frames.
    pub fn unopened(wire: Wire, manners: Manners) -> Self {
        let largest = manners.settings.max_frame_size as usize;
        let (session, log) = (Session::new(manners), Log::default());
        Self { wire: wire.in_frames(), session, log, largest, read: 0 }
    }

    /// Waits for the server's SETTINGS.
    fn settings_came(&mut self) -> Result<(), Error> {
        let opened_at = Instant::now();
        let give_up_at = self.give_up_at();
        while self.session.theirs().is_none() {
            if self.read(give_up_at)? {
                continue;
            }
            return Err(match self.wire.ended() {
                Some((how, at)) => Error::Ended { how, after: at.saturating_duration_since(opened_at) },
                None => Error::Silent { waited: opened_at.elapsed() },
            });
        }
        Ok(())
    }

    /// Sends frames as they are, in one write if the kernel takes them; gives the moment just before.
    ///
    /// # Errors
    /// When the connection is gone, or the server stops reading.
    pub fn send(&mut self, frames: &[Frame]) -> Result<Instant, Error> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        self.push(frames, &bytes)
    }

    /// Sends bytes that need not be frames.
    ///
    /// # Errors
    /// As [`H2::send`].
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<Instant, Error> {
        self.wire.note(&format!("> {}", preview(bytes)));
        self.push(&[], bytes)
    }

    fn push(&mut self, frames: &[Frame], bytes: &[u8]) -> Result<Instant, Error> {
        let at = Instant::now();
        self.note_sent(frames, at);
        self.wire.push(bytes, self.wire.give_up_at(), true)?;
        Ok(at)
    }

    /// Sends many frames for as long as the server takes them, at most `within`, and keeps what comes meanwhile if `reads`.
    /// Gives the number of frames that went out whole. The log leaves them out.
    ///
    /// # Errors
    /// When the socket cannot be watched. That the connection ends is no error.
    pub fn flood(&mut self, frames: &[Frame], within: Duration, reads: bool) -> Result<usize, Error> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes));
        let first = frames.first().map(Frame::to_string).unwrap_or_default();
        self.wire.note(&format!("> {} frames, the first of them {first}", frames.len()));
        let (at, until) = (Instant::now(), self.until(within));
        let taken = self.wire.shove(&bytes, until, reads)?;
        let (mut whole, mut end) = (0, 0);
        for frame in frames {
            end += frame::HEAD + frame.payload.len();
            if end > taken {
                break;
            }
            self.session.sent(frame, at);
            whole += 1;
        }
        Ok(whole)
    }

    fn note_sent(&mut self, frames: &[Frame], at: Instant) {
        for (number, frame) in frames.iter().enumerate() {
            if number < SPELLED {
                self.wire.note(&format!("> {frame}{}", spelled(frame)));
            }
            self.log.push(Side::Client, frame, at);
            self.session.sent(frame, at);
        }
        if frames.len() > SPELLED {
            self.wire.note(&format!("> and {} more frames", frames.len() - SPELLED));
        }
    }

    /// Reads the next frame, waiting for it until `until`; false when none came or the connection has ended.
    ///
    /// # Errors
    /// When the server breaks HTTP/2, or the socket cannot be watched.
    pub fn read(&mut self, until: Instant) -> Result<bool, Error> {
        loop {
            if let Some(frame) = self.next_frame()? {
                self.take(&frame)?;
                return Ok(true);
            }
            self.wire.consume(std::mem::take(&mut self.read));
            if let Some((how, at)) = self.wire.ended() {
                self.session.lost(how, at);
                return Ok(false);
            }
            if !self.wire.fill(until)? {
                return Ok(false);
            }
        }
    }

    /// Cuts the next frame off what has come.
    fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        let bytes = &self.wire.buffered()[self.read..];
        if self.session.theirs().is_none() && bytes.starts_with(b"HTTP/") {
            return Err(Error::NotHttp2 { begins: preview(bytes) });
        }
        let Some((frame, used)) = frame::cut(bytes, self.largest).map_err(Violation::from)? else {
            return Ok(None);
        };
        self.read += used;
        Ok(Some(frame))
    }

    fn take(&mut self, frame: &Frame) -> Result<(), Error> {
        let at = self.wire.filled_at();
        self.log.push(Side::Server, frame, at);
        let answers = self.session.received(frame, at);
        let exchange = self.session.exchange(frame.stream).filter(|_| frame.kind == Kind::HEADERS);
        let status = exchange.and_then(|exchange| exchange.head.as_ref());
        let status = status.map(|(status, _)| format!(" :status {status}")).unwrap_or_default();
        self.wire.note(&format!("< {frame}{status}"));
        let answers = answers.inspect_err(|violation| self.wire.note(&violation.to_string()))?;
        if !answers.is_empty() {
            // A server that has closed needs no answer; the next read tells how it did.
            let sent = self.send(&answers);
            return sent.map(drop).or_else(|error| if error.is_local() { Err(error) } else { Ok(()) });
        }
        Ok(())
    }

    /// Reads until `wanted` holds; false when it does not by `until`, or the connection ends before.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn read_until(&mut self, until: Instant, wanted: impl Fn(&Session) -> bool) -> Result<bool, Error> {
        while !wanted(&self.session) {
            if !self.read(until)? {
                return Ok(wanted(&self.session));
            }
        }
        Ok(true)
    }

    /// Waits for a frame of the server, at most `within`: the first so far that `wanted` holds for.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn wait_for(
        &mut self,
        within: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Result<Option<Seen>, Error> {
        self.wait_since(0, within, wanted)
    }

    /// The same among the frames from that place of the log on.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn wait_since(
        &mut self,
        place: usize,
        within: Duration,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Result<Option<Seen>, Error> {
        let until = self.until(within);
        let mut place = place;
        loop {
            let found = self.log.since(place).find(|seen| seen.from == Side::Server && wanted(seen));
            if let Some(seen) = found {
                return Ok(Some(seen.clone()));
            }
            place = self.log.len();
            if !self.read(until)? {
                return Ok(None);
            }
        }
    }

    /// Reads for `within`, or until the connection ends.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn listen(&mut self, within: Duration) -> Result<(), Error> {
        let until = self.until(within);
        while self.read(until)? {}
        Ok(())
    }

    /// Waits for the connection's end, at most `within`; frames that come before it are read.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn end(&mut self, within: Duration) -> Result<(End, Instant), Error> {
        self.listen(within)?;
        Ok(self.wire.ended().unwrap_or((End::Silence, Instant::now())))
    }

    /// Waits for the server's GOAWAY, at most `within`.
    ///
    /// # Errors
    /// As [`H2::read`].
    pub fn goaway_came(&mut self, within: Duration) -> Result<Option<GoAway>, Error> {
        let until = self.until(within);
        self.read_until(until, |session| session.goaway().is_some())?;
        Ok(self.session.goaway().map(|(first, _)| first.clone()))
    }

    /// All that is known of the connection.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The frames so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Forgets the streams that are closed, so that a long run stays small.
    pub fn forget_closed(&mut self) {
        self.session.forget_closed();
    }

    /// True once the server has closed or reset the connection, as far as was read.
    pub fn is_over(&self) -> bool {
        self.wire.is_over()
    }

    /// Leaves; gives the moment just before, and the connection if there still is one.
    pub fn leave(self, how: Leave) -> (Instant, Option<Self>) {
        let Self { wire, session, log, largest, read } = self;
        let (at, wire) = how.act(wire);
        (at, wire.map(|wire| Self { wire, session, log, largest, read }))
    }

    pub(super) fn give_up_at(&self) -> Instant {
        self.wire.give_up_at()
    }

    pub(super) fn until(&self, within: Duration) -> Instant {
        (Instant::now() + within).min(self.give_up_at())
    }
}

/// The fields of a frame of the client, for the trace; nothing for frames without fields, or with a part of them.
fn spelled(frame: &Frame) -> String {
    if frame.kind != Kind::HEADERS || !frame.has(frame::flag::END_HEADERS) {
        return String::new();
    }
    // What the client writes uses no table, unless on purpose.
    let fields = Decoder::new(4_096).decode(&frame.payload, 4_096).unwrap_or_default();
    let text = |bytes: &[u8]| preview(bytes);
    fields.iter().map(|(name, value)| format!(", {} {}", text(name), text(value))).collect()
}

#[cfg(test)]
mod tests;
