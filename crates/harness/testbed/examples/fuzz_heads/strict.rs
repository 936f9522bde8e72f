//! A strict reader of request heads: what it refuses, no server may answer 200.
//!
//! It follows RFC 9112 except where the RFC itself lets a server be lenient: empty lines before the request line and a
//! bare LF as a line's end (section 2.2). Two things more are borne with: a fragment in the target, which URI types drop
//! before a server can see it, and an HTTP/1.1 request without its one `Host`, which `faults/no-host` judges.

/// The lab's limits.
const HEAD: usize = 16 * 1024;
const TARGET: usize = 8 * 1024;
const FIELDS: usize = 100;

/// Why the first head in `bytes` is none; `Ok` when it is one.
pub(crate) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if bytes.len() >= 2 && &bytes[..2] == b"\r\r" {
        return Err("a bare CR");
    }
    let mut rest = &bytes[empty..];
    let first = line(&mut rest)?;
    let version = request_line(first)?;
    let (mut lengths, mut codings, mut fields) = (Vec::new(), Vec::new(), 0);
    loop {
        let field = line(&mut rest)?;
        if field.is_empty() {
            break;
        }
        fields += 1;
        let (name, value) = self::field(field)?;
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => codings.push(value),
            _ => {}
        }
    }
    if bytes.len() - empty - rest.len() > HEAD || fields > FIELDS {
        return Err("over the limits");
    }
    framing(version, &lengths, &codings)
}

/// Takes the next line, without its end.
fn line<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or("incomplete")?;
    let taken = &rest[..end];
    *rest = &rest[end + 1..];
    let taken = taken.strip_suffix(b"\r").unwrap_or(taken);
    if taken.contains(&b'\r') { Err("a bare CR") } else { Ok(taken) }
}

/// Checks the request line and gives its version.
fn request_line(line: &[u8]) -> Result<&[u8], &'static str> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = words.as_slice() else { return Err("not three words") };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err("the method is no token");
    }
    if !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
        return Err("another version");
    }
    let visible = target.iter().all(|byte| byte.is_ascii_graphic());
    let absolute = target.windows(3).any(|window| window == b"://");
    let form = match target.first() {
        Some(b'/') => true,
        Some(b'*') => target.len() == 1,
        Some(_) => absolute || method == b"CONNECT",
        None => false,
    };
    match target.len() {
        _ if !visible || !form => Err("the target is none"),
        TARGET.. if target.len() > TARGET => Err("over the limits"),
        _ => Ok(version),
    }
}

/// Splits a field line into its name and its trimmed value.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or("a field without a colon")?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err("a field's name is no token");
    }
    let fit = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    if !value.iter().all(fit) {
        return Err("a control character in a value");
    }
    Ok((name, value.trim_ascii()))
}

/// Checks that the body's length is beyond doubt.
fn framing(version: &[u8], lengths: &[&[u8]], codings: &[&[u8]]) -> Result<(), &'static str> {
    let number = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    // A transfer coding overrides every length (RFC 9112, section 6.3, rule 3), and hyper drops those that stand behind it.
    let overridden = !codings.is_empty();
    if !overridden && (!lengths.iter().all(number) || lengths.windows(2).any(|pair| pair[0] != pair[1])) {
        return Err("the length is in doubt");
    }
    match codings {
        [] => Ok(()),
        [coding] if coding.eq_ignore_ascii_case(b"chunked") && version == b"HTTP/1.1" => Ok(()),
        _ => Err("the coding is in doubt"),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_heads_pass() {
        for head in [
            "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
            "GET /fast HTTP/1.0\r\n\r\n",
            "\r\nOPTIONS * HTTP/1.1\nhost:lab\n\n",
            "GET http://lab/fast?x=1#y HTTP/1.1\r\nHost: lab\r\nA: \t\r\n\r\nrest",
            "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        ] {
            assert_eq!(check(head.as_bytes()), Ok(()), "{head:?}");
        }
    }

    #[test]
    fn broken_heads_do_not() {
        for head in [
            "GET /fast HTTP/1.1\r\nHost: lab\r\n",
            "GET  /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
            "GET fast HTTP/1.1\r\nHost: lab\r\n\r\n",
            "GET /fast HTTP/2.0\r\nHost: lab\r\n\r\n",
            "GET /fast HTTP/1.1\r\nHost: lab\r\nA : b\r\n\r\n",
            "GET /fast HTTP/1.1\r\nHost: lab\r\nA: a\rb\r\n\r\n",
            "GET /fast HTTP/1.1\r\nHost: lab\r\n folded\r\n\r\n",
            "GET /fast HTTP/1.1\r\nHost: lab\r\nContent-Length: +5\r\n\r\n",
            "GET /fast HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        ] {
            assert!(check(head.as_bytes()).is_err(), "{head:?}");
        }
    }
}
