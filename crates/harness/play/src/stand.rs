//! A server on show: started once, and again when a person asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustix::process::Signal;
use serde::Serialize;
use testbed::capability::Capability;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

use crate::event::Standing;

/// A style of work on the page.
#[derive(Debug, Serialize)]
pub(crate) struct Style {
    pub(crate) name: &'static str,
    /// The behavior of the work, as the rest of a sentence.
    about: &'static str,
    #[serde(skip)]
    pub(crate) need: Capability,
}

/// The styles of work, in the order of the page.
pub(crate) const STYLES: [Style; 10] = [
    Style {
        name: "context",
        about: "waits for its next tick or for the end of its context, whichever is first",
        need: Capability::StyleContext,
    },
    Style {
        name: "drop",
        about: "knows no context, and is abandoned at the deadline: a future is dropped, a thread is not",
        need: Capability::StyleDrop,
    },
    Style {
        name: "detached",
        about: "is spawned on its own, and nothing holds it",
        need: Capability::StyleDetached,
    },
    Style {
        name: "blocking",
        about: "sleeps on a thread of the blocking pool, and knows no context",
        need: Capability::StyleBlocking,
    },
    Style {
        name: "polling",
        about: "sleeps on such a thread, and asks its context at every tick",
        need: Capability::StylePolling,
    },
    Style { name: "spin", about: "keeps a processor busy and never yields", need: Capability::StyleSpin },
    Style {
        name: "permit",
        about: "takes one of 64 permits, then waits for its tick or its context",
        need: Capability::StylePermit,
    },
    Style {
        name: "process",
        about: "is a child process, which is killed when its request ends",
        need: Capability::StyleProcess,
    },
    Style {
        name: "process-unkilled",
        about: "is a child process that nothing kills",
        need: Capability::StyleProcessUnkilled,
    },
    Style {
        name: "upstream",
        about: "is done by another server, which is asked to, and whose connection is closed when the request ends",
        need: Capability::StyleUpstream,
    },
];
/// The server's own deadline: longer than any that the page offers.
const OWN_DEADLINE: &str = "10s";

/// A server on show.
#[derive(Debug)]
pub struct Stand {
    name: String,
    about: String,
    subject: Subject,
    pair: Mutex<Pair>,
    running: AtomicUsize,
}

/// A server, and the one that its style `upstream` asks, which is its like.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) server: Arc<Server>,
    pub(crate) upstream: Option<Arc<Server>>,
}

impl Stand {
    /// Starts a server.
    ///
    /// # Errors
    /// A sentence that says what it did instead of starting, or that its work sends no heartbeats.
    pub fn start(subject: Subject, about: &str) -> Result<Self, String> {
        let pair = start(&subject)?;
        if pair.server.witness().is_none() {
            return Err(format!(
                "{}: its work sends no heartbeats, so there is nothing to see",
                subject.name()
            ));
        }
        let (name, about) = (subject.name().to_owned(), about.to_owned());
        Ok(Self { name, about, subject, pair: Mutex::new(pair), running: AtomicUsize::new(0) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that runs now, and its upstream.
    pub(crate) fn pair(&self) -> Pair {
        self.pair.lock().clone()
    }

    /// Kills the server with all its work, and starts another in its place.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub(crate) fn restart(&self) -> Result<(), String> {
        let mut pair = self.pair.lock();
        for server in [Some(&pair.server), pair.upstream.as_ref()].into_iter().flatten() {
            server.signal(Signal::KILL);
            server.kill();
        }
        *pair = start(&self.subject)?;
        Ok(())
    }

    /// Returns true when it has this style of work.
    pub(crate) fn has(&self, style: &str) -> bool {
        self.styles().any(|known| known == style)
    }

    fn styles(&self) -> impl Iterator<Item = &'static str> {
        STYLES.iter().filter(|style| self.subject.supports(style.need)).map(|style| style.name)
    }

    /// Its part of the first event.
    pub(crate) fn told(&self) -> Standing<'_> {
        let takes_deadline = self.subject.supports(Capability::TimeoutHeader);
        Standing { name: &self.name, about: &self.about, styles: self.styles().collect(), takes_deadline }
    }

    /// Counts an experiment in, until the guard is dropped.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Busy(&self.running)
    }

    /// Returns true while an experiment runs on it.
    pub(crate) fn is_busy(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }
}

/// An experiment that runs on a server.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn start(subject: &Subject) -> Result<Pair, String> {
    let own = [("--request-timeout", OWN_DEADLINE)];
    let own: &[_] = if subject.supports(Capability::FlagRequestTimeout) { &own } else { &[] };
    let start = |flags: &[(&str, &str)]| subject.start(Setup { flags, ..Setup::default() });
    if !subject.supports(Capability::StyleUpstream) || !subject.supports(Capability::FlagUpstream) {
        return Ok(Pair { server: start(own)?, upstream: None });
    }
    let upstream = start(own)?;
    let address = upstream.address().to_string();
    let server = start(&[own, &[("--upstream", &address)]].concat())?;
    Ok(Pair { server, upstream: Some(upstream) })
}
