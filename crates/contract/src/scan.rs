//! Where a connection stands in the bytes of its client: between two requests, in a head, or in a body.
//!
//! A [`Scan`] is given every byte that arrives, in pieces of any size, and comes to the same result for the same bytes
//! however they were split. It follows the framing of RFC 9112, and judges the target as it was sent, which a library hides;
//! what a head asks for, and whether it is well formed, is the parser's to say. A line costs one search for its end, and a byte of a body with a known length
//! costs nothing, so it can run on every byte of a connection.

use memchr::memchr;

use crate::Refusal;
use crate::body::Decoder;
use crate::request_target::Target;

/// A place in the requests of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No byte of a next head has arrived. An empty line before a head is not part of it (RFC 9112, 2.2).
    Between,
    /// A head has begun and is not whole.
    Head,
    /// A head is whole, and the body behind it is not.
    Body,
    /// The end of a body cannot be known: the parser refuses the request, and the connection ends.
    Lost,
}

/// An incremental scan of what one client sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    step: Step,
    /// The framing of the body, as far as the head under way says.
    framing: Framing,
    /// The target of the head under way, or of the last one.
    target: Target,
    /// The number of heads that are whole.
    heads: usize,
    /// The first head whose target is refused, by the number of heads before it. None behind it is answered.
    refused: Option<(usize, Target)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Between,
    /// In the method of a request line.
    Method,
    /// In its target.
    Target,
    /// In a line, or the rest of one, that says nothing about the framing.
    Line,
    /// At the start of a line behind the first, which may be the empty one that ends the head.
    Start,
    /// Behind the carriage return of a line that is empty so far.
    StartCr,
    /// In the name of a field: so many of its bytes are those of a field that frames.
    Name {
        field: Field,
        matched: usize,
    },
    /// In the value of `Content-Length`.
    Length(Number),
    /// In the value of `Transfer-Encoding`.
    Coding(Coding),
    Body(Decoder),
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Length,
    Coding,
}

/// The value of a `Content-Length`, digit by digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Number {
    value: Option<u64>,
    /// True when white space came behind the digits.
    ended: bool,
}

/// The value of a `Transfer-Encoding`, byte by byte: `chunked` and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Coding {
    matched: usize,
    /// True when white space came behind it.
    ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Framing {
    length: Option<u64>,
    is_chunked: bool,
    is_doubtful: bool,
}

impl Field {
    /// The name in lower case, and the colon behind it.
    fn name(self) -> &'static [u8] {
        match self {
            Self::Length => b"content-length:",
            Self::Coding => b"transfer-encoding:",
        }
    }
}

const CHUNKED: &[u8] = b"chunked";

impl Scan {
    /// The place behind the last byte that was given.
    #[must_use]
    pub fn place(&self) -> Place {
        match self.step {
            Step::Between => Place::Between,
            Step::Body(_) => Place::Body,
            Step::Lost => Place::Lost,
            _ => Place::Head,
        }
    }

    /// Returns the refusal that the target of head number `head`, counted from zero, earned, if it is the first to earn one.
    #[must_use]
    pub fn refusal(&self, head: usize) -> Option<Refusal> {
        self.refused.filter(|(refused, _)| *refused == head).and_then(|(_, target)| target.refusal())
    }

    /// Returns the refusal of the head under way, which is too large: for its target, where that is too long already.
    #[must_use]
    pub fn too_large(&self) -> Refusal {
        self.target
            .refusal()
            .filter(|refusal| *refusal == Refusal::UriTooLong)
            .unwrap_or(Refusal::HeadTooLarge)
    }

    /// Goes on over `bytes`, and returns the number of heads that became whole.
    pub fn push(&mut self, mut bytes: &[u8]) -> usize {
        let before = self.heads;
        while let Some(&byte) = bytes.first() {
            match &mut self.step {
                Step::Lost => break,
                Step::Body(decoder) => match decoder.take(&mut bytes) {
                    Ok(_) if decoder.is_whole() => self.step = Step::Between,
                    Ok(_) => {}
                    Err(_) => self.step = Step::Lost,
                },
                Step::Between => match bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')) {
                    Some(begin) => {
                        (self.step, bytes, self.target) = (Step::Method, &bytes[begin..], Target::default());
                    }
                    None => break,
                },
                Step::Method => match bytes.iter().position(|byte| matches!(byte, b' ' | b'\n')) {
                    Some(end) if bytes[end] == b' ' => (self.step, bytes) = (Step::Target, &bytes[end + 1..]),
                    Some(end) => (self.step, bytes) = (Step::Line, &bytes[end..]),
                    None => break,
                },
                Step::Target => {
                    let end = bytes.iter().position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
                    let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                    self.target.push(piece);
                    bytes = rest;
                    if end.is_some() {
                        self.step = Step::Line;
                    }
                }
                Step::Line => match skip_lines(bytes) {
                    Some(rest) => (self.step, bytes) = (Step::Start, rest),
                    None => break,
                },
                Step::Start if bytes.starts_with(b"\r\n") => {
                    bytes = &bytes[2..];
                    self.end_head();
                }
                _ => {
                    bytes = &bytes[1..];
                    self.step(byte);
                }
            }
        }
        self.heads - before
    }

    /// Ends the head under way: its body comes next.
    fn end_head(&mut self) {
        if self.refused.is_none() && self.target.refusal().is_some() {
            self.refused = Some((self.heads, self.target));
        }
        self.heads += 1;
        self.step = std::mem::take(&mut self.framing).body();
    }

    /// Takes one byte of a head behind its first line.
    fn step(&mut self, byte: u8) {
        let next = match (&self.step, byte) {
            (Step::Start | Step::StartCr, b'\n') => return self.end_head(),
            (Step::Start, b'\r') => Step::StartCr,
            (Step::Start, b'c' | b'C') => Step::Name { field: Field::Length, matched: 1 },
            (Step::Start, b't' | b'T') => Step::Name { field: Field::Coding, matched: 1 },
            (Step::Name { field, matched }, byte)
                if field.name().get(*matched) == Some(&byte.to_ascii_lowercase()) =>
            {
                match field {
                    _ if matched + 1 < field.name().len() => {
                        Step::Name { field: *field, matched: matched + 1 }
                    }
                    Field::Length => Step::Length(Number::default()),
                    Field::Coding => Step::Coding(Coding::default()),
                }
            }
            (Step::Length(number), b'\n') => {
                self.framing.has_length(number.value);
                Step::Start
            }
            (Step::Coding(coding), b'\n') => {
                self.framing.has_coding(coding.matched == CHUNKED.len());
                Step::Start
            }
            (Step::Length(number), byte) => self.or_doubt(number.with(byte).map(Step::Length)),
            (Step::Coding(coding), byte) => self.or_doubt(coding.with(byte).map(Step::Coding)),
            (_, b'\n') => Step::Start,
            _ => Step::Line,
        };
        self.step = next;
    }

    /// The step behind a byte of a value that frames; a value that cannot be read leaves the framing in doubt.
    fn or_doubt(&mut self, read: Option<Step>) -> Step {
        self.framing.is_doubtful |= read.is_none();
        read.unwrap_or(Step::Line)
    }
}

/// Returns the bytes behind the lines at the front of `bytes` that say nothing about the framing; `None` when they are
/// not over. The first is taken for such a line wherever `bytes` stand in it.
fn skip_lines(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = &bytes[memchr(b'\n', bytes)? + 1..];
        if matches!(bytes.first(), None | Some(b'\r' | b'\n' | b'c' | b'C' | b't' | b'T')) {
            return Some(bytes);
        }
    }
}

impl Number {
    /// The value with one byte more, or `None` when it is no number for that.
    fn with(self, byte: u8) -> Option<Self> {
        match byte {
            b'0'..=b'9' if !self.ended => {
                let digit = u64::from(byte - b'0');
                let value = self.value.unwrap_or(0).checked_mul(10)?.checked_add(digit)?;
                Some(Self { value: Some(value), ended: false })
            }
            b' ' | b'\t' | b'\r' => Some(Self { ended: self.value.is_some(), ..self }),
            _ => None,
        }
    }
}

impl Coding {
    /// The value with one byte more, or `None` when it is another coding for that.
    fn with(self, byte: u8) -> Option<Self> {
        match byte {
            b' ' | b'\t' | b'\r' => Some(Self { ended: self.matched > 0, ..self }),
            byte if !self.ended && CHUNKED.get(self.matched) == Some(&byte.to_ascii_lowercase()) => {
                Some(Self { matched: self.matched + 1, ended: false })
            }
            _ => None,
        }
    }
}

impl Framing {
    /// A field gave this length: a second one must give the same.
    fn has_length(&mut self, length: Option<u64>) {
        self.is_doubtful |= length.is_none() || self.length.is_some_and(|first| Some(first) != length);
        self.length = length;
    }

    /// A field gave a coding: the one that is known, and once.
    fn has_coding(&mut self, is_chunked: bool) {
        self.is_doubtful |= self.is_chunked || !is_chunked;
        self.is_chunked = true;
    }

    /// The step behind a head that framed its body so. Chunks go before a length, as in RFC 9112, 6.3.
    fn body(self) -> Step {
        let decoder = match (self.is_doubtful, self.is_chunked) {
            (true, _) => return Step::Lost,
            (false, true) => Decoder::chunked(),
            (false, false) => Decoder::sized(self.length.unwrap_or(0)),
        };
        if decoder.is_whole() { Step::Between } else { Step::Body(decoder) }
    }
}

#[cfg(test)]
mod tests;
