//! Which node's end or deadline decides: the path from a node outward, and what is due on it.

use std::sync::Arc;

use super::state::{MERGED, UNLINKED};
use super::{End, Node};
use crate::clock::NEVER;

/// A node on the path, with the time up to which deadlines on its clock are due.
pub(super) struct Step {
    pub(super) node: Arc<Node>,
    /// The next node outward, if it may have ended or be due.
    pub(super) above: Option<Arc<Node>>,
    pub(super) now: u64,
}

/// Goes from `node` outward, as far as anything may have ended or be due at `now`.
pub(super) fn path(node: &Arc<Node>, mut now: u64, mut step: impl FnMut(Step)) {
    let mut next = Some(node.clone());
    while let Some(node) = next {
        let source = if node.ended().is_some() { None } else { node.source(now) };
        if source.as_ref().is_some_and(|source| node.deadline == NEVER && source.deadline != NEVER) {
            // From here outward another clock rules.
            now = 0;
        }
        let matters =
            |source: &Arc<Node>| source.ended().is_some() || source.is(UNLINKED) || source.deadline <= now;
        next = source.filter(|source| (node.is(UNLINKED) || node.deadline <= now) && matters(source));
        step(Step { above: next.clone(), node, now });
    }
}

impl Node {
    /// Returns the next node outward whose end would be this one's: where its deadline comes from if that is due,
    /// else its parent.
    fn source(&self, now: u64) -> Option<Arc<Self>> {
        if self.is(MERGED) && self.deadline <= now {
            return self.deadline_source();
        }
        self.parent.node.clone()
    }

    /// Returns the parent that the deadline of a merged node comes from; `None` if it is its own.
    pub(super) fn deadline_source(&self) -> Option<Arc<Self>> {
        match &self.parent.node {
            _ if !self.is(MERGED) => None,
            Some(parent) if parent.deadline == self.deadline => Some(parent.clone()),
            _ => self.linked(self.deadline),
        }
    }
}

impl Step {
    /// Returns how the node ends now, if it lives and its source has ended or its own deadline is due.
    pub(super) fn due(&self) -> Option<End> {
        let node = &self.node;
        if node.ended().is_some() {
            return None;
        }
        let own = node.deadline != NEVER && !self.inherits();
        match self.above.as_ref().and_then(|above| above.outcome()) {
            // Whether its own deadline was due before that is asked of every node that a walk visits.
            Some(end) => Some(end),
            None if own && node.deadline <= self.now => Some(node.expiry()),
            None => node.moved_due(self.now).map(|at| node.moved_end(at)),
        }
    }

    /// Tells whether the node has its deadline from somebody above.
    fn inherits(&self) -> bool {
        let same = |other: &Arc<Node>| other.deadline == self.node.deadline;
        self.above.as_ref().or(self.node.parent.node.as_ref()).is_some_and(same)
    }
}
