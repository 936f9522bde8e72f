//! One operation on a context at a time, beside tokio-util's token on the same work.
//!
//! The names are those of `go-context/context_test.go`, and the token's are the same after `token/`, so that
//! `scripts/bench-ctx.sh` can set them side by side. What ends in `driven` is a context below a `Driver`.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use benches::on_all_cores;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ctx::{Cancel, Context, Driver};
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

fn create(c: &mut Criterion) {
    let background = Context::background();
    let (parent, _cancel) = background.with_cancel();
    for (name, from) in [("background", &background), ("parent", &parent)] {
        c.bench_function(&format!("create/with_timeout/{name}"), |b| {
            b.iter(|| drop(black_box(from.with_timeout(HOUR))))
        });
        c.bench_function(&format!("create/with_cancel/{name}"), |b| {
            b.iter(|| black_box(from.with_cancel()).1.cancel())
        });
    }
    c.bench_function("create/with_value", |b| b.iter(|| black_box(parent.with_value(7_u64))));
    c.bench_function("create/with_value/get", |b| {
        b.iter(|| black_box(black_box(parent.with_value(7_u64)).value::<u64>().copied()))
    });
    let token = CancellationToken::new();
    c.bench_function("token/create/with_cancel/background", |b| {
        b.iter(|| black_box(CancellationToken::new()).cancel())
    });
    c.bench_function("token/create/with_cancel/parent", |b| {
        b.iter(|| black_box(token.child_token()).cancel())
    });
}

fn driven(c: &mut Criterion) {
    let driver = Driver::new();
    let (root, _cancel) = driver.attach(&Context::background()).with_cancel();
    c.bench_function("create/with_timeout/parent/driven", |b| {
        b.iter(|| drop(black_box(root.with_timeout(HOUR))))
    });
    c.bench_function("create/with_timeout/parent/driven/all_cores", |b| {
        b.iter_custom(|n| on_all_cores(n, || (), |()| drop(black_box(root.with_timeout(HOUR)))));
    });
    let (ctx, _c) = root.with_timeout(HOUR);
    c.bench_function("err/deadline/driven", |b| b.iter(|| black_box(&ctx).err()));
}

fn err(c: &mut Criterion) {
    let (live, _l) = Context::background().with_cancel();
    let (timed, _t) = Context::background().with_timeout(HOUR);
    let (canceled, cancel) = Context::background().with_cancel();
    cancel.cancel();
    for (name, ctx) in [("live", &live), ("deadline", &timed), ("canceled", &canceled)] {
        c.bench_function(&format!("err/{name}"), |b| b.iter(|| black_box(ctx).err()));
    }
    let (live, canceled) = (CancellationToken::new(), CancellationToken::new());
    canceled.cancel();
    for (name, token) in [("live", &live), ("canceled", &canceled)] {
        c.bench_function(&format!("token/err/{name}"), |b| b.iter(|| black_box(token).is_cancelled()));
    }
}

type Waiting = Pin<Box<dyn Future<Output = ()>>>;

/// Keeps the children and their waiters alive while the parent is canceled.
struct Family {
    cancel: Cancel,
    _children: Vec<Cancel>,
    _waiters: Vec<Waiting>,
}

fn family(children: usize) -> Family {
    let (parent, cancel) = Context::background().with_cancel();
    let mut task = Task::from_waker(Waker::noop());
    let (children, waiters) = (0..children)
        .map(|_| {
            let (child, handle) = parent.with_cancel();
            let mut waiter: Waiting = Box::pin(async move { _ = child.done(never).await });
            assert!(waiter.as_mut().poll(&mut task).is_pending());
            (handle, waiter)
        })
        .unzip();
    Family { cancel, _children: children, _waiters: waiters }
}

fn token_family(children: usize) -> (CancellationToken, Vec<Waiting>) {
    let parent = CancellationToken::new();
    let mut task = Task::from_waker(Waker::noop());
    let waiters = (0..children)
        .map(|_| {
            let mut waiter: Waiting = Box::pin(parent.child_token().cancelled_owned());
            assert!(waiter.as_mut().poll(&mut task).is_pending());
            waiter
        })
        .collect();
    (parent, waiters)
}

fn cancel(c: &mut Criterion) {
    for children in [10, 100, 1000] {
        c.bench_function(&format!("cancel_children/{children}"), |b| {
            b.iter_batched_ref(|| family(children), |family| family.cancel.cancel(), BatchSize::SmallInput);
        });
        c.bench_function(&format!("token/cancel_children/{children}"), |b| {
            b.iter_batched_ref(|| token_family(children), |family| family.0.cancel(), BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, create, driven, err, cancel);
criterion_main!(benches);
