//! Instructions per operation, counted by valgrind: the figures that a noisy machine cannot change.
//!
//! Needs `valgrind` and a `gungraun-runner` of the same version as the library.

#![expect(missing_docs, reason = "gungraun's macros make undocumented items")]

use std::hint::black_box;
use std::time::Duration;

use ctx::{Cancel, Context};
use gungraun::{library_benchmark, library_benchmark_group, main};

const HOUR: Duration = Duration::from_secs(3600);

fn parent() -> (Context, Cancel) {
    let pair = Context::background().with_cancel();
    // The list of children is made for the first of them.
    drop(pair.0.with_cancel());
    pair
}

fn canceled() -> (Context, Cancel) {
    let pair = Context::background().with_cancel();
    pair.1.cancel();
    pair
}

fn children(count: usize) -> (Cancel, Vec<(Context, Cancel)>) {
    let (parent, cancel) = Context::background().with_cancel();
    (cancel, (0..count).map(|_| parent.with_cancel()).collect())
}

#[library_benchmark]
#[bench::background((Context::background(), parent().1))]
#[bench::parent(parent())]
fn with_timeout((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    drop(black_box(ctx.with_timeout(HOUR)));
    (ctx, cancel)
}

#[library_benchmark]
#[bench::background((Context::background(), parent().1))]
#[bench::parent(parent())]
fn with_cancel((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    drop(black_box(ctx.with_cancel()));
    (ctx, cancel)
}

#[library_benchmark]
#[bench::live(parent())]
#[bench::deadline(Context::background().with_timeout(HOUR))]
#[bench::canceled(canceled())]
fn err(pair: (Context, Cancel)) -> (Context, Cancel) {
    black_box(black_box(&pair.0).err());
    pair
}

#[library_benchmark]
#[bench::hundred(children(100))]
#[bench::thousand(children(1000))]
fn cancel_children(family: (Cancel, Vec<(Context, Cancel)>)) -> (Cancel, Vec<(Context, Cancel)>) {
    family.0.cancel();
    family
}

library_benchmark_group!(name = operations, benchmarks = [with_timeout, with_cancel, err, cancel_children]);
main!(library_benchmark_groups = operations);
