//! The bytes that HTTP/2 begins with, and how long it is open whether they come.

/// The preface of a client that speaks HTTP/2 (RFC 9113, 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Returns whether a connection that begins with `bytes` speaks HTTP/2; `None` while that is open, because they are a part
/// of the preface.
#[must_use]
pub fn speaks_http2(bytes: &[u8]) -> Option<bool> {
    if bytes.len() < PREFACE.len() {
        return if PREFACE.starts_with(bytes) { None } else { Some(false) };
    }
    Some(bytes.starts_with(PREFACE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_known_by_its_last_byte_and_no_sooner() {
        for length in 0..PREFACE.len() {
            assert_eq!(speaks_http2(&PREFACE[..length]), None, "{length}");
        }
        assert_eq!(speaks_http2(PREFACE), Some(true));
        assert_eq!(speaks_http2(&[PREFACE, b"\0\0\0"].concat()), Some(true));
    }

    #[test]
    fn http_1_is_known_by_its_first_byte_that_differs() {
        assert_eq!(speaks_http2(b"G"), Some(false));
        assert_eq!(speaks_http2(b"PO"), Some(false));
        assert_eq!(speaks_http2(b"PRI * HTTP/2.0\r\n\r\nXX"), Some(false));
        assert_eq!(speaks_http2(b"\r\nPRI"), Some(false));
    }
}
