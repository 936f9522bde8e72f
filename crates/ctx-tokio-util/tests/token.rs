//! The token ends contexts, and contexts cancel the token.

use std::time::Duration;

use ctx::{Context, Error};
use ctx_tokio_util::{TokenCanceled, token, with_token};
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);

/// Waits for what comes soon, so that a test fails where it does not come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes within 20 s")
}

#[tokio::test]
async fn a_parent_token_ends_the_context_with_its_cause() {
    let parent = CancellationToken::new();
    let (ctx, _cancel) = with_token(&Context::background(), &parent.child_token());
    let (below, _below) = ctx.with_cancel();
    parent.cancel();
    assert_eq!(soon(below.done(|_| std::future::pending::<()>())).await, Error::Canceled);
    assert!(below.cause().is_some_and(|cause| cause.is::<TokenCanceled>()));
    assert_eq!(with_token(&Context::background(), &parent).0.err(), Some(Error::Canceled));
}

#[tokio::test]
async fn a_context_that_ends_first_leaves_the_token_alone_and_no_task_behind() {
    let shutdown = CancellationToken::new();
    let (ctx, cancel) = with_token(&Context::background(), &shutdown);
    yield_now().await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(alive(), 1);
    cancel.cancel();
    yield_now().await;
    assert_eq!((ctx.err(), shutdown.is_cancelled(), alive()), (Some(Error::Canceled), false, 0));
}

#[tokio::test(start_paused = true)]
async fn a_context_cancels_its_token_by_hand_and_at_its_deadline() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (by_hand, _mirror) = token(&ctx);
    assert!(!by_hand.is_cancelled());
    cancel.cancel();
    assert!(by_hand.is_cancelled());
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    let (in_time, _mirror) = token(&ctx);
    tokio::time::timeout(2 * HOUR, in_time.cancelled()).await.expect("its deadline is earlier");
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
}

#[tokio::test]
async fn a_mirror_that_is_dropped_leaves_the_token_alone() {
    let (ctx, cancel) = Context::background().with_timeout(HOUR);
    let (token, mirror) = token(&ctx);
    drop(mirror);
    cancel.cancel();
    assert!(!token.is_cancelled());
}
