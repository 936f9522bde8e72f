//! The load generator: thousands of keep-alive connections on a thread or two, in step with a schedule fixed in advance.
//!
//! # Rules
//! 1. *The schedule does not wait for answers.* In the open loop every request has its moment before the first is sent, and
//!    its latency counts from that moment: a server that stalls is late for all that was due meanwhile.
//! 2. *Nothing is dropped.* Every request ends as an answer, as a lost connection, or censored, with its age.
//! 3. *Statuses do not mix.* A 200, a 504 and anything else have a histogram each, and only good answers are throughput:
//!    lost requests, answers cut short, interim responses and other statuses are counted apart.
//! 4. *The generator is a suspect too.* Its own processor time and lateness stand in the row, and [`validity`] judges them.
//!
//! # Layout
//! - [`pace`]: when requests are due; `link`: one connection; `drive`: the readiness loop of one thread.
//! - [`tally`]: what is counted on the way; `censored`: requests without an answer; [`row`]: what is said in the end; [`validity`]: whether it may be believed.
//! - [`cost`]: what the server paid, from outside.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::Request;

mod censored;
pub mod cost;
mod drive;
mod error;
mod link;
pub mod pace;
pub mod row;
pub mod tally;
pub mod validity;

use cost::Cost;
pub use error::Error;
pub use pace::Pace;
pub use row::Row;
pub use tally::Sample;
use tally::Tally;

/// The load to generate.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the server listens.
    pub to: SocketAddr,
    /// Its process, to read what a request costs it; none for somebody else's.
    pub pid: Option<u32>,
    /// The one request that is sent again and again.
    pub request: Request,
    /// The authority that it names in `Host`; the server's address unless said.
    pub host: String,
    /// The statuses that make an answer a good one; any other is counted apart and is no throughput.
    pub good: Vec<u16>,
    /// Connections, opened before the first request; one that the server closes is opened again.
    pub connections: usize,
    /// When requests are sent.
    pub pace: Pace,
    /// Threads that send them.
    pub threads: usize,
    /// The time for which answers are waited for once the schedule is over.
    pub patience: Duration,
    /// True when every sample is kept, and not only its place in a histogram.
    pub keep: bool,
}

/// A load that has ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// The figures.
    pub row: Row,
    /// When the schedule began.
    pub begin_at: Instant,
    /// Every request that was answered or lost, in the order of answers by thread; empty unless [`Load::keep`].
    pub samples: Vec<Sample>,
}

impl Load {
    /// A load of `request` on the server at `to`: one thread, and five seconds for the last answers.
    pub fn new(to: SocketAddr, pid: Option<u32>, request: Request, connections: usize, pace: Pace) -> Self {
        let patience = Duration::from_secs(5);
        let host = to.to_string();
        let good = vec![200, 504];
        Self { to, pid, request, host, good, connections, pace, threads: 1, patience, keep: false }
    }

    /// Opens the connections, keeps the schedule, waits for the answers.
    ///
    /// # Errors
    /// When the connections cannot be opened, or the sockets not be watched.
    pub fn run(&self) -> Result<Done, Error> {
        let threads = self.threads.clamp(1, self.connections.max(1));
        let bytes = self.request.bytes(&self.host);
        let mut drivers = Vec::with_capacity(threads);
        for number in 0..threads {
            drivers.push(drive::Driver::open(self, &bytes, number, threads)?);
        }
        let before = self.pid.and_then(|pid| Cost::read(pid).ok());
        let begin_at = Instant::now();
        let tallies: Vec<Result<Tally, Error>> = std::thread::scope(|scope| {
            let running: Vec<_> =
                drivers.into_iter().map(|driver| scope.spawn(move || driver.run(begin_at))).collect();
            running.into_iter().map(|thread| thread.join().expect("a driver does not panic")).collect()
        });
        let after = self.pid.and_then(|pid| Cost::read(pid).ok());
        let mut tally = Tally::default();
        for thread in tallies {
            tally.merge(thread?);
        }
        let cost = before.zip(after).map(|(before, after)| after.since(&before));
        let samples = std::mem::take(&mut tally.samples);
        let mut row = Row::of(self, begin_at, &tally, cost.as_ref());
        row.invalid = validity::reasons(&row);
        Ok(Done { row, begin_at, samples })
    }
}
