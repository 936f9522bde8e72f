//! Pools of connections, and the buffered socket of a database driver.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use deadpool::managed::{self, Metrics, RecycleResult};
use drop_at_await::Report;
use futures_lite::future::yield_now;
use sqlx_core::io::ReadBuf;
use sqlx_core::net::{BufferedSocket, Socket};
use sqlx_core::sync::AsyncSemaphore;

use super::of;
use crate::case::Case;
use crate::case::Claim::{Nothing, Safe};
use crate::case::Invariant::{Bytes, Permits};
use crate::tools::{MESSAGE, UsedUp, alone, check, in_tokio, passes_on, reads, whole_message};

pub(super) fn cases() -> Vec<Case> {
    const MANAGED: &str = "deadpool/src/managed/pool.rs";
    const SOCKET: &str = "sqlx-core/src/net/socket/buffered.rs";
    let managed = || of("deadpool", "managed::Pool::get", "deadpool/managed/struct.Pool.html#method.get");
    let socket = |item| of("sqlx-core", item, "sqlx_core/net/struct.BufferedSocket.html");
    vec![
        of("bb8", "Pool::get", "bb8/struct.Pool.html#method.get")
            .says(Nothing, "bb8/src/api.rs", "pub async fn get(")
            .moving("1 connection, opened by the call", Permits)
            .keeps(bb8_opens),
        of("bb8", "Pool::get", "bb8/struct.Pool.html#method.get")
            .says(Nothing, "bb8/src/api.rs", "pub async fn get(")
            .moving("1 connection, in use", Permits)
            .keeps(bb8_waits),
        managed()
            .says(Nothing, MANAGED, "pub async fn get(")
            .moving("1 object, made by the call", Permits)
            .keeps(makes),
        managed()
            .says(Nothing, MANAGED, "pub async fn get(")
            .moving("2 callers, 1 object", Permits)
            .keeps(waits),
        of("deadpool", "unmanaged::Pool::get", "deadpool/unmanaged/struct.Pool.html#method.get")
            .says(Nothing, "deadpool/src/unmanaged/mod.rs", "pub async fn get(")
            .moving("2 callers, 1 object", Permits)
            .keeps(unmanaged_waits),
        of(
            "sqlx-core",
            "sync::AsyncSemaphore::acquire",
            "sqlx_core/sync/struct.AsyncSemaphore.html#method.acquire",
        )
        .says(Nothing, "sqlx-core/src/sync.rs", "pub async fn acquire(")
        .moving("2 waiters, 1 permit", Permits)
        .keeps(semaphore),
        socket("net::BufferedSocket::try_read")
            .says(Safe, SOCKET, "pub async fn try_read<F, R>(")
            .moving("16 bytes in messages of 4, fed one by one", Bytes)
            .keeps(try_read),
        socket("net::BufferedSocket::flush")
            .says(Nothing, SOCKET, "pub async fn flush(")
            .moving("16 bytes, room for 3", Bytes)
            .keeps(flush),
    ]
}

/// A connection to nothing; it takes a while to open and to try.
struct Connections;

impl bb8::ManageConnection for Connections {
    type Connection = ();
    type Error = Infallible;

    async fn connect(&self) -> Result<(), Infallible> {
        yield_now().await;
        Ok(())
    }

    async fn is_valid(&self, _: &mut ()) -> Result<(), Infallible> {
        yield_now().await;
        Ok(())
    }

    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

fn bb8_pool() -> bb8::Pool<Connections> {
    bb8::Pool::builder().max_size(1).test_on_check_out(true).build_unchecked(Connections)
}

fn bb8_opens() -> Report {
    in_tokio(async |run| {
        let pool = bb8_pool();
        let got = run.retry(async || pool.get().await.is_ok(), |_| false).await;
        let state = pool.state();
        let whole = state.connections == 1 && state.idle_connections == 1;
        check(got.completed() == Some(true) && whole, &format!("the connection: {state:?}"))
    })
}

fn bb8_waits() -> Report {
    in_tokio(async |run| {
        let pool = bb8_pool();
        let mut held = pool.get().await.ok();
        let got = run.retry(async || pool.get().await.is_ok(), |_| held.take().is_some()).await;
        let state = pool.state();
        let whole = state.connections == 1 && state.idle_connections == 1;
        check(got.completed() == Some(true) && whole, &format!("the connection: {state:?}"))
    })
}

/// Objects that take a while to make and to recycle.
struct Objects;

impl managed::Manager for Objects {
    type Type = ();
    type Error = Infallible;

    async fn create(&self) -> Result<(), Infallible> {
        yield_now().await;
        Ok(())
    }

    async fn recycle(&self, _: &mut (), _: &Metrics) -> RecycleResult<Infallible> {
        yield_now().await;
        Ok(())
    }
}

fn pool() -> managed::Pool<Objects> {
    managed::Pool::builder(Objects).max_size(1).build().expect("a pool without timeouts needs no runtime")
}

fn makes() -> Report {
    alone(|run| {
        let pool = pool();
        // The second call recycles what the first one made.
        for _ in 0..2 {
            drop(run.retry(async || pool.get().await.is_ok(), |_| false));
        }
        let status = pool.status();
        check(status.available == 1 && status.size == 1, &format!("the object: {status:?}"))
    })
}

fn waits() -> Report {
    alone(|run| {
        let pool = pool();
        let mut held = futures_lite::future::block_on(pool.get()).ok();
        passes_on(run, pool.get(), pool.get(), UsedUp::Never, || drop(held.take()))
    })
}

fn unmanaged_waits() -> Report {
    alone(|run| {
        let pool = deadpool::unmanaged::Pool::from(vec![()]);
        let mut held = pool.try_get().ok();
        passes_on(run, pool.get(), pool.get(), UsedUp::Never, || drop(held.take()))
    })
}

fn semaphore() -> Report {
    alone(|run| {
        let semaphore = AsyncSemaphore::new(true, 1);
        let mut held = semaphore.try_acquire(1);
        passes_on(run, semaphore.acquire(1), semaphore.acquire(1), UsedUp::Never, || drop(held.take()))?;
        check(semaphore.permits() == 1, "a permit")
    })
}

/// A socket in memory; its other side is the test.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Halves>>);

#[derive(Default)]
struct Halves {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
    waiting: Option<Waker>,
}

/// The number of bytes that have room until they are fetched.
const ROOM: usize = 3;

impl Pipe {
    fn with<R>(&self, act: impl FnOnce(&mut Halves) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for `is_ready`.
    fn poll(&self, cx: &mut Context<'_>, is_ready: impl FnOnce(&Halves) -> bool) -> Poll<io::Result<()>> {
        self.with(|halves| {
            if is_ready(halves) {
                return Poll::Ready(Ok(()));
            }
            halves.waiting = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn feed(&self, bytes: &[u8]) -> bool {
        self.with(|halves| {
            halves.incoming.extend(bytes);
            halves.waiting.take().into_iter().for_each(Waker::wake);
        });
        true
    }

    fn fetch(&self, arrived: &mut Vec<u8>) -> bool {
        self.with(|halves| {
            let some = !halves.outgoing.is_empty();
            arrived.append(&mut halves.outgoing);
            halves.waiting.take().into_iter().for_each(Waker::wake);
            some
        })
    }
}

impl Socket for Pipe {
    fn try_read(&mut self, buf: &mut dyn ReadBuf) -> io::Result<usize> {
        self.with(|halves| {
            let count = halves.incoming.len().min(buf.remaining_mut());
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let bytes: Vec<u8> = halves.incoming.drain(..count).collect();
            buf.put_slice(&bytes);
            Ok(count)
        })
    }

    fn try_write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.with(|halves| {
            let count = buf.len().min(ROOM - halves.outgoing.len());
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            halves.outgoing.extend(&buf[..count]);
            Ok(count)
        })
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |halves| !halves.incoming.is_empty())
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |halves| halves.outgoing.len() < ROOM)
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn try_read() -> Report {
    alone(|run| {
        let pipe = Pipe::default();
        let mut socket = BufferedSocket::new(pipe.clone());
        reads(run, async || Some(socket.read_buffered(4).await.ok()?.to_vec()), |bytes| pipe.feed(bytes))
    })
}

fn flush() -> Report {
    alone(|run| {
        let pipe = Pipe::default();
        let mut socket = BufferedSocket::new(pipe.clone());
        let mut arrived = Vec::new();
        let written = socket.write(MESSAGE).is_ok();
        assert!(written);
        drop(run.retry(async || socket.flush().await, |_| pipe.fetch(&mut arrived)));
        while pipe.fetch(&mut arrived) {}
        whole_message(&arrived)
    })
}
