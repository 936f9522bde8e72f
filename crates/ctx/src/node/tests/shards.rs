//! A node whose children are listed by thread. Loom checks the same against an end.

use std::thread;

use crate::node::lists::{Lists, PATIENCE};
use crate::sync::{Ordering, lock};
use crate::{Cancel, Context, Error};

fn lists(ctx: &Context) -> &Lists {
    ctx.0.node.as_ref().and_then(|node| node.make_lists()).expect("it lives, and can end")
}

/// Makes a list for each core, which otherwise takes threads that meet.
fn shard(ctx: &Context) {
    lists(ctx).shards.open();
}

/// Derives a child that its parent lists.
fn listed(parent: &Context) -> (Context, Cancel) {
    let child = parent.with_cancel();
    child.0.0.node.as_ref().expect("it can end").link();
    child
}

/// Derives `count` listed children in each of four threads.
fn family(parent: &Context, count: usize) -> Vec<(Context, Cancel)> {
    let derive = || (0..count).map(|_| listed(parent)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(derive)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn children_in_shards_are_counted_and_walked_whole_and_leave_nothing_behind() {
    let (parent, _cancel) = Context::background().with_cancel();
    shard(&parent);
    let children = family(&parent, 100);
    assert_eq!((parent.registered(), parent.descendants()), (400, 400));
    // Dropped by a thread that derived none of them.
    drop(children);
    assert_eq!((parent.registered(), parent.descendants()), (0, 0));
}

#[test]
fn a_cancel_ends_all_children_in_shards_and_those_derived_later() {
    let (parent, cancel) = Context::background().with_cancel();
    shard(&parent);
    let children = family(&parent, 100);
    cancel.cancel();
    assert!(children.iter().all(|(child, _)| child.err() == Some(Error::Canceled)));
    assert_eq!(parent.registered(), 0);
    assert_eq!(parent.with_cancel().0.err(), Some(Error::Canceled));
}

#[test]
fn children_listed_before_the_shards_were_made_stay_listed() {
    let (parent, cancel) = Context::background().with_cancel();
    let (early, _e) = listed(&parent);
    let leaves = listed(&parent);
    shard(&parent);
    let (late, _l) = listed(&parent);
    assert_eq!(parent.registered(), 3);
    drop(leaves);
    assert_eq!(parent.registered(), 2);
    cancel.cancel();
    assert_eq!((early.err(), late.err()), (Some(Error::Canceled), Some(Error::Canceled)));
}

#[test]
fn a_merged_context_leaves_the_shards_too() {
    let (request, _r) = Context::background().with_cancel();
    let (server, stop) = Context::background().with_cancel();
    shard(&server);
    drop(Context::merge([&request, &server]));
    assert_eq!(server.registered(), 0);
    let (both, _b) = Context::merge([&request, &server]);
    stop.cancel();
    assert_eq!(both.err(), Some(Error::Canceled));
}

#[test]
fn threads_that_had_to_wait_often_get_lists_of_their_own() {
    let (parent, _cancel) = Context::background().with_cancel();
    let _child = listed(&parent);
    let lists = lists(&parent);
    for before in 0..PATIENCE {
        drop(listed(&parent));
        assert!(lists.shards.mine().is_none());
        thread::scope(|scope| {
            let held = lock(&lists.common);
            scope.spawn(|| drop(lists.lock()));
            while lists.waits.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
            drop(held);
        });
    }
    drop(listed(&parent));
    assert!(lists.shards.mine().is_some());
    assert_eq!(parent.registered(), 1);
}

#[test]
fn a_panic_under_the_lock_stops_nobody_else() {
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = listed(&parent);
    let lists = lists(&parent);
    let panicked = thread::scope(|scope| {
        let panics = || {
            let _common = lock(&lists.common);
            panic!("a waker that cannot be cloned");
        };
        scope.spawn(panics).join().is_err()
    });
    assert!(panicked);
    drop(listed(&parent));
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert_eq!(child.err(), Some(Error::Canceled));
}
