//! How long a connection may stay in the phase it is in.
//!
//! A `Clock` never sleeps and never looks at the time: it is told what happened and when, and says when patience ends.
//! The server's connection sleeps until [`Clock::deadline`], looks again, and acts on [`Clock::overdue`]. A phase that
//! begins costs a store and no timer, so a connection that is served in time never arms one per request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::scan::{Place, Scan};
use crate::{Refusal, Settings};

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

/// How a connection is closed so that its client can tell what it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Nothing was written, so the close can destroy nothing.
    AtOnce,
    /// Answers may be on their way, and a close with bytes unread would turn into a reset that destroys them: say that
    /// nothing more comes, read what the client still sends for [`LINGER`](crate::limits::LINGER), then close.
    Linger,
    /// What was written would look whole: reset.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is awaited, is arriving, or has arrived and its request has not begun.
    Head,
    /// A request runs; its own deadline rules.
    Busy,
    /// The last answer is made, and no byte of a next head was seen.
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
    /// When the phase began.
    since: Instant,
    /// When the request that arrives began: with its first byte, or with the answer before it if that was later.
    began: Option<Instant>,
    scan: Scan,
    /// The number of heads that are whole and whose requests have not begun.
    waiting: usize,
    /// The number of requests that have begun since the scan did.
    begun: usize,
    /// Set while the socket takes no more of a response.
    blocked: Option<Instant>,
    /// Set while a response is streamed under a deadline.
    truncate: Option<Instant>,
    /// Set until a streamed response has left whose end is that of the connection.
    endless: bool,
    /// Whether an answer is owed, or on its way out.
    owed: bool,
    /// Whether anything was ever written.
    wrote: bool,
}

impl State {
    /// Whether any byte of a next head has arrived.
    fn has_next(&self) -> bool {
        self.waiting > 0 || self.scan.place() == Place::Head
    }
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
                began: None,
                scan: Scan::default(),
                waiting: 0,
                begun: 0,
                blocked: None,
                truncate: None,
                endless: false,
                owed: false,
                wrote: false,
            }),
        }
    }

    /// `bytes` arrived: their first byte of a head, if any, begins the next request.
    pub fn received(&self, now: Instant, bytes: &[u8]) {
        let mut state = self.lock();
        state.waiting += state.scan.push(bytes);
        if state.phase != Phase::Busy && state.began.is_none() && state.has_next() {
            state.began = Some(now);
            if state.phase == Phase::Idle {
                (state.phase, state.since) = (Phase::Head, now);
            }
        }
    }

    /// A head is complete and its request runs; returns when the whole request must have been read, and the refusal that
    /// its target earns, judged as it was sent.
    pub fn busy(&self, now: Instant) -> (Instant, Result<(), Refusal>) {
        let mut state = self.lock();
        let target = state.scan.refusal(state.begun);
        state.begun += 1;
        let began = state.began.take().unwrap_or(now);
        state.waiting = state.waiting.saturating_sub(1);
        (state.phase, state.owed) = (Phase::Busy, true);
        (far(began, self.read), target.map_or(Ok(()), Err))
    }

    /// The answer is made. What has arrived of a next request was not read on meanwhile, so its time begins now.
    pub fn idle(&self, now: Instant) {
        let mut state = self.lock();
        // Should the connection go on behind a body without a known end, what comes next is taken for a head.
        if state.scan.place() == Place::Lost {
            (state.scan, state.begun) = (Scan::default(), 0);
        }
        let has_next = state.has_next();
        state.phase = if has_next { Phase::Head } else { Phase::Idle };
        state.began = has_next.then_some(now);
        (state.since, state.truncate) = (now, None);
    }

    /// Returns the refusal of the head that arrives and is too large.
    #[must_use]
    pub fn too_large(&self) -> Refusal {
        self.lock().scan.too_large()
    }

    /// Everything written so far has left.
    pub fn flushed(&self) {
        let mut state = self.lock();
        state.owed = state.phase == Phase::Busy;
        state.endless &= state.owed;
    }

    /// Whether nothing is owed to the client, so that what an HTTP library writes now is a refusal of its own.
    #[must_use]
    pub fn owes_nothing(&self) -> bool {
        !self.lock().owed
    }

    /// The answer is being streamed, until `deadline` at most; `endless` when it has no end of its own, as in HTTP/1.0,
    /// where the end of the connection is the end of the body.
    pub fn streaming(&self, deadline: Option<Instant>, endless: bool) {
        let mut state = self.lock();
        (state.truncate, state.endless) = (deadline, endless);
    }

    /// The socket takes no more of the response.
    pub fn blocked(&self, now: Instant) {
        self.lock().blocked.get_or_insert(now);
    }

    /// The socket took some of the response.
    pub fn wrote(&self) {
        let mut state = self.lock();
        (state.blocked, state.wrote) = (None, true);
    }

    /// Whether a request runs, or its answer is stuck on its way out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Busy || state.blocked.is_some()
    }

    /// How to close the connection, as things stand.
    #[must_use]
    pub fn closing(&self) -> Closing {
        let state = self.lock();
        match (state.endless, state.wrote) {
            (true, _) => Closing::Reset,
            (false, true) => Closing::Linger,
            (false, false) => Closing::AtOnce,
        }
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
            // It is the server's turn: it begins the request as soon as it can write the answer before it.
            Phase::Head if state.waiting > 0 => None,
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
        let _ = clock.busy(start);
        clock.idle(start);
        for second in 10..14 {
            clock.received(start + second * SECOND, b"G");
        }
        assert_eq!(clock.deadline(), Some(start + 15 * SECOND));
    }

    #[test]
    fn an_idle_connection_waits_for_the_idle_timeout() {
        let (clock, start) = start();
        let _ = clock.busy(start);
        clock.idle(start + SECOND);
        assert_eq!(clock.overdue(start + 60 * SECOND), None);
        assert_eq!(clock.overdue(start + 61 * SECOND), Some(Overdue::Idle));
    }

    #[test]
    fn a_torn_head_behind_a_request_is_awaited_as_a_head() {
        let (clock, start) = start();
        clock.received(start, b"GET /fast HTTP/1.1\r\n\r\nGET /fa");
        let _ = clock.busy(start);
        clock.idle(start + SECOND);
        assert_eq!(clock.overdue(start + 6 * SECOND), Some(Overdue::Header));
    }

    #[test]
    fn an_answer_is_owed_from_the_head_until_it_has_left() {
        let (clock, start) = start();
        assert!(clock.owes_nothing());
        let _ = clock.busy(start);
        clock.flushed();
        assert!(!clock.owes_nothing());
        clock.idle(start);
        assert!(!clock.owes_nothing());
        clock.flushed();
        assert!(clock.owes_nothing());
    }

    #[test]
    fn a_running_request_is_never_idle() {
        let (clock, start) = start();
        let _ = clock.busy(start);
        assert_eq!((clock.deadline(), clock.is_busy()), (None, true));
    }

    #[test]
    fn the_whole_request_is_due_from_its_first_byte() {
        let (clock, start) = start();
        clock.received(start + SECOND, b"POST /upload HTTP/1.1\r\nContent-Le");
        clock.received(start + 2 * SECOND, b"ngth: 1\r\n\r\n");
        assert_eq!(clock.busy(start + 3 * SECOND).0, start + 11 * SECOND);
        clock.received(start + 4 * SECOND, b"x");
        clock.idle(start + 4 * SECOND);
        clock.received(start + 20 * SECOND, b"POST /upload HTTP/1.1\r\n");
        assert_eq!(clock.busy(start + 21 * SECOND).0, start + 30 * SECOND);
    }

    #[test]
    fn time_spent_on_an_earlier_request_is_not_taken_off_the_next() {
        let (clock, start) = start();
        clock
            .received(start, b"GET /slow HTTP/1.1\r\n\r\nPOST /upload HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
        let _ = clock.busy(start);
        clock.idle(start + 9 * SECOND);
        assert_eq!(clock.deadline(), None, "the head is whole: the server is next");
        assert_eq!(clock.busy(start + 9 * SECOND).0, start + 19 * SECOND);
    }

    #[test]
    fn half_a_head_behind_a_body_is_awaited_as_a_head() {
        let (clock, start) = start();
        clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /fa");
        let _ = clock.busy(start);
        clock.idle(start + SECOND);
        assert_eq!(clock.overdue(start + 6 * SECOND), Some(Overdue::Header));
    }

    #[test]
    fn an_empty_line_behind_a_request_begins_no_head() {
        let (clock, start) = start();
        clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n");
        let _ = clock.busy(start);
        clock.idle(start + SECOND);
        clock.received(start + 2 * SECOND, b"\r\n");
        assert_eq!(clock.deadline(), Some(start + 61 * SECOND));
    }

    #[test]
    fn what_comes_behind_a_body_without_a_known_end_is_awaited_as_a_head() {
        let (clock, start) = start();
        clock.received(start, b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nabc");
        let _ = clock.busy(start);
        clock.idle(start + SECOND);
        clock.received(start + 2 * SECOND, b"GET");
        assert_eq!(clock.deadline(), Some(start + 7 * SECOND));
    }

    #[test]
    fn a_connection_lingers_once_something_was_written() {
        let (clock, start) = start();
        assert_eq!(clock.closing(), Closing::AtOnce);
        let _ = clock.busy(start);
        clock.wrote();
        clock.idle(start);
        assert_eq!(clock.closing(), Closing::Linger);
    }

    #[test]
    fn a_stream_without_an_end_of_its_own_is_reset_unless_it_is_whole() {
        let (clock, start) = start();
        let _ = clock.busy(start);
        clock.streaming(Some(start + SECOND), true);
        clock.wrote();
        assert_eq!(clock.closing(), Closing::Reset);
        clock.flushed();
        clock.idle(start);
        assert_eq!(clock.closing(), Closing::Reset, "its last bytes have not left");
        clock.flushed();
        assert_eq!(clock.closing(), Closing::Linger);
    }

    #[test]
    fn a_blocked_write_is_due_from_its_last_progress() {
        let (clock, start) = start();
        let _ = clock.busy(start);
        clock.blocked(start + SECOND);
        clock.blocked(start + 2 * SECOND);
        assert_eq!(clock.overdue(start + 11 * SECOND), Some(Overdue::Write));
        clock.wrote();
        assert_eq!(clock.overdue(start + 11 * SECOND), None);
    }

    #[test]
    fn a_stream_is_truncated_at_its_deadline_even_while_blocked() {
        let (clock, start) = start();
        let _ = clock.busy(start);
        clock.streaming(Some(start + 2 * SECOND), false);
        clock.blocked(start + SECOND);
        assert_eq!(clock.overdue(start + 2 * SECOND), Some(Overdue::Stream));
    }

    #[test]
    fn the_target_of_each_request_is_judged_as_it_was_sent() {
        let (clock, start) = start();
        clock.received(start, b"GET /fast HTTP/1.1\r\n\r\nGET /fa");
        clock.received(start, b"st#x HTTP/1.1\r\n\r\nGET /fast HTTP/1.1\r\n\r\n");
        let targets = [(); 3].map(|()| clock.busy(start).1);
        assert!(matches!(targets, [Ok(()), Err(Refusal::Malformed(_)), Ok(())]), "{targets:?}");
    }

    #[test]
    fn a_head_is_too_large_for_its_target_where_that_is_too_long() {
        let (clock, start) = start();
        clock.received(start, b"GET /fast HTTP/1.1\r\nHost: lab");
        assert_eq!(clock.too_large(), Refusal::HeadTooLarge);
        clock.received(start, b"\r\n\r\nGET /");
        clock.received(start, &[b'x'; crate::limits::URI]);
        assert_eq!(clock.too_large(), Refusal::UriTooLong);
    }
}
