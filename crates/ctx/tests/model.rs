//! Random trees and operations against a reference model that is too simple to be wrong.

use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error, ManualClock, MovableDeadline};
use proptest::prelude::*;

/// An operation on a tree; an index names a context, modulo the number of contexts.
#[derive(Clone, Debug)]
enum Op {
    WithCancel(usize),
    WithTimeout(usize, u64),
    WithMovable(usize, u64),
    Move(usize, u64),
    WithValue(usize),
    WithoutCancel(usize),
    Merge(usize, usize),
    Cancel(usize),
    CancelCause(usize),
    DropHandle(usize),
    Keep(usize),
    Advance(u64),
}

/// The reference: every context asks its sources each time; nothing is pushed, listed or woken.
#[derive(Default)]
struct Model {
    now: u64,
    sets: usize,
    nodes: Vec<ModelNode>,
}

#[derive(Default)]
struct ModelNode {
    sources: Vec<usize>,
    deadline: Option<u64>,
    value: usize,
    own_deadline: bool,
    /// Its deadline that moves, if it has one.
    movable: Option<u64>,
    /// The number of the operation that set its own deadline.
    set: usize,
    /// Kind and cause, once ended.
    end: Option<(Error, String)>,
    /// When its own deadline ended it.
    expired: Option<u64>,
}

impl Model {
    fn add(&mut self, sources: &[usize], deadline: Option<u64>, value: Option<usize>) {
        let inherited = sources.iter().filter_map(|&source| self.nodes[source].deadline).min();
        let own_deadline = deadline.is_some_and(|own| inherited.is_none_or(|inherited| own < inherited));
        let deadline = deadline.into_iter().chain(inherited).min();
        let value = value.unwrap_or_else(|| sources.first().map_or(0, |&source| self.nodes[source].value));
        self.sets += 1;
        let (sources, set) = (sources.to_vec(), self.sets);
        self.nodes.push(ModelNode {
            sources,
            deadline,
            value,
            own_deadline,
            set,
            movable: None,
            end: None,
            expired: None,
        });
        self.settle();
    }

    /// Sets a node's movable deadline, the first time even if it has ended.
    fn move_to(&mut self, i: usize, at: u64) {
        if self.nodes[i].end.is_none() || self.nodes[i].movable.is_none() {
            self.sets += 1;
            (self.nodes[i].movable, self.nodes[i].set) = (Some(at), self.sets);
            self.settle();
        }
    }

    /// Returns the earliest deadline: the fixed one, or one that moves, of this node or of a first source.
    fn deadline(&self, i: usize) -> Option<u64> {
        let chain = std::iter::successors(Some(i), |&i| self.nodes[i].sources.first().copied());
        chain.filter_map(|i| self.nodes[i].movable).chain(self.nodes[i].deadline).min()
    }

    fn is_due(&self, i: usize) -> bool {
        let node = &self.nodes[i];
        let own = node.deadline.filter(|_| node.own_deadline);
        node.end.is_none() && own.into_iter().chain(node.movable).any(|at| at <= self.now)
    }

    fn cancel(&mut self, node: usize, cause: &str) {
        self.nodes[node].end.get_or_insert((Error::Canceled, cause.to_owned()));
        self.settle();
    }

    fn advance(&mut self, by: u64) {
        for _ in 0..by {
            self.now += 1;
            self.settle();
        }
    }

    /// Lets ends flow down, then expires one context at a time: of equal deadlines the one set first.
    fn settle(&mut self) {
        loop {
            // Sources stand before what is derived from them, so one pass in order reaches all.
            for i in 0..self.nodes.len() {
                let from = self.nodes[i].sources.iter().find_map(|&source| self.nodes[source].end.clone());
                let node = &mut self.nodes[i];
                node.end = node.end.take().or(from);
            }
            let due = (0..self.nodes.len()).filter(|&i| self.is_due(i)).min_by_key(|&i| self.nodes[i].set);
            let Some(first) = due else { return };
            // Of several that are due on the way to the root, the outermost.
            let chain = std::iter::successors(Some(first), |&i| self.nodes[i].sources.first().copied());
            let i = chain.filter(|&i| self.is_due(i)).last().unwrap_or(first);
            self.nodes[i].end = Some((Error::DeadlineExceeded, self.cause(i)));
            self.nodes[i].expired = Some(self.now);
        }
    }

    /// Takes over an end of the real context where the order of two equal deadlines is not promised: a merged context was due
    /// by two of its sources in the same moment, and one of them is a deadline that was moved.
    fn take_tied(&mut self, i: usize, real: Option<&(Error, String)>) {
        let (Some(real), Some(model)) = (real, &self.nodes[i].end) else { return };
        let moved = Error::DeadlineExceeded.to_string();
        if real == model || real.0 != model.0 || (real.1 != moved && model.1 != moved) {
            return;
        }
        let (mut open, mut expired) = (vec![i], Vec::new());
        while let Some(i) = open.pop() {
            expired.extend(self.nodes[i].expired.map(|at| (at, self.cause(i))));
            open.extend(&self.nodes[i].sources);
        }
        let at = |cause: &str| expired.iter().find(|(_, of)| of == cause).map(|(at, _)| *at);
        let is_tie = expired.iter().any(|(when, of)| *of == real.1 && at(&model.1) == Some(*when));
        if is_tie {
            self.nodes[i].end = Some(real.clone());
        }
    }

    /// Returns the cause that a deadline has: one that moves has none of its own.
    fn cause(&self, i: usize) -> String {
        match self.nodes[i].movable {
            Some(_) => Error::DeadlineExceeded.to_string(),
            None => format!("timeout {i}"),
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let index = 0..64_usize;
    prop_oneof![
        3 => index.clone().prop_map(Op::WithCancel),
        3 => (index.clone(), 0..12_u64).prop_map(|(parent, timeout)| Op::WithTimeout(parent, timeout)),
        2 => (index.clone(), 0..12_u64).prop_map(|(parent, timeout)| Op::WithMovable(parent, timeout)),
        3 => (index.clone(), 0..12_u64).prop_map(|(i, timeout)| Op::Move(i, timeout)),
        2 => index.clone().prop_map(Op::WithValue),
        1 => index.clone().prop_map(Op::WithoutCancel),
        2 => (index.clone(), index.clone()).prop_map(|(a, b)| Op::Merge(a, b)),
        1 => index.clone().prop_map(Op::Cancel),
        1 => index.clone().prop_map(Op::CancelCause),
        1 => index.clone().prop_map(Op::DropHandle),
        1 => index.prop_map(Op::Keep),
        2 => (0..5_u64).prop_map(Op::Advance),
    ]
}

/// The real tree, next to the model.
struct Real {
    clock: ManualClock,
    nodes: Vec<(Context, Option<Handle>)>,
}

enum Handle {
    Fixed(Cancel),
    Movable(MovableDeadline),
}

impl Handle {
    fn cancel(&self) -> &Cancel {
        match self {
            Self::Fixed(cancel) => cancel,
            Self::Movable(movable) => movable,
        }
    }
}

fn apply_moving(op: &Op, model: &mut Model, real: &mut Real) {
    let count = real.nodes.len();
    match *op {
        Op::WithMovable(i, timeout) => {
            model.add(&[i % count], None, None);
            model.move_to(count, model.now + timeout);
            let (ctx, movable) = real.nodes[i % count].0.with_movable_timeout(Duration::from_nanos(timeout));
            real.nodes.push((ctx, Some(Handle::Movable(movable))));
        }
        Op::Move(i, timeout) => {
            let i = i % count;
            let (ctx, Some(Handle::Movable(movable))) = &real.nodes[i] else { return };
            let moved = movable.move_after(Duration::from_nanos(timeout));
            assert_eq!(moved, ctx.err().is_none());
            model.move_to(i, model.now + timeout);
        }
        _ => (),
    }
}

fn apply(op: &Op, model: &mut Model, real: &mut Real) {
    let count = real.nodes.len();
    let parent = |index: usize| real.nodes[index % count].0.clone();
    let added = match *op {
        Op::WithCancel(i) => {
            model.add(&[i % count], None, None);
            parent(i).with_cancel()
        }
        Op::WithTimeout(i, timeout) => {
            model.add(&[i % count], Some(model.now + timeout), None);
            parent(i)
                .with_timeout_cause(Duration::from_nanos(timeout), Cause::msg(format!("timeout {count}")))
        }
        Op::WithMovable(..) | Op::Move(..) => return apply_moving(op, model, real),
        Op::WithValue(i) => {
            model.add(&[i % count], None, Some(count));
            real.nodes.push((parent(i).with_value(count), None));
            return;
        }
        Op::WithoutCancel(i) => {
            model.add(&[], None, Some(model.nodes[i % count].value));
            real.nodes.push((parent(i).without_cancel(), None));
            return;
        }
        Op::Merge(a, b) => {
            model.add(&[a % count, b % count], None, None);
            Context::merge([&parent(a), &parent(b)])
        }
        Op::Cancel(i) | Op::CancelCause(i) | Op::DropHandle(i) => {
            let i = i % count;
            let Some(handle) = real.nodes[i].1.take() else { return };
            match op {
                Op::Cancel(_) => handle.cancel().cancel(),
                Op::CancelCause(_) => handle.cancel().cancel_cause(Cause::msg(format!("cause {i}"))),
                _ => drop(handle),
            }
            let cause = match op {
                Op::CancelCause(_) => format!("cause {i}"),
                _ => Error::Canceled.to_string(),
            };
            model.cancel(i, &cause);
            return;
        }
        Op::Keep(i) => {
            if let Some(handle) = real.nodes[i % count].1.take() {
                match handle {
                    Handle::Fixed(cancel) => cancel.keep(),
                    Handle::Movable(movable) => movable.into_cancel().keep(),
                }
            }
            return;
        }
        Op::Advance(by) => {
            real.clock.advance(Duration::from_nanos(by));
            model.advance(by);
            return;
        }
    };
    real.nodes.push((added.0, Some(Handle::Fixed(added.1))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_does_what_the_model_says(ops in prop::collection::vec(op(), 1..60)) {
        let clock = ManualClock::new();
        let start = clock.now();
        let mut model = Model::default();
        model.add(&[], None, None);
        let root = clock.attach(&Context::background()).with_value(0_usize);
        let mut real = Real { clock, nodes: vec![(root, None)] };
        for op in &ops {
            apply(op, &mut model, &mut real);
            for (i, (ctx, _)) in real.nodes.iter().enumerate() {
                let deadline = ctx.deadline().map(|deadline| (deadline - start).as_nanos() as u64);
                prop_assert_eq!(deadline, model.deadline(i), "deadline of {} after {:?}", i, op);
                let end = ctx.err().zip(ctx.cause().map(|cause| cause.to_string()));
                model.take_tied(i, end.as_ref());
                let node = &model.nodes[i];
                prop_assert_eq!(&end, &node.end, "end of {} after {:?}", i, op);
                prop_assert_eq!(ctx.value::<usize>(), Some(&node.value));
                prop_assert!(node.end.is_none() || ctx.registered() == 0);
            }
        }
        let live = real.nodes.iter().filter(|(ctx, _)| ctx.err().is_none()).count();
        prop_assert_eq!(live, model.nodes.iter().filter(|node| node.end.is_none()).count());
    }
}
