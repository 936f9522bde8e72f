//! A node whose children are listed by thread. Loom checks the same against an end.

use std::thread;

use super::registry::PATIENCE;
use crate::sync::{Ordering, lock};
use crate::{Cancel, Context, Error};

/// Makes the lists of a crowd, which otherwise takes threads that meet.
fn crowd(ctx: &Context) {
    let lists = ctx.node().and_then(|node| node.lists()).expect("it lives, and can end");
    lists.crowd.open();
}

/// Derives `count` children in each of four threads.
fn bear(parent: &Context, count: usize) -> Vec<(Context, Cancel)> {
    let bear = || (0..count).map(|_| parent.with_cancel()).collect::<Vec<_>>();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(bear)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn a_crowd_is_counted_and_walked_whole_and_leaves_nobody_behind() {
    let (parent, _cancel) = Context::background().with_cancel();
    crowd(&parent);
    let children = bear(&parent, 100);
    assert_eq!((parent.registered(), parent.descendants()), (400, 400));
    // Dropped by a thread that bore none of them.
    drop(children);
    assert_eq!((parent.registered(), parent.descendants()), (0, 0));
}

#[test]
fn a_cancel_ends_the_whole_crowd_and_whoever_is_born_later() {
    let (parent, cancel) = Context::background().with_cancel();
    crowd(&parent);
    let children = bear(&parent, 100);
    cancel.cancel();
    assert!(children.iter().all(|(child, _)| child.err() == Some(Error::Canceled)));
    assert_eq!(parent.registered(), 0);
    assert_eq!(parent.with_cancel().0.err(), Some(Error::Canceled));
}

#[test]
fn who_was_listed_before_the_crowd_came_stays_listed() {
    let (parent, cancel) = Context::background().with_cancel();
    let (early, _e) = parent.with_cancel();
    let leaves = parent.with_cancel();
    crowd(&parent);
    let (late, _l) = parent.with_cancel();
    assert_eq!(parent.registered(), 3);
    drop(leaves);
    assert_eq!(parent.registered(), 2);
    cancel.cancel();
    assert_eq!((early.err(), late.err()), (Some(Error::Canceled), Some(Error::Canceled)));
}

#[test]
fn a_merged_context_leaves_a_crowd_too() {
    let (request, _r) = Context::background().with_cancel();
    let (server, stop) = Context::background().with_cancel();
    crowd(&server);
    drop(Context::merge([&request, &server]));
    assert_eq!(server.registered(), 0);
    let (both, _b) = Context::merge([&request, &server]);
    stop.cancel();
    assert_eq!(both.err(), Some(Error::Canceled));
}

#[test]
fn threads_that_had_to_wait_often_get_lists_of_their_own() {
    let (parent, _cancel) = Context::background().with_cancel();
    let _child = parent.with_cancel();
    let lists = parent.node().unwrap().lists().unwrap();
    for before in 0..PATIENCE {
        drop(parent.with_cancel());
        assert!(lists.crowd.mine().is_none());
        thread::scope(|scope| {
            let held = lock(&lists.common);
            scope.spawn(|| drop(lists.lock()));
            while lists.waits.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
            drop(held);
        });
    }
    drop(parent.with_cancel());
    assert!(lists.crowd.mine().is_some());
    assert_eq!(parent.registered(), 1);
}

#[test]
fn a_panic_under_the_lock_stops_nobody_else() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_cancel();
    let lists = parent.node().unwrap().lists().unwrap();
    let panicked = thread::scope(|scope| {
        let panics = || {
            let _common = lock(&lists.common);
            panic!("a waker that cannot be cloned");
        };
        scope.spawn(panics).join().is_err()
    });
    assert!(panicked);
    drop(parent.with_cancel());
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert_eq!(child.err(), Some(Error::Canceled));
}
