//! Work that needs more than the server's own time: its end, whatever it is, must give back what it has taken.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Instant;
use std::{io, slice};

use census::Job;
use contract::upstream::Ask;
use contract::{Failure, Outside, Panic, Reason, Refusal, Settings, Slow, Ticks, Worked};
use ctx::Context;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

// threads: the `server` goes along, because it has the thread that starts children.
use crate::database::{Pool, Query};
use crate::threads::{self, Permits};
use crate::{Server, handler, until, upstream, work};

/// The resources that there are.
pub(crate) struct Resources {
    permits: Arc<Permits>,
    database: Arc<Pool>,
    // threads: children are started by a thread that never ends, because a child hears of the death of the thread that
    // started it, and a request's thread ends before the server does.
    starts: mpsc::Sender<Start>,
}

// threads: only here, because elsewhere the threads that start children live as long as the executor.
/// A command to start, and where to send its child.
type Start = (Command, mpsc::Sender<io::Result<Child>>);

/// A permit, until it is dropped. The count goes first, so that it never says more than there is.
pub(crate) struct Permit {
    _counted: census::Permit,
    _permit: threads::Permit,
}

/// A child process, until it is dropped.
pub(crate) struct Process {
    child: Child,
    // threads: a child is waited for by one thread, so a `pidfd` tells another of its end; and who drops it `kills` it.
    pidfd: OwnedFd,
    kills: bool,
    _counted: census::Process,
}

/// The resource that a request has taken, of whatever kind.
#[derive(Default)]
pub(crate) struct Taken {
    _permit: Option<Permit>,
    _process: Option<Process>,
    _call: Option<upstream::Call>,
    _query: Option<Query>,
}

// threads: only here, because a child of async-process is killed and reaped when it is dropped.
impl Drop for Process {
    // threads: another body, because whoever drops it waits for its end.
    fn drop(&mut self) {
        if !self.kills {
            return;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Resources {
    // threads: another body, because a thread starts the children.
    /// As much of each as `settings` say.
    pub(crate) fn open(settings: &Settings) -> io::Result<Self> {
        let (starts, inbox) = mpsc::channel::<Start>();
        service::thread::spawn("processes", move || {
            for (mut command, answer) in inbox {
                // Whoever asked waits for the answer, unless it panicked meanwhile.
                let _ = answer.send(command.spawn());
            }
        })?;
        let permits = Permits::new(settings.permits.get());
        Ok(Self { permits, database: Pool::open(settings)?, starts })
    }
}

/// Does the work of one `/slow` in a style that is outside.
pub(crate) fn run(
    server: &Server,
    ctx: &Context,
    job: Job,
    slow: &Slow,
    style: Outside,
) -> Result<Worked, Failure> {
    match style {
        Outside::Permit => {
            let _permit = permit(server, ctx)?;
            Ok(work::context(ctx, job, slow.ticks())?)
        }
        Outside::Process => process(server, ctx, job, slow.ticks(), true),
        Outside::ProcessUnkilled => process(server, ctx, job, slow.ticks(), false),
        Outside::Upstream => call(server, ctx, job, slow),
        Outside::Query => query(server, ctx, job, slow, true),
        Outside::QueryDropped => query(server, ctx, job, slow, false),
    }
}

/// Takes what work in this style takes.
pub(crate) fn take(server: &Server, ctx: &Context, job: &Job, panic: &Panic) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    match panic.outside {
        None => {}
        Some(Outside::Permit) => taken._permit = Some(permit(server, ctx)?),
        Some(Outside::Process) => taken._process = Some(start(server, job, panic.ticks(), true)?),
        Some(Outside::ProcessUnkilled) => taken._process = Some(start(server, job, panic.ticks(), false)?),
        Some(Outside::Upstream) => taken._call = Some(begin(server, ctx, &panic.slow())?),
        Some(Outside::Query) => taken._query = Some(ask(server, ctx, job.clone(), &panic.slow(), true)?),
        Some(Outside::QueryDropped) => {
            taken._query = Some(ask(server, ctx, job.clone(), &panic.slow(), false)?)
        }
    }
    Ok(taken)
}

/// Waits for a permit or for the context, whichever is first. A wait that is dropped passes on what it was given.
fn permit(server: &Server, ctx: &Context) -> Result<Permit, Reason> {
    let waiting = server.census.waits();
    // threads: one call waits for the `permit` and for the context.
    let permit = server.resources.permits.wait(ctx)?;
    Ok(Permit { _counted: waiting.granted(), _permit: permit })
}

// threads: another body, because a thread watches the child, and the request's own thread kills and reaps it.
/// Works in a child process; waits for its end or for the context, whichever is first. A child that is dropped is killed,
/// unless nobody `kills` it, and reaped.
fn process(server: &Server, ctx: &Context, job: Job, ticks: Ticks, kills: bool) -> Result<Worked, Failure> {
    let mut process = start(server, &job, ticks, kills)?;
    let (work, began) = (job.start(), Instant::now());
    let pidfd = process.pidfd.try_clone().map_err(|_| Refusal::Busy)?;
    work::race(server, ctx, move || {
        // It is readable once the child has ended, and an interrupted wait is begun again.
        while poll(slice::from_mut(&mut PollFd::new(&pidfd, PollFlags::IN)), None).is_err() {}
    })?;
    let ended = process.child.wait();
    ended.ok().filter(|status| status.success()).ok_or(Failure::Process)?;
    Ok(work::worked(work, began))
}

// threads: another body, because a thread that never ends starts the child.
/// Starts a child process that does this work.
fn start(server: &Server, job: &Job, ticks: Ticks, kills: bool) -> Result<Process, Refusal> {
    let mut command = job.worker(ticks);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (answer, started) = mpsc::channel();
    server.resources.starts.send((command, answer)).map_err(|_| Refusal::Busy)?;
    let mut child = started.recv().map_err(|_| Refusal::Busy)?.map_err(|_| Refusal::Busy)?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
    let Ok(pidfd) = pidfd else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(Refusal::Busy);
    };
    Ok(Process { child, pidfd, kills, _counted: job.process() })
}

/// Lets the upstream do the work; waits for its answer or for the context, whichever is first. A call that is dropped
/// closes its connection.
fn call(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let called = called(server, ctx, job, slow);
    if let Err(failure) = &called {
        until(contract::upstream::due(&server.settings, failure, Instant::now(), ctx.deadline()));
    }
    called
}

// threads: another body, because a thread reads the answer, and the request's own thread closes the connection.
/// The same, which may be out of time before the request is.
fn called(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let ask = request(server, ctx, slow)?;
    let (_counted, work, began) = (job.call(), job.start(), Instant::now());
    let call = upstream::call(&ask)?;
    work::race(server, ctx, call.answer(&ask)?)??;
    Ok(work::worked(work, began))
}

// threads: another body, because a thread that asks is not polled.
/// Begins a call and gives it a tick to be sent.
fn begin(server: &Server, ctx: &Context, slow: &Slow) -> Result<upstream::Call, Failure> {
    let ask = request(server, ctx, slow)?;
    let call = upstream::call(&ask)?;
    work::race(server, ctx, call.sent(&ask)?)??;
    ctx.wait_until(Instant::now() + slow.tick);
    Ok(call)
}

/// Returns what the upstream is asked for, and with what budget.
fn request(server: &Server, ctx: &Context, slow: &Slow) -> Result<Ask, Failure> {
    contract::upstream::ask(&server.settings, handler::identity(ctx), slow, Instant::now(), ctx.deadline())
}

// threads: another body, because the query itself waits for its context, too.
/// Lets the database do the work; waits for its answer or for the context, whichever is first. A query that is dropped is
/// canceled, unless nobody `cancels` it.
fn query(server: &Server, ctx: &Context, job: Job, slow: &Slow, cancels: bool) -> Result<Worked, Failure> {
    let query = ask(server, ctx, job, slow, cancels)?;
    query.done()
}

// threads: another body, because the query itself waits for its context, too.
/// Begins the query that does this work.
fn ask(server: &Server, ctx: &Context, job: Job, slow: &Slow, cancels: bool) -> Result<Query, Failure> {
    let (pool, identity) = (&server.resources.database, handler::identity(ctx));
    Query::begin(pool, ctx, job, identity, slow, cancels)
}
