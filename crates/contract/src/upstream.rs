//! A call to another server: what it is asked, and what its answer means.
//!
//! A hop gives less time than it was given: what is left of its own budget at the moment of the call, less a reserve for the
//! answer on its way back. Rounding is down, so that budgets along a chain strictly fall.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HOST};
use http::{Request, StatusCode, request};

use crate::identity::{REQUEST_ID, TRACEPARENT, TRACESTATE};
use crate::{Failure, Identity, Reason, Refusal, Settings, Slow, limits};

/// A request to an upstream, and the address to send it to.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The upstream.
    pub to: SocketAddr,
    /// The request, without a body.
    pub request: Request<()>,
}

/// Makes the call of a request that is to be done by `deadline`, at `now`.
///
/// # Errors
/// The style is refused by name where no upstream is set. A budget that is at or under the reserve starts no call: it is the
/// deadline's failure.
pub fn ask(
    settings: &Settings,
    identity: &Identity,
    slow: &Slow,
    now: Instant,
    deadline: Option<Instant>,
) -> Result<Ask, Failure> {
    let to = settings.upstream.ok_or_else(|| Refusal::Parameter {
        name: "style".into(),
        problem: "takes `upstream` of a server that was started with --upstream".into(),
    })?;
    let left = deadline.map_or(settings.request_timeout, |deadline| deadline.saturating_duration_since(now));
    let budget = left.checked_sub(settings.reserve).and_then(grpc_timeout).ok_or(Reason::Deadline)?;
    let (work, tick) = (slow.work.as_micros(), slow.tick.as_micros());
    let style = match slow.hops {
        0 | 1 => "context".to_owned(),
        hops => format!("upstream&hops={}", hops - 1),
    };
    let request = Request::get(format!("/slow?work={work}us&tick={tick}us&style={style}"));
    let request =
        request.header(HOST, to.to_string()).header(CONNECTION, "close").header("grpc-timeout", budget);
    let request = named(request, identity, now).body(()).expect("its parts are well formed");
    Ok(Ask { to, request })
}

/// The same request under the names that it came with; in its trace it has a number of its own.
fn named(mut request: request::Builder, identity: &Identity, now: Instant) -> request::Builder {
    if identity.given {
        request = request.header(&REQUEST_ID, &identity.request_id);
    }
    if let Some(place) = identity.traceparent.and_then(|place| place.child(number(identity, now))) {
        request = request.header(&TRACEPARENT, place.to_string());
        if let Some(state) = &identity.tracestate {
            request = request.header(&TRACESTATE, state.as_str());
        }
    }
    request
}

/// Returns the number of a call in its trace: of its request and its moment, so that no other call has it.
fn number(identity: &Identity, now: Instant) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&identity.request_id, identity.traceparent, now).hash(&mut hasher);
    hasher.finish().max(1)
}

/// Returns the value of `grpc-timeout` that is `budget`, or as little less as its 8 digits allow; `None` when it is nothing.
#[must_use]
pub fn grpc_timeout(budget: Duration) -> Option<String> {
    const DIGITS: u128 = 99_999_999;
    let units = [(budget.as_micros(), 'u'), (budget.as_millis(), 'm'), (u128::from(budget.as_secs()), 'S')];
    let (number, unit) = units.into_iter().find(|(number, _)| *number <= DIGITS).unwrap_or((DIGITS, 'S'));
    (number > 0).then(|| format!("{number}{unit}"))
}

/// Reads what an answer with this `status` means for the request whose work it was.
///
/// # Errors
/// 504 is the deadline, and anything but 200 the upstream's failure.
pub fn answered(status: StatusCode) -> Result<(), Failure> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::GATEWAY_TIMEOUT => Err(Reason::Deadline.into()),
        _ => Err(Failure::Upstream),
    }
}

/// Returns when a request with this `deadline` may be answered whose upstream came to `failure` at `now`.
///
/// An upstream that was given less time is out of it first, and a 504 is never early: it waits for the rest of the reserve. An
/// upstream that ran out of time by a timeout of its own is answered for at once.
#[must_use]
pub fn due(settings: &Settings, failure: &Failure, now: Instant, deadline: Option<Instant>) -> Instant {
    let rest = settings.reserve + ROUNDED;
    match (failure, deadline) {
        (Failure::Ended(Reason::Deadline), Some(deadline)) if deadline <= now + rest => deadline.max(now),
        _ => now,
    }
}

/// The most that a budget loses by rounding, to a millisecond at worst where budgets are below a day.
const ROUNDED: Duration = Duration::from_millis(1);

/// Writes the request as bytes, for a server that has no HTTP library.
#[must_use]
pub fn bytes(request: &Request<()>) -> Vec<u8> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Reads the status of the final answer at the start of `bytes`, or `None` while its head is incomplete.
///
/// # Errors
/// What is no HTTP, or has a head that is too large, is the upstream's failure.
pub fn status(mut bytes: &[u8]) -> Result<Option<StatusCode>, Failure> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; limits::HEADERS];
        let mut parsed = httparse::Response::new(&mut fields);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < limits::HEAD => return Ok(None),
            _ => return Err(Failure::Upstream),
        };
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Failure::Upstream)?;
        if !status.is_informational() {
            return Ok(Some(status));
        }
        bytes = &bytes[length..];
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{BodyUse, Style};

    const MS: Duration = Duration::from_millis(1);
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn asked(args: &[&str], hops: u32, left: Duration) -> Result<Ask, Failure> {
        let settings = Settings::parse_from([&["server"], args].concat());
        let slow = Slow { work: 300 * MS, style: Style::Context, tick: 10 * MS, body: BodyUse::Read, hops };
        let traceparent = Some(TRACE.parse().expect("it is well formed"));
        let tracestate = Some("rojo=1".parse().expect("it is well formed"));
        let identity =
            Identity { request_id: "r-1".into(), given: true, subject: None, traceparent, tracestate };
        let now = Instant::now();
        ask(&settings, &identity, &slow, now, Some(now + left))
    }

    #[test]
    fn a_call_passes_on_the_names_and_the_budget_less_the_reserve() {
        let ask =
            asked(&["--upstream", "127.0.0.1:9", "--reserve", "20ms"], 3, 100 * MS).expect("it may call");
        assert_eq!(ask.request.uri(), "/slow?work=300000us&tick=10000us&style=upstream&hops=2");
        assert_eq!(ask.request.headers()["grpc-timeout"], "80000u");
        assert_eq!(ask.request.headers()["x-request-id"], "r-1");
        assert_eq!(ask.request.headers()["tracestate"], "rojo=1");
        let last = asked(&["--upstream", "127.0.0.1:9"], 1, 100 * MS).expect("it may call");
        assert!(last.request.uri().to_string().ends_with("&style=context"));
    }

    #[test]
    fn a_call_has_a_number_of_its_own_in_its_request_s_trace() {
        let passed = || {
            let ask = asked(&["--upstream", "127.0.0.1:9"], 1, 100 * MS).expect("it may call");
            ask.request.headers()["traceparent"].to_str().expect("it is ASCII").to_owned()
        };
        let (first, second) = (passed(), passed());
        for passed in [&first, &second] {
            assert_eq!(
                (&passed[..36], &passed[52..]),
                (&TRACE[..36], &TRACE[52..]),
                "the trace and its flags"
            );
            assert_ne!(passed[36..52], TRACE[36..52], "the caller's number");
        }
        assert_ne!(first, second);
    }

    #[test]
    fn a_budget_at_or_under_the_reserve_starts_no_call() {
        for left in [0, 4, 5] {
            let asked = asked(&["--upstream", "127.0.0.1:9"], 1, left * MS);
            assert_eq!(asked.map(|_| ()), Err(Failure::Ended(Reason::Deadline)), "{left} ms");
        }
    }

    #[test]
    fn without_an_upstream_the_style_is_refused_by_name() {
        let refused = asked(&[], 1, 100 * MS).map(|_| ());
        assert!(matches!(refused, Err(Failure::Refused(Refusal::Parameter { name, .. })) if name == "style"));
    }

    #[test]
    fn a_504_of_the_upstream_waits_for_the_rest_of_the_reserve_and_nothing_else_waits() {
        let settings = Settings::parse_from(["server", "--reserve", "5ms"]);
        let (now, late) = (Instant::now(), Failure::Ended(Reason::Deadline));
        assert_eq!(due(&settings, &late, now, Some(now + 5 * MS)), now + 5 * MS);
        assert_eq!(due(&settings, &late, now, Some(now + 50 * MS)), now);
        assert_eq!(due(&settings, &Failure::Upstream, now, Some(now + 5 * MS)), now);
        assert_eq!(due(&settings, &late, now, Some(now - MS)), now);
    }

    #[test]
    fn a_budget_is_rounded_down_to_eight_digits() {
        let text = |budget| grpc_timeout(budget).unwrap_or_default();
        assert_eq!(text(Duration::from_nanos(1_999)), "1u");
        assert_eq!(text(Duration::from_micros(100_000_999)), "100000m");
        assert_eq!(text(Duration::from_secs(3_600 * 1_000)), "3600000S");
        assert_eq!(grpc_timeout(Duration::from_nanos(999)), None);
    }

    #[test]
    fn a_status_is_read_behind_interim_answers_and_what_is_no_http_fails() {
        let ok = Ok(Some(StatusCode::OK));
        assert_eq!(status(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), ok);
        assert_eq!(status(b"HTTP/1.1 200 OK\r\ncontent-le"), Ok(None));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), Err(Failure::Upstream));
    }
}
