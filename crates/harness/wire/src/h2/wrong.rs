//! Frames that are wrong on purpose, and too many that are right.

use super::flow;
use super::frame::{Frame, Kind};
use super::hpack::{self, Literal};

/// A way to make the server itself reset a stream (CVE-2025-8671, "MadeYouReset").
///
/// The stream counts as closed from then on, so it is in no limit on streams; the work behind it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::VariantArray)]
pub enum MadeYouReset {
    /// A WINDOW_UPDATE of 0.
    #[strum(to_string = "a WINDOW_UPDATE of 0")]
    EmptyWindowUpdate,
    /// A WINDOW_UPDATE that makes the window larger than a window can be.
    #[strum(to_string = "a WINDOW_UPDATE that overflows")]
    OverflowingWindowUpdate,
    /// HEADERS behind END_STREAM.
    #[strum(to_string = "HEADERS behind END_STREAM")]
    HeadersAfterEnd,
    /// DATA behind END_STREAM.
    #[strum(to_string = "DATA behind END_STREAM")]
    DataAfterEnd,
    /// A PRIORITY of a length that it cannot have.
    #[strum(to_string = "a PRIORITY of 4 bytes")]
    PriorityOfWrongLength,
    /// A PRIORITY that makes the stream depend on itself.
    #[strum(to_string = "a PRIORITY on itself")]
    PriorityOnItself,
    /// More DATA than the window holds, on a stream whose request has not ended.
    #[strum(to_string = "DATA beyond the window")]
    DataBeyondWindow,
}

impl MadeYouReset {
    /// The frames that have the server reset `stream`; `window` is what it takes of DATA on it.
    pub fn frames(self, stream: u32, window: usize) -> Vec<Frame> {
        match self {
            Self::EmptyWindowUpdate => vec![Frame::window_update(stream, 0)],
            Self::OverflowingWindowUpdate => vec![Frame::window_update(stream, flow::LARGEST as u32)],
            Self::HeadersAfterEnd => vec![Frame::headers(stream, hpack::block([("late", "1")]), true)],
            Self::DataAfterEnd => vec![Frame::data(stream, *b"late", true)],
            Self::PriorityOfWrongLength => vec![Frame::new(Kind::PRIORITY, 0, stream, [0; 4])],
            Self::PriorityOnItself => vec![Frame::priority(stream, stream, 15)],
            Self::DataBeyondWindow => body(stream, window + 1),
        }
    }

    /// True when the request must not have ended before.
    pub fn needs_open(self) -> bool {
        self == Self::DataBeyondWindow
    }
}

/// DATA of `length` bytes in all, in frames of the size that every peer takes; the body goes on behind it.
pub fn body(stream: u32, length: usize) -> Vec<Frame> {
    let most = super::frame::MAX_PAYLOAD;
    let sizes = (0..length).step_by(most).map(|start| most.min(length - start));
    sizes.map(|size| Frame::data(stream, vec![b'x'; size], false)).collect()
}

/// HEADERS on `stream` whose fields go on in `count` CONTINUATION frames of `size` bytes, and never end.
pub fn endless_headers(stream: u32, begin: &[u8], count: usize, size: usize) -> Vec<Frame> {
    let first = Frame::new(Kind::HEADERS, super::frame::flag::END_STREAM, stream, begin);
    let mut block = Vec::new();
    // The bytes of the field besides its value: the representation, the name and two lengths.
    hpack::literal(&mut block, Literal::Plain, b"x", &vec![b'y'; size.saturating_sub(6)]);
    let more = std::iter::repeat_n(Frame::continuation(stream, block, false), count);
    std::iter::once(first).chain(more).collect()
}

/// Fields that are small on the wire and large when read: one of `size` bytes, and `count` references to it.
///
/// They stand behind the fields of `begin`.
pub fn bomb(begin: &[u8], size: usize, count: usize) -> Vec<u8> {
    let mut block = begin.to_vec();
    hpack::literal(&mut block, Literal::Indexed, b"bomb", &vec![b'z'; size]);
    for _ in 0..count {
        hpack::indexed(&mut block, hpack::NEWEST);
    }
    block
}

/// The bytes of `count` frames, each as `frame` makes it of its number.
pub fn many(count: u32, frame: impl Fn(u32) -> Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 0..count {
        frame(number).write(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;
    use crate::h2::code::Code;
    use crate::h2::flow::Window;
    use crate::h2::frame::{self, MAX_PAYLOAD};
    use crate::h2::hpack::Decoder;
    use crate::h2::payload::{Payload, Scope};
    use crate::h2::stream::State;

    /// The error by which a server that keeps to the RFC answers `way`, on a stream of which it has read the request.
    fn answered(way: MadeYouReset) -> (Scope, Code) {
        let mut state = if way.needs_open() { State::Open } else { State::HalfClosedRemote };
        let (mut sending, mut receiving) = (Window::default(), Window::default());
        for frame in way.frames(7, receiving.available()) {
            let wrong = state.received(7, frame.kind, frame.ends_stream()).err();
            let wrong = wrong.or_else(|| Payload::of(&frame).err());
            if let Some(wrong) = wrong {
                return (wrong.scope, wrong.code);
            }
            let broken = match Payload::of(&frame) {
                Ok(Payload::Data(body)) => receiving.take(body.len()),
                Ok(Payload::WindowUpdate(increment)) => sending.grow(increment),
                _ => Ok(()),
            };
            if broken.is_err() {
                return (Scope::Stream(7), Code::FLOW_CONTROL_ERROR);
            }
            if Payload::of(&frame) == Ok(Payload::Priority(7)) {
                // RFC 7540, section 5.3.1; RFC 9113 has no priorities any more.
                return (Scope::Stream(7), Code::PROTOCOL_ERROR);
            }
        }
        panic!("{way:?} breaks no rule");
    }

    #[test]
    fn each_way_of_made_you_reset_is_an_error_of_its_stream_alone() {
        let codes = [
            Code::PROTOCOL_ERROR,
            Code::FLOW_CONTROL_ERROR,
            Code::STREAM_CLOSED,
            Code::STREAM_CLOSED,
            Code::FRAME_SIZE_ERROR,
            Code::PROTOCOL_ERROR,
            Code::FLOW_CONTROL_ERROR,
        ];
        for (way, code) in MadeYouReset::VARIANTS.iter().copied().zip(codes) {
            assert_eq!(answered(way), (Scope::Stream(7), code), "{way:?}");
        }
    }

    #[test]
    fn a_body_is_cut_into_frames_that_every_peer_takes() {
        let sizes = |length| body(1, length).iter().map(|frame| frame.payload.len()).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0_usize; 0]);
        assert_eq!(sizes(MAX_PAYLOAD), [MAX_PAYLOAD]);
        assert_eq!(sizes(65_536), [MAX_PAYLOAD; 4]);
        assert_eq!(sizes(MAX_PAYLOAD + 1), [MAX_PAYLOAD, 1]);
    }

    #[test]
    fn endless_headers_never_end_and_are_well_formed_so_far() {
        let frames = endless_headers(3, &hpack::block([(":method", "GET")]), 5, 100);
        assert_eq!((frames[0].kind, frames.len()), (Kind::HEADERS, 6));
        assert!(frames.iter().all(|frame| !frame.has(frame::flag::END_HEADERS)));
        let block: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
        assert_eq!(Decoder::new(4096).decode(&block, 10_000).unwrap().len(), 6);
    }

    #[test]
    fn a_bomb_is_small_on_the_wire_and_large_when_read() {
        let block = bomb(&hpack::block([(":method", "GET")]), 4_000, 10_000);
        assert!(block.len() < MAX_PAYLOAD, "{}", block.len());
        let fields = Decoder::new(4096).decode(&block, usize::MAX).unwrap();
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size > 40_000_000, "{size}");
    }

    #[test]
    fn many_frames_stand_one_behind_the_other() {
        let bytes = many(3, |number| Frame::ping(u64::from(number).to_be_bytes()));
        let (first, used) = frame::cut(&bytes, MAX_PAYLOAD).unwrap().unwrap();
        assert_eq!((first.payload.as_slice(), bytes.len()), ([0; 8].as_slice(), 3 * used));
    }
}
