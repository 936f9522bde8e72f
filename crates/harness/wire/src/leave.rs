//! The ways to leave.

use std::time::Instant;

use super::Wire;

/// The ways in which a client disconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Leave {
    /// It closes.
    #[strum(to_string = "FIN")]
    Fin,
    /// It resets.
    #[strum(to_string = "RST")]
    Rst,
    /// It shuts down its sending half and goes on reading.
    #[strum(to_string = "half-close")]
    HalfClose,
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
