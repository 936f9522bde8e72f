//! All that a client knows of a connection: its streams, its windows, what was announced. Pure: frames in, frames out.

use std::collections::BTreeMap;
use std::time::Instant;

use super::code::Code;
use super::exchange::{Ending, Exchange};
use super::flow::{self, Window};
use super::frame::{Frame, Kind, flag};
use super::hpack::Decoder;
use super::payload::{Payload, Wrong};
use super::settings::{Settings, id};
use super::stream::{Close, State};
use super::violation::Violation;
use crate::connection::End;

/// The largest fields that the client takes of one message, in bytes.
const FIELDS: usize = 64 * 1024;

/// The client's behavior of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// The settings that it announces when it opens the connection.
    pub settings: Settings,
    /// True when it gives window back as DATA comes.
    pub grants: bool,
    /// True when it acknowledges SETTINGS and answers PING.
    pub acks: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self { settings: Settings { enable_push: false, ..Settings::default() }, grants: true, acks: true }
    }
}

impl Manners {
    /// A client that gives no window beyond what streams begin with: `initial` bytes each.
    pub fn stingy(initial: u32) -> Self {
        let polite = Self::default();
        let settings = Settings { initial_window_size: initial, ..polite.settings };
        Self { settings, grants: false, ..polite }
    }
}

/// The server's GOAWAY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoAway {
    /// The last stream that the server takes.
    pub last: u32,
    /// Why.
    pub code: Code,
    /// More about it, for people.
    pub debug: Vec<u8>,
    /// When it was here.
    pub at: Instant,
}

/// Fields whose end has not come.
#[derive(Debug)]
struct Unfinished {
    stream: u32,
    block: Vec<u8>,
    ends: bool,
}

/// All that a client knows of a connection.
#[derive(Debug)]
pub struct Session {
    manners: Manners,
    theirs: Option<Settings>,
    /// INITIAL_WINDOW_SIZE as the server goes by it, and smaller ones that it has not acknowledged.
    initial: u32,
    unacknowledged: Vec<Option<u32>>,
    sending: Window,
    receiving: Window,
    /// The bytes of DATA whose window the server has not been given back.
    owed: usize,
    exchanges: BTreeMap<u32, Exchange>,
    next: u32,
    decoder: Decoder,
    unfinished: Option<Unfinished>,
    goaways: Vec<GoAway>,
}

impl Session {
    /// A connection on which nothing has been sent.
    pub fn new(manners: Manners) -> Self {
        Self {
            manners,
            theirs: None,
            initial: manners.settings.initial_window_size,
            unacknowledged: Vec::new(),
            sending: Window::default(),
            receiving: Window::default(),
            owed: 0,
            exchanges: BTreeMap::new(),
            next: 1,
            decoder: Decoder::new(manners.settings.header_table_size),
            unfinished: None,
            goaways: Vec::new(),
        }
    }

    /// Returns the server's announced settings, once they have come.
    pub fn theirs(&self) -> Option<Settings> {
        self.theirs
    }

    /// The window of the connection for the client's DATA.
    pub fn sending(&self) -> Window {
        self.sending
    }

    /// The window of the connection for the server's DATA.
    pub fn receiving(&self) -> Window {
        self.receiving
    }

    /// The exchange of `stream`, if a request was sent on it and not forgotten.
    pub fn exchange(&self, stream: u32) -> Option<&Exchange> {
        self.exchanges.get(&stream)
    }

    /// The server's first GOAWAY, and the last one, which may take fewer streams.
    pub fn goaway(&self) -> Option<(&GoAway, &GoAway)> {
        self.goaways.first().zip(self.goaways.last())
    }

    /// Takes the next stream for a request of the client; its answer has no body if `head_only`.
    pub fn open(&mut self, head_only: bool, at: Instant) -> u32 {
        let stream = self.next;
        self.next += 2;
        let initial = self.theirs.unwrap_or_default().initial_window_size;
        let exchange = Exchange::new(at, Window::new(initial), Window::new(self.initial));
        self.exchanges.insert(stream, Exchange { head_only, ..exchange });
        stream
    }

    /// Forgets the streams that are closed: what still comes for them is ignored.
    pub fn forget_closed(&mut self) {
        self.exchanges.retain(|_, exchange| !exchange.state.is_closed());
    }

    /// Notes a frame that goes out at `at`, whatever it is.
    pub fn sent(&mut self, frame: &Frame, at: Instant) {
        if frame.kind == Kind::SETTINGS && !frame.has(flag::ACK) {
            self.announce(frame);
        }
        let granted = match Payload::of(frame) {
            Ok(Payload::WindowUpdate(increment)) => increment,
            _ => 0,
        };
        if frame.stream == 0 {
            // What overflows is wrong on purpose, and the server's to refuse.
            let _ = self.receiving.grow(granted);
            return;
        }
        // Fields that were written by hand open their stream too, before they end.
        if frame.kind == Kind::HEADERS && !frame.stream.is_multiple_of(2) {
            self.next = self.next.max(frame.stream + 2);
        }
        let size = if frame.kind == Kind::DATA { frame.payload.len() } else { 0 };
        let _ = self.sending.take(size);
        let Some(exchange) = self.exchanges.get_mut(&frame.stream) else { return };
        let _ = exchange.receiving.grow(granted);
        let _ = exchange.sending.take(size);
        if exchange.state == State::Idle {
            exchange.sent_at = at;
        }
        exchange.state.sent(frame.kind, frame.ends_stream());
        if let Ok(Payload::Reset(code)) = Payload::of(frame) {
            exchange.end(Ending::Canceled(code), at);
        }
    }

    /// Takes a new INITIAL_WINDOW_SIZE of the client: a larger one at once, a smaller one when it is acknowledged.
    fn announce(&mut self, frame: &Frame) {
        let announced = match Payload::of(frame) {
            Ok(Payload::Settings(announced)) => announced.to_vec(),
            _ => Vec::new(),
        };
        let initial = announced.iter().rev().find(|(id, _)| *id == id::INITIAL_WINDOW_SIZE);
        let initial = initial.map(|(_, size)| *size);
        if let Some(size) = initial.filter(|size| *size > self.initial) {
            self.shift_receiving(size);
        }
        self.unacknowledged.push(initial);
    }

    fn shift_receiving(&mut self, size: u32) {
        let by = i64::from(size) - i64::from(self.initial);
        self.initial = size;
        for exchange in self.exchanges.values_mut() {
            let _ = exchange.receiving.shift(by);
        }
    }

    /// Takes a frame that came at `at`; returns the frames that good manners answer it with.
    ///
    /// # Errors
    /// When the server may not send it.
    pub fn received(&mut self, frame: &Frame, at: Instant) -> Result<Vec<Frame>, Violation> {
        if self.theirs.is_none() && (frame.kind != Kind::SETTINGS || frame.has(flag::ACK)) {
            return Err(protocol("the server's first frame is no SETTINGS").into());
        }
        let continued = self.unfinished.as_ref().map(|unfinished| unfinished.stream);
        match (frame.kind == Kind::CONTINUATION, continued) {
            (true, Some(stream)) if stream == frame.stream => {}
            (true, _) => return Err(protocol("a CONTINUATION that continues nothing").into()),
            (false, Some(_)) => return Err(protocol("a frame between HEADERS and their CONTINUATION").into()),
            (false, None) => {}
        }
        let payload = Payload::of(frame)?;
        if frame.stream != 0 && frame.kind != Kind::PRIORITY && payload != Payload::Unknown {
            self.stands(frame)?;
        }
        match payload {
            Payload::Data(part) => return self.data(frame, part, at),
            Payload::Headers(block) => {
                let (stream, block) = (frame.stream, block.to_vec());
                self.unfinished = Some(Unfinished { stream, block, ends: frame.ends_stream() });
                self.fields(frame, at)?;
            }
            Payload::Continuation(more) => {
                if let Some(unfinished) = &mut self.unfinished {
                    unfinished.block.extend_from_slice(more);
                }
                self.fields(frame, at)?;
            }
            Payload::Reset(code) => {
                if let Some(exchange) = self.exchanges.get_mut(&frame.stream) {
                    exchange.reset(code, at);
                }
            }
            Payload::Settings(announced) => return Ok(self.settings(&announced.to_vec())?),
            Payload::SettingsAck => self.acknowledged(),
            Payload::Push(..) => return Err(protocol("a PUSH_PROMISE, which was not allowed").into()),
            Payload::Ping(opaque) if self.manners.acks => return Ok(vec![Frame::ping_ack(opaque)]),
            Payload::GoAway { last, code, debug } => self.goes_away(last, code, debug, at)?,
            Payload::WindowUpdate(increment) => self.granted(frame.stream, increment)?,
            Payload::Ping(_) | Payload::PingAck(_) | Payload::Priority(_) | Payload::Unknown => {}
        }
        Ok(Vec::new())
    }

    /// Checks that the frame's stream is one of the client's, in a state in which the frame may come, and moves it on.
    fn stands(&mut self, frame: &Frame) -> Result<(), Wrong> {
        if frame.stream.is_multiple_of(2) || frame.stream >= self.next {
            return Err(protocol("a frame for a stream that is idle"));
        }
        // HEADERS that a CONTINUATION ends have moved the stream on already.
        match self.exchanges.get_mut(&frame.stream) {
            Some(exchange) if frame.kind != Kind::CONTINUATION => {
                exchange.state.received(frame.stream, frame.kind, frame.ends_stream())
            }
            _ => Ok(()),
        }
    }

    fn data(&mut self, frame: &Frame, part: &[u8], at: Instant) -> Result<Vec<Frame>, Violation> {
        // Padding counts.
        let (stream, size) = (frame.stream, frame.payload.len());
        let what = "more DATA than the window holds";
        let exceeded = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, what);
        self.receiving.take(size).map_err(exceeded)?;
        self.owed += size;
        let mut owed = vec![(0, &mut self.owed)];
        if let Some(exchange) = self.exchanges.get_mut(&stream) {
            let exceeded = |_| Wrong::stream(stream, Code::FLOW_CONTROL_ERROR, what);
            exchange.receiving.take(size).map_err(exceeded)?;
            if exchange.state != State::Closed(Close::ResetHere) {
                exchange
                    .data(part, frame.ends_stream(), at)
                    .map_err(|malformed| Violation::Message(stream, malformed))?;
            }
            if !frame.ends_stream() {
                exchange.owed += size;
                owed.push((stream, &mut exchange.owed));
            }
        }
        // A server that has half of the window left need not wait for more.
        let half = (self.initial as usize).min(flow::INITIAL as usize) / 2;
        let due = owed.into_iter().filter(|(_, owed)| self.manners.grants && **owed > half);
        Ok(due.map(|(stream, owed)| Frame::window_update(stream, std::mem::take(owed) as u32)).collect())
    }

    /// Reads the fields once `frame` has brought their end.
    fn fields(&mut self, frame: &Frame, at: Instant) -> Result<(), Violation> {
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        let Some(Unfinished { stream, block, ends }) = self.unfinished.take() else { return Ok(()) };
        // Whatever became of the stream, the tables stay in step.
        let fields = self.decoder.decode(&block, FIELDS)?;
        match self.exchanges.get_mut(&stream) {
            Some(exchange) if exchange.state != State::Closed(Close::ResetHere) => {
                exchange.fields(&fields, ends, at).map_err(|malformed| Violation::Message(stream, malformed))
            }
            _ => Ok(()),
        }
    }

    fn settings(&mut self, announced: &[(u16, u32)]) -> Result<Vec<Frame>, Wrong> {
        let mut theirs = self.theirs.unwrap_or_default();
        let before = theirs.initial_window_size;
        theirs.take(announced)?;
        self.theirs = Some(theirs);
        let by = i64::from(theirs.initial_window_size) - i64::from(before);
        for exchange in self.exchanges.values_mut() {
            let what = "an INITIAL_WINDOW_SIZE that overflows a window";
            let overflown = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, what);
            exchange.sending.shift(by).map_err(overflown)?;
        }
        Ok(if self.manners.acks { vec![Frame::settings_ack()] } else { Vec::new() })
    }

    fn acknowledged(&mut self) {
        if self.unacknowledged.is_empty() {
            return;
        }
        if let Some(size) = self.unacknowledged.remove(0)
            && size < self.initial
        {
            self.shift_receiving(size);
        }
    }

    fn goes_away(&mut self, last: u32, code: Code, debug: &[u8], at: Instant) -> Result<(), Wrong> {
        if self.goaways.last().is_some_and(|before| before.last < last) {
            return Err(protocol("a GOAWAY that takes more streams than the one before"));
        }
        for (_, exchange) in self.exchanges.range_mut(last.saturating_add(1)..) {
            exchange.end(Ending::NotTaken(code), at);
        }
        self.goaways.push(GoAway { last, code, debug: debug.to_vec(), at });
        Ok(())
    }

    fn granted(&mut self, stream: u32, increment: u32) -> Result<(), Wrong> {
        let what = "a WINDOW_UPDATE that overflows a window";
        if stream == 0 {
            let overflown = |_| Wrong::connection(Code::FLOW_CONTROL_ERROR, what);
            return self.sending.grow(increment).map_err(overflown);
        }
        let overflown = |_| Wrong::stream(stream, Code::FLOW_CONTROL_ERROR, what);
        match self.exchanges.get_mut(&stream) {
            Some(exchange) => exchange.sending.grow(increment).map_err(overflown),
            None => Ok(()),
        }
    }

    /// Notes that the connection ended, which ends every stream.
    pub fn lost(&mut self, how: End, at: Instant) {
        for exchange in self.exchanges.values_mut() {
            exchange.end(Ending::Lost(how), at);
        }
    }
}

fn protocol(what: &'static str) -> Wrong {
    Wrong::connection(Code::PROTOCOL_ERROR, what)
}

#[cfg(test)]
mod tests;
