//! Foreign code that panics while a tree ends: everything is told all the same, and the cancel returns.

use std::fmt;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Wake, Waker};
use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error, Foreign, OnEnd};

use crate::{HOUR, never};

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("this panic is part of the test");
        }
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

/// A signal whose `stop` panics.
struct NoStop;

impl Foreign for NoStop {
    fn on_end(&self, _callback: OnEnd) -> Box<dyn FnOnce() + Send> {
        Box::new(|| panic!("this panic is part of the test"))
    }
}

/// A waker that counts, or panics when it wakes, or when it is dropped.
#[derive(Default)]
struct Woken {
    count: AtomicUsize,
    panics: bool,
    _bomb: Option<Bomb>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "this panic is part of the test");
        drop(self);
    }
}

/// A layout of a tree around something that panics at its end.
type Trap = fn(&Context) -> Box<dyn Send>;

fn foreign_stop(root: &Context) -> Box<dyn Send> {
    let (ctx, cancel) = root.with_foreign(&NoStop);
    ctx.after_func(|| ()).keep();
    Box::new((ctx, cancel))
}

fn callback(root: &Context) -> Box<dyn Send> {
    root.after_func(|| panic!("this panic is part of the test")).keep();
    Box::new(())
}

/// The payload of the panic panics in turn.
fn callback_with_a_payload_that_panics(root: &Context) -> Box<dyn Send> {
    root.after_func(|| panic_any(Bomb)).keep();
    Box::new(())
}

fn unused_cause(root: &Context) -> Box<dyn Send> {
    let (ctx, cancel) = root.with_timeout_cause(HOUR, Bomb);
    ctx.after_func(|| ()).keep();
    Box::new((ctx, cancel))
}

/// The last handle of a context with a value goes in the end itself.
fn value(root: &Context) -> Box<dyn Send> {
    let (ctx, cancel) = root.with_value(Bomb).with_cancel();
    let slot = Arc::new(Mutex::new(Some((ctx.clone(), cancel))));
    let inside = slot.clone();
    root.after_func(move || drop(inside.lock().expect("no holder panics").take())).keep();
    ctx.after_func(|| ()).keep();
    Box::new(slot)
}

fn captured_by_a_callback(root: &Context) -> Box<dyn Send> {
    let bomb = Bomb;
    root.after_func(move || drop(bomb)).keep();
    Box::new(())
}

fn group(root: &Context) -> Box<dyn Send> {
    let group = ctx::Group::new(root);
    let task = group.task(|_ctx| async {
        let _bomb = Bomb;
        Ok(())
    });
    drop(task);
    Box::new(group)
}

const TRAPS: [(&str, Trap); 7] = [
    ("a foreign stop", foreign_stop),
    ("a callback", callback),
    ("a payload", callback_with_a_payload_that_panics),
    ("an unused cause", unused_cause),
    ("a value", value),
    ("a capture", captured_by_a_callback),
    ("a group", group),
];

/// A tree with waiters, callbacks and children before and behind each trap, and how it is asked afterwards.
fn everyone_is_told(name: &str, trap: Trap, end: fn(Cancel)) {
    let (root, cancel) = Context::background().with_cancel();
    let calls = Arc::new(AtomicUsize::new(0));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut family = Vec::new();
    let mut traps = Vec::new();
    for _ in 0..3 {
        let (child, handle) = root.with_cancel();
        let inside = calls.clone();
        child.after_func(move || _ = inside.fetch_add(1, Ordering::SeqCst)).keep();
        family.push((child, handle));
        traps.push(trap(&root));
    }
    let mut waits: Vec<_> = family.iter().map(|(child, _)| Box::pin(child.done(never))).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Task::from_waker(&waker)).is_pending());
    }
    end(cancel);
    assert_eq!(woken.count.load(Ordering::SeqCst), 3, "{name}: waiters asleep");
    assert_eq!(calls.load(Ordering::SeqCst), 3, "{name}: callbacks unrun");
    assert!(family.iter().all(|(child, _)| child.err() == Some(Error::Canceled)), "{name}: children alive");
    assert_eq!((root.registered(), root.waiters()), (0, 0), "{name}: entries left");
    drop(waits);
    // What was still to be dropped may panic where its owner drops it, and nowhere else.
    traps.into_iter().for_each(std::mem::forget);
}

#[test]
fn a_panic_of_anything_foreign_stops_no_end_and_does_not_come_out() {
    for (name, trap) in TRAPS {
        everyone_is_told(name, trap, |cancel| cancel.cancel());
        everyone_is_told(name, trap, |cancel| cancel.cancel_cause(Cause::msg("enough")));
        everyone_is_told(name, trap, drop);
    }
}

#[test]
fn a_waker_that_panics_stops_no_other() {
    for (panics, bomb) in [(true, false), (false, true)] {
        let (ctx, cancel) = Context::background().with_cancel();
        let bad = Arc::new(Woken { panics, _bomb: bomb.then(|| Bomb), ..Woken::default() });
        let good = Arc::new(Woken::default());
        let (bad_waker, good_waker) = (Waker::from(bad), Waker::from(good.clone()));
        let mut waits: Vec<_> = (0..4).map(|_| Box::pin(ctx.done(never))).collect();
        for (i, wait) in waits.iter_mut().enumerate() {
            let waker = if i % 2 == 0 { &bad_waker } else { &good_waker };
            assert!(wait.as_mut().poll(&mut Task::from_waker(waker)).is_pending());
        }
        drop(bad_waker);
        cancel.cancel();
        assert_eq!(good.count.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_cause_given_too_late_may_panic_when_it_is_dropped() {
    let (_ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    cancel.cancel_cause(Bomb);
    let (_timed, cancel) = Context::background().with_timeout(Duration::ZERO);
    cancel.cancel_cause(Bomb);
}

#[test]
fn a_chain_whose_values_panic_is_dropped_whole() {
    let count = Arc::new(());
    let (root, cancel) = Context::background().with_value(count.clone()).with_cancel();
    cancel.keep();
    let mut leaf = root;
    for _ in 0..10 {
        let (next, handle) = leaf.with_value(Bomb).with_cancel();
        handle.keep();
        leaf = next;
    }
    drop(leaf);
    assert_eq!(Arc::strong_count(&count), 1);
}

/// A cause that asks a context how it ended at the moment it is dropped.
#[derive(Debug)]
struct Asking(Arc<Mutex<Option<Context>>>, Arc<Mutex<Option<Error>>>);

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never shown")
    }
}

impl std::error::Error for Asking {}

impl Drop for Asking {
    fn drop(&mut self) {
        let asked = self.0.lock().expect("no holder panics").take();
        *self.1.lock().expect("no holder panics") = asked.and_then(|ctx| ctx.err());
    }
}

#[test]
fn a_merged_context_asked_by_the_destructor_of_its_second_parents_cause_has_ended() {
    let (slot, answer) = (Arc::default(), Arc::default());
    let asking = Asking(Arc::clone(&slot), Arc::clone(&answer));
    let (first, _f) = Context::background().with_cancel();
    let (second, cancel) = Context::background().with_timeout_cause(HOUR, asking);
    let (merged, _m) = Context::merge([&first, &second]);
    *slot.lock().unwrap() = Some(merged.clone());
    cancel.cancel();
    assert_eq!(*answer.lock().unwrap(), Some(Error::Canceled));
    assert_eq!(merged.err(), Some(Error::Canceled));
    assert!(pin!(merged.done(never)).poll(&mut Task::from_waker(Waker::noop())).is_ready());
}
