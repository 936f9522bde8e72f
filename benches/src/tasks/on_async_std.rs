//! Tasks on async-std.
//!
//! | idea   | here                                                    |
//! | spawn  | `task::spawn`; dropping the `JoinHandle` detaches        |
//! | timer  | `task::sleep` for a time, a row in smol's reactor        |
//! | cancel | `JoinHandle::cancel`, awaited one by one                 |

use std::time::Instant;

use ctx::{Context, Error};

use super::census::{self, Alive, unanswered};
use super::child::{Started, contexts, never};
use super::{Case, Way};

use async_std::{future, task};

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

async fn sleep_until(at: Instant) {
    task::sleep(at.saturating_duration_since(Instant::now())).await;
}

/// The runtime's own timeout around the work.
async fn timed(deadline: Instant) {
    if future::timeout(deadline.saturating_duration_since(Instant::now()), unanswered()).await.is_err() {
        census::ended(Error::DeadlineExceeded);
    }
}

fn listens(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        task::spawn(async move {
            let alive = Alive::new();
            let error = ctx.done(sleep_until).await;
            drop((alive, cancel));
            census::ended(error);
        });
    }
}

fn dropped(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        task::spawn(async move {
            let Err(error) = ctx.run(unanswered(), sleep_until).await;
            drop(cancel);
            census::ended(error);
        });
    }
}

fn driven(case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        task::spawn(async move {
            let Err(error) = ctx.run(unanswered(), never).await;
            drop(cancel);
            census::ended(error);
        });
    }
}

fn native(case: &Case) {
    for _ in 0..case.tasks {
        task::spawn(timed(Instant::now() + case.timeout()));
    }
}

fn detached(case: &Case, root: &Context, release: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        let release = release.clone();
        let work = task::spawn(async move {
            let alive = Alive::new();
            release.done(never).await;
            drop(alive);
        });
        task::spawn(async move {
            // async-std: dropping the handle of the work detaches it.
            if let Err(error) = ctx.run(work, sleep_until).await {
                drop(cancel);
                census::ended(error);
            }
        });
    }
}

fn handles(case: &Case) -> Started {
    let spawn = |_| task::spawn(timed(Instant::now() + case.timeout()));
    let tasks: Vec<_> = (0..case.tasks).map(spawn).collect();
    Started::canceled_by(move || {
        task::block_on(async {
            for task in tasks {
                if task.cancel().await.is_none() {
                    census::ended(Error::Canceled);
                }
            }
        });
        Box::new(|| ())
    })
}
