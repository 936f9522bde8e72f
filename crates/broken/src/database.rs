//! Queries to a database.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use broken::Fault;
use contract::database::{self, Database, Ended, Endpoint, Session, Step};
use contract::{Failure, Reason, Slow, Worked, limits};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::Server;
use crate::connection::Conn;
use crate::request::Job;

/// The time from one late cancel of a fault to the next, and how many there are.
const LATE: (Duration, usize) = (Duration::from_millis(20), 10);

/// The connections to the database.
#[derive(Default)]
pub(crate) struct Pool {
    taken: AtomicUsize,
    idle: Mutex<Vec<Connection>>,
}

struct Connection {
    stream: Socket,
    session: Session,
}

/// A query under way; dropped before its end, it is canceled.
pub(crate) struct Query<'a> {
    server: &'a Server,
    connection: Option<Connection>,
    /// True once the deadline of its request has passed.
    late: bool,
    _counted: census::Query,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Query<'_> {
    fn drop(&mut self) {
        let pool = &self.server.pool;
        let Some(connection) = self.connection.take() else {
            pool.taken.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        if self.server.fault != Fault::LeavesQueries {
            self.cancel(connection);
        }
        if self.server.fault != Fault::LosesConnections {
            pool.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Query<'_> {
    /// Cancels the query, and keeps its connection if it is ready again in time.
    fn cancel(&self, mut connection: Connection) {
        let Some(database) = self.server.settings.database.clone() else { return };
        let Some(cancel) = connection.session.cancel() else { return };
        let late = Instant::now() + limits::CANCELING;
        while Instant::now() < late && deliver(&database, &cancel).is_ok() {
            let again = Instant::now() + limits::CANCEL_AGAIN;
            let wait = || {
                thread::sleep(limits::TICK);
                if Instant::now() < again { Ok(()) } else { Err(Reason::Canceled.into()) }
            };
            match connection.until_ready(wait) {
                Ok(_) => {
                    self.server.pool.lock().push(connection);
                    break;
                }
                Err(Failure::Ended(_)) => {}
                Err(_) => return,
            }
        }
        if self.server.fault == Fault::CancelsLate && self.late {
            thread::spawn(move || {
                for _ in 0..LATE.1 {
                    thread::sleep(LATE.0);
                    let _ = deliver(&database, &cancel);
                }
            });
        }
    }
}

impl Conn<'_> {
    /// Lets the database do the work.
    pub(crate) fn query(&self, server: &Server, job: &Job<'_>, slow: &Slow) -> Result<Worked, Failure> {
        let began = Instant::now();
        if server.fault == Fault::AnswersForDatabases {
            return Ok(Worked { began, ended: began });
        }
        let mut query = self.begin_query(server, job, slow)?;
        let (work, began) = (job.counted.job().start(), Instant::now());
        let connection = query.connection.as_mut().ok_or(Failure::Database)?;
        let ended = match connection.until_ready(|| self.tick(job)) {
            // The connection stays where it is, to be canceled.
            Err(Failure::Ended(reason)) => {
                query.late = reason == Reason::Deadline;
                return Err(reason.into());
            }
            ended => ended,
        };
        let connection = query.connection.take();
        if ended? != Ended::Completed {
            return Err(Failure::Database);
        }
        server.pool.lock().extend(connection);
        work.completed();
        Ok(Worked { began, ended: Instant::now() })
    }

    /// Waits for a slot, takes a connection, and begins the query on it.
    pub(crate) fn begin_query<'a>(
        &self,
        server: &'a Server,
        job: &Job<'_>,
        slow: &Slow,
    ) -> Result<Query<'a>, Failure> {
        let more = |taken: usize| (taken < limits::CONNECTIONS).then_some(taken + 1);
        while server.pool.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            self.tick(job)?;
        }
        let _counted = job.counted.job().query();
        let mut query = Query { server, connection: None, late: false, _counted };
        let mut connection = self.connection(server, job)?;
        let bytes = connection.session.ask(&database::query(job.identity, slow))?;
        connection.stream.write_all(&bytes).map_err(|_| Failure::Database)?;
        query.connection = Some(connection);
        Ok(query)
    }

    /// Takes a connection that is idle, or opens one.
    fn connection(&self, server: &Server, job: &Job<'_>) -> Result<Connection, Failure> {
        let pop = || server.pool.lock().pop();
        while let Some(mut connection) = pop() {
            let read = connection.stream.read(&mut [0]);
            if read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                return Ok(connection);
            }
        }
        let database = server.settings.database.as_ref().ok_or_else(database::unset)?;
        let mut stream = connect(&database.to).map_err(|_| Failure::Database)?;
        let (session, first) = Session::start(database)?;
        let started = stream.write_all(&first).and_then(|()| stream.set_nonblocking(true));
        started.map_err(|_| Failure::Database)?;
        let mut connection = Connection { stream, session };
        connection.until_ready(|| self.tick(job))?;
        Ok(connection)
    }

    /// Waits for a tick, or until the request ends.
    fn tick(&self, job: &Job<'_>) -> Result<(), Failure> {
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        let next = Instant::now() + limits::TICK;
        self.pause(next.min(deadline))?;
        if deadline < next { Err(Reason::Deadline.into()) } else { Ok(()) }
    }
}

impl Connection {
    /// Reads until the connection is ready for a query; `wait` goes by between two tries.
    fn until_ready(&mut self, mut wait: impl FnMut() -> Result<(), Failure>) -> Result<Ended, Failure> {
        let mut chunk = [0; 512];
        loop {
            match self.session.step()? {
                Step::Ready(ended) => return Ok(ended),
                Step::Send(bytes) => self.stream.write_all(&bytes).map_err(|_| Failure::Database)?,
                Step::Read => match self.stream.read(&mut chunk) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => wait()?,
                    Ok(0) | Err(_) => return Err(Failure::Database),
                    Ok(read) => self.session.received(&chunk[..read]),
                },
            }
        }
    }
}

/// Sends a cancel, and waits until the server closes its connection.
fn deliver(database: &Database, cancel: &[u8]) -> io::Result<()> {
    let mut stream = connect(&database.to)?;
    stream.set_read_timeout(Some(limits::CANCELING))?;
    stream.write_all(cancel)?;
    stream.read(&mut [0]).map(drop)
}

fn connect(to: &Endpoint) -> io::Result<Socket> {
    let (domain, address) = match to {
        Endpoint::Tcp(address) => (Domain::for_address(*address), SockAddr::from(*address)),
        Endpoint::Unix(file) => (Domain::UNIX, SockAddr::unix(file)?),
    };
    let stream = Socket::new(domain, Type::STREAM, None)?;
    stream.connect(&address)?;
    Ok(stream)
}
