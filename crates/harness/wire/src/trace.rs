//! The trace of a connection: bytes sent and received with their times. It is printed beside a failure, and kept for
//! all with `--trace`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::response::preview;

/// The most lines kept; a storm says the same a thousand times.
const MOST: usize = 200;

/// A log of one scenario's doings, shared by its connections.
#[derive(Debug, Clone)]
pub struct Trace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start_at: Instant,
    connections: AtomicU64,
    lines: Mutex<Vec<String>>,
}

impl Default for Trace {
    fn default() -> Self {
        Self(Arc::new(Inner {
            start_at: Instant::now(),
            connections: AtomicU64::new(0),
            lines: Mutex::new(Vec::new()),
        }))
    }
}

impl Trace {
    /// A number for a new connection.
    pub fn next_connection(&self) -> u64 {
        self.0.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes an event on a connection; 0 is the scenario itself.
    pub fn say(&self, connection: u64, what: &str) {
        let mut lines = self.0.lines.lock();
        if lines.len() < MOST {
            let stamp = self.stamp(Instant::now());
            lines.push(format!("{stamp}#{connection:<3} {what}"));
        } else if lines.len() == MOST {
            lines.push("              (more of the same is left out)".to_owned());
        }
    }

    /// When the log began.
    pub fn start_at(&self) -> Instant {
        self.0.start_at
    }

    /// Returns the beginning of a line about this moment.
    pub fn stamp(&self, at: Instant) -> String {
        format!("{:>10.2} ms  ", at.saturating_duration_since(self.0.start_at).as_secs_f64() * 1e3)
    }

    /// Notes bytes that went out (`>`) or came in (`<`).
    pub fn bytes(&self, connection: u64, arrow: char, bytes: &[u8]) {
        self.say(connection, &format!("{arrow} {}", preview(bytes)));
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.lines.lock().clone()
    }
}
