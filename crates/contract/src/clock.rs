//! How long a connection may stay in the phase it is in.
//!
//! A `Clock` never sleeps and never looks at the time: it is told what happened and when, and says when patience ends.
//! The server's connection sleeps until [`Clock::deadline`], looks again, and acts on [`Clock::overdue`]. A phase that
//! begins costs a store and no timer, so a connection that is served in time never arms one per request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Settings;

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The head was not complete in time: close with no answer.
    Header,
    /// No next request came: close silently.
    Idle,
    /// The response made no progress: reset.
    Write,
    /// The deadline of a response that is being streamed passed: truncate it.
    Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is awaited or half read.
    Head,
    /// A request runs; its own deadline rules.
    Busy,
    /// The last answer is made, and no byte of a next request was seen.
    Idle,
}

/// What a connection is doing, and since when.
#[derive(Debug)]
pub struct Clock {
    header: Duration,
    read: Duration,
    write: Duration,
    idle: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// When the phase began; for a busy connection, when its head did.
    since: Instant,
    /// Set while the socket takes no more of a response.
    blocked: Option<Instant>,
    /// Set while a response is streamed under a deadline.
    truncate: Option<Instant>,
    /// Whether an answer is owed, or on its way out.
    owed: bool,
    /// Whether what arrived last ended in the middle of something.
    torn: bool,
}

impl Clock {
    /// A connection accepted at `now`: its first head is awaited.
    #[must_use]
    pub fn start(settings: &Settings, now: Instant) -> Self {
        Self {
            header: settings.read_header_timeout,
            read: settings.read_timeout,
            write: settings.write_timeout,
            idle: settings.idle_timeout,
            state: Mutex::new(State {
                phase: Phase::Head,
                since: now,
                blocked: None,
                truncate: None,
                owed: false,
                torn: false,
            }),
        }
    }

    /// `bytes` arrived: an idle connection begins its next head.
    pub fn received(&self, now: Instant, bytes: &[u8]) {
        let mut state = self.lock();
        state.torn = !bytes.ends_with(b"\r\n\r\n");
        if state.phase == Phase::Idle {
            (state.phase, state.since) = (Phase::Head, now);
        }
    }

    /// A head is complete and its request runs; returns when the whole request must have been read.
    pub fn busy(&self, now: Instant) -> Instant {
        let mut state = self.lock();
        if state.phase != Phase::Head {
            state.since = now;
        }
        (state.phase, state.owed) = (Phase::Busy, true);
        far(state.since, self.read)
    }

    /// The answer is made, to a request that had a body or none. What had arrived behind a request without a body and
    /// is no whole head begins the next one.
    pub fn idle(&self, now: Instant, had_body: bool) {
        let mut state = self.lock();
        let next = if state.torn && !had_body { Phase::Head } else { Phase::Idle };
        (state.phase, state.since, state.truncate) = (next, now, None);
    }

    /// Everything written so far has left.
    pub fn flushed(&self) {
        let mut state = self.lock();
        state.owed = state.phase == Phase::Busy;
    }

    /// Whether nothing is owed to the client, so that what an HTTP library writes now is a refusal of its own.
    #[must_use]
    pub fn owes_nothing(&self) -> bool {
        !self.lock().owed
    }

    /// The answer is being streamed, until `deadline` at most.
    pub fn streaming(&self, deadline: Instant) {
        self.lock().truncate = Some(deadline);
    }

    /// The socket takes no more of the response.
    pub fn blocked(&self, now: Instant) {
        self.lock().blocked.get_or_insert(now);
    }

    /// The socket took some of the response.
    pub fn wrote(&self) {
        self.lock().blocked = None;
    }

    /// Whether a request runs, or its answer is stuck on its way out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Busy || state.blocked.is_some()
    }

    /// When patience ends, as things stand; `None` while a request runs whose own deadline rules.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.ends().map(|(at, _)| at)
    }

    /// What has taken too long at `now`.
    #[must_use]
    pub fn overdue(&self, now: Instant) -> Option<Overdue> {
        self.ends().filter(|(at, _)| *at <= now).map(|(_, overdue)| overdue)
    }

    fn ends(&self) -> Option<(Instant, Overdue)> {
        let state = self.lock();
        let phase = match state.phase {
            Phase::Head => Some((far(state.since, self.header), Overdue::Header)),
            Phase::Idle => Some((far(state.since, self.idle), Overdue::Idle)),
            Phase::Busy => None,
        };
        let write = state.blocked.map(|since| (far(since, self.write), Overdue::Write));
        let stream = state.truncate.map(|at| (at, Overdue::Stream));
        // A response that is still going out holds the phase: the connection is not idle until it has gone.
        let phase = phase.filter(|_| write.is_none());
        [phase, write, stream].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `since + timeout`, or a century later where that would overflow.
pub(crate) fn far(since: Instant, timeout: Duration) -> Instant {
    since.checked_add(timeout).unwrap_or(since + Duration::from_secs(100 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> (Clock, Instant) {
        let now = Instant::now();
        (Clock::start(&Settings::parse_from(["server"]), now), now)
    }

    #[test]
    fn a_head_is_awaited_from_the_accept() {
        let (clock, start) = start();
        clock.received(start + 4 * SECOND, b"G");
        assert_eq!(clock.deadline(), Some(start + 5 * SECOND));
        assert_eq!(clock.overdue(start + 5 * SECOND), Some(Overdue::Header));
    }

    #[test]
    fn dripping_bytes_do_not_extend_a_head() {
        let (clock, start) = start();
        clock.busy(start);
        clock.idle(start, false);
        for second in 10..14 {
            clock.received(start + second * SECOND, b"G");
        }
        assert_eq!(clock.deadline(), Some(start + 15 * SECOND));
    }

    #[test]
    fn an_idle_connection_waits_for_the_idle_timeout() {
        let (clock, start) = start();
        clock.busy(start);
        clock.idle(start + SECOND, false);
        assert_eq!(clock.overdue(start + 60 * SECOND), None);
        assert_eq!(clock.overdue(start + 61 * SECOND), Some(Overdue::Idle));
    }

    #[test]
    fn a_torn_head_behind_a_request_is_awaited_as_a_head() {
        let (clock, start) = start();
        clock.received(start, b"GET /fast HTTP/1.1\r\n\r\nGET /fa");
        clock.busy(start);
        clock.idle(start + SECOND, false);
        assert_eq!(clock.overdue(start + 6 * SECOND), Some(Overdue::Header));
    }

    #[test]
    fn an_answer_is_owed_from_the_head_until_it_has_left() {
        let (clock, start) = start();
        assert!(clock.owes_nothing());
        clock.busy(start);
        clock.flushed();
        assert!(!clock.owes_nothing());
        clock.idle(start, false);
        assert!(!clock.owes_nothing());
        clock.flushed();
        assert!(clock.owes_nothing());
    }

    #[test]
    fn a_running_request_is_never_idle() {
        let (clock, start) = start();
        clock.busy(start);
        assert_eq!((clock.deadline(), clock.is_busy()), (None, true));
    }

    #[test]
    fn the_whole_request_is_due_from_its_first_byte() {
        let (clock, start) = start();
        assert_eq!(clock.busy(start + 3 * SECOND), start + 10 * SECOND);
        clock.idle(start + 4 * SECOND, false);
        assert_eq!(clock.busy(start + 20 * SECOND), start + 30 * SECOND);
    }

    #[test]
    fn a_blocked_write_is_due_from_its_last_progress() {
        let (clock, start) = start();
        clock.busy(start);
        clock.blocked(start + SECOND);
        clock.blocked(start + 2 * SECOND);
        assert_eq!(clock.overdue(start + 11 * SECOND), Some(Overdue::Write));
        clock.wrote();
        assert_eq!(clock.overdue(start + 11 * SECOND), None);
    }

    #[test]
    fn a_stream_is_truncated_at_its_deadline_even_while_blocked() {
        let (clock, start) = start();
        clock.busy(start);
        clock.streaming(start + 2 * SECOND);
        clock.blocked(start + SECOND);
        assert_eq!(clock.overdue(start + 2 * SECOND), Some(Overdue::Stream));
    }
}
