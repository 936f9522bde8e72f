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
    waiters: Vec<Waiting>,
}

/// Makes children with one waiter each, polled `polls` times by one task.
fn family(children: usize, polls: usize) -> Family {
    let (parent, cancel) = Context::background().with_cancel();
    let (children, waiters) = (0..children)
        .map(|_| {
            let (child, handle) = parent.with_cancel();
            let waiter: Waiting = Box::pin(async move { _ = child.done(never).await });
            (handle, waiting(waiter, polls))
        })
        .unzip();
    Family { cancel, _children: children, waiters }
}

fn token_family(children: usize, polls: usize) -> (CancellationToken, Vec<Waiting>) {
    let parent = CancellationToken::new();
    let waiter = |_| waiting(Box::pin(parent.child_token().cancelled_owned()), polls);
    let waiters = (0..children).map(waiter).collect();
    (parent, waiters)
}

fn waiting(mut waiter: Waiting, polls: usize) -> Waiting {
    let mut task = Task::from_waker(Waker::noop());
    for _ in 0..polls {
        assert!(waiter.as_mut().poll(&mut task).is_pending());
    }
    waiter
}

/// Polls all waiters once more, as their tasks do when they are woken.
fn poll_all(waiters: &mut [Waiting]) {
    let mut task = Task::from_waker(Waker::noop());
    let ready = waiters.iter_mut().all(|waiter| waiter.as_mut().poll(&mut task).is_ready());
    assert!(ready, "a waiter missed the end");
}

/// Cancels a parent whose children have one waiter each: polled once; twice (`/again`); or once, and again after the cancel
/// (`/polled`). All have one waker, which does nothing.
fn cancel(c: &mut Criterion) {
    for children in [10, 100, 1000] {
        for (suffix, polls, after) in [("", 1, false), ("/again", 2, false), ("/polled", 1, true)] {
            c.bench_function(&format!("cancel_children/{children}{suffix}"), |b| {
                let end = |family: &mut Family| {
                    family.cancel.cancel();
                    if after {
                        poll_all(&mut family.waiters);
                    }
                };
                b.iter_batched_ref(|| family(children, polls), end, BatchSize::SmallInput);
            });
            c.bench_function(&format!("token/cancel_children/{children}{suffix}"), |b| {
                let end = |(token, waiters): &mut (CancellationToken, Vec<Waiting>)| {
                    token.cancel();
                    if after {
                        poll_all(waiters);
                    }
                };
                b.iter_batched_ref(|| token_family(children, polls), end, BatchSize::SmallInput);
            });
        }
    }
}

criterion_group!(benches, create, driven, err, cancel);
criterion_main!(benches);
