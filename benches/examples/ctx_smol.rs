//! A context on smol: `cargo run -p benches --example ctx_smol`.

use std::time::{Duration, Instant};

use ctx::{Cause, Context, Error, Group};
use smol::Timer;

/// smol: a timer is a future of the one global reactor.
async fn until(at: Instant) {
    Timer::at(at).await;
}

/// Works in steps, and stops between two of them when its context ends.
async fn work(ctx: Context, steps: u32) -> Result<u32, Cause> {
    for _ in 0..steps {
        ctx.run(Timer::after(Duration::from_millis(10)), until).await?;
    }
    Ok(steps)
}

fn main() {
    smol::block_on(async {
        let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(100));
        println!("in time: {:?}", work(ctx.clone(), 3).await);
        println!("too long: {:?}", work(ctx.clone(), 30).await);
        drop(cancel);
        assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));

        let group = Group::new(&Context::background());
        // smol: dropping a `Task` cancels it, so detach; the group waits for it anyway.
        smol::spawn(group.task(async |ctx| work(ctx, 1_000).await.map(drop))).detach();
        smol::spawn(group.task(async |_ctx| Err(Cause::msg("the other one failed")))).detach();
        println!("group: {:?}", group.join().await);
    });
}
