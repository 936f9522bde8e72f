//! A client that is only silent, or away for a moment, has not vanished.

use testbed::capability::Capability::{ParamWork, Process, StyleContext, Witness};
use wire::Request;

use super::{BASE, KEEPALIVE, connect, cut, link, long, noticed};
use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario};

const SPARED: Scenario = Scenario {
    judges: &[Judges::Answer],
    needs: &[Witness, StyleContext, Process, ParamWork],
    why: "a probe that is answered is a client that waits: to stop its work is the other error",
    ..BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "vanish/silent-spared",
        promise: "a client that says nothing for longer than twice the keepalive, and is there, gets its answer",
        sent: "`GET /slow?work=9s` over a link that stays; `--tcp-keepalive 3s`",
        wrong: "a bound on silence without a probe takes every long wait for an end",
        run: silent,
        ..SPARED
    },
    Scenario {
        id: "vanish/comes-back",
        promise: "a client whose link is down for less than the keepalive gets its answer",
        sent: "`GET /slow?work=3s` over a link that is cut for 1.5 s; `--tcp-keepalive 3s`",
        why: "a train leaves a tunnel, and TCP sends again what was lost: nothing has happened to the request",
        run: comes_back,
        ..SPARED
    },
    Scenario {
        id: "vanish/others-untouched",
        promise: "a client that vanishes takes no other client's answer with it",
        sent: "`GET /slow?work=40s` over a link that is cut, `GET /slow?work=8s` over one that stays; `--tcp-keepalive 3s`",
        why: "what is canceled is one request, and not what it shares a server with",
        run: others,
        ..SPARED
    },
];

fn silent(bench: &Bench) -> Outcome {
    let link = link()?;
    let answer = connect(bench, &link)?.ask(&Request::get("/slow?work=9s").id(bench.id()))?;
    ensure!(answer.status() == 200, "{} instead of 200 after {:.1?}", answer.status(), answer.after());
    Ok(format!("200 after {:.1} s", answer.after().as_secs_f64()).into())
}

fn comes_back(bench: &Bench) -> Outcome {
    let link = link()?;
    let mut wire = connect(bench, &link)?;
    let request = Request::get("/slow?work=3s").id(bench.id());
    wire.send_request(&request)?;
    bench.work_begins(request.id_given().expect("the request is named"))?;
    cut(bench, &link)?;
    std::thread::sleep(std::time::Duration::from_millis(1500));
    link.mend().map_err(crate::scenario::Failure::harness)?;
    let answer = wire.answer()?;
    ensure!(answer.status() == 200, "{} instead of 200 after {:.1?}", answer.status(), answer.after());
    Ok(format!("200 after {:.1} s", answer.after().as_secs_f64()).into())
}

fn others(bench: &Bench) -> Outcome {
    let (link, other) = (link()?, link()?);
    let (mut wire, request) = (connect(bench, &link)?, long(bench));
    let mut spared = connect(bench, &other)?;
    wire.send_request(&request)?;
    spared.send_request(&Request::get("/slow?work=8s").id(bench.id()))?;
    let id = request.id_given().expect("the request is named").to_owned();
    bench.work_begins(&id)?;
    let cut_at = cut(bench, &link)?;
    noticed(bench, &[id], cut_at, KEEPALIVE)?;
    wire.reset();
    let answer = spared.answer()?;
    ensure!(answer.status() == 200, "{} instead of 200 after {:.1?}", answer.status(), answer.after());
    Ok(format!("the other was answered 200 after {:.1} s", answer.after().as_secs_f64()).into())
}
