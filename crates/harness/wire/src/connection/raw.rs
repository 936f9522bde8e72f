//! A connection for those that read and write its bytes themselves.

use std::io::ErrorKind;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::{End, Wire, ready};
use crate::Error;

impl Wire {
    /// The same connection, whose bytes are shown as frames by who reads them.
    pub(crate) fn in_frames(mut self) -> Self {
        self.shows_bytes = false;
        self
    }

    /// Notes an event in the trace.
    pub(crate) fn note(&self, what: &str) {
        self.trace.say(self.number, what);
    }

    /// Takes the first bytes off those that came.
    pub(crate) fn consume(&mut self, length: usize) {
        self.buffer.drain(..length);
    }

    /// When the last bytes came: no byte that came is younger.
    pub(crate) fn filled_at(&self) -> Instant {
        self.filled_at
    }

    /// Returns the way and the time in which the connection ended, as far as was read.
    pub(crate) fn ended(&self) -> Option<(End, Instant)> {
        self.ended
    }

    /// The moment past which nothing on this connection waits.
    pub(crate) fn give_up_at(&self) -> Instant {
        self.give_up_at
    }

    /// Sends all of `bytes` and keeps what comes meanwhile if `reads`, so that two sides that both send do not wait for each
    /// other.
    ///
    /// # Errors
    /// When the connection is gone, or the server has not taken them by `until`.
    pub(crate) fn push(&mut self, bytes: &[u8], until: Instant, reads: bool) -> Result<(), Error> {
        match self.write(bytes, until, reads)? {
            (sent, None) if sent == bytes.len() => Ok(()),
            (_, None) => Err(Error::Send(ErrorKind::TimedOut.into())),
            (_, Some(error)) => Err(Error::Send(error.into())),
        }
    }

    /// Sends what the server takes of `bytes` by `until`, and gives its size. That the connection ends is no error.
    ///
    /// # Errors
    /// When the socket cannot be watched.
    pub(crate) fn shove(&mut self, bytes: &[u8], until: Instant, reads: bool) -> Result<usize, Error> {
        self.write(bytes, until, reads).map(|(sent, _)| sent)
    }

    /// Gives how much went out, and the error that ended it.
    fn write(&mut self, bytes: &[u8], until: Instant, reads: bool) -> Result<(usize, Option<Errno>), Error> {
        let mut sent = 0;
        while sent < bytes.len() {
            match rustix::net::send(&self.stream, &bytes[sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(length) => sent += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let reads = reads && self.ended.is_none();
                    let input = if reads { PollFlags::IN } else { PollFlags::empty() };
                    if ready(&self.stream, PollFlags::OUT | input, until)?.is_empty() {
                        return Ok((sent, None));
                    }
                    if reads {
                        self.fill(Instant::now())?;
                    }
                }
                Err(error) => return Ok((sent, Some(error))),
            }
        }
        Ok((sent, None))
    }
}
