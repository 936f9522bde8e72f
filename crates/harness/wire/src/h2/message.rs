//! Requests as fields and fields as responses (RFC 9113, section 8).

use derive_more::{Display, Error};

use super::hpack::Field;
use crate::request::Request;

/// The fields of a request, in the order that the RFC asks for; names are written in lower case, values as they are.
///
/// `Content-Length` goes out as it is in the request. Fields that HTTP/2 forbids are sent too, if the request has them.
pub fn fields(request: &Request) -> Vec<Field> {
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let mut fields = vec![
        field(":method", request.verb()),
        field(":scheme", "http"),
        field(":authority", "lab"),
        field(":path", request.target()),
    ];
    let named = request.headers().iter();
    fields.extend(named.map(|(name, value)| field(&name.to_ascii_lowercase(), value)));
    fields
}

/// The faults of a response's fields (section 8.1.1 and 8.2).
#[derive(Debug, Clone, PartialEq, Eq, Display, Error)]
#[display("malformed response: {_variant}")]
pub enum Malformed {
    /// A field that HTTP/2 forbids, or one where it may not stand, or a name in capitals.
    #[display("`{_0}` may not stand there")]
    Field(#[error(not(source))] String),
    /// No `:status`, or one that is no status.
    #[display("no valid `:status`")]
    Status,
    /// A body of so many bytes where `content-length` announced another number.
    #[display("{body} bytes of body where `{announced}` were announced")]
    Length {
        /// The bytes of the body.
        body: usize,
        /// The bytes that were announced.
        announced: String,
    },
}

/// The status and the other fields of a response's head.
///
/// # Errors
/// When a field breaks a rule.
pub fn head(fields: &[Field]) -> Result<(u16, Vec<(String, String)>), Malformed> {
    let Some(((name, status), rest)) = fields.split_first() else { return Err(Malformed::Status) };
    if name != b":status" {
        return Err(Malformed::Status);
    }
    let digits = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
    let status = std::str::from_utf8(status).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    Ok((status.ok_or(Malformed::Status)?, trailers(rest)?))
}

/// Fields that are none of a message's head, as text.
///
/// # Errors
/// When a field breaks a rule.
pub fn trailers(fields: &[Field]) -> Result<Vec<(String, String)>, Malformed> {
    const FORBIDDEN: [&[u8]; 5] =
        [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let field = |(name, value): &Field| {
        let plain = !name.is_empty() && name.iter().all(|c| c.is_ascii_graphic() && !c.is_ascii_uppercase());
        if !plain || name.starts_with(b":") || FORBIDDEN.contains(&name.as_slice()) {
            return Err(Malformed::Field(text(name)));
        }
        Ok((text(name), text(value)))
    };
    fields.iter().map(field).collect()
}

/// Checks that a whole body is as long as was announced, if it was.
///
/// # Errors
/// When it is not.
pub fn length(headers: &[(String, String)], body: usize) -> Result<(), Malformed> {
    let announced = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value);
    match announced {
        Some(announced) if announced.parse() != Ok(body) => {
            Err(Malformed::Length { body, announced: announced.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields_of(text: &[(&str, &str)]) -> Vec<Field> {
        text.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_request_has_its_pseudo_fields_first_and_names_in_lower_case() {
        let request = Request::post("/slow?work=3s", "lab").timeout(Duration::from_millis(300)).id("a-1");
        let expected = fields_of(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "lab"),
            (":path", "/slow?work=3s"),
            ("content-length", "3"),
            ("grpc-timeout", "300m"),
            ("x-request-id", "a-1"),
        ]);
        assert_eq!(fields(&request), expected);
    }

    #[test]
    fn a_head_is_a_status_and_fields() {
        let (status, headers) = head(&fields_of(&[(":status", "504"), ("a", "b"), ("a", "c")])).unwrap();
        assert_eq!(status, 504);
        assert_eq!(headers, [("a".into(), "b".into()), ("a".into(), "c".into())]);
    }

    #[test]
    fn a_head_without_a_proper_status_is_malformed() {
        let heads: [&[(&str, &str)]; 5] = [
            &[],
            &[("a", "b")],
            &[(":status", "+20")],
            &[(":status", "20")],
            &[("a", "b"), (":status", "200")],
        ];
        for fields in heads {
            assert_eq!(head(&fields_of(fields)), Err(Malformed::Status), "{fields:?}");
        }
    }

    #[test]
    fn fields_that_http2_forbids_are_named() {
        for name in ["connection", "transfer-encoding", "Content-Length", ":path", "", "a b"] {
            let error = head(&fields_of(&[(":status", "200"), (name, "x")])).unwrap_err();
            assert_eq!(error, Malformed::Field(name.into()));
        }
        let error = Malformed::Field("connection".into()).to_string();
        assert_eq!(error, "malformed response: `connection` may not stand there");
        assert!(trailers(&fields_of(&[(":status", "200")])).is_err(), "a status among trailers");
    }

    #[test]
    fn a_body_is_as_long_as_announced() {
        let headers = |length: &str| vec![("content-length".to_owned(), length.to_owned())];
        assert_eq!(length(&[], 9), Ok(()));
        assert_eq!(length(&headers("9"), 9), Ok(()));
        for announced in ["8", "", "x"] {
            let error = Malformed::Length { body: 9, announced: announced.into() };
            assert_eq!(length(&headers(announced), 9), Err(error));
        }
    }
}
