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
