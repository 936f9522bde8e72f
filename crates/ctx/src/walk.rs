//! What an end does to the tree below it, and what a drop does to the chain above; neither recurses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Weak};
use std::task::Waker;

use crate::context::Context;
use crate::error::{Cause, Error};
use crate::join::Link;
use crate::node::{Node, Registered};
use crate::value::AnyLayer;

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// Everything foreign that an ending tree has to call, once all of it is marked.
#[derive(Default)]
pub(crate) struct Told {
    /// The first waker: where it is the only one, nothing is allocated.
    first: Option<Waker>,
    wakers: Vec<Waker>,
    callbacks: Vec<Callback>,
    links: Vec<Link>,
    /// Children still to be ended; a list, because a tree may be deeper than a thread's stack.
    open: Vec<Children>,
    /// Causes prepared for deadlines that did not come first.
    pub(crate) unused: Vec<Cause>,
}

type Children = std::iter::Flatten<std::vec::IntoIter<Option<Weak<Node>>>>;

impl Told {
    pub(crate) fn new(first: Option<Waker>) -> Self {
        Self { first, ..Self::default() }
    }

    /// Takes over a waiter.
    pub(crate) fn wake_later(&mut self, waiter: Option<Waker>) {
        match waiter {
            Some(waker) if self.first.is_some() => self.wakers.push(waker),
            Some(waker) => self.first = Some(waker),
            None => (),
        }
    }

    /// Takes over everyone registered with a node that has just ended.
    pub(crate) fn take(&mut self, registered: Option<Registered>) {
        let Some(Registered { children, wakers, callbacks, links }) = registered else { return };
        // Most children have a waiter.
        self.wakers.reserve(wakers.len() + children.len());
        self.wakers.extend(wakers.into_values());
        self.callbacks.extend(callbacks.into_values());
        self.links.extend(links);
        if children.len() > 0 {
            self.open.push(children.into_values());
        }
    }

    /// Ends everything below, then wakes the waiters and runs the callbacks of the whole tree, in no promised order.
    pub(crate) fn spread(mut self, error: Error, cause: Option<&Cause>) {
        while let Some(children) = self.open.pop() {
            children
                .filter_map(|child| child.upgrade())
                .for_each(|child| child.finish_in_walk(error, cause, &mut self));
        }
        drop(self.links);
        run_all(self.first.into_iter().chain(self.wakers), Waker::wake);
        run_all(self.callbacks.into_iter(), |callback| callback());
    }
}

/// Runs foreign code for each item; one that panics (which the panic hook reports) stops no other.
fn run_all<T>(mut items: impl Iterator<Item = T>, mut run: impl FnMut(T)) {
    loop {
        let pass = std::panic::AssertUnwindSafe(|| items.by_ref().for_each(&mut run));
        if std::panic::catch_unwind(pass).is_ok() {
            return;
        }
    }
}

/// Runs one callback under the same rule.
pub(crate) fn run_one(callback: Callback) {
    run_all(std::iter::once(callback), |callback| callback());
}

/// Counts the live nodes below `root`; a merged one may be reached by several ways, and counts once.
pub(crate) fn descendants(root: &Node) -> usize {
    // Kept while it is looked for, so that no other node gets its address.
    let mut seen = HashMap::new();
    let mut open = root.children();
    while let Some(node) = open.pop() {
        if let Entry::Vacant(vacant) = seen.entry(Arc::as_ptr(&node)) {
            open.extend(node.children());
            vacant.insert(node);
        }
    }
    seen.values().filter(|node| node.err().is_none()).count()
}

/// Drops a context and whatever only it kept alive, without recursion: chains may be a million long.
pub(crate) fn release(ctx: Context) {
    let node = ctx.node.and_then(Arc::into_inner);
    // Mostly somebody else keeps the parent too, or there is none.
    if node.is_some() || ctx.layer.is_some() {
        release_chain(node, ctx.layer);
    }
}

fn release_chain(mut node: Option<Node>, mut layer: Option<Arc<AnyLayer>>) {
    let mut open = Vec::new();
    loop {
        if let Some(mut node) = node {
            open.push(node.take_parent());
        }
        if let Some(layer) = layer.as_mut().and_then(Arc::get_mut) {
            open.push(std::mem::take(&mut layer.parent));
        }
        let Some(next) = open.pop() else { return };
        node = next.node.and_then(Arc::into_inner);
        layer = next.layer;
    }
}
