//! Trees a million deep or wide: no stack overflows, nothing leaks.

use std::sync::Arc;

use ctx::{Cancel, Context, Error};

const MILLION: usize = 1_000_000;

/// A value whose count tells whether everything was freed.
struct Witness(#[expect(dead_code, reason = "only its count matters")] Arc<()>);

/// Registers a context with its parent, as a waiter does.
fn registered((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    assert!(ctx.after_func(|| ()).stop());
    (ctx, cancel)
}

#[test]
fn a_chain_of_a_million_nodes_is_canceled_and_dropped() {
    for wait in [false, true] {
        cancel_a_chain(wait);
    }
}

/// Cancels a chain at its root; one that is waited for at its leaf is walked down, any other is looked up.
fn cancel_a_chain(wait: bool) {
    let witness = Arc::new(());
    let (root, cancel) = Context::background().with_value(Witness(witness.clone())).with_cancel();
    let mut handles: Vec<Cancel> = Vec::with_capacity(MILLION);
    let mut leaf = root;
    for _ in 0..MILLION {
        let (next, handle) = leaf.with_cancel();
        handles.push(handle);
        leaf = next;
    }
    assert_eq!(leaf.err(), None);
    if wait {
        assert!(leaf.after_func(|| ()).stop());
    }
    cancel.cancel();
    assert_eq!(leaf.err(), Some(Error::Canceled));
    drop((leaf, cancel));
    handles.into_iter().for_each(Cancel::keep);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn a_chain_of_a_million_live_layers_of_both_kinds_is_dropped_from_its_leaf() {
    let witness = Arc::new(());
    let mut leaf = Context::background().with_value(Witness(witness.clone()));
    for i in 0..MILLION / 2 {
        let (next, handle) = leaf.with_value(i).with_cancel();
        handle.keep();
        leaf = next;
    }
    drop(leaf);
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn a_million_children_are_canceled_and_dropped() {
    let witness = Arc::new(());
    let (root, cancel) = Context::background().with_value(Witness(witness.clone())).with_cancel();
    let children: Vec<_> = (0..MILLION).map(|_| registered(root.with_cancel())).collect();
    assert_eq!((root.registered(), root.descendants()), (MILLION, MILLION));
    cancel.cancel();
    assert!(children.iter().all(|(ctx, _)| ctx.err() == Some(Error::Canceled)));
    assert_eq!(root.registered(), 0);
    drop((root, cancel, children));
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn a_million_children_that_come_and_go_leave_no_trace() {
    let (root, _cancel) = Context::background().with_cancel();
    for _ in 0..MILLION {
        drop(registered(root.with_cancel()));
    }
    assert_eq!((root.registered(), root.descendants()), (0, 0));
}
