//! A server's counts of itself, and the heartbeats of its work.
//!
//! Every number is kept by a guard that is released on drop, so no early return, no dropped future and no panic can
//! miss it. The numbers are served by a plain thread that shares nothing with the runtime under test: an instrument
//! must not depend on its subject, and starving the runtime must not blind it.
//!
//! - [`counts`]: the counters, and what they look like as JSON and as Prometheus text.
//! - [`guards`]: connections, requests, contexts and work, counted while they live.
//! - [`outside`]: what work has outside the process, counted while it has it.
//! - [`worker`]: work in a process of its own.
//! - [`witness`]: the heartbeats, one UDP datagram each, for an observer who trusts no counter.
//! - [`admin`]: the endpoint.

#![deny(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a print waits for its reader; `service::log` never does"
)]

pub mod admin;
pub mod counts;
pub mod guards;
pub mod outside;
pub mod witness;
pub mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use contract::Settings;

use crate::counts::{Counts, Snapshot};
pub use crate::guards::{Connection, Held, Job, Request, Scope, Work};
pub use crate::outside::{Call, Permit, Query, Waiting};
use crate::witness::Witness;
pub use crate::worker::Process;

/// A server's counters; copies count into the same ones, which live as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Census {
    inner: &'static Inner,
}

#[derive(Debug)]
struct Inner {
    server: &'static str,
    started: Instant,
    counts: Counts,
    /// The number of permits.
    permits: u64,
    witness: Witness,
    /// The prefix of ids that are made for requests without one; read once, because it comes from the kernel.
    prefix: String,
}

impl Census {
    /// Opens the witness socket, and serves the counters of `server` at the admin address of `settings` on a new
    /// thread; returns the address it really listens on. `tasks` reads the number of the runtime's live tasks, where
    /// the runtime knows it.
    ///
    /// # Errors
    /// The address is taken, or the process has no descriptor or thread left.
    pub fn start(
        server: &'static str,
        settings: &Settings,
        tasks: impl Fn() -> Option<usize> + Send + 'static,
    ) -> io::Result<(Self, SocketAddr)> {
        let witness = Witness::open(settings.witness)?;
        let (started, prefix) = (Instant::now(), format!("lab-{}-", std::process::id()));
        let (counts, permits) = (Counts::default(), settings.permits.get() as u64);
        let inner = Inner { server, started, counts, permits, witness, prefix };
        let census = Self { inner: Box::leak(Box::new(inner)) };
        let address = admin::start(settings.admin, census, tasks)?;
        Ok((census, address))
    }

    /// The counters as they are now.
    #[must_use]
    pub fn snapshot(&self, tasks: Option<usize>) -> Snapshot {
        let uptime = self.inner.started.elapsed();
        self.inner.counts.snapshot(self.inner.server, self.inner.permits, uptime, tasks)
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.counts.connections_live.load(Relaxed).try_into().unwrap_or(0)
    }

    /// Returns the number of live units of work, wanted or not.
    #[must_use]
    pub fn work(&self) -> usize {
        self.inner.counts.work_live.load(Relaxed).try_into().unwrap_or(0)
    }

    /// Makes the id of a request that came without one: unique within this process.
    #[must_use]
    pub fn make_id(&self) -> String {
        let number = self.inner.counts.ids_made.fetch_add(1, Relaxed);
        format!("{}{number}", self.inner.prefix)
    }
}
