//! Work under a deadline, in every style it is written in.

use std::pin::pin;
use std::time::Instant;
use std::{hint, thread};

use census::{Job, Work};
use contract::{Failure, Fanout, Reason, Slow, Style, Ticks, Worked};
use ctx::Context;

use futures_lite::future;
use smol::channel;

use crate::{EXECUTOR, Server, outside, until};

/// Does the work of one `/slow` in its style.
pub(crate) async fn run(server: &Server, ctx: &Context, job: Job, slow: &Slow) -> Result<Worked, Failure> {
    let ticks = slow.ticks();
    Ok(match slow.style {
        Style::Context => context(ctx, job, ticks).await?,
        Style::Drop => race(ctx, pin!(unaware(job, ticks))).await?,
        Style::Detached => race(ctx, pin!(detached(job, ticks))).await?,
        Style::Blocking => race(ctx, pin!(blocking(job, ticks))).await?,
        Style::Polling => race(ctx, pin!(polling(ctx.clone(), job, ticks))).await??,
        Style::Spin => spin(job, ticks),
        Style::Outside(style) => outside::run(server, ctx, job, slow, style).await?,
    })
}

/// Waits for the next tick or for the context, whichever is first.
pub(crate) async fn context(ctx: &Context, job: Job, ticks: Ticks) -> Result<Worked, Reason> {
    let (mut work, began) = (job.start(), Instant::now());
    let mut done = pin!(ctx.done(until));
    for end in ticks.from(began) {
        let ended = async {
            done.as_mut().await;
            Err(Reason::why(ctx))
        };
        let due = async {
            until(end).await;
            Ok(())
        };
        future::or(ended, due).await?;
        work.beat();
    }
    Ok(worked(work, began))
}

/// Knows no context: it ends at its natural end, or where it is dropped.
async fn unaware(job: Job, ticks: Ticks) -> Worked {
    let (mut work, began) = (job.start(), Instant::now());
    for end in ticks.from(began) {
        until(end).await;
        work.beat();
    }
    worked(work, began)
}

/// The same on a task of its own, which outlives whoever waits for it.
async fn detached(job: Job, ticks: Ticks) -> Worked {
    // smol: dropping the task would cancel the work, so it is detached, and its result goes from a `sender` to a `receiver`.
    let (sender, receiver) = channel::bounded(1);
    EXECUTOR.spawn(async move { sender.send(unaware(job, ticks).await).await }).detach();
    receiver.recv().await.expect("work does not panic")
}

/// Knows no context and sleeps on the blocking pool, where nothing can stop it.
async fn blocking(job: Job, ticks: Ticks) -> Worked {
    let task = smol::unblock(move || {
        let (mut work, began) = (job.start(), Instant::now());
        for end in ticks.from(began) {
            thread::sleep(end.saturating_duration_since(Instant::now()));
            work.beat();
        }
        worked(work, began)
    });
    task.await
}

/// Sleeps on the blocking pool and asks its context at every tick.
async fn polling(ctx: Context, job: Job, ticks: Ticks) -> Result<Worked, Reason> {
    let task = smol::unblock(move || {
        let (mut work, began) = (job.start(), Instant::now());
        for end in ticks.from(began) {
            contract::outcome::live(&ctx)?;
            thread::sleep(end.saturating_duration_since(Instant::now()));
            work.beat();
        }
        Ok(worked(work, began))
    });
    task.await
}

/// Burns CPU on the executor and never yields: no deadline can interrupt it.
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
pub(crate) async fn child(ctx: &Context, job: Job, fanout: &Fanout, number: u32) -> Result<(), Failure> {
    let worked = context(ctx, job, fanout.ticks(number)).await?;
    if fanout.fail == Some(number) {
        return Err(Failure::Child(number));
    }
    worked.in_time(ctx)?;
    Ok(())
}

/// Waits for `work` or for the context. Work that is ready wins: it is judged by when it ended.
pub(crate) async fn race<T>(ctx: &Context, work: impl Future<Output = T>) -> Result<T, Reason> {
    let worked = async { Ok(work.await) };
    let ended = async {
        ctx.done(until).await;
        Err(Reason::why(ctx))
    };
    future::or(worked, ended).await
}

/// The work came to its natural end, now.
pub(crate) fn worked(work: Work, began: Instant) -> Worked {
    work.completed();
    Worked { began, ended: Instant::now() }
}
