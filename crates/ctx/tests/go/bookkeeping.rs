//! Registrations between contexts: the leak contract.
//!
//! A context is registered with its parent once somebody waits or calls back below it; Go registers it at once.

use std::time::Duration;

use ctx::{Cancel, Context, Error, ManualClock};

use crate::{HOUR, is_done};

/// Has somebody wait for `ctx` for a moment, which registers it with its parent.
fn waited((ctx, cancel): (Context, Cancel)) -> (Context, Cancel) {
    assert!(!is_done(&ctx));
    (ctx, cancel)
}

#[test]
fn c19_registrations_go_from_none_to_one_to_none() {
    let (parent, _p) = Context::background().with_cancel();
    assert_eq!(parent.registered(), 0);
    let (_child, cancel) = waited(parent.with_cancel());
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert_eq!(parent.registered(), 0);
    let (_timer, cancel) = waited(parent.with_timeout(HOUR));
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert_eq!(parent.registered(), 0);
    let (watched, cancel) = parent.with_cancel();
    assert_eq!(parent.registered(), 0, "nobody has asked for more than a look");
    watched.after_func(|| ()).keep();
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert_eq!(parent.registered(), 0);
    let stop = parent.after_func(|| ());
    assert_eq!(parent.registered(), 1);
    assert!(stop.stop());
    assert_eq!(parent.registered(), 0);
}

#[test]
fn c20_an_ended_parent_has_nobody_registered() {
    let (parent, cancel) = Context::background().with_cancel();
    let _children: Vec<_> = (0..10).map(|_| waited(parent.with_cancel())).collect();
    assert_eq!(parent.registered(), 10);
    cancel.cancel();
    assert_eq!(parent.registered(), 0);
}

#[test]
fn c21_a_child_whose_deadline_passes_leaves_its_parent() {
    let clock = ManualClock::new();
    let (parent, _p) = clock.attach(&Context::background()).with_cancel();
    let (child, _c) = waited(parent.with_timeout(HOUR));
    assert_eq!(parent.registered(), 1);
    clock.advance(HOUR);
    assert_eq!(parent.registered(), 0);
    assert_eq!(child.err(), Some(Error::DeadlineExceeded));
}

#[test]
fn c22_a_child_below_values_is_registered_with_the_nearest_node() {
    let (root, _r) = Context::background().with_cancel();
    let value = root.with_value(1_u8).with_value(2_u16);
    let (_child, cancel) = waited(value.with_timeout(HOUR));
    assert_eq!(root.registered(), 1);
    cancel.cancel();
    assert_eq!(root.registered(), 0);
}

#[test]
fn c23_a_kept_child_stays_until_it_is_dropped_or_the_parent_ends() {
    let (parent, cancel) = Context::background().with_cancel();
    let (kept, handle) = waited(parent.with_cancel());
    handle.keep();
    assert_eq!((parent.registered(), parent.descendants()), (1, 1));
    let (dropped, handle) = waited(parent.with_cancel());
    handle.keep();
    drop(dropped);
    assert_eq!(parent.registered(), 1);
    cancel.cancel();
    assert!(is_done(&kept));
    assert_eq!(parent.registered(), 0);
}

#[test]
fn c24_a_child_that_is_born_expired_is_not_registered() {
    let (parent, _p) = Context::background().with_cancel();
    let (child, _c) = parent.with_timeout(Duration::ZERO);
    assert!(is_done(&child));
    assert_eq!(parent.registered(), 0);
}
