//! Where a context stands in its tree, and the layers that carry values.

use std::any::{Any, TypeId};
use std::sync::Arc;

use super::release::{Remains, release};
use super::{Node, Watched, Watcher};

/// The root is `todo`, not `background`.
pub(crate) const TODO: u8 = 1;
/// A layer outward carries a [`Watcher`], which lists every deadline set from here on.
pub(crate) const WATCHER: u8 = 2;
/// That watcher is a clock turned by hand: no deadline set from here on passes by the system's clock.
pub(crate) const MANUAL: u8 = 4;
/// A layer outward carries a [`Timer`](crate::Timer), from whose present timeouts are counted.
pub(crate) const CLOCKED: u8 = 8;
/// A deadline outward may move.
pub(crate) const MOVABLE: u8 = 16;

/// The nearest node and the nearest layer; a root has neither.
#[derive(Clone, Default)]
pub(crate) struct Position {
    pub(crate) node: Option<Arc<Node>>,
    /// The innermost layer, if it is further in than the node; so most clones count up one pointer only.
    pub(crate) layer: Option<Arc<AnyLayer>>,
    pub(crate) flags: u8,
}

impl Position {
    /// Returns the position of a root.
    pub(crate) const fn root(flags: u8) -> Self {
        Self { node: None, layer: None, flags }
    }

    /// Returns the position of a new layer with `value`, next inward.
    pub(crate) fn with_layer<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self { node: self.node.clone(), layer: Some(Layer::new(self.clone(), value)), flags: self.flags }
    }

    /// Returns the position that this one was derived from.
    pub(crate) fn outer(&self) -> Option<&Self> {
        match (&self.layer, &self.node) {
            (Some(layer), _) => Some(&layer.parent),
            (None, Some(node)) => Some(&node.parent),
            (None, None) => None,
        }
    }

    /// Returns the nearest value of type `T` outward.
    pub(crate) fn value<T: 'static>(&self) -> Option<&T> {
        let mut position = self;
        loop {
            if let Some(value) = position.layer.as_ref().and_then(|layer| layer.get::<T>()) {
                return Some(value);
            }
            position = position.outer()?;
        }
    }

    /// Returns who watches the deadlines set here.
    pub(crate) fn watcher(&self) -> Option<&Arc<dyn Watcher>> {
        if self.flags & WATCHER == 0 { None } else { self.value::<Watched>().map(|watched| &watched.0) }
    }

    /// Tells whether others keep all that this position keeps, so that dropping it drops nothing else.
    pub(super) fn is_shared(&self) -> bool {
        self.node.as_ref().is_none_or(|node| Arc::strong_count(node) > 1)
            && self.layer.as_ref().is_none_or(|layer| Arc::strong_count(layer) > 1)
    }
}

/// A layer without a node: it carries a value and ends with its parent.
pub(crate) struct Layer<T: ?Sized> {
    pub(crate) parent: Position,
    /// The type of the value, at hand without a virtual call.
    key: TypeId,
    pub(crate) name: &'static str,
    value: T,
}

pub(crate) type AnyLayer = Layer<dyn Any + Send + Sync>;

/// The value of a layer that only cuts off cancellation.
pub(crate) struct Detached;

impl<T: Send + Sync + 'static> Layer<T> {
    pub(crate) fn new(parent: Position, value: T) -> Arc<AnyLayer> {
        Arc::new(Self { parent, key: TypeId::of::<T>(), name: std::any::type_name::<T>(), value })
    }
}

impl AnyLayer {
    pub(crate) fn get<T: 'static>(&self) -> Option<&T> {
        if self.key == TypeId::of::<T>() { self.value.downcast_ref() } else { None }
    }
}

impl<T: ?Sized> Drop for Layer<T> {
    fn drop(&mut self) {
        let parent = std::mem::take(&mut self.parent);
        if !parent.is_shared() {
            release(Remains::of(parent));
        }
    }
}
