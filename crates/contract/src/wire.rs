//! Heads as bytes, for a server that has no HTTP library.

use http::request::Parts;
use http::{Request, Response};

use crate::{Answer, Refusal, limits};

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
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(_) => return Err(Refusal::Malformed("malformed request head")),
    };
    let method = parsed.method.unwrap_or_default();
    let mut request = Request::builder().method(method).uri(parsed.path.unwrap_or_default());
    for field in parsed.headers {
        request = request.header(field.name, field.value);
    }
    match request.body(()) {
        Ok(request) => Ok(Some((request.into_parts().0, length))),
        Err(_) => Err(Refusal::Malformed("malformed request head")),
    }
}

/// The bytes of an answer with its `Content-Length`; without its body when it answers a `HEAD`.
#[must_use]
pub fn bytes(answer: &Answer, is_head: bool) -> Vec<u8> {
    let body = answer.body().as_bytes();
    let mut bytes = answer_head(answer);
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    if !is_head {
        bytes.extend_from_slice(body);
    }
    bytes
}

/// The status line and the header fields of an answer, without the empty line that ends them.
fn answer_head<B>(answer: &Response<B>) -> Vec<u8> {
    let status = answer.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
