//! Counts the heartbeats of work under somebody else's load: as many requests as come, so nothing of them is kept but counts
//! and the names of those that run.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::witness::{self, Word};

/// Units of work as their own heartbeats tell of them. Each is one request with an `X-Request-Id`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Running now: begun, and not ended.
    pub running: u64,
    /// Begun since the beginning.
    pub started: u64,
    /// Ended by themselves.
    pub completed: u64,
    /// Ended because they were told to.
    pub canceled: u64,
    /// Ended in a panic.
    pub panicked: u64,
}

/// The knowledge of the work so far.
#[derive(Debug, Default)]
struct State {
    counts: Counts,
    /// The number of units that run under each name.
    running: HashMap<String, u64>,
}

impl State {
    /// Counts one heartbeat. An end without a beginning is of work that began before anybody listened.
    fn hear(&mut self, id: &str, word: Word) {
        if word == Word::Start {
            self.counts.started += 1;
            self.counts.running += 1;
            *self.running.entry(id.to_owned()).or_default() += 1;
            return;
        }
        if !word.is_end() {
            return;
        }
        let Some(left) = self.running.get_mut(id) else { return };
        *left -= 1;
        if *left == 0 {
            self.running.remove(id);
        }
        self.counts.running -= 1;
        match word {
            Word::Completed => self.counts.completed += 1,
            Word::Canceled => self.counts.canceled += 1,
            _ => self.counts.panicked += 1,
        }
    }
}

/// A socket that counts heartbeats; its thread ends when it is dropped.
#[derive(Debug)]
pub struct Heartbeats {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Heartbeats {
    /// Listens at `address`, where the server sends its heartbeats; port 0 takes a free one.
    ///
    /// # Errors
    /// When the socket or the thread cannot be made.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let (state, stop) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::default()));
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&stop));
        let hear = move |_, id: &str, word| shared.lock().hear(id, word);
        let socket = witness::listen(address, move || stopped.load(Ordering::Relaxed), hear)?;
        Ok(Self { address: socket.local_addr()?, state, stop })
    }

    /// Where work sends its datagrams.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counts until now.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_runs_from_its_start_to_its_end() {
        let mut state = State::default();
        for (id, word) in [
            ("a", Word::Start),
            ("a", Word::Beat(1)),
            ("b", Word::Start),
            ("a", Word::Canceled),
            ("a", Word::Completed),
            ("c", Word::Completed),
        ] {
            state.hear(id, word);
        }
        assert_eq!(state.counts, Counts { running: 1, started: 2, canceled: 1, ..Counts::default() });
        assert_eq!(state.running.len(), 1, "nothing is kept of what has ended");
    }

    #[test]
    fn two_units_of_one_name_are_two() {
        let mut state = State::default();
        for word in [Word::Start, Word::Start, Word::Completed] {
            state.hear("a", word);
        }
        assert_eq!((state.counts.running, state.counts.completed), (1, 1));
    }
}
