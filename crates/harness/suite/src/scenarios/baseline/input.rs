//! Bad input: every malformed parameter gets the contract's answer, and nothing hostile is reflected.

use testbed::capability::Capability::{
    EndpointFanout, EndpointStream, JsonErrors, ParamTick, ParamWork, RequestId, StyleContext,
};
use wire::Request;

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "baseline/bad-parameter",
        promise: "each malformed or out-of-range parameter of /slow gets a 400 that names it",
        needs: &[ParamWork, ParamTick, StyleContext, JsonErrors],
        sent: "`GET /slow?work=abc`, `work=-1s`, `work=61m`, `work=`, `tick=0ms`, `style=lazy`, `body=eat` and more",
        why: "a parameter that is silently replaced by its default is found out in production",
        wrong: "many handlers fall back to a default, or answer 500 from a panic in the parser",
        run: bad_parameter,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/bad-parameter-elsewhere",
        promise: "each malformed or out-of-range parameter of /stream and /fanout gets a 400 that names it",
        needs: &[EndpointStream, EndpointFanout, JsonErrors],
        sent: "`GET /stream?chunks=10001`, `chunks=-1`, `every=0ms`, `GET /fanout?width=1001`, `width=0`, `fail=4` of 4",
        why: "an unbounded width or count is an outage that a stranger can ask for",
        run: bad_parameter_elsewhere,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/unknown-parameter",
        promise: "a parameter that is unknown or given twice gets a 400 that names it",
        needs: &[ParamWork, StyleContext, JsonErrors],
        sent: "`GET /slow?wrok=1s`, `GET /slow?work=1ms&work=2ms`, `GET /fast?x=1`, `GET /values?subject=eve`",
        why: "which of two values counts is decided differently by every proxy on the way",
        run: unknown_parameter,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/request-id",
        promise: "X-Request-Id is echoed, up to 64 characters",
        needs: &[RequestId],
        sent: "`GET /fast` with `X-Request-Id` of 1, 20 and 64 characters",
        why: "an id that does not come back cannot join the logs of two services",
        run: request_id,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/request-id-made",
        promise: "a request without X-Request-Id gets one, and no two get the same",
        needs: &[RequestId],
        sent: "20 times `GET /fast` without `X-Request-Id`",
        why: "two requests under one name are one in every log",
        run: request_id_made,
        ..Scenario::BASE
    },
    Scenario {
        id: "baseline/request-id-hostile",
        promise: "a hostile X-Request-Id is refused or replaced, never reflected",
        needs: &[RequestId],
        sent: "`GET /fast` with an `X-Request-Id` of 65 characters, with a NUL, a bare CR, a tab, a space, a high byte",
        why: "an id is written into headers and logs: whoever chooses it freely writes there",
        wrong: "many echo the value as it came; only their HTTP library keeps CR and LF out",
        sources: &["CWE-113", "CWE-117"],
        run: request_id_hostile,
        ..Scenario::BASE
    },
];

fn bad_parameter(bench: &Bench) -> Outcome {
    let cases = [
        ("work=abc", "work"),
        ("work=", "work"),
        ("work", "work"),
        ("work=5", "work"),
        ("work=-1s", "work"),
        ("work=61m", "work"),
        ("work=99999999999999999999s", "work"),
        ("work=1.5.2s", "work"),
        ("tick=0ms", "tick"),
        ("tick=x", "tick"),
        ("style=lazy", "style"),
        ("style=", "style"),
        ("style=CONTEXT", "style"),
        ("body=eat", "body"),
    ];
    for (query, name) in cases {
        is_refused(bench, &format!("/slow?{query}"), name)?;
    }
    Ok(format!("{} malformed parameters, each a 400 that names it", cases.len()).into())
}

fn bad_parameter_elsewhere(bench: &Bench) -> Outcome {
    let cases = [
        ("/stream?chunks=10001", "chunks"),
        ("/stream?chunks=-1", "chunks"),
        ("/stream?chunks=many", "chunks"),
        ("/stream?every=0ms", "every"),
        ("/fanout?width=1001", "width"),
        ("/fanout?width=0", "width"),
        ("/fanout?width=4&fail=4", "fail"),
        ("/fanout?work=soon", "work"),
        ("/fanout?tick=", "tick"),
    ];
    for (target, name) in cases {
        is_refused(bench, target, name)?;
    }
    Ok(format!("{} malformed parameters, each a 400 that names it", cases.len()).into())
}

fn unknown_parameter(bench: &Bench) -> Outcome {
    let cases = [
        ("/slow?wrok=1s", "wrok"),
        ("/slow?work=1ms&work=2ms", "work"),
        ("/slow?work=1ms&style=context&style=spin", "style"),
        ("/fast?x=1", "x"),
        ("/values?subject=eve", "subject"),
        ("/stream?chunks=1&work=1s", "work"),
    ];
    for (target, name) in cases {
        is_refused(bench, target, name)?;
    }
    Ok(format!("{} unknown or doubled parameters, each a 400 that names it", cases.len()).into())
}

/// Checks that `target` is answered 400 with an error that names the parameter.
fn is_refused(bench: &Bench, target: &str, name: &str) -> Result<(), crate::scenario::Failure> {
    let answer = bench.ask(&Request::get(target).timeout(bench.deadline()).id(bench.id()))?;
    ensure!(answer.status() == 400, "{} instead of 400 for {target}", answer.status());
    let error = answer.response.field("error").unwrap_or_default();
    ensure!(error.contains(name), "the 400 for {target} does not name `{name}`: {error}");
    let reason = answer.response.field("reason");
    ensure!(reason.as_deref() == Some("bad-request"), "the reason for {target} is {}", or_none(reason));
    Ok(())
}

fn request_id(bench: &Bench) -> Outcome {
    for id in ["x".to_owned(), bench.id(), "y".repeat(64)] {
        let answer = bench.ask(&Request::get("/fast").id(&id))?;
        let echoed = answer.response.header("x-request-id");
        ensure!(answer.status() == 200, "{} instead of 200 for an id of {}", answer.status(), id.len());
        ensure!(echoed == Some(&id), "`{id}` came back as {}", or_none(echoed));
    }
    Ok("echoed".into())
}

fn request_id_made(bench: &Bench) -> Outcome {
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = bench.ask(&Request::get("/fast"))?;
        let id = answer.response.header("x-request-id").unwrap_or_default().to_owned();
        ensure!((1..=64).contains(&id.len()), "the id made is `{id}`");
        ensure!(made.insert(id.clone()), "`{id}` was made twice");
    }
    Ok(format!("20 made, e.g. `{}`", made.first().map_or("", String::as_str)).into())
}

fn request_id_hostile(bench: &Bench) -> Outcome {
    let long = "z".repeat(65);
    let hostile: [&[u8]; 6] =
        [long.as_bytes(), b"evil\0id", b"evil\rX-Evil: 1", b"evil\tid", b"evil id", b"evil\xffid"];
    for value in hostile {
        let mut bytes = b"GET /fast HTTP/1.1\r\nHost: lab\r\nX-Request-Id: ".to_vec();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n\r\n");
        let mut wire = bench.connect()?;
        wire.send(&bytes)?;
        let shown = value.escape_ascii();
        let answer = match wire.answer() {
            Ok(answer) => answer.response,
            // Closing without an answer reflects nothing.
            Err(_) if wire.is_over() => continue,
            Err(failure) => return Err(failure.into()),
        };
        ensure!(matches!(answer.status, 200 | 400), "{} for the id {shown}", answer.status);
        ensure!(answer.header("x-evil").is_none(), "a header was injected by {shown}");
        let reflected = answer.header("x-request-id").is_some_and(|id| id.as_bytes() == value)
            || answer.body.windows(value.len()).any(|window| window == value);
        ensure!(!reflected, "{shown} was reflected");
    }
    Ok(format!("{} hostile ids, none reflected", hostile.len()).into())
}
