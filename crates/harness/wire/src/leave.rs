//! The ways to leave.

use std::time::Instant;

use super::Wire;

/// The ways in which a client disconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It closes.
    Fin,
    /// It resets.
    Rst,
    /// It shuts down its sending half and goes on reading.
    HalfClose,
}

impl std::fmt::Display for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::HalfClose => "half-close",
        })
    }
}

impl Leave {
    /// Leaves; gives the moment just before, and the connection if there still is one.
    pub fn act(self, wire: Wire) -> (Instant, Option<Wire>) {
        match self {
            Self::Fin => (wire.close(), None),
            Self::Rst => (wire.reset(), None),
            Self::HalfClose => (wire.half_close(), Some(wire)),
        }
    }
}
