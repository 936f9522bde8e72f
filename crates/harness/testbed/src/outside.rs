//! Work outside a server's process, as a witness of its own sees it: the table of processes, the database, the next server.

use std::thread;
use std::time::{Duration, Instant};

use crate::postgres::Client;
use crate::proc::{self, Child, State};
use crate::witness::Witness;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(1);

/// The place of work outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Place {
    /// A child process.
    Process,
    /// A query to PostgreSQL.
    Query,
    /// Another server.
    Upstream,
}

impl Place {
    /// Returns the place of the work of a style; `None` when it is in the process.
    pub fn of(style: &str) -> Option<Self> {
        match style {
            "process" | "process-unkilled" => Some(Self::Process),
            "query" | "query-dropped" => Some(Self::Query),
            "upstream" => Some(Self::Upstream),
            _ => None,
        }
    }

    /// The word in drawings.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The witness of it.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Process => "/proc",
            Self::Query => "pg_stat_activity",
            Self::Upstream => "the next server's heartbeats",
        }
    }
}

/// A witness of one request's work outside.
pub enum Outside<'a> {
    /// The table of processes: a child of this process that is not among the known ones.
    Process {
        /// The server's process.
        pid: u32,
        /// Its children before the request.
        known: Vec<Child>,
    },
    /// The database: a query that is marked with this id.
    Query {
        /// A connection of the harness's own.
        client: Client,
        /// The id of the request.
        id: &'a str,
    },
    /// The next server: its work under this id.
    Upstream {
        /// The witness of the next server.
        witness: &'a Witness,
        /// The id of the request.
        id: &'a str,
    },
}

/// The life of one request's work outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When it was first seen; `None` when it never was.
    pub began_at: Option<Instant>,
    /// When nothing was left of it; `None` when it was still there at the end of the watch.
    pub gone_at: Option<Instant>,
    /// True when its process had ended and had not been reaped at the end of the watch.
    pub defunct: bool,
    /// The end of the watch.
    pub until: Instant,
}

impl Outside<'_> {
    /// Notes the children that the process has now, so that a later one is told from them.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn process(pid: u32) -> Result<Self, String> {
        Ok(Self::Process { pid, known: proc::children(pid).map_err(|error| error.to_string())? })
    }

    /// Watches until nothing is left of the work: it is waited for until `begins_by`, and watched until `until` at most.
    ///
    /// # Errors
    /// A sentence that says which witness failed.
    pub fn watch(self, begins_by: Instant, until: Instant) -> Result<Seen, String> {
        match self {
            Self::Process { pid, known } => watch_process(pid, &known, begins_by, until),
            Self::Query { mut client, id } => {
                let active =
                    "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, ";
                let query = format!("{active}'/* {id} */')");
                polled(begins_by, until, || Ok(!client.rows(&query)?.is_empty()))
            }
            Self::Upstream { witness, id } => {
                let left = |at: Instant| at.saturating_duration_since(Instant::now());
                let began_at = witness.wait_start(id, left(begins_by));
                let ended = began_at.and_then(|_| witness.wait_end(id, left(until)));
                let gone_at = ended.and_then(|(at, _)| witness.last(id).max(Some(at)));
                Ok(Seen { began_at, gone_at, defunct: false, until: Instant::now() })
            }
        }
    }
}

fn watch_process(pid: u32, known: &[Child], begins_by: Instant, until: Instant) -> Result<Seen, String> {
    let mut child = None;
    let seen = polled(begins_by, until, || {
        if child.is_none() {
            let children = proc::children(pid).map_err(|error| error.to_string())?;
            child = children.into_iter().find(|child| !known.contains(child));
        }
        Ok(child.is_some_and(|child| child.state() != State::Gone))
    })?;
    let defunct = seen.gone_at.is_none() && child.is_some_and(|child| child.state() == State::Defunct);
    Ok(Seen { defunct, ..seen })
}

/// Looks until it is there, and then until it is gone.
fn polled(
    begins_by: Instant,
    until: Instant,
    mut is_there: impl FnMut() -> Result<bool, String>,
) -> Result<Seen, String> {
    let mut began_at = None;
    loop {
        let (there, now) = (is_there()?, Instant::now());
        match began_at {
            None if there => began_at = Some(now),
            Some(_) if !there => {
                return Ok(Seen { began_at, gone_at: Some(now), defunct: false, until: now });
            }
            _ => {}
        }
        if now > if began_at.is_some() { until } else { begins_by } {
            return Ok(Seen { began_at, gone_at: None, defunct: false, until: now });
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Looks that find this, for a watch that ends `watched` after its beginning.
    fn looked(looks: &[bool], watched: Duration) -> Result<Seen, String> {
        let (mut looks, now) = (looks.iter().copied(), Instant::now());
        polled(now + MINUTE, now + watched, || looks.next().ok_or_else(|| "watched for too long".to_owned()))
    }

    #[test]
    fn work_is_gone_when_it_was_there_and_is_there_no_more() {
        let seen = looked(&[false, true, true, false], MINUTE).unwrap();
        assert!(seen.began_at < seen.gone_at && seen.began_at.is_some(), "{seen:?}");
    }

    #[test]
    fn work_that_is_still_there_at_the_end_of_the_watch_is_not_gone() {
        let seen = looked(&[true, true], Duration::ZERO).unwrap();
        assert_eq!((seen.began_at.is_some(), seen.gone_at), (true, None));
    }

    #[test]
    fn a_child_that_has_ended_and_was_not_reaped_is_not_gone() {
        let mut parent = Command::new("sh").args(["-c", "sleep 0.1 & exec sleep 60"]).spawn().unwrap();
        let (pid, now) = (parent.id(), Instant::now());
        let ended = |children: Vec<Child>| children.iter().any(|child| child.state() == State::Defunct);
        while !ended(proc::children(pid).unwrap()) {
            assert!(now.elapsed() < MINUTE, "the child goes on");
            thread::sleep(LOOK);
        }
        let outside = Outside::Process { pid, known: Vec::new() };
        let seen = outside.watch(Instant::now() + MINUTE, now).unwrap();
        assert_eq!((seen.began_at.is_some(), seen.gone_at, seen.defunct), (true, None, true));
        parent.kill().unwrap();
        parent.wait().unwrap();
    }
}
