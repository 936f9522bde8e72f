//! Threads that the system may refuse.

use std::io;
use std::sync::mpsc;
use std::thread::Builder;

/// Starts `work` on a thread of its own, which nobody joins.
///
/// # Errors
/// The system refuses the thread; the message names it.
pub fn spawn(name: impl Into<String>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let name = name.into();
    let spawned = Builder::new().name(name.clone()).spawn(work);
    spawned.map(drop).map_err(|error| {
        io::Error::new(error.kind(), format!("failed to start the thread `{name}`: {error}"))
    })
}

/// Checks that the system grants this process `count` more threads: starts them, and ends them once all have started.
///
/// A runtime that is refused a thread at its start panics, or goes on with fewer. Asked beforehand, the refusal is an
/// error like any other.
///
/// # Errors
/// The system refuses one of them; the message says how many were wanted.
pub fn reserve(count: usize) -> io::Result<()> {
    let mut held = Vec::with_capacity(count);
    let started = (0..count).try_for_each(|_| {
        let (hold, release) = mpsc::channel::<()>();
        let thread = Builder::new().name("reserve".into()).spawn(move || release.recv().is_ok())?;
        held.push((hold, thread));
        Ok::<_, io::Error>(())
    });
    for (hold, thread) in held {
        drop(hold);
        let _ = thread.join();
    }
    started.map_err(|error| io::Error::new(error.kind(), format!("failed to start {count} threads: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_granted_runs() {
        let (sender, receiver) = mpsc::channel();
        let work = move || sender.send(1).expect("the test waits for it");
        spawn("granted", work).expect("the system has a thread left");
        assert_eq!(receiver.recv(), Ok(1));
    }

    #[test]
    fn a_reserve_that_is_granted_leaves_nothing_behind() {
        reserve(8).expect("the system has eight threads left");
    }
}
