//! Queries of tokio-postgres under a [`Context`]: its end cancels the query in the database, which a dropped future alone
//! does not.
//!
//! A cancel request names a connection and not the query on it, so it may come late and hit the next one. A [`Session`] is
//! therefore used again only when two things are known: that each cancel was delivered, which the end of the cancel's own
//! connection says, and that the query has ended, which the answer to a request behind it says. A cancel that overtakes
//! its query is forgotten, so it is sent again every 10 ms. A database that does not answer for 1 s loses the connection.
//!
//! ```no_run
//! use ctx::Context;
//! use ctx_tokio_postgres::Session;
//! use tokio::net::TcpStream;
//!
//! # async fn rows(ctx: &Context) -> Result<(), Box<dyn std::error::Error>> {
//! let config = "user=app dbname=shop".parse()?;
//! let mut session = Session::connect(&config, || TcpStream::connect("127.0.0.1:5432")).await?;
//! let rows = session.run(ctx, async |client| client.query("SELECT name FROM items", &[]).await).await?;
//! # Ok(())
//! # }
//! ```

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use ctx::{Context, Ended};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tokio_postgres::{CancelToken, Client, Config, NoTls};

/// The time from one cancel request to the next.
const AGAIN: Duration = Duration::from_millis(10);
/// The time in which a canceled query has to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a query has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The context ended first; the query is being canceled.
    Ended(Ended),
    /// The database or the connection failed.
    Postgres(tokio_postgres::Error),
    /// No stream to the database could be opened.
    Io(io::Error),
    /// The database did not end an earlier query in time, and its connection was closed: connect again.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "failed to query: the connection is closed, connect again",
            _ => "failed to query",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Ended(ended) => Some(ended),
            Self::Postgres(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed => None,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

type Pending = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A connection to PostgreSQL whose work runs under a context, without TLS. Dropped, it is closed.
pub struct Session {
    client: Arc<Client>,
    /// The task that drives the connection.
    driver: JoinHandle<()>,
    /// Delivers a cancel request: it is ready when the server has closed the request's connection.
    deliver: Arc<dyn Fn(CancelToken) -> Pending + Send + Sync>,
    /// The task that cancels the last work, if that was left before its end.
    canceling: Option<JoinHandle<Result<(), Error>>>,
    /// True once the connection was given up.
    closed: bool,
    runtime: Handle,
}

impl Session {
    /// Connects; `dial` opens a stream to the server, once for the connection and once for each cancel request.
    ///
    /// # Errors
    ///
    /// The word of the stream or of the database.
    ///
    /// # Panics
    ///
    /// Outside a runtime of tokio.
    pub async fn connect<D, F, S>(config: &Config, dial: D) -> Result<Self, Error>
    where
        D: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = dial().await.map_err(Error::Io)?;
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        // What ends the connection, the next request on it says.
        let driver = tokio::spawn(async move { drop(connection.await) });
        let deliver = Arc::new(move |token: CancelToken| -> Pending {
            let stream = dial();
            Box::pin(async move {
                let mut stream = stream.await.map_err(Error::Io)?;
                token.cancel_query_raw(&mut stream, NoTls).await?;
                // The server sends nothing: it signals the query's process, and closes.
                stream.read(&mut [0]).await.map_err(Error::Io).map(drop)
            })
        });
        let (client, runtime) = (Arc::new(client), Handle::current());
        Ok(Self { client, driver, deliver, canceling: None, closed: false, runtime })
    }

    /// Runs `work` on the connection until it is ready or `ctx` ends; then its query is canceled.
    ///
    /// The call returns when the context ends, and does not wait for the end of the query: the next `run` does, and
    /// [`settled`](Self::settled).
    ///
    /// # Errors
    ///
    /// The end of the context, or the word of the database.
    ///
    /// # Cancellation safety
    ///
    /// Dropped before its end, it cancels the query too.
    pub async fn run<T>(
        &mut self,
        ctx: &Context,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let client = self.client.clone();
        let work = async {
            self.settled().await?;
            let mut left = Left(Some(&mut *self));
            let outcome = work(&client).await;
            left.0 = None;
            outcome.map_err(Error::Postgres)
        };
        let outcome = ctx.run(work, |at| sleep_until(at.into())).await;
        outcome.unwrap_or_else(|kind| Err(Error::Ended(ctx.ended().unwrap_or_else(|| kind.into()))))
    }

    /// Waits until nothing of earlier work is left in the database and no cancel is under way; a pool asks before it
    /// lends the session again.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the connection was given up.
    ///
    /// # Cancellation safety
    ///
    /// Dropped, it loses nothing: the cancel goes on.
    pub async fn settled(&mut self) -> Result<(), Error> {
        if let Some(canceling) = &mut self.canceling {
            let outcome = canceling.await;
            self.canceling = None;
            if !matches!(outcome, Ok(Ok(()))) {
                self.driver.abort();
                self.closed = true;
            }
        }
        if self.closed || self.client.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Cancels what runs on the connection, in a task that ends when that has ended, or closes the connection.
    fn cancel(&mut self) {
        let (client, deliver) = (self.client.clone(), self.deliver.clone());
        let driver = self.driver.abort_handle();
        self.canceling = Some(self.runtime.spawn(async move {
            let canceled = async {
                // It is answered behind all that went before, with an error if the cancel hits it instead.
                let mut behind = std::pin::pin!(client.simple_query(""));
                loop {
                    deliver(client.cancel_token()).await?;
                    if timeout(AGAIN, &mut behind).await.is_ok() {
                        return Ok(());
                    }
                }
            };
            let outcome = timeout(PATIENCE, canceled).await.unwrap_or(Err(Error::Closed));
            if outcome.is_err() {
                driver.abort();
            }
            outcome
        }));
    }
}

/// A session whose work has not ended yet; dropped, it cancels the work.
struct Left<'a>(Option<&'a mut Session>);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.cancel();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}
