//! Finds the await at which a `select!` loop would lose work, and shows the mended code beside it.
//!
//! `cargo run --example mend`

use std::process::ExitCode;

use async_channel::{Receiver, Sender, bounded};
use drop_at_await::{Checker, Report, mark};
use futures_lite::future::yield_now;

/// Gathers two items; what it has so far is gone when it is dropped.
async fn gather(items: &Receiver<u32>) -> Vec<u32> {
    let mut batch = Vec::new();
    while batch.len() < 2 {
        batch.extend(mark(items.recv()).await);
        mark(yield_now()).await;
    }
    batch
}

/// Gathers two items into a batch that outlives the future.
async fn gather_into(items: &Receiver<u32>, batch: &mut Vec<u32>) {
    while batch.len() < 2 {
        batch.extend(mark(items.recv()).await);
        mark(yield_now()).await;
    }
}

/// Sends what a retry needs too.
fn feed(step: usize, sender: &Sender<u32>) -> bool {
    u32::try_from(step).is_ok_and(|item| sender.try_send(item).is_ok())
}

fn check_gather() -> Report {
    Checker::new().check(|run| {
        let (sender, items) = bounded(4);
        let batch = run.retry(async || gather(&items).await, |step| feed(step, &sender));
        expect_first_two(&batch.completed().unwrap_or_default())
    })
}

fn check_gather_into() -> Report {
    Checker::new().check(|run| {
        let (sender, items) = bounded(4);
        let mut batch = Vec::new();
        drop(run.retry(async || gather_into(&items, &mut batch).await, |step| feed(step, &sender)));
        expect_first_two(&batch)
    })
}

fn expect_first_two(batch: &[u32]) -> Result<(), String> {
    if batch == [0, 1] { Ok(()) } else { Err(format!("items: {batch:?} came first")) }
}

fn main() -> ExitCode {
    println!("gather: {}", check_gather());
    println!("gather_into: {}", check_gather_into());
    let as_expected = !check_gather().is_safe() && check_gather_into().is_safe();
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
