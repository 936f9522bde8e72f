//! The caller's timeout headers: every form of them, and which deadline wins.

use std::time::Duration;

use testbed::capability::Capability::{TimeoutHeader, Witness};
use wire::Request;

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "deadline/zero-budget",
        promise: "no time left: 504 at once, and the work is never started",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Witness],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 0m`",
        why: "the caller has given up already; work for it is wasted from its first instruction",
        wrong: "a timeout of zero is often read as no timeout at all",
        sources: &["https://pkg.go.dev/net/http#Client (Timeout: zero means no timeout)"],
        run: zero_budget,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/caller-shorter",
        promise: "a caller's timeout shorter than the server's is the deadline",
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 200m`, to a server with a request timeout of 2 s",
        why: "work past the caller's timeout is for nobody",
        run: caller_shorter,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/caller-longer-is-capped",
        promise: "a caller's timeout longer than the server's does not lengthen it",
        flags: &[("--request-timeout", "400ms")],
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 10S`, to a server with `--request-timeout 400ms`",
        why: "otherwise any caller chooses how long the server works for it",
        run: caller_longer,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/header-forms",
        promise: "every unit of grpc-timeout and the Envoy header are understood, and the smaller of both counts",
        needs: &[TimeoutHeader],
        sent: "`GET /slow` with `grpc-timeout` `250m`, `250000u`, `99999999n`, `00000250m`, `99999999m`, `30S`, \
               `1M`, `1H`; `x-envoy-expected-rq-timeout-ms: 250`; both headers",
        why: "a unit that is misread is a deadline off by a factor of 1,000",
        wrong: "`m` is milliseconds and `M` is minutes",
        sources: &["https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"],
        run: header_forms,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/header-malformed",
        promise: "a malformed timeout header is answered 400",
        needs: &[TimeoutHeader],
        sent: "`grpc-timeout` `x`, `300`, `m`, `-5m`, `+5m`, `1.5S`, `123456789m`, `5 m`, `5ms`, empty; \
               `x-envoy-expected-rq-timeout-ms` `x`, `-1`, `1s`, empty",
        why: "a timeout that is not understood and ignored is no timeout",
        wrong: "most read what they can and fall back to none",
        run: header_malformed,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/header-duplicated",
        promise: "a timeout header given twice is answered 400",
        needs: &[TimeoutHeader],
        sent: "`grpc-timeout: 100m` and `grpc-timeout: 10S` in one request",
        why: "which of two counts is decided differently by every proxy on the way",
        run: header_duplicated,
        ..Scenario::BASE
    },
    Scenario {
        id: "deadline/header-huge",
        promise: "the largest timeout there is does no harm: the server's own deadline holds",
        flags: &[("--request-timeout", "400ms")],
        needs: &[TimeoutHeader],
        sent: "`grpc-timeout: 99999999H` (11,415 years) and `x-envoy-expected-rq-timeout-ms: 18446744073709551615`",
        why: "adding a huge duration to an instant overflows",
        wrong: "`Instant + Duration` panics in Rust; in Go the sum wraps into the past",
        sources: &["https://doc.rust-lang.org/std/time/struct.Instant.html"],
        run: header_huge,
        ..Scenario::BASE
    },
];

fn zero_budget(bench: &Bench) -> Outcome {
    let id = bench.id();
    let target = bench.slow_target(bench.ms(3000), "");
    let answer = bench.ask(&Request::get(target).timeout_text("0m").id(&id))?;
    let late = bench.is_504(&answer, Duration::ZERO)?;
    std::thread::sleep(bench.ms(150));
    ensure!(bench.witness()?.started(&id).is_none(), "504, but the work was started");
    Ok(format!("504 after {late:.1?}, and no work").into())
}

fn caller_shorter(bench: &Bench) -> Outcome {
    let deadline = bench.ms(200);
    let answer = bench.ask(&bench.slow_for(bench.ms(3000), deadline, ""))?;
    let late = bench.is_504(&answer, deadline)?;
    Ok(format!("504, {late:.1?} late").into())
}

fn caller_longer(bench: &Bench) -> Outcome {
    let target = bench.slow_target(bench.ms(3000), "");
    let answer = bench.ask(&Request::get(target).timeout_text("10S").id(bench.id()))?;
    let late = bench.is_504(&answer, Duration::from_millis(400))?;
    Ok(format!("504, {late:.1?} after the server's own deadline").into())
}

const GRPC: &str = "grpc-timeout";
const ENVOY: &str = "x-envoy-expected-rq-timeout-ms";

/// A name and a value.
type Header = (&'static str, &'static str);

fn header_forms(bench: &Bench) -> Outcome {
    // Work of 600 ms: a second and more lets it end, a quarter of a second does not.
    let cases: [(&[Header], Option<u64>); 11] = [
        (&[(GRPC, "250m")], Some(250_000)),
        (&[(GRPC, "250000u")], Some(250_000)),
        (&[(GRPC, "99999999n")], Some(99_999)),
        (&[(GRPC, "00000250m")], Some(250_000)),
        (&[(GRPC, "99999999m")], None),
        (&[(GRPC, "30S")], None),
        (&[(GRPC, "1M")], None),
        (&[(GRPC, "1H")], None),
        (&[(ENVOY, "250")], Some(250_000)),
        (&[(ENVOY, "250"), (GRPC, "30S")], Some(250_000)),
        (&[(ENVOY, "30000"), (GRPC, "250m")], Some(250_000)),
    ];
    let work = bench.ms(600);
    let requests = cases.iter().map(|(headers, _)| {
        let request = Request::get(bench.slow_target(work, "")).id(bench.id());
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    });
    let shots = bench.storm(requests.collect())?.finish()?;
    for ((headers, micros), shot) in cases.iter().zip(&shots) {
        let (status, after) = (shot.status(), shot.after().unwrap_or_default());
        let expected = if micros.is_some() { 504 } else { 200 };
        ensure!(status == Some(expected), "{} instead of {expected} for {headers:?}", or_none(status));
        let least = micros.map_or(work, Duration::from_micros);
        bench
            .in_time(after, least)
            .map_err(|failure| Failure::broken(format!("{headers:?}: {}", failure.text())))?;
    }
    Ok(format!("{} forms understood", cases.len()).into())
}

fn header_malformed(bench: &Bench) -> Outcome {
    let grpc = ["x", "300", "m", "-5m", "+5m", "1.5S", "123456789m", "5 m", "5ms", "5x", ""];
    let envoy = ["x", "-1", "+1", "1s", "0x10", ""];
    let cases = grpc.map(|value| (GRPC, value)).into_iter().chain(envoy.map(|value| (ENVOY, value)));
    let mut count = 0;
    for (name, value) in cases {
        let request = Request::get(bench.slow_target(bench.ms(1), "")).header(name, value).id(bench.id());
        let answer = bench.ask(&request)?;
        ensure!(answer.status() == 400, "{} instead of 400 for `{name}: {value}`", answer.status());
        count += 1;
    }
    Ok(format!("{count} malformed headers, each a 400").into())
}

fn header_duplicated(bench: &Bench) -> Outcome {
    for (name, values) in [(GRPC, ["100m", "10S"]), (GRPC, ["1S", "1S"]), (ENVOY, ["100", "9000"])] {
        let request = Request::get(bench.slow_target(bench.ms(1), "")).id(bench.id());
        let answer = bench.ask(&request.header(name, values[0]).header(name, values[1]))?;
        ensure!(answer.status() == 400, "{} instead of 400 for `{name}` twice", answer.status());
    }
    Ok("400".into())
}

fn header_huge(bench: &Bench) -> Outcome {
    for (name, value) in
        [(GRPC, "99999999H"), (ENVOY, "18446744073709551615"), (ENVOY, "99999999999999999999")]
    {
        let request = Request::get(bench.slow_target(bench.ms(3000), "")).header(name, value).id(bench.id());
        let answer = bench.ask(&request)?;
        // A number that fits no integer may as well be called malformed.
        if answer.status() == 400 && value.len() >= 20 {
            continue;
        }
        bench.is_504(&answer, Duration::from_millis(400))?;
    }
    Ok("the server's own deadline held".into())
}
