//! The state machine under every interleaving that loom finds: `RUSTFLAGS="--cfg loom" cargo test --test loom`.
#![cfg(all(loom, not(shuttle)))]

mod moving;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Wake, Waker};

use ctx::{Cancel, Cause, Context, Driver, Error};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

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

#[test]
fn a_cancel_against_a_register_loses_no_wake_up() {
    check("cancel against register", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let canceler = thread::spawn(move || cancel.cancel());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        if !ready {
            assert_eq!(count.0.load(Ordering::SeqCst), 1);
            assert!(done.poll(&mut Task::from_waker(&waker)).is_ready());
        }
    });
}

#[test]
fn a_cancel_against_the_drop_of_a_waiter_leaves_nobody_registered() {
    check("cancel against drop", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let waiter = ctx.clone();
        let dropper = thread::spawn(move || {
            let mut done = pin!(waiter.done(|_| std::future::pending::<()>()));
            let _ = done.as_mut().poll(&mut Task::from_waker(Waker::noop()));
        });
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(ctx.waiters(), 0);
        assert_eq!(ctx.err(), Some(Error::Canceled));
    });
}

#[test]
fn of_two_cancels_one_wins_and_its_cause_stays() {
    check_some("two cancels", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let (child, _c) = listed(ctx.with_cancel());
        let cancel = Arc::new(cancel);
        let other = cancel.clone();
        let canceler = thread::spawn(move || other.cancel_cause(Cause::msg("b")));
        cancel.cancel_cause(Cause::msg("a"));
        let first = cause_of(&ctx);
        canceler.join().unwrap();
        assert_eq!(cause_of(&ctx), first);
        assert_eq!(cause_of(&child), first);
    });
}

#[test]
fn parent_and_child_canceled_at_once_agree_with_themselves() {
    check("parent against child", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = listed(parent.with_cancel());
        let canceler = thread::spawn(move || cancel_parent.cancel_cause(Cause::msg("parent")));
        cancel_child.cancel_cause(Cause::msg("child"));
        assert!(child.err().is_some());
        canceler.join().unwrap();
        assert!(["parent", "child"].contains(&cause_of(&child).as_str()));
        assert_eq!(cause_of(&parent), "parent");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_born_during_a_cancel_ends_with_its_cause() {
    check("birth against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || listed(from.with_cancel()));
        cancel.cancel_cause(Cause::msg("now"));
        let (child, _c) = bearer.join().unwrap();
        assert_eq!(child.err(), Some(Error::Canceled));
        assert_eq!(cause_of(&child), "now");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn of_two_children_born_during_a_cancel_neither_is_missed() {
    // The first one makes the shards, and the second one is listed there.
    check_some("two births against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || [listed(from.with_cancel()), listed(from.with_cancel())]);
        cancel.cancel_cause(Cause::msg("now"));
        for (child, _c) in bearer.join().unwrap() {
            assert_eq!(cause_of(&child), "now");
        }
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn children_put_in_shards_by_two_threads_all_end() {
    check_some("shards against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let first = listed(parent.with_cancel());
        let bearers =
            [parent.clone(), parent.clone()].map(|from| thread::spawn(move || listed(from.with_cancel())));
        cancel.cancel();
        for bearer in bearers {
            let (child, _c) = bearer.join().unwrap();
            assert_eq!(child.err(), Some(Error::Canceled));
        }
        assert_eq!(first.0.err(), Some(Error::Canceled));
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_that_leaves_the_shards_during_a_cancel_is_no_trouble() {
    check("leaving shards against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let _first = listed(parent.with_cancel());
        let child = listed(parent.with_cancel());
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_dropped_during_a_cancel_is_no_trouble() {
    check("child drop against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let child = listed(parent.with_cancel());
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn either_the_callback_runs_or_stop_succeeds() {
    check("after_func against stop", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let calls = Arc::new(AtomicUsize::new(0));
        let inside = calls.clone();
        let stop = ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst));
        let canceler = thread::spawn(move || cancel.cancel());
        let stopped = stop.stop();
        canceler.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst) + usize::from(stopped), 1);
    });
}

#[test]
fn a_second_waiter_that_registers_during_a_cancel_is_woken_too() {
    // The first one stands in the node itself, the second one in its lists.
    check("cancel against a second register", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut first = pin!(ctx.done(|_| std::future::pending::<()>()));
        assert!(first.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let canceler = thread::spawn(move || cancel.cancel());
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut second = pin!(ctx.done(|_| std::future::pending::<()>()));
        let ready = second.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        canceler.join().unwrap();
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert_eq!(ctx.waiters(), 0);
    });
}

#[test]
fn a_callback_that_is_registered_during_a_cancel_runs_once() {
    check("after_func against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        // Its lists are there, so that only their lock is between the two.
        let child = listed(ctx.with_cancel());
        let canceler = thread::spawn(move || cancel.cancel());
        let calls = Arc::new(AtomicUsize::new(0));
        let inside = calls.clone();
        let stop = ctx.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst));
        canceler.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(!stop.stop());
        assert_eq!((child.0.err(), ctx.registered()), (Some(Error::Canceled), 0));
    });
}

#[test]
fn whoever_sees_the_end_sees_its_cause() {
    check("err against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let asked = ctx.clone();
        let reader = thread::spawn(move || {
            let first = asked.err();
            if first.is_some() {
                assert_eq!(cause_of(&asked), "x");
            }
            first
        });
        cancel.cancel_cause(Cause::msg("x"));
        let first = reader.join().unwrap();
        assert!(first.is_none() || first == ctx.err());
        assert_eq!(cause_of(&ctx), "x");
    });
}

#[test]
fn a_merged_context_against_both_its_parents_ends_once() {
    check("merge against two cancels", || {
        let (a, cancel_a) = Context::background().with_cancel();
        let (b, cancel_b) = Context::background().with_cancel();
        let (merged, _m) = Context::merge([&a, &b]);
        let canceler = thread::spawn(move || cancel_a.cancel_cause(Cause::msg("a")));
        cancel_b.cancel_cause(Cause::msg("b"));
        let seen = cause_of(&merged);
        canceler.join().unwrap();
        assert_eq!(cause_of(&merged), seen);
        assert_eq!((a.registered(), b.registered()), (0, 0));
    });
}

#[test]
fn a_look_at_an_unlisted_child_agrees_with_a_cancel_of_the_child() {
    check("look against cancel", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        cancel_parent.cancel_cause(Cause::msg("parent"));
        let asked = child.clone();
        let reader = thread::spawn(move || cause_of(&asked));
        cancel_child.cancel_cause(Cause::msg("child"));
        assert_eq!(reader.join().unwrap(), "parent");
        assert_eq!(cause_of(&child), "parent");
    });
}

#[test]
fn an_unlisted_grandchild_has_one_end_whatever_is_canceled_above_it() {
    check("look against two cancels", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (middle, cancel_middle) = parent.with_cancel();
        let (leaf, _l) = middle.with_cancel();
        let asked = leaf.clone();
        let reader = thread::spawn(move || {
            let first = asked.cause().map(|cause| cause.to_string());
            cancel_middle.cancel_cause(Cause::msg("middle"));
            first
        });
        cancel_parent.cancel_cause(Cause::msg("parent"));
        let first = reader.join().unwrap();
        assert!(first.is_none() || first == Some(cause_of(&leaf)));
        assert_eq!(cause_of(&leaf), cause_of(&middle));
    });
}

#[test]
fn two_waiters_that_list_the_same_chain_are_both_woken() {
    check_some("two links against cancel", || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, _m) = root.with_cancel();
        let (leaf, _l) = middle.with_cancel();
        let other = middle.clone();
        let first = thread::spawn(move || {
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(count.clone());
            let mut done = Box::pin(async move { other.done(|_| std::future::pending::<()>()).await });
            let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
            (ready, count, done)
        });
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let mut done = pin!(leaf.done(|_| std::future::pending::<()>()));
        let ready = done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        cancel.cancel();
        // Whatever the other thread is doing: asked, it has ended.
        assert_eq!(leaf.err(), Some(Error::Canceled));
        let (first_ready, first_count, _done) = first.join().unwrap();
        let woken = first_count.0.load(Ordering::SeqCst);
        assert!(
            first_ready || woken == 1,
            "{woken} {ready} {:?} {:?} {} {} {} {:?}",
            root.err(),
            middle.err(),
            middle.waiters(),
            root.registered(),
            middle.registered(),
            leaf.err()
        );
        assert!(ready || count.0.load(Ordering::SeqCst) == 1);
        assert_eq!((root.registered(), middle.registered()), (0, 0));
    });
}

#[test]
fn all_below_has_ended_when_the_first_callback_starts_while_the_middle_is_canceled_too() {
    check_some("a callback against a cancel in the middle", || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, cancel_middle) = listed(root.with_cancel());
        let (leaf, _l) = listed(middle.with_cancel());
        let seen = Arc::new(AtomicUsize::new(0));
        let inside = (leaf.clone(), seen.clone());
        root.after_func(move || {
            inside.1.store(1 + usize::from(inside.0.err().is_some()), Ordering::SeqCst);
        })
        .keep();
        let canceler = thread::spawn(move || cancel_middle.cancel());
        cancel.cancel();
        assert_eq!(
            seen.load(Ordering::SeqCst),
            2,
            "1: the callback saw a live descendant; 0: it did not run"
        );
        assert_eq!(leaf.err(), Some(Error::Canceled), "the cancel has returned");
        canceler.join().unwrap();
        assert_eq!((root.registered(), middle.registered()), (0, 0));
    });
}

#[test]
fn a_callback_runs_once_whether_a_question_or_a_cancel_ends_its_context() {
    check_some("a question against a registration", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, _c) = parent.with_cancel();
        let asked = child.clone();
        let (calls, f) = counter();
        // Only a question is to find the end, so the parent is canceled behind the back of the child.
        let reader = thread::spawn(move || {
            cancel.cancel();
            asked.err()
        });
        let stop = child.after_func(f);
        assert_eq!(reader.join().unwrap(), Some(Error::Canceled));
        assert!(is_done(&child, Waker::noop()));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(!stop.stop());
    });
}

#[test]
fn a_callback_whose_context_goes_during_a_cancel_of_the_parent_runs_once() {
    check("the last handle against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, handle) = parent.with_cancel();
        let (calls, f) = counter();
        child.after_func(f).keep();
        handle.keep();
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_deadline_that_the_runtime_tells_against_a_cancel_ends_once() {
    check_some("the runtime's sleep against cancel", || {
        let (ctx, cancel) = Context::background().with_timeout(std::time::Duration::from_secs(3600));
        let (child, _c) = ctx.with_cancel();
        let (calls, f) = counter();
        child.after_func(f).keep();
        let canceler = thread::spawn(move || cancel.cancel());
        let slept = pin!(child.done(|_| std::future::ready(()))).poll(&mut Task::from_waker(Waker::noop()));
        assert!(slept.is_ready());
        canceler.join().unwrap();
        assert_eq!(ctx.err(), child.err());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waiter_below_a_driver_that_stops_is_woken_or_sets_its_own_timer() {
    check("a driver's stop against register", || {
        let (root, stop) = Context::background().with_cancel();
        let driver = Driver::new();
        let (ctx, _c) =
            driver.attach(&root).without_cancel().with_timeout(std::time::Duration::from_secs(3600));
        let timers = Arc::new(AtomicUsize::new(0));
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut run =
            Box::pin(async move { driver.run_async(&root, |_| std::future::pending::<()>()).await });
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let waiter = thread::spawn({
            let (timers, count) = (timers.clone(), count.clone());
            move || {
                let waker = Waker::from(count);
                let mut done = Box::pin(async move {
                    let sleep = |_| {
                        timers.fetch_add(1, Ordering::SeqCst);
                        std::future::pending::<()>()
                    };
                    ctx.done(sleep).await
                });
                assert!(done.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
                done
            }
        });
        stop.cancel();
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready());
        drop(run);
        let done = waiter.join().unwrap();
        let (timers, wakes) = (timers.load(Ordering::SeqCst), count.0.load(Ordering::SeqCst));
        assert!(timers == 1 || wakes > 0, "{timers} timers, {wakes} wakes");
        drop(done);
    });
}
