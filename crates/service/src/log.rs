//! The log: lines on standard error, written by a thread of its own.
//!
//! A line is queued and never waited for, so a log that cannot be written (a full disk, a closed pipe, a pipe that is not
//! read) costs its lines and nothing else. Lines that find the queue full, or fail to be written, are counted; the count
//! follows the next line that is written.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::thread;

/// The most lines in the queue.
const LINES: usize = 1024;
/// The longest line, in bytes; the rest of a longer one is cut off.
const LINE: usize = 1024;
/// The pause before a line is tried again on a standard error that another process has made non-blocking.
const RETRY: Duration = Duration::from_millis(10);

static LOG: Log = Log::new();

/// Starts the thread that writes the log.
pub(crate) fn start() -> io::Result<()> {
    thread::spawn("log", || LOG.drain(io::stderr()))
}

/// Adds a line to the log; waits for nothing and cannot fail.
pub fn line(text: impl Display) {
    LOG.add(text);
}

/// Waits until every line that was added has been written or has failed to be, at most `within`.
pub fn flush(within: Duration) {
    LOG.flush(within);
}

/// Says on standard error that the thread of the log was refused, unless that would wait.
pub(crate) fn without_thread(error: &io::Error) {
    let mut stderr = io::stderr();
    let mut ready = [PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // A pipe that is ready takes a page without waiting, and the line is shorter.
    if poll(&mut ready, Some(&now)).is_ok() && ready[0].revents().contains(PollFlags::OUT) {
        let _ = stderr.write(one_line(error).as_bytes());
    }
}

struct Log {
    state: Mutex<State>,
    /// Notified when there is something to write.
    added: Condvar,
    /// Notified when everything is written.
    drained: Condvar,
}

struct State {
    lines: VecDeque<String>,
    /// The lines that were not written since the count was last said.
    lost: u64,
    /// Set while the thread writes.
    writing: bool,
    /// Set once the log is flushed: a count is said without waiting for the next line.
    closing: bool,
}

impl Log {
    const fn new() -> Self {
        let state = State { lines: VecDeque::new(), lost: 0, writing: false, closing: false };
        Self { state: Mutex::new(state), added: Condvar::new(), drained: Condvar::new() }
    }

    fn add(&self, text: impl Display) {
        let line = one_line(text);
        let mut state = self.lock();
        if state.lines.len() < LINES {
            state.lines.push_back(line);
        } else {
            state.lost += 1;
        }
        drop(state);
        self.added.notify_one();
    }

    fn flush(&self, within: Duration) {
        let until = Instant::now() + within;
        let mut state = self.lock();
        state.closing = true;
        self.added.notify_one();
        while !state.is_drained() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.drained.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what is added to `out`, for as long as the process lives.
    fn drain(&self, out: impl Write) {
        let mut out = Lines { out, torn: false };
        loop {
            self.step(&mut out);
        }
    }

    /// Writes the next line, and the count of those lost before it.
    fn step(&self, out: &mut Lines<impl Write>) {
        let (line, lost) = self.next();
        let written = line.is_none_or(|line| out.write(&line).is_ok());
        let said = written && (lost == 0 || out.write(&lost_line(lost)).is_ok());
        self.wrote(u64::from(!written), if said { 0 } else { lost });
    }

    /// Waits for the next line; returns it with the count of the lines lost before it.
    fn next(&self) -> (Option<String>, u64) {
        let mut state = self.lock();
        while state.is_drained() {
            self.drained.notify_all();
            state = self.added.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        let lost = std::mem::take(&mut state.lost);
        (state.lines.pop_front(), lost)
    }

    /// Takes note of what was not written: lines, and the count of earlier ones.
    fn wrote(&self, failed: u64, unsaid: u64) {
        let mut state = self.lock();
        state.writing = false;
        state.lost += failed + unsaid;
        if failed + unsaid > 0 && state.lines.is_empty() {
            // The last words have failed; they are not tried for ever.
            state.closing = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_drained(&self) -> bool {
        self.lines.is_empty() && !self.writing && !(self.closing && self.lost > 0)
    }
}

/// Whole lines on a stream that may take a part of one.
struct Lines<W> {
    out: W,
    /// True when the last line broke off in its middle.
    torn: bool,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &str) -> io::Result<()> {
        let line = if self.torn { format!("\n{line}") } else { line.into() };
        let mut bytes = line.as_bytes();
        while !bytes.is_empty() {
            match self.out.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                Err(error) => {
                    self.torn |= bytes.len() < line.len();
                    return Err(error);
                }
            }
        }
        self.torn = false;
        Ok(())
    }
}

fn lost_line(lost: u64) -> String {
    format!("lines of this log that could not be written: {lost}\n")
}

/// The text on one line with its end: line breaks are spaces, other control characters escaped, and what is too long is
/// cut off.
fn one_line(text: impl Display) -> String {
    let mut line = Bounded(String::new());
    // Only the bound fails.
    let _ = write!(line, "{text}");
    line.0.push('\n');
    line.0
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' => self.0.push(' '),
                c if c.is_control() => self.0.extend(c.escape_default()),
                c => self.0.push(c),
            }
            if self.0.len() >= LINE {
                self.0.push('…');
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that takes so many bytes and then fails.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = bytes.len().min(self.room);
            if most == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend_from_slice(&bytes[..most]);
            self.room -= most;
            Ok(most)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn narrow(room: usize) -> Lines<Narrow> {
        Lines { out: Narrow { taken: Vec::new(), room }, torn: false }
    }

    fn text(out: &Lines<Narrow>) -> String {
        String::from_utf8_lossy(&out.out.taken).into_owned()
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (log, mut out) = (Log::new(), narrow(100));
        log.add("one");
        log.add("two");
        log.step(&mut out);
        log.step(&mut out);
        assert_eq!(text(&out), "one\ntwo\n");
    }

    #[test]
    fn what_the_queue_has_no_room_for_is_counted_and_said_behind_the_next_line() {
        let (log, mut out) = (Log::new(), narrow(100));
        for number in 0..LINES + 7 {
            log.add(number);
        }
        log.step(&mut out);
        assert_eq!(text(&out), format!("0\n{}", lost_line(7)));
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_said_behind_the_next_line_that_can() {
        let (log, mut out) = (Log::new(), narrow(0));
        for line in ["one", "two", "three"] {
            log.add(line);
        }
        log.step(&mut out);
        log.step(&mut out);
        out.out.room = 100;
        log.step(&mut out);
        assert_eq!(text(&out), format!("three\n{}", lost_line(2)));
    }

    #[test]
    fn a_line_behind_one_that_broke_off_begins_on_a_line_of_its_own() {
        let (log, mut out) = (Log::new(), narrow(2));
        log.add("torn");
        log.add("whole");
        log.step(&mut out);
        out.out.room = 100;
        log.step(&mut out);
        assert_eq!(text(&out), format!("to\nwhole\n{}", lost_line(1)));
    }

    #[test]
    fn a_flush_does_not_wait_for_a_log_that_nobody_writes() {
        let log = Log::new();
        log.add("queued");
        log.flush(Duration::ZERO);
        assert_eq!(log.lock().lines.len(), 1);
    }

    #[test]
    fn the_count_is_said_at_the_end_without_a_next_line() {
        let (log, mut out) = (Log::new(), narrow(0));
        log.add("lost");
        log.step(&mut out);
        assert!(log.lock().is_drained());
        log.flush(Duration::ZERO);
        out.out.room = 100;
        log.step(&mut out);
        assert_eq!(text(&out), lost_line(1));
        assert!(log.lock().is_drained());
    }

    #[test]
    fn last_words_that_fail_are_not_tried_for_ever() {
        let (log, mut out) = (Log::new(), narrow(0));
        log.add("lost");
        log.flush(Duration::ZERO);
        log.step(&mut out);
        assert!(log.lock().is_drained());
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\u{1b}c"), "a b\\u{1b}c\n");
        assert!(one_line("x".repeat(10 * LINE)).len() < LINE + 10);
    }
}
