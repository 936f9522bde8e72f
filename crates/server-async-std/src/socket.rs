//! A connection's stream as hyper sees it: the bytes go through, and the connection's clock hears of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use crate::conn::Conn;

use async_std::net::TcpStream;
use futures_lite::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};

/// The stream of a connection, shared with the connection that watches it.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) conn: Arc<Conn>,
}

// async-std: only here, because tokio reads into memory that holds no value yet.
/// How much is read at once, in bytes.
const READ: usize = 4 * 1024;

impl Socket {
    /// Whether what hyper writes now is its own, empty answer to a head it could not parse: the connection's end sends
    /// the contract's instead.
    fn withholds(&self) -> bool {
        self.conn.clock.owes_nothing()
    }

    /// Tells the clock what became of a write.
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.conn.clock.blocked(Instant::now()),
            Poll::Ready(_) => self.conn.clock.wrote(),
        }
        written
    }
}

impl Read for Socket {
    // async-std: another body, because only bytes that hold a value are read into, and hyper's buffer is not filled with such in
    // advance: whatever is not written to costs no memory. So they are read into an array of the stack's, and copied.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ];
        let room = buf.remaining().min(READ);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut bytes[..room]))?;
        match &bytes[..read] {
            [] => {}
            bytes => self.conn.clock.received(Instant::now(), bytes),
        }
        buf.put_slice(&bytes[..read]);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.withholds() {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.conn.clock.flushed();
        Poll::Ready(Ok(()))
    }

    /// Leaves the stream open: the connection shuts it down itself, and lingers where that is needed.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
