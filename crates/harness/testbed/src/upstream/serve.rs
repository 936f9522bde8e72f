//! The readiness loop: one thread, one epoll, every connection of one upstream.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::SockRef;
use wire::End;

use super::incoming::{self, Body};
use super::reply::{self, Reply, Step};
use super::{Seen, Shared};

/// The number of the pipe that stops the loop; listeners follow it, and connections from [`FIRST`].
const STOP: u64 = 0;
const FIRST: u64 = 1000;

/// The upstream's thread.
pub(super) struct Serve {
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    /// The reading end of a pipe. The upstream holds the writing end, so a hang-up here says that it was dropped.
    _stopped: PipeReader,
    connections: HashMap<u64, Connection>,
    shared: Arc<Shared>,
}

struct Connection {
    stream: TcpStream,
    address: usize,
    number: u64,
    connected_at: Instant,
    carried: usize,
    unparsed: Vec<u8>,
    current: Option<Exchange>,
    ended: Option<(End, Instant)>,
}

/// A request whose answer is owed.
struct Exchange {
    /// Its place in the log.
    index: usize,
    reply: Reply,
    body: Body,
    closes: bool,
    steps: VecDeque<Step>,
    due: Option<Instant>,
    unsent: Vec<u8>,
}

/// The next step of a connection.
#[derive(PartialEq, Eq)]
enum Next {
    Wait,
    Close,
    Reset,
}

impl Serve {
    pub(super) fn new(
        listeners: Vec<TcpListener>,
        stopped: PipeReader,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &stopped, EventData::new_u64(STOP), EventFlags::IN)?;
        for (number, listener) in (STOP + 1..).zip(&listeners) {
            listener.set_nonblocking(true)?;
            epoll::add(&epoll, listener, EventData::new_u64(number), EventFlags::IN)?;
        }
        Ok(Self { epoll, listeners, _stopped: stopped, connections: HashMap::new(), shared })
    }

    /// Serves until the pipe hangs up.
    pub(super) fn run(mut self) {
        let mut events: Vec<Event> = Vec::with_capacity(256);
        loop {
            let nap = self.nap();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), nap.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            let woken_at = Instant::now();
            for event in events.drain(..) {
                match event.data.u64() {
                    STOP => return,
                    number if number < FIRST => self.accept((number - STOP - 1) as usize, woken_at),
                    number => self.on_event(number, event.flags),
                }
            }
            self.on_time(Instant::now());
        }
    }

    /// From now to the first step that is due.
    fn nap(&self) -> Option<Timespec> {
        let due = self.connections.values().filter_map(|connection| connection.current.as_ref()?.due);
        // The wait is in whole milliseconds where the kernel knows no finer, and must not spin before its time.
        let left = due.min()?.saturating_duration_since(Instant::now()) + Duration::from_micros(50);
        Some(Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) })
    }

    fn accept(&mut self, address: usize, now: Instant) {
        while let Ok((stream, _)) = self.listeners[address].accept() {
            let number = self.shared.note(|log| {
                log.connections += 1;
                log.connections - 1
            });
            let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let watched =
                stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).and_then(|()| {
                    epoll::add(&self.epoll, &stream, EventData::new_u64(FIRST + number), interest)
                        .map_err(Into::into)
                });
            if watched.is_err() {
                continue;
            }
            let connection = Connection {
                stream,
                address,
                number,
                connected_at: now,
                carried: 0,
                unparsed: Vec::new(),
                current: None,
                ended: None,
            };
            self.connections.insert(FIRST + number, connection);
        }
    }

    fn on_event(&mut self, number: u64, flags: EventFlags) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let mut next = connection.read(&self.shared);
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            // A connection whose bytes are not read ends all the same.
            let end = if flags.contains(EventFlags::ERR) { End::Reset } else { End::Fin };
            connection.ended.get_or_insert((end, Instant::now()));
        }
        if next == Next::Wait {
            next = connection.told(&self.shared);
        }
        if next == Next::Wait {
            next = connection.advance(&self.shared);
        }
        self.settle(number, next);
    }

    /// Goes on with every answer whose next step is due.
    fn on_time(&mut self, now: Instant) {
        let is_due = |connection: &Connection| {
            connection.current.as_ref().and_then(|current| current.due).is_some_and(|due| due <= now)
        };
        let due: Vec<u64> =
            self.connections.iter().filter(|(_, it)| is_due(it)).map(|(number, _)| *number).collect();
        for number in due {
            if let Some(connection) = self.connections.get_mut(&number) {
                let next = connection.advance(&self.shared);
                self.settle(number, next);
            }
        }
    }

    fn settle(&mut self, number: u64, next: Next) {
        if next == Next::Wait {
            return;
        }
        if let Some(connection) = self.connections.remove(&number)
            && next == Next::Reset
        {
            let _ = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Connection {
    /// Reads what is there, as far as the current answer wants it read, and takes requests out of it.
    fn read(&mut self, shared: &Shared) -> Next {
        let mut chunk = [0; 64 * 1024];
        while self.ended.is_none() && self.current.as_ref().is_none_or(|current| current.reply.reads) {
            let read = self.stream.read(&mut chunk);
            // What is read may have come after the wake, and must not look early.
            let now = Instant::now();
            match read {
                Ok(0) => self.ended = Some((End::Fin, now)),
                Ok(length) => self.unparsed.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.ended = Some((End::Reset, now)),
            }
            if !self.parse(shared, now) {
                return Next::Close;
            }
        }
        Next::Wait
    }

    /// Takes what is there of the current body, or the next head; false when it is neither.
    fn parse(&mut self, shared: &Shared, now: Instant) -> bool {
        if self.current.is_none() {
            match incoming::head(&mut self.unparsed) {
                Ok(Some(head)) => self.begin(shared, head, now),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        let Some(current) = &mut self.current else { return true };
        if !current.reply.reads || current.body.is_whole() {
            return true;
        }
        let Some(content) = current.body.take(&mut self.unparsed) else { return false };
        let (index, whole) = (current.index, current.body.is_whole());
        shared.note(|log| {
            let seen = &mut log.seen[index];
            if content > 0 {
                seen.body.push((now, content));
            }
            if whole {
                seen.body_at = Some(now);
            }
        });
        true
    }

    /// Notes the request's arrival and looks up its answer.
    fn begin(&mut self, shared: &Shared, head: incoming::Head, now: Instant) {
        let (address, connection, connected_at) = (self.address, self.number, self.connected_at);
        let (index, id, reply) = shared.note(|log| {
            let named = |id: &String| log.replies.contains_key(id);
            let known = [head.id.as_ref(), Some(&head.segment)].into_iter().flatten().find(|id| named(id));
            let id = known.or(head.id.as_ref()).unwrap_or(&head.segment).clone();
            let replies = log.replies.get_mut(&id);
            let reply = replies.and_then(|replies| match replies.len() {
                0 | 1 => replies.front().copied(),
                _ => replies.pop_front(),
            });
            log.seen.push(Seen {
                id: id.clone(),
                address,
                connection,
                before: self.carried,
                connected_at,
                head: head.text,
                head_at: now,
                body: Vec::new(),
                body_at: head.body.is_whole().then_some(now),
                sent: Vec::new(),
                answered_at: None,
                told: None,
            });
            (log.seen.len() - 1, id, reply.unwrap_or(Reply::WHOLE))
        });
        let unsent = match head.expects && reply.continues && !head.body.is_whole() {
            true => b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            false => Vec::new(),
        };
        let steps = reply::steps(reply, &id, head.closes);
        let (body, closes) = (head.body, head.closes);
        self.carried += 1;
        self.current = Some(Exchange { index, reply, body, closes, steps, due: None, unsent });
    }

    /// Notes that the connection has ended while an answer was owed; an answer that minds is given up.
    fn told(&mut self, shared: &Shared) -> Next {
        let Some(end) = self.ended else { return Next::Wait };
        let Some(current) = &self.current else { return Next::Close };
        let index = current.index;
        shared.note(|log| _ = log.seen[index].told.get_or_insert(end));
        if current.reply.minds { Next::Close } else { Next::Wait }
    }

    /// Takes every step of the current answer that can be taken now, and goes on with the next request.
    fn advance(&mut self, shared: &Shared) -> Next {
        loop {
            let now = Instant::now();
            let Some(current) = &mut self.current else { return Next::Wait };
            if !current.unsent.is_empty() {
                match self.stream.write(&current.unsent) {
                    Ok(length) => {
                        current.unsent.drain(..length);
                        let index = current.index;
                        shared.note(|log| log.seen[index].sent.push((now, length)));
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                    Err(_) => {
                        self.ended.get_or_insert((End::Reset, now));
                        self.told(shared);
                        return Next::Close;
                    }
                }
                continue;
            }
            match current.step(now) {
                Taken::Sent => {}
                Taken::Waits => return Next::Wait,
                Taken::Ends(next) => return next,
                Taken::Done => {
                    let (index, closes) = (current.index, current.closes || !current.body.is_whole());
                    shared.note(|log| log.seen[index].answered_at = Some(now));
                    self.current = None;
                    if closes || self.ended.is_some() {
                        return Next::Close;
                    }
                    let goes_on = self.parse(shared, now) && self.read(shared) == Next::Wait;
                    if !goes_on || self.told(shared) != Next::Wait {
                        return Next::Close;
                    }
                }
            }
        }
    }
}

/// The result of one step.
enum Taken {
    Sent,
    Waits,
    Done,
    Ends(Next),
}

impl Exchange {
    /// Takes the next step, if it can be taken now.
    fn step(&mut self, now: Instant) -> Taken {
        match self.steps.front() {
            None => return Taken::Done,
            Some(Step::Body) if !self.body.is_whole() => return Taken::Waits,
            Some(Step::Body) => {}
            Some(Step::Wait(length)) => {
                let due = *self.due.get_or_insert(now + *length);
                if now < due {
                    return Taken::Waits;
                }
                self.due = None;
            }
            Some(Step::Send(bytes)) => self.unsent.extend_from_slice(bytes),
            Some(Step::Repeat(bytes, every)) => {
                if self.due.is_some_and(|due| now < due) {
                    return Taken::Waits;
                }
                self.unsent.extend_from_slice(bytes);
                // One that is late is not made up for: the stream keeps its pace.
                self.due = Some(now + *every);
                return Taken::Sent;
            }
            Some(Step::Flood(_, 0) | Step::Hold) => return Taken::Waits,
            Some(Step::Close) => return Taken::Ends(Next::Close),
            Some(Step::Reset) => return Taken::Ends(Next::Reset),
            Some(Step::Flood(..)) => {
                if let Some(Step::Flood(bytes, left)) = self.steps.front_mut() {
                    self.unsent.extend_from_slice(bytes);
                    *left -= 1;
                }
                return Taken::Sent;
            }
        }
        self.steps.pop_front();
        Taken::Sent
    }
}
