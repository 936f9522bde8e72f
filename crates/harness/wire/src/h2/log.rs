//! The frames of a connection in their order, each with the moment at which it came or went.

use std::collections::VecDeque;
use std::time::Instant;

use super::frame::{Frame, Kind};

/// The most frames kept; the oldest go first.
const MOST: usize = 8_192;

/// The two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The harness.
    Client,
    /// The server under test.
    Server,
}

/// A frame and when it was here or left here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The side that sent it.
    pub from: Side,
    /// When it was read, or just before it was written.
    pub at: Instant,
    /// The frame. The payload of DATA is left out; the body is with its stream.
    pub frame: Frame,
    /// The length of its payload, in bytes.
    pub length: usize,
}

impl Seen {
    /// True for a frame of the server of that type on that stream.
    pub fn is(&self, kind: Kind, stream: u32) -> bool {
        self.from == Side::Server && self.frame.kind == kind && self.frame.stream == stream
    }
}

/// The frames of a connection.
#[derive(Debug, Default)]
pub struct Log {
    frames: VecDeque<Seen>,
    dropped: usize,
}

impl Log {
    /// Adds a frame.
    pub fn push(&mut self, from: Side, frame: &Frame, at: Instant) {
        if self.frames.len() == MOST {
            self.frames.pop_front();
            self.dropped += 1;
        }
        let payload = if frame.kind == Kind::DATA { Vec::new() } else { frame.payload.clone() };
        let logged = Frame::new(frame.kind, frame.flags, frame.stream, payload);
        self.frames.push_back(Seen { from, at, frame: logged, length: frame.payload.len() });
    }

    /// The number of frames so far, which is also the place of the next.
    pub fn len(&self) -> usize {
        self.dropped + self.frames.len()
    }

    /// True before the first frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frames from that place on, as far as they are kept.
    pub fn since(&self, place: usize) -> impl Iterator<Item = &Seen> {
        self.frames.iter().skip(place.saturating_sub(self.dropped))
    }

    /// Every frame that is kept.
    pub fn all(&self) -> impl Iterator<Item = &Seen> {
        self.frames.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_in_order_without_their_bodies() {
        let mut log = Log::default();
        let at = Instant::now();
        log.push(Side::Client, &Frame::ping([1; 8]), at);
        log.push(Side::Server, &Frame::data(1, *b"abc", true), at);
        let seen: Vec<_> = log.all().collect();
        assert_eq!((seen[0].from, &seen[0].frame), (Side::Client, &Frame::ping([1; 8])));
        assert_eq!((seen[1].length, &seen[1].frame), (3, &Frame::data(1, [], true)));
        assert!(seen[1].is(Kind::DATA, 1) && !seen[0].is(Kind::PING, 0));
        assert_eq!(log.since(1).count(), 1);
    }

    #[test]
    fn the_oldest_frames_go_first_and_places_stay() {
        let mut log = Log::default();
        assert!(log.is_empty());
        for number in 0..MOST + 10 {
            log.push(Side::Server, &Frame::ping((number as u64).to_be_bytes()), Instant::now());
        }
        assert_eq!((log.len(), log.all().count()), (MOST + 10, MOST));
        let kept = log.since(MOST).map(|seen| &seen.frame.payload).collect::<Vec<_>>();
        assert_eq!((kept.len(), kept[0].as_slice()), (10, (MOST as u64).to_be_bytes().as_slice()));
        assert_eq!(log.since(0).count(), MOST);
    }
}
