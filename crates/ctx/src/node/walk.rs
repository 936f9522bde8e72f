//! The end of a tree, without recursion: all of it is marked first, and only then is anyone notified.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use super::due::{Step, path};
use super::lists::{Callback, Link};
use super::release::{contain, contain_each};
use super::state::{MERGED, MOVES, Marked, TIMED};
use super::{End, Node};
use crate::error::{Cause, Error};
use crate::few::Few;
use crate::slab::Slab;

/// The steps of an end: marks alone, or notifications too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Marks the tree, and leaves everyone to be notified by the next who may run foreign code.
    Mark,
    /// Marks the tree, then wakes, calls back, and drops.
    Notify,
}

/// One end of a tree, or several that are due at once.
pub(crate) struct Walk {
    mode: Mode,
    open: Few<Task>,
    /// The ends that the walk spreads; a task names one by its number.
    ends: Few<End>,
    /// The outermost nodes that ended here: they leave their parents' lists.
    tops: Few<Arc<Node>>,
    /// Nodes whose lists are emptied when everything is marked.
    listed: Few<Arc<Node>>,
    /// Merged nodes that were visited: several ways lead to them.
    seen: BTreeSet<usize>,
    notices: Notices,
}

/// A step that is still to be done, last in first out; a list, because a tree may be deeper than a thread's stack.
enum Task {
    /// End these nodes, and all below, so.
    Children(Vec<Arc<Node>>, usize),
    /// End this node so, now that the source of its own deadline has ended.
    Revisit(Arc<Node>, usize),
    /// End this node if its source has ended or its deadline is due.
    Decide(Step),
}

/// Everything foreign that an ended tree has to run or drop.
#[derive(Default)]
struct Notices {
    wakers: Few<Waker>,
    /// Waiters lent by children, in the slabs that held them.
    lent: Few<Slab<Waker>>,
    callbacks: Vec<Callback>,
    links: Vec<Link>,
    /// Causes prepared for deadlines that did not come first.
    unused: Vec<Cause>,
    /// Nodes whose last handle went away meanwhile.
    dropped: Vec<Node>,
}

impl Walk {
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            open: Few::default(),
            ends: Few::default(),
            tops: Few::default(),
            listed: Few::default(),
            seen: BTreeSet::new(),
            notices: Notices::default(),
        }
    }

    /// Ends whatever from `node` outward is due at `now` or below an ended node, outermost first; returns how
    /// `node` ended.
    pub(super) fn resolve(mut self, node: &Arc<Node>, now: u64) -> Option<Error> {
        self.decide(node, now);
        self.run();
        self.finish();
        node.ended()
    }

    /// Ends `top` and everything below.
    pub(super) fn end(&mut self, top: &Arc<Node>, end: End) {
        let end = self.note(end);
        self.visit(top, end, false);
        self.tops.push(top.clone());
        self.run();
    }

    /// Visits an ended node, to notify whoever was left.
    pub(super) fn visit_below(&mut self, top: &Arc<Node>) {
        self.descend(top, None);
        self.tops.push(top.clone());
        self.run();
    }

    /// Opens the way from `node` outward, so that its outermost node comes first.
    fn decide(&mut self, node: &Arc<Node>, now: u64) {
        path(node, now, |step| self.open.push(Task::Decide(step)));
    }

    fn run(&mut self) {
        while let Some(task) = self.open.pop() {
            match task {
                Task::Children(children, end) => {
                    for child in children {
                        self.visit(&child, end, false);
                        self.give_up(child);
                    }
                }
                Task::Revisit(node, end) => {
                    self.visit(&node, end, true);
                    self.give_up(node);
                }
                Task::Decide(step) => {
                    if let Some(end) = step.due() {
                        let end = self.note(end);
                        self.visit(&step.node, end, false);
                        self.tops.push(step.node);
                    } else if self.mode == Mode::Notify && step.node.ended().is_some() {
                        self.descend(&step.node, None);
                    }
                }
            }
        }
    }

    /// Marks a node with this end, or with its own deadline if that was due before, where on a tie the outer end
    /// stands; and opens what is below.
    fn visit(&mut self, node: &Arc<Node>, end: usize, again: bool) {
        if node.is(MERGED | TIMED | MOVES) {
            self.visit_own(node, end, again);
        } else {
            self.mark(node, end);
        }
    }

    /// Visits a node that may have a deadline of its own, or more ways that lead to it.
    fn visit_own(&mut self, node: &Arc<Node>, mut end: usize, again: bool) {
        if node.is(MERGED) && self.seen.contains(&Arc::as_ptr(node).addr()) {
            return;
        }
        let now = self.ends.get(end).map_or(0, |end| end.at);
        if node.is(TIMED) && node.deadline < now && node.ended().is_none() {
            match node.deadline_source() {
                Some(source) if source.ended().is_none() && !again => {
                    self.open.push(Task::Revisit(node.clone(), end));
                    return self.decide(&source, now);
                }
                source => {
                    let earlier = source.and_then(|source| source.outcome()).unwrap_or_else(|| node.expiry());
                    end = self.note(earlier);
                }
            }
        }
        if node.is(MOVES)
            && node.ended().is_none()
            && let Some(at) = node.moved_before(self.ends.get(end).map_or(0, |end| end.at))
        {
            end = self.note(node.moved_end(at));
        }
        if node.is(MERGED) {
            self.seen.insert(Arc::as_ptr(node).addr());
        }
        self.mark(node, end);
    }

    /// Marks a node with this end, and opens what is below.
    #[inline]
    fn mark(&mut self, node: &Arc<Node>, number: usize) {
        let Some(end) = self.ends.get(number) else { return };
        match node.mark(end, self.mode, &mut self.notices.wakers) {
            Marked::Now if node.lists().is_none() => (),
            Marked::Now => self.descend(node, Some(number)),
            Marked::Instead(unused) => {
                self.set_aside(node, unused);
                self.descend(node, Some(number));
            }
            // By another thread, which may not have come to all below yet.
            Marked::Before => self.descend(node, None),
        }
    }

    /// Opens the children of an ended node; they end as it did.
    fn descend(&mut self, node: &Arc<Node>, end: Option<usize>) {
        // What another thread's end has marked, that one notifies before its cancel returns.
        let mut ours = end.is_some();
        if self.mode == Mode::Notify
            && !ours
            && let Some(waiter) = node.take_unnotified()
        {
            self.notices.wakers.extend(waiter);
            ours = true;
        }
        let Some(lists) = node.lists() else { return };
        let children = lists.children();
        if !children.is_empty()
            && let Some(end) = end.or_else(|| self.outcome(node))
        {
            self.notices.wakers.reserve(children.len());
            self.open.push(Task::Children(children, end));
        }
        if self.mode == Mode::Notify && ours {
            self.listed.push(node.clone());
        }
    }

    /// Notes the end of a node that another thread has marked, and returns its number.
    fn outcome(&mut self, node: &Node) -> Option<usize> {
        node.outcome().map(|end| self.note(end))
    }

    /// Notes an end to spread, and returns its number.
    fn note(&mut self, end: End) -> usize {
        self.ends.push(end);
        self.ends.len() - 1
    }

    /// Keeps a cause that is of no use until foreign code may run.
    fn set_aside(&mut self, node: &Arc<Node>, unused: Cause) {
        match self.mode {
            Mode::Notify => self.notices.unused.push(unused),
            Mode::Mark => node.keep_unused(unused),
        }
    }

    /// Drops a handle of the walk's own; if it was the last, the node is kept until foreign code may run.
    #[inline]
    fn give_up(&mut self, node: Arc<Node>) {
        if let Some(node) = Arc::into_inner(node) {
            self.notices.keep(node);
        }
    }

    /// Empties the lists, now that everything is marked, and runs what is foreign, each in a net of its own.
    pub(super) fn finish(mut self) {
        for node in std::mem::take(&mut self.listed) {
            self.notices.take(&node);
            self.give_up(node);
        }
        for top in std::mem::take(&mut self.tops) {
            top.leave_if_notified();
            self.give_up(top);
        }
        let ends = self.ends;
        self.notices.run();
        contain_each(ends.into_iter().filter_map(|end| end.cause), drop);
    }
}

impl Notices {
    /// Kept apart, because a node is moved seldom.
    #[cold]
    fn keep(&mut self, node: Node) {
        self.dropped.push(node);
    }

    /// Takes over whatever is registered with an ended node.
    fn take(&mut self, node: &Node) {
        let Some(registered) = node.take_registered() else { return };
        self.wakers.extend(registered.wakers.into_values());
        if registered.children.lent.len() > 0 {
            self.lent.push(registered.children.lent);
        }
        self.callbacks.extend(registered.callbacks.into_values());
        self.links.extend(registered.links);
        self.unused.extend(registered.unused);
    }

    /// Wakes, calls back, and drops what is foreign, in this order; a panic of one stops no other.
    fn run(self) {
        contain_each(self.wakers, Waker::wake);
        contain_each(self.lent.into_iter().flat_map(Slab::into_values), Waker::wake);
        contain_each(self.callbacks, |callback| callback());
        contain_each(self.links, drop);
        contain_each(self.unused, drop);
        contain_each(self.dropped, drop);
    }
}

/// Wakes all who wait in the tree of `top`, and leaves them registered: what they rely on has changed.
pub(crate) fn wake_all(top: &Arc<Node>) {
    let mut wakers = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![top.clone()];
    while let Some(node) = open.pop() {
        if seen.insert(Arc::as_ptr(&node).addr()) {
            node.clone_wakers(&mut wakers);
            open.extend(node.children());
        }
        contain(|| drop(node));
    }
    contain_each(wakers, Waker::wake);
}

impl Node {
    /// Counts the live nodes below that are listed or have lent a waiter; a merged one may be reached by several ways,
    /// and counts once.
    pub(crate) fn descendants(self: &Arc<Self>) -> usize {
        // Kept while they are looked for, so that no other node gets the address of one.
        let mut found = BTreeMap::new();
        let mut open = self.children();
        while let Some(node) = open.pop() {
            if let Entry::Vacant(vacant) = found.entry(Arc::as_ptr(&node).addr()) {
                open.extend(node.children());
                vacant.insert(node);
            }
        }
        // An entry that is lent stands for a live child: a cancel or the drop of the child removes it.
        let live = |node: &Arc<Self>| node.err().is_none();
        let below = |node: &Arc<Self>| if live(node) { node.count_lent() } else { 0 };
        let count = found.values().filter(|node| live(node)).count();
        let count = count + found.values().chain([self]).map(below).sum::<usize>();
        contain_each(found, drop);
        count
    }
}
