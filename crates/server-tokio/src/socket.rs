//! A connection's stream as hyper sees it: the bytes go through, and the connection's clock hears of them.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use contract::{OnDisconnect, preface};

use crate::conn::Conn;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;

/// The stream of a connection, shared with the connection that watches it.
pub(crate) struct Socket<'a> {
    // tokio: the `stream` is split: a half that reads knows from a short read that nothing more lies there, and saves asking
    // once more.
    pub(crate) read: ReadHalf<'a>,
    pub(crate) stream: &'a TcpStream,
    pub(crate) conn: Arc<Conn>,
    /// Bytes that were read to see which protocol is spoken, and that hyper has not read yet.
    pub(crate) ahead: Vec<u8>,
}

/// The number of bytes that are read ahead at once.
const READ: usize = 4 * 1024;

impl Socket<'_> {
    /// Reads until it is known which protocol is spoken, or nothing more comes; returns whether it is HTTP/2.
    pub(crate) async fn speaks_http2(&mut self) -> bool {
        let mut began = None;
        while preface::speaks_http2(&self.ahead).is_none() {
            let read = poll_fn(|cx| self.poll_read_ahead(cx)).await;
            if !read.is_ok_and(|read| read > 0) {
                break;
            }
            began.get_or_insert_with(Instant::now);
        }
        let (clock, now) = (&self.conn.clock, began.unwrap_or_else(Instant::now));
        let speaks_http2 = preface::speaks_http2(&self.ahead) == Some(true);
        if speaks_http2 {
            clock.streams(Instant::now());
        } else if !self.ahead.is_empty() {
            clock.received(now, &self.ahead);
        }
        speaks_http2
    }

    /// Reads some bytes ahead and returns how many.
    fn poll_read_ahead(&mut self, cx: &mut Task<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ];
        // tokio: bytes are read through a `buf`, which knows how many there are.
        let mut buf = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.read).poll_read(cx, &mut buf))?;
        self.ahead.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reports whether the end of the client's bytes is kept from hyper, which would take it for the end of all
    /// streams.
    fn withholds_end(&self) -> bool {
        self.conn.clock.has_streams() && self.conn.server.settings.on_disconnect != OnDisconnect::Cancel
    }

    /// Reports whether hyper now writes its own, empty answer to a head that it could not parse: the connection's end
    /// sends the contract's instead.
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

    // tokio: only here, because a shared stream is written by trying; only one that is owned has `poll_write`.
    /// Tries to write once the stream is ready for it.
    fn poll_try_write(&self, cx: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Socket<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let room = buf.remaining().min(self.ahead.len());
            buf.put_slice(&self.ahead[..room]);
            self.ahead.drain(..room);
            return Poll::Ready(Ok(()));
        }
        let had = buf.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buf))?;
        match &buf.filled()[had..] {
            [] if buf.remaining() > 0 && self.withholds_end() => {
                self.conn.clock.parting(Instant::now());
                return Poll::Pending;
            }
            [] => {}
            bytes => self.conn.clock.received(Instant::now(), bytes),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.withholds() {
            return Poll::Ready(Ok(buf.len()));
        }
        // tokio: a shared stream is written by trying.
        self.wrote(self.poll_try_write(cx, buf))
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
