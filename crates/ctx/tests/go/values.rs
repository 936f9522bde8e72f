//! Values.

use ctx::{Cause, Context, Error};

use crate::{HOUR, assert_ended};

#[derive(Debug, PartialEq)]
struct User(&'static str);
#[derive(Debug, PartialEq)]
struct Tenant(&'static str);

#[test]
fn c76_lookup_finds_the_nearest_of_its_type_and_types_are_apart() {
    let ctx = Context::background().with_value(User("a")).with_value(Tenant("a")).with_value(User("b"));
    assert_eq!(ctx.value::<User>(), Some(&User("b")));
    assert_eq!(ctx.value::<Tenant>(), Some(&Tenant("a")));
    assert_eq!(ctx.value::<&str>(), None);
}

#[test]
fn c77_an_inner_value_shadows_and_an_inner_nothing_hides() {
    let outer = Context::background().with_value(Some(User("a")));
    let inner = outer.with_value(None::<User>);
    assert_eq!(inner.value::<Option<User>>(), Some(&None));
    assert_eq!(outer.value::<Option<User>>(), Some(&Some(User("a"))));
}

#[test]
fn c78_values_are_seen_through_every_kind_of_layer() {
    let ctx = Context::background().with_value(User("a"));
    let (cancelable, _c) = ctx.with_cancel();
    let (timed, _t) = cancelable.with_timeout(HOUR);
    let (merged, _m) = Context::merge([&timed, &Context::todo()]);
    assert_eq!(merged.without_cancel().value::<User>(), Some(&User("a")));
}

#[test]
fn c80_a_very_deep_chain_is_searched_and_dropped_without_recursion() {
    let mut ctx = Context::background().with_value(User("deep"));
    for i in 0..100_000_u32 {
        ctx = ctx.with_value(i);
    }
    assert_eq!(ctx.value::<User>(), Some(&User("deep")));
}

#[test]
fn c81_a_value_adds_no_node_of_its_own() {
    let (parent, cancel) = Context::background().with_timeout(HOUR);
    let ctx = parent.with_value(1_u8);
    assert_eq!(parent.registered(), 0);
    assert_eq!(ctx.deadline(), parent.deadline());
    cancel.cancel_cause(Cause::msg("X"));
    assert_ended(&ctx, Error::Canceled, "X");
}
