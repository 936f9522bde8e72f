//! The promises that every user leans on.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ctx::{Cause, Context, Error};

#[test]
fn cancel_ends_the_whole_tree_with_the_cause() {
    let (root, cancel) = Context::background().with_cancel();
    let (timer, _timer) = root.with_value(7_u32).with_timeout(Duration::from_secs(3600));
    let (leaf, _leaf) = timer.with_cancel();
    cancel.cancel_cause(std::io::Error::other("enough"));
    for ctx in [&root, &timer, &leaf] {
        assert_eq!(ctx.err(), Some(Error::Canceled));
        assert_eq!(ctx.cause().map(|cause| cause.to_string()).as_deref(), Some("enough"));
    }
    assert_eq!(leaf.value::<u32>(), Some(&7));
}

#[test]
fn an_expired_parent_is_noticed_through_a_child() {
    let (parent, _p) = Context::background().with_timeout_cause(Duration::ZERO, std::fmt::Error);
    let (child, _c) = parent.with_cancel();
    assert_eq!(child.err(), Some(Error::DeadlineExceeded));
    assert!(child.cause().is_some_and(|cause| cause.is::<std::fmt::Error>()));
}

#[test]
fn a_task_and_a_thread_wait_on_the_same_context() {
    let (ctx, cancel) = Context::background().with_cancel();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| ctx.wait());
        let patience = Instant::now() + Duration::from_secs(20);
        while ctx.waiters() == 0 {
            assert!(Instant::now() < patience, "the thread waits");
            std::thread::yield_now();
        }
        let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
        let mut task = Task::from_waker(Waker::noop());
        assert_eq!(done.as_mut().poll(&mut task), Poll::Pending);
        cancel.cancel();
        assert_eq!(done.poll(&mut task), Poll::Ready(Error::Canceled));
        assert_eq!(thread.join().unwrap(), Error::Canceled);
    });
}

#[test]
fn a_blocking_wait_is_never_early() {
    let deadline = Instant::now() + Duration::from_millis(20);
    let (ctx, _cancel) = Context::background().with_deadline(deadline);
    // On a busy machine a millisecond may end behind the deadline.
    assert!(ctx.wait_timeout(Duration::from_millis(1)).is_none() || Instant::now() >= deadline);
    assert_eq!(ctx.wait(), Error::DeadlineExceeded);
    assert!(Instant::now() >= deadline);
    // Nor is one that gives up before the end.
    let (live, _cancel) = Context::background().with_cancel();
    for ctx in [Context::background(), live] {
        let at = Instant::now() + Duration::from_millis(20);
        assert_eq!(ctx.wait_until(at), None);
        let then = Instant::now();
        assert_eq!(ctx.wait_timeout(Duration::from_millis(20)), None);
        assert!(then >= at && then.elapsed() >= Duration::from_millis(20));
    }
}

#[test]
fn a_timeout_is_counted_from_the_present_exactly() {
    let timeout = Duration::from_secs(3600);
    for _ in 0..1000 {
        let before = Instant::now();
        let (ctx, _c) = Context::background().with_timeout(timeout);
        let after = Instant::now();
        let deadline = ctx.deadline().unwrap();
        assert!(before + timeout <= deadline && deadline <= after + timeout);
    }
}

#[test]
fn debug_strings_show_the_way_from_the_root() {
    let (ctx, _c) = Context::todo().with_value(1_u8).with_cancel();
    assert_eq!(format!("{ctx:?}"), "context.TODO.WithValue(u8).WithCancel");
    let detached = ctx.without_cancel();
    assert_eq!(format!("{detached:?}"), "context.TODO.WithValue(u8).WithCancel.WithoutCancel");
}

#[test]
fn done_is_a_future_that_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (ctx, _c) = Context::background().with_timeout(Duration::from_secs(1));
    is_send(&ctx.done(|_| std::future::ready(())));
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waiter_that_moved_to_another_task_is_woken_there_only() {
    // The first waiter has a place in the node itself, the second one in a list.
    let (ctx, cancel) = Context::background().with_cancel();
    let mut waits = [Box::pin(ctx.done(never)), Box::pin(ctx.done(never))];
    let (old, new) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    for woken in [&old, &new] {
        for wait in &mut waits {
            let waker = Waker::from(woken.clone());
            assert!(wait.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
        }
    }
    assert_eq!(ctx.waiters(), 2);
    cancel.cancel();
    assert_eq!((old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed)), (0, 2));
}

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

/// A cause that asks a context how it ended at the moment it is thrown away.
#[derive(Debug)]
struct Asking(Arc<Mutex<Option<Context>>>, Arc<Mutex<Option<Cause>>>);

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never shown")
    }
}

impl std::error::Error for Asking {}

impl Drop for Asking {
    fn drop(&mut self) {
        let asked = self.0.lock().expect("nobody panics under it").take();
        *self.1.lock().expect("nobody panics under it") = asked.and_then(|ctx| ctx.cause());
    }
}

#[test]
fn a_child_asked_while_the_causes_are_thrown_away_has_ended_with_its_parent() {
    for waited in [false, true] {
        let (child_slot, answer) = (Arc::default(), Arc::default());
        let asking = Asking(Arc::clone(&child_slot), Arc::clone(&answer));
        let (parent, cancel) = Context::background().with_timeout_cause(Duration::from_secs(3600), asking);
        let (child, _c) = parent.with_cancel();
        let mut done = pin!(child.done(never));
        assert!(!waited || done.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
        *child_slot.lock().unwrap() = Some(child.clone());
        // The deadline's cause is of no use now, and is thrown away.
        cancel.cancel_cause(Cause::msg("stop"));
        let answer = answer.lock().unwrap().take().map(|cause| cause.to_string());
        assert_eq!(answer.as_deref(), Some("stop"), "waited: {waited}");
        assert_eq!(child.err(), Some(Error::Canceled));
    }
}
