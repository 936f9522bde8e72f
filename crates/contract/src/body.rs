//! Bodies as bytes, for a server that has no HTTP library.

use std::collections::BTreeSet;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Version};

use crate::{Refusal, budget, limits};

/// Takes the body of a request out of the bytes of its connection, in whatever pieces they come.
///
/// It follows RFC 9112, section 6, to the letter: what two parsers could read in two ways is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoder {
    state: State,
    chunked: bool,
    /// The number of bytes of chunk extensions and trailers that are still accepted.
    patience: usize,
    /// The number of trailer fields that are still accepted.
    fields: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The number of bytes of payload still to come, of the body or of its chunk.
    Payload(u64),
    /// A chunk's size is being read: so many digits so far, and what they say.
    Size { digits: u32, size: u64 },
    /// White space behind a chunk's size.
    Space { size: u64 },
    /// An extension behind a chunk's size.
    Extension { size: u64 },
    /// The line of a chunk's size ends.
    SizeEnd { size: u64 },
    /// A chunk's payload is over: its line end is to come, from the carriage return on.
    ChunkEnd,
    /// The second half of that line end.
    ChunkEndLf,
    /// The last chunk is over: a trailer field begins, or the body ends.
    TrailerStart,
    /// Within the name of a trailer field.
    TrailerName,
    /// Within the value of a trailer field.
    TrailerValue,
    /// A trailer field ends.
    TrailerEnd,
    /// The body ends.
    BodyEnd,
    /// Everything was taken.
    Whole,
}

impl Decoder {
    /// The decoder of the body that follows `head`.
    ///
    /// # Errors
    /// A body whose length is in doubt is refused with 400, one in a coding other than chunked with 501.
    pub fn of(head: &Parts) -> Result<Self, Refusal> {
        let length = length(head)?;
        let chunked = match (chunked(head)?, length) {
            (true, Some(_)) => return Err(Refusal::Malformed("both content-length and transfer-encoding")),
            (true, None) if head.version == Version::HTTP_10 => {
                return Err(Refusal::Malformed("transfer-encoding in HTTP/1.0"));
            }
            (chunked, _) => chunked,
        };
        Ok(if chunked { Self::chunked() } else { Self::sized(length.unwrap_or(0)) })
    }

    /// The decoder of a body in chunks.
    pub(crate) fn chunked() -> Self {
        Self {
            state: State::Size { digits: 0, size: 0 },
            chunked: true,
            patience: limits::HEAD,
            fields: limits::HEADERS,
        }
    }

    /// The decoder of a body of `length` bytes.
    pub(crate) fn sized(length: u64) -> Self {
        Self { state: payload(length), chunked: false, patience: limits::HEAD, fields: limits::HEADERS }
    }

    /// Reports whether the body was taken to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Takes the next piece of payload off the front of `bytes`, and whatever frames it; an empty piece when the bytes
    /// are used up or the body is whole. What follows the body is left alone.
    ///
    /// # Errors
    /// A body that breaks its framing is refused with 400; where it ends is not known then.
    pub fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<&'a [u8], Refusal> {
        while !self.is_whole() && !bytes.is_empty() {
            if let State::Payload(left) = self.state {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let (piece, rest) = bytes.split_at(most);
                *bytes = rest;
                self.state = match left - most as u64 {
                    0 if self.chunked => State::ChunkEnd,
                    left => payload(left),
                };
                return Ok(piece);
            }
            self.state = self.step(bytes[0])?;
            *bytes = &bytes[1..];
        }
        Ok(&[])
    }

    /// The state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        let was = self.state;
        let next = match (was, byte) {
            (State::Size { digits, size }, byte) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                State::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (State::Size { digits: 1.., size } | State::Space { size }, b' ' | b'\t') => {
                State::Space { size }
            }
            (State::Size { digits: 1.., size } | State::Space { size }, b';') => State::Extension { size },
            (
                State::Size { digits: 1.., size } | State::Space { size } | State::Extension { size },
                b'\r',
            ) => State::SizeEnd { size },
            (State::Extension { size }, byte) if byte != b'\n' => State::Extension { size },
            (State::SizeEnd { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => State::Payload(size),
            (State::ChunkEnd, b'\r') => State::ChunkEndLf,
            (State::ChunkEndLf, b'\n') => State::Size { digits: 0, size: 0 },
            (State::TrailerStart, b'\r') => State::BodyEnd,
            (State::BodyEnd, b'\n') => State::Whole,
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => State::TrailerName,
            (State::TrailerValue, b'\r') => State::TrailerEnd,
            (State::TrailerValue, byte) if is_text(byte) => State::TrailerValue,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            _ => return Err(Refusal::Malformed("malformed chunked body")),
        };
        if matches!(
            next,
            State::Space { .. } | State::Extension { .. } | State::TrailerName | State::TrailerValue
        ) {
            let patience = self.patience.checked_sub(1);
            self.patience = patience.ok_or(Refusal::Malformed("chunked body with too much beside it"))?;
        }
        if was == State::TrailerStart && next == State::TrailerName {
            let fields = self.fields.checked_sub(1);
            self.fields = fields.ok_or(Refusal::Malformed("chunked body with too much beside it"))?;
        }
        Ok(next)
    }
}

/// Reports whether the byte may stand in the name of a field (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reports whether the byte may stand in the value of a field (RFC 9110, 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

fn payload(left: u64) -> State {
    if left == 0 { State::Whole } else { State::Payload(left) }
}

/// The length that the head announces: the same one each time it does.
fn length(head: &Parts) -> Result<Option<u64>, Refusal> {
    let values: BTreeSet<_> =
        head.headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes).collect();
    let mut lengths = values.into_iter().map(|value| {
        let digits = str::from_utf8(value).ok();
        let length = digits.and_then(|digits| budget::number(digits, 18));
        length.ok_or(Refusal::Malformed("malformed content-length"))
    });
    let length = lengths.next().transpose()?;
    if lengths.next().is_some() {
        Err(Refusal::Malformed("more than one content-length"))
    } else {
        Ok(length)
    }
}

/// Reports whether the body comes in chunks.
fn chunked(head: &Parts) -> Result<bool, Refusal> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Refusal::TransferCoding),
    }
}

#[cfg(test)]
mod tests;
