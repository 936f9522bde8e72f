//! Tasks on tokio.
//!
//! | idea   | here                                                    |
//! | spawn  | `Runtime::spawn`; dropping the `JoinHandle` detaches     |
//! | timer  | `time::sleep_until`, 112 bytes inside the task           |
//! | cancel | `abort`, at the next `.await`                            |

use std::sync::Arc;
use std::time::Instant;

use ctx::{Context, Error};

use super::census::{self, Alive, unanswered};
use super::child::{Started, contexts, never};
use super::{Case, THREADS, Way};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts the runtime and spawns the tasks.
pub(crate) fn start(case: &Case, root: &Context, release: &Context) -> Started {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_time().build();
    let runtime = Arc::new(runtime.expect("two threads start"));
    match case.way {
        Way::Listens => listens(&runtime, case, root),
        Way::Dropped => dropped(&runtime, case, root),
        Way::Driven | Way::Shared => driven(&runtime, case, root),
        Way::Native => native(&runtime, case),
        Way::Detached => detached(&runtime, case, root, release),
        Way::Handle => return handles(runtime, case),
        Way::JoinSet => return join_set(runtime, case),
        Way::TaskTracker => return task_tracker(runtime, case),
    }
    Started::keeping(runtime)
}

/// tokio's clock has an `Instant` of its own.
fn sleep_until(at: Instant) -> time::Sleep {
    time::sleep_until(at.into())
}

/// The runtime's own timeout around the work.
async fn timed(deadline: Instant) {
    if time::timeout_at(deadline.into(), unanswered()).await.is_err() {
        census::ended(Error::DeadlineExceeded);
    }
}

fn listens(runtime: &Runtime, case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        runtime.spawn(async move {
            let alive = Alive::new();
            let error = ctx.done(sleep_until).await;
            drop((alive, cancel));
            census::ended(error);
        });
    }
}

fn dropped(runtime: &Runtime, case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        runtime.spawn(async move {
            let Err(error) = ctx.run(unanswered(), sleep_until).await;
            drop(cancel);
            census::ended(error);
        });
    }
}

fn driven(runtime: &Runtime, case: &Case, root: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        runtime.spawn(async move {
            let Err(error) = ctx.run(unanswered(), never).await;
            drop(cancel);
            census::ended(error);
        });
    }
}

fn native(runtime: &Runtime, case: &Case) {
    for _ in 0..case.tasks {
        runtime.spawn(timed(Instant::now() + case.timeout()));
    }
}

fn detached(runtime: &Runtime, case: &Case, root: &Context, release: &Context) {
    for (ctx, cancel) in contexts(case, root) {
        let release = release.clone();
        let work = runtime.spawn(async move {
            let alive = Alive::new();
            release.done(never).await;
            drop(alive);
        });
        runtime.spawn(async move {
            // tokio: dropping the handle of the work detaches it.
            if let Err(error) = ctx.run(work, sleep_until).await {
                drop(cancel);
                census::ended(error);
            }
        });
    }
}

fn handles(runtime: Arc<Runtime>, case: &Case) -> Started {
    let spawn = |_| runtime.spawn(timed(Instant::now() + case.timeout()));
    let tasks: Vec<_> = (0..case.tasks).map(spawn).collect();
    Started::canceled_by(move || {
        tasks.iter().for_each(|task| task.abort());
        Box::new(move || {
            runtime.block_on(async {
                for task in tasks {
                    count_canceled(task.await);
                }
            });
        })
    })
}

fn join_set(runtime: Arc<Runtime>, case: &Case) -> Started {
    let mut tasks = JoinSet::new();
    for _ in 0..case.tasks {
        tasks.spawn_on(timed(Instant::now() + case.timeout()), runtime.handle());
    }
    Started::canceled_by(move || {
        tasks.abort_all();
        Box::new(move || {
            runtime.block_on(async {
                while let Some(end) = tasks.join_next().await {
                    count_canceled(end);
                }
            });
        })
    })
}

fn task_tracker(runtime: Arc<Runtime>, case: &Case) -> Started {
    let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
    for _ in 0..case.tasks {
        let (token, deadline) = (token.clone(), Instant::now() + case.timeout());
        let task = async move {
            if token.run_until_cancelled(timed(deadline)).await.is_none() {
                census::ended(Error::Canceled);
            }
        };
        tracker.spawn_on(task, runtime.handle());
    }
    Started::canceled_by(move || {
        token.cancel();
        tracker.close();
        Box::new(move || runtime.block_on(tracker.wait()))
    })
}

/// Counts what a handle says of its task.
fn count_canceled(end: Result<(), tokio::task::JoinError>) {
    if end.is_err_and(|error| error.is_cancelled()) {
        census::ended(Error::Canceled);
    }
}
