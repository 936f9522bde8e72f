//! Queries to a database, on a pool of connections.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Instant;

use census::{Job, Work};
use contract::database::{self, Database, Ended, Endpoint, Session, Step};
use contract::{Failure, Identity, Reason, Refusal, Settings, Slow, Worked, limits};
use ctx::Context;

use rustix::event::PollFlags;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::socket::{self, Woken};
use crate::threads::{self, Permits};
use crate::{bell, work};

/// The connections to the database. An idle one runs no query, and no cancel is on its way that could hit the next one.
pub(crate) struct Pool {
    database: Option<Database>,
    slots: Arc<Permits>,
    idle: Mutex<Vec<Connection>>,
    // threads: nobody can spawn without fail, so as many threads as there are connections wait for queries to cancel.
    cancels: mpsc::Sender<Lent>,
}

/// A query under way. Dropped before its end, it is canceled, unless nobody `cancels` it; then its connection is closed.
pub(crate) struct Query {
    lent: Option<Lent>,
    began: Instant,
    cancels: bool,
    // threads: its thread waits for its context, too.
    waits: Waits,
}

/// The holdings of a query until nothing is left of it. The slot goes last: there are never more connections than slots.
struct Lent {
    connection: Connection,
    work: Work,
    _counted: census::Query,
    pool: Arc<Pool>,
    _slot: threads::Permit,
}

/// A connection to the database.
struct Connection {
    // threads: a socket of either kind.
    stream: Socket,
    session: Session,
}

// threads: no `Stream`, because a socket is of either kind.

// threads: only here, because elsewhere what is dropped waits no longer.
/// The end of a wait for the database that does not answer: a context, which rings a bell, or a time.
#[derive(Clone)]
struct Waits {
    ctx: Context,
    bell: Option<Arc<OwnedFd>>,
    at: Option<Instant>,
}

impl Waits {
    // threads: only here, because elsewhere what is dropped waits no longer.
    /// For as long as `ctx` lives.
    fn of(ctx: &Context) -> Result<Self, Failure> {
        let bell = bell(ctx).map_err(|_| Refusal::Busy)?;
        Ok(Self { ctx: ctx.clone(), bell: Some(Arc::new(bell)), at: ctx.deadline() })
    }

    // threads: only here, because elsewhere what is dropped waits no longer.
    /// Until `at`.
    fn until(at: Instant) -> Self {
        Self { ctx: Context::background(), bell: None, at: Some(at) }
    }

    // threads: only here, because elsewhere what is dropped waits no longer.
    /// Waits until `stream` is ready for one of `events`.
    fn wait(&self, stream: &Socket, events: PollFlags) -> Result<(), Failure> {
        match socket::wait(stream, events, self.bell.as_deref(), self.at) {
            Ok(Woken::Ready(_)) => Ok(()),
            Ok(Woken::Rung | Woken::Late) => Err(Reason::why(&self.ctx).into()),
            Err(_) => Err(Failure::Database),
        }
    }
}

impl Pool {
    // threads: another body, because threads wait for queries to cancel.
    /// As many slots as there may be connections, none of which is open.
    pub(crate) fn open(settings: &Settings) -> io::Result<Arc<Self>> {
        let database = settings.database.clone();
        let (cancels, inbox) = mpsc::channel::<Lent>();
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..database.as_ref().map_or(0, |_| limits::CONNECTIONS) {
            let inbox = inbox.clone();
            service::thread::spawn("cancels", move || {
                let next = || inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(lent) = next() {
                    lent.cancel();
                }
            })?;
        }
        Ok(Arc::new(Self {
            database,
            slots: Permits::new(limits::CONNECTIONS),
            idle: Mutex::default(),
            cancels,
        }))
    }

    // threads: its thread waits for its context, too, which `waits` has.
    /// Takes a connection that is idle, or opens one.
    fn take(&self, waits: &Waits) -> Result<Connection, Failure> {
        while let Some(mut connection) = self.pop() {
            if connection.is_silent() {
                return Ok(connection);
            }
        }
        let database = self.database.as_ref().ok_or_else(database::unset)?;
        let stream = connect(&database.to, waits)?;
        let (session, first) = Session::start(database)?;
        let mut connection = Connection { stream, session };
        connection.send(&first, waits)?;
        connection.until_ready(waits)?;
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
    // threads: another body, because the request's own thread waits for its context, too.
    /// Waits for a slot, takes a connection, and begins the query of `slow` on it.
    pub(crate) fn begin(
        pool: &Arc<Pool>,
        ctx: &Context,
        job: Job,
        identity: &Identity,
        slow: &Slow,
        cancels: bool,
    ) -> Result<Self, Failure> {
        let waits = Waits::of(ctx)?;
        let slot = pool.slots.wait(ctx)?;
        let mut connection = pool.take(&waits)?;
        let bytes = connection.session.ask(&database::query(identity, slow))?;
        let (_counted, work, began) = (job.query(), job.start(), Instant::now());
        let lent = Lent { connection, work, _counted, pool: pool.clone(), _slot: slot };
        let mut query = Self { lent: Some(lent), began, cancels, waits: waits.clone() };
        // A query of which a part is sent is canceled like any other.
        query.lent().connection.send(&bytes, &waits)?;
        Ok(query)
    }

    // threads: its thread waits for its context, too, which `waits` has.
    /// Waits for the end of the query, and gives its connection back.
    pub(crate) fn done(mut self) -> Result<Worked, Failure> {
        let waits = self.waits.clone();
        // threads: a wait that its context ends leaves the query as it is, to be canceled.
        let ended = match self.lent().connection.until_ready(&waits) {
            Err(Failure::Ended(reason)) => return Err(reason.into()),
            ended => ended,
        };
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
    // threads: another body, because another thread sends the cancel, for which the answer does not wait.
    fn drop(&mut self) {
        let Some(lent) = self.lent.take().filter(|_| self.cancels) else { return };
        let cancels = lent.pool.cancels.clone();
        let _ = cancels.send(lent);
    }
}

impl Lent {
    // threads: another body, because a thread that waits is given the time at which it stops.
    /// Cancels the query, and gives the connection back once the cancel can hit no other and the query has ended. A connection
    /// on which it does not end in time is closed.
    fn cancel(mut self) {
        let late = Instant::now() + limits::CANCELING;
        while Instant::now() < late && self.deliver(&Waits::until(late)).is_ok() {
            let again = Instant::now() + limits::CANCEL_AGAIN;
            match self.connection.until_ready(&Waits::until(again)) {
                Ok(_) => return self.pool.lock().push(self.connection),
                Err(Failure::Ended(_)) => {}
                Err(_) => return,
            }
        }
    }

    // threads: another body, because a read that would wait is an error and not a state.
    /// Sends the cancel, and waits until the database closes that connection, by which it says that it took the cancel.
    fn deliver(&mut self, waits: &Waits) -> Result<(), Failure> {
        let database = self.pool.database.as_ref().ok_or(Failure::Database)?;
        let cancel = self.connection.session.cancel().ok_or(Failure::Database)?;
        let mut stream = connect(&database.to, waits)?;
        stream.write_all(&cancel).map_err(|_| Failure::Database)?;
        waits.wait(&stream, PollFlags::IN)?;
        let read = stream.read(&mut [0]);
        if matches!(read, Ok(0)) { Ok(()) } else { Err(Failure::Database) }
    }
}

impl Connection {
    // threads: another body, because a read that would wait is an error and not a state.
    /// Reports whether the server has said nothing on the idle connection, neither a last word nor its end.
    fn is_silent(&mut self) -> bool {
        self.stream.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    // threads: another body, because a write that would wait is an error and not a state.
    fn send(&mut self, mut bytes: &[u8], waits: &Waits) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waits.wait(&self.stream, PollFlags::OUT)?;
                }
                Err(_) => return Err(Failure::Database),
            }
        }
        Ok(())
    }

    /// Waits until the connection is ready for a query; returns how the last one ended.
    fn until_ready(&mut self, waits: &Waits) -> Result<Ended, Failure> {
        let mut chunk = [0; 512];
        loop {
            match self.session.step()? {
                Step::Ready(ended) => return Ok(ended),
                // threads: its thread waits for its context, too, which `waits` has.
                Step::Send(bytes) => self.send(&bytes, waits)?,
                Step::Read => match self.stream.read(&mut chunk) {
                    // threads: a read that would wait is an error and not a state.
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        waits.wait(&self.stream, PollFlags::IN)?;
                    }
                    Ok(0) | Err(_) => return Err(Failure::Database),
                    Ok(read) => self.session.received(&chunk[..read]),
                },
            }
        }
    }
}

// threads: another body, because a connect that would wait is an error and not a state.
/// Connects to the database's server.
fn connect(to: &Endpoint, waits: &Waits) -> Result<Socket, Failure> {
    let connected = || -> io::Result<(Socket, bool)> {
        let (stream, address) = match to {
            Endpoint::Tcp(address) => {
                let stream = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                stream.set_tcp_nodelay(true)?;
                (stream, SockAddr::from(*address))
            }
            Endpoint::Unix(file) => (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(file)?),
        };
        stream.set_nonblocking(true)?;
        match stream.connect(&address) {
            Ok(()) => Ok((stream, true)),
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {
                Ok((stream, false))
            }
            Err(error) => Err(error),
        }
    };
    let (stream, is_done) = connected().map_err(|_| Failure::Database)?;
    if !is_done {
        waits.wait(&stream, PollFlags::OUT)?;
    }
    if matches!(stream.take_error(), Ok(None)) { Ok(stream) } else { Err(Failure::Database) }
}
