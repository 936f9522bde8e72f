//! Deadlines and traces as the texts that headers carry, both ways; no header type of any library.
//!
//! A duration that goes out is rounded down, so that no peer waits longer than its caller. What comes in is given to
//! [`Context::with_timeout`], which keeps the parent's deadline if that is earlier.
//!
//! ```
//! use std::time::Duration;
//! use ctx::{Context, wire};
//!
//! let incoming = wire::parse_grpc_timeout("250m").unwrap();
//! let (ctx, _cancel) = Context::background().with_timeout(incoming);
//! let outgoing = wire::parse_grpc_timeout(&ctx.grpc_timeout().unwrap()).unwrap();
//! assert!(outgoing <= incoming);
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::context::Context;

/// The name of gRPC's header for the time that a caller waits.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";
/// The name of Envoy's header for the time that a caller waits, in milliseconds.
pub const ENVOY_TIMEOUT_MS: &str = "x-envoy-expected-rq-timeout-ms";
/// The name of W3C's header for the place in a trace.
pub const TRACEPARENT: &str = "traceparent";
/// The name of W3C's header for what tracing systems say of that place.
pub const TRACESTATE: &str = "tracestate";

/// gRPC allows this many digits.
const GRPC_MOST: u128 = 99_999_999;

/// The units of gRPC, from the finest, each with its nanoseconds.
const GRPC_UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// Reads a `grpc-timeout`: 1 to 8 digits and one of `H M S m u n`; `None` if it is anything else.
#[must_use]
pub fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let number = number(text.strip_suffix(unit)?, 8)?;
    let (_, nanos) = GRPC_UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let nanos = u128::from(number) * nanos;
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, (nanos % 1_000_000_000) as u32))
}

/// Writes a `grpc-timeout` in the finest unit that has room for it, rounded down.
#[must_use]
pub fn format_grpc_timeout(timeout: Duration) -> String {
    let nanos = timeout.as_nanos();
    let fits = GRPC_UNITS.into_iter().find(|(_, unit)| nanos / unit <= GRPC_MOST);
    fits.map_or_else(|| format!("{GRPC_MOST}H"), |(name, unit)| format!("{}{name}", nanos / unit))
}

/// Reads an `x-envoy-expected-rq-timeout-ms`: 1 to 18 digits; `None` if it is anything else.
#[must_use]
pub fn parse_envoy_timeout(text: &str) -> Option<Duration> {
    number(text, 18).map(Duration::from_millis)
}

/// Writes an `x-envoy-expected-rq-timeout-ms`, rounded down.
#[must_use]
pub fn format_envoy_timeout(timeout: Duration) -> String {
    timeout.as_millis().min(10_u128.pow(18) - 1).to_string()
}

/// Reads a number of 1 to `most` ASCII digits, and nothing else: `u64::from_str` would take a sign.
fn number(digits: &str, most: usize) -> Option<u64> {
    let fits = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

impl Context {
    /// Returns the remaining time as a `grpc-timeout`; `None` without a deadline.
    #[must_use]
    pub fn grpc_timeout(&self) -> Option<String> {
        self.remaining().map(format_grpc_timeout)
    }

    /// Returns the remaining time as an `x-envoy-expected-rq-timeout-ms`; `None` without a deadline.
    #[must_use]
    pub fn envoy_timeout(&self) -> Option<String> {
        self.remaining().map(format_envoy_timeout)
    }

    /// Derives a context with the trace that came, from the values of the headers `traceparent` and `tracestate`: the values
    /// [`Traceparent`] and below it [`Tracestate`]. A place that is malformed or came twice counts as absent, and the state
    /// with it; several states are one list.
    ///
    /// ```
    /// use ctx::{Context, wire};
    ///
    /// let place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// let ctx = Context::background().with_trace([place], ["rojo=1", "congo=2"]);
    /// let outgoing = [(wire::TRACEPARENT, place.to_owned()), (wire::TRACESTATE, "rojo=1,congo=2".to_owned())];
    /// assert_eq!(ctx.trace_headers(), outgoing);
    /// ```
    #[must_use]
    pub fn with_trace<T: AsRef<[u8]>>(
        &self,
        places: impl IntoIterator<Item = T>,
        states: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut places = places.into_iter();
        let place = places.next().filter(|_| places.next().is_none());
        let Some(place) = place.and_then(|place| text(place.as_ref())?.parse::<Traceparent>().ok()) else {
            return self.clone();
        };
        let ctx = self.with_value(place);
        let states: Vec<T> = states.into_iter().collect();
        let states: Option<Vec<&str>> = states.iter().map(|state| text(state.as_ref())).collect();
        match states.and_then(|states| states.join(",").parse::<Tracestate>().ok()) {
            Some(state) => ctx.with_value(state),
            None => ctx,
        }
    }

    /// Returns the headers of a request that passes the trace on, by name: the value [`Traceparent`], and the value [`Tracestate`]
    /// if it was set below a place in the same trace. Below one that begins another trace, the old state is left out.
    #[must_use]
    pub fn trace_headers(&self) -> Vec<(&'static str, String)> {
        let Some(place) = self.value::<Traceparent>() else { return Vec::new() };
        let mut headers = vec![(TRACEPARENT, place.to_string())];
        if let Some((state, beside)) = self.0.value_and_outer::<Tracestate>()
            && beside.value::<Traceparent>().is_some_and(|beside| beside.trace() == place.trace())
        {
            headers.push((TRACESTATE, state.to_string()));
        }
        headers
    }
}

/// Returns a header's value as text; `None` if it is not ASCII.
fn text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|text| text.is_ascii())
}

/// A place in a trace, of W3C's Trace Context; carried by a context as a value.
///
/// ```
/// use ctx::{Context, wire::Traceparent};
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let ctx = Context::background().with_value(header.parse::<Traceparent>().unwrap());
/// // A call further on is a child: the same trace, with its own number.
/// let outgoing = ctx.value::<Traceparent>().unwrap().child(0xb7ad6b7169203331).unwrap();
/// assert_eq!(outgoing.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traceparent {
    trace: u128,
    parent: u64,
    flags: u8,
}

impl Traceparent {
    /// Makes a place in the trace of that number, below that parent; `None` if either is zero, which is no number.
    #[must_use]
    pub fn new(trace: u128, parent: u64, sampled: bool) -> Option<Self> {
        (trace != 0 && parent != 0).then_some(Self { trace, parent, flags: u8::from(sampled) })
    }

    /// Returns the place of a call below this one, which has that number; `None` if it is zero.
    #[must_use]
    pub fn child(&self, number: u64) -> Option<Self> {
        (number != 0).then_some(Self { parent: number, ..*self })
    }

    /// Returns the number of the trace.
    #[must_use]
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// Returns the number of the caller in the trace.
    #[must_use]
    pub const fn parent(&self) -> u64 {
        self.parent
    }

    /// Tells whether the caller may have recorded the trace.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 != 0
    }
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTraceparent;

impl fmt::Display for NoTraceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`traceparent` takes two, 32, 16 and two lowercase hexadecimal digits, with hyphens between",
        )
    }
}

impl std::error::Error for NoTraceparent {}

impl FromStr for Traceparent {
    type Err = NoTraceparent;

    /// Reads version 00, and of a later version what version 00 has; `ff` is none.
    fn from_str(text: &str) -> Result<Self, NoTraceparent> {
        let mut parts = text.splitn(5, '-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if hex { u128::from_str_radix(part, 16).ok() } else { None }
        };
        let (version, trace, parent, flags) =
            (|| Some((part(2)?, part(32)?, part(16)?, part(2)?)))().ok_or(NoTraceparent)?;
        let more = parts.next().is_some();
        if version == 0xff || version == 0 && more || trace == 0 || parent == 0 {
            return Err(NoTraceparent);
        }
        Ok(Self { trace, parent: parent as u64, flags: flags as u8 & 1 })
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, self.flags)
    }
}

/// The most members of a `tracestate`.
const MEMBERS: usize = 32;
/// The most characters of a key in it, and of a value.
const MEMBER: usize = 256;

/// A list of what tracing systems say of a place in a trace, of W3C's Trace Context. It is passed on as it came, and never without
/// the [`Traceparent`] beside which it came: a context has it below that, and [`Context::trace_headers`] leaves it out below one of
/// another trace.
///
/// ```
/// use ctx::wire::Tracestate;
///
/// let state: Tracestate = "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE".parse().unwrap();
/// assert_eq!(state.to_string(), "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE");
/// assert!("ROJO=1".parse::<Tracestate>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracestate(Box<str>);

impl Tracestate {
    /// Returns the list as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no `tracestate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTracestate;

impl fmt::Display for NoTracestate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`tracestate` takes 1 to 32 members like `key=value`, with commas between and no key twice",
        )
    }
}

impl std::error::Error for NoTracestate {}

impl FromStr for Tracestate {
    type Err = NoTracestate;

    /// Reads 1 to 32 members; empty ones, and spaces around each, are allowed and not counted.
    fn from_str(text: &str) -> Result<Self, NoTracestate> {
        let mut keys: Vec<&str> = Vec::new();
        let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
        for member in members.filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=').ok_or(NoTracestate)?;
            if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MEMBERS {
                return Err(NoTracestate);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(NoTracestate) } else { Ok(Self(text.into())) }
    }
}

/// True for a lowercase letter or a digit, and up to 255 of these and of `_-*/@` behind it.
fn is_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=MEMBER).contains(&text.len())
        && plain(text.as_bytes()[0])
        && text.bytes().all(|byte| plain(byte) || b"_-*/@".contains(&byte))
}

/// True for 1 to 256 printable characters without `,` and `=`.
fn is_value(text: &str) -> bool {
    (1..=MEMBER).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=')
}

impl fmt::Display for Tracestate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
