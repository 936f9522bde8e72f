//! Work that needs more than the server's own time: its end, whatever it is, must give back what it has taken.

use census::Job;
use contract::{Failure, Outside, Reason, Settings, Slow, Worked};
use ctx::Context;

use tokio::select;
use tokio::sync::{Semaphore, SemaphorePermit};

// tokio: `select!` races its branches in place, where the others race futures that they name.
use crate::{Server, until, work};

/// What there is to be taken.
pub(crate) struct Resources {
    permits: Semaphore,
}

/// What a request has taken, until it is dropped. The count goes first, so that it never says more than there is.
pub(crate) struct Permit<'a> {
    _counted: census::Permit,
    _permit: SemaphorePermit<'a>,
}

impl Resources {
    /// As much of each as `settings` say.
    pub(crate) fn open(settings: &Settings) -> Self {
        Self { permits: Semaphore::new(settings.permits.get()) }
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
    }
}

/// Takes what work in this style takes.
pub(crate) async fn take<'a>(
    server: &'a Server,
    ctx: &Context,
    style: Option<Outside>,
) -> Result<Option<Permit<'a>>, Failure> {
    match style {
        Some(Outside::Permit) => Ok(Some(permit(server, ctx).await?)),
        None => Ok(None),
    }
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
