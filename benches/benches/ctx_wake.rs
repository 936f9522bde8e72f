//! Cancel a hundred thousand waiting tasks: the time of the call, and until all are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use ctx::Context;
use smol::Executor;
use tokio_util::sync::CancellationToken;

const TASKS: usize = 100_000;

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

/// Counts tasks that are still there.
#[derive(Clone)]
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(TASKS)))
    }

    fn wait_until_none(&self) {
        while self.0.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
    }
}

/// How a round is measured: `cancel` is called when every task waits; the clock stops when all are gone.
fn measure(parked: &AtomicUsize, alive: &Alive, cancel: impl FnOnce()) -> Duration {
    while parked.load(Ordering::Acquire) < TASKS {
        thread::yield_now();
    }
    let begin = Instant::now();
    cancel();
    alive.wait_until_none();
    begin.elapsed()
}

/// Waits, and tells when it began to and when it is gone.
async fn park(wait: impl Future, parked: Arc<AtomicUsize>, alive: Alive) {
    let mut wait = std::pin::pin!(wait);
    let mut first = true;
    std::future::poll_fn(|cx| {
        let poll = wait.as_mut().poll(cx).map(drop);
        if std::mem::take(&mut first) {
            parked.fetch_add(1, Ordering::Release);
        }
        poll
    })
    .await;
    alive.0.fetch_sub(1, Ordering::Release);
}

fn smol_round() -> Duration {
    let executor = Executor::new();
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let (ctx, cancel) = Context::background().with_cancel();
    let (parked, alive) = (Arc::new(AtomicUsize::new(0)), Alive::new());
    for _ in 0..TASKS {
        let ctx = ctx.clone();
        let wait = async move { ctx.done(never).await };
        executor.spawn(park(wait, parked.clone(), alive.clone())).detach();
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let took = measure(&parked, &alive, || cancel.cancel());
        drop(stop);
        took
    })
}

fn tokio_round(token: bool) -> Duration {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads start");
    let (ctx, cancel) = Context::background().with_cancel();
    let shared = CancellationToken::new();
    let (parked, alive) = (Arc::new(AtomicUsize::new(0)), Alive::new());
    for _ in 0..TASKS {
        let (ctx, shared, parked, alive) = (ctx.clone(), shared.clone(), parked.clone(), alive.clone());
        if token {
            runtime.spawn(async move { park(shared.cancelled(), parked, alive).await });
        } else {
            runtime.spawn(async move { park(ctx.done(never), parked, alive).await });
        }
    }
    measure(&parked, &alive, || if token { shared.cancel() } else { cancel.cancel() })
}

fn wake(c: &mut Criterion) {
    let mut group = c.benchmark_group("cancel_waiting_100k");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).warm_up_time(Duration::from_millis(500));
    let rounds = |n: u64, round: &dyn Fn() -> Duration| (0..n).map(|_| round()).sum();
    group.bench_function("smol", |b| b.iter_custom(|n| rounds(n, &smol_round)));
    group.bench_function("tokio", |b| b.iter_custom(|n| rounds(n, &|| tokio_round(false))));
    group.bench_function("token", |b| b.iter_custom(|n| rounds(n, &|| tokio_round(true))));
    group.finish();
}

criterion_group!(benches, wake);
criterion_main!(benches);
