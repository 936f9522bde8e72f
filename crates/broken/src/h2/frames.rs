//! Frames that come in.

use std::time::{Duration, Instant};

use broken::Fault;
use contract::limits;
use wire::h2::flow::Window;
use wire::h2::frame::{self, Frame, Kind, flag};
use wire::h2::hpack::{self, Field, Malformed};
use wire::h2::payload::{Payload, Scope, Wrong};
use wire::h2::{Code, settings};

use super::inner::Inner;
use super::message::Request;
use super::{Course, Gateway, LARGEST, STREAMS, Unfinished};

/// The most bytes of fields that are kept while they are not complete.
const BLOCK: usize = 32 * 1024;
/// The resets that a fault takes for an attack, however honest.
const RESETS: u32 = 1_000;
/// The frames behind which a fault tidies up, and for how long.
const CHEAP: u32 = 500;
const TIDYING: Duration = Duration::from_millis(800);

impl Gateway<'_> {
    /// Takes the frames that have come.
    pub(super) fn take_frames(&mut self) {
        while self.course != Course::Closing {
            let (frame, used) = match frame::cut(&self.ahead, LARGEST) {
                Ok(Some(cut)) => cut,
                Ok(None) => return,
                Err(_) => return self.goes_away(Code::FRAME_SIZE_ERROR),
            };
            self.ahead.drain(..used);
            let Err(wrong) = self.take(&frame) else { continue };
            match wrong.scope {
                _ if self.server.fault == Fault::H2TakesWrongFrames => {}
                Scope::Connection => self.goes_away(wrong.code),
                Scope::Stream(stream) => self.resets(stream, wrong.code),
            }
        }
    }

    fn take(&mut self, frame: &Frame) -> Result<(), Wrong> {
        let protocol = |what| Err(Wrong::connection(Code::PROTOCOL_ERROR, what));
        let first = !std::mem::replace(&mut self.began, true);
        if first && (frame.kind != Kind::SETTINGS || frame.has(flag::ACK)) {
            return protocol("a first frame that is no SETTINGS");
        }
        let continued = self.unfinished.as_ref().map(|unfinished| unfinished.stream);
        match (frame.kind == Kind::CONTINUATION, continued) {
            (true, Some(stream)) if stream == frame.stream => {}
            (false, None) => {}
            _ => return protocol("a CONTINUATION out of its place, or something in it"),
        }
        let payload = Payload::of(frame)?;
        self.flooded(&payload);
        if self.server.fault == Fault::H2TakesFramesForLeaving && !matches!(payload, Payload::Headers(_)) {
            self.leaves_alone(payload);
        }
        match payload {
            Payload::Headers(block) => {
                let (stream, ends) = (frame.stream, frame.ends_stream());
                self.unfinished = Some(Unfinished { stream, block: block.to_vec(), ends });
                self.fields(frame)
            }
            Payload::Continuation(more) => {
                let Some(unfinished) = &mut self.unfinished else { return Ok(()) };
                unfinished.block.extend_from_slice(more);
                let long = unfinished.block.len() > BLOCK;
                if long && self.server.fault != Fault::TakesAnySize {
                    return Err(Wrong::connection(Code::ENHANCE_YOUR_CALM, "fields without end"));
                }
                self.fields(frame)
            }
            Payload::Data(part) => self.data(frame, part),
            Payload::Reset(_) => self.reset_by_client(frame),
            Payload::Settings(announced) => self.settings(&announced.to_vec()),
            Payload::Ping(opaque) => {
                self.send(&Frame::ping_ack(opaque));
                Ok(())
            }
            Payload::WindowUpdate(increment) => self.granted(frame.stream, increment),
            Payload::Push(..) => protocol("a PUSH_PROMISE of a client"),
            Payload::Priority(on) if on == frame.stream => {
                Err(Wrong::stream(frame.stream, Code::PROTOCOL_ERROR, "a stream that depends on itself"))
            }
            Payload::GoAway { .. } => {
                if self.server.fault == Fault::H2CancelsAtGoaway {
                    self.cancels_all();
                }
                Ok(())
            }
            Payload::SettingsAck | Payload::PingAck(_) | Payload::Priority(_) | Payload::Unknown => Ok(()),
        }
    }

    /// Counts cheap frames; a fault tidies up for them under a lock that all need.
    fn flooded(&mut self, payload: &Payload<'_>) {
        self.cheap +=
            u32::from(matches!(payload, Payload::Settings(_) | Payload::Ping(_) | Payload::Data([])));
        if self.server.fault == Fault::H2LocksForFloods && self.cheap == CHEAP {
            self.cheap = 0;
            let _lock = self.server.thread.lock();
            std::thread::sleep(TIDYING);
        }
    }

    /// Cancels everything for a frame that says nothing about leaving, as a fault does.
    fn leaves_alone(&mut self, payload: Payload<'_>) {
        if matches!(
            payload,
            Payload::Ping(_) | Payload::WindowUpdate(_) | Payload::Priority(_) | Payload::Unknown
        ) {
            self.cancels_all();
        }
    }

    /// Drops every stream: their requests are told that the client has left.
    fn cancels_all(&mut self) {
        let streams: Vec<_> = self.streams.keys().copied().collect();
        for stream in streams {
            self.remove(stream);
        }
    }

    /// Reads the fields once `frame` has brought their end.
    fn fields(&mut self, frame: &Frame) -> Result<(), Wrong> {
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        let Some(Unfinished { stream, block, ends }) = self.unfinished.take() else { return Ok(()) };
        let most = if self.server.fault == Fault::TakesAnySize { usize::MAX } else { limits::HEAD };
        let fields = match self.decoder.decode(&block, most) {
            Err(Malformed::Block(_)) => {
                return Err(Wrong::connection(Code::COMPRESSION_ERROR, "fields that cannot be read"));
            }
            fields => fields.ok(),
        };
        if let Some(inner) = self.streams.get_mut(&stream) {
            inner.state.received(stream, Kind::HEADERS, ends)?;
            let protocol = |what| Wrong::stream(stream, Code::PROTOCOL_ERROR, what);
            if !ends {
                return Err(protocol("trailers that do not end the stream"));
            }
            if fields.iter().flatten().any(|(name, _)| name.starts_with(b":")) {
                return Err(protocol("a pseudo-field among trailers"));
            }
            if !inner.take(b"", true) {
                return Err(protocol("a body shorter than announced"));
            }
            return Ok(());
        }
        if stream <= self.newest || stream.is_multiple_of(2) {
            let was_reset = self.reset.contains(&stream);
            let closed = Wrong::connection(Code::STREAM_CLOSED, "HEADERS for a stream that is closed");
            let odd = Wrong::connection(Code::PROTOCOL_ERROR, "HEADERS on a stream of no client");
            return match stream.is_multiple_of(2) {
                true => Err(odd),
                false if was_reset => Ok(()),
                false => Err(closed),
            };
        }
        self.newest = stream;
        self.open(stream, fields, ends)
    }

    /// Begins a request.
    fn open(&mut self, stream: u32, fields: Option<Vec<Field>>, ends: bool) -> Result<(), Wrong> {
        let refused = Wrong::stream(stream, Code::REFUSED_STREAM, "more streams than there are slots");
        if self.course != Course::Open {
            return Err(refused);
        }
        self.late.retain(|(until, _)| Instant::now() < *until);
        self.slots.retain(|(_, slot)| slot.strong_count() > 0);
        let taken = match self.server.fault {
            Fault::H2KnowsNoLimit => 0,
            // The count of streams, which a client makes small by resets.
            Fault::H2FreesSlotsEarly => self.streams.len(),
            Fault::H2LosesSlots => self.streams.len() + self.reset.len(),
            _ => self.slots.len().max(self.streams.len()),
        };
        if taken >= STREAMS as usize {
            return Err(refused);
        }
        let Some(fields) = fields else {
            self.send(&Frame::headers(stream, hpack::block([(":status", "431")]), true));
            return if ends {
                Ok(())
            } else {
                Err(Wrong::stream(stream, Code::NO_ERROR, "its body is not read"))
            };
        };
        let strictly = self.server.fault != Fault::H2TakesMalformed;
        let request = Request::of(&fields, ends, strictly)
            .map_err(|what| Wrong::stream(stream, Code::PROTOCOL_ERROR, what))?;
        let sending = Window::new(self.theirs.initial_window_size);
        let started = Inner::start(self.server, request, ends, sending);
        let (mut inner, slot) = started.map_err(|_| refused)?;
        inner.state.received(stream, Kind::HEADERS, ends)?;
        self.idle_since = self.idle_since.filter(|_| self.server.fault == Fault::H2IdlesWhileBusy);
        self.slots.push((stream, slot));
        self.streams.insert(stream, inner);
        Ok(())
    }

    fn data(&mut self, frame: &Frame, part: &[u8]) -> Result<(), Wrong> {
        let (stream, size) = (frame.stream, frame.payload.len());
        let beyond = "more DATA than the window holds";
        let all = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, beyond);
        self.receiving.take(size).map_err(all)?;
        let grants = self.server.fault != Fault::H2GrantsNothing && size > 0;
        if grants {
            self.send(&Frame::window_update(0, size as u32));
            let _ = self.receiving.grow(size as u32);
        }
        let Some(inner) = self.streams.get_mut(&stream) else { return self.unknown(stream) };
        inner.state.received(stream, Kind::DATA, frame.ends_stream())?;
        let one = |_| Wrong::stream(stream, Code::FLOW_CONTROL_ERROR, beyond);
        inner.receiving.take(size).map_err(one)?;
        if !inner.take(part, frame.ends_stream()) {
            return Err(Wrong::stream(
                stream,
                Code::PROTOCOL_ERROR,
                "a body of another length than announced",
            ));
        }
        inner.owed += if frame.ends_stream() { 0 } else { size as u32 };
        Ok(())
    }

    /// A frame for a stream that is not open: under way when it was reset, or wrong.
    fn unknown(&self, stream: u32) -> Result<(), Wrong> {
        if stream > self.newest || stream.is_multiple_of(2) {
            return Err(Wrong::connection(Code::PROTOCOL_ERROR, "a frame for a stream that is idle"));
        }
        match self.reset.contains(&stream) {
            true => Ok(()),
            false => Err(Wrong::stream(stream, Code::STREAM_CLOSED, "DATA for a stream that is closed")),
        }
    }

    fn reset_by_client(&mut self, frame: &Frame) -> Result<(), Wrong> {
        let stream = frame.stream;
        self.resets += 1;
        if self.server.fault == Fault::H2CountsResets && self.resets > RESETS {
            return Err(Wrong::connection(Code::ENHANCE_YOUR_CALM, "many resets"));
        }
        if self.server.fault == Fault::H2CancelsNeighbors {
            self.cancels_all();
        }
        if self.remove(stream).is_some() {
            self.reset.insert(stream);
            return Ok(());
        }
        if stream > self.newest || stream.is_multiple_of(2) {
            return Err(Wrong::connection(Code::PROTOCOL_ERROR, "RST_STREAM for a stream that is idle"));
        }
        match self.server.fault {
            Fault::H2DislikesLateResets => {
                Err(Wrong::connection(Code::STREAM_CLOSED, "RST_STREAM for a stream that is closed"))
            }
            _ => Ok(()),
        }
    }

    fn settings(&mut self, announced: &[(u16, u32)]) -> Result<(), Wrong> {
        let before = i64::from(self.theirs.initial_window_size);
        self.theirs.take(announced)?;
        let by = i64::from(self.theirs.initial_window_size) - before;
        let changes = announced.iter().any(|(id, _)| *id == settings::id::INITIAL_WINDOW_SIZE);
        for inner in self.streams.values_mut().filter(|_| changes) {
            let overflown = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, "a window that overflows");
            inner.sending.shift(by).map_err(overflown)?;
        }
        self.send(&Frame::settings_ack());
        Ok(())
    }

    fn granted(&mut self, stream: u32, increment: u32) -> Result<(), Wrong> {
        let what = "a window that overflows";
        if stream == 0 {
            let overflown = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, what);
            return self.sending.grow(increment).map_err(overflown);
        }
        if stream > self.newest {
            return Err(Wrong::connection(Code::PROTOCOL_ERROR, "a WINDOW_UPDATE for a stream that is idle"));
        }
        let Some(inner) = self.streams.get_mut(&stream) else { return Ok(()) };
        inner.blocked_since = inner.blocked_since.map(|_| Instant::now());
        let overflown = |_| Wrong::stream(stream, Code::FLOW_CONTROL_ERROR, what);
        inner.sending.grow(increment).map_err(overflown)
    }
}
