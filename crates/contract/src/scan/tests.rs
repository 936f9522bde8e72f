use std::time::{Duration, Instant};

use clap::Parser;
use proptest::prelude::*;

use super::*;
use crate::{Clock, Settings, limits, wire};

/// Requests of every framing, in every spelling of a line end, whole and in part.
const TEXTS: [&str; 59] = [
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
    "GET /fast HTTP/1.1\nHost: lab\n\n",
    "GET /fast HTTP/1.1\r\nHost: lab\n\r\n",
    "GET /fast HTTP/1.1\nHost: lab\r\n\n",
    "GET /fast HTTP/1.0\r\n\r\n",
    "GET /fast HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
    "\n\r\n\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n\r\n\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nGET /fa",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nG",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n",
    "GET /slow?work=3000ms HTTP/1.1\r\nHost: lab\r\ngrpc-timeout: 300m\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\nGET /fast HTTP/1.1\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nContent-Type: 3\r\n\r\nGET",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nContent-Lengths: 3\r\n\r\nGET",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nX-Content-Length: 3\r\n\r\nGET",
    "GET /fast HTTP/1.1\r\nHost: lab\r\nTE: trailers\r\nTrailer: x\r\n\r\nGET",
    "GET /content-length: HTTP/1.1\r\nHost: lab\r\nA: content-length: 3\r\n\r\nGET",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nab",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabcGET /fa",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabcGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "POST /upload HTTP/1.1\nHost: lab\ncontent-length:3\n\nabcGET",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nCONTENT-LENGTH: \t3 \t\r\n\r\nabcGET",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabcGET",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 100\r\n\r\n0123456789",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 010\r\n\r\n0123456789G",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
    "POST /upload HTTP/1.1\nHost: lab\ntransfer-encoding:CHUNKED\n\n1;a=b\r\nx\r\n0\r\nA: b\r\n\r\nG",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding:\t chunked \r\n\r\n0\r\n\r\n\r\nGET / HTTP/1.1\r\n",
    "POST /slow?body=ignore HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
    // The parser refuses these: where the next head begins is not known.
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: x\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: +3\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3 3\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length:\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0",
    "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\r\n folded: x\r\n\r\n",
    "GET /fast HTTP/1.1\r\nHost: lab\rX: y\r\n\r\n",
    "nonsense\r\n\r\n",
    "\0\u{1}\u{2}\r\n\r\n",
];

/// Returns the bytes of clients on one connection: those of [`TEXTS`], and a long head.
fn heads() -> Vec<Vec<u8>> {
    let long = format!("GET /fast?{} HTTP/1.1\r\nHost: lab\r\n\r\n", "x".repeat(90));
    let heads: Vec<_> =
        TEXTS.into_iter().chain([long.as_str()]).map(|text| text.as_bytes().to_vec()).collect();
    assert_eq!(heads.len(), 60);
    heads
}

/// The place behind every byte and the number of whole heads up to it, when the bytes are given one by one.
fn byte_by_byte(bytes: &[u8]) -> Vec<(Place, usize)> {
    let (mut scan, mut heads) = (Scan::default(), 0);
    let places = bytes.iter().map(|byte| {
        heads += scan.push(std::slice::from_ref(byte));
        (scan.place(), heads)
    });
    [(Place::Between, 0)].into_iter().chain(places).collect()
}

/// All ways to split so many bytes into two pieces or three.
fn splits(length: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..length).flat_map(move |first| (first..length).map(move |second| (first, second)))
}

#[test]
fn sixty_heads_come_to_the_same_places_in_every_split_into_two_and_three() {
    for bytes in heads() {
        let expected = byte_by_byte(&bytes);
        for (first, second) in splits(bytes.len()) {
            let (mut scan, mut heads) = (Scan::default(), 0);
            for (piece, end) in
                [(0..first, first), (first..second, second), (second..bytes.len(), bytes.len())]
            {
                heads += scan.push(&bytes[piece]);
                let text = bytes.escape_ascii();
                assert_eq!((scan.place(), heads), expected[end], "{text}, split at {first} and {second}");
            }
        }
    }
}

/// A clock's deadlines when a connection's bytes arrive in these pieces, and all its heads are served one second after
/// the last of them: behind the last byte, behind each answer, and when each request must have been read.
fn clocked(settings: &Settings, pieces: &[&[u8]]) -> Vec<Option<Duration>> {
    let start = Instant::now();
    let clock = Clock::start(settings, start);
    let second = Duration::from_secs(1);
    let (mut scan, mut heads) = (Scan::default(), 0);
    for piece in pieces {
        heads += scan.push(piece);
        clock.received(start, piece);
    }
    let mut seen = vec![clock.deadline()];
    for _ in 0..heads {
        seen.push(Some(clock.busy(start + second).0));
        clock.idle(start + 2 * second);
        seen.push(clock.deadline());
    }
    clock.received(start + 3 * second, b"\r\n");
    seen.push(clock.deadline());
    clock.received(start + 4 * second, b"G");
    seen.push(clock.deadline());
    seen.into_iter().map(|at| at.map(|at| at.duration_since(start))).collect()
}

#[test]
fn sixty_heads_come_to_the_same_timeouts_in_every_split_into_two_and_three() {
    let settings = Settings::parse_from(["server"]);
    for bytes in heads() {
        let expected = clocked(&settings, &[&bytes]);
        for (first, second) in splits(bytes.len()) {
            let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(
                clocked(&settings, &pieces),
                expected,
                "{}, split at {first} and {second}",
                bytes.escape_ascii()
            );
        }
    }
}

#[test]
fn a_place_is_the_one_that_the_bytes_have_come_to() {
    for (text, place, heads) in [
        ("", Place::Between, 0),
        ("\r\n", Place::Between, 0),
        ("G", Place::Head, 0),
        ("GET /fast HTTP/1.1\nHost: x\n", Place::Head, 0),
        ("GET /fast HTTP/1.1\nHost: x\n\n", Place::Between, 1),
        ("GET /fast HTTP/1.1\r\n\r\nGET /fa", Place::Head, 1),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", Place::Body, 1),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n", Place::Between, 1),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcG", Place::Head, 1),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", Place::Body, 1),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", Place::Head, 1),
        (
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
            Place::Head,
            1,
        ),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", Place::Lost, 1),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nGET / HTTP/1.1\r\n\r\n", Place::Lost, 1),
    ] {
        assert_eq!(byte_by_byte(text.as_bytes()).last(), Some(&(place, heads)), "{text:?}");
    }
}

/// Bytes that look like requests often enough to get past their first head.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "GET /fast HTTP/1.1\r\n",
        "GET ",
        "/fast",
        " HTTP/1.1\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "Host: x\r\n",
        "Content-Length: 3\r\n",
        "content-length:",
        "Transfer-Encoding: chunked\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "abc",
        " 3",
        "\0",
        "é",
    ]);
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_come_to_the_same_place_however_they_are_split(bytes in nearly_requests(), size in 1_usize..40) {
        let (mut scan, mut heads) = (Scan::default(), 0);
        for piece in bytes.chunks(size) {
            heads += scan.push(piece);
        }
        let expected = byte_by_byte(&bytes);
        prop_assert_eq!(Some(&(scan.place(), heads)), expected.last());
    }

    #[test]
    fn a_head_is_whole_where_the_parser_says_so(bytes in nearly_requests()) {
        let first = byte_by_byte(&bytes).iter().position(|(_, heads)| *heads > 0);
        if bytes.len() < limits::HEAD && let Ok(parsed) = wire::head(&bytes) {
            prop_assert_eq!(parsed.map(|(_, length)| length), first);
        }
    }

    #[test]
    fn a_body_ends_where_the_decoder_says_so(bytes in nearly_requests()) {
        if let Ok(Some((head, length))) = wire::head(&bytes) && let Ok(mut decoder) = Decoder::of(&head) {
            let mut rest = &bytes[length..];
            let broken = loop {
                match decoder.take(&mut rest) {
                    Err(_) => break true,
                    Ok([]) => break false,
                    Ok(_) => {}
                }
            };
            let place = byte_by_byte(&bytes[..bytes.len() - rest.len()]).last().map(|(place, _)| *place);
            let whole = if decoder.is_whole() { Place::Between } else { Place::Body };
            prop_assert!(broken || place == Some(whole), "{:?} instead of {:?}", place, whole);
        }
    }
}
