//! Tasks on smol.
//!
//! | idea   | here                                                    |
//! | spawn  | `smol::spawn`; dropping the `Task` cancels it            |
//! | timer  | `Timer::at`, a row in the global reactor's ordered map   |
//! | cancel | dropping the `Task`, at the next `.await`                |

use std::time::Instant;

use ctx::{Context, Error};

use super::census::{self, Alive, CanceledOnDrop, unanswered};
use super::child::{Started, contexts, never};
use super::{Case, Way};

use smol::{Timer, future};

/// Starts the runtime and spawns the tasks.
pub(crate) fn start(case: &Case, root: &Context, release: &Context) -> Started {
    match case.way {
        Way::Listens => listens(case, root),
        Way::Dropped => dropped(case, root),
        Way::Driven | Way::Shared => driven(case, root),
        Way::Native => native(case),
        Way::Detached => detached(case, root, release),
        Way::Handle => return handles(case),
        Way::JoinSet | Way::TaskTracker => unreachable!("tokio's own ways run on tokio"),
    }
    Started::keeping(())
}

/// The runtime's own timeout around the work.
async fn timed(deadline: Instant) {
    let late = async move {
        Timer::at(deadline).await;
        Error::DeadlineExceeded
    };
    let work = async { match unanswered().await {} };
    census::ended(future::or(work, late).await);
}

fn listens(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        smol::spawn(async move {
            let alive = Alive::new();
            let error = ctx.done(Timer::at).await;
            drop((alive, cancel));
            census::ended(error);
        })
        .detach();
    }
}

fn dropped(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        smol::spawn(async move {
            let Err(error) = ctx.run(unanswered(), Timer::at).await;
            drop(cancel);
            census::ended(error);
        })
        .detach();
    }
}

fn driven(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        smol::spawn(async move {
            let Err(error) = ctx.run(unanswered(), never).await;
            drop(cancel);
            census::ended(error);
        })
        .detach();
    }
}

fn native(case: &Case) {
    for _ in 0..case.tasks {
        smol::spawn(timed(Instant::now() + case.timeout())).detach();
    }
}

fn detached(case: &Case, root: &Context, release: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        let release = release.clone();
        let work = smol::spawn(async move {
            let alive = Alive::new();
            release.done(never).await;
            drop(alive);
        });
        smol::spawn(async move {
            // smol: dropping the `Task` would cancel the work, so it is detached first, and only the end awaited.
            work.detach();
            let error = ctx.done(Timer::at).await;
            drop(cancel);
            census::ended(error);
        })
        .detach();
    }
}

fn handles(case: &Case) -> Started {
    let spawn = |_| {
        let deadline = Instant::now() + case.timeout();
        smol::spawn(async move {
            let canceled = CanceledOnDrop::new();
            timed(deadline).await;
            std::mem::forget(canceled);
        })
    };
    let tasks: Vec<_> = (0..case.tasks).map(spawn).collect();
    Started::canceled_by(move || {
        drop(tasks);
        Box::new(|| ())
    })
}
