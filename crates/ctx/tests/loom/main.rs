//! The state machine under every interleaving that loom finds: `RUSTFLAGS="--cfg loom" cargo test --test loom`.
#![cfg(all(loom, not(shuttle)))]

mod callbacks;
mod children;
mod ends;
mod lent;
mod moving;
mod timers;
mod waiters;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Wake, Waker};

use ctx::{Cancel, Context};
use loom::sync::atomic::{AtomicUsize, Ordering};

/// Runs the model in every interleaving, and prints how many there are.
fn check(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore(name, None, model);
}

/// Runs the model in every interleaving in which threads are preempted at most twice: with more locks, all are too
/// many.
fn check_some(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore(name, Some(2), model);
}

fn explore(name: &str, preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = runs.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{name}: {} executions", runs.load(std::sync::atomic::Ordering::Relaxed));
}

/// A waker that counts.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Registers a context with its parent, as a waiter does.
fn listed((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    let _ = ctx.after_func(|| ()).stop();
    (ctx, cancel)
}

/// Polls once for the end, as a task that `waker` wakes; true if it is there.
fn is_done(ctx: &Context, waker: &Waker) -> bool {
    pin!(ctx.done(|_| std::future::pending::<()>())).poll(&mut Task::from_waker(waker)).is_ready()
}

/// Counts the calls of a callback.
fn counter() -> (Arc<AtomicUsize>, impl FnOnce() + Send + 'static) {
    let calls = Arc::new(AtomicUsize::new(0));
    let inside = calls.clone();
    (calls, move || _ = inside.fetch_add(1, Ordering::SeqCst))
}

fn cause_of(ctx: &Context) -> String {
    ctx.cause().expect("an ended context has a cause").to_string()
}
