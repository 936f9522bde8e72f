//! A connection in memory, whose bytes and end arrive when the schedule says so.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::fault::Fault;

/// The number of bytes of answers that have room until the client takes them.
const ROOM: usize = 96;

/// The bytes and ends between the server and one client.
#[derive(Default)]
pub(crate) struct Wire {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    /// Set when the client sends no more.
    finished: bool,
    /// Set when the client has reset the connection.
    reset: bool,
    /// Set when the server has closed its side.
    pub(crate) closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    /// Brings bytes to the server.
    pub(crate) fn deliver(&mut self, bytes: &[u8]) {
        self.to_server.extend(bytes);
        wake(&mut self.reader);
    }

    /// Tells the server that the client sends no more.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        wake(&mut self.reader);
    }

    /// Tells the server of a reset; bytes on their way are lost.
    pub(crate) fn reset(&mut self) {
        self.reset = true;
        self.to_server.clear();
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    /// Takes up to `most` bytes of the answers.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.to_client.len());
        let taken = self.to_client.drain(..count).collect();
        wake(&mut self.writer);
        taken
    }

    pub(crate) fn waiting_for_client(&self) -> usize {
        self.to_client.len()
    }
}

fn wake(waker: &mut Option<Waker>) {
    waker.take().into_iter().for_each(Waker::wake);
}

/// The server's end of a [`Wire`].
pub(crate) struct Socket {
    pub(crate) wire: Rc<RefCell<Wire>>,
    pub(crate) fault: Option<Fault>,
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.wire.borrow_mut();
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if wire.to_server.is_empty() {
            if wire.finished && self.fault != Some(Fault::DeafToEnd) {
                return Poll::Ready(Ok(()));
            }
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.remaining().min(wire.to_server.len());
        let bytes: Vec<u8> = wire.to_server.drain(..count).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.borrow_mut();
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = ROOM.saturating_sub(wire.to_client.len());
        if room == 0 {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let part = &buf[..buf.len().min(room)];
        wire.to_client.extend(part);
        if part.len() < buf.len() && self.fault == Some(Fault::RepeatedBytes) {
            wire.to_client.extend(part);
        }
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A close comes behind the bytes before it, and does not wait until the client has taken them.
        self.wire.borrow_mut().closed = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.wire.borrow_mut().closed = true;
    }
}
