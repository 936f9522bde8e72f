//! The caller's deadline: a duration in a header, from the moment the head is parsed.
//!
//! `grpc-timeout` follows the gRPC-over-HTTP/2 specification (at most 8 digits and one unit), and
//! `x-envoy-expected-rq-timeout-ms` is what Envoy tells an upstream. Both are relative, so no clocks need to agree.

use std::time::Duration;

use ctx::wire;
use http::HeaderValue;

use crate::Refusal;
use crate::fields::{Field, Fields};

/// Returns the time that the caller waits: the smaller of its two headers; `None` when it names neither.
///
/// # Errors
/// A header that is malformed or given more than once is refused with its name.
pub(crate) fn read(fields: &Fields<'_>) -> Result<Option<Duration>, Refusal> {
    let grpc = fields.grpc_timeout;
    let takes = "takes at most 8 digits and one of `H M S m u n`";
    let grpc = single(grpc, wire::GRPC_TIMEOUT, takes, wire::parse_grpc_timeout)?;
    let envoy = fields.envoy_timeout;
    let takes = "takes a whole number of milliseconds";
    let envoy = single(envoy, wire::ENVOY_TIMEOUT_MS, takes, wire::parse_envoy_timeout)?;
    Ok(match (grpc, envoy) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    })
}

fn single(
    field: Field<'_>,
    name: &'static str,
    takes: &str,
    parse: impl Fn(&str) -> Option<Duration>,
) -> Result<Option<Duration>, Refusal> {
    let Some(value) = field.first else { return Ok(None) };
    if field.repeated {
        return Err(Refusal::Header { name, problem: "is given more than once".into() });
    }
    let parsed = HeaderValue::to_str(value).ok().and_then(parse);
    parsed.map(Some).ok_or_else(|| Refusal::Header { name, problem: takes.into() })
}

/// A number of 1 to `most` ASCII digits, and nothing else: `u64::from_str` would take a sign.
pub(crate) fn number(digits: &str, most: usize) -> Option<u64> {
    let fits = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::*;

    static GRPC: HeaderName = HeaderName::from_static(wire::GRPC_TIMEOUT);
    static ENVOY: HeaderName = HeaderName::from_static(wire::ENVOY_TIMEOUT_MS);

    fn budget(fields: &[(&HeaderName, &str)]) -> Result<Option<Duration>, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append((*name).clone(), value.parse().expect("the test's own value is a header value"));
        }
        read(&Fields::of(&headers))
    }

    #[test]
    fn reads_each_unit_of_grpc() {
        let units = [("H", 3_600_000_000_000), ("M", 60_000_000_000), ("S", 1_000_000_000), ("m", 1_000_000)];
        for (unit, nanos) in units.into_iter().chain([("u", 1_000), ("n", 1)]) {
            let budget = budget(&[(&GRPC, &format!("3{unit}"))]);
            assert_eq!(budget, Ok(Some(Duration::from_nanos(3 * nanos))), "{unit}");
        }
    }

    #[test]
    fn the_largest_hours_do_not_overflow() {
        assert_eq!(budget(&[(&GRPC, "99999999H")]), Ok(Some(Duration::from_secs(99_999_999 * 3_600))));
    }

    #[test]
    fn the_smaller_of_both_holds() {
        let smaller = Ok(Some(Duration::from_millis(200)));
        assert_eq!(budget(&[(&GRPC, "1S"), (&ENVOY, "200")]), smaller);
        assert_eq!(budget(&[(&GRPC, "200m"), (&ENVOY, "1000")]), smaller);
    }

    #[test]
    fn refuses_the_malformed_by_name() {
        for text in ["", "S", "1", "-1S", "+1S", "1.5S", "1s", "123456789S", "1 S", "1SS", "é"] {
            let refused = budget(&[(&GRPC, text)]).expect_err("the value is malformed");
            assert!(refused.to_string().contains(GRPC.as_str()), "{refused}");
        }
        for text in ["", "1ms", "-1", "+1", "1.0", "9999999999999999999"] {
            assert!(budget(&[(&ENVOY, text)]).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn refuses_the_duplicated() {
        assert!(budget(&[(&GRPC, "1S"), (&GRPC, "1S")]).is_err());
    }
}
