//! HTTP/2 on the same port: a gateway to the half of the server that speaks HTTP/1.1, a connection of its own for each stream.
//!
//! One thread a connection waits for the client and for all its streams at once. What a fault breaks over HTTP/1.1 it
//! breaks here too, because the same code answers; what only HTTP/2 has is broken here.
//!
//! - this file: the connection, its loop and its timeouts.
//! - `frames`: what comes in; `relay`: what goes out.
//! - `inner`: a stream's connection; `message`: the two forms of a request and of an answer.

mod frames;
mod inner;
mod message;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use broken::Fault;
use contract::limits;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use wire::h2::flow::Window;
use wire::h2::frame::{Frame, PREFACE};
use wire::h2::hpack::Decoder;
use wire::h2::settings::Settings;
use wire::h2::{Code, frame};

use crate::Server;
use crate::connection::Conn;
use inner::Inner;

/// The most streams at once, and the most pieces of work.
const STREAMS: u32 = 100;
/// The most that is kept for a client that does not take it before its streams are read no more, in bytes.
const AHEAD: usize = 64 * 1024;

/// True when `bytes` begin HTTP/2; none while that is open.
fn begins(bytes: &[u8]) -> Option<bool> {
    if bytes.starts_with(PREFACE) {
        return Some(true);
    }
    (!PREFACE.starts_with(bytes)).then_some(false)
}

impl Conn<'_> {
    /// Serves a client of either protocol; its first bytes tell which.
    pub(crate) fn serve_either(mut self) {
        let speaks_h2 = loop {
            match begins(&self.ahead) {
                Some(speaks_h2) => break speaks_h2,
                // What ends before it has begun ends as it does in HTTP/1.1.
                None if !matches!(self.fill(&self.server.stopped, self.patience()), Ok(1..)) => break false,
                None => self.is_looked_at = true,
            }
        };
        let spoken = &self.server.spoken;
        match speaks_h2 {
            true => {
                spoken.store(true, Ordering::Relaxed);
                Gateway::new(self.server, self.stream, &self.ahead).serve()
            }
            false if self.server.fault == Fault::H2CutsHttp1 && spoken.load(Ordering::Relaxed) => {}
            false => self.serve(),
        }
    }
}

/// The course of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Streams are taken.
    Open,
    /// No more streams than this one are taken.
    Draining(u32),
    /// Nothing follows the bytes that are on their way out.
    Closing,
}

/// Fields whose end has not come.
struct Unfinished {
    stream: u32,
    block: Vec<u8>,
    ends: bool,
}

/// One connection in HTTP/2.
struct Gateway<'a> {
    server: &'a Arc<Server>,
    outer: TcpStream,
    ahead: Vec<u8>,
    out: Vec<u8>,
    decoder: Decoder,
    unfinished: Option<Unfinished>,
    theirs: Settings,
    sending: Window,
    receiving: Window,
    streams: BTreeMap<u32, Inner>,
    /// The streams that this side has reset: what still comes for them was under way.
    reset: BTreeSet<u32>,
    /// One for each stream, until it is answered and its work has ended.
    slots: Vec<(u32, Weak<()>)>,
    /// The slots that a fault keeps behind the answer, each until then.
    late: Vec<(Instant, Arc<()>)>,
    newest: u32,
    /// Frames of a flood since a fault last tidied up.
    cheap: u32,
    /// True once a frame has come.
    began: bool,
    course: Course,
    resets: u32,
    /// The moment from which there is no stream, if there is none.
    idle_since: Option<Instant>,
    /// The moment from which the client takes nothing, if something waits for it.
    blocked_since: Option<Instant>,
}

impl<'a> Gateway<'a> {
    /// Takes over a connection on which `ahead` has come, the preface at its front.
    fn new(server: &'a Arc<Server>, outer: TcpStream, ahead: &[u8]) -> Self {
        Self {
            server,
            outer,
            ahead: ahead[PREFACE.len()..].to_vec(),
            out: Vec::new(),
            decoder: Decoder::new(4_096),
            unfinished: None,
            theirs: Settings::default(),
            sending: Window::default(),
            receiving: Window::default(),
            streams: BTreeMap::new(),
            reset: BTreeSet::new(),
            slots: Vec::new(),
            late: Vec::new(),
            newest: 0,
            cheap: 0,
            began: false,
            course: Course::Open,
            resets: 0,
            idle_since: Some(Instant::now()),
            blocked_since: None,
        }
    }

    /// Serves the connection to its end.
    fn serve(mut self) {
        let no_limit = self.server.fault == Fault::H2AnnouncesNoLimit;
        let most = (!no_limit).then_some(STREAMS);
        let ours = Settings {
            max_concurrent_streams: most,
            max_header_list_size: Some(limits::HEAD as u32),
            ..Settings::default()
        };
        self.send(&ours.frame());
        self.take_frames();
        while self.course != Course::Closing || !self.out.is_empty() {
            self.relay();
            if self.flush().is_err() || self.is_over() || self.turn().is_err() {
                break;
            }
        }
        // Dropping the streams' connections tells their requests that the client has left.
        self.streams.clear();
        self.part();
    }

    /// Returns true when a connection that takes no more streams has none left.
    fn is_over(&mut self) -> bool {
        let drained = matches!(self.course, Course::Draining(_)) && self.streams.is_empty();
        if drained {
            self.course = Course::Closing;
        }
        self.course == Course::Closing && self.out.is_empty()
    }

    /// Waits for whatever comes next, and takes it.
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.wait()?;
        if ready.stopped {
            self.goes_away(Code::NO_ERROR);
        }
        if ready.readable {
            let mut chunk = [0; 16 * 1024];
            match self.outer.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.ahead.extend_from_slice(&chunk[..read]),
                Err(error) if is_nothing(&error) => {}
                Err(error) => return Err(error),
            }
            self.take_frames();
        }
        self.look_at_the_time()
    }

    /// Closes or resets what has taken too long.
    fn look_at_the_time(&mut self) -> io::Result<()> {
        let (now, settings) = (Instant::now(), &self.server.settings);
        let idle = self.idle_since.is_some_and(|since| since + settings.idle_timeout <= now);
        if idle && self.server.fault != Fault::NeverTimesOut && self.course == Course::Open {
            self.goes_away(Code::NO_ERROR);
        }
        if self.server.fault == Fault::WaitsForReaders {
            return Ok(());
        }
        let write_timeout = settings.write_timeout;
        if self.blocked_since.is_some_and(|since| since + write_timeout <= now) {
            let _ = sockopt::set_socket_linger(&self.outer, Some(Duration::ZERO));
            return Err(io::ErrorKind::TimedOut.into());
        }
        let late = |inner: &Inner| inner.blocked_since.is_some_and(|since| since + write_timeout <= now);
        let late: Vec<_> =
            self.streams.iter().filter(|(_, inner)| late(inner)).map(|(stream, _)| *stream).collect();
        for stream in late {
            self.resets(stream, Code::CANCEL);
        }
        Ok(())
    }

    /// When something may have taken too long.
    fn deadline(&self) -> Option<Instant> {
        let settings = &self.server.settings;
        let idle = self.idle_since.filter(|_| self.course == Course::Open);
        let blocked = self.streams.values().filter_map(|inner| inner.blocked_since);
        let blocked = blocked.chain(self.blocked_since).map(|since| since + settings.write_timeout);
        blocked.chain(idle.map(|since| since + settings.idle_timeout)).min()
    }

    /// Waits until the client, a stream or the server's end has something to say, or time is up.
    fn wait(&mut self) -> io::Result<Ready> {
        let out = if self.out.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let mut fds = vec![PollFd::new(&self.outer, PollFlags::IN | out)];
        let listens = self.course == Course::Open;
        if listens {
            fds.push(PollFd::new(&self.server.stopped, PollFlags::IN));
        }
        let room = self.out.len() < AHEAD;
        for inner in self.streams.values() {
            fds.push(PollFd::new(&inner.socket, inner.interest(room)));
        }
        let left = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        // A millisecond more than is left would be late, so the loop may come round once too often.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let readable = fds[0].revents().intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR);
        let stopped = listens && !fds[1].revents().is_empty();
        Ok(Ready { readable, stopped })
    }

    /// Puts a frame behind what is on its way out.
    fn send(&mut self, frame: &Frame) {
        frame.write(&mut self.out);
    }

    /// Writes what the client takes.
    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.outer.write(&self.out) {
                Ok(written) => {
                    self.out.drain(..written);
                    self.blocked_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked_since.get_or_insert_with(Instant::now);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes no more streams, and closes when those that run have ended; at once for an error.
    fn goes_away(&mut self, code: Code) {
        if self.course == Course::Closing {
            return;
        }
        if self.server.fault != Fault::H2SaysNoGoaway {
            self.send(&Frame::goaway(self.newest, code, b""));
        }
        self.course = if code == Code::NO_ERROR { Course::Draining(self.newest) } else { Course::Closing };
    }

    /// Resets a stream, and cancels what it asked for.
    fn resets(&mut self, stream: u32, code: Code) {
        self.send(&Frame::reset(stream, code));
        self.reset.insert(stream);
        if let Some(inner) = self.remove(stream)
            && self.server.fault == Fault::H2WorksOnWhenItResets
        {
            // Its request never hears of an end.
            std::mem::forget(inner);
        }
    }

    fn remove(&mut self, stream: u32) -> Option<Inner> {
        let removed = self.streams.remove(&stream);
        if self.streams.is_empty() {
            self.idle_since.get_or_insert_with(Instant::now);
        }
        removed
    }

    /// Closes so that the close does not destroy what is on its way.
    fn part(&mut self) {
        let _ = self.outer.shutdown(Shutdown::Write);
        let _ = self.outer.set_nonblocking(false);
        let closed = Instant::now() + limits::LINGER;
        let mut unread = [0; 4096];
        while let Some(left) = closed.checked_duration_since(Instant::now())
            && self.outer.set_read_timeout(Some(left.max(Duration::from_millis(1)))).is_ok()
            && self.outer.read(&mut unread).is_ok_and(|read| read > 0)
        {}
    }
}

/// The events that ended a wait.
#[derive(Default)]
struct Ready {
    /// The client has sent something or has left.
    readable: bool,
    /// The server stops.
    stopped: bool,
}

/// True when a read or a write came to nothing and may be tried again.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The largest payload that the server takes.
const LARGEST: usize = frame::MAX_PAYLOAD;
