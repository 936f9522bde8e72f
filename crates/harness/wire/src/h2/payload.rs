//! The content of frames, and its faults (RFC 9113, section 6): the rules that need no more than the frame itself.

use derive_more::{Display, Error};

use super::code::Code;
use super::frame::{Frame, Kind, flag, number};

/// The extent of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub enum Scope {
    /// The connection, by GOAWAY.
    #[display("")]
    Connection,
    /// This stream, by RST_STREAM.
    #[display(" on stream {_0}")]
    Stream(u32),
}

/// A peer's fault, and the error by which the RFC has it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Error)]
#[display("{what}{scope} ({code})")]
pub struct Wrong {
    /// The extent of the error.
    pub scope: Scope,
    /// The code for it.
    pub code: Code,
    /// A description of the fault.
    pub what: &'static str,
}

impl Wrong {
    /// An error of the connection.
    pub fn connection(code: Code, what: &'static str) -> Self {
        Self { scope: Scope::Connection, code, what }
    }

    /// An error of one stream.
    pub fn stream(stream: u32, code: Code, what: &'static str) -> Self {
        Self { scope: Scope::Stream(stream), code, what }
    }
}

/// The content of a frame, without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A part of a body.
    Data(&'a [u8]),
    /// Fields in HPACK, or their beginning.
    Headers(&'a [u8]),
    /// The stream on which another depends.
    Priority(u32),
    /// The end of a stream.
    Reset(Code),
    /// Parameters, as they stand in the frame.
    Settings(Announced<'a>),
    /// The acknowledgement of parameters.
    SettingsAck,
    /// A pushed request: its stream and its fields in HPACK, or their beginning.
    Push(u32, &'a [u8]),
    /// A question whether the peer is there.
    Ping([u8; 8]),
    /// The answer to such a question.
    PingAck([u8; 8]),
    /// No more streams are taken than to `last`.
    GoAway {
        /// The last of the reader's streams that were taken.
        last: u32,
        /// Why.
        code: Code,
        /// More about it, for people.
        debug: &'a [u8],
    },
    /// More window.
    WindowUpdate(u32),
    /// More of the fields that a frame began.
    Continuation(&'a [u8]),
    /// A type that the RFC does not know; it is to be ignored.
    Unknown,
}

/// The identifiers and values of a SETTINGS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a>(&'a [u8]);

impl Announced<'_> {
    /// Identifiers and values in the order in which they stand in the frame.
    pub fn to_vec(self) -> Vec<(u16, u32)> {
        let pair = |setting: &[u8]| (u16::from_be_bytes([setting[0], setting[1]]), number(&setting[2..]));
        self.0.chunks_exact(6).map(pair).collect()
    }
}

impl<'a> Payload<'a> {
    /// Reads the contents of `frame`.
    ///
    /// # Errors
    /// When the frame breaks a rule of its type.
    pub fn of(frame: &'a Frame) -> Result<Self, Wrong> {
        on_its_stream(frame)?;
        let payload = frame.payload.as_slice();
        let short = |what| Wrong::connection(Code::FRAME_SIZE_ERROR, what);
        Ok(match frame.kind {
            Kind::DATA => Self::Data(unpadded(frame)?),
            Kind::HEADERS => Self::Headers(without_priority(frame, unpadded(frame)?)?),
            Kind::PRIORITY => {
                let wrong = "a PRIORITY of another length than 5";
                let wrong = Wrong::stream(frame.stream, Code::FRAME_SIZE_ERROR, wrong);
                let five: &[u8; 5] = payload.try_into().map_err(|_| wrong)?;
                Self::Priority(number(five) & 0x7fff_ffff)
            }
            Kind::RST_STREAM if payload.len() == 4 => Self::Reset(Code(number(payload))),
            Kind::RST_STREAM => return Err(short("an RST_STREAM of another length than 4")),
            Kind::SETTINGS if frame.has(flag::ACK) && payload.is_empty() => Self::SettingsAck,
            Kind::SETTINGS if frame.has(flag::ACK) => {
                return Err(short("an acknowledgement of SETTINGS that is not empty"));
            }
            Kind::SETTINGS if payload.len().is_multiple_of(6) => Self::Settings(Announced(payload)),
            Kind::SETTINGS => return Err(short("SETTINGS whose length is no multiple of 6")),
            Kind::PUSH_PROMISE => {
                let rest = unpadded(frame)?;
                let (promised, block) =
                    rest.split_at_checked(4).ok_or_else(|| short("a PUSH_PROMISE without its stream"))?;
                Self::Push(number(promised) & 0x7fff_ffff, block)
            }
            Kind::PING => {
                let eight = payload.try_into().map_err(|_| short("a PING of another length than 8"))?;
                if frame.has(flag::ACK) { Self::PingAck(eight) } else { Self::Ping(eight) }
            }
            Kind::GOAWAY => {
                let (head, debug) =
                    payload.split_at_checked(8).ok_or_else(|| short("a GOAWAY shorter than 8"))?;
                Self::GoAway { last: number(head) & 0x7fff_ffff, code: Code(number(&head[4..])), debug }
            }
            Kind::WINDOW_UPDATE if payload.len() == 4 => Self::WindowUpdate(increment(frame)?),
            Kind::WINDOW_UPDATE => return Err(short("a WINDOW_UPDATE of another length than 4")),
            Kind::CONTINUATION => Self::Continuation(payload),
            _ => Self::Unknown,
        })
    }
}

/// Checks that the frame stands on a stream if its type does, and on none otherwise.
fn on_its_stream(frame: &Frame) -> Result<(), Wrong> {
    let what = match (frame.kind, frame.stream) {
        (Kind::DATA, 0) => "DATA on stream 0",
        (Kind::HEADERS, 0) => "HEADERS on stream 0",
        (Kind::PRIORITY, 0) => "PRIORITY on stream 0",
        (Kind::RST_STREAM, 0) => "RST_STREAM on stream 0",
        (Kind::PUSH_PROMISE, 0) => "PUSH_PROMISE on stream 0",
        (Kind::CONTINUATION, 0) => "CONTINUATION on stream 0",
        (Kind::SETTINGS, 1..) => "SETTINGS on a stream",
        (Kind::PING, 1..) => "PING on a stream",
        (Kind::GOAWAY, 1..) => "GOAWAY on a stream",
        _ => return Ok(()),
    };
    Err(Wrong::connection(Code::PROTOCOL_ERROR, what))
}

/// The payload without its padding.
fn unpadded(frame: &Frame) -> Result<&[u8], Wrong> {
    if !frame.has(flag::PADDED) {
        return Ok(&frame.payload);
    }
    let size = Wrong::connection(Code::FRAME_SIZE_ERROR, "a padded frame without the length of its padding");
    let (padding, rest) = frame.payload.split_first().ok_or(size)?;
    let all = Wrong::connection(Code::PROTOCOL_ERROR, "padding as long as the frame or longer");
    let end = rest.len().checked_sub(usize::from(*padding)).ok_or(all)?;
    Ok(&rest[..end])
}

/// The fields of a HEADERS frame without the priority before them.
fn without_priority<'a>(frame: &Frame, rest: &'a [u8]) -> Result<&'a [u8], Wrong> {
    if !frame.has(flag::PRIORITY) {
        return Ok(rest);
    }
    let short = Wrong::connection(Code::FRAME_SIZE_ERROR, "HEADERS too short for their priority");
    rest.get(5..).ok_or(short)
}

/// The increment of a WINDOW_UPDATE.
fn increment(frame: &Frame) -> Result<u32, Wrong> {
    match number(&frame.payload) & 0x7fff_ffff {
        0 if frame.stream == 0 => Err(Wrong::connection(Code::PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")),
        0 => Err(Wrong::stream(frame.stream, Code::PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")),
        increment => Ok(increment),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrong(frame: Frame) -> (Scope, Code) {
        let wrong = Payload::of(&frame).expect_err("the frame breaks a rule");
        (wrong.scope, wrong.code)
    }

    const CONNECTION: Scope = Scope::Connection;

    #[test]
    fn each_builder_is_read_as_what_it_says() {
        let read = |frame: &Frame, payload: Payload<'_>| assert_eq!(Payload::of(frame), Ok(payload));
        read(&Frame::data(1, *b"abc", true), Payload::Data(b"abc"));
        read(&Frame::headers(1, *b"\x82", true), Payload::Headers(b"\x82"));
        read(&Frame::continuation(1, *b"\x82", true), Payload::Continuation(b"\x82"));
        read(&Frame::priority(3, 1, 15), Payload::Priority(1));
        read(&Frame::reset(1, Code::CANCEL), Payload::Reset(Code::CANCEL));
        read(&Frame::settings_ack(), Payload::SettingsAck);
        read(&Frame::ping([7; 8]), Payload::Ping([7; 8]));
        read(&Frame::ping_ack([7; 8]), Payload::PingAck([7; 8]));
        read(&Frame::window_update(0, 5), Payload::WindowUpdate(5));
        let goaway = Payload::GoAway { last: 5, code: Code::NO_ERROR, debug: b"bye" };
        read(&Frame::goaway(5, Code::NO_ERROR, b"bye"), goaway);
        read(&Frame::new(Kind(0x42), 0xff, 9, [1, 2]), Payload::Unknown);
        let frame = Frame::settings(&[(3, 100), (4, 0)]);
        let Ok(Payload::Settings(announced)) = Payload::of(&frame) else { panic!("SETTINGS") };
        assert_eq!(announced.to_vec(), [(3, 100), (4, 0)]);
    }

    #[test]
    fn padding_and_priority_are_taken_off() {
        let padded = Frame::new(Kind::DATA, flag::PADDED, 1, *b"\x02abc\0\0");
        assert_eq!(Payload::of(&padded), Ok(Payload::Data(b"abc")));
        let all_padding = Frame::new(Kind::DATA, flag::PADDED, 1, *b"\x02\0\0");
        assert_eq!(Payload::of(&all_padding), Ok(Payload::Data(b"")));
        let both = flag::PADDED | flag::PRIORITY;
        let headers = Frame::new(Kind::HEADERS, both, 1, *b"\x01\0\0\0\0\x10\x82\0");
        assert_eq!(Payload::of(&headers), Ok(Payload::Headers(b"\x82")));
        let push = Frame::new(Kind::PUSH_PROMISE, 0, 1, *b"\0\0\0\x02\x82");
        assert_eq!(Payload::of(&push), Ok(Payload::Push(2, b"\x82")));
    }

    #[test]
    fn too_much_padding_is_an_error_of_the_connection() {
        let protocol = (CONNECTION, Code::PROTOCOL_ERROR);
        assert_eq!(wrong(Frame::new(Kind::DATA, flag::PADDED, 1, *b"\x03ab")), protocol);
        assert_eq!(wrong(Frame::new(Kind::HEADERS, flag::PADDED, 1, *b"\x01")), protocol);
        let size = (CONNECTION, Code::FRAME_SIZE_ERROR);
        assert_eq!(wrong(Frame::new(Kind::DATA, flag::PADDED, 1, [])), size);
        assert_eq!(wrong(Frame::new(Kind::HEADERS, flag::PRIORITY, 1, [0; 4])), size);
    }

    #[test]
    fn a_frame_on_the_wrong_stream_is_an_error_of_the_connection() {
        let on_none = [Kind::DATA, Kind::HEADERS, Kind::PRIORITY, Kind::RST_STREAM, Kind::CONTINUATION];
        let on_one = [Kind::SETTINGS, Kind::PING, Kind::GOAWAY];
        let kinds = on_none.map(|kind| (kind, 0)).into_iter().chain(on_one.map(|kind| (kind, 1)));
        for (kind, stream) in kinds.chain([(Kind::PUSH_PROMISE, 0)]) {
            assert_eq!(
                wrong(Frame::new(kind, 0, stream, [0; 8])),
                (CONNECTION, Code::PROTOCOL_ERROR),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_an_error_of_size() {
        let connection = (CONNECTION, Code::FRAME_SIZE_ERROR);
        for (kind, stream, lengths) in [
            (Kind::RST_STREAM, 1, [0, 3, 5]),
            (Kind::SETTINGS, 0, [1, 5, 7]),
            (Kind::PING, 0, [0, 7, 9]),
            (Kind::GOAWAY, 0, [0, 4, 7]),
            (Kind::WINDOW_UPDATE, 1, [0, 3, 5]),
            (Kind::PUSH_PROMISE, 1, [0, 1, 3]),
        ] {
            for length in lengths {
                assert_eq!(
                    wrong(Frame::new(kind, 0, stream, vec![0; length])),
                    connection,
                    "{kind} {length}"
                );
            }
        }
        assert_eq!(wrong(Frame::settings(&[(1, 1)]).with(flag::ACK)), connection);
        for length in [0, 4, 6] {
            let priority = Frame::new(Kind::PRIORITY, 0, 3, vec![0; length]);
            assert_eq!(wrong(priority), (Scope::Stream(3), Code::FRAME_SIZE_ERROR));
        }
    }

    #[test]
    fn a_window_update_of_nothing_is_an_error_of_its_window() {
        assert_eq!(wrong(Frame::window_update(0, 0)), (CONNECTION, Code::PROTOCOL_ERROR));
        assert_eq!(wrong(Frame::window_update(5, 0)), (Scope::Stream(5), Code::PROTOCOL_ERROR));
        // The reserved bit is none of the increment's.
        assert_eq!(wrong(Frame::window_update(5, 0x8000_0000)), (Scope::Stream(5), Code::PROTOCOL_ERROR));
    }

    #[test]
    fn an_error_says_what_was_done_and_where() {
        let wrong = Payload::of(&Frame::window_update(5, 0)).unwrap_err();
        assert_eq!(wrong.to_string(), "a WINDOW_UPDATE of 0 on stream 5 (PROTOCOL_ERROR)");
        let wrong = Payload::of(&Frame::data(0, [], true)).unwrap_err();
        assert_eq!(wrong.to_string(), "DATA on stream 0 (PROTOCOL_ERROR)");
    }

    proptest! {
        #[test]
        fn no_frame_makes_it_panic(kind in 0_u8..12, flags: u8, stream in 0_u32..4, payload: Vec<u8>) {
            let frame = Frame::new(Kind(kind), flags, stream, payload);
            if let Ok(Payload::Settings(announced)) = Payload::of(&frame) {
                prop_assert_eq!(announced.to_vec().len() * 6, frame.payload.len());
            }
        }
    }
}
