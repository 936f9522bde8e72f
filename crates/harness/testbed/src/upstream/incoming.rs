//! Requests out of bytes: heads, and where their bodies end.

/// The most headers a request may carry.
const HEADERS: usize = 100;

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The head as it came, with its empty line.
    pub(super) text: String,
    /// The value of `X-Request-Id`.
    pub(super) id: Option<String>,
    /// The last segment of the path.
    pub(super) segment: String,
    /// True when the client waits for `100 Continue`.
    pub(super) expects: bool,
    /// True when the connection is to be closed behind the answer.
    pub(super) closes: bool,
    /// The body that follows the head.
    pub(super) body: Body,
}

/// The part of a body that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// This number of bytes.
    Length(usize),
    /// Chunks, the next of which begins with its size.
    Chunked,
    /// This number of bytes of the chunk that has begun, with its line end.
    InChunk(usize),
}

impl Body {
    /// True when nothing more is to come.
    pub(super) fn is_whole(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes what belongs to the body from the front of `bytes`; gives how many bytes of content those were, or `None` when
    /// they are no body.
    pub(super) fn take(&mut self, bytes: &mut Vec<u8>) -> Option<usize> {
        let mut content = 0;
        loop {
            match *self {
                Self::Length(left) => {
                    let taken = left.min(bytes.len());
                    bytes.drain(..taken);
                    *self = Self::Length(left - taken);
                    return Some(content + taken);
                }
                Self::InChunk(left) => {
                    let taken = left.min(bytes.len());
                    bytes.drain(..taken);
                    // The last two are the chunk's line end.
                    content += left.saturating_sub(2) - (left - taken).saturating_sub(2);
                    if taken < left {
                        *self = Self::InChunk(left - taken);
                        return Some(content);
                    }
                    *self = Self::Chunked;
                }
                Self::Chunked => match httparse::parse_chunk_size(bytes) {
                    Ok(httparse::Status::Partial) => return Some(content),
                    Ok(httparse::Status::Complete((line, 0))) => {
                        // No client here sends trailers; the empty line ends the body.
                        if bytes.len() < line + 2 {
                            return Some(content);
                        }
                        bytes.drain(..line + 2);
                        *self = Self::Length(0);
                        return Some(content);
                    }
                    Ok(httparse::Status::Complete((line, size))) => {
                        bytes.drain(..line);
                        *self = Self::InChunk(size as usize + 2);
                    }
                    Err(_) => return None,
                },
            }
        }
    }
}

/// Takes a head from the front of `bytes`; `Ok(None)` asks for more of them.
///
/// # Errors
/// When they are no request.
pub(super) fn head(bytes: &mut Vec<u8>) -> Result<Option<Head>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(bytes)? else { return Ok(None) };
    let find = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    let is = |name: &str, word: &str| find(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    let path = request.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let body = match find("content-length").and_then(|length| length.parse().ok()) {
        _ if is("transfer-encoding", "chunked") => Body::Chunked,
        length => Body::Length(length.unwrap_or(0)),
    };
    let head = Head {
        id: find("x-request-id"),
        segment: path.rsplit('/').next().unwrap_or_default().to_owned(),
        expects: is("expect", "100-continue"),
        // A client of HTTP/1.0 that asks to be kept is closed too: nothing here counts on it.
        closes: is("connection", "close") || request.version == Some(0),
        body,
        text: String::from_utf8_lossy(&bytes[..length]).into_owned(),
    };
    bytes.drain(..length);
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_its_header_and_by_its_path() {
        let mut bytes = b"GET /brief/a-1?x=/y HTTP/1.1\r\nX-Request-Id: b-2\r\n\r\nGET".to_vec();
        let head = head(&mut bytes).unwrap().unwrap();
        assert_eq!((head.id.as_deref(), head.segment.as_str()), (Some("b-2"), "a-1"));
        assert_eq!((bytes.as_slice(), head.body.is_whole(), head.closes), (b"GET".as_slice(), true, false));
    }

    #[test]
    fn a_chunked_body_ends_in_every_split() {
        let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for split in 0..=body.len() {
            let (mut state, mut content) = (Body::Chunked, 0);
            let mut bytes = body[..split].to_vec();
            content += state.take(&mut bytes).unwrap();
            bytes.extend_from_slice(&body[split..]);
            bytes.extend_from_slice(b"GET");
            content += state.take(&mut bytes).unwrap();
            assert_eq!(
                (content, state.is_whole(), bytes.as_slice()),
                (5, true, b"GET".as_slice()),
                "at {split}"
            );
        }
    }

    #[test]
    fn what_is_no_chunk_is_no_body() {
        assert_eq!(Body::Chunked.take(&mut b"zz\r\n".to_vec()), None);
        assert!(head(&mut b"\x16\x03\x01".to_vec()).is_err());
    }
}
