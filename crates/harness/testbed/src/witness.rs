//! The witness socket: hears from the work itself, and so needs to trust nobody's counters.
//!
//! Work sends one UDP datagram per event: `<request-id> start`, `<request-id> beat <n>`, `<request-id> end
//! completed|canceled|panicked`.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use derive_more::Display;
use parking_lot::{Condvar, Mutex};

/// The message of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
#[display(rename_all = "lowercase")]
pub enum Word {
    /// It has begun.
    #[display("started")]
    Start,
    /// It has done its n-th unit.
    #[display("beat {_0}")]
    Beat(u64),
    /// It has ended by itself.
    Completed,
    /// It has ended because it was told to.
    Canceled,
    /// It has ended in a panic.
    Panicked,
}

impl Word {
    /// True for the three ways to end.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Panicked)
    }
}

/// Splits a datagram into the request's name and the word; `None` when it is neither.
pub fn parse(datagram: &str) -> Option<(&str, Word)> {
    let mut parts = datagram.trim_end().split(' ');
    let (id, verb, object) = (parts.next()?, parts.next()?, parts.next());
    let word = match (verb, object) {
        ("start", None) => Word::Start,
        ("beat", Some(number)) => Word::Beat(number.parse().ok()?),
        ("end", Some("completed")) => Word::Completed,
        ("end", Some("canceled")) => Word::Canceled,
        ("end", Some("panicked")) => Word::Panicked,
        _ => return None,
    };
    (!id.is_empty() && parts.next().is_none()).then_some((id, word))
}

type Heard = HashMap<String, Vec<(Instant, Word)>>;

/// The name under which the witness sends marks to itself; no request has it.
const MARK: &str = "(mark)";
/// The time after which a mark counts as lost, since a socket whose buffer is full drops what comes.
const MARK_LOST: Duration = Duration::from_millis(100);
/// The longest time for which a mark is waited for.
const MARK_GIVEN_UP: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct State {
    heard: Mutex<Heard>,
    news: Condvar,
    /// The number of marks that were sent.
    marks: AtomicU64,
    /// The highest mark that was heard.
    mark: Mutex<u64>,
    marked: Condvar,
    stop: AtomicBool,
}

/// A listening witness; its thread ends when it is dropped.
#[derive(Debug)]
pub struct Witness {
    state: Arc<State>,
    socket: UdpSocket,
}

impl Witness {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When the socket or the thread cannot be made.
    pub fn listen() -> io::Result<Self> {
        let state = Arc::new(State::default());
        let (shared, stopped) = (Arc::clone(&state), Arc::clone(&state));
        let hear = move |now, id: &str, word| {
            if let (MARK, Word::Beat(mark)) = (id, word) {
                let mut last = shared.mark.lock();
                *last = mark.max(*last);
                shared.marked.notify_all();
                return;
            }
            shared.heard.lock().entry(id.to_owned()).or_default().push((now, word));
            shared.news.notify_all();
        };
        let socket =
            listen((Ipv4Addr::LOCALHOST, 0).into(), move || stopped.stop.load(Ordering::Relaxed), hear)?;
        Ok(Self { state, socket })
    }

    /// Where work sends its datagrams.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a socket that is bound has an address")
    }

    /// Waits until everything is heard that has come so far. Work that said a word before its request was answered is
    /// otherwise found silent by whoever reads the answer first.
    ///
    /// # Errors
    /// When this machine stood still for so long that the witness did not hear itself.
    pub fn catch_up(&self) -> io::Result<()> {
        self.catch_up_within(MARK_GIVEN_UP)
    }

    fn catch_up_within(&self, limit: Duration) -> io::Result<()> {
        let address = self.address();
        let mark = self.state.marks.fetch_add(1, Ordering::Relaxed) + 1;
        let until = Instant::now() + limit;
        let mut last = self.state.mark.lock();
        while *last < mark && Instant::now() < until {
            let _ = self.socket.send_to(format!("{MARK} beat {mark}").as_bytes(), address);
            self.state.marked.wait_while_for(&mut last, |last| *last < mark, MARK_LOST);
        }
        if *last < mark {
            let what = format!("the lab did not hear its own datagrams for {limit:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        Ok(())
    }

    /// Everything heard from the work of `id`, in the order it came.
    pub fn events(&self, id: &str) -> Vec<(Instant, Word)> {
        self.state.heard.lock().get(id).cloned().unwrap_or_default()
    }

    /// Everything heard from the work of `id` behind the first `heard` events, in the order it came.
    pub fn events_from(&self, id: &str, heard: usize) -> Vec<(Instant, Word)> {
        self.state
            .heard
            .lock()
            .get(id)
            .and_then(|events| events.get(heard..))
            .map(<[_]>::to_vec)
            .unwrap_or_default()
    }

    /// Everything heard since `since` from works whose id begins with `prefix`, each work's in the order it came.
    pub fn since(&self, since: Instant, prefix: &str) -> Vec<(String, Vec<(Instant, Word)>)> {
        let heard = self.state.heard.lock();
        let late = |events: &[(Instant, Word)]| -> Vec<_> {
            events.iter().filter(|(at, _)| *at >= since).copied().collect()
        };
        let works = heard.iter().filter(|(id, _)| id.starts_with(prefix));
        let mut works: Vec<_> = works.map(|(id, events)| (id.clone(), late(events))).collect();
        works.retain(|(_, events)| !events.is_empty());
        works.sort_by_key(|(_, events)| events[0].0);
        works
    }

    /// When the work of `id` said that it began.
    pub fn started(&self, id: &str) -> Option<Instant> {
        self.find(id, |word| word == Word::Start)
    }

    /// When and how the work of `id` said that it ended.
    pub fn ended(&self, id: &str) -> Option<(Instant, Word)> {
        self.events(id).into_iter().find(|(_, word)| word.is_end())
    }

    /// The last sign of life of `id`: a start, a beat or its end.
    pub fn last(&self, id: &str) -> Option<Instant> {
        self.events(id).last().map(|(at, _)| *at)
    }

    /// Beats of `id` heard after `at`.
    pub fn beats_after(&self, id: &str, at: Instant) -> usize {
        self.events(id).iter().filter(|(when, word)| *when > at && matches!(word, Word::Beat(_))).count()
    }

    /// Waits until the work of `id` has begun.
    pub fn wait_start(&self, id: &str, within: Duration) -> Option<Instant> {
        self.wait(within, || self.started(id))
    }

    /// Waits until the work of `id` has ended.
    pub fn wait_end(&self, id: &str, within: Duration) -> Option<(Instant, Word)> {
        self.wait(within, || self.ended(id))
    }

    /// Forgets everything heard.
    pub fn clear(&self) {
        self.state.heard.lock().clear();
    }

    /// Waits until `found` finds something; it is asked again at every event.
    pub fn wait<T>(&self, within: Duration, found: impl Fn() -> Option<T>) -> Option<T> {
        let until = Instant::now() + within;
        loop {
            if let Some(value) = found() {
                return Some(value);
            }
            let left = until.checked_duration_since(Instant::now())?;
            // An event between the look and the wait is caught a moment later.
            let nap = left.min(Duration::from_millis(5));
            self.state.news.wait_for(&mut self.state.heard.lock(), nap);
        }
    }

    fn find(&self, id: &str, wanted: impl Fn(Word) -> bool) -> Option<Instant> {
        self.state.heard.lock().get(id)?.iter().find(|(_, word)| wanted(*word)).map(|(at, _)| *at)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}

/// Gives every word that comes to `address` to `hear`, on a thread that ends once it `is_over`; returns the socket that it
/// listens on.
pub(crate) fn listen(
    address: SocketAddr,
    is_over: impl Fn() -> bool + Send + 'static,
    hear: impl Fn(Instant, &str, Word) + Send + 'static,
) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // A storm of a thousand works beats faster than one thread wakes up.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
    // Only so that the thread notices that it is to stop.
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let listening = socket.try_clone()?;
    let listen = move || {
        let mut datagram = [0; 512];
        while !is_over() {
            let Ok(length) = listening.recv(&mut datagram) else { continue };
            let now = Instant::now();
            if let Some((id, word)) = parse(&String::from_utf8_lossy(&datagram[..length])) {
                hear(now, id, word);
            }
        }
    };
    std::thread::Builder::new().name("witness".into()).spawn(listen)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_words_are_understood() {
        assert_eq!(parse("a-1 start\n"), Some(("a-1", Word::Start)));
        assert_eq!(parse("a-1 beat 7"), Some(("a-1", Word::Beat(7))));
        assert_eq!(parse("a-1 end canceled"), Some(("a-1", Word::Canceled)));
    }

    #[test]
    fn anything_else_is_not_heard() {
        for datagram in
            ["", "a-1", "a-1 beat", "a-1 beat x", "a-1 end", "a-1 end maybe", "a-1 start 1", " start"]
        {
            assert_eq!(parse(datagram), None, "{datagram:?}");
        }
    }

    #[test]
    fn what_was_sent_before_is_heard_once_the_witness_has_caught_up() {
        let witness = Witness::listen().expect("a port is free");
        let work = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        for round in 0..200 {
            for beat in 0..20 {
                work.send_to(format!("a-{round} beat {beat}").as_bytes(), witness.address())
                    .expect("it is sent");
            }
            witness.catch_up().expect("it hears itself");
            assert_eq!(witness.events(&format!("a-{round}")).len(), 20, "in round {round}");
        }
    }

    #[test]
    fn marks_are_no_words_of_any_work() {
        let witness = Witness::listen().expect("a port is free");
        let since = Instant::now();
        witness.catch_up().expect("it hears itself");
        assert_eq!(witness.since(since, ""), []);
    }

    #[test]
    fn a_witness_that_does_not_hear_itself_says_so() {
        let witness = Witness::listen().expect("a port is free");
        witness.state.stop.store(true, Ordering::Relaxed);
        // Its thread ends behind the next datagram, if it has not ended before.
        let _ = witness.catch_up_within(MARK_LOST);
        let missed = witness.catch_up_within(MARK_LOST).map_err(|error| error.kind());
        assert_eq!(missed, Err(io::ErrorKind::TimedOut));
    }
}
