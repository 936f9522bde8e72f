//! Heads and trailers that a parser takes and a protocol does not: they are judged by their bytes.

use testbed::capability::Capability::{EndpointUpload, HouseLimits, ParamWork, Routing};
use wire::response;

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};
use crate::scenarios::faults::reply;

/// The base of the scenarios.
const BASE: Scenario = Scenario {
    limit: std::time::Duration::from_secs(20),
    why: "two programs that read one head in two ways are how a request is smuggled past the first of them",
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/host-bytes",
        promise: "a Host that is no host is answered 400, and one that is unusual is served",
        needs: &[Routing],
        sent: "`GET /fast` with `Host: a b`, `user@lab`, `lab/../x`, `[::1`, `lab:80:80`, `a%zz`, a high byte and more; with \
               `[::1]:80`, `lab:`, `a%20b`, an empty one and more",
        wrong: "hyper and most of its users take any text for a host",
        sources: &["RFC 9112, section 3.2", "RFC 3986, section 3.2.2"],
        run: host_bytes,
        ..BASE
    },
    Scenario {
        id: "faults/absolute-host-bytes",
        promise: "a target in absolute form that names no host of http is answered 400",
        needs: &[Routing],
        sent: "`GET http://user@lab/fast`, `http://:80/fast`, `http://[::1/fast`, `http:///fast`, `ftp://lab/fast`",
        wrong: "the target's host replaces the field's, so its bytes are a host's, too",
        sources: &["RFC 9110, section 4.2.1", "RFC 9110, section 4.2.4", "RFC 9112, section 3.2.2"],
        run: absolute_host_bytes,
        ..BASE
    },
    Scenario {
        id: "faults/fragment",
        promise: "a request target with a fragment is answered 400",
        needs: &[Routing, ParamWork],
        sent: "`GET /fast#`, `/fast#x`, `/slow?work=1ms#&style=bad`, `http://lab/fast#x`, the last two of two in one write",
        wrong: "hyper drops the fragment before anybody sees it, with the parameters that it hides",
        sources: &["RFC 9112, section 3.2", "RFC 9110, section 4.2.5"],
        run: fragment,
        ..BASE
    },
    Scenario {
        id: "faults/uri-too-long-anywhere",
        promise: "a request target over 8 KiB is answered 414, wherever it is long",
        needs: &[Routing, HouseLimits],
        sent: "`GET` with a path, a query, an authority and a fragment of 9,000 bytes, and of 20,000",
        wrong: "the length of a path and query that were parsed is not the length of what was sent",
        sources: &["RFC 9110, section 15.5.15"],
        run: too_long_anywhere,
        ..BASE
    },
    Scenario {
        id: "faults/trailer-bytes",
        promise: "a trailer that is no field is answered 400",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[EndpointUpload, Routing],
        sent: "`POST /upload` in chunks, and behind the last one `Name`, `: v`, `Na me: v`, `Name : v`, ` Name: v`, a NUL in the \
               name, a NUL in the value; and `Name: v`, which is served",
        wrong: "parsers that skip trailers to the next empty line, whatever stands there",
        sources: &["RFC 9112, section 7.1.2", "RFC 9112, section 5.1"],
        run: trailer_bytes,
        ..BASE
    },
];

/// Checks that `bytes` are answered with `status`.
fn is_answered(bench: &Bench, bytes: &[u8], status: u16) -> Result<(), Failure> {
    let (_, answer) = reply(bench, bytes)?;
    let found = answer.map_or(0, |answer| answer.status());
    ensure!(found == status, "{found} instead of {status} for {} (0 is a close)", response::preview(bytes));
    Ok(())
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: lab\r\n\r\n").into_bytes()
}

fn host_bytes(bench: &Bench) -> Outcome {
    let with = |host: &[u8]| [b"GET /fast HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat();
    let bad: &[&[u8]] = &[
        b"a b",
        b"user@lab",
        b"user:word@lab",
        b"lab/",
        b"lab/../x",
        b"lab?x",
        b"lab#x",
        b"lab\\x",
        b"http://lab",
        b"[::1",
        b"::1",
        b"[]",
        b"[:::1]",
        b"[::1]x",
        b"[::1]]",
        b"[lab]",
        b"lab:80:80",
        b"lab:-1",
        b"lab:8x",
        b"lab, other",
        b"a%2",
        b"a%zz",
        b"<lab>",
        b"\"lab\"",
        b"la\tb",
        b"l\xc3\xa4b",
        b"\xff",
    ];
    let good: &[&[u8]] = &[
        b"",
        b"lab:",
        b"LAB:80",
        b"[::1]",
        b"[::1]:80",
        b"[v1.a:b]",
        b"a%20b",
        b"a_b",
        b"127.0.0.1",
        b"lab.",
    ];
    for host in bad {
        is_answered(bench, &with(host), 400)?;
    }
    for host in good {
        is_answered(bench, &with(host), 200)?;
    }
    Ok(format!("{} refused, {} served", bad.len(), good.len()).into())
}

fn absolute_host_bytes(bench: &Bench) -> Outcome {
    let targets = [
        "http://user@lab/fast",
        "http://user:word@lab/fast",
        "http://:80/fast",
        "http://[::1/fast",
        "http://lab:8x/fast",
        "http:///fast",
        "ftp://lab/fast",
        "lab://lab/fast",
    ];
    for target in targets {
        is_answered(bench, &get(target), 400)?;
    }
    Ok(format!("{} refused", targets.len()).into())
}

fn fragment(bench: &Bench) -> Outcome {
    let targets = ["/fast#", "/fast#x", "/fast?#", "/slow?work=1ms#&style=bad", "http://lab/fast#x"];
    for target in targets {
        is_answered(bench, &get(target), 400)?;
    }
    // Behind a request that is well formed, in the same segment and in a later one.
    for pause in [None, Some(bench.ms(30))] {
        let mut wire = bench.connect()?;
        wire.send_request(&bench.fast())?;
        pause.into_iter().for_each(std::thread::sleep);
        wire.send(&get("/fast#x"))?;
        let statuses = [wire.answer()?.status(), wire.answer()?.status()];
        ensure!(statuses == [200, 400], "{statuses:?} instead of [200, 400] for a fragment behind a request");
    }
    is_answered(bench, &get("/fast"), 200)?;
    Ok(format!("{} targets refused, and one behind a request", targets.len()).into())
}

fn too_long_anywhere(bench: &Bench) -> Outcome {
    for length in [9_000, 20_000] {
        let filler = "x".repeat(length);
        for target in [
            format!("/{filler}"),
            format!("/fast?{filler}"),
            format!("/fast#{filler}"),
            format!("http://{filler}/fast"),
            format!("http://lab/fast#{filler}"),
        ] {
            is_answered(bench, &get(&target), 414)?;
        }
    }
    Ok("414 for a path, a query, a fragment and an authority".into())
}

fn trailer_bytes(bench: &Bench) -> Outcome {
    let with = |trailer: &[u8]| {
        let head =
            b"POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n";
        [&head[..], trailer, b"\r\n\r\n"].concat()
    };
    let bad: &[&[u8]] = &[
        b"Name",
        b": v",
        b"Na me: v",
        b"Name : v",
        b" Name: v",
        b"Na\0me: v",
        b"Name: a\0b",
        b"Name: v\r\nOther",
        b"N\xc3\xa4me: v",
        b"Na(me): v",
    ];
    for trailer in bad {
        is_answered(bench, &with(trailer), 400)?;
    }
    for trailer in [&b"Name: v"[..], b"Name:", b"Name: \xc3\xa4\tv", b"One: 1\r\nTwo: 2"] {
        is_answered(bench, &with(trailer), 200)?;
    }
    Ok(format!("{} refused, 4 served", bad.len()).into())
}
