//! Ends: a context has one, with one cause, whoever looks and whatever is canceled above it.

use std::sync::Arc;

use ctx::{Cause, Context};
use loom::thread;

use crate::{cause_of, check, check_some, listed};

#[test]
fn of_two_cancels_one_wins_and_its_cause_stays() {
    check_some("two cancels", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let (child, _c) = listed(ctx.with_cancel());
        let cancel = Arc::new(cancel);
        let other = cancel.clone();
        let canceler = thread::spawn(move || other.cancel_cause(Cause::msg("b")));
        cancel.cancel_cause(Cause::msg("a"));
        let first = cause_of(&ctx);
        canceler.join().unwrap();
        assert_eq!(cause_of(&ctx), first);
        assert_eq!(cause_of(&child), first);
    });
}

#[test]
fn parent_and_child_canceled_at_once_agree_with_themselves() {
    check("parent against child", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = listed(parent.with_cancel());
        let canceler = thread::spawn(move || cancel_parent.cancel_cause(Cause::msg("parent")));
        cancel_child.cancel_cause(Cause::msg("child"));
        assert!(child.err().is_some());
        canceler.join().unwrap();
        assert!(["parent", "child"].contains(&cause_of(&child).as_str()));
        assert_eq!(cause_of(&parent), "parent");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn whoever_sees_the_end_sees_its_cause() {
    check("err against cancel", || {
        let (ctx, cancel) = Context::background().with_cancel();
        let asked = ctx.clone();
        let reader = thread::spawn(move || {
            let first = asked.err();
            if first.is_some() {
                assert_eq!(cause_of(&asked), "x");
            }
            first
        });
        cancel.cancel_cause(Cause::msg("x"));
        let first = reader.join().unwrap();
        assert!(first.is_none() || first == ctx.err());
        assert_eq!(cause_of(&ctx), "x");
    });
}

#[test]
fn a_merged_context_against_both_its_parents_ends_once() {
    check("merge against two cancels", || {
        let (a, cancel_a) = Context::background().with_cancel();
        let (b, cancel_b) = Context::background().with_cancel();
        let (merged, _m) = Context::merge([&a, &b]);
        let canceler = thread::spawn(move || cancel_a.cancel_cause(Cause::msg("a")));
        cancel_b.cancel_cause(Cause::msg("b"));
        let seen = cause_of(&merged);
        canceler.join().unwrap();
        assert_eq!(cause_of(&merged), seen);
        assert_eq!((a.registered(), b.registered()), (0, 0));
    });
}

#[test]
fn a_look_at_an_unlisted_child_agrees_with_a_cancel_of_the_child() {
    check("look against cancel", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        cancel_parent.cancel_cause(Cause::msg("parent"));
        let asked = child.clone();
        let reader = thread::spawn(move || cause_of(&asked));
        cancel_child.cancel_cause(Cause::msg("child"));
        assert_eq!(reader.join().unwrap(), "parent");
        assert_eq!(cause_of(&child), "parent");
    });
}

#[test]
fn an_unlisted_grandchild_has_one_end_whatever_is_canceled_above_it() {
    check("look against two cancels", || {
        let (parent, cancel_parent) = Context::background().with_cancel();
        let (middle, cancel_middle) = parent.with_cancel();
        let (leaf, _l) = middle.with_cancel();
        let asked = leaf.clone();
        let reader = thread::spawn(move || {
            let first = asked.cause().map(|cause| cause.to_string());
            cancel_middle.cancel_cause(Cause::msg("middle"));
            first
        });
        cancel_parent.cancel_cause(Cause::msg("parent"));
        let first = reader.join().unwrap();
        assert!(first.is_none() || first == Some(cause_of(&leaf)));
        assert_eq!(cause_of(&leaf), cause_of(&middle));
    });
}
