//! The ten benchmarks of Go's own package context, B1 to B10, with the same parameters.
//!
//! What tokio-util's token can do too stands beside it under `token/`: it has no deadline (B2) and no values (B6, B7;
//! in B1 it reads none).

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use benches::on_all_cores;
use criterion::{Criterion, criterion_group, criterion_main};
use ctx::{Cancel, Context};
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);
/// The numbers of values above the lookup, none of which it finds.
const DEPTHS: [u64; 5] = [10, 20, 30, 50, 100];

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

/// Polls `done` as a `select` with a default polls Go's channel.
fn is_done(ctx: &Context) -> bool {
    pin!(ctx.done(never)).poll(&mut Task::from_waker(Waker::noop())).is_ready()
}

/// The same for a token.
fn is_cancelled(token: &CancellationToken) -> bool {
    pin!(token.cancelled()).poll(&mut Task::from_waker(Waker::noop())).is_ready()
}

fn work() {
    for i in 0..100_u32 {
        black_box(i);
    }
}

fn b1_common_parent_cancel(c: &mut Criterion) {
    let root = Context::background().with_value(7_u64);
    let (shared, _cancel) = root.with_cancel();
    c.bench_function("B1/common_parent_cancel", |b| {
        b.iter_custom(|n| {
            on_all_cores(
                n,
                || (),
                |()| {
                    let (ctx, cancel) = shared.with_cancel();
                    black_box(ctx.value::<u64>());
                    work();
                    cancel.cancel();
                    work();
                },
            )
        });
    });
    let shared = CancellationToken::new();
    c.bench_function("token/B1/common_parent_cancel", |b| {
        b.iter_custom(|n| {
            on_all_cores(
                n,
                || (),
                |()| {
                    let token = shared.child_token();
                    work();
                    token.cancel();
                    work();
                },
            )
        });
    });
}

fn b2_with_timeout(c: &mut Criterion) {
    for live in [40, 4_000, 400_000] {
        let _live: Vec<(Context, Cancel)> =
            (0..live).map(|_| Context::background().with_timeout(HOUR)).collect();
        c.bench_function(&format!("B2/with_timeout/{live}"), |b| {
            b.iter_custom(|n| {
                on_all_cores(
                    n,
                    || Vec::with_capacity(10),
                    |made| {
                        made.extend((0..10).map(|_| Context::background().with_timeout(HOUR)));
                        made.drain(..).for_each(|(_, cancel): (Context, Cancel)| cancel.cancel());
                    },
                )
            });
        });
    }
}

/// Builds a chain, and keeps every handle.
fn build(root: &Context, depth: usize, handles: &mut Vec<Cancel>) {
    let mut ctx = root.clone();
    for _ in 0..depth {
        let (next, cancel) = ctx.with_cancel();
        handles.push(cancel);
        ctx = next;
    }
}

fn b3_cancel_tree(c: &mut Criterion) {
    let (closed, cancel) = Context::background().with_cancel();
    cancel.cancel();
    for depth in [1, 10, 100, 1000] {
        let mut handles = Vec::with_capacity(depth + 1);
        c.bench_function(&format!("B3/cancel_tree/{depth}/background"), |b| {
            b.iter(|| {
                build(&Context::background(), depth, &mut handles);
                handles.drain(..).for_each(Cancel::keep);
            });
        });
        c.bench_function(&format!("B3/cancel_tree/{depth}/open"), |b| {
            b.iter(|| {
                let (root, cancel) = Context::background().with_cancel();
                build(&root, depth, &mut handles);
                cancel.cancel();
                handles.drain(..).for_each(Cancel::keep);
            });
        });
        c.bench_function(&format!("B3/cancel_tree/{depth}/closed"), |b| {
            b.iter(|| {
                build(&closed, depth, &mut handles);
                handles.drain(..).for_each(Cancel::keep);
            });
        });
    }
}

/// Builds a chain of tokens; each keeps the one before it alive.
fn build_tokens(root: &CancellationToken, depth: usize) -> CancellationToken {
    (0..depth).fold(root.clone(), |token, _| token.child_token())
}

fn b3_token_tree(c: &mut Criterion) {
    let closed = CancellationToken::new();
    closed.cancel();
    for depth in [1, 10, 100, 1000] {
        c.bench_function(&format!("token/B3/cancel_tree/{depth}/open"), |b| {
            b.iter(|| {
                let root = CancellationToken::new();
                let leaf = build_tokens(&root, depth);
                root.cancel();
                leaf
            });
        });
        c.bench_function(&format!("token/B3/cancel_tree/{depth}/closed"), |b| {
            b.iter(|| build_tokens(&closed, depth));
        });
    }
}

fn b4_check_canceled(c: &mut Criterion) {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    c.bench_function("B4/check_canceled/err", |b| b.iter(|| black_box(&ctx).err()));
    c.bench_function("B4/check_canceled/done", |b| b.iter(|| is_done(black_box(&ctx))));
    let token = CancellationToken::new();
    token.cancel();
    c.bench_function("token/B4/check_canceled/err", |b| b.iter(|| black_box(&token).is_cancelled()));
    c.bench_function("token/B4/check_canceled/done", |b| b.iter(|| is_cancelled(black_box(&token))));
}

fn b5_context_cancel_done(c: &mut Criterion) {
    let (ctx, _cancel) = Context::background().with_cancel();
    c.bench_function("B5/context_cancel_done", |b| {
        b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(is_done(&ctx))));
    });
    c.bench_function("B5/context_cancel_done/err", |b| {
        b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(black_box(&ctx).err())));
    });
    let token = CancellationToken::new();
    c.bench_function("token/B5/context_cancel_done", |b| {
        b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(is_cancelled(&token))));
    });
    c.bench_function("token/B5/context_cancel_done/err", |b| {
        b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(black_box(&token).is_cancelled())));
    });
}

fn deep(depth: u64) -> Context {
    (0..depth).fold(Context::background(), |ctx, i| ctx.with_value(i))
}

/// Measures the lookup of a value from a task that is started for it, at each depth.
///
/// Go's benchmark starts a goroutine for each lookup and waits for it. Here a task on a worker of tokio starts a task and waits
/// for it. Code without a runtime has a thread for each lookup instead, which is a row of its own.
fn b6_deep_value_new(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(cores).build().expect("its threads start");
    for depth in DEPTHS {
        let ctx = deep(depth);
        c.bench_function(&format!("B6/deep_value_new/{depth}"), |b| {
            b.iter_custom(|n| {
                let ctx = ctx.clone();
                let lookups = runtime.spawn(async move {
                    let begin = Instant::now();
                    for _ in 0..n {
                        let ctx = ctx.clone();
                        let task = tokio::spawn(async move { black_box(ctx.value::<u8>().is_none()) });
                        assert!(task.await.expect("a lookup does not panic"));
                    }
                    begin.elapsed()
                });
                runtime.block_on(lookups).expect("nor does what starts it")
            });
        });
        c.bench_function(&format!("B6/deep_value_new/{depth}/thread"), |b| {
            b.iter(|| std::thread::scope(|scope| _ = scope.spawn(|| black_box(ctx.value::<u8>()))));
        });
    }
}

fn b7_deep_value_same(c: &mut Criterion) {
    for depth in DEPTHS {
        let ctx = deep(depth);
        c.bench_function(&format!("B7/deep_value_same/{depth}"), |b| {
            b.iter(|| black_box(&ctx).value::<u8>())
        });
        // What Go's benchmark does not ask: the same depth, and the value is there.
        let ctx = (0..depth).fold(Context::background().with_value(7_u8), |ctx, i| ctx.with_value(i));
        c.bench_function(&format!("B7/deep_value_same/{depth}/found"), |b| {
            b.iter(|| black_box(&ctx).value::<u8>())
        });
    }
}

fn b8_b9_b10_err(c: &mut Criterion) {
    let (live, _l) = Context::background().with_cancel();
    let (canceled, cancel) = Context::background().with_cancel();
    cancel.cancel();
    c.bench_function("B8/err_ok", |b| b.iter(|| black_box(&live).err()));
    c.bench_function("B9/err_canceled", |b| b.iter(|| black_box(&canceled).err()));
    for (name, ctx) in [("err_ok_parallel", &live), ("err_canceled_parallel", &canceled)] {
        c.bench_function(&format!("B10/{name}"), |b| {
            b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(black_box(ctx).err())));
        });
    }
    let distinct = || {
        let (ctx, cancel) = Context::background().with_cancel();
        cancel.cancel();
        ctx
    };
    c.bench_function("B10/err_canceled_parallel_distinct", |b| {
        b.iter_custom(|n| on_all_cores(n, distinct, |ctx| _ = black_box(black_box(ctx).err())));
    });
}

fn b8_b9_b10_token(c: &mut Criterion) {
    let (live, canceled) = (CancellationToken::new(), CancellationToken::new());
    canceled.cancel();
    c.bench_function("token/B8/err_ok", |b| b.iter(|| black_box(&live).is_cancelled()));
    c.bench_function("token/B9/err_canceled", |b| b.iter(|| black_box(&canceled).is_cancelled()));
    for (name, token) in [("err_ok_parallel", &live), ("err_canceled_parallel", &canceled)] {
        c.bench_function(&format!("token/B10/{name}"), |b| {
            b.iter_custom(|n| on_all_cores(n, || (), |()| _ = black_box(black_box(token).is_cancelled())));
        });
    }
}

criterion_group!(
    benches,
    b1_common_parent_cancel,
    b2_with_timeout,
    b3_cancel_tree,
    b3_token_tree,
    b4_check_canceled,
    b5_context_cancel_done,
    b6_deep_value_new,
    b7_deep_value_same,
    b8_b9_b10_err,
    b8_b9_b10_token
);
criterion_main!(benches);
