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
    /// How many more trailer fields are borne with.
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
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    const CHUNKED: (&str, &str) = ("transfer-encoding", "chunked");

    fn decoder(version: Version, fields: &[(&str, &str)]) -> Result<Decoder, Refusal> {
        let mut request = Request::builder().version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Decoder::of(&request.body(()).expect("the test's own head is one").into_parts().0)
    }

    fn of(fields: &[(&str, &str)]) -> Result<Decoder, Refusal> {
        decoder(Version::HTTP_11, fields)
    }

    /// A decoder's output for bytes that come in these pieces: the payload, the rest, and the ending.
    #[derive(Debug, PartialEq, Eq)]
    struct Taken {
        payload: Vec<u8>,
        rest: Vec<u8>,
        whole: Result<bool, Refusal>,
    }

    fn take<'a>(mut decoder: Decoder, pieces: impl IntoIterator<Item = &'a [u8]>) -> Taken {
        let (mut payload, mut rest, mut whole) = (Vec::new(), Vec::new(), Ok(decoder.is_whole()));
        for mut piece in pieces {
            while whole == Ok(false) && !piece.is_empty() {
                match decoder.take(&mut piece) {
                    Ok(taken) => payload.extend_from_slice(taken),
                    Err(refusal) => whole = Err(refusal),
                }
                if whole.is_ok() {
                    whole = Ok(decoder.is_whole());
                }
            }
            if whole.is_ok() {
                rest.extend_from_slice(piece);
            }
        }
        Taken { payload, rest, whole }
    }

    fn chunks(bytes: &[u8]) -> Taken {
        take(of(&[CHUNKED]).expect("chunked is a coding that is taken"), [bytes])
    }

    #[test]
    fn a_head_that_announces_nothing_has_no_body() {
        assert!(of(&[]).is_ok_and(|decoder| decoder.is_whole()));
        assert!(of(&[("content-length", "0")]).is_ok_and(|decoder| decoder.is_whole()));
    }

    #[test]
    fn a_body_of_known_length_leaves_what_is_pipelined_behind_it() {
        let decoder = of(&[("content-length", "3")]).expect("the length is well formed");
        let taken = take(decoder, [&b"a"[..], b"bcGET"]);
        assert_eq!((&taken.payload[..], &taken.rest[..], taken.whole), (&b"abc"[..], &b"GET"[..], Ok(true)));
    }

    #[test]
    fn a_chunked_body_leaves_what_is_pipelined_behind_it() {
        let taken = chunks(b"3\r\nabc\r\n0A ; note=\"x\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET");
        assert_eq!(taken.payload, b"abc0123456789");
        assert_eq!((&taken.rest[..], taken.whole), (&b"GET"[..], Ok(true)));
    }

    #[test]
    fn a_length_in_doubt_is_refused() {
        for fields in [
            &[("content-length", "3"), CHUNKED][..],
            &[("content-length", "3"), ("content-length", "4")],
            &[("content-length", "3, 3")],
            &[("content-length", "+5")],
            &[("content-length", "-5")],
            &[("content-length", "5 5")],
            &[("content-length", "0x5")],
            &[("content-length", "")],
            &[("content-length", "9999999999999999999")],
        ] {
            assert!(matches!(of(fields), Err(Refusal::Malformed(_))), "{fields:?}");
        }
    }

    #[test]
    fn a_length_that_is_repeated_is_taken() {
        assert_eq!(of(&[("content-length", "3"), ("content-length", "3")]), of(&[("content-length", "3")]));
    }

    #[test]
    fn a_coding_other_than_chunked_is_not_implemented() {
        for coding in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", ""] {
            assert_eq!(of(&[("transfer-encoding", coding)]), Err(Refusal::TransferCoding), "{coding:?}");
        }
        assert_eq!(of(&[CHUNKED, CHUNKED]), Err(Refusal::TransferCoding));
    }

    #[test]
    fn http_1_0_knows_no_chunks() {
        assert!(matches!(decoder(Version::HTTP_10, &[CHUNKED]), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bytes in [
            "zz\r\n",
            "\r\n",
            ";x\r\n",
            " 3\r\n",
            "+3\r\n",
            "-1\r\n",
            "0x3\r\n",
            "3 3\r\n",
            "3\nabc\r\n",
            "3;x\nabc\r\n",
            "3\rabc",
            "3\r\nabcd",
            "3\r\nabc\n",
            "00000000000000003\r\n",
            "fffffffffffffffff\r\n",
            "0\r\n\n",
            "0\r\nTrailer: x\n\r\n",
            "0\r\nTrailer\r\n\r\n",
            "0\r\n: x\r\n\r\n",
            "0\r\nTrai ler: x\r\n\r\n",
            "0\r\nTrailer : x\r\n\r\n",
            "0\r\n Trailer: x\r\n\r\n",
            "0\r\nTrai\0ler: x\r\n\r\n",
            "0\r\nTrailer: a\0b\r\n\r\n",
            "0\r\nTrailer: a\r\n b\r\n\r\n",
            "0\r\n\rx",
        ] {
            assert!(matches!(chunks(bytes.as_bytes()).whole, Err(Refusal::Malformed(_))), "{bytes:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_borne_with_up_to_the_size_of_a_head() {
        let extended = |bytes: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(bytes));
        assert_eq!(chunks(extended(limits::HEAD - 1).as_bytes()).whole, Ok(true));
        assert!(chunks(extended(limits::HEAD).as_bytes()).whole.is_err());
        let trailed = |fields: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert_eq!(chunks(trailed(limits::HEADERS).as_bytes()).whole, Ok(true));
        assert!(chunks(trailed(limits::HEADERS + 1).as_bytes()).whole.is_err());
    }

    #[test]
    fn the_largest_size_does_not_overflow() {
        let taken = chunks(b"ffffffffffffffff\r\nabc");
        assert_eq!((&taken.payload[..], taken.whole), (&b"abc"[..], Ok(false)));
    }

    /// Bytes that look like chunks often enough to get past their first byte.
    fn nearly_chunks() -> impl Strategy<Value = Vec<u8>> {
        let token = prop::sample::select(vec![
            "0",
            "1",
            "3",
            "a",
            "\r\n",
            "\r\n",
            "\r",
            "\n",
            ";",
            " ",
            "x",
            "3\r\nabc\r\n",
            "0\r\n\r\n",
            "\0",
            "é",
        ]);
        let tokens = prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes());
        prop_oneof![tokens, prop::collection::vec(any::<u8>(), 0..64)]
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_the_same_however_they_are_split(
            bytes in nearly_chunks(),
            length in prop::option::of(0_u64..80),
            size in 1_usize..9,
        ) {
            let length = length.map(|length| length.to_string());
            let fields = length.as_ref().map_or(CHUNKED, |length| ("content-length", length));
            let decoder = of(&[fields]).expect("its framing is well formed");
            let whole = take(decoder.clone(), [&bytes[..]]);
            prop_assert_eq!(take(decoder, bytes.chunks(size)), whole);
        }

        #[test]
        fn what_is_sent_in_chunks_arrives(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            behind in prop::collection::vec(any::<u8>(), 0..20),
            size in 1_usize..50,
        ) {
            let mut bytes = Vec::new();
            for piece in &pieces {
                bytes.extend(format!("{:x}\r\n", piece.len()).bytes().chain(piece.iter().copied()).chain(*b"\r\n"));
            }
            bytes.extend(b"0\r\n\r\n".iter().chain(&behind));
            let decoder = of(&[CHUNKED]).expect("chunked is a coding that is taken");
            let taken = take(decoder, bytes.chunks(size));
            prop_assert_eq!(taken, Taken { payload: pieces.concat(), rest: behind, whole: Ok(true) });
        }
    }
}
