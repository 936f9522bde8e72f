//! Debug strings in Go's style: the way from the root, one word per layer, and never a payload.

use std::fmt;
use std::time::Instant;

use crate::context::{Context, TODO};
use crate::timers::Watched;
use crate::value::Detached;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layers = Vec::new();
        let mut at = Some(self);
        while let Some(ctx) = at {
            layers.push(ctx);
            at = ctx.outer();
        }
        layers.iter().rev().try_for_each(|ctx| ctx.fmt_layer(f))
    }
}

impl Context {
    fn fmt_layer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.layer, &self.node) {
            (None, Some(node)) => match node.deadline.filter(|_| node.parent.deadline() != node.deadline) {
                Some(deadline) => fmt_deadline(deadline, self.now(), f),
                None => f.write_str(".WithCancel"),
            },
            (Some(layer), _) if layer.get::<Detached>().is_some() => f.write_str(".WithoutCancel"),
            (Some(layer), _) if layer.get::<Watched>().is_some() => f.write_str(".WithClock"),
            (Some(layer), _) => write!(f, ".WithValue({})", layer.name),
            _ if self.flags & TODO != 0 => f.write_str("context.TODO"),
            _ => f.write_str("context.Background"),
        }
    }
}

/// An `Instant` has no calendar time, so only what remains is shown.
fn fmt_deadline(deadline: Instant, now: Instant, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match deadline.checked_duration_since(now) {
        Some(left) => write!(f, ".WithDeadline([{left:?}])"),
        None => write!(f, ".WithDeadline([-{:?}])", now - deadline),
    }
}
