//! A stream's connection in HTTP/1.1, to the other half of this server.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Instant;

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use socket2::SockRef;
use wire::h2::flow::Window;
use wire::h2::stream::State;

use super::is_nothing;
use super::message::{Event, Request, Responses};
use crate::Server;
use crate::connection::Conn;

/// The most that is read ahead of a stream whose client takes no more of it, in bytes.
const AHEAD: usize = 64 * 1024;

/// The size of the connection's own buffer for a request, in bytes.
const BUFFER: usize = 4 * 1024;

/// A stream and its connection.
pub(crate) struct Inner {
    pub(crate) socket: TcpStream,
    pub(crate) state: State,
    pub(crate) sending: Window,
    pub(crate) receiving: Window,
    /// The moment from which its body waits for the client's window.
    pub(crate) blocked_since: Option<Instant>,
    /// The part of the body for which the client has given no window yet.
    pub(crate) body: Vec<u8>,
    /// The answer is whole, but for what is in `body`.
    pub(crate) whole: bool,
    /// The connection has ended.
    pub(crate) over: bool,
    /// The answer is a 504.
    pub(crate) timed_out: bool,
    /// The bytes of DATA whose window the client has not been given back.
    pub(crate) owed: u32,
    /// The bytes of body that were announced and have not come.
    expected: Option<u64>,
    chunked: bool,
    unsent: Vec<u8>,
    responses: Responses,
}

impl Inner {
    /// Sends the request to a connection of its own, which is served until it is dropped. Gives what lives as long as its
    /// work does, too.
    pub(crate) fn start(
        server: &Arc<Server>,
        request: Request,
        ends: bool,
        sending: Window,
    ) -> io::Result<(Self, Weak<()>)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let (here, there): (OwnedFd, OwnedFd) = (here, there);
        // A body that nobody reads must soon be felt.
        SockRef::from(&here).set_send_buffer_size(BUFFER)?;
        let slot = Arc::new(());
        let held = Arc::downgrade(&slot);
        let mut inner = Self {
            socket: here.into(),
            state: State::Idle,
            sending,
            receiving: Window::default(),
            blocked_since: None,
            body: Vec::new(),
            whole: false,
            over: false,
            timed_out: false,
            owed: 0,
            expected: request.length,
            chunked: !ends && request.length.is_none(),
            unsent: request.head,
            responses: Responses::new(request.is_head),
        };
        // What is there before the connection is served is read before it looks whether the server stops.
        inner.feed();
        let server = server.clone();
        thread::Builder::new().name("stream".into()).spawn(move || {
            let mut conn = Conn::new(&server, there.into());
            conn.slot = Some(slot);
            conn.serve();
        })?;
        Ok((inner, held))
    }

    /// Returns the events that the gateway waits for; it reads on only with `room` for what comes.
    pub(crate) fn interest(&self, room: bool) -> PollFlags {
        let mut interest = PollFlags::empty();
        if room && !self.over && self.body.len() < AHEAD {
            interest |= PollFlags::IN;
        }
        if !self.unsent.is_empty() && !self.over {
            interest |= PollFlags::OUT;
        }
        interest
    }

    /// Takes a part of the request's body, which `ends` it or not; false when it is not what was announced.
    pub(crate) fn take(&mut self, part: &[u8], ends: bool) -> bool {
        if let Some(expected) = &mut self.expected {
            let Some(left) = expected.checked_sub(part.len() as u64) else { return false };
            *expected = left;
            if ends && left > 0 {
                return false;
            }
        }
        if self.chunked {
            if !part.is_empty() {
                self.unsent.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                self.unsent.extend_from_slice(part);
                self.unsent.extend_from_slice(b"\r\n");
            }
            if ends {
                self.unsent.extend_from_slice(contract::wire::LAST_CHUNK.as_bytes());
            }
        } else {
            self.unsent.extend_from_slice(part);
        }
        true
    }

    /// Sends on what the connection takes of the request.
    pub(crate) fn feed(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_nothing(&error) => return,
                // It reads no more; what it answered can still be read.
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// True when nothing of the request waits to be sent on.
    pub(crate) fn is_fed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Reads what has come of the answer.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut chunk = [0; 8 * 1024];
        while !self.over && !self.whole && self.body.len() < AHEAD {
            match self.socket.read(&mut chunk) {
                Ok(0) => self.over = true,
                Ok(read) => match self.responses.take(&chunk[..read]) {
                    Ok(more) => events.extend(more),
                    Err(_) => self.over = true,
                },
                Err(error) if is_nothing(&error) => break,
                Err(_) => self.over = true,
            }
            self.whole = self.responses.is_whole();
        }
        events
    }
}
