//! A context on tokio: `cargo run -p benches --example ctx_tokio`.

use std::time::{Duration, Instant};

use ctx::{Cause, Context, Error, Group};

/// tokio: its clock has an `Instant` of its own, and its timer is late by up to a millisecond, never early.
async fn until(at: Instant) {
    tokio::time::sleep_until(at.into()).await;
}

/// Works in steps, and stops between two of them when its context ends.
async fn work(ctx: Context, steps: u32) -> Result<u32, Cause> {
    for _ in 0..steps {
        ctx.run(tokio::time::sleep(Duration::from_millis(10)), until).await?;
    }
    Ok(steps)
}

#[tokio::main]
async fn main() {
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(100));
    println!("in time: {:?}", work(ctx.clone(), 3).await);
    println!("too long: {:?}", work(ctx.clone(), 30).await);
    drop(cancel);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));

    let group = Group::new(&Context::background());
    tokio::spawn(group.task(async |ctx| work(ctx, 1_000).await.map(drop)));
    tokio::spawn(group.task(async |_ctx| Err(Cause::msg("the other one failed"))));
    println!("group: {:?}", group.join().await);
}
