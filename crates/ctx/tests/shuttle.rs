//! Trees of contexts under random schedules of many threads:
//! `RUSTFLAGS="--cfg loom --cfg shuttle" cargo test -p exact-ctx --test shuttle`.
//!
//! loom tries every order of two or three threads; here more threads meet, in orders drawn at random. A schedule that fails
//! is printed, and `shuttle::replay` runs it again.
#![cfg(all(loom, shuttle))]

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Wake, Waker};
use std::time::{Duration, Instant};

use ctx::{Cancel, Cause, Context, Driver, Error, Group};
use shuttle::thread;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a model under schedules drawn at random, and under as many that change priorities at three points.
fn check(schedules: usize, model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), schedules);
    shuttle::check_pct(model, schedules, 3);
}

/// Counts its wakes. The count is std's: it is no subject of the schedule.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Registers a waiter, and returns whether the end was there already and the count of its wakes.
fn wait(ctx: &Context) -> usize {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(count.clone());
    let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
    if done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready() {
        return 1;
    }
    // The thread blocks until the end; the waiter that stays registered has to be woken as well.
    ctx.wait();
    assert!(done.poll(&mut Task::from_waker(&waker)).is_ready());
    count.0.load(Ordering::SeqCst)
}

/// Registers a context with its parent, as a waiter does.
fn listed((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    let _ = ctx.after_func(|| ()).stop();
    (ctx, cancel)
}

#[test]
fn every_waiter_of_a_tree_hears_of_the_end_whoever_derives_meanwhile() {
    check(4000, || {
        let (root, cancel) = Context::background().with_cancel();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let root = root.clone();
                thread::spawn(move || {
                    let (child, _child) = root.with_cancel();
                    let (grandchild, _grandchild) = child.with_cancel();
                    let woken = wait(&grandchild);
                    assert_eq!(grandchild.err(), Some(Error::Canceled));
                    assert_eq!(grandchild.cause().map(|cause| cause.to_string()).as_deref(), Some("now"));
                    woken
                })
            })
            .collect();
        cancel.cancel_cause(Cause::msg("now"));
        for waiter in waiters {
            assert!(waiter.join().unwrap() <= 1, "a waiter is woken once at most");
        }
        assert_eq!((root.waiters(), root.registered(), root.descendants()), (0, 0, 0));
    });
}

#[test]
fn waiters_that_give_up_leave_their_place_and_take_no_other_wake() {
    check(4000, || {
        let (ctx, cancel) = Context::background().with_cancel();
        let stays = ctx.clone();
        let stays = thread::spawn(move || wait(&stays));
        let quitters: Vec<_> = (0..2)
            .map(|_| {
                let ctx = ctx.clone();
                thread::spawn(move || {
                    let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
                    assert!(done.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
                })
            })
            .collect();
        quitters.into_iter().for_each(|quitter| quitter.join().unwrap());
        // The one that stays may have both its waits registered.
        assert!(ctx.waiters() <= 2);
        cancel.cancel();
        assert!(stays.join().unwrap() <= 1);
        assert_eq!(ctx.waiters(), 0);
    });
}

/// A waiter, the number of wakes since its last poll, and the time of its timer.
struct Polled {
    done: Pin<Box<dyn Future<Output = Error> + Send>>,
    ready: bool,
    count: Arc<Count>,
    timer: Arc<Mutex<Option<Instant>>>,
}

impl Polled {
    fn new(ctx: &Context) -> Self {
        let timer = Arc::new(Mutex::new(None));
        let set = timer.clone();
        let sleep = move |at| {
            *set.lock().unwrap() = Some(at);
            std::future::pending::<()>()
        };
        let done = Box::pin(ctx.done_owned(sleep));
        Self { done, ready: false, count: Arc::new(Count(AtomicUsize::new(0))), timer }.again()
    }

    fn wakes(&self) -> usize {
        self.count.0.load(Ordering::SeqCst)
    }

    fn timer(&self) -> Option<Instant> {
        *self.timer.lock().unwrap()
    }

    /// Polls it from a new task.
    fn again(mut self) -> Self {
        self.count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(self.count.clone());
        self.ready = self.done.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        self
    }

    /// Tells whether the waiter was notified, which is not to happen twice.
    fn was_notified(&self) -> bool {
        assert!(self.wakes() <= 1);
        self.ready || self.wakes() == 1
    }
}

#[test]
fn waiters_of_one_child_are_woken_whether_one_leaves_or_is_renewed_while_the_child_is_listed() {
    for renews in [false, true] {
        check(10_000, move || {
            let (parent, cancel) = Context::background().with_cancel();
            let (child, _child) = parent.with_cancel();
            // The parent keeps this one, until the child is listed.
            let first = Polled::new(&child);
            let (lists, other) = (child.clone(), child.clone());
            let lister = thread::spawn(move || lists.after_func(|| ()).keep());
            let second = thread::spawn(move || Polled::new(&other));
            let first = thread::spawn(move || if renews { Some(first.again()) } else { None });
            cancel.cancel();
            lister.join().unwrap();
            // Whoever lists the child when the cancel returns has yet to wake those who came meanwhile.
            let (first, second) = (first.join().unwrap(), second.join().unwrap());
            assert!(second.was_notified() && first.is_none_or(|first| first.was_notified()));
            assert_eq!((parent.registered(), child.registered(), child.waiters()), (0, 0, 0));
        });
    }
}

#[test]
fn waiters_of_one_child_are_woken_or_set_a_timer_when_the_driver_stops_while_the_child_is_listed() {
    check(10_000, || {
        let (root, stop) = Context::background().with_cancel();
        let driver = Driver::new();
        let (parent, _parent) = driver.attach(&root).without_cancel().with_timeout(HOUR);
        let (child, _child) = parent.with_cancel();
        let mut run =
            Box::pin(async move { driver.run_async(&root, |_| std::future::pending::<()>()).await });
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        let first = Polled::new(&child);
        assert_eq!(first.timer(), None);
        let (lists, other) = (child.clone(), child.clone());
        let lister = thread::spawn(move || lists.after_func(|| ()).keep());
        let second = thread::spawn(move || Polled::new(&other));
        let first = thread::spawn(move || first.again());
        stop.cancel();
        assert!(run.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_ready());
        drop(run);
        lister.join().unwrap();
        for waiter in [first.join().unwrap(), second.join().unwrap()] {
            assert!(waiter.wakes() > 0 || waiter.timer().is_some());
        }
    });
}

#[test]
fn waiters_of_one_child_learn_of_a_deadline_that_moves_while_the_child_is_listed() {
    check(10_000, || {
        let (parent, deadline) = Context::background().with_movable_timeout(HOUR);
        let (child, _child) = parent.with_cancel();
        let first = Polled::new(&child);
        let (lists, other) = (child.clone(), child.clone());
        let lister = thread::spawn(move || lists.after_func(|| ()).keep());
        let second = thread::spawn(move || Polled::new(&other));
        let first = thread::spawn(move || first.again());
        let sooner = Instant::now() + HOUR / 2;
        assert!(deadline.move_to(sooner));
        lister.join().unwrap();
        for waiter in [first.join().unwrap(), second.join().unwrap()] {
            assert!(waiter.wakes() > 0 || waiter.timer() == Some(sooner));
        }
    });
}

#[test]
fn a_waiter_that_leaves_takes_no_wake_of_another_that_came_while_the_child_was_listed() {
    check(10_000, || {
        let (parent, deadline) = Context::background().with_movable_timeout(HOUR);
        let (child, _child) = parent.with_cancel();
        let first = Polled::new(&child);
        let (lists, from) = (child.clone(), child.clone());
        let leaver = thread::spawn(move || drop(first.again()));
        let second = thread::spawn(move || {
            lists.after_func(|| ()).keep();
            let second = Polled::new(&lists);
            _ = lists.err();
            second
        });
        deadline.move_to(Instant::now());
        leaver.join().unwrap();
        let second = second.join().unwrap();
        from.wait();
        assert!(second.ready || second.wakes() > 0);
        assert_eq!((parent.registered(), child.registered(), child.waiters()), (0, 0, 0));
    });
}

#[test]
fn each_callback_runs_once_or_is_taken_back() {
    check(4000, || {
        let (root, cancel) = Context::background().with_cancel();
        let (child, cancel_child) = root.with_cancel();
        let registrars: Vec<_> = [root.clone(), child.clone(), root.clone()]
            .into_iter()
            .map(|ctx| {
                thread::spawn(move || {
                    let ran = Arc::new(AtomicUsize::new(0));
                    let count = ran.clone();
                    let stop = ctx.after_func(move || _ = count.fetch_add(1, Ordering::SeqCst));
                    let stopped = stop.stop();
                    (ctx, ran, stopped)
                })
            })
            .collect();
        let canceler = thread::spawn(move || cancel.cancel());
        cancel_child.cancel();
        canceler.join().unwrap();
        for registrar in registrars {
            let (ctx, ran, stopped) = registrar.join().unwrap();
            assert!(ctx.err().is_some());
            assert_eq!(ran.load(Ordering::SeqCst) + usize::from(stopped), 1);
        }
        assert_eq!((root.registered(), child.registered()), (0, 0));
    });
}

#[test]
fn cancels_from_all_sides_agree_on_one_cause_for_each_context() {
    check(4000, || {
        let (root, cancel) = Context::background().with_cancel();
        let (left, cancel_left) = root.with_cancel();
        let (right, _right) = root.with_cancel();
        let (merged, cancel_merged) = Context::merge([&left, &right]);
        let cancels = [("root", cancel), ("left", cancel_left), ("merged", cancel_merged)];
        let cancelers =
            cancels.map(|(name, cancel)| thread::spawn(move || cancel.cancel_cause(Cause::msg(name))));
        let seen = merged.wait();
        let cause = merged.cause().map(|cause| cause.to_string());
        cancelers.into_iter().for_each(|canceler| canceler.join().unwrap());
        assert_eq!((merged.err(), merged.cause().map(|cause| cause.to_string())), (Some(seen), cause));
        for ctx in [&root, &left, &right] {
            assert!(ctx.err().is_some());
            assert_eq!((ctx.waiters(), ctx.registered()), (0, 0));
        }
    });
}

#[test]
fn contexts_that_come_and_go_in_shards_leave_nothing() {
    check(2000, || {
        let (root, cancel) = Context::background().with_cancel();
        let _first = listed(root.with_cancel());
        let bearers: Vec<_> = (0..4)
            .map(|_| {
                let root = root.clone();
                thread::spawn(move || {
                    let gone = listed(root.with_cancel());
                    let kept = listed(root.with_cancel());
                    drop(gone);
                    kept
                })
            })
            .collect();
        cancel.cancel();
        for bearer in bearers {
            assert_eq!(bearer.join().unwrap().0.err(), Some(Error::Canceled));
        }
        assert_eq!((root.registered(), root.descendants()), (0, 0));
    });
}

#[test]
fn a_group_of_threads_ends_with_its_first_failure() {
    check(2000, || {
        let group = Group::new(&Context::background());
        let jobs = [
            thread::spawn(group.job(|_| Err(Cause::msg("first")))),
            thread::spawn(group.job(|ctx| Err(ctx.wait().into()))),
            thread::spawn(group.job(|ctx| {
                ctx.wait();
                Ok(())
            })),
        ];
        assert_eq!(group.wait().unwrap_err().to_string(), "first");
        jobs.into_iter().for_each(|job| job.join().unwrap());
    });
}

#[test]
fn all_below_has_ended_when_a_callback_starts_whatever_threads_cancel_in_the_middle() {
    check(2000, || {
        let (root, cancel) = Context::background().with_cancel();
        let (left, cancel_left) = listed(root.with_cancel());
        let (right, cancel_right) = listed(left.with_cancel());
        let leaves = [listed(right.with_cancel()), right.with_cancel(), listed(left.with_cancel())];
        let inside = leaves.each_ref().map(|(leaf, _)| leaf.clone());
        let live = Arc::new(AtomicUsize::new(usize::MAX));
        let seen = live.clone();
        root.after_func(move || {
            seen.store(inside.iter().filter(|leaf| leaf.err().is_none()).count(), Ordering::SeqCst);
        })
        .keep();
        let cancelers = [cancel_left, cancel_right].map(|cancel| thread::spawn(move || cancel.cancel()));
        cancel.cancel();
        assert_eq!(live.load(Ordering::SeqCst), 0);
        cancelers.into_iter().for_each(|canceler| canceler.join().unwrap());
        assert_eq!((root.registered(), left.registered(), right.registered()), (0, 0, 0));
    });
}

#[test]
fn questions_from_all_sides_agree_with_the_cancels_and_lose_no_callback() {
    check(2000, || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, cancel_middle) = root.with_cancel();
        let (leaf, _l) = middle.with_cancel();
        let ran = Arc::new(AtomicUsize::new(0));
        let count = ran.clone();
        let caller = thread::spawn({
            let middle = middle.clone();
            move || middle.after_func(move || _ = count.fetch_add(1, Ordering::SeqCst)).keep()
        });
        let askers: Vec<_> = [leaf.clone(), middle.clone()]
            .into_iter()
            .map(|ctx| thread::spawn(move || ctx.cause().map(|cause| cause.to_string())))
            .collect();
        let canceler = thread::spawn(move || cancel_middle.cancel_cause(Cause::msg("middle")));
        cancel.cancel_cause(Cause::msg("root"));
        let last = leaf.cause().map(|cause| cause.to_string());
        for asker in askers {
            let seen = asker.join().unwrap();
            assert!(seen.is_none() || seen == last, "{seen:?} and {last:?}");
        }
        canceler.join().unwrap();
        caller.join().unwrap();
        assert_eq!(middle.wait(), Error::Canceled);
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}
