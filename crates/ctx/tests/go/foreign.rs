//! Contexts that follow somebody else's signal.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Waker};
use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error, Foreign, OnEnd};

use crate::{CANCELED, HOUR, assert_ended, assert_live};

/// A signal with a list of callbacks.
#[derive(Clone, Default)]
struct Signal(Arc<Mutex<BTreeMap<usize, OnEnd>>>);

impl Signal {
    fn end(&self, cause: Option<Cause>) {
        let callbacks = std::mem::take(&mut *self.0.lock().expect("no holder panics"));
        callbacks.into_values().for_each(|callback| callback(Error::Canceled, cause.clone()));
    }

    fn registered(&self) -> usize {
        self.0.lock().expect("no holder panics").len()
    }
}

impl Foreign for Signal {
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send> {
        let mut callbacks = self.0.lock().expect("no holder panics");
        let key = callbacks.last_key_value().map_or(0, |(key, _)| key + 1);
        callbacks.insert(key, callback);
        let signal = self.clone();
        Box::new(move || drop(signal.0.lock().expect("no holder panics").remove(&key)))
    }
}

/// A context seen through the hook alone.
struct Opaque(Context);

impl Foreign for Opaque {
    fn on_end(&self, callback: OnEnd) -> Box<dyn FnOnce() + Send> {
        let ctx = self.0.clone();
        let stop = self.0.after_func(move || {
            if let Some(error) = ctx.err() {
                callback(error, ctx.cause());
            }
        });
        Box::new(move || _ = stop.stop())
    }
}

#[test]
fn c70_a_foreign_end_with_a_cause_is_passed_on() {
    let signal = Signal::default();
    let (ctx, _c) = Context::background().with_foreign(&signal);
    assert_live(&ctx);
    signal.end(Some(Cause::msg("rung")));
    assert_ended(&ctx, Error::Canceled, "rung");
}

#[test]
fn c71_a_foreign_end_without_a_cause_is_its_own() {
    let signal = Signal::default();
    let (ctx, _c) = Context::background().with_foreign(&signal);
    signal.end(None);
    assert_ended(&ctx, Error::Canceled, CANCELED);
}

#[test]
fn c72_a_canceled_child_leaves_the_foreign_signal_alone_and_keeps_its_cause() {
    let signal = Signal::default();
    let (ctx, cancel) = Context::background().with_foreign(&signal);
    let (other, _o) = Context::background().with_foreign(&signal);
    cancel.cancel_cause(Cause::msg("X"));
    assert_live(&other);
    signal.end(None);
    assert_ended(&ctx, Error::Canceled, "X");
    assert_ended(&other, Error::Canceled, CANCELED);
}

#[test]
fn c73_a_signal_that_holds_the_cancel_handle_ends_its_child() {
    struct Holder(Cancel);
    let (child, cancel) = Context::background().with_cancel();
    let holder = Holder(cancel);
    holder.0.cancel();
    assert_ended(&child, Error::Canceled, CANCELED);
}

#[test]
fn c74_a_context_seen_through_the_hook_passes_on_its_cause_whenever_it_ends() {
    let (inner, cancel) = Context::background().with_cancel();
    let (before, _b) = Context::background().with_foreign(&Opaque(inner.clone()));
    assert_live(&before);
    cancel.cancel_cause(Cause::msg("inner"));
    assert_ended(&before, Error::Canceled, "inner");
    let (after, _a) = Context::background().with_foreign(&Opaque(inner));
    assert_ended(&after, Error::Canceled, "inner");
}

#[test]
fn c75_the_hook_is_used_and_taken_back() {
    let signal = Signal::default();
    let (plain, cancel_plain) = Context::background().with_foreign(&signal);
    let (timed, cancel_timed) = Context::background().with_foreign(&signal);
    let (below, _t) = timed.with_timeout(HOUR);
    assert_eq!(signal.registered(), 2, "one registration for each that follows, none for their children");
    cancel_plain.cancel();
    assert_eq!(signal.registered(), 1);
    cancel_timed.cancel();
    assert_eq!(signal.registered(), 0);
    assert_ended(&below, Error::Canceled, CANCELED);
    let (expired, _e) = plain.without_cancel().with_foreign(&signal);
    let (late, _l) = expired.with_timeout(Duration::ZERO);
    assert_eq!(late.err(), Some(Error::DeadlineExceeded));
    drop((expired, late, _e, _l));
    assert_eq!(signal.registered(), 0, "dropped handles leave a registration behind");
    let (parent, cancel) = Context::background().with_cancel();
    let (child, _c) = parent.with_foreign(&signal);
    let mut done = pin!(child.done(|_| std::future::pending::<()>()));
    let mut task = Task::from_waker(Waker::noop());
    assert!(done.as_mut().poll(&mut task).is_pending());
    cancel.cancel();
    assert!(done.as_mut().poll(&mut task).is_ready());
    assert_eq!(signal.registered(), 0, "a waiter that finds the parent's end leaves a registration behind");
}
