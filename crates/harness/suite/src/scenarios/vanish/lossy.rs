//! A client behind a slow link that loses packets has not vanished: TCP sends again what was lost, a FIN too.

use std::time::Duration;

use testbed::capability::Capability::{ParamWork, Process, StyleContext, Witness};
use testbed::link::{Link, Quality};
use testbed::witness::Word;
use wire::Request;

use super::{BASE, connect};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

/// Clients, one after another.
const CLIENTS: usize = 20;
/// A round trip of 50 ms, and 1 % of the packets of each direction lost.
const QUALITY: Quality = Quality { delay: Duration::from_millis(25), loss: 0.01, seed: 7 };
/// The time for a FIN to arrive that is lost twice: 25 ms on the way, after 250 and 500 ms until it is sent again.
const ARRIVES: Duration = Duration::from_millis(775);

const LOSSY: Scenario = Scenario {
    flags: &[("--listen", "0.0.0.0:0"), ("--request-timeout", "60s")],
    limit: Duration::from_secs(60),
    sources: &["RFC 9293, section 3.8.1", "RFC 6298"],
    ..BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "vanish/lossy-fin",
        promise: "a client that closes is noticed within a second over a link of 50 ms that loses 1 % of its packets",
        sent: "20 times `GET /slow?work=10s` over such a link, and a FIN once the work has begun",
        why: "loopback loses nothing and takes no time: what was measured there may not hold for a phone",
        wrong: "a server that looks for the end only when it writes notices after its work",
        run: fin,
        ..LOSSY
    },
    Scenario {
        id: "vanish/lossy-spared",
        promise: "a client that waits behind a link of 50 ms that loses 1 % of its packets gets its answer, and the work is done",
        judges: &[Judges::Answer, Judges::Work],
        needs: &[Witness, StyleContext, Process, ParamWork],
        sent: "20 times `GET /slow?work=300ms` over such a link",
        why: "a packet that is late is no disconnect: to stop the work is the other error",
        run: spared,
        ..LOSSY
    },
];

/// Makes the link. Without the right to, the scenario is unsupported.
fn link() -> Result<Link, Failure> {
    Link::lossy(QUALITY).map_err(|why| Failure::unsupported(&why))
}

fn fin(bench: &Bench) -> Outcome {
    let link = link()?;
    let most = ARRIVES + bench.stop_late();
    let mut took = Vec::new();
    for _ in 0..CLIENTS {
        let mut wire = connect(bench, &link)?;
        let id = bench.id();
        wire.send_request(&Request::get("/slow?work=10s").id(id.clone()))?;
        bench.work_begins(&id)?;
        let closed_at = wire.close();
        let (ended_at, how) = bench.work_ends(&id, most + bench.ms(1000))?;
        ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
        took.push(ended_at.saturating_duration_since(closed_at));
    }
    took.sort();
    let (least, median, worst) = (took[0], took[CLIENTS / 2], took[CLIENTS - 1]);
    ensure!(least >= QUALITY.delay, "canceled {least:.1?} after the FIN, which takes {:?}", QUALITY.delay);
    ensure!(worst <= most, "canceled {worst:.1?} after the FIN; promised are {most:?}");
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    let told = format!("canceled after {:.1} ms (median), {:.1} (worst of {CLIENTS})", ms(median), ms(worst));
    Ok(Observed::new(told).with("median_ms", ms(median)).with("worst_ms", ms(worst)))
}

fn spared(bench: &Bench) -> Outcome {
    let link = link()?;
    for _ in 0..CLIENTS {
        let id = bench.id();
        let answer = connect(bench, &link)?.ask(&Request::get("/slow?work=300ms").id(id.clone()))?;
        ensure!(answer.status() == 200, "{} instead of 200 after {:.1?}", answer.status(), answer.after());
        bench.completed_once(&id)?;
    }
    Ok(format!("200 and the work done, {CLIENTS} times").into())
}
