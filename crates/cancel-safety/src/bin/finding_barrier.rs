//! A barrier of two opens for one task that gave up once.

use async_lock::Barrier;
use futures::FutureExt;

fn main() {
    let barrier = Barrier::new(2);
    println!("the first wait ended: {}", barrier.wait().now_or_never().is_some());
    println!("the same task's second wait ended: {}", barrier.wait().now_or_never().is_some());
}
