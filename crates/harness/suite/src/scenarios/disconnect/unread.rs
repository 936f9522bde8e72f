//! The client leaves while bytes of its own lie unread before the server: the end hides behind them.

use testbed::capability::Capability::{self, Admin, EndpointUpload, ParamBody, Post, StyleContext, Witness};
use wire::{Request, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{self, Leave, send, stops};

const HIDES: &str = "whoever looks for the end of a connection by reading finds the bytes first, so a client that \
    pipelines, or sends a body that nobody reads, can make a server work for nobody at no cost to itself";
const EMPTY: &str = "hyper looks for the end only while its read buffer is empty and the body is done, so it does not \
    see even a reset; Go reads ahead by one byte, and only behind the body; actix by default sees resets only";
const KERNEL: &str =
    "https://man7.org/linux/man-pages/man2/epoll_ctl.2.html (EPOLLRDHUP is raised with unread bytes)";
const READ: &str =
    "https://github.com/hyperium/hyper/blob/v1.12.0/src/proto/h1/conn.rs (mid_message_detect_eof)";
const SOURCES: &[&str] = &[READ, KERNEL];

/// The needs of a request whose body is left unread.
const UNREAD: &[Capability] = &[Witness, StyleContext, Post, ParamBody];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/pipelined-same-segment-fin",
        promise: "a FIN behind a second request that came in the same segment cancels the work",
        sent: "`GET /slow?work=3000ms` and `GET /fast` in one write; then FIN",
        run: |bench| stops(bench, Leave::Fin, same_segment),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-same-segment-rst",
        promise: "a RST behind a second request that came in the same segment cancels the work",
        sent: "`GET /slow?work=3000ms` and `GET /fast` in one write; then RST",
        run: |bench| stops(bench, Leave::Rst, same_segment),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-same-segment-half-close",
        promise: "a half-close behind a second request that came in the same segment cancels the work",
        sent: "`GET /slow?work=3000ms` and `GET /fast` in one write; then `shutdown(WR)`",
        run: |bench| stops(bench, Leave::HalfClose, same_segment),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-later-fin",
        promise: "a FIN behind a second request that came later cancels the work",
        sent: "`GET /slow?work=3000ms`; once its work runs `GET /fast`; 20 ms later FIN",
        run: |bench| stops(bench, Leave::Fin, later),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-later-rst",
        promise: "a RST behind a second request that came later cancels the work",
        sent: "`GET /slow?work=3000ms`; once its work runs `GET /fast`; 20 ms later RST",
        run: |bench| stops(bench, Leave::Rst, later),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-later-half-close",
        promise: "a half-close behind a second request that came later cancels the work",
        sent: "`GET /slow?work=3000ms`; once its work runs `GET /fast`; 20 ms later `shutdown(WR)`",
        run: |bench| stops(bench, Leave::HalfClose, later),
        ..BASE
    },
    Scenario {
        id: "disconnect/pipelined-never-starts",
        promise: "the work of a request that was queued behind another never starts once the client has left",
        sent: "`GET /slow?work=3000ms` twice in one write; 20 ms after the first work began, RST",
        why: "a server that goes on to the next request of a dead connection multiplies the waste by the depth of \
              the pipeline",
        wrong: "hyper, blind behind the second request's bytes, works on the first to its end, and only its write tells; Go too",
        run: never_starts,
        ..BASE
    },
    Scenario {
        id: "disconnect/body-partial-unread-fin",
        promise: "a FIN behind a part of a body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Content-Length: 100` and 10 bytes; then FIN",
        run: |bench| stops(bench, Leave::Fin, |bench, wire| partial(bench, wire, "body=ignore")),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-partial-unread-rst",
        promise: "a RST behind a part of a body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Content-Length: 100` and 10 bytes; then RST",
        run: |bench| stops(bench, Leave::Rst, |bench, wire| partial(bench, wire, "body=ignore")),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-partial-unread-half-close",
        promise: "a half-close behind a part of a body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Content-Length: 100` and 10 bytes; then `shutdown(WR)`",
        run: |bench| stops(bench, Leave::HalfClose, |bench, wire| partial(bench, wire, "body=ignore")),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-whole-unread-fin",
        promise: "a FIN behind a whole body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with a body of 3 bytes; then FIN",
        run: |bench| stops(bench, Leave::Fin, |bench, wire| whole(bench, wire, 3)),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-whole-unread-rst",
        promise: "a RST behind a whole body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with a body of 3 bytes; then RST",
        run: |bench| stops(bench, Leave::Rst, |bench, wire| whole(bench, wire, 3)),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-large-unread-rst",
        promise: "a RST behind more body than the server's buffers hold cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with a body of 300,000 bytes; then RST",
        why: "when the window is shut nothing more can come, except the reset",
        run: |bench| stops(bench, Leave::Rst, |bench, wire| whole(bench, wire, 300_000)),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-dropped-fin",
        promise: "a FIN behind a part of a body that the handler dropped cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=drop` with `Content-Length: 100` and 10 bytes; then FIN",
        run: |bench| stops(bench, Leave::Fin, |bench, wire| partial(bench, wire, "body=drop")),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-dropped-rst",
        promise: "a RST behind a part of a body that the handler dropped cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=drop` with `Content-Length: 100` and 10 bytes; then RST",
        run: |bench| stops(bench, Leave::Rst, |bench, wire| partial(bench, wire, "body=drop")),
        ..BASE
    },
    Scenario {
        id: "disconnect/body-chunked-unread-fin",
        promise: "a FIN behind a chunk of a body that nobody reads cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Transfer-Encoding: chunked` and one chunk; then FIN",
        run: |bench| stops(bench, Leave::Fin, chunked),
        ..BASE
    },
    Scenario {
        id: "disconnect/expect-continue-fin",
        promise: "a client that waits for `100 Continue` and closes cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Expect: 100-continue` and `Content-Length: 100`, no body; then FIN",
        why: "no byte of the body is on its way, and still the server may be waiting for it instead of for the end",
        wrong: "hyper does not look for the end of a connection while a body is owed that was not asked for",
        run: |bench| stops(bench, Leave::Fin, expecting),
        ..BASE
    },
    Scenario {
        id: "disconnect/expect-continue-rst",
        promise: "a client that waits for `100 Continue` and resets cancels the work",
        needs: UNREAD,
        sent: "`POST /slow?work=3000ms&body=ignore` with `Expect: 100-continue` and `Content-Length: 100`, no body; then RST",
        why: "no byte of the body is on its way, and still the server may be waiting for it instead of for the end",
        wrong: "hyper does not look for the end of a connection while a body is owed that was not asked for",
        run: |bench| stops(bench, Leave::Rst, expecting),
        ..BASE
    },
    Scenario {
        id: "disconnect/while-reading-fin",
        promise: "a client that closes in the middle of an upload ends its request, which counts as a disconnect",
        needs: &[Admin, EndpointUpload],
        slot: Slot::Own,
        sent: "`POST /upload` with `Content-Length: 100` and 10 bytes; once the request runs, FIN",
        why: "an upload that broke off is no bad request: there is nobody to tell, and nothing to log as an error",
        wrong: "with `collect()` pending a disconnect is an error of the body, and many handlers answer it with a 400",
        sources: &["https://docs.rs/http-body-util/0.1.5/http_body_util/trait.BodyExt.html#method.collect"],
        run: |bench| while_reading(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "disconnect/while-reading-rst",
        promise: "a client that resets in the middle of an upload ends its request, which counts as a disconnect",
        needs: &[Admin, EndpointUpload],
        slot: Slot::Own,
        sent: "`POST /upload` with `Content-Length: 100` and 10 bytes; once the request runs, RST",
        why: "an upload that broke off is no bad request: there is nobody to tell, and nothing to log as an error",
        run: |bench| while_reading(bench, Leave::Rst),
        ..BASE
    },
];

const BASE: Scenario = Scenario { why: HIDES, wrong: EMPTY, sources: SOURCES, ..disconnect::BASE };

fn same_segment(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let first = disconnect::request(bench, "");
    wire.send(&[first.bytes(bench.host()), bench.fast().bytes(bench.host())].concat())?;
    Ok(first.id_given().expect("slow requests are named").to_owned())
}

fn later(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let id = send(wire, &disconnect::request(bench, ""))?;
    bench.work_begins(&id)?;
    wire.send_request(&bench.fast())?;
    Ok(id)
}

/// `POST /slow` whose deadline is far.
fn post(bench: &Bench, more: &str, request: impl FnOnce(String) -> Request) -> Request {
    request(bench.slow_target(bench.ms(3000), more)).timeout(bench.ms(1800)).id(bench.id())
}

fn partial(bench: &Bench, wire: &mut Wire, more: &str) -> Result<String, Failure> {
    send(wire, &post(bench, more, |target| Request::post_part(target, 100, *b"0123456789")))
}

fn whole(bench: &Bench, wire: &mut Wire, length: usize) -> Result<String, Failure> {
    send(wire, &post(bench, "body=ignore", |target| Request::post(target, vec![b'x'; length])))
}

fn chunked(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let request = post(bench, "body=ignore", Request::get).method("POST");
    let request = request.header("Transfer-Encoding", "chunked");
    wire.send(&[request.bytes(bench.host()), b"3\r\nabc\r\n".to_vec()].concat())?;
    Ok(request.id_given().expect("the request is named").to_owned())
}

fn expecting(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let request = post(bench, "body=ignore", |target| Request::post_part(target, 100, *b""));
    send(wire, &request.header("Expect", "100-continue"))
}

fn never_starts(bench: &Bench) -> Outcome {
    let (first, second) = (disconnect::request(bench, ""), disconnect::request(bench, ""));
    let mut wire = bench.connect()?;
    wire.send(&[first.bytes(bench.host()), second.bytes(bench.host())].concat())?;
    let [first, second] = [first, second].map(|request| request.id_given().unwrap_or_default().to_owned());
    bench.work_begins(&first)?;
    std::thread::sleep(bench.ms(20));
    let left_at = wire.reset();
    let took = disconnect::canceled(bench, &first, left_at)?;
    let began = bench.witness()?.wait_start(&second, bench.ms(200));
    ensure!(began.is_none(), "the second work began after the client had left");
    Ok(disconnect::told(&[took]))
}

fn while_reading(bench: &Bench, leave: Leave) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..3 {
        let before = bench.census()?;
        let ended =
            |census: &testbed::census::Census| census.requests.ended.get("disconnect").copied().unwrap_or(0);
        let mut wire = bench.connect()?;
        wire.send_request(&Request::post_part("/upload", 100, *b"0123456789").id(bench.id()))?;
        bench.census_until(bench.patience(), "running", |census| census.requests.live > 0)?;
        std::thread::sleep(bench.ms(20));
        let (left_at, _) = leave.act(wire);
        let (census, at) =
            bench.census_until(bench.patience(), "rid of the upload", |census| census.requests.live == 0)?;
        took.push(bench.stopped_soon(left_at, at)?);
        let (answered, was) = (&census.requests.answered, &before.requests.answered);
        ensure!(answered == was, "answered nobody: {was:?} before, {answered:?} after");
        let (now, was) = (ended(&census), ended(&before));
        ensure!(now == was + 1, "{} requests counted as disconnected instead of 1", now - was);
    }
    Ok(disconnect::told(&took))
}
