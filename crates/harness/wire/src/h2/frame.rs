//! Frames as bytes (RFC 9113, section 4): any type, any flags, any stream, any payload.

use std::fmt;

use derive_more::{Display, Error};

use super::code::Code;

/// The bytes of a frame before its payload.
pub const HEAD: usize = 9;
/// The largest payload that a peer takes unless it says otherwise.
pub const MAX_PAYLOAD: usize = 16_384;
/// The largest payload that a frame can have at all.
pub const LARGEST: usize = (1 << 24) - 1;
/// The connection preface, which a client sends before its first frame.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The type of a frame, known or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

named! {
    Kind {
        /// A part of a body.
        DATA = 0x0,
        /// The fields of a request, a response or trailers, or their beginning.
        HEADERS = 0x1,
        /// A priority, which RFC 9113 deprecates.
        PRIORITY = 0x2,
        /// The end of a stream at once.
        RST_STREAM = 0x3,
        /// Parameters of the connection, or their acknowledgement.
        SETTINGS = 0x4,
        /// A request that the server makes up.
        PUSH_PROMISE = 0x5,
        /// A question whether the peer is there, or its answer.
        PING = 0x6,
        /// The announcement that no more streams are taken.
        GOAWAY = 0x7,
        /// More window for the peer's DATA.
        WINDOW_UPDATE = 0x8,
        /// More of the fields that a frame began.
        CONTINUATION = 0x9,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "type {:#04x}", self.0),
        }
    }
}

/// The flags of a frame; a bit means something only for some types.
pub mod flag {
    /// DATA and HEADERS: the sender's last frame of the stream, but for CONTINUATION.
    pub const END_STREAM: u8 = 0x1;
    /// SETTINGS and PING: an acknowledgement.
    pub const ACK: u8 = 0x1;
    /// HEADERS, PUSH_PROMISE and CONTINUATION: the fields are complete.
    pub const END_HEADERS: u8 = 0x4;
    /// DATA, HEADERS and PUSH_PROMISE: padding follows.
    pub const PADDED: u8 = 0x8;
    /// HEADERS: a priority stands before the fields.
    pub const PRIORITY: u8 = 0x20;
}

/// One frame. Its length on the wire is that of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0 is the connection. The highest bit is reserved, and can be set on the way out.
    pub stream: u32,
    /// Its payload, at most [`LARGEST`] bytes.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of these parts, which need not go together.
    pub fn new(kind: Kind, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// DATA, the last of its stream or not.
    pub fn data(stream: u32, body: impl Into<Vec<u8>>, ends: bool) -> Self {
        Self::new(Kind::DATA, if ends { flag::END_STREAM } else { 0 }, stream, body)
    }

    /// HEADERS with complete fields, `block` in HPACK.
    pub fn headers(stream: u32, block: impl Into<Vec<u8>>, ends: bool) -> Self {
        let ends = if ends { flag::END_STREAM } else { 0 };
        Self::new(Kind::HEADERS, flag::END_HEADERS | ends, stream, block)
    }

    /// CONTINUATION, the last of its fields or not.
    pub fn continuation(stream: u32, block: impl Into<Vec<u8>>, complete: bool) -> Self {
        Self::new(Kind::CONTINUATION, if complete { flag::END_HEADERS } else { 0 }, stream, block)
    }

    /// PRIORITY: `stream` depends on stream `on`.
    pub fn priority(stream: u32, on: u32, weight: u8) -> Self {
        let mut payload = on.to_be_bytes().to_vec();
        payload.push(weight);
        Self::new(Kind::PRIORITY, 0, stream, payload)
    }

    /// RST_STREAM.
    pub fn reset(stream: u32, code: Code) -> Self {
        Self::new(Kind::RST_STREAM, 0, stream, code.0.to_be_bytes())
    }

    /// SETTINGS of these identifiers and values.
    pub fn settings(settings: &[(u16, u32)]) -> Self {
        let mut payload = Vec::with_capacity(settings.len() * 6);
        for (id, value) in settings {
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        Self::new(Kind::SETTINGS, 0, 0, payload)
    }

    /// The acknowledgement of SETTINGS.
    pub fn settings_ack() -> Self {
        Self::new(Kind::SETTINGS, flag::ACK, 0, [])
    }

    /// PING with eight bytes of the sender's choice.
    pub fn ping(opaque: [u8; 8]) -> Self {
        Self::new(Kind::PING, 0, 0, opaque)
    }

    /// The answer to a PING of these eight bytes.
    pub fn ping_ack(opaque: [u8; 8]) -> Self {
        Self::new(Kind::PING, flag::ACK, 0, opaque)
    }

    /// GOAWAY: `last` is the last of the peer's streams that were taken.
    pub fn goaway(last: u32, code: Code, debug: &[u8]) -> Self {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend_from_slice(&code.0.to_be_bytes());
        payload.extend_from_slice(debug);
        Self::new(Kind::GOAWAY, 0, 0, payload)
    }

    /// WINDOW_UPDATE by `increment` bytes; stream 0 is the connection's window.
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(Kind::WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
    }

    /// The same frame with these flags on top.
    #[must_use]
    pub fn with(mut self, flags: u8) -> Self {
        self.flags |= flags;
        self
    }

    /// True when all of `flags` are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// True when the frame is the sender's last of its stream.
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, Kind::DATA | Kind::HEADERS) && self.has(flag::END_STREAM)
    }

    /// Appends the frame's bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        debug_assert!(self.payload.len() <= LARGEST, "the length of a frame has 24 bits");
        let length = (self.payload.len() as u32).to_be_bytes();
        out.extend_from_slice(&length[1..]);
        out.extend_from_slice(&[self.kind.0, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// The frame's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.payload.len());
        self.write(&mut bytes);
        bytes
    }

    /// The names of the flags that are set.
    fn flag_names(&self) -> Vec<String> {
        const NAMED: [(u8, &str, &[Kind]); 5] = [
            (flag::END_STREAM, "END_STREAM", &[Kind::DATA, Kind::HEADERS]),
            (flag::ACK, "ACK", &[Kind::SETTINGS, Kind::PING]),
            (flag::END_HEADERS, "END_HEADERS", &[Kind::HEADERS, Kind::CONTINUATION, Kind::PUSH_PROMISE]),
            (flag::PADDED, "PADDED", &[Kind::DATA, Kind::HEADERS, Kind::PUSH_PROMISE]),
            (flag::PRIORITY, "PRIORITY", &[Kind::HEADERS]),
        ];
        let mut unknown = self.flags;
        let mut names = Vec::new();
        for (bit, name, kinds) in NAMED {
            if self.has(bit) && kinds.contains(&self.kind) {
                unknown &= !bit;
                names.push(name.to_owned());
            }
        }
        if unknown != 0 {
            names.push(format!("{unknown:#04x}"));
        }
        names
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if self.stream != 0 {
            write!(f, " stream {}", self.stream)?;
        }
        let flags = self.flag_names();
        if !flags.is_empty() {
            write!(f, " {}", flags.join("|"))?;
        }
        match self.kind {
            Kind::DATA | Kind::HEADERS | Kind::CONTINUATION => write!(f, ", {} bytes", self.payload.len()),
            _ if self.payload.is_empty() => Ok(()),
            Kind::RST_STREAM if self.payload.len() == 4 => write!(f, " {}", code(&self.payload)),
            Kind::GOAWAY if self.payload.len() >= 8 => {
                let last = number(&self.payload);
                write!(f, " {}, last stream {last}", code(&self.payload[4..]))?;
                let debug = &self.payload[8..];
                if debug.is_empty() { Ok(()) } else { write!(f, ", \"{}\"", debug.escape_ascii()) }
            }
            Kind::WINDOW_UPDATE if self.payload.len() == 4 => write!(f, " +{}", number(&self.payload)),
            Kind::SETTINGS if self.payload.len().is_multiple_of(6) => {
                let mut settings = self.payload.chunks_exact(6);
                settings.try_for_each(|setting| {
                    let id = u16::from_be_bytes([setting[0], setting[1]]);
                    write!(f, " {}={}", super::settings::name(id), number(&setting[2..]))
                })
            }
            _ => write!(f, ", {} bytes", self.payload.len()),
        }
    }
}

/// The number that the first four bytes are.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |first| u32::from_be_bytes(*first))
}

fn code(bytes: &[u8]) -> Code {
    Code(number(bytes))
}

/// A frame whose payload is longer than the reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Error)]
#[display("a frame of {length} bytes, where at most {most} are taken")]
pub struct TooLong {
    /// The length that the frame announces, in bytes.
    pub length: usize,
    /// The longest that is taken.
    pub most: usize,
}

/// Cuts one frame off the front of `bytes`, and says how many bytes it took; `None` asks for more bytes.
///
/// The reserved bit of the stream is dropped, as the RFC demands of readers.
///
/// # Errors
/// When the frame's payload is longer than `most`; that is known as soon as the first three bytes are there.
pub fn cut(bytes: &[u8], most: usize) -> Result<Option<(Frame, usize)>, TooLong> {
    let Some([a, b, c, rest @ ..]) = bytes.first_chunk::<3>().map(|_| bytes) else { return Ok(None) };
    let length = number(&[0, *a, *b, *c]) as usize;
    if length > most {
        return Err(TooLong { length, most });
    }
    let [kind, flags, stream @ ..] = rest else { return Ok(None) };
    if bytes.len() < HEAD + length {
        return Ok(None);
    }
    let payload = &bytes[HEAD..HEAD + length];
    let stream = number(stream) & 0x7fff_ffff;
    Ok(Some((Frame::new(Kind(*kind), *flags, stream, payload), HEAD + length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_written_byte_for_byte() {
        assert_eq!(Frame::settings_ack().bytes(), [0, 0, 0, 4, 1, 0, 0, 0, 0]);
        let update = Frame::window_update(3, 0x0001_0203);
        assert_eq!(update.bytes(), [0, 0, 4, 8, 0, 0, 0, 0, 3, 0, 1, 2, 3]);
        let data = Frame::data(0x8000_0001, *b"hi", true);
        assert_eq!(data.bytes(), [0, 0, 2, 0, 1, 0x80, 0, 0, 1, b'h', b'i']);
    }

    #[test]
    fn a_frame_names_its_type_flags_and_contents() {
        let shown = [
            (Frame::headers(1, vec![0; 20], true), "HEADERS stream 1 END_STREAM|END_HEADERS, 20 bytes"),
            (Frame::data(3, *b"abc", false), "DATA stream 3, 3 bytes"),
            (Frame::reset(5, Code::CANCEL), "RST_STREAM stream 5 CANCEL"),
            (Frame::settings(&[(4, 0), (0xff, 7)]), "SETTINGS INITIAL_WINDOW_SIZE=0 0xff=7"),
            (Frame::settings_ack(), "SETTINGS ACK"),
            (Frame::ping_ack([0; 8]), "PING ACK, 8 bytes"),
            (
                Frame::goaway(7, Code::ENHANCE_YOUR_CALM, b"calm\n"),
                r#"GOAWAY ENHANCE_YOUR_CALM, last stream 7, "calm\n""#,
            ),
            (Frame::window_update(0, 9), "WINDOW_UPDATE +9"),
            (Frame::new(Kind(0xbe), 0x11, 9, [1]), "type 0xbe stream 9 0x11, 1 bytes"),
            (Frame::new(Kind::WINDOW_UPDATE, 0, 1, [1]), "WINDOW_UPDATE stream 1, 1 bytes"),
            (Frame::continuation(1, [], false), "CONTINUATION stream 1, 0 bytes"),
        ];
        for (frame, text) in shown {
            assert_eq!(frame.to_string(), text);
        }
    }

    #[test]
    fn a_frame_is_cut_only_when_it_is_whole() {
        let mut bytes = Frame::ping(*b"12345678").bytes();
        let whole = bytes.len();
        bytes.extend(Frame::settings_ack().bytes());
        for end in 0..whole {
            assert_eq!(cut(&bytes[..end], MAX_PAYLOAD), Ok(None), "at {end}");
        }
        for end in whole..=bytes.len() {
            let (frame, used) = cut(&bytes[..end], MAX_PAYLOAD).unwrap().unwrap();
            assert_eq!((frame, used), (Frame::ping(*b"12345678"), whole), "at {end}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_payload_is_there() {
        let bytes = Frame::data(1, vec![0; 11], false).bytes();
        assert_eq!(cut(&bytes[..2], 10), Ok(None));
        assert_eq!(cut(&bytes[..3], 10), Err(TooLong { length: 11, most: 10 }));
        assert!(cut(&bytes, 11).unwrap().is_some());
        let error = TooLong { length: 11, most: 10 }.to_string();
        assert_eq!(error, "a frame of 11 bytes, where at most 10 are taken");
    }

    #[test]
    fn the_reserved_bit_is_sent_and_not_read() {
        let bytes = Frame::data(0x8000_0003, [], false).bytes();
        assert_eq!(cut(&bytes, MAX_PAYLOAD).unwrap().unwrap().0.stream, 3);
    }

    proptest! {
        #[test]
        fn a_frame_comes_back_as_it_was_sent(
            kind: u8, flags: u8, stream in 0_u32..1 << 31, payload in prop::collection::vec(any::<u8>(), 0..300), tail: Vec<u8>,
        ) {
            let frame = Frame::new(Kind(kind), flags, stream, payload);
            let mut bytes = frame.bytes();
            let whole = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(cut(&bytes, MAX_PAYLOAD), Ok(Some((frame.clone(), whole))));
            for end in 0..whole {
                prop_assert_eq!(cut(&bytes[..end], MAX_PAYLOAD), Ok(None));
            }
            let _ = frame.to_string();
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, most in 0_usize..40) {
            if let Ok(Some((frame, used))) = cut(&bytes, most) {
                prop_assert!(used <= bytes.len());
                let _ = frame.to_string();
            }
        }
    }
}
