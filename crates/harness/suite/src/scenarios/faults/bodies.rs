//! Bodies whose length is in doubt, or over the limit.

use testbed::capability::Capability::{EndpointUpload, HouseLimits, KeepAlive};
use wire::{Answer, End, Request, response};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Judges, Outcome, Scenario};
use crate::scenarios::faults::{is_refused, reply};

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];
/// The statuses that a body in doubt may be answered with.
const REFUSALS: &[u16] = &[400, 411, 413, 501];
/// The most bytes a body may have.
const MOST: usize = 1024 * 1024;

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/body-too-large",
        promise: "a body announced above 1 MiB is answered 413 before it is sent, and the connection is closed",
        judges: BOTH,
        needs: &[EndpointUpload, HouseLimits],
        sent: "`POST /upload` with `Content-Length: 1048577` and no body, then with the whole body",
        why: "a limit that is looked at after the body was read protects nothing",
        wrong: "servers that answer and close with unread bytes: the client sees a reset and tries again",
        sources: &["RFC 9110, section 15.5.14"],
        run: body_too_large,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/body-too-large-chunked",
        promise: "a chunked body is answered 413 as soon as it grows above 1 MiB",
        judges: BOTH,
        needs: &[EndpointUpload, HouseLimits],
        sent: "`POST /upload` with `Transfer-Encoding: chunked`, chunks of 64 KiB without end",
        why: "a body without a length is as long as its sender likes",
        wrong: "limits that look at `Content-Length` only",
        run: body_too_large_chunked,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/largest-body",
        promise: "a body of exactly 1 MiB is taken whole",
        needs: &[EndpointUpload, HouseLimits],
        sent: "`POST /upload` with `Content-Length: 1048576` and as many bytes; the same in chunks",
        why: "off by one is the commonest limit",
        run: largest_body,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/conflicting-lengths",
        promise: "a body with two lengths, or with none that can be read, is refused, or the connection is closed",
        judges: BOTH,
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Content-Length: 5` and `: 6`, `+5`, `-5`, `0x5`, `5 5`, `5, 6`, nothing, 30 digits",
        why: "whoever reads another length than the proxy before it serves the attacker's next request",
        wrong: "the first counts here, the last there, and `+5` is five to most languages' number parsers",
        sources: &["RFC 9112, section 6.3", "CWE-444"],
        run: conflicting_lengths,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/smuggled-request",
        promise: "a body with both Content-Length and Transfer-Encoding is refused or read by its chunks, and nothing more is \
            served",
        judges: BOTH,
        needs: &[EndpointUpload, KeepAlive],
        sent: "`POST /upload` with `Transfer-Encoding: chunked` and a `Content-Length` that covers `0\\r\\n\\r\\nGET /fast …`",
        why: "a proxy that goes by the length takes the second request for body; its answer goes to the next client",
        wrong: "servers that go by the chunks, as they may, and then keep the connection, as they must not",
        sources: &["RFC 9112, section 6.1", "CWE-444"],
        run: smuggled_request,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/unknown-coding",
        promise: "a transfer coding other than chunked is answered 501 or 400, or the connection is closed",
        judges: BOTH,
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Transfer-Encoding: gzip`, `gzip, chunked`, `chunked, gzip`, `xchunked`, `chunked` in HTTP/1.0",
        why: "bytes in a coding that nobody undoes are not the body that was sent",
        sources: &["RFC 9112, section 6.1", "RFC 9112, section 7"],
        run: unknown_coding,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/repeated-coding",
        promise: "a Transfer-Encoding on two lines is answered 400 or 501, or the connection is closed",
        judges: BOTH,
        needs: &[EndpointUpload],
        sent: "`POST /upload` with `Transfer-Encoding: chunked` twice, and with `chunked` and `gzip`, `identity` or nothing on \
            two lines, in either order",
        why: "two lines are one list, and whoever looks at the first alone, or at the last, sees another body than its neighbor",
        wrong: "hyper takes a list of chunked and chunked for chunked",
        sources: &["RFC 9110, section 5.3", "RFC 9112, section 6.1"],
        run: repeated_coding,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/bad-chunk",
        promise: "a chunked body that breaks its framing is answered 400, or the connection is closed",
        judges: BOTH,
        needs: &[EndpointUpload],
        sent: "`POST /upload` in chunks: sizes `g`, `-1`, `0x1`, ` 1`, 17 digits, none; no line end behind a chunk, a bare LF",
        why: "where a chunk ends is where the next request begins",
        wrong: "parsers that stop at the first byte that is no digit, or let the number overflow",
        sources: &["RFC 9112, section 7.1", "CWE-190"],
        run: bad_chunk,
        ..Scenario::BASE
    },
    Scenario {
        id: "faults/chunk-forms",
        promise: "extensions, leading zeros, capitals and trailers of a chunked body are taken",
        needs: &[EndpointUpload],
        sent: "`POST /upload` in chunks: `3;a=b`, `003`, `A`, and a trailer field behind the last",
        why: "they are rare, legal, and what a strict parser gets wrong first",
        sources: &["RFC 9112, section 7.1"],
        run: chunk_forms,
        ..Scenario::BASE
    },
];

/// `POST /upload` with these header lines and then these bytes.
fn upload(version: &str, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let fields: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut bytes = format!("POST /upload {version}\r\nHost: lab\r\n{fields}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn body_too_large(bench: &Bench) -> Outcome {
    let announced = upload("HTTP/1.1", &["Content-Length: 1048577"], b"");
    ensure!(is_refused(bench, &announced, &[413])? == 413, "closed instead of 413");
    let whole = upload("HTTP/1.1", &["Content-Length: 1048577"], &vec![b'x'; MOST + 1]);
    ensure!(is_refused(bench, &whole, &[413])? == 413, "closed instead of 413 when the body was sent");
    Ok("413, closed".into())
}

fn body_too_large_chunked(bench: &Bench) -> Outcome {
    let chunk = [b"10000\r\n", vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat();
    let endless = upload("HTTP/1.1", &["Transfer-Encoding: chunked"], &chunk.repeat(20));
    ensure!(is_refused(bench, &endless, &[413])? == 413, "closed instead of 413");
    Ok("413, closed".into())
}

fn largest_body(bench: &Bench) -> Outcome {
    let whole = Request::post("/upload", vec![b'x'; MOST]).bytes(bench.host());
    let chunk = [b"40000\r\n", vec![b'x'; MOST / 4].as_slice(), b"\r\n"].concat();
    let chunks = [chunk.repeat(4).as_slice(), b"0\r\n\r\n"].concat();
    let chunked = upload("HTTP/1.1", &["Transfer-Encoding: chunked"], &chunks);
    for (bytes, how) in [(whole, "with a length"), (chunked, "in chunks")] {
        let mut wire = bench.connect()?;
        wire.send(&bytes)?;
        let answer = wire.answer()?;
        ensure!(answer.status() == 200, "{} instead of 200 for 1 MiB {how}", answer.status());
        let taken = answer.response.json().and_then(|body| body.get("bytes")?.as_u64());
        ensure!(taken == Some(MOST as u64), "{} bytes of 1 MiB were taken {how}", or_none(taken));
    }
    Ok("taken, both with a length and in chunks".into())
}

fn conflicting_lengths(bench: &Bench) -> Outcome {
    let cases: &[&[&str]] = &[
        &["Content-Length: 5", "Content-Length: 6"],
        &["Content-Length: 6", "Content-Length: 5"],
        &["Content-Length: +5"],
        &["Content-Length: -5"],
        &["Content-Length: 0x5"],
        &["Content-Length: 5 5"],
        &["Content-Length: 5, 6"],
        &["Content-Length: 5.0"],
        &["Content-Length: "],
        &["Content-Length: five"],
        &["Content-Length: 999999999999999999999999999999"],
    ];
    for lines in cases {
        is_refused(bench, &upload("HTTP/1.1", lines, b"hello!"), REFUSALS)?;
    }
    Ok(format!("{} lengths in doubt, none served", cases.len()).into())
}

fn smuggled_request(bench: &Bench) -> Outcome {
    let body = [b"0\r\n\r\n", bench.fast().bytes(bench.host()).as_slice()].concat();
    let length = format!("Content-Length: {}", body.len());
    for lines in [["Transfer-Encoding: chunked", &length], [&length, "Transfer-Encoding: chunked"]] {
        let (mut wire, answer) = reply(bench, &upload("HTTP/1.1", &lines, &body))?;
        let (end, _) = wire.end(bench.ms(2000))?;
        let status = answer.as_ref().map_or(0, Answer::status);
        let taken = answer.and_then(|answer| answer.response.json()?.get("bytes")?.as_u64());
        let by_chunks = status == 200 && taken == Some(0);
        ensure!(
            by_chunks || status == 0 || REFUSALS.contains(&status),
            "{status}: {} bytes and not 0",
            or_none(taken)
        );
        let second = response::preview(wire.buffered());
        ensure!(second.is_empty(), "{status}, and then the smuggled request was answered: {second}");
        ensure!(end != End::Silence, "{status}, and the connection is still open");
    }
    Ok("one answer at most, closed".into())
}

fn unknown_coding(bench: &Bench) -> Outcome {
    let body = b"5\r\nhello\r\n0\r\n\r\n";
    for coding in ["gzip", "gzip, chunked", "chunked, gzip", "xchunked", "identity", "chunked, chunked"] {
        let line = format!("Transfer-Encoding: {coding}");
        is_refused(bench, &upload("HTTP/1.1", &[&line], body), REFUSALS)?;
    }
    is_refused(bench, &upload("HTTP/1.0", &["Transfer-Encoding: chunked"], body), REFUSALS)?;
    Ok("7 codings, none served".into())
}

fn repeated_coding(bench: &Bench) -> Outcome {
    let body = b"5\r\nhello\r\n0\r\n\r\n";
    let pairs = [
        ("chunked", "chunked"),
        ("gzip", "chunked"),
        ("chunked", "gzip"),
        ("identity", "chunked"),
        ("chunked", "identity"),
        ("chunked", ""),
    ];
    for (first, second) in pairs {
        let lines = [first, second].map(|coding| format!("Transfer-Encoding: {coding}"));
        is_refused(bench, &upload("HTTP/1.1", &[&lines[0], &lines[1]], body), REFUSALS)?;
    }
    Ok(format!("{} pairs of lines, none served", pairs.len()).into())
}

fn bad_chunk(bench: &Bench) -> Outcome {
    let bodies: &[&[u8]] = &[
        b"g\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
    ];
    for body in bodies {
        is_refused(bench, &upload("HTTP/1.1", &["Transfer-Encoding: chunked"], body), &[400, 413])?;
    }
    Ok(format!("{} broken framings, none served", bodies.len()).into())
}

fn chunk_forms(bench: &Bench) -> Outcome {
    let bodies: &[(&[u8], u64)] = &[
        (b"5;a=b;c\r\nhello\r\n0\r\n\r\n", 5),
        (b"0005\r\nhello\r\n000\r\n\r\n", 5),
        (b"A\r\nhellohello\r\n0\r\n\r\n", 10),
        (b"5\r\nhello\r\n0\r\nX-Trailer: v\r\n\r\n", 5),
        (b"0\r\n\r\n", 0),
    ];
    for (body, length) in bodies {
        let (_, answer) = reply(bench, &upload("HTTP/1.1", &["transfer-encoding: Chunked"], body))?;
        let shown = response::preview(body);
        let taken = answer.and_then(|answer| answer.response.json()?.get("bytes")?.as_u64());
        ensure!(taken == Some(*length), "{} bytes instead of {length} for {shown}", or_none(taken));
    }
    Ok(format!("{} forms taken", bodies.len()).into())
}
