//! Layers that carry a value: the type is the key.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::context::Context;
use crate::walk::release;

/// A layer without a node: it carries a value and ends with its parent.
pub(crate) struct Layer<T: ?Sized> {
    pub(crate) parent: Context,
    /// The type of the value, at hand without a virtual call.
    key: TypeId,
    pub(crate) name: &'static str,
    value: T,
}

pub(crate) type AnyLayer = Layer<dyn Any + Send + Sync>;

/// The value of a layer that only cuts off cancellation.
pub(crate) struct Detached;

impl<T: Send + Sync + 'static> Layer<T> {
    pub(crate) fn new(parent: Context, value: T) -> Arc<AnyLayer> {
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
        release(std::mem::take(&mut self.parent));
    }
}
