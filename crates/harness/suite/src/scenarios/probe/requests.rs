//! Parts of a request that not every server understands.

use testbed::capability::Capability::{
    Head, KeepAlive, Methods, ParamBody, ParamWork, Post, RequestId, StyleBlocking, StyleContext,
    StyleDetached, StyleDrop, StylePolling, StyleSpin, TimeoutHeader,
};
use wire::{Answer, Request};

use super::BASE;
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "probe/post",
        promise: "a POST to /slow is answered as a GET is",
        needs: &[Post],
        sent: "`POST /slow?work=1ms` with `grpc-timeout: 1500m` and a body of 3 bytes",
        wrong: "a framework's guard against forged forms, or a body that nobody reads, answers in the handler's place",
        run: |bench| {
            let answer = answered(bench, &timed(bench, Request::post("/slow?work=1ms", "lab")), &[200, 504])?;
            Ok(format!("{}", answer.status()).into())
        },
        ..BASE
    },
    Scenario {
        id: "probe/body",
        promise: "a request whose body is to be left unread is answered 200",
        needs: &[Post, ParamBody],
        sent: "`POST /slow?work=1ms&body=ignore` with `grpc-timeout: 1500m` and a body of 3 bytes",
        wrong: "a framework that reads every body, or none",
        run: |bench| {
            let request = timed(bench, Request::post("/slow?work=1ms&body=ignore", "lab"));
            answered(bench, &request, &[200]).map(|_| "200".into())
        },
        ..BASE
    },
    Scenario {
        id: "probe/keep-alive",
        promise: "a connection whose answer does not say that it closes serves the next request",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` twice on one connection, the second behind the first answer",
        run: |bench| {
            let mut wire = bench.connect()?;
            let first = wire.ask(&bench.fast())?;
            ensure!(!first.response.says_close(), "the first answer says `Connection: close`");
            is_one_of(&wire.ask(&bench.fast())?, &[200])?;
            Ok("two answers on one connection".into())
        },
        ..BASE
    },
    Scenario {
        id: "probe/head",
        promise: "HEAD is answered 200 where GET is",
        needs: &[Head],
        sent: "`HEAD /fast`",
        run: |bench| answered(bench, &bench.fast().method("HEAD"), &[200]).map(|_| "200".into()),
        ..BASE
    },
    Scenario {
        id: "probe/methods",
        promise: "a method that a path does not have is answered 405",
        needs: &[Methods],
        sent: "`DELETE /fast`",
        run: |bench| answered(bench, &bench.fast().method("DELETE"), &[405]).map(|_| "405".into()),
        ..BASE
    },
    Scenario {
        id: "probe/work",
        promise: "a length of work that is none is answered 400, and one that is 200",
        needs: &[ParamWork],
        sent: "`GET /slow?work=no-such-duration`, then `GET /slow?work=1ms`, both with `grpc-timeout: 1500m`",
        run: |bench| {
            answered(bench, &slow(bench, "work=no-such-duration"), &[400])?;
            answered(bench, &slow(bench, "work=1ms"), &[200])?;
            Ok("400, then 200".into())
        },
        ..BASE
    },
    Scenario {
        id: "probe/timeout-header",
        promise: "a timeout that is none is answered 400",
        needs: &[TimeoutHeader],
        sent: "`GET /fast` with `grpc-timeout: nonsense`",
        run: |bench| answered(bench, &bench.fast().timeout_text("nonsense"), &[400]).map(|_| "400".into()),
        ..BASE
    },
    Scenario {
        id: "probe/request-id",
        promise: "an answer that has an `X-Request-Id` has the request's",
        needs: &[RequestId],
        sent: "`GET /fast` with `X-Request-Id`",
        run: |bench| {
            let request = bench.fast();
            let answer = bench.ask(&request)?;
            let echoed = answer.response.header("x-request-id");
            ensure!(echoed == request.id_given(), "it is echoed as `{}`", echoed.unwrap_or_default());
            Ok("echoed".into())
        },
        ..BASE
    },
    Scenario {
        id: "probe/style-context",
        needs: &[StyleContext],
        run: |bench| styled(bench, "context"),
        ..STYLE
    },
    Scenario { id: "probe/style-drop", needs: &[StyleDrop], run: |bench| styled(bench, "drop"), ..STYLE },
    Scenario {
        id: "probe/style-detached",
        needs: &[StyleDetached],
        run: |bench| styled(bench, "detached"),
        ..STYLE
    },
    Scenario {
        id: "probe/style-blocking",
        needs: &[StyleBlocking],
        run: |bench| styled(bench, "blocking"),
        ..STYLE
    },
    Scenario {
        id: "probe/style-polling",
        needs: &[StylePolling],
        run: |bench| styled(bench, "polling"),
        ..STYLE
    },
    Scenario { id: "probe/style-spin", needs: &[StyleSpin], run: |bench| styled(bench, "spin"), ..STYLE },
];

const STYLE: Scenario = Scenario {
    promise: "work of a millisecond in a style that is not refused is answered 200",
    sent: "`GET /slow?work=1ms` with `style=` and the style, and `grpc-timeout: 1500m`",
    ..BASE
};

fn styled(bench: &Bench, style: &str) -> Outcome {
    answered(bench, &slow(bench, &format!("work=1ms&style={style}")), &[200]).map(|_| "200".into())
}

fn slow(bench: &Bench, query: &str) -> Request {
    timed(bench, Request::get(format!("/slow?{query}")))
}

fn timed(bench: &Bench, request: Request) -> Request {
    request.timeout(bench.ms(1500)).id(bench.id())
}

/// Asks on a connection of its own, and checks the status.
pub(super) fn answered(bench: &Bench, request: &Request, right: &[u16]) -> Result<Answer, Failure> {
    let answer = bench.ask(request)?;
    is_one_of(&answer, right)?;
    Ok(answer)
}

/// Checks the status of an answer.
pub(super) fn is_one_of(answer: &Answer, right: &[u16]) -> Result<(), Failure> {
    const SHOWN: usize = 120;
    let status = answer.status();
    let (expected, text) = (right.iter().map(u16::to_string).collect::<Vec<_>>(), answer.response.text());
    let body: String = text.trim().chars().take(SHOWN).collect();
    ensure!(right.contains(&status), "{status} instead of {}: `{body}`", expected.join(" or "));
    Ok(())
}
