//! The time for which a connection waits, as its clock says it or a fault.

use std::time::Instant;

use broken::Fault;
use contract::Refusal;

use crate::connection::Conn;

/// The phase that a fault infers from the borders of packets: whether a head is under way, and since when.
pub(crate) struct Guess {
    in_head: bool,
    since: Instant,
    torn: bool,
    /// When bytes came last.
    pub(crate) filled_at: Instant,
}

impl Guess {
    /// A connection accepted at `now`: its first head is awaited.
    pub(crate) fn start(now: Instant) -> Self {
        Self { in_head: true, since: now, torn: false, filled_at: now }
    }

    /// Takes a read that ends with an empty line for the end of a head, and any other for a part of one.
    pub(crate) fn received(&mut self, now: Instant, bytes: &[u8]) {
        let since = if self.in_head { self.since } else { now };
        *self = Self { in_head: true, since, torn: !bytes.ends_with(b"\r\n\r\n"), filled_at: now };
    }
}

impl Conn<'_> {
    /// When the next head must have come.
    pub(crate) fn patience(&self) -> Option<Instant> {
        match self.server.fault {
            Fault::NeverTimesOut => None,
            Fault::IdlesFromTheAccept => {
                let idle = self.accepted_at + self.server.settings.idle_timeout;
                Some(self.clock.deadline().map_or(idle, |at| at.min(idle)))
            }
            Fault::PatientWithTrickles => {
                let anew = self.guess.filled_at + self.server.settings.read_header_timeout;
                self.clock.deadline().map(|at| at.max(anew))
            }
            Fault::GuessesFromPackets => {
                let Guess { in_head, since, .. } = self.guess;
                let settings = &self.server.settings;
                Some(since + if in_head { settings.read_header_timeout } else { settings.idle_timeout })
            }
            Fault::CountsEmptyLines if !self.ahead.is_empty() => {
                Some(self.guess.since + self.server.settings.read_header_timeout)
            }
            _ => self.clock.deadline(),
        }
    }

    /// A head is complete and its request runs; returns when the whole request must have been read, and the refusal that
    /// its target earns.
    pub(crate) fn busy(&mut self, now: Instant) -> (Instant, Result<(), Refusal>) {
        let (read_by, target) = self.clock.busy(now);
        match self.server.fault {
            Fault::GuessesFromPackets => (self.guess.since + self.server.settings.read_timeout, target),
            Fault::CountsTheQueue => (self.guess.filled_at + self.server.settings.read_timeout, target),
            Fault::TrustsItsParser => (read_by, Ok(())),
            _ => (read_by, target),
        }
    }

    /// The answer is made, to a request that had a body or none.
    pub(crate) fn idle(&mut self, had_body: bool) {
        let now = Instant::now();
        self.clock.idle(now);
        (self.guess.in_head, self.guess.since) = (self.guess.torn && !had_body, now);
    }
}
