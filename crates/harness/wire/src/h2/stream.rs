//! The states of a stream (RFC 9113, section 5.1), as one of its two ends sees them.

use super::code::Code;
use super::frame::Kind;
use super::payload::Wrong;

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No frame has been sent or has come.
    Idle,
    /// Both sides may send.
    Open,
    /// This side has ended; the peer may send.
    HalfClosedLocal,
    /// The peer has ended; this side may send.
    HalfClosedRemote,
    /// Neither may send.
    Closed(Close),
}

/// The ways in which a stream comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Both sides have ended.
    Ended,
    /// This side reset it; what the peer had sent by then may still come.
    ResetHere,
    /// The peer reset it.
    ResetThere,
}

impl State {
    /// Moves on by a frame that this side sends; one that the state does not allow changes nothing, for it moves no peer.
    pub fn sent(&mut self, kind: Kind, ends: bool) {
        *self = match (kind, *self) {
            (Kind::RST_STREAM, Self::Open | Self::HalfClosedLocal | Self::HalfClosedRemote) => {
                Self::Closed(Close::ResetHere)
            }
            (Kind::HEADERS, Self::Idle) if ends => Self::HalfClosedLocal,
            (Kind::HEADERS, Self::Idle) => Self::Open,
            (Kind::HEADERS | Kind::DATA, Self::Open) if ends => Self::HalfClosedLocal,
            (Kind::HEADERS | Kind::DATA, Self::HalfClosedRemote) if ends => Self::Closed(Close::Ended),
            (_, state) => state,
        }
    }

    /// Moves on by a frame that came for `stream`.
    ///
    /// # Errors
    /// When the peer may not send it in this state; the state stays as it was. What comes after a reset by this side is no
    /// error: it was under way.
    pub fn received(&mut self, stream: u32, kind: Kind, ends: bool) -> Result<(), Wrong> {
        let carries = matches!(kind, Kind::HEADERS | Kind::DATA);
        *self = match *self {
            state if kind == Kind::PRIORITY => state,
            Self::Idle if kind == Kind::HEADERS && ends => Self::HalfClosedRemote,
            Self::Idle if kind == Kind::HEADERS => Self::Open,
            Self::Idle => {
                return Err(Wrong::connection(Code::PROTOCOL_ERROR, "a frame for a stream that is idle"));
            }
            Self::Closed(Close::ResetHere) => Self::Closed(Close::ResetHere),
            // RFC 9113, section 5.4.2: a peer may reset again for what it still gets.
            Self::Closed(Close::ResetThere) if kind == Kind::RST_STREAM => Self::Closed(Close::ResetThere),
            Self::Closed(Close::ResetThere) => {
                let what = "a frame after RST_STREAM";
                return Err(Wrong::stream(stream, Code::STREAM_CLOSED, what));
            }
            Self::Closed(Close::Ended) if carries => {
                let what = "HEADERS or DATA for a stream that is closed";
                return Err(Wrong::connection(Code::STREAM_CLOSED, what));
            }
            Self::HalfClosedRemote if carries => {
                let what = "HEADERS or DATA after END_STREAM";
                return Err(Wrong::stream(stream, Code::STREAM_CLOSED, what));
            }
            Self::Closed(Close::Ended) => Self::Closed(Close::Ended),
            _ if kind == Kind::RST_STREAM => Self::Closed(Close::ResetThere),
            Self::Open if ends => Self::HalfClosedRemote,
            Self::HalfClosedLocal if ends => Self::Closed(Close::Ended),
            state => state,
        };
        Ok(())
    }

    /// True when nothing more can come of the stream.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// True when it counts among the streams that are open at once.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Open | Self::HalfClosedLocal | Self::HalfClosedRemote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h2::payload::Scope;

    const ENDED: State = State::Closed(Close::Ended);
    const RESET_HERE: State = State::Closed(Close::ResetHere);
    const RESET_THERE: State = State::Closed(Close::ResetThere);
    const ALL: [State; 7] = [
        State::Idle,
        State::Open,
        State::HalfClosedLocal,
        State::HalfClosedRemote,
        ENDED,
        RESET_HERE,
        RESET_THERE,
    ];

    fn sent(mut state: State, kind: Kind, ends: bool) -> State {
        state.sent(kind, ends);
        state
    }

    /// The state after the frame, or the error: its scope and its code.
    fn received(state: State, kind: Kind, ends: bool) -> Result<State, (Scope, Code)> {
        let mut after = state;
        let outcome = after.received(1, kind, ends);
        match outcome {
            Ok(()) => Ok(after),
            Err(wrong) => {
                assert_eq!(after, state, "an error moves nothing");
                Err((wrong.scope, wrong.code))
            }
        }
    }

    #[test]
    fn a_request_and_its_answer_close_the_stream() {
        let asked = sent(State::Idle, Kind::HEADERS, true);
        assert_eq!(asked, State::HalfClosedLocal);
        let answering = received(asked, Kind::HEADERS, false).unwrap();
        assert_eq!(answering, State::HalfClosedLocal);
        assert_eq!(received(answering, Kind::DATA, true), Ok(ENDED));
        // The same from the server's end.
        let asked = received(State::Idle, Kind::HEADERS, false).unwrap();
        assert_eq!(asked, State::Open);
        let asked = received(asked, Kind::DATA, true).unwrap();
        assert_eq!(asked, State::HalfClosedRemote);
        assert_eq!(sent(asked, Kind::HEADERS, true), ENDED);
    }

    #[test]
    fn an_answer_may_end_before_its_request() {
        let open = sent(State::Idle, Kind::HEADERS, false);
        let answered = received(open, Kind::HEADERS, true).unwrap();
        assert_eq!(answered, State::HalfClosedRemote);
        assert_eq!(received(answered, Kind::RST_STREAM, false), Ok(RESET_THERE));
        assert_eq!(sent(answered, Kind::DATA, true), ENDED);
    }

    #[test]
    fn a_reset_closes_from_every_active_state_and_moves_no_other() {
        for state in ALL {
            let (here, there) = if state.is_active() { (RESET_HERE, RESET_THERE) } else { (state, state) };
            assert_eq!(sent(state, Kind::RST_STREAM, false), here, "{state:?}");
            match received(state, Kind::RST_STREAM, false) {
                Ok(after) => assert_eq!(after, there, "{state:?}"),
                Err(_) => assert_eq!(state, State::Idle),
            }
        }
    }

    #[test]
    fn a_priority_is_taken_in_every_state() {
        for state in ALL {
            assert_eq!(received(state, Kind::PRIORITY, false), Ok(state));
            assert_eq!(sent(state, Kind::PRIORITY, false), state);
        }
    }

    #[test]
    fn only_headers_open_a_stream() {
        let idle = (Scope::Connection, Code::PROTOCOL_ERROR);
        for kind in [Kind::DATA, Kind::RST_STREAM, Kind::WINDOW_UPDATE, Kind::CONTINUATION] {
            assert_eq!(received(State::Idle, kind, false), Err(idle), "{kind}");
            assert_eq!(sent(State::Idle, kind, true), State::Idle, "{kind}");
        }
    }

    #[test]
    fn what_carries_a_message_is_refused_behind_its_end() {
        let here = (Scope::Stream(1), Code::STREAM_CLOSED);
        let connection = (Scope::Connection, Code::STREAM_CLOSED);
        for kind in [Kind::HEADERS, Kind::DATA] {
            assert_eq!(received(State::HalfClosedRemote, kind, true), Err(here), "{kind}");
            assert_eq!(received(ENDED, kind, false), Err(connection), "{kind}");
            assert_eq!(received(RESET_THERE, kind, false), Err(here), "{kind}");
            // It may have been under way when this side reset the stream.
            assert_eq!(received(RESET_HERE, kind, true), Ok(RESET_HERE), "{kind}");
        }
    }

    #[test]
    fn window_updates_are_taken_until_the_peer_resets() {
        for state in [State::Open, State::HalfClosedLocal, State::HalfClosedRemote, ENDED, RESET_HERE] {
            assert_eq!(received(state, Kind::WINDOW_UPDATE, false), Ok(state), "{state:?}");
        }
        let late = received(RESET_THERE, Kind::WINDOW_UPDATE, false);
        assert_eq!(late, Err((Scope::Stream(1), Code::STREAM_CLOSED)));
    }

    #[test]
    fn frames_that_the_state_does_not_allow_move_nothing_on_the_way_out() {
        for state in [State::HalfClosedLocal, ENDED, RESET_HERE, RESET_THERE] {
            for kind in [Kind::HEADERS, Kind::DATA] {
                assert_eq!(sent(state, kind, true), state, "{state:?} {kind}");
            }
        }
    }
}
