//! Calls to another server: what it is asked, and that the call ends with its request.
//!
//! The upstream here is the harness's own listener, so that what it is sent and when it is left is known first hand.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{
    EndpointPanic, FlagRequestTimeout, FlagReserve, FlagShutdownTimeout, FlagUpstream, Process, StyleUpstream,
};
use testbed::port::Refusing;
use testbed::server::{Server, Started};
use testbed::subject::Trial;
use wire::{Answer, Leave, Request, Wire};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

const STYLE: &str = "style=upstream&tick=10ms";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const WASTE: &str = "a service that calls another wastes twice what it does for a client that has left: its own work, and the \
                     work behind it";
const GRPC: &str = "https://grpc.io/docs/guides/deadlines/ (deadline propagation)";

/// The base of these scenarios: a server that is started for the purpose, with an upstream of the harness's.
const BASE: Scenario = Scenario {
    judges: &[Judges::Work, Judges::Connection],
    needs: &[Process, StyleUpstream, FlagUpstream, FlagReserve, FlagRequestTimeout],
    limit: Duration::from_secs(20),
    why: WASTE,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/upstream-head",
        promise: "a call passes on the names of its request, and of its budget what is left, less the reserve",
        judges: &[Judges::Work],
        sent: "`GET /slow?style=upstream&work=200ms` with `grpc-timeout: 800m`, `X-Request-Id` and `traceparent`; `--reserve 100ms`",
        why: "an upstream that is given the whole budget works on when nobody can use its answer any more",
        wrong: "a timeout that is set anew at every hop",
        sources: &[GRPC, "https://www.w3.org/TR/trace-context/"],
        run: head,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-answers",
        promise: "an upstream's 200 is a 200, its 504 a 504, and anything else a 502 with reason `upstream`",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=upstream` to upstreams that answer 200, 504, 503, twice, garbage and nothing, and to a port that is closed",
        why: "who is told 504 may try again with more time, who is told 502 elsewhere",
        wrong: "an error of the call is a panic of the handler, or a 500",
        sources: &["RFC 9110, sections 15.6.3 and 15.6.5"],
        run: answers,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-deadline",
        promise: "an upstream that never answers is left at the deadline, which is answered 504",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "`GET /slow?style=upstream` with `grpc-timeout: 400m` to an upstream that reads and never answers",
        wrong: "a call on a task or a thread of its own, which nobody ends",
        sources: &[GRPC],
        run: deadline,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-fin",
        promise: "a client that closes ends the call that is made for it",
        sent: "`GET /slow?style=upstream`, then FIN; the upstream waits for the end of its connection",
        wrong: "a pool that keeps a canceled call to reuse its connection, and so lets the upstream work on",
        run: |bench| leaves(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "outside/upstream-rst",
        promise: "a client that resets ends the call that is made for it",
        sent: "`GET /slow?style=upstream`, then RST; the upstream waits for the end of its connection",
        wrong: "a pool that keeps a canceled call to reuse its connection, and so lets the upstream work on",
        run: |bench| leaves(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "outside/upstream-panic",
        promise: "a handler that panics ends the call that it had begun",
        needs: &[Process, StyleUpstream, FlagUpstream, FlagReserve, FlagRequestTimeout, EndpointPanic],
        sent: "`GET /panic?style=upstream`; the upstream waits for the end of its connection",
        wrong: "a call on a task of its own, which a panic does not reach",
        run: panics,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-shutdown",
        promise: "a shutdown ends the call with its request: 503",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Process, StyleUpstream, FlagUpstream, FlagReserve, FlagRequestTimeout, FlagShutdownTimeout],
        sent: "`GET /slow?style=upstream`, then SIGTERM; `--shutdown-timeout 300ms`",
        wrong: "a call that holds up the end of the process until its own timeout",
        run: shutdown,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-no-budget",
        promise: "a budget that is under the reserve starts no call: 504 at the deadline, and no connection",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "`GET /slow?style=upstream` with `grpc-timeout: 60m`; `--reserve 100ms`",
        why: "a call whose answer cannot come in time is load without use, and most of it comes when the load is highest",
        wrong: "a subtraction that wraps, or stops at zero, which means `no timeout` to the next hop",
        run: no_budget,
        ..BASE
    },
    Scenario {
        id: "outside/upstream-unset",
        promise: "without `--upstream` the style is refused with a 400 that names it",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=upstream` to a server that was started without `--upstream`",
        why: "a request must not choose who is called in the server's name",
        wrong: "an address in the request: server-side request forgery",
        sources: &["https://owasp.org/www-community/attacks/Server_Side_Request_Forgery"],
        run: unset,
        ..BASE
    },
];

/// The answer of the harness's upstream to a request.
#[derive(Clone, Copy)]
pub(in crate::scenarios) enum Does {
    /// Reads it and never answers.
    Waits,
    /// Writes these bytes, and closes.
    Writes(&'static [u8]),
}

/// The harness's upstream: it serves one connection.
pub(in crate::scenarios) struct Upstream {
    pub(in crate::scenarios) address: SocketAddr,
    /// The head of the request, when it came.
    heads: mpsc::Receiver<String>,
    /// When the connection was left.
    left: mpsc::Receiver<Instant>,
}

impl Upstream {
    /// Listens on a free port, and does this with the first request.
    pub(in crate::scenarios) fn open(does: Does) -> Result<Self, Failure> {
        let failed = |error| Failure::harness(format!("failed to open an upstream: {error}"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ((head, heads), (gone, left)) = (mpsc::channel(), mpsc::channel());
        let serve = move || {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            while !bytes.ends_with(b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => return,
                    Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                }
            }
            // The scenario may have failed meanwhile.
            let _ = head.send(String::from_utf8_lossy(&bytes).to_lowercase());
            match does {
                Does::Writes(answer) => drop(stream.write_all(answer)),
                Does::Waits => while stream.read(&mut chunk).is_ok_and(|read| read > 0) {},
            }
            let _ = gone.send(Instant::now());
        };
        thread::Builder::new().name("upstream".into()).spawn(serve).map_err(failed)?;
        Ok(Self { address, heads, left })
    }

    /// Waits for the head of the request.
    pub(in crate::scenarios) fn head(&self, bench: &Bench) -> Result<String, Failure> {
        let head = self.heads.recv_timeout(bench.patience());
        head.map_err(|_| Failure::broken("the upstream was not called"))
    }

    /// Waits until the connection is left, which had to be `since`, and soon. Gives the time between.
    fn left(&self, bench: &Bench, since: Instant) -> Result<Duration, Failure> {
        let left_at = self.left.recv_timeout(bench.patience());
        let left_at =
            left_at.map_err(|_| Failure::broken("the call goes on: its connection is still open"))?;
        bench.given_back_soon(since, left_at)
    }
}

fn front(bench: &Bench, upstream: SocketAddr, flags: &[&str]) -> Result<Server, Failure> {
    start(bench, Some(upstream), flags)
}

/// Starts a server like the one under test, with this upstream and these flags on top.
pub(in crate::scenarios) fn start(
    bench: &Bench,
    upstream: Option<SocketAddr>,
    flags: &[&str],
) -> Result<Server, Failure> {
    let upstream = upstream.map(|upstream| upstream.to_string());
    let upstream = upstream.iter().flat_map(|upstream| ["--upstream", upstream]);
    let args = ["--request-timeout", "20s"].into_iter().chain(upstream).chain(flags.iter().copied());
    let args: Vec<&OsStr> = args.map(OsStr::new).collect();
    match bench.try_start(&Trial { args: &args, ..Trial::default() })? {
        Started::Serves(server) => Ok(server),
        Started::Ended { status, stderr, .. } => {
            Err(Failure::broken(format!("it ended ({status}) with an upstream: {stderr}")))
        }
    }
}

/// Connects to a server that is not the one under test.
pub(in crate::scenarios) fn connect(bench: &Bench, server: &Server) -> Result<Wire, Failure> {
    Ok(Wire::connect(server.address(), bench.give_up_at, bench.trace())?.with_host(server.host()))
}

fn request(bench: &Bench, timeout: u64) -> Request {
    bench.slow_for(bench.ms(8000), bench.ms(timeout), STYLE)
}

/// Sends the request and waits until the upstream has it.
fn called(
    bench: &Bench,
    server: &Server,
    upstream: &Upstream,
    request: &Request,
) -> Result<(Wire, Instant), Failure> {
    let mut wire = connect(bench, server)?;
    let sent_at = wire.send_request(request)?;
    upstream.head(bench)?;
    Ok((wire, sent_at))
}

fn head(bench: &Bench) -> Outcome {
    let upstream = Upstream::open(Does::Writes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))?;
    let server = front(bench, upstream.address, &["--reserve", "100ms"])?;
    let request = bench.slow_for(bench.ms(200), bench.ms(800), STYLE).header("traceparent", TRACEPARENT);
    let id = request.id_given().expect("slow requests are named").to_lowercase();
    let answer = connect(bench, &server)?.ask(&request)?;
    let head = upstream.head(bench)?;
    bench.trace().say(0, &head);
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let field = |name: &str| field(&head, name);
    ensure!(field("x-request-id") == Some(&id), "the id passed on is {}", or_none(field("x-request-id")));
    let trace = field("traceparent").and_then(|passed| passed.get(..36));
    ensure!(trace == TRACEPARENT.get(..36), "the traceparent is {}", or_none(field("traceparent")));
    let line = head.lines().next().unwrap_or_default();
    for part in ["get /slow?", "style=context", &format!("work={}", work(bench)), "tick=10"] {
        ensure!(line.contains(part), "`{line}` does not ask for `{part}`");
    }
    let budget = field("grpc-timeout").and_then(budget);
    let budget = budget.ok_or_else(|| Failure::broken(format!("no budget in {head:?}")))?;
    let most = bench.ms(800) - Duration::from_millis(100);
    ensure!(budget <= most, "a budget of {budget:?} for the call, of {:?}, less 100 ms", bench.ms(800));
    ensure!(budget + bench.answer_late() >= most, "a budget of only {budget:?} for the call");
    Ok(format!("budget {budget:.1?} of {:?}", bench.ms(800)).into())
}

/// Returns the value of the header field `name`, in lower case, of a head that was made lower-case.
pub(in crate::scenarios) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.filter(|(field, _)| *field == name).map(|(_, value)| value).next()
}

/// The work that is asked for, in milliseconds.
fn work(bench: &Bench) -> u128 {
    bench.ms(200).as_millis()
}

/// Reads a `grpc-timeout` that was made lower-case.
pub(in crate::scenarios) fn budget(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "n" => Some(Duration::from_nanos(number)),
        "u" => Some(Duration::from_micros(number)),
        "m" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn answers(bench: &Bench) -> Outcome {
    let cases: [(&str, &'static [u8], u16, Option<&str>); 7] = [
        ("200", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, None),
        ("504", b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n", 504, Some("deadline")),
        ("503", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 502, Some("upstream")),
        ("200, then 503", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 200, None),
        ("503, then 200", b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 502, Some("upstream")),
        ("garbage", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", 502, Some("upstream")),
        ("nothing", b"", 502, Some("upstream")),
    ];
    for (what, answer, status, reason) in cases {
        let upstream = Upstream::open(Does::Writes(answer))?;
        let server = front(bench, upstream.address, &[])?;
        let answer = connect(bench, &server)?.ask(&request(bench, 9000))?;
        is(bench, &answer, what, status, reason)?;
    }
    let closed = Refusing::hold();
    let closed =
        closed.map_err(|error| Failure::harness(format!("failed to find a closed port: {error}")))?;
    let server = front(bench, closed.address(), &[])?;
    let answer = connect(bench, &server)?.ask(&request(bench, 9000))?;
    is(bench, &answer, "a closed port", 502, Some("upstream"))?;
    Ok("twice 200, 504 and five times 502".into())
}

/// Checks that the answer to an upstream's `what` has this status and reason, and comes at once.
fn is(bench: &Bench, answer: &Answer, what: &str, status: u16, reason: Option<&str>) -> Result<(), Failure> {
    let found = answer.response.field("reason");
    ensure!(
        answer.status() == status && (reason.is_none() || found.as_deref() == reason),
        "{} with reason {} for {what}, and not {status} with {}",
        answer.status(),
        or_none(found),
        or_none(reason)
    );
    let after = answer.after();
    ensure!(after <= bench.answer_late(), "{status} only {after:.1?} after {what}");
    Ok(())
}

fn deadline(bench: &Bench) -> Outcome {
    let upstream = Upstream::open(Does::Waits)?;
    let server = front(bench, upstream.address, &[])?;
    let (mut wire, sent_at) = called(bench, &server, &upstream, &request(bench, 400))?;
    let late = bench.is_504(&wire.answer()?, bench.ms(400))?;
    let left = upstream.left(bench, sent_at + bench.ms(400))?;
    Ok(format!("504 {late:.1?} late, the upstream left {left:.1?} late").into())
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let mut worst = Duration::ZERO;
    for _ in 0..3 {
        let upstream = Upstream::open(Does::Waits)?;
        let server = front(bench, upstream.address, &[])?;
        let (wire, _) = called(bench, &server, &upstream, &request(bench, 15_000))?;
        let (left_at, _) = leave.act(wire);
        worst = worst.max(upstream.left(bench, left_at)?);
    }
    Ok(format!("the upstream left {worst:.1?} later at most").into())
}

fn panics(bench: &Bench) -> Outcome {
    let upstream = Upstream::open(Does::Waits)?;
    let server = front(bench, upstream.address, &[])?;
    let answer = connect(bench, &server)?.ask(&Request::get("/panic?style=upstream").id(bench.id()))?;
    match answer.status() {
        500 => {}
        400 => return Err(Failure::unsupported("`/panic?style=upstream`")),
        other => return Err(Failure::broken(format!("{other} instead of 500"))),
    }
    upstream.head(bench)?;
    let left = upstream.left(bench, answer.first_byte_at)?;
    Ok(format!("500, the upstream left {left:.1?} later").into())
}

fn shutdown(bench: &Bench) -> Outcome {
    let upstream = Upstream::open(Does::Waits)?;
    let server = front(bench, upstream.address, &["--shutdown-timeout", "300ms"])?;
    let (mut wire, _) = called(bench, &server, &upstream, &request(bench, 15_000))?;
    server.signal(Signal::TERM);
    let answer = wire.answer()?;
    ensure!(answer.status() == 503, "{} instead of 503", answer.status());
    let left = upstream.left(bench, answer.first_byte_at)?;
    Ok(format!("503, the upstream left {left:.1?} later").into())
}

fn no_budget(bench: &Bench) -> Outcome {
    let upstream = Upstream::open(Does::Waits)?;
    let server = front(bench, upstream.address, &["--reserve", "100ms"])?;
    // It is not doubled on a retry, because the reserve is not.
    let timeout = Duration::from_millis(60);
    let answer = connect(bench, &server)?.ask(&bench.slow_for(bench.ms(8000), timeout, STYLE))?;
    let late = bench.is_504(&answer, timeout)?;
    let called = upstream.heads.recv_timeout(bench.ms(100)).is_ok();
    ensure!(!called, "the upstream was called with less left than the reserve");
    Ok(format!("504 {late:.1?} late, and no call").into())
}

fn unset(bench: &Bench) -> Outcome {
    let answer = bench.ask(&request(bench, 1000))?;
    ensure!(answer.status() == 400, "{} instead of 400", answer.status());
    let error = answer.response.field("error").unwrap_or_default();
    ensure!(error.contains("style"), "the 400 says `{error}` and does not name the style");
    Ok(error.into())
}
