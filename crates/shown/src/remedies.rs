//! The ways to stop work, in Rust.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::TcpStream;

use ctx::{Context, Ended};
use tokio::process::Command;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;

/// Checks the context at each step.
///
/// # Errors
/// When the context has ended.
pub fn ask<T>(ctx: &Context, items: Vec<T>, mut step: impl FnMut(T)) -> Result<(), Ended> {
    // shown: ask
    for item in items {
        ctx.check()?;
        step(item);
    }
    // shown: end
    Ok(())
}

/// Spawns work that is canceled when what this returns is dropped.
pub fn cancel<F>(work: impl Fn() -> F) -> JoinSet<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    // shown: cancel
    let mut tasks = JoinSet::new();
    tasks.spawn(work());
    // dropping `tasks` aborts them
    // shown: end
    tasks
}

/// Bounds the reads of a connection by the time that is left.
///
/// # Errors
/// When no time is left, or the connection takes no timeout.
pub fn bound(ctx: &Context, stream: &TcpStream) -> io::Result<()> {
    // shown: bound
    stream.set_read_timeout(ctx.remaining())?;
    // shown: end
    Ok(())
}

/// Runs a loop on a thread that answers nobody.
///
/// # Errors
/// When the loop panics.
pub async fn moved(ctx: Context, crunch: fn(&Context) -> Result<(), Ended>) -> Result<bool, JoinError> {
    // shown: move
    // crunch checks the context, as above
    let done = spawn_blocking(move || crunch(&ctx)).await?;
    // shown: end
    Ok(done.is_ok())
}

/// Waits for a child process, which is killed when this is dropped.
///
/// # Errors
/// When the child cannot be started.
pub async fn kill() -> io::Result<bool> {
    // shown: kill
    // of tokio::process
    let mut child = Command::new("sleep");
    let status = child.arg("60").kill_on_drop(true).status().await?;
    // shown: end
    Ok(status.success())
}

/// Cancels the query that runs on a connection.
///
/// # Errors
/// When the database cannot be reached.
pub async fn query(client: &Client) -> Result<(), Box<dyn Error>> {
    // shown: query
    // tokio-postgres
    client.cancel_token().cancel_query(NoTls).await?;
    // shown: end
    Ok(())
}

/// Runs work on a thread, and tells it when this future is dropped.
///
/// # Errors
/// When the work panics.
pub async fn watch(work: impl FnOnce(CancellationToken) + Send + 'static) -> Result<(), JoinError> {
    // shown: watch
    // hyper drops the handler when its client leaves
    let token = CancellationToken::new();
    let _guard = token.clone().drop_guard();
    spawn_blocking(move || work(token)).await?;
    // shown: end
    Ok(())
}
