//! Work in every style. None of it knows a deadline: whoever waits for it is dropped.

use std::convert::Infallible;
use std::time::Instant;
use std::{hint, thread};

use census::{Job, Work};
use contract::{Slow, Stream, Style, Ticks, answer};
use ctx::Context;

use futures_lite::stream;
use tokio::time::sleep_until;
use tokio::{select, task};

/// Does the work of one `/slow` in its style.
pub(crate) async fn run(ctx: &Context, job: Job, slow: &Slow) {
    let ticks = slow.ticks();
    match slow.style {
        Style::Context => context(ctx, job.start(), ticks).await,
        Style::Drop => unaware(job.start(), ticks).await,
        Style::Detached => {
            let work = job.start();
            task::spawn(unaware(work, ticks)).await.expect("work does not panic");
        }
        Style::Blocking => {
            let pool = task::spawn_blocking(move || sleeping(&Context::background(), job.start(), ticks));
            pool.await.expect("work does not panic");
        }
        Style::Polling => {
            let ctx = ctx.clone();
            let pool = task::spawn_blocking(move || sleeping(&ctx, job.start(), ticks));
            pool.await.expect("work does not panic");
        }
        Style::Spin => spin(job.start(), ticks),
        Style::Outside(_) => unreachable!("`Call::inside` refuses it"),
    }
}

/// Waits for the next tick or for the context, whichever is first.
async fn context(ctx: &Context, mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        select! {
            biased;
            _ = ctx.done(|at| sleep_until(at.into())) => return,
            () = sleep_until(end.into()) => work.beat(),
        }
    }
    work.completed();
}

/// Knows no context: it ends at its natural end, or where it is dropped.
async fn unaware(mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        sleep_until(end.into()).await;
        work.beat();
    }
    work.completed();
}

/// Sleeps on the blocking pool and asks its context at every tick.
fn sleeping(ctx: &Context, mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        if ctx.err().is_some() {
            return;
        }
        thread::sleep(end.saturating_duration_since(Instant::now()));
        work.beat();
    }
    work.completed();
}

/// Burns CPU on the executor and never yields: no deadline can interrupt it.
fn spin(mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        while Instant::now() < end {
            hint::spin_loop();
        }
        work.beat();
    }
    work.completed();
}

/// The body of a `/stream`: a chunk at each tick.
pub(crate) fn chunks(
    work: Work,
    params: &Stream,
) -> impl stream::Stream<Item = Result<String, Infallible>> + Send + use<> {
    let ticks = (0..).zip(params.ticks().from(Instant::now()));
    stream::unfold((work, ticks), |(mut work, mut ticks)| async move {
        let Some((number, end)) = ticks.next() else {
            work.completed();
            return None;
        };
        sleep_until(end.into()).await;
        work.beat();
        Some((Ok(answer::chunk(number)), (work, ticks)))
    })
}
