//! Paths that not every server has.

use testbed::capability::Capability::{
    EndpointFanout, EndpointPanic, EndpointStream, EndpointUpload, EndpointValues, Routing,
};
use wire::Request;

use super::BASE;
use super::requests::{answered, is_one_of};
use crate::scenario::{Bench, Judges, Outcome, Scenario};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "probe/routing",
        promise: "a path that cannot exist is answered 404",
        needs: &[Routing],
        sent: "`GET /no-such-path-anywhere`",
        run: |bench| asked(bench, Request::get("/no-such-path-anywhere"), 404),
        ..BASE
    },
    Scenario {
        id: "probe/values",
        promise: "/values is answered 200",
        needs: &[EndpointValues],
        sent: "`GET /values`",
        run: |bench| asked(bench, Request::get("/values"), 200),
        ..BASE
    },
    Scenario {
        id: "probe/upload",
        promise: "an upload of 3 bytes is answered 200",
        needs: &[EndpointUpload],
        sent: "`POST /upload` with a body of 3 bytes",
        run: |bench| asked(bench, Request::post("/upload", "lab"), 200),
        ..BASE
    },
    Scenario {
        id: "probe/stream",
        promise: "a stream of one chunk is answered 200",
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=1&every=1ms`",
        run: |bench| asked(bench, Request::get("/stream?chunks=1&every=1ms"), 200),
        ..BASE
    },
    Scenario {
        id: "probe/fanout",
        promise: "a group of one is answered 200",
        needs: &[EndpointFanout],
        sent: "`GET /fanout?width=1&work=1ms`",
        run: |bench| asked(bench, Request::get("/fanout?width=1&work=1ms"), 200),
        ..BASE
    },
    Scenario {
        id: "probe/panic",
        promise: "a handler that panics is answered 500, or its connection is closed; the server serves the next request",
        judges: &[Judges::Answer, Judges::Connection],
        needs: &[EndpointPanic],
        sent: "`GET /panic`, then `GET /fast` on another connection",
        run: panic,
        ..BASE
    },
];

fn panic(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let how = match wire.ask(&Request::get("/panic").id(bench.id())) {
        Ok(answer) => is_one_of(&answer, &[500]).map(|()| "500"),
        Err(_) if wire.is_over() => Ok("closed without an answer"),
        Err(failure) => Err(failure.into()),
    }?;
    is_one_of(&bench.ask(&bench.fast())?, &[200])?;
    Ok(how.into())
}

fn asked(bench: &Bench, request: Request, right: u16) -> Outcome {
    answered(bench, &request.id(bench.id()), &[right]).map(|answer| answer.status().to_string().into())
}
