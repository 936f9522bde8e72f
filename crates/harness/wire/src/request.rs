//! Requests as bytes, written the way the scenario says and no other.

use std::time::Duration;

/// A request to be sent as bytes.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    id: Option<String>,
}

impl Request {
    /// A GET of `target` (path and query), with `Host` and nothing else.
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET", target: target.into(), headers: Vec::new(), body: Vec::new(), id: None }
    }

    /// A POST of `target` with a whole body and its length.
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let length = body.len();
        Self { method: "POST", body, ..Self::get(target) }.header("Content-Length", length.to_string())
    }

    /// A POST that announces `length` bytes and sends only `part` of them.
    pub fn post_part(target: impl Into<String>, length: usize, part: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", body: part.into(), ..Self::get(target) }
            .header("Content-Length", length.to_string())
    }

    /// The same request with another method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// Adds a header; a name may be added twice.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Gives the request this long, as `grpc-timeout` in milliseconds.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.header("grpc-timeout", format!("{}m", timeout.as_millis()))
    }

    /// Sends this as `grpc-timeout`, well-formed or not.
    #[must_use]
    pub fn timeout_text(self, text: &str) -> Self {
        self.header("grpc-timeout", text)
    }

    /// Names the request: the witness hears of its work by this name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.id = Some(id.clone());
        self.header("X-Request-Id", id)
    }

    /// The name given by [`Request::id`].
    pub fn id_given(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The method.
    pub fn verb(&self) -> &'static str {
        self.method
    }

    /// The path and the query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The headers in their order, without `Host`.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body, or the part of it that is sent.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// True when the answer has no body.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Returns the bytes on the wire. `host` is the server's name for itself (`127.0.0.1:8080`): a server may refuse
    /// requests for any other.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_byte_for_byte() {
        let request = Request::get("/slow?work=3s").timeout(Duration::from_millis(300)).id("a-1");
        let expected = "GET /slow?work=3s HTTP/1.1\r\nHost: 127.0.0.1:80\r\ngrpc-timeout: 300m\r\nX-Request-Id: a-1\r\n\r\n";
        assert_eq!(String::from_utf8(request.bytes("127.0.0.1:80")).unwrap(), expected);
    }

    #[test]
    fn a_part_of_a_body_announces_the_whole() {
        let bytes = Request::post_part("/upload", 100, *b"0123456789").bytes("lab");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("Content-Length: 100\r\n\r\n0123456789"), "{text}");
    }
}
