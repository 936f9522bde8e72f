//! The result of a run.

use std::fmt;
use std::ops::AddAssign;

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A task waits, and nothing that could wake it is left to happen.
    WaitsForEver(&'static str),
    /// The run took more steps than any that ends.
    DoesNotEnd,
    /// A waiter was woken, and its task is not polled.
    LostWake,
    /// This many contexts are left though no task is.
    ContextsAtRest(usize),
    /// Work of this request goes on at rest, though its context has ended.
    WorkGoesOn(u32),
    /// This request was answered with a success at or after its deadline.
    LateSuccess(u32),
    /// This request was answered with a timeout before its deadline.
    EarlyTimeout(u32),
    /// This request was answered as if the server stopped, which it did not.
    NeverStopped(u32),
    /// An answer is not what HTTP or its request asks for; the text says how.
    WrongAnswer(String),
    /// The number of permits that are free at the end is wrong: this many.
    PermitsFree(usize),
    /// Waiters, registrations and descendants are left on the base context, in these numbers.
    ContextLeft(usize, usize, usize),
    /// A callback of this request ran this many times, and was taken back or not.
    Callback(u32, usize, bool),
    /// Work of this request found the values of another.
    WrongValue(u32),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitsForEver(task) => write!(f, "the task `{task}` waits for ever"),
            Self::DoesNotEnd => f.write_str("the run does not end"),
            Self::LostWake => f.write_str("a waiter was woken, and its task is not polled"),
            Self::ContextsAtRest(count) => write!(f, "{count} contexts are left though no task is"),
            Self::WorkGoesOn(id) => write!(f, "work of request {id} goes on after its context has ended"),
            Self::LateSuccess(id) => write!(f, "request {id} succeeded at or after its deadline"),
            Self::EarlyTimeout(id) => write!(f, "request {id} timed out before its deadline"),
            Self::NeverStopped(id) => write!(f, "request {id} was told of a stop that never was"),
            Self::WrongAnswer(how) => f.write_str(how),
            Self::PermitsFree(free) => write!(f, "{free} permits are free at the end"),
            Self::ContextLeft(waiters, registered, descendants) => write!(
                f,
                "{waiters} waiters, {registered} registrations and {descendants} descendants are left on the base context"
            ),
            Self::Callback(id, ran, stopped) => {
                write!(f, "the callback of request {id} ran {ran} times, and was taken back: {stopped}")
            }
            Self::WrongValue(id) => write!(f, "work of request {id} found the values of another"),
        }
    }
}

/// The ends of a run's requests, by count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ends {
    /// Answered with a success.
    pub succeeded: usize,
    /// Answered with a timeout, at their deadline.
    pub timed_out: usize,
    /// Answered while the server stopped.
    pub stopped: usize,
    /// Answered with the failure of a member.
    pub failed: usize,
    /// Dropped by hyper, or left to their end, when the client was gone.
    pub dropped: usize,
}

impl AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.timed_out += other.timed_out;
        self.stopped += other.stopped;
        self.failed += other.failed;
        self.dropped += other.dropped;
    }
}

/// One run of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// The number of steps taken.
    pub steps: usize,
    /// A hash of the steps: two runs with the same hash took the same ones.
    pub hash: u64,
    /// The ends of its requests.
    pub ends: Ends,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// The steps, if they were asked for.
    pub lines: Vec<String>,
}
