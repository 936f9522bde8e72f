//! A context on plain threads: `cargo run -p benches --example ctx_threads`.

use std::thread;
use std::time::Duration;

use ctx::{Cause, Context, Error, Group};

/// Works in steps, and stops between two of them when its context ends.
fn work(ctx: &Context, steps: u32) -> Result<u32, Cause> {
    for _ in 0..steps {
        // threads: the wait between two steps is a wait for the end, cut short.
        if let Some(error) = ctx.wait_timeout(Duration::from_millis(10)) {
            return Err(error.into());
        }
    }
    Ok(steps)
}

fn main() {
    let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(100));
    println!("in time: {:?}", work(&ctx, 3));
    println!("too long: {:?}", work(&ctx, 30));
    drop(cancel);
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));

    let group = Group::new(&Context::background());
    thread::spawn(group.job(|ctx| work(ctx, 1_000).map(drop)));
    thread::spawn(group.job(|_ctx| Err(Cause::msg("the other one failed"))));
    println!("group: {:?}", group.wait());
}
