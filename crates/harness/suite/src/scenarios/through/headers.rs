//! Headers that carry a deadline or a name go through as they are.

use super::{BASE, arrives, behind};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Judges, Outcome, Scenario};

const CHAIN: Scenario = Scenario {
    judges: &[Judges::Work],
    why: "a deadline that is lost on the way leaves every hop behind it to its own, and a name that is lost leaves its \
          cancel without a request",
    ..BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/grpc-timeout-unchanged",
        promise: "`grpc-timeout` comes to the upstream as it was sent",
        sent: "a request with `grpc-timeout: 300m`",
        sources: &["https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"],
        run: |bench| unchanged(bench, "grpc-timeout", "300m"),
        ..CHAIN
    },
    Scenario {
        id: "through/envoy-timeout-unchanged",
        promise: "`x-envoy-expected-rq-timeout-ms` comes to the upstream as it was sent",
        sent: "a request with `x-envoy-expected-rq-timeout-ms: 300`",
        wrong: "an Envoy at the edge takes the header from strangers for none, and writes its own",
        sources: &[
            "https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter",
        ],
        run: |bench| unchanged(bench, "x-envoy-expected-rq-timeout-ms", "300"),
        ..CHAIN
    },
    Scenario {
        id: "through/request-id-unchanged",
        promise: "`X-Request-Id` comes to the upstream as it was sent",
        sent: "a request with an `X-Request-Id`",
        wrong: "an intermediary that writes its own by default cuts the client's log from the server's",
        run: |bench| {
            let id = bench.id();
            unchanged_as(bench, &id, "x-request-id", &id, &[])
        },
        ..CHAIN
    },
    Scenario {
        id: "through/traceparent-unchanged",
        promise: "`traceparent` comes to the upstream with its trace id",
        sent: "a request with `traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`",
        sources: &["https://www.w3.org/TR/trace-context/"],
        run: |bench| {
            let value = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            // A hop may put its own span in the place of its caller's; the trace stays.
            unchanged_as(
                bench,
                &bench.id(),
                "traceparent",
                "0af7651916cd43dd8448eb211c80319c",
                &[("traceparent", value)],
            )
        },
        ..CHAIN
    },
];

fn unchanged(bench: &Bench, name: &str, value: &str) -> Outcome {
    unchanged_as(bench, &bench.id(), name, value, &[(name, value)])
}

/// Sends a request with `headers` and checks that what comes to the upstream under `name` has `wanted` in it.
fn unchanged_as(bench: &Bench, id: &str, name: &str, wanted: &str, headers: &[(&str, &str)]) -> Outcome {
    let mut request = behind(bench)?.request("/", id, false);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = bench.ask(&request)?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let seen = arrives(bench, id)?;
    let came = seen.header(name);
    let kept = came.is_some_and(|came| came == wanted || (name == "traceparent" && came.contains(wanted)));
    ensure!(kept, "`{name}` came as {}", or_none(came));
    Ok(format!("`{name}: {}`", came.unwrap_or_default()).into())
}
