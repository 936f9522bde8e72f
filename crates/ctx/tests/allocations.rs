//! Ceilings of each operation's allocations: they are part of the promise.

use std::pin::pin;
use std::task::Waker;
use std::time::Duration;

use allocation_counter::measure;
use ctx::{Context, Error};

const HOUR: Duration = Duration::from_secs(3600);

fn allocations(operation: impl FnOnce()) -> u64 {
    measure(operation).count_total
}

#[test]
fn c03_a_root_allocates_nothing() {
    let ask = |root: Context| {
        assert!(root.clone().err().is_none() && root.deadline().is_none() && root.value::<u8>().is_none());
        assert_eq!((root.registered(), root.waiters()), (0, 0));
    };
    assert_eq!(allocations(|| _ = [Context::background(), Context::todo()].map(ask)), 0);
}

#[test]
fn c103_every_operation_stays_far_below_gos_ceilings() {
    let background = Context::background();
    let (parent, _p) = background.with_cancel();
    // The parent's list of children is made for the first that is waited for.
    cancel_and_await(&parent, HOUR);
    // A thread that waits makes its parker the first time.
    let _ = parent.wait_timeout(Duration::from_nanos(1));
    for ctx in [&background, &parent] {
        assert_eq!(allocations(|| assert_eq!(ctx.with_value(7_u64).value::<u64>(), Some(&7))), 1);
        assert_eq!(allocations(|| drop(ctx.with_cancel())), 1);
        assert_eq!(allocations(|| drop(ctx.with_timeout(HOUR))), 1);
        assert_eq!(allocations(|| cancel_and_await(ctx, HOUR)), 1);
        assert_eq!(
            allocations(|| assert!(ctx.with_timeout(Duration::from_nanos(1)).0.wait().is_timeout())),
            1
        );
    }
}

fn cancel_and_await(ctx: &Context, timeout: Duration) {
    let (ctx, cancel) = ctx.with_timeout(timeout);
    let mut done = pin!(ctx.done(|_| std::future::pending::<()>()));
    let mut task = std::task::Context::from_waker(Waker::noop());
    assert!(done.as_mut().poll(&mut task).is_pending());
    cancel.cancel();
    assert!(done.poll(&mut task).is_ready());
}

#[test]
fn a_context_below_a_canceled_one_allocates_nothing() {
    let (canceled, cancel) = Context::background().with_value(1_u8).with_cancel();
    cancel.cancel();
    for ctx in [canceled.clone(), canceled.with_value(2_u16)] {
        assert_eq!(allocations(|| assert_eq!(ctx.with_cancel().0.err(), Some(Error::Canceled))), 0);
        let chain = || drop((0..1000).fold(ctx.clone(), |ctx, _| ctx.with_cancel().0));
        assert_eq!(allocations(chain), 0);
    }
}

#[test]
fn polling_and_asking_allocate_nothing() {
    let (ctx, _c) = Context::background().with_value(1_u8).with_timeout(HOUR);
    assert_eq!(
        allocations(|| {
            assert_eq!(ctx.err(), None);
            assert!(ctx.cause().is_none() && ctx.deadline().is_some());
            assert_eq!(ctx.clone().value::<u8>(), Some(&1));
        }),
        0
    );
}

#[test]
fn a_live_context_with_a_deadline_weighs_at_most_128_bytes() {
    let mut kept = None;
    let info = measure(|| kept = Some(Context::background().with_timeout(HOUR)));
    assert!(info.bytes_current <= 128, "{} bytes", info.bytes_current);
    assert_eq!(kept.map(|(ctx, _c)| ctx.err()), Some(None::<Error>));
}
