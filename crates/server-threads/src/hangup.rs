//! Clients that leave: the kernel's word for it, whatever bytes lie unread.
//!
// threads: only here, because a blocked thread hears of nothing; one epoll descriptor does, for all connections of the
// process.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use contract::{OnDisconnect, Reason, Settings};
use ctx::Cancel;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use crate::Server;

/// The connections that are watched, each by the key that the kernel reports it under.
pub(crate) struct Hangups {
    // threads: a thread of its own waits for it.
    epoll: OwnedFd,
    next: AtomicU64,
    watched: Mutex<HashMap<u64, Arc<Cancel>>>,
}

/// A connection under watch, until it is dropped.
pub(crate) struct Hangup<'a> {
    hangups: &'a Hangups,
    stream: &'a TcpStream,
    key: u64,
}

impl Hangups {
    /// Opens the descriptor.
    pub(crate) fn open() -> io::Result<Self> {
        // threads: a thread of its own waits for it.
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, next: AtomicU64::new(0), watched: Mutex::default() })
    }

    /// Cancels with cause `disconnect` once the client of `stream` has left, as far as `settings` care.
    pub(crate) fn add<'a>(
        &'a self,
        stream: &'a TcpStream,
        settings: &Settings,
        cancel: &Arc<Cancel>,
    ) -> io::Result<Option<Hangup<'a>>> {
        // A reset is reported unasked, as an error.
        let flags = match settings.on_disconnect {
            OnDisconnect::Cancel => EventFlags::RDHUP | EventFlags::ET,
            OnDisconnect::Serve => EventFlags::ET,
            OnDisconnect::Detach => return Ok(None),
        };
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, cancel.clone());
        let hangup = Hangup { hangups: self, stream, key };
        epoll::add(&self.epoll, stream, EventData::new_u64(key), flags)?;
        Ok(Some(hangup))
    }

    // threads: no `cancel_reported`, because the thread that waits takes the reports.

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Cancel>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hangup<'_> {
    fn drop(&mut self) {
        let _ = epoll::delete(&self.hangups.epoll, self.stream);
        self.hangups.lock().remove(&self.key);
    }
}

// threads: another body, because it waits where it takes the reports.
/// Cancels the connections whose clients leave, for as long as the server runs.
pub(crate) fn watch(server: &Server) {
    let hangups = &server.hangups;
    let mut events = Vec::with_capacity(256);
    loop {
        events.clear();
        let buffer = rustix::buffer::spare_capacity(&mut events);
        match epoll::wait(&hangups.epoll, buffer, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        for event in &events {
            let left = hangups.lock().get(&event.data.u64()).cloned();
            if let Some(cancel) = left {
                cancel.cancel_cause(Reason::Disconnect);
            }
        }
    }
}
