//! Queries to a database, on a pool of connections.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use census::{Job, Work};
use contract::database::{self, Database, Ended, Endpoint, Session, Step};
use contract::{Failure, Identity, Settings, Slow, Worked, limits};

use futures_lite::future;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time;

use crate::work;

/// The connections to the database. An idle one runs no query, and no cancel is on its way that could hit the next one.
pub(crate) struct Pool {
    database: Option<Database>,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A query under way. Dropped before its end, it is canceled, unless nobody `cancels` it; then its connection is closed.
pub(crate) struct Query {
    lent: Option<Lent>,
    began: Instant,
    cancels: bool,
}

/// The holdings of a query until nothing is left of it. The slot goes last: there are never more connections than slots.
struct Lent {
    connection: Connection,
    work: Work,
    _counted: census::Query,
    pool: Arc<Pool>,
    _slot: OwnedSemaphorePermit,
}

/// A connection to the database.
struct Connection {
    stream: Box<dyn Stream>,
    session: Session,
}

/// A stream to the database: over TCP, or to a socket of the file system.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Pool {
    /// As many slots as there may be connections, none of which is open.
    pub(crate) fn open(settings: &Settings) -> io::Result<Arc<Self>> {
        let slots = Arc::new(Semaphore::new(limits::CONNECTIONS));
        Ok(Arc::new(Self { database: settings.database.clone(), slots, idle: Mutex::default() }))
    }

    /// Takes a connection that is idle, or opens one.
    async fn take(&self) -> Result<Connection, Failure> {
        while let Some(mut connection) = self.pop() {
            if connection.is_silent().await {
                return Ok(connection);
            }
        }
        let database = self.database.as_ref().ok_or_else(database::unset)?;
        let stream = connect(&database.to).await.map_err(|_| Failure::Database)?;
        let (session, first) = Session::start(database)?;
        let mut connection = Connection { stream, session };
        connection.send(&first).await?;
        connection.until_ready().await?;
        Ok(connection)
    }

    fn pop(&self) -> Option<Connection> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Query {
    /// Waits for a slot, takes a connection, and begins the query of `slow` on it.
    pub(crate) async fn begin(
        pool: &Arc<Pool>,
        job: Job,
        identity: &Identity,
        slow: &Slow,
        cancels: bool,
    ) -> Result<Self, Failure> {
        // tokio: a semaphore can be closed, and a `slot` is counted from a clone of it.
        let slot = pool.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let mut connection = pool.take().await?;
        let bytes = connection.session.ask(&database::query(identity, slow))?;
        let (_counted, work, began) = (job.query(), job.start(), Instant::now());
        let lent = Lent { connection, work, _counted, pool: pool.clone(), _slot: slot };
        let mut query = Self { lent: Some(lent), began, cancels };
        // A query of which a part is sent is canceled like any other.
        query.lent().connection.send(&bytes).await?;
        Ok(query)
    }

    /// Waits for the end of the query, and gives its connection back.
    pub(crate) async fn done(mut self) -> Result<Worked, Failure> {
        let ended = self.lent().connection.until_ready().await;
        let lent = self.lent.take().expect("a query is lent a connection until its end");
        let Lent { connection, work, pool, _counted, _slot } = lent;
        let ended = ended?;
        pool.lock().push(connection);
        if ended == Ended::Completed { Ok(work::worked(work, self.began)) } else { Err(Failure::Database) }
    }

    fn lent(&mut self) -> &mut Lent {
        self.lent.as_mut().expect("a query is lent a connection until its end")
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take().filter(|_| self.cancels) else { return };
        // tokio: a `runtime` that shuts down is not there to spawn on.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(lent.cancel());
    }
}

impl Lent {
    // tokio: another body, because `time` bounds whatever is awaited.
    /// Cancels the query, and gives the connection back once the cancel can hit no other and the query has ended. A connection
    /// on which it does not end in time is closed.
    async fn cancel(mut self) {
        let canceled = async {
            loop {
                self.deliver().await?;
                let ready = time::timeout(limits::CANCEL_AGAIN, self.connection.until_ready()).await;
                if let Ok(ready) = ready {
                    return ready;
                }
            }
        };
        let canceled = time::timeout(limits::CANCELING, canceled).await;
        if canceled.is_ok_and(|ready| ready.is_ok()) {
            self.pool.lock().push(self.connection);
        }
    }

    /// Sends the cancel, and waits until the database closes that connection, by which it says that it took the cancel.
    async fn deliver(&mut self) -> Result<(), Failure> {
        let database = self.pool.database.as_ref().ok_or(Failure::Database)?;
        let cancel = self.connection.session.cancel().ok_or(Failure::Database)?;
        let mut stream = connect(&database.to).await.map_err(|_| Failure::Database)?;
        stream.write_all(&cancel).await.map_err(|_| Failure::Database)?;
        let read = stream.read(&mut [0]).await;
        if matches!(read, Ok(0)) { Ok(()) } else { Err(Failure::Database) }
    }
}

impl Connection {
    /// Reports whether the server has said nothing on the idle connection, neither a last word nor its end.
    async fn is_silent(&mut self) -> bool {
        future::poll_once(self.stream.read(&mut [0])).await.is_none()
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(|_| Failure::Database)
    }

    /// Waits until the connection is ready for a query; returns how the last one ended.
    async fn until_ready(&mut self) -> Result<Ended, Failure> {
        let mut chunk = [0; 512];
        loop {
            match self.session.step()? {
                Step::Ready(ended) => return Ok(ended),
                Step::Send(bytes) => self.send(&bytes).await?,
                Step::Read => match self.stream.read(&mut chunk).await {
                    Ok(0) | Err(_) => return Err(Failure::Database),
                    Ok(read) => self.session.received(&chunk[..read]),
                },
            }
        }
    }
}

/// Connects to the database's server.
async fn connect(to: &Endpoint) -> io::Result<Box<dyn Stream>> {
    Ok(match to {
        Endpoint::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
        Endpoint::Unix(file) => Box::new(UnixStream::connect(file).await?),
    })
}
