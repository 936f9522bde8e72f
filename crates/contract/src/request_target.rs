//! The request target and the host, judged as the bytes that were sent.
//!
//! A library that parses a target may leave out what it has no use for, and take a host for any text. Two programs that
//! read one head in two ways are how a request is smuggled past the first of them, so what RFC 9112 and RFC 3986 do not
//! allow is refused here, whatever a parser made of it.

use std::net::Ipv6Addr;

use http::Uri;

use crate::{Refusal, limits};

/// The target of a request line, as far as its bytes have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    length: usize,
    has_fragment: bool,
}

impl Target {
    /// Adds the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        self.has_fragment |= bytes.contains(&b'#');
    }

    /// Returns the refusal that it earns: 414 for one that is too long, and 400 for one with a fragment (RFC 9112, 3.2).
    #[must_use]
    pub fn refusal(self) -> Option<Refusal> {
        if self.length > limits::URI {
            return Some(Refusal::UriTooLong);
        }
        self.has_fragment.then_some(Refusal::Malformed("a request target takes no fragment"))
    }
}

/// Checks a target that a library has parsed, from which the fragment is gone.
///
/// # Errors
/// One that is too long is refused with 414, and one that names no host of http with 400.
pub(crate) fn check_parsed(uri: &Uri) -> Result<(), Refusal> {
    let (scheme, authority) = (uri.scheme_str(), uri.authority().map(http::uri::Authority::as_str));
    let scheme_length = scheme.map_or(0, |scheme| scheme.len() + "://".len());
    let rest = uri.path_and_query().map_or(0, |rest| rest.as_str().len());
    if scheme_length + authority.map_or(0, str::len) + rest > limits::URI {
        return Err(Refusal::UriTooLong);
    }
    let is_http = scheme.is_none_or(|scheme| matches!(scheme, "http" | "https"));
    let has_host = authority.is_none_or(|host| !host.starts_with(':') && is_host(host.as_bytes()));
    // Only `CONNECT` names a host without a scheme, and no path takes it.
    let is_path = !uri.path().is_empty() && (authority.is_none() || scheme.is_some());
    if is_http && has_host && is_path { Ok(()) } else { Err(Refusal::Malformed("malformed request target")) }
}

/// Reports whether `value` is a valid `Host`: a host and perhaps a port (RFC 9112, 3.2; RFC 3986, 3.2.2 and 3.2.3). It
/// may be empty, for a target that has no host.
#[must_use]
pub fn is_host(value: &[u8]) -> bool {
    let (is_name, rest) = match value.strip_prefix(b"[") {
        Some(literal) => match literal.iter().position(|byte| *byte == b']') {
            Some(end) => (is_address(&literal[..end]), &literal[end + 1..]),
            None => return false,
        },
        None => {
            let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
            (is_name(&value[..end]), &value[end..])
        }
    };
    is_name
        && (rest.is_empty()
            || rest.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit)))
}

/// Reports whether `name` is a registered name, of which the address of four numbers is one.
fn is_name(mut name: &[u8]) -> bool {
    while let Some((byte, rest)) = name.split_first() {
        name = match (byte, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (byte, rest) if is_plain(*byte) => rest,
            _ => return false,
        };
    }
    true
}

/// Reports whether `address` may stand between brackets: one of IPv6, or of a version to come.
fn is_address(address: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(address) else { return false };
    let Some(future) = text.strip_prefix(['v', 'V']) else { return text.parse::<Ipv6Addr>().is_ok() };
    future.split_once('.').is_some_and(|(version, rest)| {
        !version.is_empty()
            && version.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !rest.is_empty()
            && rest.bytes().all(|byte| byte == b':' || is_plain(byte))
    })
}

/// Reports whether the byte stands for itself in a name: unreserved, or a delimiter within it.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(target: &str) -> Option<Refusal> {
        let mut read = Target::default();
        read.push(target.as_bytes());
        read.refusal()
    }

    #[test]
    fn a_target_may_have_8_kib_wherever_it_is_long_and_no_more() {
        for (before, behind) in [("/fast?", ""), ("http://", "/fast"), ("/fast?a#", "")] {
            let long =
                |bytes: usize| format!("{before}{}{behind}", "x".repeat(bytes - before.len() - behind.len()));
            assert_ne!(refusal(&long(limits::URI)), Some(Refusal::UriTooLong), "{before}");
            assert_eq!(refusal(&long(limits::URI + 1)), Some(Refusal::UriTooLong), "{before}");
        }
    }

    #[test]
    fn a_target_takes_no_fragment() {
        for target in ["/fast#", "/fast#x", "/slow?work=1ms#&style=bad", "http://lab/fast#x", "#"] {
            assert!(matches!(refusal(target), Some(Refusal::Malformed(_))), "{target}");
        }
        assert_eq!(refusal("/fast?a=%23"), None);
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "",
            "lab",
            "lab:80",
            "lab:",
            ":80",
            "LAB.example",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:80",
            "[v1.a:b]",
            "[::ffff:1.2.3.4]",
            "a%20b",
            "a_b",
            "a,b",
            "xn--bcher-kva.example",
            "lab.",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_known() {
        for host in [
            "a b",
            "user@lab",
            "lab/",
            "lab/../x",
            "[::1",
            "::1",
            "[]",
            "[:::1]",
            "[::1]x",
            "[::1]:8x",
            "[::1%eth0]",
            "[127.0.0.1]",
            "[v.a]",
            "[v1.]",
            "lab:80:80",
            "lab:-1",
            "lab:8 0",
            "lab#x",
            "lab?x",
            "lab\\x",
            "a%2",
            "a%zz",
            "http://lab",
            "<lab>",
            "\"lab\"",
            "lab\t",
            "a|b",
            "{lab}",
            "^",
            "`",
            "[::1]]",
            "b\u{fc}cher",
            "lab\u{7f}",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
        assert!(!is_host(b"\xff"));
    }

    #[test]
    fn a_parsed_target_names_a_host_of_http_or_none() {
        let no_uri = Refusal::Malformed("what the library refuses by itself");
        let parsed = |target: &str| target.parse().map_or(Err(no_uri.clone()), |uri| check_parsed(&uri));
        for target in ["/fast", "/fast?a", "http://lab/fast", "HTTP://lab:80/fast", "https://[::1]/fast", "*"]
        {
            assert_eq!(parsed(target), Ok(()), "{target}");
        }
        for target in
            ["lab:80", "ftp://lab/fast", "http://user@lab/fast", "http://:80/fast", "http://la%2/fast"]
        {
            assert!(matches!(parsed(target), Err(Refusal::Malformed(_))), "{target}");
        }
        let long = format!("http://{}/fast", "x".repeat(limits::URI));
        assert_eq!(parsed(&long), Err(Refusal::UriTooLong));
    }
}
