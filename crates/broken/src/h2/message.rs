//! Requests from fields to HTTP/1.1, and answers from HTTP/1.1 to fields.

use std::io::Write;

use contract::limits;
use wire::h2::hpack::Field;

/// A request in HTTP/1.1.
pub(crate) struct Request {
    /// Its head.
    pub(crate) head: Vec<u8>,
    /// The bytes of its body, if they were announced.
    pub(crate) length: Option<u64>,
    /// True when its answer has no body.
    pub(crate) is_head: bool,
}

/// Fields that stand for something else in HTTP/1.1.
const CONNECTION: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

impl Request {
    /// Reads a request, whose stream `ends` with its fields or not; `strictly` as RFC 9113, section 8, has it.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(crate) fn of(fields: &[Field], ends: bool, strictly: bool) -> Result<Self, &'static str> {
        let (mut method, mut path, mut scheme, mut authority) = (None, None, None, None);
        let mut headers: Vec<(&str, &str)> = Vec::new();
        for (name, value) in fields {
            let name = std::str::from_utf8(name).map_err(|_| "a name that is no text")?;
            let value = std::str::from_utf8(value).map_err(|_| "a value that is no text")?;
            if value.contains(['\r', '\n', '\0']) {
                return Err("a value with a line end or a NUL");
            }
            let pseudo = match name {
                ":method" => &mut method,
                ":path" => &mut path,
                ":scheme" => &mut scheme,
                ":authority" => &mut authority,
                _ => {
                    if strictly {
                        field(name, value)?;
                    }
                    headers.push((name, value));
                    continue;
                }
            };
            let misplaced = !headers.is_empty() || pseudo.is_some();
            if misplaced && strictly {
                return Err("a pseudo-field twice or behind another field");
            }
            *pseudo = Some(value);
        }
        if strictly && (method.is_none() || scheme.is_none() || path.is_none_or(str::is_empty)) {
            return Err("a request without its pseudo-fields");
        }
        let length = headers.iter().find(|(name, _)| *name == "content-length").map(|(_, value)| *value);
        let length = length.map(|value| value.parse().map_err(|_| "a length that is no number"));
        let length = length.transpose()?;
        if strictly && ends && length.is_some_and(|length| length > 0) {
            return Err("a request that ends before its body");
        }
        let method = method.unwrap_or("GET");
        let target = path.filter(|path| !path.is_empty()).unwrap_or("/fast");
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", authority.unwrap_or("lab"));
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host" && is_token(name)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !ends && length.is_none() {
            head.push_str("transfer-encoding: chunked\r\n");
        }
        head.push_str("\r\n");
        Ok(Self { head: head.into_bytes(), length, is_head: method == "HEAD" })
    }
}

/// Checks one field that is no pseudo-field.
fn field(name: &str, value: &str) -> Result<(), &'static str> {
    if !is_token(name) || name.contains(|c: char| c.is_ascii_uppercase()) {
        return Err("a name that is none, or in capitals");
    }
    if CONNECTION.contains(&name) || (name == "te" && value != "trailers") {
        return Err("a field of the connection");
    }
    Ok(())
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c))
}

/// A part of an answer.
pub(crate) enum Event {
    /// A head: its fields, the status first, and whether it ends the answer.
    Head(Vec<Field>, bool),
    /// A part of the body.
    Body(Vec<u8>),
}

/// The framing of the rest of an answer.
enum Framing {
    /// A head is awaited.
    Head,
    /// This number of bytes is to come.
    Length(usize),
    /// A chunk's size is to come.
    Size,
    /// This number of bytes of a chunk is to come, its line end among them.
    Chunk(usize),
    /// Nothing is to come.
    Whole,
}

/// Reads the answers of one connection.
pub(crate) struct Responses {
    is_head: bool,
    bytes: Vec<u8>,
    framing: Framing,
}

impl Responses {
    /// Reads the answer to a request that is a HEAD or not.
    pub(crate) fn new(is_head: bool) -> Self {
        Self { is_head, bytes: Vec::new(), framing: Framing::Head }
    }

    /// True when the answer has come to its end.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.framing, Framing::Whole)
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// When they are no answer.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, &'static str> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        loop {
            match self.framing {
                Framing::Whole => return Ok(events),
                Framing::Head => match self.head()? {
                    Some(event) => events.push(event),
                    None => return Ok(events),
                },
                Framing::Size => match httparse::parse_chunk_size(&self.bytes) {
                    Ok(httparse::Status::Complete((line, 0))) if self.bytes.len() >= line + 2 => {
                        self.framing = Framing::Whole;
                    }
                    Ok(httparse::Status::Complete((line, size))) if size > 0 => {
                        self.bytes.drain(..line);
                        self.framing = Framing::Chunk(size as usize + 2);
                    }
                    Ok(_) => return Ok(events),
                    Err(_) => return Err("a chunk without its size"),
                },
                Framing::Length(left) | Framing::Chunk(left) => {
                    let line_end = if matches!(self.framing, Framing::Chunk(_)) { 2 } else { 0 };
                    let taken = left.min(self.bytes.len());
                    let kept = taken.min(left.saturating_sub(line_end));
                    let part: Vec<u8> = self.bytes.drain(..taken).take(kept).collect();
                    if !part.is_empty() {
                        events.push(Event::Body(part));
                    }
                    self.framing = match (left - taken, line_end) {
                        (0, 0) => Framing::Whole,
                        (0, _) => Framing::Size,
                        (left, 0) => Framing::Length(left),
                        (left, _) => Framing::Chunk(left),
                    };
                    if taken < left {
                        return Ok(events);
                    }
                }
            }
        }
    }

    fn head(&mut self) -> Result<Option<Event>, &'static str> {
        let mut fields = [httparse::EMPTY_HEADER; limits::HEADERS];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(&self.bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("no answer"),
        };
        let status = head.code.unwrap_or_default();
        let mut block = vec![(b":status".to_vec(), Vec::new())];
        write!(block[0].1, "{status}").expect("a vector takes every byte");
        let mut framing = Framing::Length(0);
        for header in &*head.headers {
            let name = header.name.to_ascii_lowercase();
            match name.as_str() {
                "content-length" => {
                    let text = std::str::from_utf8(header.value).ok().and_then(|text| text.parse().ok());
                    framing = Framing::Length(text.ok_or("a length that is no number")?);
                }
                "transfer-encoding" => framing = Framing::Size,
                _ => {}
            }
            if !CONNECTION.contains(&name.as_str()) {
                block.push((name.into_bytes(), header.value.to_vec()));
            }
        }
        let interim = status < 200;
        self.framing = match framing {
            _ if interim => Framing::Head,
            _ if self.is_head => Framing::Whole,
            Framing::Length(0) => Framing::Whole,
            framing => framing,
        };
        self.bytes.drain(..length);
        Ok(Some(Event::Head(block, self.is_whole())))
    }
}
