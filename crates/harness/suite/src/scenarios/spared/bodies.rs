//! Clients whose request has a body: read, left alone or dropped, it is no end of the client.

use std::time::Duration;

use testbed::capability::Capability;
use testbed::capability::Capability::{KeepAlive, ParamBody, ParamWork, Post, Witness};
use wire::Request;

use super::{BODY, WORK, begun, request, spared, whole};
use crate::ensure;
use crate::scenario::{Bench, Outcome, Scenario};
use crate::scenarios::spared;

const READ: &str = "the end of a body that was read is the end of the request, and not of the client";
const LEFT: &str = "a body that nobody reads lies in the socket: it says nothing of the client";
const NODE: &str = "Node's `req.signal` fired as soon as a body was read (24.18 and 26.1)";
const SOURCES: &[&str] =
    &["https://github.com/nodejs/node/issues/64390", "https://github.com/fastify/help/issues/658"];
/// Only a server that knows `body=` leaves a body alone, and one that knows it beats.
const LEAVES: &[Capability] = &[ParamBody, ParamWork, Post, Witness];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "spared/body-empty",
        promise: "work of a request with an empty body is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with `Content-Length: 0`",
        why: READ,
        wrong: NODE,
        sources: SOURCES,
        run: |bench| posted(bench, 0, ""),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-one",
        promise: "work of a request whose body of one byte was read is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with a body of 1 byte",
        why: READ,
        wrong: NODE,
        sources: SOURCES,
        run: |bench| posted(bench, 1, ""),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-64k",
        promise: "work of a request whose body of 64 KiB was read is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with a body of 65,536 bytes",
        why: READ,
        wrong: NODE,
        sources: SOURCES,
        run: |bench| posted(bench, 65_536, ""),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-chunked",
        promise: "work of a request whose chunked body was read is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with a chunked body of 3 bytes",
        why: READ,
        wrong: NODE,
        run: |bench| chunked(bench, ""),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-trickled",
        promise: "work of a request whose body came in ten pieces is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with `Content-Length: 10`, then a byte each 10 ms",
        why: "between two pieces of a body the client is silent, and behind the last for good",
        run: |bench| {
            let request = post_part(bench, "");
            let mut wire = bench.connect()?;
            wire.send_request(&request)?;
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(10));
                wire.send(b"x")?;
            }
            whole(bench, &mut wire, &request)
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-expect-continue",
        promise: "work of a request that asked to be told to continue is done",
        needs: BODY,
        sent: "`POST /slow?work=400ms` with `Expect: 100-continue`; 50 ms later its body of 10 bytes",
        why: "curl asks before every larger body, and sends it after a second if nobody answers",
        sources: &["RFC 9110, section 10.1.1"],
        run: |bench| {
            let request = post_part(bench, "").header("Expect", "100-continue");
            let mut wire = bench.connect()?;
            wire.send_request(&request)?;
            std::thread::sleep(bench.ms(50));
            wire.send(b"0123456789")?;
            whole(bench, &mut wire, &request)
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-one-ignored",
        promise: "work of a request whose body of one byte nobody reads is done",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=ignore` with a body of 1 byte",
        why: LEFT,
        run: |bench| posted(bench, 1, "&body=ignore"),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-64k-ignored",
        promise: "work of a request whose body of 64 KiB nobody reads is done, and its answer arrives whole",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=ignore` with a body of 65,536 bytes",
        why: LEFT,
        wrong: "a close with bytes unread becomes a reset, which destroys the answer on its way",
        run: |bench| posted(bench, 65_536, "&body=ignore"),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-chunked-ignored",
        promise: "work of a request whose chunked body nobody reads is done",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=ignore` with a chunked body of 3 bytes",
        why: LEFT,
        run: |bench| chunked(bench, "&body=ignore"),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-one-dropped",
        promise: "work of a request whose handler dropped a body of one byte is done",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=drop` with a body of 1 byte",
        why: LEFT,
        run: |bench| posted(bench, 1, "&body=drop"),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-64k-dropped",
        promise: "work of a request whose handler dropped a body of 64 KiB is done, and its answer arrives whole",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=drop` with a body of 65,536 bytes",
        why: LEFT,
        run: |bench| posted(bench, 65_536, "&body=drop"),
        ..spared::BASE
    },
    Scenario {
        id: "spared/body-trickled-ignored",
        promise: "pieces of a body that nobody reads stop no work while they come",
        needs: LEAVES,
        sent: "`POST /slow?work=400ms&body=ignore` with `Content-Length: 10`; once its work has begun, a byte each 10 ms",
        why: LEFT,
        run: |bench| {
            spared(bench, &post_part(bench, "&body=ignore"), |wire| {
                for _ in 0..10 {
                    std::thread::sleep(Duration::from_millis(10));
                    wire.send(b"x")?;
                }
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/half-close-served-body",
        promise: "under `serve` a client that has sent its body and half-closes gets its answer",
        needs: BODY,
        flags: &[("--on-disconnect", "serve")],
        sent: "`POST /slow?work=400ms` with a body of 10 bytes; once its work has begun, `shutdown(WR)`; \
            `--on-disconnect serve`",
        why: "the end of a body and the end of what a client sends may come together",
        run: |bench| {
            spared(bench, &post(bench, 10, ""), |wire| {
                wire.half_close();
                Ok(())
            })
        },
        ..spared::BASE
    },
    Scenario {
        id: "spared/reused-after-body",
        promise: "a request on a connection whose last one had a body has its work done",
        needs: &[ParamWork, Post, KeepAlive],
        sent: "`POST /slow?work=1ms` with a body of 10 bytes, its answer; `GET /slow?work=400ms`",
        why: "the end of one body must not end the next request",
        wrong: "an event of the first request's stream that the second one inherits",
        run: |bench| {
            let mut wire = bench.connect()?;
            let first =
                Request::post("/slow?work=1ms", *b"0123456789").timeout(bench.ms(1500)).id(bench.id());
            let answer = wire.ask(&first)?;
            ensure!(answer.status() == 200, "{} instead of 200 for the first request", answer.status());
            let second = request(bench);
            wire.send_request(&second)?;
            begun(bench, &second)?;
            whole(bench, &mut wire, &second)
        },
        ..spared::BASE
    },
];

fn target(bench: &Bench, more: &str) -> String {
    format!("/slow?work={}ms{more}", bench.ms(WORK).as_millis())
}

/// A POST of `/slow` with a body of so many bytes.
fn post(bench: &Bench, length: usize, more: &str) -> Request {
    Request::post(target(bench, more), vec![b'x'; length]).timeout(bench.ms(1800)).id(bench.id())
}

/// A POST of `/slow` that announces ten bytes and sends none of them yet.
fn post_part(bench: &Bench, more: &str) -> Request {
    Request::post_part(target(bench, more), 10, *b"").timeout(bench.ms(1800)).id(bench.id())
}

fn posted(bench: &Bench, length: usize, more: &str) -> Outcome {
    let request = post(bench, length, more);
    let mut wire = bench.connect()?;
    wire.send_request(&request)?;
    whole(bench, &mut wire, &request)
}

fn chunked(bench: &Bench, more: &str) -> Outcome {
    let request = Request::get(target(bench, more)).method("POST").header("Transfer-Encoding", "chunked");
    let request = request.timeout(bench.ms(1800)).id(bench.id());
    let mut wire = bench.connect()?;
    wire.send(&[request.bytes(bench.host()), b"3\r\nabc\r\n0\r\n\r\n".to_vec()].concat())?;
    whole(bench, &mut wire, &request)
}
