//! Tables of odd requests: each is judged by what the RFCs say of its bytes.

use testbed::capability::Capability::{
    Admin, EndpointUpload, FlagMaxConnections, ParamWork, Routing, StyleContext,
};
use wire::{End, Wire, response};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};
use crate::scenarios::faults::reply;

/// The base of the scenarios.
const BASE: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Connection],
    limit: std::time::Duration::from_secs(30),
    why: "the request that nobody thought of is the one that two programs read in two ways",
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "faults/odd-targets",
        promise: "of 16 odd targets and hosts each is answered as the RFCs have it",
        needs: &[Routing, ParamWork, StyleContext],
        sent: "`GET` with `//fast`, `/%66ast`, `/./fast`, `/fast%`, `/fast?&`, `/slow?work=%31ms`, `ws://lab/fast`, `HTTPS://lab/fast`, \
               two equal hosts, a host with a vertical tab, a bad host in HTTP/1.0 and more",
        sources: &["RFC 3986, section 3", "RFC 9112, section 3.2"],
        run: odd_targets,
        ..BASE
    },
    Scenario {
        id: "faults/odd-bodies",
        promise: "of 14 odd framings of a body each is answered as RFC 9112 has it",
        needs: &[Routing, EndpointUpload],
        sent: "`POST /upload` with `Content-Length: +5`, `5, 5`, `05`, `-0`, nothing, 2^64, twice the same; `Transfer-Encoding` with a tab \
               behind it and a vertical tab before; a chunk's size `1_0` and `0001`; a carriage return in an extension; trailers \
               that name a length and hold a DEL",
        sources: &["RFC 9112, section 6", "RFC 9112, section 7.1"],
        run: odd_bodies,
        ..BASE
    },
    Scenario {
        id: "faults/refused-with-much-behind",
        promise: "a refusal arrives whole, however much the client sends behind it",
        needs: &[Routing, FlagMaxConnections],
        sent: "a target of 200,000 bytes; `Host: a b` and a second request; `Content-Length: 2000000` and 400,000 bytes; `POST /fast` with \
               300,000; `PRI * HTTP/2.0`, which is no preface without the `SM` that belongs to it, and 9,000 bytes",
        wrong: "a close with bytes unread is a reset, and the kernel throws the answer away",
        run: much_behind,
        ..BASE
    },
    Scenario {
        id: "faults/odd-admin-clients",
        promise: "of 8 odd clients of the admin address each gets its answer, and none keeps the next from the server's count",
        needs: &[Admin, FlagMaxConnections],
        slot: Slot::Own,
        sent: "to the admin address: `HEAD`, `POST`, an unknown path, HTTP/1.0, 20,000 bytes of head, garbage, a request behind a request, a \
               head and a half-close; 100 connections that send nothing; half a head and a reset",
        run: odd_admin_clients,
        ..BASE
    },
];

/// Checks that each request of the table is answered with one of its statuses; 0 stands for a close.
fn all_answered(bench: &Bench, table: &[(Vec<u8>, &[u16])]) -> Outcome {
    for (bytes, statuses) in table {
        let (_, answer) = reply(bench, bytes)?;
        let status = answer.map_or(0, |answer| answer.status());
        ensure!(
            statuses.contains(&status),
            "{status} and not one of {statuses:?} for {}",
            response::preview(bytes)
        );
    }
    Ok(format!("{} requests, each answered as it should be", table.len()).into())
}

fn odd_targets(bench: &Bench) -> Outcome {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: lab\r\n\r\n").into_bytes();
    let host = |version: &str, hosts: &[u8]| {
        [format!("GET /fast HTTP/{version}\r\n").as_bytes(), hosts, b"\r\n"].concat()
    };
    let table: [(Vec<u8>, &[u16]); 16] = [
        // Some send their clients to the path that they take it for.
        (get("//fast"), &[301, 307, 308, 404]),
        // Encoded or not, it is the same path; a server may do without decoding.
        (get("/%66ast"), &[200, 404]),
        (get("/./fast"), &[200, 404]),
        (get("/fast%"), &[400, 404]),
        (get("/fast%2f"), &[404]),
        (get("/fast?"), &[200]),
        (get("/fast?&"), &[200, 400]),
        (get("/slow?work=%31ms"), &[200]),
        (get("/slow?work=1ms%00"), &[400]),
        (get("/slow?work=1ms;style=drop"), &[400]),
        (get("HTTPS://lab/fast"), &[200, 421]),
        (get("ws://lab/fast"), &[400, 421]),
        (host("1.1", b"Host: lab\r\nHost: lab\r\n"), &[400]),
        (host("1.1", b"Host: lab\x0b\r\n"), &[400, 0]),
        (host("1.0", b"Host: a b\r\n"), &[400]),
        (host("1.1", b"Host: lab:0080\r\n"), &[200]),
    ];
    all_answered(bench, &table)
}

fn odd_bodies(bench: &Bench) -> Outcome {
    let post = |field: &str, body: &[u8]| {
        [format!("POST /upload HTTP/1.1\r\nHost: lab\r\n{field}\r\n\r\n").as_bytes(), body].concat()
    };
    let chunked = |body: &[u8]| post("Transfer-Encoding: chunked", body);
    let table: [(Vec<u8>, &[u16]); 14] = [
        (post("Content-Length: +5", b"12345"), &[400]),
        // A list of one and the same length may be taken for it.
        (post("Content-Length: 5, 5", b"12345"), &[200, 400]),
        (post("Content-Length: 05", b"12345"), &[200]),
        (post("Content-Length: -0", b""), &[400]),
        (post("Content-Length: ", b""), &[400]),
        (post("Content-Length: 18446744073709551616", b""), &[400, 413]),
        (post("Content-Length: 5\r\nContent-Length: 5", b"12345"), &[200, 400]),
        (post("Transfer-Encoding: chunked\t", b"0\r\n\r\n"), &[200]),
        (post("Transfer-Encoding: \x0bchunked", b"0\r\n\r\n"), &[400, 501, 0]),
        (chunked(b"1_0\r\nx\r\n0\r\n\r\n"), &[400]),
        (chunked(b"0001\r\nx\r\n0\r\n\r\n"), &[200]),
        (chunked(b"1;a=\rb\r\nx\r\n0\r\n\r\n"), &[400]),
        (chunked(b"1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n"), &[200, 400]),
        (chunked(b"1\r\nx\r\n0\r\na: b\x7f\r\n\r\n"), &[400]),
    ];
    all_answered(bench, &table)
}

fn much_behind(bench: &Bench) -> Outcome {
    let line = |line: &str| format!("{line} HTTP/1.1\r\nHost: lab\r\n").into_bytes();
    let version = [&b"PRI * HTTP/2.0\r\n\r\n"[..], &[0; 9000]].concat();
    let long = format!("GET /{}", "x".repeat(200_000));
    let upload = [&line("POST /upload")[..], b"Content-Length: 2000000\r\n\r\n", &[b'x'; 400_000]].concat();
    let fast = [&line("POST /fast")[..], b"Content-Length: 300000\r\n\r\n", &[b'x'; 300_000]].concat();
    let hosts = b"GET /fast HTTP/1.1\r\nHost: a b\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n";
    let table: [(&[u8], &[u16]); 5] = [
        (long.as_bytes(), &[414]),
        (hosts, &[400]),
        (&upload, &[413]),
        (&fast, &[405]),
        (&version, &[400, 505]),
    ];
    for (bytes, statuses) in table {
        let (mut wire, answer) = reply(bench, bytes)?;
        let shown = response::preview(bytes);
        let status = answer.map_or(0, |answer| answer.status());
        ensure!(statuses.contains(&status), "{status} and not one of {statuses:?} for {shown}");
        let (end, _) = wire.end(bench.ms(2000))?;
        ensure!(end != End::Silence, "the connection is still open behind the {status} for {shown}");
        ensure!(wire.buffered().is_empty(), "more than one answer for {shown}");
    }
    Ok(format!("{} refusals, each whole", table.len()).into())
}

fn odd_admin_clients(bench: &Bench) -> Outcome {
    let admin = bench.server().admin().ok_or_else(|| Failure::unsupported("no count of its own"))?;
    let until = std::time::Instant::now() + bench.ms(20_000);
    let connect = || Wire::connect(admin, until, bench.trace());
    let line = |line: &str| format!("{line}\r\nHost: lab\r\n\r\n").into_bytes();
    let large = format!("GET /census HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000)).into_bytes();
    let twice = line("GET /census HTTP/1.1").repeat(2);
    let table: [(Vec<u8>, u16); 8] = [
        (line("HEAD /census HTTP/1.1"), 200),
        (line("POST /census HTTP/1.1"), 405),
        (line("GET /nothing HTTP/1.1"), 404),
        (b"GET /metrics HTTP/1.0\r\n\r\n".to_vec(), 200),
        (large, 431),
        (b"nonsense\r\n\r\n".to_vec(), 400),
        (twice, 200),
        (line("GET /metrics HTTP/1.1"), 200),
    ];
    for (number, (bytes, status)) in table.iter().enumerate() {
        let mut wire = connect()?;
        let _ = wire.send(bytes);
        if number == table.len() - 1 {
            wire.half_close();
        }
        let answer = if bytes.starts_with(b"HEAD") { wire.answer_to_head()? } else { wire.answer()? };
        let shown = response::preview(bytes);
        ensure!(answer.status() == *status, "{} instead of {status} for {shown}", answer.status());
        bench.census()?;
    }
    let _silent = (0..100).map(|_| connect()).collect::<Result<Vec<_>, _>>()?;
    bench.census()?;
    let mut torn = connect()?;
    torn.send(b"GET /cen")?;
    torn.reset();
    bench.census()?;
    Ok(format!(
        "{} odd clients, 100 silent ones and one that left: the server's count each time",
        table.len()
    )
    .into())
}
