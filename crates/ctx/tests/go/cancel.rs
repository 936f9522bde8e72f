//! Propagation, idempotency and races of cancel.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Wake;
use std::thread;
use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error};

use crate::{CANCELED, HOUR, assert_ended, assert_live, is_done, poll_once};

#[test]
fn c05_a_fresh_child_is_live() {
    let (child, _cancel) = Context::background().with_cancel();
    assert_live(&child);
}

#[test]
fn c06_when_cancel_returns_every_descendant_has_ended() {
    let (root, cancel) = Context::background().with_cancel();
    let value = root.with_value(1_u8);
    let (child, _c) = value.with_cancel();
    let (grandchild, _g) = child.with_timeout(HOUR);
    cancel.cancel();
    for ctx in [&root, &value, &child, &grandchild] {
        assert_ended(ctx, Error::Canceled, CANCELED);
    }
}

#[test]
fn c07_a_mixed_tree_ends_with_its_parent() {
    let (parent, cancel) = Context::background().with_cancel();
    let (plain, _p) = parent.with_cancel();
    let value = parent.with_value("v");
    let (timer, _t) = value.with_timeout(HOUR);
    let called = Arc::new(AtomicBool::new(false));
    let flag = called.clone();
    parent.after_func(move || flag.store(true, Ordering::SeqCst)).keep();
    cancel.cancel();
    for ctx in [&parent, &plain, &value, &timer] {
        assert_ended(ctx, Error::Canceled, CANCELED);
    }
    assert!(called.load(Ordering::SeqCst));
}

#[test]
fn c08_canceling_a_child_leaves_parent_and_siblings_live() {
    let (parent, _p) = Context::background().with_cancel();
    let (child, cancel) = parent.with_cancel();
    let (sibling, _s) = parent.with_cancel();
    cancel.cancel();
    assert_ended(&child, Error::Canceled, CANCELED);
    assert_live(&parent);
    assert_live(&sibling);
}

#[test]
fn c09_only_the_first_cancel_counts() {
    let (ctx, cancel) = Context::background().with_cancel();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    ctx.after_func(move || _ = counter.fetch_add(1, Ordering::SeqCst)).keep();
    cancel.cancel_cause(Cause::msg("first"));
    cancel.cancel_cause(Cause::msg("second"));
    cancel.cancel();
    assert_ended(&ctx, Error::Canceled, "first");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn c10_a_tree_canceled_from_all_sides_at_once_ends_whole() {
    let (root, cancel) = Context::background().with_cancel();
    let mut nodes: Vec<(Context, Cancel)> = vec![(root, cancel)];
    for i in 0..100 {
        let child = nodes[i / 4].0.with_cancel();
        nodes.push(child);
    }
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|i| (i * 7919) % 101);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for (ctx, _) in &nodes {
            scope.spawn(|| assert_eq!(ctx.wait(), Error::Canceled));
        }
        for part in order.chunks(order.len().div_ceil(8)) {
            let (nodes, start) = (&nodes, &start);
            scope.spawn(move || {
                start.wait();
                part.iter().for_each(|&i| nodes[i].1.cancel());
            });
        }
    });
    assert!(nodes.iter().all(|(ctx, _)| is_done(ctx)));
}

/// Cancels a child from inside the wake-up that the parent's cancel gives.
struct CancelsChild(Cancel);

impl Wake for CancelsChild {
    fn wake(self: Arc<Self>) {
        self.0.cancel();
    }
}

#[test]
fn c11_whoever_is_woken_may_cancel_a_child_at_once() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, cancel_child) = parent.with_cancel();
    let waker = Arc::new(CancelsChild(cancel_child)).into();
    let mut done = Box::pin(parent.done(|_| std::future::pending::<()>()));
    assert!(done.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    cancel.cancel();
    assert_ended(&child, Error::Canceled, CANCELED);
    assert!(poll_once(&mut done).is_ready());
}

#[test]
fn c12_cancel_does_not_wait_for_the_work() {
    let (ctx, cancel) = Context::background().with_cancel();
    let release = Barrier::new(2);
    thread::scope(|scope| {
        let work = scope.spawn(|| {
            ctx.wait();
            release.wait();
        });
        cancel.cancel();
        assert!(!work.is_finished());
        release.wait();
    });
}

#[test]
fn c13_a_child_of_an_ended_parent_is_born_ended() {
    let (parent, cancel) = Context::background().with_cancel();
    cancel.cancel_cause(Cause::msg("gone"));
    let (child, _c) = parent.with_cancel();
    assert_ended(&child, Error::Canceled, "gone");
    assert_eq!(parent.registered(), 0);
}

#[test]
fn c14_a_value_under_an_ended_parent_is_ended_too() {
    let (parent, cancel) = Context::background().with_cancel();
    cancel.cancel();
    assert_ended(&parent.with_value(1_u8), Error::Canceled, CANCELED);
}

#[test]
fn c15_a_child_made_during_the_cancel_ends_with_its_cause() {
    for _ in 0..100 {
        let (parent, cancel) = Context::background().with_cancel();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let child = scope.spawn(|| {
                start.wait();
                parent.with_cancel()
            });
            start.wait();
            cancel.cancel_cause(Cause::msg("now"));
            let (child, _c) = child.join().unwrap();
            // Both are done, so it has ended: nothing is left to wait for.
            assert_ended(&child, Error::Canceled, "now");
        });
    }
}

/// Makes a chain of 40 random layers; each value layer `i` carries `[i; 1]` under its own type by depth.
fn chain(seed: u64, timeout: Duration) -> (Context, Vec<Cancel>, Vec<u64>) {
    let mut random = seed;
    let mut ctx = Context::background();
    let (mut cancels, mut values) = (Vec::new(), Vec::new());
    for layer in 0..40_u64 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        match (random >> 33) % 3 {
            0 => {
                values.push(layer);
                ctx = ctx.with_value(Layered { layer, outer: ctx.value::<Layered>().cloned().map(Box::new) });
            }
            1 => {
                let (next, cancel) = ctx.with_cancel();
                ctx = next;
                cancels.push(cancel);
            }
            _ => {
                let (next, cancel) = ctx.with_timeout(timeout);
                ctx = next;
                cancels.push(cancel);
            }
        }
    }
    (ctx, cancels, values)
}

#[derive(Clone)]
struct Layered {
    layer: u64,
    outer: Option<Box<Layered>>,
}

fn read_layers(ctx: &Context) -> Vec<u64> {
    let mut layers = Vec::new();
    let mut at = ctx.value::<Layered>();
    while let Some(here) = at {
        layers.push(here.layer);
        at = here.outer.as_deref();
    }
    layers.reverse();
    layers
}

#[test]
fn c16_canceling_any_layer_of_a_chain_ends_the_leaf() {
    for seed in 0..40 {
        let (_, cancels, _) = chain(seed, HOUR);
        for layer in 0..cancels.len() {
            let (leaf, cancels, values) = chain(seed, HOUR);
            assert_eq!(read_layers(&leaf), values, "seed {seed}");
            cancels[layer].cancel();
            assert!(is_done(&leaf), "seed {seed}, layer {layer}");
            assert_eq!(read_layers(&leaf), values, "seed {seed}");
        }
    }
}

#[test]
fn c17_a_chain_of_timers_ends_by_itself() {
    for seed in 1..8 {
        let (leaf, _cancels, values) = chain(seed, Duration::from_millis(1));
        assert_eq!(leaf.wait(), Error::DeadlineExceeded, "seed {seed}");
        assert_eq!(read_layers(&leaf), values, "seed {seed}");
    }
}

#[test]
fn c18_an_ended_context_still_serves_its_values() {
    let (ctx, cancel) = Context::background().with_value("request 7").with_cancel();
    cancel.cancel();
    assert_eq!(ctx.value::<&str>(), Some(&"request 7"));
}
