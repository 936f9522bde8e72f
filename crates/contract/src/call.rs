//! A request head, read into what it asks for.

use std::fmt;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode, Version};

use crate::fields::Fields;
use crate::params::{self, Fanout, Panic, Slow, Stream, Style};
use crate::{Identity, Reason, budget, limits, request_target};

/// A well-formed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The request's identity: its id and its subject.
    pub identity: Identity,
    /// The time that the caller waits, when it says so.
    pub budget: Option<Duration>,
    /// The endpoint, with its parameters.
    pub endpoint: Endpoint,
}

/// The endpoints, each with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /fast`: 200 at once.
    Fast,
    /// `GET` or `POST /slow`: 200 when the work ends in time, else 504.
    Slow(Slow),
    /// `GET /values`: the values of the context as they arrive inside the work.
    Values,
    /// `POST /upload`: the size of the body, read under the deadline.
    Upload,
    /// `GET /stream`: a chunked body.
    Stream(Stream),
    /// `GET /fanout`: a group of children.
    Fanout(Fanout),
    /// `GET /panic`: the handler panics.
    Panic(Panic),
}

/// Why a request is answered with an error before, or instead of, being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A query parameter is wrong: 400.
    Parameter {
        /// The parameter.
        name: String,
        /// The problem, to follow its name.
        problem: String,
    },
    /// A header field is wrong: 400.
    Header {
        /// The field.
        name: &'static str,
        /// The problem, to follow its name.
        problem: String,
    },
    /// The request or its body breaks the protocol: 400.
    Malformed(&'static str),
    /// No such path: 404.
    NotFound,
    /// The path is there, the method is not: 405 with what is allowed.
    Method {
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// The request was not read in time: 408.
    ReadTimeout,
    /// The body is too large: 413.
    BodyTooLarge,
    /// The request target is too long: 414.
    UriTooLong,
    /// The head is too large or has too many fields: 431.
    HeadTooLarge,
    /// A transfer coding other than chunked: 501.
    TransferCoding,
    /// A protocol other than HTTP/1: 505.
    Version,
    /// The server is at one of its limits: 503 with `Retry-After`.
    Busy,
}

impl Call {
    /// Reads the head of a request; `made` is the id of one that came without.
    ///
    /// # Errors
    /// Whatever is wrong with it, the first thing found, in the order: target too long, unknown path, method, body
    /// size, headers, parameters.
    pub fn read(head: &Parts, made: impl FnOnce() -> String) -> Result<Self, Refusal> {
        request_target::check_parsed(&head.uri)?;
        let fields = Fields::of(&head.headers);
        check_form(head, &fields)?;
        let query = head.uri.query().unwrap_or("");
        let path = head.uri.path();
        check_method(path, &head.method)?;
        if announced(&fields)? > limits::BODY as u64 {
            return Err(Refusal::BodyTooLarge);
        }
        let identity = Identity::of(&fields, &head.headers, made)?;
        let budget = budget::read(&fields)?;
        let endpoint = match path {
            "/fast" => params::none(query).map(|()| Endpoint::Fast)?,
            "/slow" => Endpoint::Slow(Slow::read(query)?),
            "/values" => params::none(query).map(|()| Endpoint::Values)?,
            "/upload" => params::none(query).map(|()| Endpoint::Upload)?,
            "/stream" => Endpoint::Stream(Stream::read(query)?),
            "/fanout" => Endpoint::Fanout(Fanout::read(query)?),
            _ => Endpoint::Panic(Panic::read(query)?),
        };
        Ok(Self { identity, budget, endpoint })
    }

    /// Passes what asks for no work outside the process: for a server that has none.
    ///
    /// # Errors
    /// A style of work outside is refused as an unknown one is.
    pub fn inside(self) -> Result<Self, Refusal> {
        match &self.endpoint {
            Endpoint::Slow(Slow { style: Style::Outside(_), .. })
            | Endpoint::Panic(Panic { outside: Some(_) }) => Err(Refusal::Parameter {
                name: "style".into(),
                problem: "is not offered by this server".into(),
            }),
            _ => Ok(self),
        }
    }
}

/// Checks what an HTTP library may let pass: too many fields; one `Host`, which only HTTP/1.0 may leave out and in HTTP/2
/// `:authority` stands for, that is one; and a body in no coding but chunked (RFC 9112, 3.2 and 6.1; RFC 9113, 8.3.1).
fn check_form(head: &Parts, fields: &Fields<'_>) -> Result<(), Refusal> {
    if head.headers.len() > limits::HEADERS {
        return Err(Refusal::HeadTooLarge);
    }
    let host = fields.host.first;
    let authority = if head.version == Version::HTTP_2 { head.uri.authority() } else { None };
    let has_none = host.is_none() && authority.is_none() && head.version != Version::HTTP_10;
    if fields.host.repeated || has_none {
        return Err(Refusal::Malformed("a request takes one host"));
    }
    if host.is_some_and(|host| !request_target::is_host(host.as_bytes())) {
        return Err(Refusal::Malformed("malformed host"));
    }
    if host.zip(authority).is_some_and(|(host, authority)| host != authority.as_str()) {
        return Err(Refusal::Malformed("a request takes one host"));
    }
    let codings = fields.transfer_encoding;
    let plain = codings.first.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if plain && !codings.repeated { Ok(()) } else { Err(Refusal::TransferCoding) }
}

fn check_method(path: &str, method: &Method) -> Result<(), Refusal> {
    let gets = matches!(*method, Method::GET | Method::HEAD);
    let (allow, allowed) = match path {
        "/fast" | "/values" | "/stream" | "/fanout" | "/panic" => ("GET, HEAD", gets),
        "/slow" => ("GET, HEAD, POST", gets || *method == Method::POST),
        "/upload" => ("POST", *method == Method::POST),
        _ => return Err(Refusal::NotFound),
    };
    if allowed { Ok(()) } else { Err(Refusal::Method { allow }) }
}

/// The length of the body that the head announces; 0 when it announces none.
fn announced(fields: &Fields<'_>) -> Result<u64, Refusal> {
    let Some(value) = fields.content_length.first else { return Ok(0) };
    let length = value.to_str().ok().and_then(|text| budget::number(text, 18));
    length.ok_or(Refusal::Header { name: "content-length", problem: "takes a whole number of bytes".into() })
}

impl Refusal {
    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Parameter { .. } | Self::Header { .. } | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::ReadTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `reason` of its body.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotFound => Reason::NotFound,
            Self::ReadTimeout => Reason::Timeout,
            Self::BodyTooLarge | Self::UriTooLong | Self::HeadTooLarge | Self::Busy => Reason::Limit,
            _ => Reason::BadRequest,
        }
    }

    /// Reports whether the connection must be closed behind the answer, because the bytes that follow cannot be
    /// trusted.
    #[must_use]
    pub fn closes(&self) -> bool {
        !matches!(self, Self::Parameter { .. } | Self::Header { .. } | Self::NotFound | Self::Method { .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { name, problem } => write!(f, "parameter `{name}` {problem}"),
            Self::Header { name, problem } => write!(f, "header `{name}` {problem}"),
            Self::Malformed(problem) => f.write_str(problem),
            Self::NotFound => f.write_str("no such path"),
            Self::Method { allow } => write!(f, "method not allowed: it takes {allow}"),
            Self::ReadTimeout => f.write_str("request not read in time"),
            Self::BodyTooLarge => write!(f, "body over {} bytes", limits::BODY),
            Self::UriTooLong => write!(f, "request target over {} bytes", limits::URI),
            Self::HeadTooLarge => {
                write!(f, "request head over {} bytes or {} fields", limits::HEAD, limits::HEADERS)
            }
            Self::TransferCoding => f.write_str("transfer coding not implemented: it takes chunked"),
            Self::Version => f.write_str("protocol version not supported: it takes HTTP/1.1"),
            Self::Busy => f.write_str("server at its limit"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

    use super::*;

    fn read(method: &str, target: &str) -> Result<Call, Refusal> {
        let request = Request::builder().method(method).uri(target).header(HOST, "lab");
        let request = request.body(()).expect("the test's own head is one");
        Call::read(&request.into_parts().0, || "made".into())
    }

    #[test]
    fn a_request_names_one_host_and_only_http_1_0_may_leave_it_out() {
        let named = |version: Version, hosts: &[&str]| {
            let request = Request::builder().uri("/fast").version(version);
            let request = hosts.iter().fold(request, |request, host| request.header(HOST, *host));
            Call::read(&request.body(()).expect("the test's own head is one").into_parts().0, String::new)
        };
        assert!(named(Version::HTTP_11, &["lab"]).is_ok() && named(Version::HTTP_10, &[]).is_ok());
        assert!(matches!(named(Version::HTTP_11, &[]), Err(Refusal::Malformed(_))));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert!(matches!(named(version, &["lab", "lab"]), Err(Refusal::Malformed(_))), "{version:?}");
            assert!(matches!(named(version, &["user@lab"]), Err(Refusal::Malformed(_))), "{version:?}");
        }
    }

    #[test]
    fn the_authority_of_http_2_is_its_host_and_a_second_one_must_be_the_same() {
        let named = |target: &str, host: Option<&str>| {
            let request = Request::builder().uri(target).version(Version::HTTP_2);
            let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
            Call::read(&request.body(()).expect("the test's own head is one").into_parts().0, String::new)
        };
        assert!(named("http://lab/fast", None).is_ok() && named("/fast", Some("lab")).is_ok());
        assert!(named("http://lab/fast", Some("lab")).is_ok());
        for (target, host) in [("http://lab/fast", Some("other")), ("/fast", None)] {
            assert!(matches!(named(target, host), Err(Refusal::Malformed(_))), "{target} {host:?}");
        }
    }

    #[test]
    fn a_head_may_have_100_fields_and_no_more() {
        let fields = |count: usize| {
            let request = Request::builder().uri("/fast").header(HOST, "lab");
            let request = (1..count).fold(request, |request, _| request.header("x", "1"));
            Call::read(&request.body(()).expect("the test's own head is one").into_parts().0, String::new)
        };
        assert!(fields(limits::HEADERS).is_ok());
        assert_eq!(fields(limits::HEADERS + 1), Err(Refusal::HeadTooLarge));
    }

    #[test]
    fn every_endpoint_is_found() {
        for (method, target) in [
            ("GET", "/fast"),
            ("HEAD", "/fast"),
            ("GET", "/slow"),
            ("POST", "/slow?work=1s"),
            ("GET", "/values"),
            ("POST", "/upload"),
            ("GET", "/stream"),
            ("GET", "/fanout"),
            ("GET", "/panic"),
        ] {
            assert!(read(method, target).is_ok(), "{method} {target}");
        }
    }

    #[test]
    fn an_unknown_path_is_404_whatever_its_method() {
        for target in ["/", "/fast/", "/Fast", "/slow/x", "*"] {
            assert_eq!(read("GET", target), Err(Refusal::NotFound), "{target}");
        }
        assert_eq!(read("DELETE", "/nothing"), Err(Refusal::NotFound));
    }

    #[test]
    fn a_target_that_is_no_path_is_malformed() {
        assert!(matches!(read("GET", "fast"), Err(Refusal::Malformed(_))));
        assert!(matches!(read("CONNECT", "host:80"), Err(Refusal::Malformed(_))));
        assert!(read("GET", "http://host/fast").is_ok());
    }

    #[test]
    fn a_coding_other_than_chunked_is_not_implemented() {
        let code = |codings: &[&str]| {
            let request = Request::builder().method("POST").uri("/upload").header(HOST, "lab");
            let request =
                codings.iter().fold(request, |request, coding| request.header(TRANSFER_ENCODING, *coding));
            Call::read(&request.body(()).expect("the test's own head is one").into_parts().0, String::new)
        };
        assert!(code(&["Chunked"]).is_ok());
        for codings in [&["gzip, chunked"][..], &["gzip"], &["chunked", "chunked"], &[""]] {
            assert_eq!(code(codings), Err(Refusal::TransferCoding), "{codings:?}");
        }
    }

    #[test]
    fn a_wrong_method_is_405_with_what_is_allowed() {
        assert_eq!(read("POST", "/fast"), Err(Refusal::Method { allow: "GET, HEAD" }));
        assert_eq!(read("DELETE", "/slow"), Err(Refusal::Method { allow: "GET, HEAD, POST" }));
        assert_eq!(read("GET", "/upload"), Err(Refusal::Method { allow: "POST" }));
    }

    #[test]
    fn a_target_may_have_8_kib_and_no_more() {
        let long = |bytes: usize| format!("/fast?{}", "x".repeat(bytes - "/fast?".len()));
        assert!(matches!(read("GET", &long(limits::URI)), Err(Refusal::Parameter { .. })));
        assert_eq!(read("GET", &long(limits::URI + 1)), Err(Refusal::UriTooLong));
    }

    #[test]
    fn an_announced_body_may_have_1_mib_and_no_more() {
        let announce = |bytes: usize| {
            let request = Request::builder()
                .method("POST")
                .uri("/upload")
                .header(HOST, "lab")
                .header(CONTENT_LENGTH, bytes);
            Call::read(&request.body(()).expect("the test's own head is one").into_parts().0, String::new)
        };
        assert!(announce(limits::BODY).is_ok());
        assert_eq!(announce(limits::BODY + 1), Err(Refusal::BodyTooLarge));
    }

    #[test]
    fn a_server_without_work_outside_refuses_it_by_name_and_nothing_else() {
        let inside = |target| read("GET", target).and_then(Call::inside);
        for target in ["/slow?style=permit", "/panic?style=permit"] {
            let refused = inside(target).expect_err("the style is outside");
            assert!(refused.to_string().contains("`style`"), "{refused}");
        }
        assert!(inside("/slow?style=spin").is_ok() && inside("/panic").is_ok() && inside("/fast").is_ok());
    }

    #[test]
    fn a_fast_with_a_parameter_is_refused_by_name() {
        let refused = read("GET", "/fast?work=1s").expect_err("fast takes no parameter");
        assert!(refused.to_string().contains("`work`"), "{refused}");
    }
}
