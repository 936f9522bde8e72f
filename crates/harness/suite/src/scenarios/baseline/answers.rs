//! The least that makes a server one of the lab's: it answers, and its answers are well-formed.

use std::time::Duration;

use testbed::capability::Capability::{
    Admin, EndpointStream, EndpointUpload, FlagListen, FlagRequestTimeout, Head, JsonErrors, KeepAlive,
    Methods, ParamWork, Process, RequestId, Routing,
};
use testbed::noise::quantile;
use wire::Request;

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "baseline/fast-200",
        promise: "/fast answers 200 at once",
        sent: "`GET /fast`",
        why: "it gates all others: a server that does not do this is no lab server",
        run: fast_200,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/fits-200",
        promise: "work shorter than its deadline is answered 200 when it ends",
        needs: &[ParamWork],
        sent: "`GET /slow?work=50ms` with `grpc-timeout: 1500m`",
        why: "a timeout that also hits what fits is an outage",
        run: fits_200,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/unknown-404",
        promise: "an unknown path is answered 404",
        needs: &[Routing],
        sent: "`GET /no-such-path`",
        why: "a server that answers every path alike hides a client's mistakes",
        run: unknown_404,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/wrong-method-405",
        promise: "a known path with the wrong method is answered 405 with Allow",
        needs: &[Methods],
        sent: "`DELETE` on `/fast`, `/slow`, `/values`, `/stream`, `/fanout` and `/panic`, `GET /upload`",
        why: "404 for a wrong method sends a caller to look for the path",
        wrong: "many routers answer 404, or 405 without the Allow that RFC 9110 demands",
        sources: &["RFC 9110, section 15.5.6"],
        run: wrong_method_405,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/head-no-body",
        promise: "HEAD is answered like GET without the body, and the connection goes on",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Head, KeepAlive],
        sent: "`HEAD /fast`, then `GET /fast` on the same connection",
        why: "a body after HEAD is read as the next answer",
        sources: &["RFC 9110, section 9.3.2"],
        run: head_no_body,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/keepalive-reuse",
        promise: "100 requests over one connection are one accept",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[Admin, KeepAlive],
        slot: Slot::Own,
        sent: "100 times `GET /fast` on one connection, the server's count before and after",
        why: "a connection per request costs a handshake and a port each",
        run: keepalive_reuse,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/no-stall",
        promise: "50 requests in a row on one connection have a median under 5 ms",
        needs: &[KeepAlive],
        slot: Slot::Exclusive,
        sent: "50 times `GET /fast` on one connection, each after the answer to the last",
        why: "without TCP_NODELAY an answer in two writes waits 40 ms for a delayed ACK",
        wrong: "a head and a body in two writes, and Nagle's algorithm left on",
        sources: &["RFC 1122, section 4.2.3.2"],
        run: no_stall,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/pipelined-in-order",
        promise: "ten requests in one write are answered in their order",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive, RequestId],
        sent: "ten `GET /fast` in one write, each with its own `X-Request-Id`",
        why: "an answer out of order goes to the wrong caller",
        sources: &["RFC 9112, section 9.3.2"],
        run: pipelined_in_order,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/json-answers",
        promise: "answers are JSON, end in a newline and say their length",
        needs: &[Routing, JsonErrors, RequestId],
        sent: "`GET /fast` and `GET /no-such-path`",
        why: "one form for answers and errors is one parser for callers",
        run: json_answers,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/upload-counts",
        promise: "/upload counts the bytes of a body, with a length or in chunks",
        needs: &[EndpointUpload],
        sent: "`POST /upload` with 70,000 bytes and `Content-Length`, then the same in two chunks",
        why: "a body that is not read to its end is the next request's garbage",
        run: upload_counts,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/stream-whole",
        promise: "a /stream that fits its deadline ends with its terminal chunk",
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=5&every=20ms` with `grpc-timeout: 1500m`",
        why: "only the terminal chunk tells a whole body from a truncated one",
        run: stream_whole,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/census-adds-up",
        promise: "the server's count has every field, and work started = live + ended",
        judges: &[Judges::Work],
        needs: &[Admin],
        sent: "`GET /census` and `GET /metrics` on the admin address, after one `GET /fast`",
        why: "counters that do not add up prove nothing about leaks",
        run: census_adds_up,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/bad-flag-exit-2",
        promise: "a bad flag is one line on stderr that names it, and exit 2",
        needs: &[Process, FlagRequestTimeout],
        sent: "a start with `--request-timeout 2x`, with `--threads 0` and with `--nonsense 1`",
        why: "a server that starts with another setting than the one meant is found out at night",
        run: bad_flag,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/taken-port-exit-1",
        promise: "a taken port is one line on stderr, and exit 1",
        needs: &[Process, FlagListen],
        sent: "a start with `--listen` at the running server's own address",
        why: "a supervisor restarts on exit 1 and not on exit 2",
        run: taken_port,
        ..Scenario::BASE
    },
];

fn fast_200(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let after = bench.in_time(answer.after(), Duration::ZERO)?;
    Ok(format!("200 after {after:.1?}").into())
}

fn fits_200(bench: &Bench) -> Outcome {
    let work = bench.ms(50);
    let answer = bench.ask(&bench.slow_for(work, bench.ms(1500), ""))?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let late = bench.in_time(answer.after(), work)?;
    let worked = answer.response.json().and_then(|json| json.get("worked_ms")?.as_u64());
    if let Some(worked) = worked {
        ensure!(u128::from(worked) >= work.as_millis(), "worked_ms is {worked} for work of {work:?}");
    }
    Ok(format!("200, {late:.1?} after the work's end").into())
}

fn unknown_404(bench: &Bench) -> Outcome {
    let answer = bench.ask(&Request::get("/no-such-path").id(bench.id()))?;
    ensure!(answer.status() == 404, "{} instead of 404", answer.status());
    Ok("404".into())
}

fn wrong_method_405(bench: &Bench) -> Outcome {
    let cases = [
        ("DELETE", "/fast", "GET"),
        ("DELETE", "/slow", "GET"),
        ("DELETE", "/values", "GET"),
        ("DELETE", "/stream", "GET"),
        ("DELETE", "/fanout", "GET"),
        ("DELETE", "/panic", "GET"),
        ("GET", "/upload", "POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = bench.ask(&Request::get(path).method(method))?;
        ensure!(answer.status() == 405, "{} instead of 405 for {method} {path}", answer.status());
        let allow = answer.response.header("allow").unwrap_or_default();
        let named = allow.split(',').any(|word| word.trim() == allowed);
        ensure!(named, "Allow is `{allow}` for {method} {path}; it must name {allowed}");
    }
    Ok(format!("405 with Allow, {} times", cases.len()).into())
}

fn head_no_body(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let head = wire.ask(&bench.fast().method("HEAD"))?;
    ensure!(head.status() == 200, "{} instead of 200 to HEAD", head.status());
    let id = bench.id();
    let get = wire.ask(&Request::get("/fast").id(&id))?;
    ensure!(get.status() == 200, "{} instead of 200 to the GET after it", get.status());
    Ok("no body, and the connection goes on".into())
}

fn keepalive_reuse(bench: &Bench) -> Outcome {
    let before = bench.census()?.connections.accepted;
    let mut wire = bench.connect()?;
    for number in 1..=100 {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200 to request {number}", answer.status());
    }
    let accepted = bench.census()?.connections.accepted - before;
    ensure!(accepted == 1, "{accepted} connections accepted for 100 requests on one");
    Ok("100 requests, 1 accept".into())
}

fn no_stall(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let mut took = Vec::new();
    for _ in 0..50 {
        let answer = wire.ask(&bench.fast())?;
        ensure!(answer.status() == 200, "{} instead of 200", answer.status());
        took.push((answer.done_at - answer.sent_at).as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let (median, worst) = (quantile(&took, 0.5), quantile(&took, 1.0));
    let most = bench.ms(5).as_secs_f64() * 1e3;
    ensure!(median < most, "median {median:.1} ms, worst {worst:.1} ms");
    Ok(Observed::new(format!("median {median:.2} ms, worst {worst:.2} ms")).with("median_ms", median))
}

fn pipelined_in_order(bench: &Bench) -> Outcome {
    let ids: Vec<_> = (0..10).map(|_| bench.id()).collect();
    let bytes: Vec<u8> = ids.iter().flat_map(|id| Request::get("/fast").id(id).bytes(bench.host())).collect();
    let mut wire = bench.connect()?;
    wire.send(&bytes)?;
    for id in &ids {
        let answer = wire.answer()?;
        let echoed = answer.response.header("x-request-id");
        ensure!(answer.status() == 200, "{} instead of 200", answer.status());
        ensure!(echoed == Some(id), "the answer to {id} is for {}", or_none(echoed));
    }
    Ok("10 answers in order".into())
}

fn json_answers(bench: &Bench) -> Outcome {
    let id = bench.id();
    for (path, field, value) in [("/fast", "endpoint", "fast"), ("/no-such-path", "reason", "not-found")] {
        let answer = bench.ask(&Request::get(path).id(&id))?.response;
        ensure!(answer.header("content-length").is_some(), "{path} says no Content-Length");
        let kind = answer.header("content-type").unwrap_or_default();
        ensure!(kind.starts_with("application/json"), "{path} says Content-Type `{kind}`");
        ensure!(answer.body.ends_with(b"}\n"), "{path} does not end in a newline: {:?}", answer.text());
        ensure!(
            answer.field(field).as_deref() == Some(value),
            "{path}: `{field}` is not {value}: {}",
            answer.text()
        );
        ensure!(answer.field("request_id").as_ref() == Some(&id), "{path}: no request_id: {}", answer.text());
    }
    Ok("well-formed".into())
}

fn upload_counts(bench: &Bench) -> Outcome {
    let body = vec![b'x'; 70_000];
    let counted = |answer: wire::Answer, how: &str| {
        let bytes = answer.response.json().and_then(|json| json.get("bytes")?.as_u64());
        ensure!(bytes == Some(70_000), "{how}: {} {}", answer.status(), answer.response.text());
        Ok(())
    };
    counted(bench.ask(&Request::post("/upload", body.clone()).id(bench.id()))?, "with a length")?;
    let mut wire = bench.connect()?;
    let head = Request::get("/upload").method("POST").header("Transfer-Encoding", "chunked").id(bench.id());
    wire.send_request(&head)?;
    for part in body.chunks(35_000) {
        wire.send(format!("{:x}\r\n", part.len()).as_bytes())?;
        wire.send(part)?;
        wire.send(b"\r\n")?;
    }
    wire.send(b"0\r\n\r\n")?;
    counted(wire.answer()?, "in chunks")?;
    Ok("70,000 bytes counted both ways".into())
}

fn stream_whole(bench: &Bench) -> Outcome {
    let target = format!("/stream?chunks=5&every={}ms", bench.ms(20).as_millis());
    let answer = bench.ask(&Request::get(target).timeout(bench.ms(1500)).id(bench.id()))?;
    ensure!(answer.status() == 200 && answer.response.whole, "{} and not whole", answer.status());
    let chunked = answer.response.header("transfer-encoding").is_some();
    ensure!(chunked && !answer.response.body.is_empty(), "no chunks: {}", answer.response.text());
    Ok(format!("whole, {} bytes in chunks", answer.response.body.len()).into())
}

fn census_adds_up(bench: &Bench) -> Outcome {
    let answer = bench.ask(&bench.fast())?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let admin = bench.server().admin().ok_or_else(|| Failure::unsupported("no count of its own"))?;
    let text = |path: &str| {
        let until = std::time::Instant::now() + bench.patience();
        let mut wire = wire::Wire::connect(admin, until, bench.trace())?;
        wire.ask(&Request::get(path).header("Connection", "close")).map(|answer| answer.response)
    };
    let json = text("/census")?.json().ok_or_else(|| Failure::broken("the server's count is no JSON"))?;
    for field in FIELDS {
        ensure!(json.pointer(field).is_some(), "the server's count has no `{field}`");
    }
    let number =
        |name: &str| json.pointer(&format!("/work/{name}")).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let ended = number("completed") + number("canceled") + number("panicked");
    let (started, live) = (number("started"), number("live"));
    ensure!(started == live + ended, "work: {started} started, {live} live, {ended} ended");
    let metrics = text("/metrics")?.text();
    for name in ["lab_work_live", "lab_work_zombie", "http_server_active_requests"] {
        ensure!(metrics.contains(name), "the metrics have no `{name}`");
    }
    Ok(format!("{} fields, metrics, and the sums hold", FIELDS.len()).into())
}

const FIELDS: &[&str] = &[
    "/server",
    "/uptime_ms",
    "/connections/live",
    "/connections/accepted",
    "/connections/refused",
    "/requests/live",
    "/requests/started",
    "/requests/answered",
    "/requests/ended/completed",
    "/requests/ended/deadline",
    "/requests/ended/disconnect",
    "/requests/ended/shutdown",
    "/requests/ended/panic",
    "/work/live",
    "/work/zombie",
    "/work/started",
    "/work/completed",
    "/work/canceled",
    "/work/panicked",
    "/contexts/live",
    "/runtime/tasks",
];

fn bad_flag(bench: &Bench) -> Outcome {
    for (flag, value) in [("--request-timeout", "2x"), ("--threads", "0"), ("--nonsense", "1")] {
        let (code, stderr) = bench.run_to_end(&[(flag, value)])?;
        ensure!(code == Some(2), "exit {} instead of 2 for {flag} {value}", or_none(code));
        ensure!(stderr.lines().count() == 1, "{flag}: not one line on stderr:\n{stderr}");
        ensure!(stderr.contains(flag), "stderr does not name {flag}: {stderr}");
    }
    Ok("one line each, exit 2".into())
}

fn taken_port(bench: &Bench) -> Outcome {
    let (code, stderr) = bench.run_to_end(&[("--listen", &bench.server().address().to_string())])?;
    ensure!(code == Some(1), "exit {} instead of 1; stderr: {stderr}", or_none(code));
    ensure!(stderr.lines().count() == 1, "not one line on stderr:\n{stderr}");
    Ok("one line, exit 1".into())
}
