//! Waits for a descriptor, a bell or a time, whichever is first.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The event that ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The descriptor is ready, or broken.
    Ready,
    /// The bell rang.
    Rung,
    /// The time came.
    Late,
}

/// Blocks until `awaited` is ready, one of `bells` rings, or `at` has passed; a descriptor that is ready wins.
pub(crate) fn wait(
    awaited: Option<(impl AsFd, PollFlags)>,
    bells: &[&PipeReader],
    at: Option<Instant>,
) -> io::Result<Woken> {
    let mut fds: Vec<_> = bells.iter().map(|bell| PollFd::new(*bell, PollFlags::IN)).collect();
    fds.extend(awaited.as_ref().map(|(fd, events)| PollFd::new(fd, *events)));
    loop {
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if at.is_some_and(|at| at <= Instant::now()) => return Ok(Woken::Late),
            Ok(0) => {}
            Ok(_) if fds.get(bells.len()).is_some_and(|fd| !fd.revents().is_empty()) => {
                return Ok(Woken::Ready);
            }
            Ok(_) => return Ok(Woken::Rung),
        }
    }
}
