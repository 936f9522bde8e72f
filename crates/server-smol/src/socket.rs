//! A connection's stream as hyper sees it: the bytes go through, and the connection's clock hears of them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use crate::connection::Conn;

use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;

/// The stream of a connection, shared with the connection that watches it.
pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) conn: Arc<Conn>,
}

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

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        match read {
            0 => {}
            read => self.conn.clock.received(Instant::now(), &buf[..read]),
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.withholds() {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.withholds() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(written)
    }

    // smol: no `is_write_vectored`, because futures-io asks no such question.

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.conn.clock.flushed();
        Poll::Ready(Ok(()))
    }

    // smol: no `poll_shutdown`, because futures-io calls it as follows.
    // smol: only here, because tokio's word for it is another.
    /// Leaves the stream open: the connection shuts it down itself, and lingers where that is needed.
    fn poll_close(self: Pin<&mut Self>, _cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
