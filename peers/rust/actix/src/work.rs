//! Work in every style. None of it knows a deadline: whoever waits for it is dropped.

use std::time::Instant;
use std::{hint, thread};

use census::{Job, Work};
use contract::{Slow, Stream, Style, Ticks, answer};
use ctx::Context;

use actix_web::rt::time::{Sleep, sleep_until};
use actix_web::web::{self, Bytes};
use actix_web::{Error, rt};
use futures_lite::{future, stream};

/// Does the work of one `/slow` in its style.
pub(crate) async fn run(ctx: &Context, job: Job, slow: &Slow) {
    let ticks = slow.ticks();
    match slow.style {
        Style::Context => context(ctx, job.start(), ticks).await,
        Style::Drop => unaware(job.start(), ticks).await,
        Style::Detached => {
            let work = job.start();
            rt::spawn(unaware(work, ticks)).await.expect("work does not panic");
        }
        Style::Blocking => {
            let pool = web::block(move || sleeping(&Context::background(), job.start(), ticks));
            pool.await.expect("work does not panic");
        }
        Style::Polling => {
            let ctx = ctx.clone();
            let pool = web::block(move || sleeping(&ctx, job.start(), ticks));
            pool.await.expect("work does not panic");
        }
        Style::Spin => spin(job.start(), ticks),
        Style::Outside(_) => unreachable!("`Call::inside` refuses it"),
    }
}

/// Waits for the next tick or for the context, whichever is first.
async fn context(ctx: &Context, mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        let told = async {
            ctx.done(until).await;
            true
        };
        let ticked = async {
            until(end).await;
            false
        };
        if future::or(told, ticked).await {
            return;
        }
        work.beat();
    }
    work.completed();
}

/// Knows no context: it ends at its natural end, or where it is dropped.
async fn unaware(mut work: Work, ticks: Ticks) {
    for end in ticks.from(Instant::now()) {
        until(end).await;
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
) -> impl stream::Stream<Item = Result<Bytes, Error>> + use<> {
    let ticks = (0..).zip(params.ticks().from(Instant::now()));
    stream::unfold((work, ticks), |(mut work, mut ticks)| async move {
        let Some((number, end)) = ticks.next() else {
            work.completed();
            return None;
        };
        until(end).await;
        work.beat();
        Some((Ok(answer::chunk(number).into()), (work, ticks)))
    })
}

/// Sleeps until `at`.
fn until(at: Instant) -> Sleep {
    sleep_until(at.into())
}
