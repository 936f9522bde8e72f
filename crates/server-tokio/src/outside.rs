//! Work that needs more than the server's own time: its end, whatever it is, must give back what it has taken.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use census::Job;
use contract::upstream::Ask;
use contract::{Failure, Outside, Panic, Reason, Refusal, Settings, Slow, Ticks, Worked};
use ctx::Context;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::{Semaphore, SemaphorePermit};

// tokio: `select!` races its branches in place, where the others race futures that they name.
use crate::database::{Pool, Query};
use crate::{Server, handler, until, upstream, work};

/// The resources that there are.
pub(crate) struct Resources {
    permits: Semaphore,
    database: Arc<Pool>,
}

/// A permit, until it is dropped. The count goes first, so that it never says more than there is.
pub(crate) struct Permit<'a> {
    _counted: census::Permit,
    _permit: SemaphorePermit<'a>,
}

/// A child process, until it is dropped.
pub(crate) struct Process {
    // tokio: a task takes the `child` to reap it, because the runtime reaps one that is dropped only when it looks next, and
    // an idle one does not.
    child: Option<Child>,
    kills: bool,
    _counted: census::Process,
}

/// The resource that a request has taken, of whatever kind.
#[derive(Default)]
pub(crate) struct Taken<'a> {
    _permit: Option<Permit<'a>>,
    _process: Option<Process>,
    _call: Option<upstream::Call>,
    _query: Option<Query>,
}

// tokio: only here, because a child of async-process is killed and reaped when it is dropped.
impl Drop for Process {
    fn drop(&mut self) {
        if !self.kills {
            return;
        }
        let (Some(mut child), Ok(runtime)) = (self.child.take(), Handle::try_current()) else { return };
        let _ = child.start_kill();
        runtime.spawn(async move { child.wait().await });
    }
}

impl Resources {
    /// As much of each as `settings` say.
    pub(crate) fn open(settings: &Settings) -> io::Result<Self> {
        let permits = Semaphore::new(settings.permits.get());
        Ok(Self { permits, database: Pool::open(settings)? })
    }
}

/// Does the work of one `/slow` in a style that is outside.
pub(crate) async fn run(
    server: &Server,
    ctx: &Context,
    job: Job,
    slow: &Slow,
    style: Outside,
) -> Result<Worked, Failure> {
    match style {
        Outside::Permit => {
            let _permit = permit(server, ctx).await?;
            Ok(work::context(ctx, job, slow.ticks()).await?)
        }
        Outside::Process => process(ctx, job, slow.ticks(), true).await,
        Outside::ProcessUnkilled => process(ctx, job, slow.ticks(), false).await,
        // What a call takes is held by no work but its own.
        Outside::Upstream => Box::pin(call(server, ctx, job, slow)).await,
        Outside::Query => Box::pin(query(server, ctx, job, slow, true)).await,
        Outside::QueryDropped => Box::pin(query(server, ctx, job, slow, false)).await,
    }
}

/// Takes what work in this style takes.
pub(crate) async fn take<'a>(
    server: &'a Server,
    ctx: &Context,
    job: &Job,
    panic: &Panic,
) -> Result<Taken<'a>, Failure> {
    let mut taken = Taken::default();
    match panic.outside {
        None => {}
        Some(Outside::Permit) => taken._permit = Some(permit(server, ctx).await?),
        Some(Outside::Process) => taken._process = Some(start(job, panic.ticks(), true)?),
        Some(Outside::ProcessUnkilled) => taken._process = Some(start(job, panic.ticks(), false)?),
        Some(Outside::Upstream) => taken._call = Some(begin(server, ctx, &panic.slow()).await?),
        Some(Outside::Query) => {
            taken._query = Some(ask(server, ctx, job.clone(), &panic.slow(), true).await?)
        }
        Some(Outside::QueryDropped) => {
            taken._query = Some(ask(server, ctx, job.clone(), &panic.slow(), false).await?)
        }
    }
    Ok(taken)
}

/// Waits for a permit or for the context, whichever is first. A wait that is dropped passes on what it was given.
async fn permit<'a>(server: &'a Server, ctx: &Context) -> Result<Permit<'a>, Reason> {
    let waiting = server.census.waits();
    select! {
        biased;
        _ = ctx.done(until) => Err(Reason::why(ctx)),
        permit = server.resources.permits.acquire() => {
            let permit = permit.expect("the semaphore is never closed");
            Ok(Permit { _counted: waiting.granted(), _permit: permit })
        }
    }
}

/// Works in a child process; waits for its end or for the context, whichever is first. A child that is dropped is killed,
/// unless nobody `kills` it, and reaped by the runtime.
async fn process(ctx: &Context, job: Job, ticks: Ticks, kills: bool) -> Result<Worked, Failure> {
    let mut process = start(&job, ticks, kills)?;
    let (work, began) = (job.start(), Instant::now());
    // tokio: a `child` that is not dropped yet is there, and its exit is waited for.
    let child = process.child.as_mut().expect("a child is taken when it is dropped");
    let ended = work::race(ctx, child.wait()).await?;
    ended.ok().filter(|status| status.success()).ok_or(Failure::Process)?;
    Ok(work::worked(work, began))
}

/// Starts a child process that does this work.
fn start(job: &Job, ticks: Ticks, kills: bool) -> Result<Process, Refusal> {
    let mut command = Command::from(job.worker(ticks));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(kills);
    let child = command.spawn().map_err(|_| Refusal::Busy)?;
    // tokio: whether it `kills` goes along.
    Ok(Process { child: Some(child), kills, _counted: job.process() })
}

/// Lets the upstream do the work; waits for its answer or for the context, whichever is first. A call that is dropped
/// closes its connection.
async fn call(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let called = called(server, ctx, job, slow).await;
    if let Err(failure) = &called {
        until(contract::upstream::due(&server.settings, failure, Instant::now(), ctx.deadline())).await;
    }
    called
}

/// The same, which may be out of time before the request is.
async fn called(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let ask = request(server, ctx, slow)?;
    let (_counted, work, began) = (job.call(), job.start(), Instant::now());
    work::race(ctx, upstream::call(ask)).await??;
    Ok(work::worked(work, began))
}

/// Begins a call and gives it a tick to be sent.
async fn begin(server: &Server, ctx: &Context, slow: &Slow) -> Result<upstream::Call, Failure> {
    let mut call: upstream::Call = Box::pin(upstream::call(request(server, ctx, slow)?));
    select! {
        biased;
        answered = call.as_mut() => answered?,
        () = until(Instant::now() + slow.tick) => {}
    }
    Ok(call)
}

/// Returns what the upstream is asked for, and with what budget.
fn request(server: &Server, ctx: &Context, slow: &Slow) -> Result<Ask, Failure> {
    contract::upstream::ask(&server.settings, handler::identity(ctx), slow, Instant::now(), ctx.deadline())
}

/// Lets the database do the work; waits for its answer or for the context, whichever is first. A query that is dropped is
/// canceled, unless nobody `cancels` it.
async fn query(
    server: &Server,
    ctx: &Context,
    job: Job,
    slow: &Slow,
    cancels: bool,
) -> Result<Worked, Failure> {
    let query = ask(server, ctx, job, slow, cancels).await?;
    work::race(ctx, query.done()).await?
}

/// Begins the query that does this work.
async fn ask(server: &Server, ctx: &Context, job: Job, slow: &Slow, cancels: bool) -> Result<Query, Failure> {
    let (pool, identity) = (&server.resources.database, handler::identity(ctx));
    work::race(ctx, Query::begin(pool, job, identity, slow, cancels)).await?
}
