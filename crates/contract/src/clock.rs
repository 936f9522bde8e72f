//! The clock of a connection: the time for which it may stay in its phase.
//!
//! A `Clock` never sleeps and never looks at the time: it is told what happened and when, and says when patience ends.
//! The server's connection sleeps until [`Clock::deadline`], looks again, and acts on [`Clock::overdue`]. A phase that
//! begins costs a store and no timer, so a connection that is served in time never arms one per request.
//!
//! Over HTTP/2 each stream has a clock of its own, which goes as that of a connection with one request, and the clock of
//! the connection counts the streams.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::scan::{Place, Scan};
use crate::{Refusal, Settings, limits};

/// The phase that took too long.
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

/// The ways to close a connection so that its client can tell what it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Nothing was written, so the close can destroy nothing.
    AtOnce,
    /// Answers may be on their way, and a close with bytes unread would turn into a reset that destroys them: say that
    /// nothing more comes, read what the client still sends for [`LINGER`](limits::LINGER), then close.
    Linger,
    /// Resets, because the written bytes would look whole.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is awaited, is arriving, or has arrived and its request has not begun.
    Head,
    /// A request runs; its own deadline rules.
    Busy,
    /// The last answer is made, and no byte of a next head was seen; over HTTP/2, no stream is open.
    Idle,
}

/// A connection's phase, and its beginning.
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
    /// True when an answer is owed, or on its way out.
    owed: bool,
    /// True when anything was ever written.
    wrote: bool,
    /// The number of open streams, once HTTP/2 is spoken.
    streams: Option<usize>,
    /// Set once the client was told that the connection ends.
    parting: bool,
}

impl State {
    /// Reports whether any byte of a next head has arrived.
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
                streams: None,
                parting: false,
            }),
        }
    }

    /// `bytes` arrived: their first byte of a head, if any, begins the next request.
    pub fn received(&self, now: Instant, bytes: &[u8]) {
        let mut state = self.lock();
        if state.streams.is_some() {
            return;
        }
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

    /// HTTP/2 is spoken: no stream is open yet.
    pub fn streams(&self, now: Instant) {
        let mut state = self.lock();
        (state.streams, state.phase, state.since) = (Some(0), Phase::Idle, now);
    }

    /// Reports whether HTTP/2 is spoken.
    #[must_use]
    pub fn has_streams(&self) -> bool {
        self.lock().streams.is_some()
    }

    /// A stream is opened.
    pub fn opened(&self) {
        let mut state = self.lock();
        state.streams = state.streams.map(|open| open + 1);
        state.phase = Phase::Busy;
    }

    /// A stream is over: its answer is made, or it was reset. Returns whether it was the last one open.
    pub fn closed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.streams = state.streams.map(|open| open.saturating_sub(1));
        let was_last = state.streams == Some(0);
        if was_last {
            (state.phase, state.since) = (Phase::Idle, now);
        }
        was_last
    }

    /// The client was told that the connection ends: once no stream is open, it has [`LINGER`](limits::LINGER) to agree.
    pub fn parting(&self, now: Instant) {
        let mut state = self.lock();
        if !state.parting {
            (state.parting, state.since) = (true, now);
        }
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

    /// Reports whether nothing is owed to the client, so that a write of the HTTP library's is a refusal of its own.
    #[must_use]
    pub fn owes_nothing(&self) -> bool {
        let state = self.lock();
        !state.owed && state.streams.is_none()
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

    /// Reports whether a request runs, or its answer is stuck on its way out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Busy || state.blocked.is_some()
    }

    /// Returns the way to close the connection in its present phase.
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

    /// Returns the phase that has taken too long at `now`.
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
            Phase::Idle if state.parting => Some((far(state.since, limits::LINGER), Overdue::Idle)),
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
mod tests;
