//! Children: those that come and go during a cancel all end, and none stays registered.

use ctx::{Cause, Context, Error};
use loom::thread;

use crate::{cause_of, check, check_some, listed};

#[test]
fn a_child_born_during_a_cancel_ends_with_its_cause() {
    check("birth against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || listed(from.with_cancel()));
        cancel.cancel_cause(Cause::msg("now"));
        let (child, _c) = bearer.join().unwrap();
        assert_eq!(child.err(), Some(Error::Canceled));
        assert_eq!(cause_of(&child), "now");
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn of_two_children_born_during_a_cancel_neither_is_missed() {
    // The first one makes the shards, and the second one is listed there.
    check_some("two births against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let from = parent.clone();
        let bearer = thread::spawn(move || [listed(from.with_cancel()), listed(from.with_cancel())]);
        cancel.cancel_cause(Cause::msg("now"));
        for (child, _c) in bearer.join().unwrap() {
            assert_eq!(cause_of(&child), "now");
        }
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn children_put_in_shards_by_two_threads_all_end() {
    check_some("shards against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let first = listed(parent.with_cancel());
        let bearers =
            [parent.clone(), parent.clone()].map(|from| thread::spawn(move || listed(from.with_cancel())));
        cancel.cancel();
        for bearer in bearers {
            let (child, _c) = bearer.join().unwrap();
            assert_eq!(child.err(), Some(Error::Canceled));
        }
        assert_eq!(first.0.err(), Some(Error::Canceled));
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_that_leaves_the_shards_during_a_cancel_is_no_trouble() {
    check("leaving shards against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let _first = listed(parent.with_cancel());
        let child = listed(parent.with_cancel());
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}

#[test]
fn a_child_dropped_during_a_cancel_is_no_trouble() {
    check("child drop against cancel", || {
        let (parent, cancel) = Context::background().with_cancel();
        let child = listed(parent.with_cancel());
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        dropper.join().unwrap();
        assert_eq!(parent.registered(), 0);
    });
}
