//! Faults that can be put into the server, the ways it waits, and its socket.

use clap::ValueEnum;

/// A fault that some orders of events bring to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Work that ends after its deadline is a success, since nothing asks the context again.
    LateSuccess,
    /// A spawned task does its work without its context.
    DetachedWork,
    /// A waiter keeps the waker of its first poll.
    StaleWaker,
    /// A permit that was handed to a waiter is lost when that is dropped before its next poll.
    LostPermit,
    /// A request's context is made below the server's, not the connection's, and kept.
    KeptContext,
    /// A timer fires a moment early.
    EarlyTimer,
    /// The identity of a request is kept where the next request overwrites it.
    SharedIdentity,
    /// A callback is taken back when its request's future is dropped.
    DroppedCallback,
    /// A write that has room for a part of its bytes puts that part out twice.
    RepeatedBytes,
    /// A read at the end of the stream waits for ever.
    DeafToEnd,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 10] = [
        Self::LateSuccess,
        Self::DetachedWork,
        Self::StaleWaker,
        Self::LostPermit,
        Self::KeptContext,
        Self::EarlyTimer,
        Self::SharedIdentity,
        Self::DroppedCallback,
        Self::RepeatedBytes,
        Self::DeafToEnd,
    ];
}
