//! The scenarios that a fault fails in some runs and passes in others.

use crate::Fault;

impl Fault {
    /// The scenarios that the fault fails or passes as the order of packets and threads has it: what they cannot prove is
    /// neither asked for, nor a surprise.
    pub fn may_fail(self) -> &'static [&'static str] {
        match self {
            // The client grants a window when it has read enough, with streams under way or with none.
            Self::H2TakesFramesForLeaving => &["h2/kept-full"],
            // A query that is canceled at its deadline runs only if the pool was free before.
            Self::CancelsLate => &["outside/query-slots"],
            _ => &[],
        }
    }
}
