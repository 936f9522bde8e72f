//! Frames and requests that HTTP/2 forbids: each is refused in the RFC's way, none hangs, none is served.

use testbed::capability::Capability::{Http2, Post};
use wire::h2::frame::{PREFACE, flag};
use wire::h2::settings::id;
use wire::h2::{Code, Ending, Frame, H2, Kind, Manners, flow, hpack};
use wire::{End, Request};

use super::{BASE, is};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Outcome, Scenario};

const CONNECTION: &[Judges] = &[Judges::Connection];
const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/wrong-frames",
        promise: "each of a table of frames that break the protocol ends its connection, or at least its stream, at once",
        judges: CONNECTION,
        limit: std::time::Duration::from_secs(30),
        sent: "a connection for each: frames on the wrong stream, of the wrong length, in the wrong place, with wrong values",
        why: "after an error in framing the two sides no longer agree on what is said; whoever goes on is what request \
            smuggling is made of",
        wrong: "a parser that skips what it does not understand",
        sources: &["RFC 9113, section 5.4 and 6", "https://github.com/summerwind/h2spec"],
        run: frames,
        ..BASE
    },
    Scenario {
        id: "h2/wrong-preface",
        promise: "a preface that breaks off in the middle is no HTTP/2 and nothing else: refused or closed, and not at the timeout",
        judges: CONNECTION,
        sent: "`PRI * HTTP/2.0`, an empty line and `XX` in place of `SM`",
        why: "the preface is made so that an old server fails on it at once",
        wrong: "a server that waits for the rest of something that cannot come",
        sources: &["RFC 9113, section 3.4"],
        run: preface,
        ..BASE
    },
    Scenario {
        id: "h2/settings-first",
        promise: "a client whose first frame is no SETTINGS is sent away",
        level: Level::Should,
        judges: CONNECTION,
        sent: "the preface and PING in place of SETTINGS",
        why: "SETTINGS belongs to the preface, so this client does not speak HTTP/2",
        wrong: "h2, which is under hyper, and hyper-h2 in Python take any frame first",
        sources: &["RFC 9113, section 3.4"],
        run: settings_first,
        ..BASE
    },
    Scenario {
        id: "h2/malformed-requests",
        promise: "each of a table of malformed requests is reset or answered 400, and never 200",
        judges: BOTH,
        needs: &[Http2, Post],
        limit: std::time::Duration::from_secs(30),
        sent: "pseudo-fields that lack, stand twice or out of place; names in capitals; fields of the connection; lengths that \
            do not fit; values with line ends; trailers that are none",
        why: "a proxy translates these into HTTP/1.1, where they mean something else: that is request smuggling",
        wrong: "fields that are passed on as they came",
        sources: &["RFC 9113, section 8.1.1 and 8.2", "https://portswigger.net/research/http2"],
        run: requests,
        ..BASE
    },
    Scenario {
        id: "h2/pseudo-fields-in-trailers",
        promise: "trailers with a pseudo-field are malformed, too: the request is reset or answered 400",
        level: Level::Should,
        judges: BOTH,
        needs: &[Http2, Post],
        sent: "`POST /upload`, DATA, and trailers with `:path`",
        why: "whoever merges trailers into the head lets them rewrite the request",
        wrong: "h2, which is under hyper, drops them and goes on",
        sources: &["RFC 9113, section 8.1"],
        run: trailers,
        ..BASE
    },
    Scenario {
        id: "h2/fields-over-the-limit",
        promise: "fields of more than 16 KiB, and more than 100 of them, are refused: 431, 400 or RST_STREAM; never 200",
        judges: BOTH,
        sent: "`GET /fast` with a field of 17,000 bytes; with 150 fields",
        why: "the limit on a head holds for fields as well",
        wrong: "libraries whose limit is 16 MB, or none",
        sources: &["RFC 9113, section 10.5.1"],
        run: over_the_limit,
        ..BASE
    },
];

fn get(stream: u32) -> Frame {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "lab"), (":path", "/fast")];
    Frame::headers(stream, hpack::block(fields), true)
}

/// The beginning of a POST, whose stream stays open.
fn post(stream: u32) -> Frame {
    let fields =
        [(":method", "POST"), (":scheme", "http"), (":authority", "lab"), (":path", "/slow?work=3s")];
    Frame::headers(stream, hpack::block(fields), false)
}

/// Frames that break the protocol for a server that takes payloads of `largest` bytes, each with its name.
fn table(largest: usize) -> Vec<(&'static str, Vec<Frame>)> {
    let large = Frame::data(1, vec![0; largest + 1], false);
    let half = Frame::new(Kind::HEADERS, flag::END_STREAM, 1, get(1).payload);
    let setting = |id, value| vec![Frame::settings(&[(id, value)])];
    let on = |kind, stream, length: usize| vec![Frame::new(kind, 0, stream, vec![0; length])];
    vec![
        ("DATA on stream 0", on(Kind::DATA, 0, 4)),
        ("HEADERS on stream 0", vec![get(0)]),
        ("HEADERS on stream 2", vec![get(2)]),
        ("DATA on a stream that is idle", on(Kind::DATA, 5, 4)),
        ("RST_STREAM on a stream that is idle", vec![Frame::reset(5, Code::CANCEL)]),
        ("WINDOW_UPDATE on a stream that is idle", vec![Frame::window_update(5, 1)]),
        ("HEADERS on a stream below the last", vec![post(5), get(3)]),
        ("RST_STREAM of 3 bytes", [vec![post(1)], on(Kind::RST_STREAM, 1, 3)].concat()),
        ("RST_STREAM on stream 0", vec![Frame::reset(0, Code::CANCEL)]),
        ("SETTINGS of 5 bytes", on(Kind::SETTINGS, 0, 5)),
        ("SETTINGS on a stream", vec![Frame { stream: 1, ..Frame::settings(&[]) }]),
        ("an acknowledgement of SETTINGS with settings", vec![Frame::settings(&[(1, 1)]).with(flag::ACK)]),
        ("ENABLE_PUSH of 2", setting(id::ENABLE_PUSH, 2)),
        ("INITIAL_WINDOW_SIZE of 2^31", setting(id::INITIAL_WINDOW_SIZE, 1 << 31)),
        ("MAX_FRAME_SIZE of 100", setting(id::MAX_FRAME_SIZE, 100)),
        ("PING of 7 bytes", on(Kind::PING, 0, 7)),
        ("PING on a stream", on(Kind::PING, 1, 8)),
        ("GOAWAY of 7 bytes", on(Kind::GOAWAY, 0, 7)),
        ("GOAWAY on a stream", on(Kind::GOAWAY, 1, 8)),
        ("WINDOW_UPDATE of 3 bytes", on(Kind::WINDOW_UPDATE, 0, 3)),
        ("WINDOW_UPDATE of 0 on the connection", vec![Frame::window_update(0, 0)]),
        ("a window of the connection above 2^31-1", vec![Frame::window_update(0, flow::LARGEST as u32)]),
        ("CONTINUATION behind nothing", vec![Frame::continuation(1, [], true)]),
        ("PING between HEADERS and CONTINUATION", vec![half.clone(), Frame::ping([0; 8])]),
        ("CONTINUATION of another stream", vec![half, Frame::continuation(3, [], true)]),
        ("more padding than frame", vec![post(1), Frame::new(Kind::DATA, flag::PADDED, 1, *b"\x05ab")]),
        ("DATA of a byte more than MAX_FRAME_SIZE", vec![post(1), large]),
        (
            "PUSH_PROMISE of a client",
            vec![post(1), Frame::new(Kind::PUSH_PROMISE, flag::END_HEADERS, 1, [0, 0, 0, 2])],
        ),
        ("fields that are no HPACK", vec![Frame::headers(1, [0x80], true)]),
        ("a reference past the tables", vec![Frame::headers(1, [0xff, 0x7f], true)]),
    ]
}

fn frames(bench: &Bench) -> Outcome {
    let mut gone_on = Vec::new();
    let largest = bench.h2()?.session().theirs().unwrap_or_default().max_frame_size;
    let table = table(largest as usize);
    for (name, frames) in &table {
        bench.trace().say(0, name);
        let mut h2 = bench.h2()?;
        h2.flood(frames, bench.patience(), true)?;
        if !refuses(bench, &mut h2)? {
            gone_on.push(*name);
        }
    }
    ensure!(gone_on.is_empty(), "the connection went on behind: {}", gone_on.join("; "));
    is(&bench.h2()?.ask(&bench.fast())?, 200)?;
    Ok(format!("{} frames that break the protocol, each refused", table.len()).into())
}

/// True when the server says GOAWAY, resets a stream or ends the connection.
fn refuses(bench: &Bench, h2: &mut H2) -> Result<bool, Failure> {
    // A PING behind it is answered by whoever went on.
    h2.flood(&[Frame::ping([7; 8])], bench.patience(), true)?;
    let said = h2.wait_for(bench.ms(1000), |seen| {
        matches!(seen.frame.kind, Kind::GOAWAY | Kind::RST_STREAM) || seen.frame == Frame::ping_ack([7; 8])
    })?;
    Ok(match said {
        Some(seen) => seen.frame.kind != Kind::PING,
        None => h2.is_over(),
    })
}

fn preface(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let sent_at = wire.send(&[&PREFACE[..18], b"XX\r\n\r\n"].concat())?;
    let (end, at) = wire.end(bench.patience())?;
    let after = at.saturating_duration_since(sent_at);
    let said = String::from_utf8_lossy(&wire.buffered()[..wire.buffered().len().min(12)]).into_owned();
    ensure!(end != End::Silence, "still open {after:.1?} after a broken preface");
    ensure!(!said.starts_with("HTTP/1.1 2"), "a broken preface was answered {said}");
    Ok(format!("{end} after {after:.1?}").into())
}

fn settings_first(bench: &Bench) -> Outcome {
    let mut h2 = H2::unopened(bench.connect()?, Manners::default());
    h2.send_raw(&[PREFACE, &Frame::ping([7; 8]).bytes()].concat())?;
    let (end, _) = h2.end(bench.patience())?;
    let goaway = h2.session().goaway().map(|(goaway, _)| goaway.code);
    ensure!(
        end != End::Silence || goaway.is_some(),
        "a client whose first frame is PING is neither told GOAWAY nor closed"
    );
    Ok(format!("{end}, and GOAWAY {}", or_none(goaway)).into())
}

/// Fields of a request, and whether its stream ends with them; and what comes behind them on it.
type Row = (&'static str, Vec<(&'static str, &'static str)>, bool, fn(u32) -> Vec<Frame>);

fn malformed() -> Vec<Row> {
    const GET: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "http"), (":authority", "lab"), (":path", "/fast")];
    const POST: [(&str, &str); 4] =
        [(":method", "POST"), (":scheme", "http"), (":authority", "lab"), (":path", "/upload")];
    let without = |name: &str| GET.into_iter().filter(|(have, _)| *have != name).collect::<Vec<_>>();
    let with = |field| GET.into_iter().chain([field]).collect::<Vec<_>>();
    let before = |field| [field].into_iter().chain(GET).collect::<Vec<_>>();
    let posted = |length| POST.into_iter().chain([("content-length", length)]).collect::<Vec<_>>();
    let nothing: fn(u32) -> Vec<Frame> = |_| Vec::new();
    vec![
        ("no :method", without(":method"), true, nothing),
        ("no :path", without(":path"), true, nothing),
        ("no :scheme", without(":scheme"), true, nothing),
        ("an empty :path", [without(":path"), vec![(":path", "")]].concat(), true, nothing),
        (":path twice", with((":path", "/values")), true, nothing),
        (":method twice", with((":method", "POST")), true, nothing),
        ("an unknown pseudo-field", with((":lab", "1")), true, nothing),
        ("a pseudo-field of a response", with((":status", "200")), true, nothing),
        ("a pseudo-field behind a field", before(("x-first", "1")), true, nothing),
        ("a name in capitals", with(("X-Capital", "1")), true, nothing),
        ("an empty name", with(("", "1")), true, nothing),
        ("a name with a space", with(("x y", "1")), true, nothing),
        ("`connection`", with(("connection", "keep-alive")), true, nothing),
        ("`transfer-encoding`", with(("transfer-encoding", "chunked")), true, nothing),
        ("`te` with another value than trailers", with(("te", "gzip")), true, nothing),
        ("a value with a line end", with(("x-split", "1\r\nx-smuggled: 1")), true, nothing),
        ("a value with a NUL", with(("x-nul", "a\0b")), true, nothing),
        ("a length and no body", posted("5"), true, nothing),
        ("a body shorter than its length", posted("5"), false, |stream| {
            vec![Frame::data(stream, *b"abc", true)]
        }),
        ("a body longer than its length", posted("5"), false, |stream| {
            vec![Frame::data(stream, *b"abcdefgh", true)]
        }),
        ("a length that is no number", posted("five"), false, |stream| {
            vec![Frame::data(stream, *b"abcde", true)]
        }),
        ("trailers that go on", POST.to_vec(), false, |stream| {
            let trailers = Frame::headers(stream, hpack::block([("x-sum", "1")]), false);
            vec![Frame::data(stream, *b"abc", false), trailers, Frame::data(stream, *b"abc", true)]
        }),
    ]
}

fn requests(bench: &Bench) -> Outcome {
    let (mut h2, mut served, table) = (bench.h2()?, Vec::new(), malformed());
    for (name, fields, ends, more) in &table {
        bench.trace().say(0, name);
        let stream = h2.open_raw(hpack::block(fields.iter().copied()), *ends)?;
        h2.flood(&more(stream), bench.patience(), true)?;
        if let Err(failure) = how_refused(bench, &mut h2, stream) {
            served.push(format!("{name}: {failure}"));
        }
        if h2.is_over() || h2.session().goaway().is_some() {
            h2 = bench.h2()?;
        }
    }
    ensure!(served.is_empty(), "{}", served.join("; "));
    Ok(format!("{} malformed requests, each refused", table.len()).into())
}

fn trailers(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let stream = h2.open(&Request::get("/upload").method("POST"))?;
    let trailers = Frame::headers(stream, hpack::block([(":path", "/fast")]), true);
    h2.send(&[Frame::data(stream, *b"abc", false), trailers])?;
    Ok(how_refused(bench, &mut h2, stream)?.into())
}

fn over_the_limit(bench: &Bench) -> Outcome {
    let long = bench.fast().header("x-long", "y".repeat(17_000));
    let many = (0..150).fold(bench.fast(), |request, number| request.header(format!("x-{number}"), "1"));
    let mut said = Vec::new();
    for (name, request) in [("17,000 bytes", long), ("150 fields", many)] {
        let how = refused(bench, &request)?;
        said.push(format!("{name}: {how}"));
    }
    is(&bench.h2()?.ask(&bench.fast())?, 200)?;
    Ok(said.join("; ").into())
}

fn refused(bench: &Bench, request: &Request) -> Result<String, Failure> {
    let mut h2 = bench.h2()?;
    let stream = h2.request(request)?;
    how_refused(bench, &mut h2, stream)
}

/// Describes the refusal of a request that may not be served.
fn how_refused(bench: &Bench, h2: &mut H2, stream: u32) -> Result<String, Failure> {
    let ended = h2.ending(stream, bench.patience())?.map(|(how, _)| how);
    let status = h2.exchange(stream)?.head.as_ref().map(|(status, _)| *status);
    match (status, ended) {
        (Some(status @ 400..500), _) => Ok(status.to_string()),
        (None, Some(how @ (Ending::Reset(_) | Ending::Lost(_) | Ending::NotTaken(_)))) => Ok(how.to_string()),
        (Some(status), _) => Err(Failure::broken(format!("answered {status}"))),
        (None, _) => Err(Failure::broken("neither answered nor reset")),
    }
}
