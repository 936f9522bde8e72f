//! Heads as bytes, for a server that has no HTTP library.

use std::io::Write;
use std::time::SystemTime;

use http::header::{CONNECTION, EXPECT, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Version};

use crate::scan::Scan;
use crate::{Answer, Refusal, limits};

/// The interim answer to a client that waits for leave to send its body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// The end of a chunked body.
pub const LAST_CHUNK: &str = "0\r\n\r\n";

/// Reads one request head from the start of `bytes`: the head and its length, or `None` while it is incomplete.
///
/// # Errors
/// A head that is malformed, too large, or of another protocol is refused with the status it earns.
pub fn head(bytes: &[u8]) -> Result<Option<(Parts, usize)>, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; limits::HEADERS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= limits::HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < limits::HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(too_large(bytes)),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(_) => return Err(Refusal::Malformed("malformed request head")),
    };
    let head = parts(&parsed).ok().filter(is_target).ok_or(Refusal::Malformed("malformed request head"))?;
    Ok(Some((head, length)))
}

/// The refusal of a head that is too large: for its target, where that is too long already.
fn too_large(bytes: &[u8]) -> Refusal {
    let mut scan = Scan::default();
    scan.push(bytes);
    scan.too_large()
}

/// The head that was `parsed`, as a type.
fn parts(parsed: &httparse::Request<'_, '_>) -> Result<Parts, http::Error> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = parsed.method.unwrap_or_default().parse()?;
    head.uri = parsed.path.unwrap_or_default().parse()?;
    head.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes())?;
        head.headers.append(name, HeaderValue::from_bytes(field.value)?);
    }
    Ok(head)
}

/// Reports whether the target of `head` has one of the four forms, the third of which only `CONNECT` may use.
fn is_target(head: &Parts) -> bool {
    let (uri, names_host) = (&head.uri, head.uri.scheme().is_some());
    names_host || uri.path().starts_with('/') || uri.path() == "*" || head.method == Method::CONNECT
}

/// Reports whether the client of `head` wants its connection kept open behind the answer: by default in HTTP/1.1, and
/// on request in HTTP/1.0.
#[must_use]
pub fn keeps_alive(head: &Parts) -> bool {
    match head.version {
        Version::HTTP_10 => lists(head, CONNECTION, "keep-alive") && !lists(head, CONNECTION, "close"),
        _ => !lists(head, CONNECTION, "close"),
    }
}

/// Reports whether the client of `head` waits for [`CONTINUE`] before it sends its body.
#[must_use]
pub fn awaits_continue(head: &Parts) -> bool {
    head.version != Version::HTTP_10 && lists(head, EXPECT, "100-continue")
}

/// Reports whether the comma-separated field `name` has `member`, in whatever case.
fn lists(head: &Parts, name: HeaderName, member: &str) -> bool {
    let values = head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(member))
}

/// The value of the `Date` of an answer made at `now`.
#[must_use]
pub fn date(now: SystemTime) -> HeaderValue {
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).expect("a date is printable ASCII")
}

/// The bytes of an answer with its `Content-Length`; without its body when it answers a `HEAD`, and without either when
/// the body is one that a `GET` would have streamed.
#[must_use]
pub fn bytes(answer: &Answer, is_head: bool) -> Vec<u8> {
    let body = answer.body().as_bytes();
    let mut bytes = answer_head(answer);
    if !is_head || !body.is_empty() {
        write!(bytes, "content-length: {}\r\n", body.len()).expect("a vector takes every byte");
    }
    bytes.extend_from_slice(b"\r\n");
    if !is_head {
        bytes.extend_from_slice(body);
    }
    bytes
}

/// The bytes of the head of an answer whose body is streamed: in chunks, or up to the end of the connection to a client
/// that knows no chunks.
#[must_use]
pub fn streamed<B>(answer: &Response<B>, chunked: bool) -> Vec<u8> {
    let mut bytes = answer_head(answer);
    let ending: &[u8] = if chunked { b"transfer-encoding: chunked\r\n\r\n" } else { b"\r\n" };
    bytes.extend_from_slice(ending);
    bytes
}

/// One chunk of a chunked body; `data` is not empty, because the empty one is the last.
#[must_use]
pub fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// The status line and the header fields of an answer, without the empty line that ends them.
fn answer_head<B>(answer: &Response<B>) -> Vec<u8> {
    let status = answer.status();
    let reason = status.canonical_reason().unwrap_or_default();
    // An answer is a few short lines: they fit at once.
    let mut bytes = Vec::with_capacity(512);
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    for (name, value) in answer.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Parts {
        head(text.as_bytes()).expect("the test's own head is well formed").expect("and complete").0
    }

    #[test]
    fn a_head_is_incomplete_until_its_empty_line() {
        let text = b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n";
        for length in 0..text.len() {
            assert!(matches!(head(&text[..length]), Ok(None)), "{length}");
        }
        assert!(matches!(head(text), Ok(Some((_, length))) if length == text.len()));
    }

    #[test]
    fn what_is_pipelined_behind_a_head_is_not_part_of_it() {
        let text = b"GET /fast HTTP/1.1\r\n\r\nGET /fa";
        let (_, length) = head(text).expect("the head is well formed").expect("and complete");
        assert_eq!(&text[length..], b"GET /fa");
    }

    #[test]
    fn a_head_says_its_version() {
        assert_eq!(parse("GET / HTTP/1.0\r\n\r\n").version, Version::HTTP_10);
        assert_eq!(parse("GET / HTTP/1.1\r\n\r\n").version, Version::HTTP_11);
    }

    #[test]
    fn another_protocol_is_505() {
        for text in ["GET /fast HTTP/3.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"] {
            assert_eq!(head(text.as_bytes()).err(), Some(Refusal::Version), "{text}");
        }
    }

    #[test]
    fn a_malformed_head_is_400() {
        for text in [
            "nonsense\r\n\r\n",
            "GET /fast\r\n\r\n",
            "GET  /fast HTTP/1.1\r\n\r\n",
            "GET /fast HTTP/1.1\r\nbad header\r\n\r\n",
            "GET /fast HTTP/1.1\r\nname : value\r\n\r\n",
            "GET /fast HTTP/1.1\r\n folded: x\r\n\r\n",
            "GET fast HTTP/1.1\r\n\r\n",
            "GET host:1 HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(head(text.as_bytes()), Err(Refusal::Malformed(_))), "{text:?}");
        }
    }

    #[test]
    fn a_target_has_one_of_the_four_forms() {
        for line in ["GET /fast?work=1s", "GET http://host/fast", "CONNECT host:1", "OPTIONS *"] {
            parse(&format!("{line} HTTP/1.1\r\n\r\n"));
        }
    }

    #[test]
    fn a_head_may_have_16_kib_and_100_fields_and_no_more() {
        let long = |bytes: usize| {
            let frame = "GET / HTTP/1.1\r\na: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "x".repeat(bytes - frame))
        };
        assert!(matches!(head(long(limits::HEAD).as_bytes()), Ok(Some(_))));
        assert_eq!(head(long(limits::HEAD + 1).as_bytes()).err(), Some(Refusal::HeadTooLarge));
        assert_eq!(
            head(&long(limits::HEAD + 1).as_bytes()[..limits::HEAD]).err(),
            Some(Refusal::HeadTooLarge)
        );
        let target = format!("GET /{}", "x".repeat(limits::HEAD));
        assert_eq!(head(target.as_bytes()).err(), Some(Refusal::UriTooLong));
        let many = |fields: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert!(matches!(head(many(limits::HEADERS).as_bytes()), Ok(Some(_))));
        assert_eq!(head(many(limits::HEADERS + 1).as_bytes()).err(), Some(Refusal::HeadTooLarge));
    }

    #[test]
    fn a_connection_is_kept_by_default_in_1_1_and_on_request_in_1_0() {
        for (text, kept) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: x\r\nConnection: te, close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
        ] {
            assert_eq!(keeps_alive(&parse(text)), kept, "{text:?}");
        }
    }

    #[test]
    fn only_a_client_of_http_1_1_awaits_a_continue() {
        assert!(awaits_continue(&parse("POST / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n")));
        assert!(!awaits_continue(&parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n")));
        assert!(!awaits_continue(&parse("POST / HTTP/1.1\r\n\r\n")));
    }

    #[test]
    fn a_date_is_in_gmt() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(date(now), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn an_answer_to_head_has_the_length_and_not_the_body() {
        let answer = Response::new("hello\n".to_owned());
        assert_eq!(bytes(&answer, false), b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n");
        assert_eq!(bytes(&answer, true), b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n");
        let streamed = Response::new(String::new());
        assert_eq!(bytes(&streamed, true), b"HTTP/1.1 200 OK\r\n\r\n");
    }

    #[test]
    fn a_stream_is_chunked_or_ends_with_its_connection() {
        let answer = Response::new(());
        assert_eq!(streamed(&answer, true), b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(streamed(&answer, false), b"HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(chunk("0123456789abcdef"), "10\r\n0123456789abcdef\r\n");
    }

    /// Bytes that look like heads often enough to get past their first line.
    fn nearly_heads() -> impl Strategy<Value = Vec<u8>> {
        let token = prop::sample::select(vec![
            "GET ",
            "/fast",
            " HTTP/1.1",
            " HTTP/1.1\r\n",
            "\r\n",
            "\r\n",
            "Host: x\r\n",
            "a",
            ":",
            " ",
            "\0",
            "é",
            "\n",
            "GET /fast HTTP/1.1\r\n",
            "Content-Length: 3\r\n",
            " HTTP/1.0\r\n",
        ]);
        let tokens = prop::collection::vec(token, 0..20).prop_map(|tokens| tokens.concat().into_bytes());
        prop_oneof![tokens, prop::collection::vec(any::<u8>(), 0..64)]
    }

    proptest! {
        #[test]
        fn a_head_is_the_same_however_its_bytes_are_split(bytes in nearly_heads()) {
            let whole = head(&bytes).map(|read| read.map(|(_, length)| length));
            for end in 0..bytes.len() {
                match head(&bytes[..end]) {
                    Ok(None) => {}
                    Ok(Some((_, length))) => prop_assert_eq!(&whole, &Ok(Some(length))),
                    Err(_) => prop_assert!(whole.is_err()),
                }
            }
        }
    }
}
