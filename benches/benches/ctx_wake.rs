//! Cancel a hundred thousand waiting tasks: from the call until all are gone.
//!
//! `smol` and `tokio` cancel from a thread that is none of the executor's, as an accept loop or a signal would;
//! `tokio_inside` cancels from a task, whose wake-ups take the worker's own queue. The thread that measures sleeps
//! meanwhile, for two workers have two cores.
//!
//! The rows that end in `bare` are the floor: the same tasks keep their waker in a list, and a loop over the list wakes
//! them. What is left of the time is the runtime's own.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use pin_project_lite::pin_project;
use smol::Executor;
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

pin_project! {
    /// Waits, and tells when it began to and when it is gone.
    ///
    /// It is written by hand because an `async fn` would keep the wait twice, and a task's size is part of the time.
    struct Parked<W> {
        #[pin]
        wait: W,
        waits: bool,
        count: Arc<Count>,
    }
}

impl<W: Future> Future for Parked<W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let poll = this.wait.poll(cx).map(drop);
        if !std::mem::replace(this.waits, true) {
            this.count.add(&this.count.waiting);
        }
        if poll.is_ready() {
            this.count.add(&this.count.gone);
        }
        poll
    }
}

fn park<W>(wait: W, count: &Arc<Count>) -> Parked<W> {
    Parked { wait, waits: false, count: count.clone() }
}

/// A signal that does nothing but wake: its list of wakers is `None` once it was rung.
struct Bell(Mutex<Option<Vec<Waker>>>);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Vec::with_capacity(TASKS)))))
    }

    async fn rung(self: Arc<Self>) {
        std::future::poll_fn(|cx| match &mut *self.0.lock().expect("nobody panics under it") {
            Some(wakers) => {
                wakers.push(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
    }

    fn ring(&self) {
        let wakers = self.0.lock().expect("nobody panics under it").take();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Measures on smol: `wait` makes what each task waits for, `end` ends all of it.
fn smol_round<W>(wait: impl Fn() -> W, end: impl FnOnce()) -> Duration
where
    W: Future<Output: Send> + Send + 'static,
{
    let executor = Executor::new();
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let count = Count::new();
    for _ in 0..TASKS {
        executor.spawn(park(wait(), &count)).detach();
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let took = count.measure(end);
        drop(stop);
        took
    })
}

/// Measures on tokio; `inside` a task of its own, or on this thread.
fn tokio_round<W>(inside: bool, wait: impl Fn() -> W, end: impl FnOnce() + Send + 'static) -> Duration
where
    W: Future<Output: Send> + Send + 'static,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads start");
    let count = Count::new();
    for _ in 0..TASKS {
        runtime.spawn(park(wait(), &count));
    }
    count.measure(|| {
        if inside {
            runtime.spawn(async { end() });
        } else {
            end();
        }
    })
}

fn smol_context() -> Duration {
    let (ctx, cancel) = ctx::Context::background().with_cancel();
    smol_round(|| waiting(&ctx), || cancel.cancel())
}

fn smol_bare() -> Duration {
    let bell = Bell::new();
    smol_round(|| bell.clone().rung(), || bell.ring())
}

fn tokio_context(inside: bool) -> Duration {
    let (ctx, cancel) = ctx::Context::background().with_cancel();
    tokio_round(inside, || waiting(&ctx), move || cancel.cancel())
}

fn tokio_bare(inside: bool) -> Duration {
    let bell = Bell::new();
    let ring = bell.clone();
    tokio_round(inside, || bell.clone().rung(), move || ring.ring())
}

fn tokio_token(inside: bool) -> Duration {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio_round(inside, || token.clone().cancelled_owned(), move || cancel.cancel())
}

fn waiting(ctx: &ctx::Context) -> impl Future<Output = ()> + use<> {
    let ctx = ctx.clone();
    async move { _ = ctx.done(never).await }
}

fn wake(c: &mut Criterion) {
    let rounds: [(&str, &dyn Fn() -> Duration); 8] = [
        ("cancel_waiting_100k/smol", &smol_context),
        ("cancel_waiting_100k/smol/bare", &smol_bare),
        ("cancel_waiting_100k/tokio", &|| tokio_context(false)),
        ("cancel_waiting_100k/tokio/bare", &|| tokio_bare(false)),
        ("cancel_waiting_100k/tokio_inside", &|| tokio_context(true)),
        ("cancel_waiting_100k/tokio_inside/bare", &|| tokio_bare(true)),
        ("token/cancel_waiting_100k/tokio", &|| tokio_token(false)),
        ("token/cancel_waiting_100k/tokio_inside", &|| tokio_token(true)),
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
