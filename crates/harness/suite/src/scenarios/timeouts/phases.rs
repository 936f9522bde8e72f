//! Phases of a connection: its bytes decide them, and not the packets that they come in.

use std::env;
use std::time::{Duration, Instant};

use fastrand::Rng;
use testbed::abreast;
use testbed::capability::Capability::{EndpointUpload, KeepAlive, ParamWork, Routing, StyleContext, Witness};
use wire::{End, Request, Wire};

use super::HEADER;
use super::closed_at;
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

/// `--read-timeout` of these scenarios.
const READ: Duration = Duration::from_millis(700);
/// `--idle-timeout` of these scenarios: so much longer than the others that none is taken for it.
const IDLE: Duration = Duration::from_millis(1600);

const FLAGS: &[(&str, &str)] =
    &[("--read-header-timeout", "400ms"), ("--idle-timeout", "1600ms"), ("--request-timeout", "15s")];
const READ_FLAGS: &[(&str, &str)] = &[
    ("--read-header-timeout", "400ms"),
    ("--read-timeout", "700ms"),
    ("--idle-timeout", "1600ms"),
    ("--request-timeout", "15s"),
];

const BORDERS: &str = "TCP has no packets for who reads from it: a proxy, a slow line or a client that writes line by line moves every \
    border, and what a server reads at once says nothing about where a request ends";
const GUESS: &str = "a server that takes the last bytes of a read for the end of a request, or that starts a timer at its reads";
const SOURCES: &[&str] = &["RFC 9112, sections 2.2 and 6"];

const BASE: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Connection],
    needs: &[KeepAlive],
    flags: FLAGS,
    why: BORDERS,
    wrong: GUESS,
    sources: SOURCES,
    ..Scenario::BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "timeouts/head-by-line",
        promise: "a head sent line by line with bare line feeds is whole: behind its answer the idle timeout holds, not the one of heads",
        sent: "`GET /fast`, `Host: lab` and an empty line, each in a write of its own, 20 ms apart and ended by LF, silence; \
            `--read-header-timeout 400ms --idle-timeout 1600ms`",
        run: head_by_line,
        ..BASE
    },
    Scenario {
        id: "timeouts/empty-line-behind-a-body",
        promise: "an empty line behind a request begins no head: the idle timeout holds",
        needs: &[KeepAlive, EndpointUpload],
        sent: "`POST /upload` with 3 bytes and CR LF behind them in one write, silence; \
            `--read-header-timeout 400ms --idle-timeout 1600ms`",
        run: |bench| behind_a_body(bench, "Content-Length: 3\r\n\r\nabc\r\n", IDLE),
        ..BASE
    },
    Scenario {
        id: "timeouts/half-head-behind-a-body",
        promise: "half a head that came in the segment of a body is closed at the header timeout",
        needs: &[KeepAlive, EndpointUpload],
        sent: "`POST /upload` with 3 bytes and `GET /fa` behind them in one write, silence; \
            `--read-header-timeout 400ms --idle-timeout 1600ms`",
        run: |bench| behind_a_body(bench, "Content-Length: 3\r\n\r\nabcGET /fa", HEADER),
        ..BASE
    },
    Scenario {
        id: "timeouts/half-head-behind-chunks",
        promise: "half a head that came in the segment of a chunked body is closed at the header timeout",
        needs: &[KeepAlive, EndpointUpload],
        sent: "`POST /upload` with one chunk, its last chunk and `GET /fa` behind them in one write, silence; \
            `--read-header-timeout 400ms --idle-timeout 1600ms`",
        run: |bench| {
            let chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /fa";
            behind_a_body(bench, chunked, HEADER)
        },
        ..BASE
    },
    Scenario {
        id: "timeouts/upload-from-its-first-byte",
        promise: "the read timeout of an upload counts from its own first byte, and not from an earlier request or the pause behind it",
        judges: &[Judges::Answer],
        needs: &[KeepAlive, EndpointUpload],
        flags: READ_FLAGS,
        sent: "`GET /fast` in two writes, and its answer; 500 ms later `POST /upload` of 10 bytes in two writes 400 ms apart; \
            `--read-timeout 700ms`",
        run: upload_from_its_first_byte,
        ..BASE
    },
    Scenario {
        id: "timeouts/upload-behind-work",
        promise: "the read timeout of an upload that waits behind another request counts from that request's answer",
        judges: &[Judges::Answer],
        needs: &[KeepAlive, Witness, StyleContext, EndpointUpload],
        flags: READ_FLAGS,
        sent: "`GET /slow?work=500ms` and half of `POST /upload` in one write; 400 ms behind the first answer the other half; \
            `--read-timeout 700ms`",
        run: upload_behind_work,
        ..BASE
    },
    Scenario {
        id: "timeouts/any-split",
        promise: "requests come to the same answers and the same timeouts in whatever pieces they are sent",
        needs: &[KeepAlive, EndpointUpload, Routing, ParamWork],
        flags: READ_FLAGS,
        slot: Slot::Half,
        limit: Duration::from_secs(90),
        sent: "60 of 26 byte strings (whole requests, several in a row, half ones, broken ones), each in two or three writes split \
            at random, 3 ms apart; `LAB_SPLITS` sets how many, `LAB_SPLITS_SEED` which",
        run: any_split,
        ..BASE
    },
];

fn is_200(wire: &mut Wire, what: &str) -> Result<(), Failure> {
    let answer = wire.answer()?;
    ensure!(
        answer.status() == 200,
        "{what}: {} instead of 200, after {:.1?}",
        answer.status(),
        answer.after()
    );
    Ok(())
}

fn closed(late: Duration) -> Outcome {
    Ok(Observed::new(format!("closed with no answer, {late:.1?} late")))
}

fn head_by_line(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send(b"GET /fast HTTP/1.1\n")?;
    std::thread::sleep(Duration::from_millis(20));
    wire.send(b"Host: lab\n")?;
    std::thread::sleep(Duration::from_millis(20));
    let sent_at = wire.send(b"\n")?;
    is_200(&mut wire, "/fast")?;
    closed(closed_at(bench, &mut wire, sent_at, IDLE)?)
}

fn behind_a_body(bench: &Bench, sent: &str, timeout: Duration) -> Outcome {
    let mut wire = bench.connect()?;
    std::thread::sleep(Duration::from_millis(20));
    let sent_at = wire.send(format!("POST /upload HTTP/1.1\r\nHost: lab\r\n{sent}").as_bytes())?;
    is_200(&mut wire, "/upload")?;
    closed(closed_at(bench, &mut wire, sent_at, timeout)?)
}

fn upload_from_its_first_byte(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    wire.send(b"GET /fast HTTP/1.1\r\nHost: lab\r\n")?;
    std::thread::sleep(Duration::from_millis(20));
    wire.send(b"\r\n")?;
    is_200(&mut wire, "/fast")?;
    std::thread::sleep(Duration::from_millis(500));
    wire.send_request(&Request::post_part("/upload", 10, *b"01234"))?;
    std::thread::sleep(Duration::from_millis(400));
    wire.send(b"56789")?;
    is_200(&mut wire, "/upload")?;
    Ok("200 twice".into())
}

fn upload_behind_work(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let slow = Request::get("/slow?work=500ms").id(bench.id());
    wire.send(
        &[slow.bytes(bench.host()), Request::post_part("/upload", 10, *b"01234").bytes(bench.host())]
            .concat(),
    )?;
    is_200(&mut wire, "/slow")?;
    std::thread::sleep(Duration::from_millis(400));
    wire.send(b"56789")?;
    is_200(&mut wire, "/upload")?;
    Ok("200 twice".into())
}

/// The client's steps behind the last answer.
#[derive(Clone, Copy)]
enum Then {
    /// It is kept until the idle timeout.
    Idle,
    /// It waits for the rest of a head until the header timeout.
    Head,
    /// It is closed.
    Ends,
}

/// Byte strings, the answers that each gets, and what follows them.
const SENT: &[(&str, &[u16], Then)] = &[
    ("GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n", &[200], Then::Idle),
    ("GET /fast HTTP/1.1\nHost: lab\n\n", &[200], Then::Idle),
    ("\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n", &[200], Then::Idle),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n\r\n", &[200], Then::Idle),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\nTE: trailers\r\nCookie: a=b\r\n\r\n", &[200], Then::Idle),
    (
        "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        &[200, 200],
        Then::Idle,
    ),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nGET /fa", &[200], Then::Head),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\n\r\nGET /fast HTTP/1.1\r\nHost: lab\r\n", &[200], Then::Head),
    ("GET /fa", &[], Then::Head),
    ("\r\nGET /fast HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n", &[], Then::Head),
    ("GET /slow?work=50ms HTTP/1.1\r\nHost: lab\r\n\r\n", &[200], Then::Idle),
    ("GET /slow?work=50ms HTTP/1.1\r\nHost: lab\r\n\r\nGET /fa", &[200], Then::Head),
    ("GET /nowhere HTTP/1.1\r\nHost: lab\r\n\r\n", &[404], Then::Idle),
    ("POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc", &[200], Then::Idle),
    ("POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc\r\n", &[200], Then::Idle),
    ("POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\n\r\n\r\n\r\n", &[200], Then::Idle),
    ("POST /upload HTTP/1.1\nHost: lab\ncontent-length:3\n\nabcGET /fa", &[200], Then::Head),
    (
        "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabcGET /fast HTTP/1.1\r\nHost: lab\r\n\r\n",
        &[200, 200],
        Then::Idle,
    ),
    ("POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 100\r\n\r\n0123456789", &[408], Then::Ends),
    (
        "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
        &[200],
        Then::Idle,
    ),
    (
        "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nG",
        &[200],
        Then::Head,
    ),
    (
        "POST /upload HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        &[408],
        Then::Ends,
    ),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n\r\n", &[200], Then::Ends),
    ("GET /fast HTTP/1.0\r\n\r\n", &[200], Then::Ends),
    ("nonsense\r\n\r\n", &[400], Then::Ends),
    ("GET /fast HTTP/1.1\r\nHost: lab\r\nContent-Length: x\r\n\r\n", &[400], Then::Ends),
];

/// The number that the environment variable `name` gives, or `default`.
fn number(name: &str, default: u64) -> Result<u64, Failure> {
    let given = env::var(name).ok();
    let read = given.map_or(Ok(default), |text| text.parse());
    read.map_err(|_| Failure::harness(format!("`{name}` takes a whole number")))
}

fn any_split(bench: &Bench) -> Outcome {
    /// Connections at once; nearly all of their time is waiting.
    const JOBS: usize = 128;
    /// More than the limit of the scenario leaves time for.
    const MOST: u64 = 100_000;
    let count = number("LAB_SPLITS", 60)?;
    if count > MOST {
        return Err(Failure::harness(format!("`LAB_SPLITS` takes at most {MOST}")));
    }
    let seed = number("LAB_SPLITS_SEED", 1)?;
    let numbers: Vec<u64> = (0..count).collect();
    abreast::try_each(JOBS, &numbers, |number| split(bench, seed, *number))?;
    Ok(format!("{count} splits of {} byte strings, seed {seed}", SENT.len()).into())
}

/// Sends byte string `number` in pieces that follow from `seed` and `number`, and checks what comes of it.
fn split(bench: &Bench, seed: u64, number: u64) -> Result<(), Failure> {
    let mut random = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let (text, statuses, then) = SENT[number as usize % SENT.len()];
    let (one, two) = (random.usize(1..text.len()), random.usize(1..text.len()));
    let pieces = [&text[..one.min(two)], &text[one.min(two)..one.max(two)], &text[one.max(two)..]];
    let judge = || verdict(bench, pieces, statuses, then);
    // A client that the machine held up between two pieces is rightly closed; it is not held up at the same split twice.
    let judged = judge().or_else(|failure| match failure {
        Failure::Broken(_) => judge(),
        other => Err(other),
    });
    let context = format!("seed {seed}, number {number}: {pieces:?}");
    judged.map_err(|failure| match failure {
        Failure::Broken(how) => Failure::broken(format!("{how}; {context}")),
        Failure::Certain(how) => Failure::certain(format!("{how}; {context}")),
        other => other,
    })
}

fn verdict(bench: &Bench, pieces: [&str; 3], statuses: &[u16], then: Then) -> Result<(), Failure> {
    let since = Instant::now();
    let mut wire = bench.connect()?;
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        // A server that has refused a part does not take the rest.
        if wire.send(piece.as_bytes()).is_err() && !matches!(then, Then::Ends) {
            return Err(Failure::broken("the server takes no more"));
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    let mut last = Instant::now();
    for status in statuses {
        let answer = wire.answer()?;
        ensure!(answer.status() == *status, "{} instead of {status}", answer.status());
        if *status == 408 {
            bench.in_time(answer.first_byte_at.saturating_duration_since(since), READ)?;
        }
        last = answer.done_at;
    }
    let timeout = match then {
        Then::Idle => IDLE,
        Then::Head => HEADER,
        Then::Ends => Duration::ZERO,
    };
    let (end, at) = wire.end(timeout + bench.patience())?;
    let (after, behind) = (at.saturating_duration_since(since), at.saturating_duration_since(last));
    ensure!(end == End::Fin, "{end} instead of FIN, {after:.1?} after it began");
    ensure!(wire.buffered().is_empty(), "closed with an answer");
    if after < timeout {
        return Err(Failure::certain(format!("early: closed after {after:.1?}, and {timeout:?} was due")));
    }
    let most = timeout + bench.answer_late();
    ensure!(behind <= most, "closed {behind:.1?} behind the last answer, and {timeout:?} was due");
    Ok(())
}
