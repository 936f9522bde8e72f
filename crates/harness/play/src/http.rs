//! HTTP/1.1 as far as one page needs it: a head is read, an answer is written, the connection ends.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The largest head that is read.
const HEAD: usize = 16 * 1024;
/// The most header fields of a head.
const FIELDS: usize = 64;
/// The longest time in which a head must be whole, and in which an answer must be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// The head of a request; its body, if it has one, is not read.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    fields: Vec<(String, String)>,
}

impl Ask {
    /// Reads a head; `None` when none came, or something else.
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Self> {
        let until = Instant::now() + PATIENCE;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
            match stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => bytes.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return None,
            }
            match Self::parse(&bytes) {
                Ok(Some(ask)) => return Some(ask),
                Ok(None) if bytes.len() < HEAD && Instant::now() < until => {}
                _ => return None,
            }
        }
    }

    fn parse(bytes: &[u8]) -> Result<Option<Self>, httparse::Error> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        if request.parse(bytes)?.is_partial() {
            return Ok(None);
        }
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let field = |field: &httparse::Header<'_>| {
            (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
        };
        Ok(Some(Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            fields: request.headers.iter().map(field).collect(),
        }))
    }

    /// The values of a header field, whose name is given in lower case.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The parameters of the query, in their order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }
}

/// An answer that is whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

impl Reply {
    /// An answer in one sentence.
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into() }
    }

    /// Writes the answer, and says that the connection ends behind it.
    ///
    /// # Errors
    /// When the client has left.
    pub(crate) fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let head = head(self.status, self.kind, Some(self.body.len()));
        stream.write_all(&[head.as_bytes(), self.body.as_bytes()].concat())
    }
}

/// Writes the head of a stream of server-sent events, which ends with its connection.
///
/// # Errors
/// When the client has left.
pub(crate) fn begin_events(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(head(200, "text/event-stream", None).as_bytes())
}

/// A page of ours loads from here alone, is shown in no frame, and is remembered nowhere.
const GUARDS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-store\r\n";

fn head(status: u16, kind: &str, length: Option<usize>) -> String {
    let reason = match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        _ => "Unavailable",
    };
    let length = length.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{length}{GUARDS}Connection: close\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_split_into_its_parts() {
        let ask =
            Ask::parse(b"POST /run?a=1&b=x%20y HTTP/1.1\r\nHost: h\r\nhost: i\r\n\r\n").unwrap().unwrap();
        assert_eq!((ask.method.as_str(), ask.path.as_str()), ("POST", "/run"));
        assert_eq!(ask.values("host").collect::<Vec<_>>(), ["h", "i"]);
        let pairs: Vec<_> = ask.parameters().collect();
        assert_eq!(pairs, [("a".into(), "1".into()), ("b".into(), "x y".into())]);
    }

    #[test]
    fn half_a_head_is_waited_for_and_garbage_is_not() {
        assert!(Ask::parse(b"GET / HTTP/1.1\r\nHo").unwrap().is_none());
        assert!(Ask::parse(b"\x16\x03\x01\x02").is_err());
    }

    #[test]
    fn every_answer_keeps_the_page_out_of_frames() {
        let head = head(200, "text/html", Some(3));
        assert!(head.contains("frame-ancestors 'none'") && head.contains("default-src 'none'"), "{head}");
        assert!(head.ends_with("Connection: close\r\n\r\n"), "{head}");
    }
}
