//! What only the inside of a node shows: lists by thread, and deadlines on a clock that a test sets.

mod clock;
mod order;
mod shards;
