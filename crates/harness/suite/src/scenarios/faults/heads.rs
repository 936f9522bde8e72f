//! Broken request heads: each is refused or the connection is closed; none is served, none hangs.

use testbed::capability::Capability::{HouseLimits, Http2, KeepAlive, Routing};
use wire::{Answer, End, Wire, response};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Outcome, Scenario};
use crate::scenarios::faults::{is_refused, reply};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];

/// The statuses that bytes which are no head may be answered with.
const REFUSALS: &[u16] = &[400, 414, 431, 501, 505];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/malformed-head",
        promise: "a request line that is none is answered 400, 414, 431, 501 or 505, or the connection is closed",
        judges: BOTH,
        limit: LIMIT,
        sent: "a connection each: `GET\\r\\n\\r\\n`, `GET /fast\\r\\n\\r\\n`, `GET  /fast HTTP/1.1`, `GET /fast HTTP/1.1 x`, \
               `G@T /fast HTTP/1.1`, `GET fast HTTP/1.1`, `GET /fa st HTTP/1.1`, a TLS hello, NULs, a response, and more",
        why: "two parsers that read one line in two ways are how a request is smuggled past a proxy",
        wrong: "lenient parsers take several spaces, a missing version or a stray word, each in a way of its own",
        sources: &[
            "RFC 9112, section 3",
            "https://portswigger.net/research/http-desync-attacks-request-smuggling-reborn",
        ],
        run: malformed_head,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/header-bytes",
        promise: "a header line with bytes that no header may have is refused, or the connection is closed",
        judges: BOTH,
        limit: LIMIT,
        sent: "`GET /fast HTTP/1.1` with `Na me: v`, `Name : v`, `: v`, `Name`, a NUL, a bare CR, a folded line, \
               a high byte in a name, DEL in a value",
        why: "`Content-Length : 5` is a length to one parser and an unknown header to the next",
        wrong: "servers that trim the name, or skip the line that they cannot read",
        sources: &["RFC 9112, section 5.1", "RFC 9112, section 5.2", "RFC 9110, section 5.5"],
        run: header_bytes,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/no-host",
        promise: "an HTTP/1.1 request without Host, or with two, is answered 400",
        sent: "`GET /fast HTTP/1.1\\r\\n\\r\\n`, and the same with two `Host` lines",
        why: "who is asked for decides what a cache and a router do with the answer",
        wrong: "hyper leaves the check to its user, and most users leave it out",
        sources: &["RFC 9112, section 3.2"],
        run: no_host,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/version-505-or-closed",
        promise: "a request of another protocol version is answered 505 or 400, or the connection is closed",
        judges: BOTH,
        limit: LIMIT,
        sent: "`GET /fast HTTP/2.0`, `HTTP/3.0`, `HTTP/1.9x`, `HTTP/11`, `http/1.1`, `HTTPS/1.1`, `ICY/1.1`, the preface of HTTP/2, \
               `GET /fast\\r\\n` of HTTP/0.9",
        why: "an answer in a protocol that the client did not speak is read as something else",
        sources: &["RFC 9110, section 15.6.6", "RFC 9113, section 3.4"],
        run: version,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/http-10",
        promise: "an HTTP/1.0 request is answered, and the connection is closed unless it asks to keep it",
        judges: BOTH,
        sent: "`GET /fast HTTP/1.0\\r\\n\\r\\n`, and the same with `Connection: keep-alive`",
        why: "an old client reads to the end of the connection and waits for it",
        wrong: "a server that keeps the connection open leaves such a client hanging on a whole answer",
        sources: &["RFC 9112, section 9.3"],
        run: http_10,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/uri-too-long-414",
        promise: "a request target over 8 KiB is answered 414, one of 8 KiB is not",
        needs: &[Routing, HouseLimits],
        sent: "`GET /fast?xxx…` of 8,193 and of 8,192 bytes",
        why: "a limit that is said can be kept by the client; a reset can not",
        sources: &["RFC 9110, section 15.5.15"],
        run: uri_too_long,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/head-too-large-431",
        promise: "a head over 16 KiB is answered 431 and the connection closed, one just below is served",
        judges: BOTH,
        needs: &[Routing, HouseLimits],
        sent: "`GET /fast` with a header of 20,000 bytes, of 100,000 bytes, of 15,000 bytes",
        why: "a head is read before anybody is known: its size is a stranger's to choose",
        wrong: "servers that close with unread bytes: the reset destroys the 431",
        sources: &["RFC 6585, section 5"],
        run: head_too_large,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/too-many-headers",
        promise: "101 header fields are answered 431, 100 are served",
        judges: BOTH,
        needs: &[Routing, HouseLimits],
        sent: "`GET /fast` with 101 and with 100 header fields",
        why: "each field costs a lookup: thousands of tiny ones are an attack of their own",
        sources: &["RFC 6585, section 5"],
        run: too_many_headers,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/byte-by-byte",
        promise: "a head that comes byte by byte is the same head",
        sent: "`GET /fast HTTP/1.1` with an id, a byte each write",
        why: "packets end where they like",
        run: byte_by_byte,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/empty-line-first",
        promise: "an empty line before the request line is ignored",
        level: Level::Should,
        sent: "`\\r\\nGET /fast HTTP/1.1\\r\\nHost: lab\\r\\n\\r\\n`",
        why: "old clients send one after a POST body",
        sources: &["RFC 9112, section 2.2"],
        run: empty_line_first,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/absolute-form",
        promise: "a request target in absolute form is served",
        needs: &[Routing],
        sent: "`GET http://lab/fast HTTP/1.1`, and `GET http://lab/no-such-path-anywhere HTTP/1.1`",
        why: "whoever stands behind a proxy gets them, and every server must accept them",
        sources: &["RFC 9112, section 3.2.2"],
        run: absolute_form,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/garbage-behind-a-request",
        promise: "garbage in the segment of a good request does not take its answer away, and is not served",
        judges: BOTH,
        needs: &[KeepAlive],
        sent: "`GET /fast` and `GET\\0/fast nonsense\\r\\n\\r\\n` in one write",
        why: "what was asked first was asked well, and its answer is owed",
        wrong: "a parser that is run ahead of the answers closes before the first one is out",
        run: garbage_behind,
        ..Scenario::BASE
    },
];

/// Two dozen connections, some of which may take their time.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Checks that every one of `heads` is refused, and that a good request is served afterwards.
fn all_refused<'a>(bench: &Bench, heads: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut counts = std::collections::BTreeMap::<u16, usize>::new();
    for head in heads {
        *counts.entry(is_refused(bench, head, REFUSALS)?).or_default() += 1;
    }
    is_served(bench, &bench.fast().bytes(bench.host()))?;
    let shown = counts.iter().map(|(status, count)| match status {
        0 => format!("{count} closed"),
        status => format!("{count} times {status}"),
    });
    Ok(shown.collect::<Vec<_>>().join(", ").into())
}

/// Checks that `bytes` are answered 200.
fn is_served(bench: &Bench, bytes: &[u8]) -> Result<(Wire, Answer), Failure> {
    let shown = response::preview(bytes);
    let (wire, answer) = reply(bench, bytes)?;
    let answer = answer.ok_or_else(|| Failure::broken(format!("closed instead of 200 for {shown}")))?;
    ensure!(answer.status() == 200, "{} instead of 200 for {shown}", answer.status());
    Ok((wire, answer))
}

fn malformed_head(bench: &Bench) -> Outcome {
    let heads: &[&[u8]] = &[
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET \r\n\r\n",
        b"GET /fast\r\n\r\n",
        b"GET /fast \r\n\r\n",
        b"GET /fast HTTP\r\n\r\n",
        b"GET /fast HTTP/\r\n\r\n",
        b"GET /fast HTTP/1.1 x\r\nHost: lab\r\n\r\n",
        b"GET  /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast  HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET\t/fast\tHTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fa st HTTP/1.1\r\nHost: lab\r\n\r\n",
        b" GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"G@T /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"G(T) /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"G\xc3\x89T /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"/fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast\0 HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast\x01 HTTP/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast\rHTTP/1.1\r\nHost: lab\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"{\"method\":\"GET\",\"path\":\"/fast\"}\r\n\r\n",
    ];
    all_refused(bench, heads.iter().copied())
}

fn header_bytes(bench: &Bench) -> Outcome {
    let lines: &[&[u8]] = &[
        b"Na me: v",
        b"Name : v",
        b"Name\t: v",
        b": v",
        b"Name",
        b"Name v",
        b"Name\0: v",
        b"Name: a\0b",
        b"Name: a\rb",
        b"Name: a\r\n folded",
        b" Name: v",
        b"N\xc3\xa4me: v",
        b"Name: a\x7fb",
        b"Name: a\x01b",
        b"Na(me): v",
        b"Content-Length : 5",
    ];
    let heads: Vec<_> = lines
        .iter()
        .map(|line| [b"GET /fast HTTP/1.1\r\nHost: lab\r\n", *line, b"\r\nX-Last: 1\r\n\r\n"].concat())
        .collect();
    all_refused(bench, heads.iter().map(Vec::as_slice))
}

fn no_host(bench: &Bench) -> Outcome {
    let heads: [&[u8]; 3] = [
        b"GET /fast HTTP/1.1\r\n\r\n",
        b"GET /fast HTTP/1.1\r\nX-Host: lab\r\n\r\n",
        b"GET /fast HTTP/1.1\r\nHost: lab\r\nHost: other\r\n\r\n",
    ];
    for head in heads {
        let (_, answer) = reply(bench, head)?;
        let status = answer.map_or(0, |answer| answer.status());
        ensure!(status == 400, "{status} instead of 400 for {}", response::preview(head));
    }
    Ok("400".into())
}

fn version(bench: &Bench) -> Outcome {
    let heads: &[&[u8]] = &[
        b"GET /fast HTTP/2.0\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTP/3.0\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTP/0.9\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTP/1.9x\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTP/11\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTP/1\r\nHost: lab\r\n\r\n",
        b"GET /fast http/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast HTTPS/1.1\r\nHost: lab\r\n\r\n",
        b"GET /fast ICY/1.1\r\nHost: lab\r\n\r\n",
        b"PRI * HTTP/2.0\r\nHost: lab\r\n\r\n",
        b"GET /fast\r\n",
    ];
    // Where HTTP/2 is spoken it is no wrong version.
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let preface = (!bench.subject.supports(Http2)).then_some(preface);
    all_refused(bench, heads.iter().copied().chain(preface))
}

fn http_10(bench: &Bench) -> Outcome {
    let (mut wire, _) = is_served(bench, b"GET /fast HTTP/1.0\r\n\r\n")?;
    let (end, _) = wire.end(bench.ms(2000))?;
    ensure!(end == End::Fin, "{end} instead of FIN behind the answer to HTTP/1.0");
    let asked = b"GET /fast HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let (mut wire, answer) = is_served(bench, asked)?;
    let kept = !answer.response.says_close() && answer.response.header("connection").is_some();
    if kept {
        let next = wire.ask(&bench.fast())?;
        ensure!(next.status() == 200, "{} on the connection that was kept", next.status());
    }
    Ok(format!("closed; {} when asked to", if kept { "kept" } else { "closed, too," }).into())
}

/// A `GET /fast` whose request target has `length` bytes.
fn with_target(length: usize) -> Vec<u8> {
    let filler = "x".repeat(length - "/fast?".len());
    format!("GET /fast?{filler} HTTP/1.1\r\nHost: lab\r\n\r\n").into_bytes()
}

fn uri_too_long(bench: &Bench) -> Outcome {
    for length in [8193, 12_000] {
        let status = is_refused(bench, &with_target(length), &[414])?;
        ensure!(status == 414, "closed instead of 414 for a target of {length} bytes");
    }
    let (_, answer) = reply(bench, &with_target(8192))?;
    let status = answer.map_or(0, |answer| answer.status());
    ensure!(!matches!(status, 0 | 414 | 431), "{status} for a target of 8,192 bytes");
    Ok(format!("414 from 8,193 bytes on; {status} for 8,192").into())
}

fn head_too_large(bench: &Bench) -> Outcome {
    let head = |length: usize| {
        format!("GET /fast HTTP/1.1\r\nHost: lab\r\nX-Long: {}\r\n\r\n", "x".repeat(length)).into_bytes()
    };
    for length in [20_000, 100_000] {
        let status = is_refused(bench, &head(length), &[431])?;
        ensure!(status == 431, "closed instead of 431 for a header of {length} bytes");
    }
    is_served(bench, &head(15_000))?;
    Ok("431 above 16 KiB; 200 for 15,000 bytes".into())
}

fn too_many_headers(bench: &Bench) -> Outcome {
    let head = |fields: usize| {
        let more: String = (1..fields).map(|number| format!("X-{number}: v\r\n")).collect();
        format!("GET /fast HTTP/1.1\r\nHost: lab\r\n{more}\r\n").into_bytes()
    };
    for fields in [101, 1000] {
        let status = is_refused(bench, &head(fields), &[431])?;
        ensure!(status == 431, "closed instead of 431 for {fields} fields");
    }
    is_served(bench, &head(100))?;
    Ok("431 for 101 fields, 200 for 100".into())
}

fn byte_by_byte(bench: &Bench) -> Outcome {
    let id = bench.id();
    let mut wire = bench.connect()?;
    for byte in wire::Request::get("/fast").id(&id).bytes(bench.host()) {
        wire.send(&[byte])?;
    }
    let answer = wire.answer()?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    Ok("200".into())
}

fn empty_line_first(bench: &Bench) -> Outcome {
    is_served(bench, format!("\r\nGET /fast HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host()).as_bytes())?;
    Ok("200".into())
}

fn absolute_form(bench: &Bench) -> Outcome {
    let host = bench.host();
    is_served(bench, format!("GET http://{host}/fast HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let lost = format!("GET http://{host}/no-such-path-anywhere HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let status = reply(bench, lost.as_bytes())?.1.map_or(0, |answer| answer.status());
    ensure!(status == 404, "{status} instead of 404 for an unknown path in absolute form");
    Ok("200, and 404 for an unknown path".into())
}

fn garbage_behind(bench: &Bench) -> Outcome {
    let mut bytes = bench.fast().bytes(bench.host());
    bytes.extend_from_slice(b"GET\0/fast nonsense\r\n\r\n");
    let (mut wire, answer) = reply(bench, &bytes)?;
    let status = answer.map_or(0, |answer| answer.status());
    ensure!(status == 200, "{status} instead of 200 for the good request (0 is a close)");
    let (end, _) = wire.end(bench.ms(2000))?;
    ensure!(end != End::Silence, "the connection is still open behind the garbage");
    let rest = response::parse(wire.buffered(), true, false).ok().flatten().map(|(answer, _)| answer.status);
    ensure!(rest.is_none_or(|status| REFUSALS.contains(&status)), "{} for the garbage", or_none(rest));
    Ok(format!("200, then {} and {end}", rest.map_or("nothing".into(), |status| status.to_string())).into())
}
