//! Random trees and operations against a reference model that is too simple to be wrong.

use std::time::Duration;

use ctx::{Cancel, Cause, Context, Error, ManualClock};
use proptest::prelude::*;

/// An operation on a tree; an index names a context, modulo the number of contexts.
#[derive(Clone, Debug)]
enum Op {
    WithCancel(usize),
    WithTimeout(usize, u64),
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
    nodes: Vec<ModelNode>,
}

#[derive(Default)]
struct ModelNode {
    sources: Vec<usize>,
    deadline: Option<u64>,
    value: usize,
    own_deadline: bool,
    /// Kind and cause, once ended.
    end: Option<(Error, String)>,
}

impl Model {
    fn add(&mut self, sources: &[usize], deadline: Option<u64>, value: Option<usize>) {
        let inherited = sources.iter().filter_map(|&source| self.nodes[source].deadline).min();
        let own_deadline = deadline.is_some_and(|own| inherited.is_none_or(|inherited| own < inherited));
        let deadline = deadline.into_iter().chain(inherited).min();
        let value = value.unwrap_or_else(|| sources.first().map_or(0, |&source| self.nodes[source].value));
        self.nodes.push(ModelNode { sources: sources.to_vec(), deadline, value, own_deadline, end: None });
        self.settle();
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
            let now = self.now;
            let due = |node: &ModelNode| node.own_deadline && node.deadline.is_some_and(|at| at <= now);
            let Some(i) = self.nodes.iter().position(|node| node.end.is_none() && due(node)) else { return };
            self.nodes[i].end = Some((Error::DeadlineExceeded, format!("timeout {i}")));
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let index = 0..64_usize;
    prop_oneof![
        3 => index.clone().prop_map(Op::WithCancel),
        3 => (index.clone(), 0..12_u64).prop_map(|(parent, timeout)| Op::WithTimeout(parent, timeout)),
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
    nodes: Vec<(Context, Option<Cancel>)>,
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
                Op::Cancel(_) => handle.cancel(),
                Op::CancelCause(_) => handle.cancel_cause(Cause::msg(format!("cause {i}"))),
                _ => drop(handle),
            }
            let cause = if matches!(op, Op::CancelCause(_)) {
                format!("cause {i}")
            } else {
                Error::Canceled.to_string()
            };
            model.cancel(i, &cause);
            return;
        }
        Op::Keep(i) => {
            if let Some(handle) = real.nodes[i % count].1.take() {
                handle.keep();
            }
            return;
        }
        Op::Advance(by) => {
            real.clock.advance(Duration::from_nanos(by));
            model.advance(by);
            return;
        }
    };
    real.nodes.push((added.0, Some(added.1)));
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
            for (i, (node, (ctx, _))) in model.nodes.iter().zip(&real.nodes).enumerate() {
                let deadline = ctx.deadline().map(|deadline| (deadline - start).as_nanos() as u64);
                prop_assert_eq!(deadline, node.deadline, "deadline of {} after {:?}", i, op);
                let end = ctx.err().zip(ctx.cause().map(|cause| cause.to_string()));
                prop_assert_eq!(&end, &node.end, "end of {} after {:?}", i, op);
                prop_assert_eq!(ctx.value::<usize>(), Some(&node.value));
                prop_assert!(node.end.is_none() || ctx.registered() == 0);
            }
        }
        let live = real.nodes.iter().filter(|(ctx, _)| ctx.err().is_none()).count();
        prop_assert_eq!(live, model.nodes.iter().filter(|node| node.end.is_none()).count());
    }
}
