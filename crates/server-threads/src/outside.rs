//! Work that needs more than the server's own time: its end, whatever it is, must give back what it has taken.

use std::sync::Arc;

use census::Job;
use contract::{Failure, Outside, Reason, Settings, Slow, Worked};
use ctx::Context;

use crate::threads::{self, Permits};
use crate::{Server, work};

/// What there is to be taken.
pub(crate) struct Resources {
    permits: Arc<Permits>,
}

/// What a request has taken, until it is dropped. The count goes first, so that it never says more than there is.
pub(crate) struct Permit {
    _counted: census::Permit,
    _permit: threads::Permit,
}

impl Resources {
    /// As much of each as `settings` say.
    pub(crate) fn open(settings: &Settings) -> Self {
        Self { permits: Permits::new(settings.permits.get()) }
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
    }
}

/// Takes what work in this style takes.
pub(crate) fn take(
    server: &Server,
    ctx: &Context,
    style: Option<Outside>,
) -> Result<Option<Permit>, Failure> {
    match style {
        Some(Outside::Permit) => Ok(Some(permit(server, ctx)?)),
        None => Ok(None),
    }
}

/// Waits for a permit or for the context, whichever is first. A wait that is dropped passes on what it was given.
fn permit(server: &Server, ctx: &Context) -> Result<Permit, Reason> {
    let waiting = server.census.waits();
    // threads: one call waits for the `permit` and for the context.
    let permit = server.resources.permits.wait(ctx)?;
    Ok(Permit { _counted: waiting.granted(), _permit: permit })
}
