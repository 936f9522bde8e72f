//! Values of many types: a lookup passes over layers that cannot have one, and finds every one that is there.

use ctx::{Cancel, Context, Driver};

use super::{HOUR, clocked};

/// One type for each number.
#[derive(Debug, PartialEq, Eq)]
struct Numbered<const N: usize>;

/// Asks one context for a value of each of 256 types, more than a mark can tell apart; returns how many are there.
fn there(ctx: &Context) -> usize {
    macro_rules! count {
        ($($high:literal)*) => { 0 $(+ sixteen!($high, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))* };
    }
    macro_rules! sixteen {
        ($high:literal, $($low:literal)*) => {
            0 $(+ usize::from(ctx.value::<Numbered<{ $high * 16 + $low }>>().is_some()))*
        };
    }
    count!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
}

#[test]
fn a_value_is_found_beside_any_number_of_others_and_none_that_was_never_set() {
    macro_rules! with {
        ($ctx:expr, $($n:literal)*) => { $ctx$(.with_value(Numbered::<$n>))* };
    }
    let some = with!(Context::background(), 0 17 34 51 68 85 102 119 136 153 170 187 204 221 238 255);
    assert_eq!(there(&some), 16);
    let more = with!(some, 1 2 3 4 5 6 7 8);
    assert_eq!((there(&more), there(&some), there(&Context::background())), (24, 16, 0));
    assert_eq!(more.value::<Numbered<255>>(), Some(&Numbered));
    assert_eq!(more.value::<Numbered<254>>(), None);
}

#[test]
fn a_value_is_found_below_every_kind_of_child() {
    let (clock, root) = clocked();
    let ctx = root.with_value(7_u8);
    let kept = |(ctx, cancel): (Context, Cancel)| {
        cancel.keep();
        ctx
    };
    let (movable, _owner) = ctx.with_movable_timeout(HOUR);
    let (hard, _hard) = ctx.with_hard_cancel();
    let other = Context::background().with_value(8_u8);
    let children = [
        kept(ctx.with_cancel()),
        kept(ctx.with_timeout(HOUR)),
        kept(ctx.with_reserve(HOUR)),
        kept(ctx.shield(HOUR)),
        kept(Context::merge([&ctx, &other])),
        ctx.without_cancel(),
        ctx.without_cancel_keeping_deadline(),
        ctx.with_value(1_u16),
        ctx.with_id(),
        Driver::new().attach(&ctx),
        clock.attach(&ctx),
        Context::clone(&ctx.scope()),
        movable,
        hard,
    ];
    for (place, child) in children.iter().enumerate() {
        assert_eq!(child.value::<u8>(), Some(&7), "child {place}");
        assert_eq!(kept(child.with_cancel()).value::<u8>(), Some(&7), "below child {place}");
    }
}
