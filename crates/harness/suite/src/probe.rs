//! The probe: it finds an unknown server's capabilities, asking for something that cannot exist first.
//!
//! A server that answers nonsense as it answers sense does not understand the question, so it is not asked.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testbed::capability::Capability;
use testbed::census::Census;
use testbed::server::Server;
use wire::trace::Trace;
use wire::{Answer, Request, Wire};

use crate::verdict::Failure;

/// The time that one question may take; a server that does not answer lacks what was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks `server` what it supports.
pub fn supports(server: &Server) -> BTreeSet<Capability> {
    let mut found = BTreeSet::new();
    let mut note = |yes: bool, what: Capability| {
        if yes {
            found.insert(what);
        }
    };
    note(server.admin().is_some_and(|admin| Census::read(admin).is_ok()), Capability::Admin);
    note(hears_witness(server), Capability::Witness);
    note(keeps_alive(server).unwrap_or(false), Capability::KeepAlive);
    note(echoes_id(server), Capability::RequestId);
    methods(server, &mut note);
    let brief = |query: &str| status(server, &slow(query));
    note(
        brief("work=no-such-duration") == Some(400) && brief("work=1ms") == Some(200),
        Capability::ParamWork,
    );
    note(
        status(server, &Request::get("/fast").timeout_text("nonsense")) == Some(400),
        Capability::TimeoutHeader,
    );
    if brief("work=1ms&style=no-such-style") == Some(400) {
        for style in Capability::ALL.iter().filter(|one| one.word().starts_with("style:")) {
            let query = format!("work=1ms&{}", style.word().replace(':', "="));
            note(brief(&query) == Some(200), *style);
        }
    }
    let lost = ask(server, &Request::get("/no-such-path-anywhere"));
    if lost.as_ref().is_ok_and(|answer| answer.status() == 404) {
        note(true, Capability::Routing);
        let is_json = lost.is_ok_and(|answer| answer.response.field("reason").is_some());
        note(is_json, Capability::JsonErrors);
        for (endpoint, request, expected) in endpoints() {
            note(status(server, &request) == Some(expected), endpoint);
        }
    }
    found
}

/// Which methods are told apart; one that answers 200 to a method that cannot exist tells none apart.
fn methods(server: &Server, note: &mut impl FnMut(bool, Capability)) {
    let posted = Request::post("/slow?work=1ms", "lab").timeout(Duration::from_millis(300));
    note(matches!(status(server, &posted), Some(200 | 504)), Capability::Post);
    if status(server, &Request::get("/fast").method("FROB")) != Some(200) {
        note(status(server, &Request::get("/fast").method("HEAD")) == Some(200), Capability::Head);
        note(status(server, &Request::get("/fast").method("DELETE")) == Some(405), Capability::Methods);
    }
}

/// A request to each endpoint beyond the least, and what it must be answered with.
fn endpoints() -> [(Capability, Request, u16); 5] {
    [
        (Capability::EndpointValues, Request::get("/values"), 200),
        (Capability::EndpointUpload, Request::post("/upload", "lab"), 200),
        (Capability::EndpointStream, Request::get("/stream?chunks=1&every=1ms"), 200),
        (Capability::EndpointFanout, Request::get("/fanout?width=1&work=1ms"), 200),
        (Capability::EndpointPanic, Request::get("/panic"), 500),
    ]
}

fn slow(query: &str) -> Request {
    Request::get(format!("/slow?{query}")).timeout(Duration::from_millis(1500))
}

fn ask(server: &Server, request: &Request) -> Result<Answer, Failure> {
    Ok(Wire::connect(server.address(), Instant::now() + PATIENCE, &Trace::default())?.ask(request)?)
}

fn status(server: &Server, request: &Request) -> Option<u16> {
    ask(server, request).ok().map(|answer| answer.status())
}

fn echoes_id(server: &Server) -> bool {
    let answer = ask(server, &Request::get("/fast").id("lab-probe-1"));
    answer.is_ok_and(|answer| answer.response.header("x-request-id") == Some("lab-probe-1"))
}

fn keeps_alive(server: &Server) -> Result<bool, Failure> {
    let mut wire = Wire::connect(server.address(), Instant::now() + PATIENCE, &Trace::default())?;
    let first = wire.ask(&Request::get("/fast"))?;
    Ok(!first.response.says_close() && wire.ask(&Request::get("/fast"))?.status() == 200)
}

fn hears_witness(server: &Server) -> bool {
    let Some(witness) = server.witness() else { return false };
    let _ = ask(server, &slow("work=1ms").id("lab-probe-2"));
    witness.wait_start("lab-probe-2", Duration::from_millis(300)).is_some()
}
