//! Guards: each counts a thing for as long as the guard lives.

use std::any::Any;
use std::ops::Deref;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::thread;

use contract::{Identity, Reason};
use ctx::Context;
use http::StatusCode;

use crate::Census;
use crate::counts::{Counts, Ending};

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    _live: Live,
}

/// The identity of a request as its context carries it; counted as a live context until the last clone of that
/// context is gone.
#[derive(Debug)]
pub struct Scope {
    identity: Identity,
    _live: Live,
}

/// A running request, until it is dropped.
///
/// How it ended follows from the status it was [answered](Self::answered) with; a request that is dropped without a whole
/// answer ended as its context did, or in a panic.
#[derive(Debug)]
pub struct Request {
    census: Census,
    ctx: Context,
    id: Option<Arc<str>>,
    tally: OnceLock<Arc<Tally>>,
    held: Option<Held>,
    ending: Option<Ending>,
    _live: Live,
}

/// Something that is dropped once a request and all its work have ended.
pub type Held = Arc<dyn Any + Send + Sync>;

/// Leave to do work for a request, to be taken to wherever the work runs.
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) census: Census,
    tally: Arc<Tally>,
    pub(crate) id: Option<Arc<str>>,
}

/// A piece of work under way; dropped before it is [completed](Self::completed), it was canceled, or it panicked.
#[derive(Debug)]
pub struct Work {
    job: Job,
    beats: u64,
    completed: bool,
}

impl Census {
    /// Counts a connection until the guard is dropped; `None`, and counted as refused, when `most` are open already.
    #[must_use]
    pub fn connection(&self, most: usize) -> Option<Connection> {
        let live = Live::new(self, |counts| &counts.connections_live);
        let counts = &self.inner.counts;
        if usize::try_from(live.before).unwrap_or(0) >= most {
            counts.refused.fetch_add(1, Relaxed);
            return None;
        }
        counts.accepted.fetch_add(1, Relaxed);
        Some(Connection { _live: live })
    }

    /// Makes the value a request's context carries.
    #[must_use]
    pub fn scope(&self, identity: Identity) -> Scope {
        Scope { identity, _live: Live::new(self, |counts| &counts.contexts_live) }
    }

    /// Counts a request that runs under `ctx` until the guard is dropped. Its work sends heartbeats when the client
    /// named the request.
    #[must_use]
    pub fn request(&self, ctx: &Context, identity: &Identity) -> Request {
        self.inner.counts.requests_started.fetch_add(1, Relaxed);
        let watched = identity.given && self.inner.witness.is_open();
        Request {
            census: *self,
            ctx: ctx.clone(),
            id: watched.then(|| identity.request_id.as_str().into()),
            tally: OnceLock::new(),
            held: None,
            ending: None,
            _live: Live::new(self, |counts| &counts.requests_live),
        }
    }
}

impl Deref for Scope {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl Request {
    /// Leave to do work for this request.
    #[must_use]
    pub fn job(&self) -> Job {
        let tally = || Arc::new(Tally { word: AtomicU64::default(), _held: self.held.clone() });
        Job { census: self.census, tally: self.tally.get_or_init(tally).clone(), id: self.id.clone() }
    }

    /// Keeps `held` until the request and all its work have ended. To be called before the first [`job`](Self::job).
    pub fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// Notes the status of its whole answer.
    pub fn answered(&mut self, status: StatusCode) {
        self.streams(status);
        self.ending = Some(match status {
            StatusCode::GATEWAY_TIMEOUT => Ending::Deadline,
            StatusCode::SERVICE_UNAVAILABLE if Reason::of(&self.ctx).is_some() => self.left(),
            StatusCode::INTERNAL_SERVER_ERROR => Ending::Panic,
            _ => Ending::Completed,
        });
    }

    /// Notes the status of an answer whose body is still to come; it is whole once it is [completed](Self::completed).
    pub fn streams(&mut self, status: StatusCode) {
        if let Some(count) = self.census.inner.counts.answered.get(usize::from(status.as_u16()) - 100) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// The whole answer is out.
    pub fn completed(&mut self) {
        self.ending = Some(Ending::Completed);
    }

    /// Returns the ending of a request whose context has ended.
    fn left(&self) -> Ending {
        match Reason::of(&self.ctx) {
            Some(Reason::Deadline) => Ending::Deadline,
            Some(Reason::Shutdown) => Ending::Shutdown,
            Some(Reason::Disconnect) | None => Ending::Disconnect,
            Some(_) => Ending::Completed,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let counts = &self.census.inner.counts;
        let dropped = || if thread::panicking() { Ending::Panic } else { self.left() };
        counts.ended[self.ending.unwrap_or_else(dropped) as usize].fetch_add(1, Relaxed);
        if let Some(tally) = self.tally.get() {
            counts.work_zombie.fetch_add(tally.request_ended(), Relaxed);
        }
    }
}

impl Job {
    /// Begins the work, where it runs.
    #[must_use]
    pub fn start(self) -> Work {
        let counts = &self.census.inner.counts;
        counts.work_started.fetch_add(1, Relaxed);
        counts.work_live.fetch_add(1, Relaxed);
        if self.tally.work_began() {
            counts.work_zombie.fetch_add(1, Relaxed);
        }
        self.say(format_args!("start"));
        Work { job: self, beats: 0, completed: false }
    }

    fn say(&self, event: std::fmt::Arguments<'_>) {
        if let Some(id) = &self.id {
            self.census.inner.witness.send(id, event);
        }
    }

    fn counts(&self) -> &Counts {
        &self.census.inner.counts
    }
}

impl Work {
    /// A unit of work is done.
    pub fn beat(&mut self) {
        self.beats += 1;
        self.job.say(format_args!("beat {}", self.beats));
    }

    /// The work came to its natural end.
    pub fn completed(mut self) {
        self.completed = true;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let counts = self.job.counts();
        let (ended, total) = if self.completed {
            ("completed", &counts.work_completed)
        } else if thread::panicking() {
            ("panicked", &counts.work_panicked)
        } else {
            ("canceled", &counts.work_canceled)
        };
        total.fetch_add(1, Relaxed);
        self.job.say(format_args!("end {ended}"));
        counts.work_live.fetch_sub(1, Relaxed);
        if self.job.tally.work_ended() {
            counts.work_zombie.fetch_sub(1, Relaxed);
        }
    }
}

/// One more of a live counter, until dropped.
#[derive(Debug)]
pub(crate) struct Live {
    census: Census,
    counter: fn(&Counts) -> &AtomicI64,
    before: i64,
}

impl Live {
    pub(crate) fn new(census: &Census, counter: fn(&Counts) -> &AtomicI64) -> Self {
        let before = counter(&census.inner.counts).fetch_add(1, Relaxed);
        Self { census: *census, counter, before }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        (self.counter)(&self.census.inner.counts).fetch_sub(1, Relaxed);
    }
}

/// Two facts in one word: whether a request has ended, and the number of its live units of work. Each step is one
/// atomic operation, so the last of "the request ended" and "the work ended" always knows that it is the last.
#[derive(Debug)]
struct Tally {
    word: AtomicU64,
    _held: Option<Held>,
}

const ENDED: u64 = 1 << 63;

impl Tally {
    /// Counts work that begins, and returns true when the request has ended already.
    fn work_began(&self) -> bool {
        self.word.fetch_add(1, AcqRel) & ENDED != 0
    }

    /// Counts work that ends, and returns true when the request had ended before it.
    fn work_ended(&self) -> bool {
        self.word.fetch_sub(1, AcqRel) & ENDED != 0
    }

    /// Marks the request as ended, and returns the number of its units of work that still run.
    fn request_ended(&self) -> i64 {
        let alive = self.word.fetch_or(ENDED, AcqRel) & !ENDED;
        alive.try_into().unwrap_or(i64::MAX)
    }
}
