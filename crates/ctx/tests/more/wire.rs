//! Deadlines and traces as the texts of headers.

use std::time::Duration;

use super::clocked;
use ctx::Context;
use ctx::wire::{
    NoTraceparent, Traceparent, Tracestate, format_envoy_timeout, format_grpc_timeout, parse_envoy_timeout,
    parse_grpc_timeout,
};

#[test]
fn a_duration_that_goes_out_and_comes_in_is_never_longer_and_hardly_shorter() {
    let mut nanos = 1_u64;
    let mut step = 0_u64;
    while nanos < u64::MAX / 3 {
        let timeout = Duration::from_nanos(nanos);
        let grpc = parse_grpc_timeout(&format_grpc_timeout(timeout)).unwrap();
        // Eight digits lose less than 1 part in 10,000,000 of one unit, and at most a unit's step of 60.
        assert!(grpc <= timeout && timeout - grpc <= timeout / 150_000, "{timeout:?} became {grpc:?}");
        let envoy = parse_envoy_timeout(&format_envoy_timeout(timeout)).unwrap();
        assert!(
            envoy <= timeout && timeout - envoy < Duration::from_millis(1),
            "{timeout:?} became {envoy:?}"
        );
        step += 1;
        nanos = nanos * 3 + step;
    }
}

#[test]
fn the_longest_duration_is_the_longest_that_the_header_has() {
    assert_eq!(format_grpc_timeout(Duration::MAX), "99999999H");
    assert_eq!(parse_grpc_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
    assert_eq!(format_envoy_timeout(Duration::MAX), "9".repeat(18));
    assert_eq!(
        (format_grpc_timeout(Duration::ZERO), format_envoy_timeout(Duration::ZERO)),
        ("0n".into(), "0".into())
    );
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in ["", "S", "1", "-1S", "+1S", "1.5S", "1s", "123456789S", "1 S", "1SS", "1é", "é"] {
        assert_eq!(parse_grpc_timeout(text), None, "{text:?}");
    }
    for text in ["", "1ms", "-1", "+1", "1.0", "9999999999999999999"] {
        assert_eq!(parse_envoy_timeout(text), None, "{text:?}");
    }
}

#[test]
fn a_context_sends_what_remains() {
    let (clock, root) = clocked();
    assert_eq!((root.grpc_timeout(), root.envoy_timeout()), (None, None));
    let (ctx, _cancel) = root.with_timeout(Duration::from_micros(2_500));
    assert_eq!((ctx.grpc_timeout(), ctx.envoy_timeout()), (Some("2500000n".into()), Some("2".into())));
    clock.advance(Duration::from_secs(1));
    assert_eq!((ctx.grpc_timeout(), ctx.envoy_timeout()), (Some("0n".into()), Some("0".into())));
}

#[test]
fn a_place_in_a_trace_reads_what_the_specification_allows_and_nothing_else() {
    let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let place: Traceparent = text.parse().unwrap();
    assert_eq!((place.to_string(), place.is_sampled()), (text.to_owned(), true));
    assert_eq!(Traceparent::new(place.trace(), place.parent(), true), Some(place));
    let later = text.replacen("00-", "cc-", 1) + "-more";
    assert_eq!(later.parse(), Ok(place));
    let zero = "0".repeat(32);
    for wrong in [
        String::new(),
        text.to_uppercase(),
        text.replacen("00-", "ff-", 1),
        format!("{text}-more"),
        text.replacen("00-", "0-", 1),
        text.replace("00f067aa0ba902b7", "0000000000000000"),
        text.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zero),
        text.replace("4bf9", "+bf9"),
    ] {
        assert_eq!(wrong.parse::<Traceparent>(), Err(NoTraceparent), "{wrong:?}");
    }
    assert_eq!(
        (place.child(0), Traceparent::new(0, 1, true), Traceparent::new(1, 0, true)),
        (None, None, None)
    );
}

#[test]
fn a_state_goes_out_with_a_place_of_the_trace_in_which_it_was_set_and_with_no_other() {
    let place = |trace: u128, parent: u64| Traceparent::new(trace, parent, true).unwrap();
    let state = |text: &str| text.parse::<Tracestate>().unwrap();
    let sent = |ctx: &Context| {
        let headers = ctx.trace_headers().into_iter();
        headers.map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>()
    };
    let parent = |trace: u128, parent: u64| format!("traceparent: {}", place(trace, parent));
    let none = Context::background();
    assert_eq!(sent(&none), [""; 0]);
    // A state without a place is no trace, and one that was set before its place belongs to none.
    let alone = none.with_value(state("a=1"));
    assert_eq!(sent(&alone), [""; 0]);
    assert_eq!(sent(&alone.with_value(place(1, 1))), [parent(1, 1)]);

    let whole = none.with_value(place(1, 1)).with_value(state("a=1"));
    let (below, _cancel) = whole.with_value(7_u32).with_cancel();
    assert_eq!(sent(&below), [parent(1, 1), "tracestate: a=1".to_owned()]);
    let (child, _cancel) = below.with_value(place(1, 2)).with_cancel();
    assert_eq!(sent(&child), [parent(1, 2), "tracestate: a=1".to_owned()]);
    let restarted = child.with_value(place(2, 1));
    assert_eq!(sent(&restarted), [parent(2, 1)]);
    let anew = restarted.with_value(state("b=2"));
    assert_eq!(sent(&anew), [parent(2, 1), "tracestate: b=2".to_owned()]);
}

#[test]
fn a_trace_that_comes_in_is_whole_or_counts_as_absent() {
    let text = Traceparent::new(1, 1, true).unwrap().to_string();
    let place = text.as_str();
    for (places, states, is_there, state) in [
        (&[][..], &[][..], false, None),
        (&[], &["a=1"], false, None),
        (&[place], &[], true, None),
        (&[place], &["a=1", "b=2"], true, Some("a=1,b=2")),
        (&[place], &["a=1", "a=2"], true, None),
        (&[place], &["a=é"], true, None),
        (&[place, place], &["a=1"], false, None),
        (&["00-é"], &["a=1"], false, None),
    ] {
        let ctx = Context::background().with_trace(places.iter().copied(), states.iter().copied());
        let there = (ctx.value::<Traceparent>().is_some(), ctx.value::<Tracestate>().map(Tracestate::as_str));
        assert_eq!(there, (is_there, state), "{places:?} {states:?}");
    }
    // Bytes that are no text.
    let ctx = Context::background().with_trace([place.as_bytes()], [&b"a=\xff"[..]]);
    assert!(ctx.value::<Traceparent>().is_some() && ctx.value::<Tracestate>().is_none());
}
