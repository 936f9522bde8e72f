//! Roots.

use ctx::Context;

use crate::assert_live;

#[test]
fn c01_a_root_never_ends_and_has_nothing() {
    for root in [Context::background(), Context::todo()] {
        assert_live(&root);
        assert_eq!(root.deadline(), None);
        assert_eq!(root.value::<u32>(), None);
    }
}

#[test]
fn c02_the_roots_are_told_apart_by_their_strings() {
    assert_eq!(format!("{:?}", Context::background()), "context.Background");
    assert_eq!(format!("{:?}", Context::todo()), "context.TODO");
}

#[test]
fn c04_a_child_of_a_root_is_registered_nowhere() {
    let root = Context::background();
    let (child, _cancel) = root.with_cancel();
    assert_eq!(root.registered(), 0);
    assert_live(&child);
}
