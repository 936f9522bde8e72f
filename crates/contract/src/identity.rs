//! A request's identity: the values that its context carries.

use ctx::wire::{self, Traceparent, Tracestate};
use http::{HeaderMap, HeaderName};

use crate::fields::{Field, Fields};
use crate::{Refusal, limits};

/// The header that names a request, and its answer.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static(wire::TRACEPARENT);
pub(crate) static TRACESTATE: HeaderName = HeaderName::from_static(wire::TRACESTATE);

/// The request-scoped values, carried in the context and never passed beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The `X-Request-Id` of the request, or one made for it: 1 to 64 printable ASCII characters without a space.
    pub request_id: String,
    /// True when the client sent the id; only then does work send heartbeats under it.
    pub given: bool,
    /// The `X-Subject` of the request.
    pub subject: Option<String>,
    /// The place of the request in a trace, by its `traceparent`; one that is malformed counts as none, as the W3C's
    /// recommendation on trace context has it.
    pub traceparent: Option<Traceparent>,
    /// The list that tracing systems keep beside that place, by the request's `tracestate`; one that is malformed counts as none, and so
    /// does one without a `traceparent`.
    pub tracestate: Option<Tracestate>,
}

impl Identity {
    /// Reads the identity from a request's headers; `made` is the id of a request that came without one.
    ///
    /// # Errors
    /// An id or a subject that is duplicated, empty, too long or not printable is refused with its name, never reflected.
    pub fn read(headers: &HeaderMap, made: impl FnOnce() -> String) -> Result<Self, Refusal> {
        Self::of(&Fields::of(headers), headers, made)
    }

    /// Reads the identity from fields that were found before, as [`read`](Self::read) does.
    pub(crate) fn of(
        fields: &Fields<'_>,
        headers: &HeaderMap,
        made: impl FnOnce() -> String,
    ) -> Result<Self, Refusal> {
        let name = "x-request-id";
        let given = single(fields.request_id, name, limits::REQUEST_ID, |byte| byte.is_ascii_graphic())?;
        let fit = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        let subject = single(fields.subject, "x-subject", limits::SUBJECT, fit)?;
        let traceparent = traceparent(fields.traceparent);
        let tracestate = traceparent.and_then(|_| tracestate(fields.tracestate, headers));
        Ok(Self {
            given: given.is_some(),
            request_id: given.unwrap_or_else(made),
            subject,
            traceparent,
            tracestate,
        })
    }
}

/// Returns the one value of `traceparent`, if it is well formed.
fn traceparent(field: Field<'_>) -> Option<Traceparent> {
    field.first.filter(|_| !field.repeated)?.to_str().ok()?.parse().ok()
}

/// Returns the value of `tracestate`, if it is well formed. Several fields of that name are one list.
fn tracestate(field: Field<'_>, headers: &HeaderMap) -> Option<Tracestate> {
    let first = field.first?.to_str().ok()?;
    if !field.repeated {
        return first.parse().ok();
    }
    let all: Option<Vec<&str>> =
        headers.get_all(&TRACESTATE).iter().map(|value| value.to_str().ok()).collect();
    all?.join(",").parse().ok()
}

/// Returns the one value of a field, which may have up to `most` bytes, each of them `fit`.
fn single(
    field: Field<'_>,
    name: &'static str,
    most: usize,
    fit: impl Fn(u8) -> bool,
) -> Result<Option<String>, Refusal> {
    let Some(value) = field.first else { return Ok(None) };
    if field.repeated {
        return Err(Refusal::Header { name, problem: "is given more than once".into() });
    }
    let text = value.to_str().ok().filter(|text| (1..=most).contains(&text.len()) && text.bytes().all(fit));
    match text {
        Some(text) => Ok(Some(text.into())),
        None => {
            let problem = format!("takes 1 to {most} printable characters");
            Err(Refusal::Header { name, problem })
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(name: &'static str, value: &[u8]) -> Result<Identity, Refusal> {
        let mut headers = HeaderMap::new();
        headers.append(name, HeaderValue::from_bytes(value).expect("the test's own value is a header value"));
        Identity::read(&headers, || "made".into())
    }

    #[test]
    fn an_absent_id_is_made() {
        let identity = Identity::read(&HeaderMap::new(), || "made".into());
        assert_eq!(identity, Ok(Identity { request_id: "made".into(), ..Identity::default() }));
    }

    #[test]
    fn a_traceparent_is_kept_and_a_malformed_one_is_none() {
        let whole = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let kept = |value: &[u8]| {
            let place = read("traceparent", value).map(|identity| identity.traceparent);
            place.map(|place| place.map(|place| place.to_string()))
        };
        assert_eq!(kept(whole), Ok(Some(String::from_utf8_lossy(whole).into_owned())));
        let nowhere = b"00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for malformed in [&b"00-0af7"[..], &whole.to_ascii_uppercase(), b"", &[b'-'; 55], nowhere] {
            assert_eq!(kept(malformed), Ok(None));
        }
    }

    #[test]
    fn a_tracestate_is_kept_beside_a_traceparent_alone_and_several_are_one_list() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let kept = |parent: &'static str, states: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.append(&TRACEPARENT, HeaderValue::from_static(parent));
            for state in states {
                headers.append(&TRACESTATE, HeaderValue::from_static(state));
            }
            let identity = Identity::read(&headers, || "made".into()).expect("its id is made");
            (identity.traceparent.is_some(), identity.tracestate.map(|state| state.to_string()))
        };
        assert_eq!(kept(parent, &["rojo=1,congo=2"]), (true, Some("rojo=1,congo=2".into())));
        assert_eq!(kept(parent, &["rojo=1", "congo=2"]), (true, Some("rojo=1,congo=2".into())));
        for malformed in [&["rojo"][..], &["ROJO=1"], &[""], &["rojo=1", "rojo=2"], &["rojo=a=b"]] {
            assert_eq!(kept(parent, malformed), (true, None), "the traceparent stays");
        }
        assert_eq!(kept("00-0af7", &["rojo=1"]), (false, None));
        assert_eq!(kept(parent, &[]), (true, None));
    }

    #[test]
    fn a_given_id_is_kept() {
        let identity = read("x-request-id", b"abc-1").expect("the id is well formed");
        assert_eq!((identity.request_id.as_str(), identity.given), ("abc-1", true));
    }

    #[test]
    fn a_hostile_id_is_refused_by_name() {
        for value in [&b""[..], b"a b", b"\xff", &[b'x'; 65]] {
            let refused = read("x-request-id", value).expect_err("the id is hostile");
            assert!(refused.to_string().contains("x-request-id"), "{refused}");
        }
    }

    #[test]
    fn sixty_four_characters_are_taken() {
        assert!(read("x-request-id", &[b'x'; 64]).is_ok());
    }
}
