//! Cancel a hundred thousand waiting tasks: from the call until all are gone.
//!
//! `smol` and `tokio` cancel from a thread that is none of the executor's, as an accept loop or a signal would;
//! `tokio_inside` cancels from a task, whose wake-ups take the worker's own queue. The thread that measures sleeps
//! meanwhile, for two workers have two cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use ctx::Context;
use smol::Executor;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const TASKS: usize = 100_000;

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

/// Counts tasks: how many wait, and how many are still there. The last of each wakes the thread that measures.
struct Count {
    waiting: AtomicUsize,
    gone: AtomicUsize,
    measuring: Thread,
}

impl Count {
    fn new() -> Arc<Self> {
        let (waiting, gone) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { waiting, gone, measuring: thread::current() })
    }

    fn add(&self, count: &AtomicUsize) {
        if count.fetch_add(1, Ordering::AcqRel) + 1 == TASKS {
            self.measuring.unpark();
        }
    }

    fn wait_for_all(count: &AtomicUsize) {
        while count.load(Ordering::Acquire) < TASKS {
            thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Calls `cancel` when every task waits; the clock stops when all are gone.
    fn measure(&self, cancel: impl FnOnce()) -> Duration {
        Self::wait_for_all(&self.waiting);
        let begin = Instant::now();
        cancel();
        Self::wait_for_all(&self.gone);
        begin.elapsed()
    }
}

/// Waits, and tells when it began to and when it is gone.
async fn park(wait: impl Future, count: Arc<Count>) {
    let mut wait = std::pin::pin!(wait);
    let mut first = true;
    std::future::poll_fn(|cx| {
        let poll = wait.as_mut().poll(cx).map(drop);
        if std::mem::take(&mut first) {
            count.add(&count.waiting);
        }
        poll
    })
    .await;
    count.add(&count.gone);
}

fn smol_round() -> Duration {
    let executor = Executor::new();
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let (ctx, cancel) = Context::background().with_cancel();
    let count = Count::new();
    for _ in 0..TASKS {
        let ctx = ctx.clone();
        executor.spawn(park(async move { ctx.done(never).await }, count.clone())).detach();
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let took = count.measure(|| cancel.cancel());
        drop(stop);
        took
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads start")
}

fn tokio_round(inside: bool) -> Duration {
    let runtime = runtime();
    let (ctx, cancel) = Context::background().with_cancel();
    let count = Count::new();
    for _ in 0..TASKS {
        let ctx = ctx.clone();
        runtime.spawn(park(async move { ctx.done(never).await }, count.clone()));
    }
    count.measure(|| {
        if inside {
            runtime.spawn(async move { cancel.cancel() });
        } else {
            cancel.cancel();
        }
    })
}

fn token_round(inside: bool) -> Duration {
    let runtime = runtime();
    let token = CancellationToken::new();
    let count = Count::new();
    for _ in 0..TASKS {
        let token = token.clone();
        runtime.spawn(park(async move { token.cancelled().await }, count.clone()));
    }
    count.measure(|| {
        if inside {
            runtime.spawn(async move { token.cancel() });
        } else {
            token.cancel();
        }
    })
}

fn wake(c: &mut Criterion) {
    let rounds: [(&str, &dyn Fn() -> Duration); 5] = [
        ("cancel_waiting_100k/smol", &smol_round),
        ("cancel_waiting_100k/tokio", &|| tokio_round(false)),
        ("cancel_waiting_100k/tokio_inside", &|| tokio_round(true)),
        ("token/cancel_waiting_100k/tokio", &|| token_round(false)),
        ("token/cancel_waiting_100k/tokio_inside", &|| token_round(true)),
    ];
    for (name, round) in rounds {
        let (group, runtime) = name.rsplit_once('/').expect("each name has a group");
        let mut group = c.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(runtime, |b| b.iter_custom(|n| (0..n).map(|_| round()).sum()));
        group.finish();
    }
}

criterion_group!(benches, wake);
criterion_main!(benches);
