//! Work under a deadline, in every style it is written in.

use std::hint;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use census::{Job, Work};
use contract::{Failure, Fanout, Reason, Slow, Style, Ticks, Worked};
use ctx::Context;

use crate::{Server, outside, threads, until};

// threads: another body, because each style needs a thread.
/// Does the work of one `/slow` in its style.
pub(crate) fn run(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let ticks = slow.ticks();
    match slow.style {
        Style::Context => {
            let inside = ctx.clone();
            let thread = threads::spawn(&server.workers, "context", move || context(&inside, job, ticks))?;
            Ok(thread.join().expect("work does not panic")?)
        }
        // A thread is detached by nature, so there is one way to abandon it.
        Style::Drop | Style::Detached => race(server, ctx, move || unaware(job, ticks)),
        Style::Blocking => blocking(server, ctx, job, ticks),
        Style::Polling => polling(server, ctx, job, ticks),
        Style::Spin => race(server, ctx, move || spin(job, ticks)),
        Style::Outside(style) => outside::run(server, ctx, job, slow, style),
    }
}

/// Waits for the next tick or for the context, whichever is first.
pub(crate) fn context(ctx: &Context, job: Job, ticks: Ticks) -> Result<Worked, Reason> {
    let (mut work, began) = (job.start(), Instant::now());
    for end in ticks.from(began) {
        // threads: one call waits for both.
        if ctx.wait_until(end).is_some() {
            return Err(Reason::why(ctx));
        }
        work.beat();
    }
    Ok(worked(work, began))
}

// threads: nobody can drop a thread.
/// Knows no context: it ends at its natural end.
fn unaware(job: Job, ticks: Ticks) -> Worked {
    let (mut work, began) = (job.start(), Instant::now());
    for end in ticks.from(began) {
        until(end);
        work.beat();
    }
    worked(work, began)
}

// threads: no `detached`, because a thread outlives whoever waits for it without being told to.

// threads: another body, because permits stand in for a pool.
/// Knows no context and sleeps on a thread with a permit of the blocking pool, where nothing can stop it.
fn blocking(server: &Server, ctx: &Context, job: Job, ticks: Ticks) -> Result<Worked, Failure> {
    let permit = server.blocking.wait(ctx)?;
    race(server, ctx, move || {
        let _permit = permit;
        unaware(job, ticks)
    })
}

// threads: another body, because permits stand in for a pool.
/// Sleeps on a thread with a permit of the blocking pool and asks its context at every tick.
fn polling(server: &Server, ctx: &Context, job: Job, ticks: Ticks) -> Result<Worked, Failure> {
    let permit = server.blocking.wait(ctx)?;
    let inside = ctx.clone();
    let worked = race(server, ctx, move || {
        let _permit = permit;
        let (mut work, began) = (job.start(), Instant::now());
        for end in ticks.from(began) {
            contract::outcome::live(&inside)?;
            until(end);
            work.beat();
        }
        Ok::<_, Reason>(worked(work, began))
    });
    Ok(worked??)
}

// threads: there is no executor.
/// Burns CPU on its thread and never yields: no deadline can interrupt it.
fn spin(job: Job, ticks: Ticks) -> Worked {
    let (mut work, began) = (job.start(), Instant::now());
    for end in ticks.from(began) {
        while Instant::now() < end {
            hint::spin_loop();
        }
        work.beat();
    }
    worked(work, began)
}

/// One child of a `/fanout`; the child that is to fail does so after its first tick.
pub(crate) fn child(ctx: &Context, job: Job, fanout: &Fanout, number: u32) -> Result<(), Failure> {
    let worked = context(ctx, job, fanout.ticks(number))?;
    if fanout.fail == Some(number) {
        return Err(Failure::Child(number));
    }
    worked.in_time(ctx)?;
    Ok(())
}

// threads: another body, because the work tells that it has ended by canceling a context.
/// Waits for `work` or for the context. Work that is ready wins: it is judged by when it ended.
pub(crate) fn race<T: Send + 'static>(
    server: &Server,
    ctx: &Context,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (ended, end) = ctx.with_cancel();
    let end = Arc::new(end);
    let (sender, receiver) = mpsc::sync_channel(1);
    // Past the deadline the thread is an orphan, and must keep nothing of its request alive.
    let told = Arc::downgrade(&end);
    threads::spawn(&server.workers, "work", move || {
        drop(sender.send(panic::catch_unwind(AssertUnwindSafe(work))));
        if let Some(end) = told.upgrade() {
            end.cancel();
        }
    })?;
    ended.wait();
    let worked = receiver.try_recv().map_err(|_| Reason::why(ctx))?;
    Ok(worked.expect("work does not panic"))
}

/// The work came to its natural end, now.
pub(crate) fn worked(work: Work, began: Instant) -> Worked {
    work.completed();
    Worked { began, ended: Instant::now() }
}
