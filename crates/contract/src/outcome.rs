//! The outcome of a request's work.

use std::error::Error;
use std::time::{Duration, Instant};
use std::{io, iter};

use ctx::Context;
use http::Version;

use crate::{OnDisconnect, Reason, Refusal};

/// Why a request that was begun came to no 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its context ended.
    Ended(Reason),
    /// Its body was wrong or late.
    Refused(Refusal),
    /// This child of its group failed.
    Child(u32),
    /// The process that did its work failed.
    Process,
    /// The server that was to do its work could not be reached, or gave no answer to go by.
    Upstream,
    /// The database that was to do its work could not be reached, refused, or broke off.
    Database,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self::Ended(reason)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Work that came to its natural end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worked {
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
}

impl Worked {
    /// Returns the time that the work took, if it ended in time.
    ///
    /// Work is judged by when it *ended*, not by when somebody looked: a runtime may poll finished work long after its
    /// deadline, and a cooperative worker may return before the runtime's timer fires.
    ///
    /// # Errors
    /// The reason `ctx` ended for, or the deadline when the work ended after it.
    pub fn in_time(self, ctx: &Context) -> Result<Duration, Reason> {
        let late = ctx.deadline().is_some_and(|deadline| self.ended > deadline);
        match Reason::of(ctx) {
            None | Some(Reason::Deadline) if !late => Ok(self.ended - self.began),
            Some(reason) => Err(reason),
            None => Err(Reason::Deadline),
        }
    }
}

/// Returns the refusal of a request whose body broke off with `error`, or `None` when the client has left and the
/// disconnect is about to cancel the request.
///
/// A body that breaks off over HTTP/2 is a stream that was reset, or was lost with its connection.
#[must_use]
pub fn broken_body(
    error: &(dyn Error + 'static),
    version: Version,
    on_disconnect: OnDisconnect,
) -> Option<Refusal> {
    let causes = iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    let left = causes
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| LEFT.contains(&error.kind()));
    let canceled = match version {
        Version::HTTP_2 => on_disconnect != OnDisconnect::Detach,
        _ => left && on_disconnect == OnDisconnect::Cancel,
    };
    (!canceled).then_some(Refusal::Malformed("malformed or incomplete body"))
}

/// The errors of reading a body whose client is gone.
const LEFT: [io::ErrorKind; 4] = [
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
];

/// Returns the outcome of a group whose children have all ended: a child's own failure, or else why the group itself
/// ended. The children that a failure took along were only canceled, and are asked last.
///
/// # Errors
/// That failure.
pub fn group(children: impl IntoIterator<Item = Result<(), Failure>>) -> Result<(), Failure> {
    let failures = children.into_iter().filter_map(Result::err);
    let first = failures.min_by_key(|failure| match failure {
        Failure::Child(_) => 0,
        Failure::Ended(Reason::Canceled) => 2,
        _ => 1,
    });
    first.map_or(Ok(()), Err)
}

/// Passes while `ctx` is live, or nothing but its client has left: what needs no waiting is answered all the same.
///
/// # Errors
/// The reason it ended for.
pub fn timely(ctx: &Context) -> Result<(), Reason> {
    live(ctx).or_else(|reason| if reason == Reason::Disconnect { Ok(()) } else { Err(reason) })
}

/// Passes while `ctx` is live.
///
/// # Errors
/// The reason it ended for.
pub fn live(ctx: &Context) -> Result<(), Reason> {
    Reason::of(ctx).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn work_that_ended_by_its_deadline_is_in_time_however_late_it_is_looked_at() {
        let past = Instant::now() - SECOND;
        let (ctx, _cancel) = Context::background().with_deadline(past);
        let worked = Worked { began: past - SECOND, ended: past };
        assert_eq!(worked.in_time(&ctx), Ok(SECOND));
    }

    #[test]
    fn work_that_ended_after_its_deadline_is_late() {
        let past = Instant::now() - SECOND;
        let (ctx, _cancel) = Context::background().with_deadline(past);
        let worked = Worked { began: past, ended: past + Duration::from_nanos(1) };
        assert_eq!(worked.in_time(&ctx), Err(Reason::Deadline));
    }

    #[test]
    fn a_group_names_the_child_that_failed_and_not_the_ones_it_took_along() {
        let canceled = Err(Failure::Ended(Reason::Canceled));
        let failed = Err(Failure::Child(1));
        let deadline = Err(Failure::Ended(Reason::Deadline));
        assert_eq!(group([Ok(()), deadline.clone(), canceled.clone(), failed.clone()]), failed);
        assert_eq!(group([canceled.clone(), deadline.clone(), canceled.clone()]), deadline);
        assert_eq!(group([Ok(()), canceled.clone()]), canceled);
        assert_eq!(group([Ok(()), Ok(())]), Ok(()));
    }

    #[test]
    fn a_body_broken_off_by_a_client_that_left_is_no_bad_request() {
        let left = io::Error::from(io::ErrorKind::UnexpectedEof);
        let http1 = Version::HTTP_11;
        assert_eq!(broken_body(&left, http1, OnDisconnect::Cancel), None);
        assert!(broken_body(&left, http1, OnDisconnect::Serve).is_some());
        let malformed = io::Error::from(io::ErrorKind::InvalidInput);
        assert!(broken_body(&malformed, http1, OnDisconnect::Cancel).is_some());
    }

    #[test]
    fn a_body_broken_off_by_a_reset_of_its_stream_is_no_bad_request() {
        let reset = io::Error::from(io::ErrorKind::Other);
        for on_disconnect in [OnDisconnect::Cancel, OnDisconnect::Serve] {
            assert_eq!(broken_body(&reset, Version::HTTP_2, on_disconnect), None);
        }
        assert!(broken_body(&reset, Version::HTTP_2, OnDisconnect::Detach).is_some());
    }

    #[test]
    fn what_needs_no_waiting_is_answered_to_a_client_that_half_closed() {
        let (ctx, cancel) = Context::background().with_cancel();
        assert_eq!(timely(&ctx), Ok(()));
        cancel.cancel_cause(Reason::Disconnect);
        assert_eq!((timely(&ctx), live(&ctx)), (Ok(()), Err(Reason::Disconnect)));
        let (late, _cancel) = Context::background().with_timeout(Duration::ZERO);
        assert_eq!(timely(&late), Err(Reason::Deadline));
    }

    #[test]
    fn finished_work_of_a_canceled_request_is_canceled() {
        let (ctx, cancel) = Context::background().with_cancel();
        cancel.cancel_cause(Reason::Shutdown);
        let now = Instant::now();
        assert_eq!(Worked { began: now, ended: now }.in_time(&ctx), Err(Reason::Shutdown));
    }
}
