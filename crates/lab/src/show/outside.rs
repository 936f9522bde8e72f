//! The surroundings of a server whose work is not in its process: a database, the next server, and the witness of the work there.

use std::sync::Arc;
use std::time::Instant;

use testbed::capability::Capability;
use testbed::outside::{Outside, Place, Seen};
use testbed::postgres::{self, Postgres};
use testbed::server::Server;
use testbed::subject::{Setup, Subject};

use super::draw;
use crate::progress::say;

/// The surroundings that a target asks for.
#[derive(Default)]
pub(super) struct Behind {
    /// The place of its work; `None` when that is in the process.
    pub(super) place: Option<Place>,
    postgres: Option<&'static Postgres>,
    /// The servers behind the one that is asked, the next one first.
    next: Vec<Arc<Server>>,
}

/// Returns the value of a parameter of a target.
pub(super) fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let pairs = target.split_once('?')?.1.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(have, _)| *have == name).map(|(_, value)| value)
}

impl Behind {
    /// Finds where the work of a target is.
    pub(super) fn of(target: &str) -> Self {
        Self { place: parameter(target, "style").and_then(Place::of), ..Self::default() }
    }

    /// Starts the database or the servers that the work of a target needs, servers like `subject`.
    ///
    /// # Errors
    /// A sentence that says what is missing, or what did not start.
    pub(super) fn start(subject: &Subject, target: &str) -> Result<Self, String> {
        let mut behind = Self::of(target);
        match behind.place {
            Some(Place::Query) if subject.supports(Capability::FlagDatabase) => {
                say("starting PostgreSQL");
                behind.postgres = Some(postgres::shared()?);
            }
            Some(Place::Upstream) if subject.supports(Capability::FlagUpstream) => {
                let hops = parameter(target, "hops").and_then(|hops| hops.parse().ok()).unwrap_or(1);
                for _ in 0..usize::clamp(hops, 1, contract::limits::HOPS as usize) {
                    let flags = behind.flags();
                    let flags: Vec<_> = flags.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    let server = subject.start(Setup { flags: &flags, ..Setup::default() })?;
                    behind.next.insert(0, server);
                }
            }
            _ => {}
        }
        Ok(behind)
    }

    /// Returns the flags of the server in front of it.
    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        let next = self.next.first().map(|next| ("--upstream", next.address().to_string()));
        next.into_iter()
            .chain(self.postgres.map(|postgres| ("--database", postgres.url().to_owned())))
            .collect()
    }

    /// Returns the witness of the work of `id` on this server; `None` where there is none.
    ///
    /// # Errors
    /// A sentence that says which witness cannot be asked.
    pub(super) fn witness<'a>(&'a self, server: &Server, id: &'a str) -> Result<Option<Outside<'a>>, String> {
        Ok(match self.place {
            Some(Place::Process) => server.pid().map(Outside::process).transpose()?,
            Some(Place::Query) => {
                let client = self.postgres.map(Postgres::connect).transpose()?;
                client.map(|client| Outside::Query { client, id })
            }
            Some(Place::Upstream) => {
                let witness = self.next.first().and_then(|next| next.witness());
                witness.map(|witness| Outside::Upstream { witness, id })
            }
            None => None,
        })
    }

    /// Returns what the witness saw, as times since the request was sent.
    pub(super) fn drawn(&self, seen: Seen, sent_at: Instant) -> Option<draw::Outside> {
        let since = |at: Instant| at.saturating_duration_since(sent_at);
        Some(draw::Outside {
            place: self.place?,
            began: seen.began_at.map(since),
            gone: seen.gone_at.map(since),
            until: since(seen.until),
            defunct: seen.defunct,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_work_is_read_from_the_target() {
        let place = |target: &str| Behind::of(target).place;
        assert_eq!(place("/slow?work=3s&style=query-dropped"), Some(Place::Query));
        assert_eq!(place("/slow?style=process&tick=1ms"), Some(Place::Process));
        assert_eq!((place("/slow?style=drop"), place("/slow?work=3s"), place("/fast")), (None, None, None));
    }
}
