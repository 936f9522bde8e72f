//! Where a context stands in its tree, and the layers that carry values.

use std::any::{Any, TypeId};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::release::{Remains, release};
use super::{Node, Watched, Watcher};

/// The root is `todo`, not `background`.
pub(crate) const TODO: u64 = 1;
/// A layer outward carries a [`Watcher`], which lists every deadline set from here on.
pub(crate) const WATCHER: u64 = 2;
/// That watcher is a clock turned by hand: no deadline set from here on passes by the system's clock.
pub(crate) const MANUAL: u64 = 4;
/// A layer outward carries a [`Timer`](crate::Timer), from whose present timeouts are counted.
pub(crate) const CLOCKED: u64 = 8;
/// A deadline outward may move.
pub(crate) const MOVABLE: u64 = 16;
/// Counts, in the bits from here to the first mark, the contexts that were derived below an ended node and share its
/// position.
const SHARER: u64 = 32;
const SHARERS: u64 = (1 << FIRST_MARK) - SHARER;
/// The first of the bits that say which values there may be.
const FIRST_MARK: u32 = 16;

/// Returns the bit that every position inward of a value of type `T` has. Types share bits, so it only tells where there
/// is none: what is not there is then not looked for layer by layer.
fn mark<T: 'static>() -> u64 {
    let mut hash = Fold(0);
    TypeId::of::<T>().hash(&mut hash);
    1 << (FIRST_MARK + (hash.finish() % u64::from(u64::BITS - FIRST_MARK)) as u32)
}

/// The hash of what is a hash already.
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 ^= hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The nearest node and the nearest layer; a root has neither.
#[derive(Clone, Default)]
pub(crate) struct Position {
    pub(crate) node: Option<Arc<Node>>,
    /// The innermost layer, if it is further in than the node; so most clones count up one pointer only.
    pub(crate) layer: Option<Arc<AnyLayer>>,
    /// Flags, the count of [`SHARERS`], and a mark for the type of each value outward.
    pub(crate) flags: u64,
}

impl Position {
    /// Returns the position of a root.
    pub(crate) const fn root(flags: u64) -> Self {
        Self { node: None, layer: None, flags }
    }

    /// Returns the position of a new layer with `value`, next inward.
    pub(crate) fn with_layer<T: Send + Sync + 'static>(&self, value: T) -> Self {
        let flags = self.flags & !SHARERS | mark::<T>();
        Self { node: self.node.clone(), layer: Some(Layer::new(self.clone(), value)), flags }
    }

    /// Returns the position of a node that was derived here.
    #[inline]
    pub(crate) fn inward(&self, node: Arc<Node>) -> Self {
        Self { node: Some(node), layer: None, flags: self.flags & !SHARERS }
    }

    /// Returns the position of a context that ends with its parent, if the node here has ended: it shares the node, for
    /// neither can change any more, and only `Debug` tells them apart. `None` if the node lives, has somebody to
    /// notify, or has been shared as often as is counted.
    #[inline]
    pub(crate) fn below_ended(&self) -> Option<Self> {
        let ended = self.node.as_ref().is_some_and(|node| node.is_over());
        (ended && self.flags & SHARERS != SHARERS)
            .then(|| Self { flags: self.flags + SHARER, ..self.clone() })
    }

    /// Returns the number of contexts on the way to this one that share its node and layer.
    pub(crate) fn sharers(&self) -> u64 {
        (self.flags & SHARERS) / SHARER
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
        if self.flags & mark::<T>() == 0 {
            return None;
        }
        let mut position = self;
        loop {
            if let Some(value) = position.layer.as_ref().and_then(|layer| layer.get::<T>()) {
                return Some(value);
            }
            position = position.outer()?;
        }
    }

    /// Returns the nearest value of type `T` outward, and the position that its layer was derived from.
    pub(crate) fn value_and_outer<T: 'static>(&self) -> Option<(&T, &Self)> {
        let mut position = (self.flags & mark::<T>() != 0).then_some(self)?;
        loop {
            let outer = position.outer()?;
            if let Some(value) = position.layer.as_ref().and_then(|layer| layer.get::<T>()) {
                return Some((value, outer));
            }
            position = outer;
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
