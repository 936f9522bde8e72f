//! The promises that every user leans on.

use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use ctx::{Context, Error};

#[test]
fn cancel_ends_the_whole_tree_with_the_cause() {
    let (root, cancel) = Context::background().with_cancel();
    let (timer, _timer) = root.with_value(7_u32).with_timeout(Duration::from_secs(3600));
    let (leaf, _leaf) = timer.with_cancel();
    assert_eq!(root.descendants(), 2);
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
    assert_eq!(ctx.wait_timeout(Duration::from_millis(1)), None);
    assert_eq!(ctx.wait(), Error::DeadlineExceeded);
    assert!(Instant::now() >= deadline);
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
