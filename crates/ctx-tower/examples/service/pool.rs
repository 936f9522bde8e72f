//! A pool of connections to a database: eight may be lent at once, and one that was used is lent again.

use ctx::Context;
use ctx_tokio_postgres::{Error, Session};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio_postgres::{Config, config::Host};

/// The connections to one database.
pub(crate) struct Pool {
    config: Config,
    slots: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// A connection and its slot, which is free again when this is dropped.
pub(crate) struct Lent<'a> {
    pub(crate) session: Session,
    _slot: SemaphorePermit<'a>,
}

impl Pool {
    /// Makes a pool without a connection.
    pub(crate) fn new(config: Config) -> Self {
        Self { config, slots: Semaphore::new(8), idle: Mutex::default() }
    }

    /// Waits for a slot, and lends a connection that is idle, or a new one.
    pub(crate) async fn lend(&self) -> Result<Lent<'_>, Error> {
        let _slot = self.slots.acquire().await.expect("it is never closed");
        while let Some(mut session) = self.pop().await {
            // The first thing that is asked of a connection tells whether it broke while it was idle.
            let forever = Context::background();
            if session.run(&forever, async |client| client.simple_query("").await).await.is_ok() {
                return Ok(Lent { session, _slot });
            }
        }
        let host = self.config.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(host) => Some(host.clone()),
            Host::Unix(_) => None,
        });
        let at = (host.unwrap_or_default(), self.config.get_ports().first().copied().unwrap_or(5432));
        let session = Session::connect(&self.config, move || TcpStream::connect(at.clone())).await?;
        Ok(Lent { session, _slot })
    }

    async fn pop(&self) -> Option<Session> {
        self.idle.lock().await.pop()
    }

    /// Takes a connection back once nothing of its work is left in the database.
    pub(crate) async fn keep(&self, mut lent: Lent<'_>) {
        if lent.session.settled().await.is_ok() {
            self.idle.lock().await.push(lent.session);
        }
    }
}
