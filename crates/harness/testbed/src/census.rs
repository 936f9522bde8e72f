//! Reads the census: the server's own counters, served by a thread that its runtime cannot starve.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wire::trace::Trace;
use wire::{Request, Wire};

use crate::Error;

/// The time in which the census must answer; its thread shares nothing with the runtime under test.
const PATIENCE: Duration = Duration::from_secs(5);

/// One reading of `GET /census`. Numbers that a server does not keep are zero.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Census {
    /// The server's name.
    pub server: String,
    /// Since its start.
    pub uptime_ms: u64,
    /// Connections.
    pub connections: Connections,
    /// Requests.
    pub requests: Requests,
    /// Units of work.
    pub work: Work,
    /// Contexts.
    pub contexts: Contexts,
    /// Work that is not in the process.
    pub outside: Outside,
}

/// Connections counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connections {
    /// Open now.
    pub live: u64,
    /// Accepted since the start.
    pub accepted: u64,
    /// Turned away since the start.
    pub refused: u64,
}

/// Requests counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// The number that are being answered now.
    pub live: u64,
    /// The number that have begun since the server started.
    pub started: u64,
    /// The number of answers of each status.
    pub answered: BTreeMap<String, u64>,
    /// The number that ended for each reason.
    pub ended: BTreeMap<String, u64>,
}

/// Units of work counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Work {
    /// The number that run now.
    pub live: u64,
    /// The number that run now although their requests have ended.
    pub zombie: u64,
    /// The number that have begun since the server started.
    pub started: u64,
    /// The number that ran to their natural end.
    pub completed: u64,
    /// The number that ended early because they were canceled.
    pub canceled: u64,
    /// The number that ended in a panic.
    pub panicked: u64,
}

/// Contexts counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contexts {
    /// The number that are alive now.
    pub live: u64,
}

/// Work outside the process, counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outside {
    /// Child processes that are not reaped yet.
    pub processes: u64,
    /// Calls to another server under way.
    pub calls: u64,
    /// Queries to a database under way.
    pub queries: u64,
    /// Permits to work.
    pub permits: Permits,
}

/// Permits counted by the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Permits {
    /// Taken by no request.
    pub free: u64,
    /// Requests that wait for one.
    pub waiting: u64,
}

impl Census {
    /// Reads the census at `admin` once.
    ///
    /// # Errors
    /// When the admin address does not answer with a census.
    pub fn read(admin: SocketAddr) -> Result<Self, Error> {
        let wire = Wire::connect(admin, Instant::now() + PATIENCE, &Trace::default());
        let mut wire = wire.map_err(Error::Admin)?;
        let request = Request::get("/census").header("Connection", "close");
        let answer = wire.ask(&request).map_err(Error::NoCensus)?;
        serde_json::from_slice(&answer.response.body).map_err(Error::NotACensus)
    }

    /// True when no request, no work and no request's context is left.
    pub fn is_quiet(&self) -> bool {
        self.requests.live == 0 && self.work.live == 0 && self.work.zombie == 0
    }

    /// The numbers that tell whether something is left, on one line.
    pub fn line(&self) -> String {
        format!(
            "connections {}, requests {}, work {} ({} zombies), contexts {}",
            self.connections.live, self.requests.live, self.work.live, self.work.zombie, self.contexts.live
        )
    }
}

/// Reads the census until `wanted` holds; gives the reading, and when it came.
///
/// # Errors
/// When it does not hold `within` the time given, with the last reading.
pub fn wait_until(
    admin: SocketAddr,
    within: Duration,
    what: &str,
    wanted: impl Fn(&Census) -> bool,
) -> Result<(Census, Instant), Error> {
    let start_at = Instant::now();
    loop {
        let census = Census::read(admin)?;
        let now = Instant::now();
        if wanted(&census) {
            return Ok((census, now));
        }
        if now - start_at >= within {
            return Err(Error::Unsettled { what: what.to_owned(), within, last: census.line() });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_census_with_fields_missing_or_unknown_is_read() {
        let census: Census =
            serde_json::from_str(r#"{"server":"x","work":{"live":2},"runtime":{"tasks":null}}"#).unwrap();
        assert_eq!((census.work.live, census.requests.live, census.is_quiet()), (2, 0, false));
    }
}
