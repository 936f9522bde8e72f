//! The server behind an intermediary: answers as a scenario wants, and records what it was sent and when it was told.
//!
//! One thread and one epoll serve all connections. A request is known by its `X-Request-Id`, or by the last segment of its
//! path, so that an intermediary that rewrites the header can still be judged. Every moment is taken right after the wait
//! that reported it.
//!
//! # Layout
//! - [`Upstream`]: starts the thread, takes [`Reply`]s, hands out what was [`Seen`].
//! - `reply`: replies as steps and bytes; `incoming`: requests out of bytes; `serve`: the readiness loop.

use std::collections::{HashMap, VecDeque};
use std::io::{self, PipeWriter};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use wire::End;

mod incoming;
mod reply;
mod serve;

pub use reply::{FLOOD, Reply, Shape};

/// Addresses that one upstream listens on: an intermediary takes them for two servers.
pub const ADDRESSES: usize = 2;

/// An upstream that runs; dropping it closes every connection.
#[derive(Debug)]
pub struct Upstream {
    addresses: [SocketAddr; ADDRESSES],
    shared: Arc<Shared>,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

/// One arrival of a request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request's id.
    pub id: String,
    /// Which of the upstream's addresses it came to, from 0.
    pub address: usize,
    /// The number of its connection, from 0.
    pub connection: u64,
    /// The number of requests that the connection had carried before.
    pub before: usize,
    /// When its connection was accepted.
    pub connected_at: Instant,
    /// The head as it came.
    pub head: String,
    /// When the head was whole.
    pub head_at: Instant,
    /// When bytes of the body came, and how many.
    pub body: Vec<(Instant, usize)>,
    /// When the body was whole; for a request without one, when the head was.
    pub body_at: Option<Instant>,
    /// When bytes of the answer were handed to the kernel, and how many.
    pub sent: Vec<(Instant, usize)>,
    /// When the last byte of the answer was handed to the kernel.
    pub answered_at: Option<Instant>,
    /// The end of its connection while the answer was owed, and its time: the upstream was told.
    pub told: Option<(End, Instant)>,
}

impl Seen {
    /// The value of the first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Bytes of the body that came.
    pub fn body_bytes(&self) -> usize {
        self.body.iter().map(|(_, length)| length).sum()
    }

    /// Bytes of the answer that the kernel took.
    pub fn sent_bytes(&self) -> usize {
        self.sent.iter().map(|(_, length)| length).sum()
    }
}

/// State that the scenarios and the serving thread share.
#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    replies: HashMap<String, VecDeque<Reply>>,
    seen: Vec<Seen>,
    connections: u64,
}

impl Shared {
    /// Changes the log and wakes those who wait for a change.
    fn note<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let result = change(&mut self.log.lock());
        self.changed.notify_all();
        result
    }
}

impl Upstream {
    /// Listens on two ports of the loopback address that the kernel picks.
    ///
    /// # Errors
    /// When the system refuses a socket or a thread.
    pub fn start() -> io::Result<Self> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners: [TcpListener; ADDRESSES] = [listen()?, listen()?];
        let addresses = [listeners[0].local_addr()?, listeners[1].local_addr()?];
        let (stopped, stop) = io::pipe()?;
        let shared = Arc::new(Shared::default());
        let server = serve::Serve::new(listeners.into(), stopped, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new().name("upstream".into()).spawn(move || server.run())?;
        Ok(Self { addresses, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; the second address stands for a second server.
    pub fn addresses(&self) -> [SocketAddr; ADDRESSES] {
        self.addresses
    }

    /// Has the request of that id answered so. Given several, the first arrival takes the first, and the last is for all
    /// that follow. A request that nothing was said about is answered at once.
    pub fn answer(&self, id: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.log.lock().replies.insert(id.to_owned(), replies.into_iter().collect());
    }

    /// Every arrival of the request of that id so far, in order.
    pub fn seen(&self, id: &str) -> Vec<Seen> {
        self.shared.log.lock().seen.iter().filter(|seen| seen.id == id).cloned().collect()
    }

    /// Waits until an arrival of the request satisfies `wanted`, at most `within`.
    pub fn wait(&self, id: &str, within: Duration, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let until = Instant::now() + within;
        let mut log = self.shared.log.lock();
        loop {
            if let Some(seen) = log.seen.iter().find(|seen| seen.id == id && wanted(seen)) {
                return Some(seen.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.shared.changed.wait_for(&mut log, left);
        }
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.log.lock().connections
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by itself.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
