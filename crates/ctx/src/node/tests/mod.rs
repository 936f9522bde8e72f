//! The inside of a node, where nothing else shows it: lists by thread, and deadlines on a clock that a test sets.

mod clock;
mod lent;
mod order;
mod shards;
