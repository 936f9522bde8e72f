//! Debug strings in Go's style: the way from the root, one word per layer, and never a payload.

use std::fmt;
use std::time::Instant;

use crate::clock::{self, NEVER};
use crate::context::Context;
use crate::id::Id;
use crate::node::{Detached, Moving, Position, TODO, Watched};
use crate::timer::Timed;

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layers = Vec::new();
        let mut next = Some(&self.0);
        while let Some(position) = next {
            layers.push(position);
            next = position.outer();
        }
        layers.iter().rev().try_for_each(|position| {
            self.fmt_layer(position, f)?;
            (0..position.sharers()).try_for_each(|_| f.write_str(".WithCancel"))
        })
    }
}

impl Context {
    fn fmt_layer(&self, position: &Position, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&position.layer, &position.node) {
            (None, Some(node)) => {
                let inherited = node.parent.node.as_ref().map_or(NEVER, |parent| parent.deadline);
                let own = match node.moving() {
                    Some(moving) => moving.at(),
                    None if inherited != node.deadline => node.deadline,
                    None => NEVER,
                };
                match clock::instant(own) {
                    Some(deadline) => fmt_deadline(deadline, self.now(), f),
                    None => f.write_str(".WithCancel"),
                }
            }
            (Some(layer), _) if layer.get::<Detached>().is_some() => f.write_str(".WithoutCancel"),
            (Some(layer), _) if layer.get::<Watched>().is_some() => f.write_str(".WithClock"),
            (Some(layer), _) if layer.get::<Timed>().is_some() => f.write_str(".WithTimer"),
            // Its node, next inward, shows it.
            (Some(layer), _) if layer.get::<Moving>().is_some() => Ok(()),
            (Some(layer), _) => match layer.get::<Id>() {
                Some(id) => write!(f, ".WithId({id})"),
                None => write!(f, ".WithValue({})", layer.name),
            },
            _ if position.flags & TODO != 0 => f.write_str("context.TODO"),
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
