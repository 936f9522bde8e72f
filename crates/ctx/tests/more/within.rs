//! Work under a limit of its own, cleanup that is shielded, scopes, and waits that own their context.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::{HOUR, clocked, never, poll};
use ctx::{Cause, Context, DoneOwned, Error, Scope};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_shield_outlives_the_end_around_it_and_ends_at_its_own_limit() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_value(7_u8).with_timeout(HOUR);
    let (early, _early) = ctx.shield(MINUTE);
    cancel.cancel();
    let (late, _late) = ctx.shield(2 * MINUTE);
    assert_eq!((early.err(), late.err(), late.value()), (None, None, Some(&7_u8)));
    clock.advance(MINUTE);
    assert_eq!((early.err(), late.err()), (Some(Error::DeadlineExceeded), None));
    clock.advance(MINUTE);
    assert_eq!(late.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn work_that_is_ready_within_its_limit_gives_its_result() {
    let (_clock, root) = clocked();
    assert!(matches!(poll(pin!(root.move_on_after(MINUTE, |_| ready(7), never))), Poll::Ready(Ok(Some(7)))));
    assert!(matches!(poll(pin!(root.fail_after(MINUTE, |_| ready(7), never))), Poll::Ready(Ok(7))));
}

#[test]
fn at_the_limit_move_on_drops_the_work_and_goes_on_and_fail_fails() {
    let (clock, root) = clocked();
    let (ctx, _cancel) = root.with_timeout(HOUR);
    let work = Arc::new(());
    let held = work.clone();
    let mut moving = pin!(ctx.move_on_after(
        MINUTE,
        |limited| async move {
            assert_eq!(limited.remaining(), Some(MINUTE));
            pending::<()>().await;
            drop(held);
        },
        never
    ));
    let mut failing = pin!(ctx.fail_after(MINUTE, |_| pending::<()>(), never));
    assert!(poll(moving.as_mut()).is_pending() && poll(failing.as_mut()).is_pending());
    clock.advance(MINUTE);
    assert!(matches!(poll(moving.as_mut()), Poll::Ready(Ok(None))));
    assert_eq!(Arc::strong_count(&work), 1);
    let Poll::Ready(Err(ended)) = poll(failing.as_mut()) else { panic!("the limit is over") };
    assert!(ended.is_timeout());
    assert_eq!(ctx.err(), None);
}

#[test]
fn an_end_around_the_limit_is_no_limit_to_move_on_from() {
    let (clock, root) = clocked();
    let (ctx, cancel) = root.with_timeout_cause(MINUTE, Cause::msg("the caller's time"));
    let mut canceled = pin!(ctx.move_on_after(MINUTE, |_| pending::<()>(), never));
    assert!(poll(canceled.as_mut()).is_pending());
    cancel.cancel_cause(Cause::msg("signal 15"));
    let Poll::Ready(Err(ended)) = poll(canceled.as_mut()) else { panic!("its context was canceled") };
    assert_eq!(ended.cause().to_string(), "signal 15");
    let Poll::Ready(Err(ended)) = poll(pin!(ctx.fail_after(MINUTE, |_| pending::<()>(), never))) else {
        panic!("its context was canceled")
    };
    assert_eq!(ended.cause().to_string(), "signal 15");

    // On a tie the outer deadline stands.
    let (ctx, _cancel) = root.with_timeout_cause(MINUTE, Cause::msg("the caller's time"));
    let mut late = pin!(ctx.move_on_after(MINUTE, |_| pending::<()>(), never));
    assert!(poll(late.as_mut()).is_pending());
    clock.advance(MINUTE);
    let Poll::Ready(Err(ended)) = poll(late.as_mut()) else { panic!("its context's time is up") };
    assert_eq!((ended.is_timeout(), ended.cause().to_string().as_str()), (true, "the caller's time"));
}

#[test]
fn work_that_cancels_nothing_but_is_ready_after_the_end_is_no_success() {
    let (clock, root) = clocked();
    let late = async |_: Context| clock.advance(MINUTE);
    assert!(matches!(poll(pin!(root.move_on_after(MINUTE, late, never))), Poll::Ready(Ok(None))));
    assert!(matches!(poll(pin!(root.fail_after(MINUTE, late, never))), Poll::Ready(Err(_))));
}

#[test]
fn a_scope_lives_under_one_name_and_cancels_when_it_goes() {
    let (parent, _cancel) = Context::background().with_cancel();
    let scope = parent.scope();
    let ctx = scope.clone();
    assert_eq!((scope.err(), ctx.err()), (None, None));
    drop(scope);
    assert_eq!((ctx.err(), parent.err()), (Some(Error::Canceled), None));

    let scope = Scope::from(parent.with_timeout(HOUR));
    scope.cancel_cause(Cause::msg("enough"));
    assert_eq!(scope.cause().unwrap().to_string(), "enough");
    assert_eq!(parent.scope().keep().err(), None);
    let (ctx, cancel) = parent.scope().into_parts();
    assert_eq!(ctx.err(), None);
    cancel.cancel();
    assert_eq!(ctx.err(), Some(Error::Canceled));
}

type Never = std::future::Pending<()>;

/// A field of a type of one's own: the wait has a name, and borrows nothing.
struct Service {
    stopped: DoneOwned<fn(std::time::Instant) -> Never, Never>,
}

#[test]
fn an_owned_wait_is_a_field_and_takes_its_waiter_back_when_it_goes() {
    let (ctx, cancel) = Context::background().with_cancel();
    let mut service = Box::pin(Service { stopped: ctx.done_owned(never) }.stopped);
    assert!(poll(service.as_mut()).is_pending());
    assert_eq!(ctx.waiters(), 1);
    let mut gone = Box::pin(ctx.done_owned(never));
    assert!(poll(gone.as_mut()).is_pending());
    assert_eq!(ctx.waiters(), 2);
    drop(gone);
    assert_eq!(ctx.waiters(), 1);
    cancel.cancel();
    assert_eq!(poll(service.as_mut()), Poll::Ready(Error::Canceled));
    assert!(poll(pin!(Context::background().done_owned(never))).is_pending());
}

#[test]
fn an_owned_wait_outlives_the_context_it_came_from() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, handle) = parent.with_cancel();
    handle.keep();
    let mut done = Box::pin(child.done_owned(never));
    drop(child);
    assert!(poll(done.as_mut()).is_pending());
    cancel.cancel();
    assert_eq!(poll(done.as_mut()), Poll::Ready(Error::Canceled));
}
