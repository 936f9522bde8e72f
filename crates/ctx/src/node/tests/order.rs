//! An end is decided by when it was due, whoever notices first: random trees, asked in random order, against a
//! model that notices everything at once.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;

use crate::clock::fake;
use crate::{Cancel, Cause, Context, Error};

/// An operation on the tree; an index names a context, modulo the number of contexts.
#[derive(Clone, Debug)]
enum Op {
    WithCancel(usize),
    WithTimeout(usize, u64),
    WithValue(usize),
    Merge(usize, usize),
    Cancel(usize),
    CancelCause(usize),
    DropHandle(usize),
    Keep(usize),
    /// Time passes, and nobody looks.
    Pass(u64),
    Ask(usize),
    Wait(usize),
    /// A waiter that stays registered.
    Stay(usize),
    /// Polls its waiters again, each from a new task.
    Renew(usize),
    /// Polls its waiters again, each from the same task.
    Again(usize),
    /// Drops its last waiter.
    Leave(usize),
    Call(usize),
    Stop(usize),
}

/// A reference model of the tree, which notices every deadline at its time.
#[derive(Default)]
struct Model {
    now: u64,
    nodes: Vec<Ideal>,
}

#[derive(Default)]
struct Ideal {
    sources: Vec<usize>,
    deadline: Option<u64>,
    own: bool,
    end: Option<(Error, String)>,
}

impl Model {
    fn add(&mut self, sources: &[usize], deadline: Option<u64>) {
        let inherited = sources.iter().filter_map(|&source| self.nodes[source].deadline).min();
        let own = deadline.is_some_and(|own| inherited.is_none_or(|inherited| own < inherited));
        let deadline = deadline.into_iter().chain(inherited).min();
        self.nodes.push(Ideal { sources: sources.to_vec(), deadline, own, end: None });
        self.settle();
    }

    /// Lets ends flow down, then expires what is due, the earliest first.
    fn settle(&mut self) {
        loop {
            for i in 0..self.nodes.len() {
                let from = self.nodes[i].sources.iter().find_map(|&source| self.nodes[source].end.clone());
                let node = &mut self.nodes[i];
                node.end = node.end.take().or(from);
            }
            let now = self.now;
            let due = self.nodes.iter().enumerate().filter(|(_, node)| node.own && node.end.is_none());
            let due = due.filter_map(|(i, node)| Some((node.deadline.filter(|&at| at <= now)?, i)));
            let Some((_, i)) = due.min() else { return };
            self.nodes[i].end = Some((Error::DeadlineExceeded, format!("timeout {i}")));
        }
    }
}

/// A context, its handle, and its callbacks: how often each ran, and how often it was stopped in time.
struct Real {
    ctx: Context,
    cancel: Option<Cancel>,
    calls: Vec<(Arc<AtomicUsize>, Option<crate::Stop>)>,
    waits: Vec<Stayer>,
}

/// A waiter, and the task that it was polled by last.
struct Stayer {
    wait: Pin<Box<dyn Future<Output = Error>>>,
    task: Arc<Woken>,
    ready: bool,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Stayer {
    fn new(ctx: &Context) -> Self {
        let wait = Box::pin(ctx.done_owned(|_| std::future::pending::<()>()));
        Self { wait, task: Arc::default(), ready: false }.polled()
    }

    /// Polls it, by a task that did not before.
    fn polled(mut self) -> Self {
        self.task = Arc::default();
        self.again()
    }

    fn again(mut self) -> Self {
        let waker = Waker::from(self.task.clone());
        self.ready = self.ready || self.wait.as_mut().poll(&mut Task::from_waker(&waker)).is_ready();
        self
    }

    /// Tells whether it was notified: it was ready, or its last task was woken.
    fn knows(&self) -> bool {
        let wakes = self.task.0.load(Ordering::Relaxed);
        assert!(wakes <= 1, "a task was woken {wakes} times");
        self.ready || wakes == 1
    }
}

const START: u64 = 1_000_000_000_000;
/// Far beyond the slack, so that the coarse clock alone says that a deadline has not passed.
const UNIT: u64 = 1_000_000_000;

fn op() -> impl Strategy<Value = Op> {
    let index = 0..64_usize;
    prop_oneof![
        3 => index.clone().prop_map(Op::WithCancel),
        4 => (index.clone(), 0..12_u64).prop_map(|(parent, timeout)| Op::WithTimeout(parent, timeout)),
        1 => index.clone().prop_map(Op::WithValue),
        2 => (index.clone(), index.clone()).prop_map(|(a, b)| Op::Merge(a, b)),
        2 => index.clone().prop_map(Op::Cancel),
        2 => index.clone().prop_map(Op::CancelCause),
        1 => index.clone().prop_map(Op::DropHandle),
        1 => index.clone().prop_map(Op::Keep),
        3 => (1..6_u64).prop_map(Op::Pass),
        2 => index.clone().prop_map(Op::Ask),
        2 => index.clone().prop_map(Op::Wait),
        4 => index.clone().prop_map(Op::Stay),
        1 => index.clone().prop_map(Op::Renew),
        1 => index.clone().prop_map(Op::Again),
        1 => index.clone().prop_map(Op::Leave),
        1 => index.clone().prop_map(Op::Call),
        1 => index.prop_map(Op::Stop),
    ]
}

/// Polls once for the end of `ctx`.
fn is_done(ctx: &Context) -> bool {
    pin!(ctx.done(|_| std::future::pending::<()>())).poll(&mut Task::from_waker(Waker::noop())).is_ready()
}

fn add(real: &mut Vec<Real>, (ctx, cancel): (Context, Option<Cancel>)) {
    real.push(Real { ctx, cancel, calls: Vec::new(), waits: Vec::new() });
}

fn apply(op: &Op, model: &mut Model, real: &mut Vec<Real>) {
    let count = real.len();
    let parent = |index: usize| real[index % count].ctx.clone();
    match *op {
        Op::WithCancel(i) => {
            model.add(&[i % count], None);
            let (ctx, cancel) = parent(i).with_cancel();
            add(real, (ctx, Some(cancel)));
        }
        Op::WithTimeout(i, timeout) => {
            // No two deadlines are the same: of equal ones the outer counts, which the model does not know.
            let timeout = timeout * UNIT + count as u64;
            model.add(&[i % count], Some(model.now + timeout));
            let cause = Cause::msg(format!("timeout {count}"));
            let (ctx, cancel) = parent(i).with_timeout_cause(Duration::from_nanos(timeout), cause);
            add(real, (ctx, Some(cancel)));
        }
        Op::WithValue(i) => {
            model.add(&[i % count], None);
            let ctx = parent(i).with_value(7_u8);
            add(real, (ctx, None));
        }
        Op::Merge(a, b) => {
            model.add(&[a % count, b % count], None);
            let (ctx, cancel) = Context::merge([&parent(a), &parent(b)]);
            add(real, (ctx, Some(cancel)));
        }
        Op::Cancel(i) | Op::CancelCause(i) | Op::DropHandle(i) => {
            end(op, i % count, model, real);
        }
        Op::Keep(i) => real[i % count].cancel.take().into_iter().for_each(Cancel::keep),
        Op::Pass(by) => {
            model.now += by * UNIT;
            model.settle();
            fake::set(START + model.now, UNIT / 20);
        }
        Op::Ask(i) => _ = parent(i).err(),
        Op::Wait(i) => _ = is_done(&parent(i)),
        Op::Stay(i) => {
            let wait = Stayer::new(&parent(i));
            real[i % count].waits.push(wait);
        }
        Op::Renew(i) => poll_each(&mut real[i % count].waits, Stayer::polled),
        Op::Again(i) => poll_each(&mut real[i % count].waits, Stayer::again),
        Op::Leave(i) => _ = real[i % count].waits.pop(),
        Op::Call(i) => {
            let calls = Arc::new(AtomicUsize::new(0));
            let inside = calls.clone();
            let stop = parent(i).after_func(move || _ = inside.fetch_add(1, Ordering::Relaxed));
            real[i % count].calls.push((calls, Some(stop)));
        }
        Op::Stop(i) => {
            stop(model.nodes[i % count].end.is_some(), &mut real[i % count].calls);
        }
    }
}

fn poll_each(waits: &mut Vec<Stayer>, poll: fn(Stayer) -> Stayer) {
    *waits = std::mem::take(waits).into_iter().map(poll).collect();
}

/// Ends one node by its handle, if it still has it, in the model and for real.
fn end(op: &Op, node: usize, model: &mut Model, real: &mut [Real]) {
    let Some(handle) = real[node].cancel.take() else { return };
    let cause = match op {
        Op::CancelCause(_) => format!("cause {node}"),
        _ => Error::Canceled.to_string(),
    };
    model.nodes[node].end.get_or_insert((Error::Canceled, cause.clone()));
    model.settle();
    match op {
        Op::Cancel(_) => handle.cancel(),
        Op::CancelCause(_) => handle.cancel_cause(Cause::msg(cause)),
        _ => drop(handle),
    }
}

/// Stops the callbacks of one node: each runs once when the node has ended, and else never.
fn stop(ended: bool, calls: &mut [(Arc<AtomicUsize>, Option<crate::Stop>)]) {
    for (calls, stop) in calls {
        let before = calls.load(Ordering::Relaxed);
        if let Some(stop) = stop.take() {
            assert_eq!(stop.stop(), !ended, "stopped after the end, or not before it");
            assert_eq!(calls.load(Ordering::Relaxed), usize::from(ended), "ran {before} times before");
        }
    }
}

fn check(i: usize, ctx: &Context, node: &Ideal) -> Result<(), TestCaseError> {
    let end = ctx.err().zip(ctx.cause().map(|cause| cause.to_string()));
    prop_assert_eq!(&end, &node.end, "end of {}", i);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_notices_first_decides_nothing(ops in prop::collection::vec(op(), 1..50), last in 0..64_usize) {
        fake::set(START, 0);
        let mut model = Model::default();
        model.add(&[], None);
        let mut real = Vec::new();
        add(&mut real, (Context::background(), None));
        for op in &ops {
            apply(op, &mut model, &mut real);
        }
        // Some first, then all: outward, inward, or from the middle.
        let count = real.len();
        for i in (0..count).map(|i| (i + last) % count).rev() {
            check(i, &real[i].ctx, &model.nodes[i])?;
        }
        for (i, (real, node)) in real.iter().zip(&model.nodes).enumerate() {
            check(i, &real.ctx, node)?;
            prop_assert_eq!(is_done(&real.ctx), node.end.is_some());
            prop_assert!(node.end.is_none() || real.ctx.registered() == 0, "{} keeps entries", i);
        }
        for (i, (real, node)) in real.iter().zip(&model.nodes).enumerate() {
            let knows = real.waits.iter().filter(|wait| wait.knows()).count();
            prop_assert_eq!(knows, if node.end.is_some() { real.waits.len() } else { 0 }, "waiters of {}", i);
        }
        for (i, (real, node)) in real.iter().zip(&model.nodes).enumerate() {
            for (calls, stop) in &real.calls {
                if stop.is_some() {
                    prop_assert_eq!(calls.load(Ordering::Relaxed), usize::from(node.end.is_some()), "calls of {}", i);
                }
            }
        }
    }
}
