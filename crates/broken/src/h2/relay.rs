//! Answers that go out, as far as the client's windows are open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broken::Fault;
use wire::h2::frame::{Frame, Kind};
use wire::h2::hpack::{self, Field};
use wire::h2::stream::State;
use wire::h2::{Code, frame};

use super::message::Event;
use super::{AHEAD, Gateway};

/// The time for which a fault keeps a slot behind the answer.
const LATE: Duration = Duration::from_millis(100);

impl Gateway<'_> {
    /// Sends on what the streams' connections have answered, and what they take of requests.
    pub(super) fn relay(&mut self) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        for stream in streams {
            let Some(inner) = self.streams.get_mut(&stream) else { continue };
            inner.feed();
            if inner.is_fed() && inner.owed > 0 && self.server.fault != Fault::H2GrantsNothing {
                // What waits for its reader is granted no window.
                let owed = std::mem::take(&mut inner.owed);
                let _ = inner.receiving.grow(owed);
                Frame::window_update(stream, owed).write(&mut self.out);
            }
            if self.server.fault == Fault::H2HoldsHeads && inner.sending.available() == 0 {
                continue;
            }
            let events = if self.out.len() < AHEAD { inner.read() } else { Vec::new() };
            for event in events {
                match event {
                    Event::Head(fields, ends) => self.head(stream, &fields, ends),
                    Event::Body(part) => {
                        if let Some(inner) = self.streams.get_mut(&stream) {
                            inner.body.extend_from_slice(&part);
                        }
                    }
                }
            }
            self.body(stream);
            let blocked = self.streams.get(&stream).is_some_and(|inner| inner.blocked_since.is_some());
            if blocked && self.server.fault == Fault::H2StallsTogether {
                return;
            }
        }
    }

    /// Sends a head, which `ends` the answer or not.
    fn head(&mut self, stream: u32, fields: &[Field], ends: bool) {
        let Some(inner) = self.streams.get_mut(&stream) else { return };
        inner.state.sent(Kind::HEADERS, ends);
        inner.timed_out |= fields[0].1 == b"504";
        self.send(&Frame::headers(
            stream,
            hpack::block(fields.iter().map(|(name, value)| (name, value))),
            ends,
        ));
        if ends {
            self.ended(stream);
        }
    }

    /// Sends what the windows allow of a body.
    fn body(&mut self, stream: u32) {
        loop {
            let Some(inner) = self.streams.get_mut(&stream) else { return };
            let room = match self.server.fault {
                Fault::H2IgnoresWindows => usize::MAX,
                _ => inner.sending.available().min(self.sending.available()),
            };
            let most = room.min(self.theirs.max_frame_size as usize).min(frame::MAX_PAYLOAD);
            let size = most.min(inner.body.len());
            let last = inner.whole && size == inner.body.len();
            if size == 0 && !last {
                break;
            }
            let part: Vec<u8> = inner.body.drain(..size).collect();
            // A fault sends more than the windows hold.
            let _ = (inner.sending.take(size), self.sending.take(size));
            inner.state.sent(Kind::DATA, last);
            inner.blocked_since = None;
            self.send(&Frame::data(stream, part, last));
            if last {
                return self.ended(stream);
            }
        }
        let Some(inner) = self.streams.get_mut(&stream) else { return };
        if !inner.body.is_empty() {
            inner.blocked_since.get_or_insert_with(Instant::now);
        } else if inner.over {
            self.cut(stream);
        }
    }

    /// An answer has gone out whole.
    fn ended(&mut self, stream: u32) {
        let Some(inner) = self.remove(stream) else { return };
        self.frees(stream);
        let asking = inner.state == State::HalfClosedLocal;
        if asking && self.server.fault != Fault::H2LeavesStreamsOpen {
            // The rest of its request is not wanted.
            self.send(&Frame::reset(stream, Code::NO_ERROR));
        }
        if asking {
            self.reset.insert(stream);
        }
        if inner.timed_out && self.server.fault == Fault::H2ClosesAtDeadlines {
            self.goes_away(Code::NO_ERROR);
        }
    }

    /// Gives back the slot of a stream that is answered, unless work is left that holds it too.
    fn frees(&mut self, stream: u32) {
        let held = self.slots.iter().find(|(of, _)| *of == stream).and_then(|(_, slot)| slot.upgrade());
        if self.server.fault == Fault::H2FreesSlotsLate {
            self.late.extend(held.map(|slot| (Instant::now() + LATE, slot)));
            return;
        }
        // The stream's own connection holds it, and so does what was found here.
        if held.is_none_or(|slot| Arc::strong_count(&slot) <= 2) {
            self.slots.retain(|(of, _)| *of != stream);
        }
    }

    /// An answer was cut off.
    fn cut(&mut self, stream: u32) {
        self.remove(stream);
        self.reset.insert(stream);
        match self.server.fault {
            Fault::H2EndsTruncated => self.send(&Frame::data(stream, [], true)),
            _ => self.send(&Frame::reset(stream, Code::CANCEL)),
        }
    }
}
