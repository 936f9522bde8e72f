//! Bytes to responses: pure, so that every framing can be tested without a socket.

use derive_more::Display;
/// The most headers or trailers of a response that are parsed.
const HEADERS: usize = 1024;
/// The headers that nearly every response is content with.
const FEW_HEADERS: usize = 64;

/// A response as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// True when its status line says HTTP/1.0.
    pub is_http10: bool,
    /// Names in lower case and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks joined.
    pub body: Vec<u8>,
    /// False when the connection ended before the body did.
    pub whole: bool,
}

impl Response {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// True for a response that precedes the final one: 100, 103 and their like.
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// True when the response announces that the connection ends after it.
    pub fn says_close(&self) -> bool {
        self.has_option("close")
    }

    /// True when the connection can carry another request after it (RFC 9112, section 9.3): in HTTP/1.0 only if it says so.
    pub fn keeps_alive(&self) -> bool {
        !self.says_close() && (!self.is_http10 || self.has_option("keep-alive"))
    }

    fn has_option(&self, option: &str) -> bool {
        self.header("connection")
            .is_some_and(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(option)))
    }

    /// The body as text, for messages and searches.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A text field of the JSON body.
    pub fn field(&self, name: &str) -> Option<String> {
        Some(self.json()?.get(name)?.as_str()?.to_owned())
    }
}

/// The fault of a response's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
#[display("malformed response: {_0}")]
pub struct Malformed(pub String);

/// Parses one response from the front of `bytes`, and says how many bytes it took.
///
/// `Ok(None)` asks for more bytes; with `ended` (no more will come) a begun body is given as not whole.
/// `head_only` is for answers to HEAD, which announce a body and send none. Interim responses (1xx) are given
/// like any other, without a body.
///
/// # Errors
/// When the bytes are no HTTP/1 response.
pub fn parse(bytes: &[u8], ended: bool, head_only: bool) -> Result<Option<(Response, usize)>, Malformed> {
    let mut headers = vec![httparse::EMPTY_HEADER; FEW_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let mut parsed = head.parse(bytes);
    if parsed == Err(httparse::Error::TooManyHeaders) {
        headers = vec![httparse::EMPTY_HEADER; HEADERS];
        head = httparse::Response::new(&mut headers);
        parsed = head.parse(bytes);
    }
    let start = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if ended && !bytes.is_empty() => {
            return Err(Malformed(format!("the head was cut off after {} bytes", bytes.len())));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(Malformed(format!("{error}: {:?}", preview(bytes)))),
    };
    let mut response = Response {
        status: head.code.unwrap_or(0),
        is_http10: head.version == Some(0),
        headers: head
            .headers
            .iter()
            .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).into_owned()))
            .collect(),
        body: Vec::new(),
        whole: true,
    };
    let rest = &bytes[start..];
    let used = match framing(&response, head_only)? {
        Framing::Empty => 0,
        Framing::Length(length) if rest.len() >= length => {
            response.body = rest[..length].to_vec();
            length
        }
        Framing::Chunked => match chunks(rest, &mut response.body)? {
            Some(used) => used,
            None if ended => cut(&mut response, rest.len()),
            None => return Ok(None),
        },
        Framing::UntilEnd if ended => {
            response.body = rest.to_vec();
            rest.len()
        }
        Framing::Length(_) if ended => {
            response.body = rest.to_vec();
            cut(&mut response, rest.len())
        }
        Framing::Length(_) | Framing::UntilEnd => return Ok(None),
    };
    Ok(Some((response, start + used)))
}

/// Marks the response as cut off; everything that came belongs to it.
fn cut(response: &mut Response, used: usize) -> usize {
    response.whole = false;
    used
}

enum Framing {
    Empty,
    Length(usize),
    Chunked,
    UntilEnd,
}

/// Decides how the body ends (RFC 9112, section 6.3).
fn framing(response: &Response, head_only: bool) -> Result<Framing, Malformed> {
    if head_only || response.status < 200 || matches!(response.status, 204 | 304) {
        return Ok(Framing::Empty);
    }
    let codings = response.header("transfer-encoding").and_then(|codings| codings.rsplit(',').next());
    if codings.is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunked);
    }
    match response.header("content-length") {
        None => Ok(Framing::UntilEnd),
        Some(length) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| Malformed(format!("content-length is `{length}`"))),
    }
}

/// Joins chunks into `body`; `None` means that the terminal chunk has not come.
fn chunks(bytes: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, Malformed> {
    body.clear();
    let mut at = 0;
    loop {
        let (size_line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete((line, size))) => (line, size as usize),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Malformed(format!("chunk size {:?}", preview(&bytes[at..])))),
        };
        let data = at + size_line;
        if size == 0 {
            return Ok(trailers(&bytes[data..])?.map(|used| data + used));
        }
        let have = &bytes[data.min(bytes.len())..];
        body.extend_from_slice(&have[..size.min(have.len())]);
        if have.len() < size + 2 {
            return Ok(None);
        }
        at = data + size + 2;
    }
}

/// Passes over the trailers of a chunked body and the empty line behind them; `None` asks for more bytes.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut fields = vec![httparse::EMPTY_HEADER; HEADERS];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((used, _))) => Ok(Some(used)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(Malformed(format!("trailers: {error}: {:?}", preview(bytes)))),
    }
}

/// The start of `bytes` as text for a message.
pub fn preview(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    let text = bytes[..bytes.len().min(MOST)].escape_ascii().to_string();
    if bytes.len() > MOST { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> (Response, usize) {
        parse(bytes, false, false).unwrap().unwrap()
    }

    #[test]
    fn a_length_delimits_the_body_and_the_rest_is_left() {
        let (response, used) = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP");
        assert_eq!((response.body.as_slice(), response.whole, used), (b"hi".as_slice(), true, 40));
    }

    #[test]
    fn an_old_response_keeps_its_connection_only_if_it_says_so() {
        let kept = |version: &str, option: &str| {
            let text = format!("HTTP/{version} 200 OK\r\n{option}Content-Length: 0\r\n\r\n");
            whole(text.as_bytes()).0.keeps_alive()
        };
        assert!(kept("1.1", "") && kept("1.0", "Connection: Keep-Alive\r\n"));
        assert!(!kept("1.0", "") && !kept("1.1", "Connection: close\r\n"));
    }

    #[test]
    fn every_shorter_prefix_asks_for_more() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end], false, false), Ok(None), "at {end}");
        }
        assert_eq!(whole(bytes).0.body, b"abcde");
    }

    #[test]
    fn a_body_without_its_terminal_chunk_is_not_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde";
        let (response, used) = parse(bytes, true, false).unwrap().unwrap();
        assert_eq!(
            (response.body.as_slice(), response.whole, used),
            (b"abcde".as_slice(), false, bytes.len())
        );
    }

    #[test]
    fn a_body_shorter_than_its_length_is_not_whole() {
        let (response, _) =
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true, false).unwrap().unwrap();
        assert!(!response.whole);
    }

    #[test]
    fn a_body_without_framing_ends_with_the_connection() {
        let bytes = b"HTTP/1.0 200 OK\r\n\r\nhello";
        assert_eq!(parse(bytes, false, false), Ok(None));
        let (response, _) = parse(bytes, true, false).unwrap().unwrap();
        assert_eq!((response.body.as_slice(), response.whole), (b"hello".as_slice(), true));
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_it_announces() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
        let (response, used) = parse(bytes, false, true).unwrap().unwrap();
        assert_eq!((response.body.len(), used), (0, bytes.len()));
    }

    #[test]
    fn an_interim_response_comes_first() {
        let (response, used) = whole(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
        assert_eq!((response.status, used), (100, 25));
    }

    #[test]
    fn a_switch_of_protocols_is_final_and_other_1xx_are_not() {
        for (status, interim) in [(100, true), (101, false), (103, true), (199, true), (200, false)] {
            let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(whole(bytes.as_bytes()).0.is_interim(), interim, "{status}");
        }
    }

    #[test]
    fn trailers_belong_to_the_response() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\nrest";
        let (response, used) = whole(bytes);
        assert_eq!((response.body.as_slice(), used), (b"hi".as_slice(), bytes.len() - 4));
        for end in 0..used {
            assert_eq!(parse(&bytes[..end], false, false), Ok(None), "at {end}");
        }
        assert!(
            parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX Y\r\n\r\n", false, false)
                .is_err()
        );
    }

    #[test]
    fn a_response_may_have_hundreds_of_headers() {
        let many = (0..300).map(|number| format!("X-{number}: 1\r\n")).collect::<String>();
        let bytes = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n");
        assert_eq!(whole(bytes.as_bytes()).0.headers.len(), 301);
    }

    #[test]
    fn garbage_and_half_a_head_are_malformed() {
        assert!(parse(b"SSH-2.0-OpenSSH\r\n", false, false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-", true, false).is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", true, false).is_err());
    }

    #[test]
    fn close_is_found_in_a_list_of_options() {
        let (response, _) = whole(b"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n");
        assert!(response.says_close() && !response.keeps_alive());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, ended: bool, head_only: bool) {
            let _ = parse(&bytes, ended, head_only);
        }

        #[test]
        fn no_chunked_bytes_make_it_panic(tail: Vec<u8>) {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            bytes.extend(tail);
            let _ = parse(&bytes, true, false);
        }
    }
}
