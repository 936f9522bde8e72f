//! A fault: a lenient parser that rewrites a connection's bytes before they are judged.

/// Takes the fragment off the target of a head, and gives it a host that is one.
pub(crate) fn head(ahead: &mut Vec<u8>) {
    let Some(end) = find(ahead, b"\r\n\r\n") else { return };
    let text = String::from_utf8_lossy(&ahead[..end]).into_owned();
    let mut lines: Vec<_> = text.split("\r\n").map(str::to_owned).collect();
    let words: Vec<_> = lines[0].split(' ').collect();
    let [method, target, version] = words[..] else { return };
    let target = target.split('#').next().unwrap_or_default();
    // An absolute target is taken for its path, whatever stands before it.
    let path =
        target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    lines[0] = format!("{method} {} {version}", if path.is_empty() { "/" } else { path });
    for line in &mut lines {
        if line.to_ascii_lowercase().starts_with("host:") {
            *line = "Host: lab".into();
        }
    }
    let rest = ahead.split_off(end);
    *ahead = [lines.join("\r\n").into_bytes(), rest].concat();
}

/// Skips the trailers of a body, whatever they are.
pub(crate) fn trailers(ahead: &mut Vec<u8>) {
    const LAST: &[u8] = b"\r\n0\r\n";
    let Some(begin) = find(ahead, LAST).map(|at| at + LAST.len()) else { return };
    if let Some(length) = find(&ahead[begin..], b"\r\n\r\n") {
        ahead.drain(begin..begin + length + 2);
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
