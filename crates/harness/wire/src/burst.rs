//! Many connections at once, from one thread and one epoll.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::response::{self, Response};
use crate::{End, Error, Request};

/// One request of a burst and what became of it.
#[derive(Debug)]
pub struct Shot {
    /// The request's id, if it has one.
    pub id: Option<String>,
    /// Just before its connection was opened: when it was meant to be sent.
    pub intended_at: Instant,
    /// Just before its first byte was handed to the kernel, so that no answer can look early.
    pub sent_at: Instant,
    /// When the first byte of the answer was here.
    pub first_byte_at: Option<Instant>,
    /// When the answer was whole or the connection had ended.
    pub done_at: Option<Instant>,
    /// The answer.
    pub response: Option<Response>,
    /// The end of the connection, if it came before an answer.
    pub ended: Option<End>,
    stream: Option<TcpStream>,
    unsent: Vec<u8>,
    begun: bool,
    head_only: bool,
    received: Vec<u8>,
}

impl Shot {
    /// From sending to the first byte of the answer.
    pub fn after(&self) -> Option<Duration> {
        self.first_byte_at.map(|at| at - self.sent_at)
    }

    /// Says what became of it: its status, or the way in which its connection ended instead.
    pub fn how(&self) -> String {
        match (self.status(), self.ended) {
            (Some(status), _) => status.to_string(),
            (None, Some(end)) => format!("{end} and no answer"),
            (None, None) => "no answer".to_owned(),
        }
    }

    /// From when it was meant to be sent to the first byte of the answer: waiting for a connection counts.
    pub fn after_intended(&self) -> Option<Duration> {
        self.first_byte_at.map(|at| at - self.intended_at)
    }

    /// The answer's status.
    pub fn status(&self) -> Option<u16> {
        self.response.as_ref().map(|response| response.status)
    }

    /// True once nothing more is to come.
    pub fn is_done(&self) -> bool {
        self.done_at.is_some()
    }
}

/// Requests in flight, a connection each.
#[derive(Debug)]
pub struct Burst {
    shots: Vec<Shot>,
    epoll: OwnedFd,
    give_up_at: Instant,
}

impl Burst {
    /// Opens a connection for each request and sends it as soon as it is open.
    ///
    /// # Errors
    /// When sockets cannot be made: the harness's limits, not the server's.
    pub fn launch(to: SocketAddr, requests: Vec<Request>, give_up_at: Instant) -> Result<Self, Error> {
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(|error| local("make an epoll", error.into()))?;
        let mut burst = Self { shots: Vec::with_capacity(requests.len()), epoll, give_up_at };
        for request in requests {
            let mut shot = open(to, &request).map_err(|error| local("open a connection", error))?;
            // On loopback a connection is open before the call is back, so most requests leave here.
            write(&mut shot);
            let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let number = EventData::new_u64(burst.shots.len() as u64);
            let stream = shot.stream.as_ref().expect("a new shot has its stream");
            epoll::add(&burst.epoll, stream, number, interest)
                .map_err(|error| local("watch a connection", error.into()))?;
            burst.shots.push(shot);
        }
        Ok(burst)
    }

    /// Every shot so far.
    pub fn shots(&self) -> &[Shot] {
        &self.shots
    }

    /// Drives all connections until `until`, or until every shot is done. True when all are.
    ///
    /// # Errors
    /// When the sockets cannot be watched.
    pub fn drive(&mut self, until: Instant) -> Result<bool, Error> {
        let mut events: Vec<Event> = Vec::with_capacity(256);
        let mut left = self.shots.iter().filter(|shot| !shot.is_done()).count();
        while left > 0 {
            let now = Instant::now();
            if now >= until {
                return Ok(false);
            }
            let nap = (until - now).min(Duration::from_millis(500));
            let nap = Timespec { tv_sec: 0, tv_nsec: i64::from(nap.subsec_nanos()) };
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&nap)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(local("wait for connections", error.into())),
            }
            let woken_at = Instant::now();
            for event in events.drain(..) {
                let shot = &mut self.shots[event.data.u64() as usize];
                if !shot.is_done() {
                    // What was readable at the wake had come by then. What another kind of event lets us read on
                    // the way may have come later, and must not look early.
                    let flags = event.flags;
                    advance(shot, flags.contains(EventFlags::IN).then_some(woken_at));
                    left -= usize::from(shot.is_done());
                }
            }
        }
        Ok(true)
    }

    /// Drives all connections until every shot is done.
    ///
    /// # Errors
    /// When some are not within the watchdog's time: how many, and of how many.
    pub fn finish(mut self) -> Result<Vec<Shot>, Error> {
        self.answered()?;
        Ok(self.shots)
    }

    /// The same, and the connections stay open.
    ///
    /// # Errors
    /// As [`Burst::finish`].
    pub fn answered(&mut self) -> Result<&[Shot], Error> {
        if !self.drive(self.give_up_at)? {
            let lost = self.shots.iter().filter(|shot| !shot.is_done()).count();
            return Err(Error::Unanswered { lost, of: self.shots.len() });
        }
        Ok(&self.shots)
    }

    /// Returns the number of answered connections that have unrequested bytes after their answer.
    pub fn with_late_bytes(&mut self) -> usize {
        let mut byte = [0; 1];
        let mut late = |shot: &mut Shot| {
            let more = shot.stream.as_mut().and_then(|stream| stream.read(&mut byte).ok());
            !shot.received.is_empty() || more.is_some_and(|length| length > 0)
        };
        self.shots
            .iter_mut()
            .filter(|shot| shot.response.is_some())
            .filter_map(|shot| late(shot).then_some(()))
            .count()
    }

    /// Resets every connection at once, and gives the moment just before.
    pub fn reset(mut self) -> Instant {
        let at = Instant::now();
        for stream in self.shots.iter_mut().filter_map(|shot| shot.stream.take()) {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        at
    }

    /// Closes every connection at once, and gives the moment just before.
    pub fn close(self) -> Instant {
        Instant::now()
    }
}

fn local(what: &'static str, source: std::io::Error) -> Error {
    Error::Local { what, source }
}

fn open(to: SocketAddr, request: &Request) -> std::io::Result<Shot> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let intended_at = Instant::now();
    let mut ended = None;
    if let Err(error) = socket.connect(&to.into())
        && error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error())
    {
        if error.kind() != ErrorKind::ConnectionRefused {
            return Err(error);
        }
        ended = Some(End::Reset);
    }
    Ok(Shot {
        id: request.id_given().map(str::to_owned),
        intended_at,
        sent_at: intended_at,
        first_byte_at: None,
        done_at: ended.map(|_| intended_at),
        response: None,
        ended,
        stream: Some(socket.into()),
        unsent: request.bytes(&to.to_string()),
        begun: false,
        head_only: request.is_head(),
        received: Vec::new(),
    })
}

/// Writes what the socket takes.
fn write(shot: &mut Shot) {
    let Some(stream) = &mut shot.stream else { return };
    while !shot.unsent.is_empty() {
        if !shot.begun {
            shot.sent_at = Instant::now();
        }
        let written = stream.write(&shot.unsent);
        shot.begun |= written.is_ok();
        match written {
            Ok(length) => drop(shot.unsent.drain(..length)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The server may have answered before it closed: the next read shows.
            Err(_) => break,
        }
    }
}

/// Writes and reads what the socket allows; what can be read had come by `come_by`, if that is known.
fn advance(shot: &mut Shot, come_by: Option<Instant>) {
    write(shot);
    let Some(stream) = &mut shot.stream else { return };
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk);
        let now = come_by.unwrap_or_else(Instant::now);
        match read {
            Ok(0) => return conclude(shot, now, Some(End::Fin)),
            Ok(length) => {
                shot.first_byte_at.get_or_insert(now);
                shot.received.extend_from_slice(&chunk[..length]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
            Err(_) => return conclude(shot, now, Some(End::Reset)),
        }
    }
    conclude(shot, come_by.unwrap_or_else(Instant::now), None);
}

/// Takes the answer out of the bytes, if it is whole or nothing more will come.
fn conclude(shot: &mut Shot, now: Instant, ended: Option<End>) {
    match response::parse(&shot.received, ended.is_some(), shot.head_only) {
        Ok(Some((response, used))) if response.is_interim() => {
            shot.received.drain(..used);
            // The time of an answer is that of its final response.
            shot.first_byte_at = shot.first_byte_at.filter(|_| !shot.received.is_empty());
            return conclude(shot, now, ended);
        }
        Ok(Some((response, used))) => {
            shot.response = Some(response);
            shot.received.drain(..used);
        }
        Ok(None) if ended.is_none() => return,
        Ok(None) | Err(_) => shot.ended = ended.or(Some(End::Fin)),
    }
    shot.done_at = Some(now);
}
