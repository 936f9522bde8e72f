//! A context on async-std: `cargo run -p benches --example ctx_async_std`.

use std::time::{Duration, Instant};

use async_std::task;
use ctx::{Cause, Context, Error, Group};

/// async-std: it only sleeps for a duration, so the instant is converted when the wait begins.
async fn until(at: Instant) {
    task::sleep(at.saturating_duration_since(Instant::now())).await;
}

/// Works in steps, and stops between two of them when its context ends.
async fn work(ctx: Context, steps: u32) -> Result<u32, Cause> {
    for _ in 0..steps {
        ctx.run(task::sleep(Duration::from_millis(10)), until).await?;
    }
    Ok(steps)
}

fn main() {
    task::block_on(async {
        let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(100));
        println!("in time: {:?}", work(ctx.clone(), 3).await);
        println!("too long: {:?}", work(ctx.clone(), 30).await);
        drop(cancel);
        assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));

        let group = Group::new(&Context::background());
        task::spawn(group.task(async |ctx| work(ctx, 1_000).await.map(drop)));
        task::spawn(group.task(async |_ctx| Err(Cause::msg("the other one failed"))));
        println!("group: {:?}", group.join().await);
    });
}
